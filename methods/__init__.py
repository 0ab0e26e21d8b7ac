"""The built-in methods: name -> "module:Class". The table is read without importing what it names."""

BUILTIN = {
    "standard": "xner_bench.methods.standard:Standard",
    "slicer": "xner_bench.methods.slicer:Slicer",
}
