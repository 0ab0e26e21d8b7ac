"""The built-in methods: name -> "module:Class". The table is read without importing what it names."""

BUILTIN = {
    "standard": "xner_bench.methods.standard:Standard",
    "crf": "xner_bench.methods.crf:Crf",
    "slicer": "xner_bench.methods.slicer:Slicer",
    "dlfa": "xner_bench.methods.dlfa:Dlfa",
    "bitfit": "xner_bench.methods.bitfit:Bitfit",
    "lora": "xner_bench.methods.lora:Lora",
    "prune": "xner_bench.methods.prune:Prune",
}
