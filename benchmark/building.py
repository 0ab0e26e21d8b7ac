"""What a run is built of: the tagger, the corpora as the encoder meets them, and the record of its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench import encode, encodings, predict, provenance, registry, tagger, vocabulary
from xner_bench.encoder import Encoder
from xner_bench.plan import Part
from xner_bench.results import EncoderRecord, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from xner_bench.encode import Encoded, SubwordEncoder
    from xner_bench.plan import Plan
    from xner_bench.tagger import Tagger
    from xner_bench.watch import Watch


def assemble(ready: Plan, watch: Watch) -> tuple[Encoder, Tagger]:
    """The pretrained encoder, and the tagger with the method's fresh head on it."""
    encoder = Encoder(ready.pretrained, ready.tag_names)
    sizes = encoder.sizes(ready.settings.training.dropout)
    encoder.transformer.to(ready.device)
    layout = encoder.layout(watch)
    built = tagger.build(encoder.transformer, sizes, ready.method, ready.tag_names, ready.settings.seed, layout)
    return encoder, built.to(ready.device)


def make_ready(ready: Plan, encoder: Encoder, built: Tagger, used: NDArray[np.int32], watch: Watch) -> None:
    """Leave the subwords that the training data does not use out of training; the rest is the method's."""
    if vocabulary.compact(encoder.transformer, used, built.layout, encoder.room) is None:
        watch.note("this encoder uses its embedding for more than looking up subwords: all of it is trained (slower)")
    tagger.prepare(built, ready.method, ready.settings.seed)
    built.to(ready.device)


def training(ready: Plan, encoded: Mapping[Part, Encoded]) -> Encoded:
    """The training splits of all sources, end to end."""
    every = [encoded[Part(name, "train")] for name in ready.settings.sources]
    return every[0] if len(every) == 1 else predict.join(every)


def encode_all(ready: Plan, encoder: Encoder, watch: Watch) -> dict[Part, Encoded]:
    """Every split that the run reads, as the encoder meets it."""
    encoding = subwords(ready, encoder)
    encoded = {}
    with watch.stage("encoding", sum(len(sealed.sentences) for sealed in ready.sealed.values())) as advance:
        for part, sealed in ready.sealed.items():
            encoded[part] = encodings.encoded(sealed, encoding, ready.execution.cache / "encoded", watch)
            advance(len(sealed.sentences), " ".join(part))
    return encoded


def subwords(ready: Plan, encoder: Encoder) -> SubwordEncoder:
    """How words become subwords in this run."""
    return encode.subword_encoder(encoder.tokenizer, min(ready.settings.training.max_length, encoder.room))


def begin(ready: Plan, encoder: Encoder) -> Run:
    """The record of a run that starts."""
    return Run(
        run_id=ready.run_id,
        entry_id=ready.entry_id,
        state="started",
        settings=ready.settings,
        method_origin=registry.origin(ready.settings.method),
        encoder=EncoderRecord(
            name=ready.pretrained.name,
            revision=ready.pretrained.revision,
            fingerprint=ready.encoder_fingerprint,
            parameters=encoder.parameters,
        ),
        data=ready.data(),
        few_shot=tuple(one.record for one in ready.shots),
        missing=ready.missing,
        provenance=provenance.now(ready.device),
    )
