"""Results to rank: real records through the real store, with scores that the test decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xner_bench import catalogue as catalogues
from xner_bench.identity import identity
from xner_bench.measure import TAG, kinds
from xner_bench.results import SCORES, CorpusRecord, EncoderRecord, Missing, Run, Store
from xner_bench.settings import RunSettings, Training, digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Counts = tuple[int, int, int]  # tp, fp, fn

CARD = """
name: {name}
title: {title}
about: Invented
licence: CC0-1.0
homepage: https://example.org
cite: nobody
types: [PER, LOC]
languages:
{languages}
"""
LANGUAGE = "  {code}: {{iso639_3: {iso}, name: {name}, script: Latn, family: Uralic}}\n"
SUITE = """
name: toy
title: Toy suite
about: Invented
reference: Nobody, Nowhere 2026
notice: for testing only
encoder: mini
source: one:aa
targets: [one:aa, one:ab, one:ac, two:ba, two:bb]
types: [PER, LOC]
true_protocol: last
training: {epochs: 3, lr: 1e-5, batch_size: 32, weight_decay: 0.05, warmup: 0.1, clip: null, dropout: 0.1,
  max_length: 128, precision: fp32, subword_labels: first, seed: 42}
"""
ISO = {"aa": "aar", "ab": "abk", "ac": "acr", "ba": "bak", "bb": "bbb"}
PROTOCOLS = ("last", "source-dev", "oracle")


class Bench:
    """Results and a catalogue of two data sets and the suite `toy`, whose source is one of its targets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cards = folder / "catalogue"
        (self.cards / "suites").mkdir(parents=True)
        for name, codes in (("one", ("aa", "ab", "ac")), ("two", ("ba", "bb"))):
            languages = "".join(LANGUAGE.format(code=code, iso=ISO[code], name=code.upper()) for code in codes)
            card = CARD.format(name=name, title=name.title(), languages=languages)
            (self.cards / f"{name}.yaml").write_text(card)
        (self.cards / "suites" / "toy.yaml").write_text(SUITE)
        self.store = Store(folder / "results")
        self.reload()

    def reload(self) -> None:
        """Read the catalogue again, after its files were changed."""
        self.catalogue = catalogues.load([self.cards])

    def add(
        self,
        method: str = "standard",
        *,
        seed: int = 42,
        state: str = "done",
        scores: Mapping[Any, Counts | None] | None = None,
        missing: tuple[tuple[str, str], ...] = (),
        training: Mapping[str, Any] | None = None,
        data: str = "1",
        began: str = "",
        **changes: Any,
    ) -> Run:
        """Store a run of a suite, with changes to its settings.

        `scores`: corpus, or (corpus, protocol) -> counts of PER (or of tags), of LOC one entity is found; a corpus that
        is not named gets (8, 2, 2), None has no scores.
        """
        settings = self.settings(method, seed=seed, training=training or {}, **changes)
        name = settings.encoder.rsplit("/")[-1]
        encoder = EncoderRecord(name=name, revision=None, fingerprint=digest(name), parameters=1)
        read = tuple(_record(corpus, data) for corpus in settings.corpora)
        prints = {f"{one.corpus} {one.split}": one.fingerprint for one in read}
        run_id, entry_id = identity(settings, "built in", encoder.fingerprint, prints)
        run = Run(
            run_id=run_id,
            entry_id=entry_id,
            state=state,
            settings=settings,
            method_origin="built in",
            encoder=encoder,
            data=read,
            missing=tuple(Missing(corpus=c, split=s, reason=f"not in /secret/{c}") for c, s in missing),
            provenance={"started": began} if began else {},
        )
        self.store.save_run(run)
        if state == "done":
            self.store.save_table(run.run_id, "scores", SCORES, _rows(run, scores or {}))
        return run

    def settings(self, method: str, *, suite: str = "toy", training: Mapping[str, Any], **changes: Any) -> RunSettings:
        declared = self.catalogue.suite(suite)
        usual = {name: value for name, value in declared.training.items() if name != "seed"}
        base = {
            "suite": suite,
            "method": method,
            "encoder": declared.encoder,
            "source": declared.source,
            "targets": declared.targets,
            "types": declared.types,
            "training": Training(**{**usual, **training}),
            "profiles": declared.profiles,
            "true_protocol": declared.true_protocol,
        }
        return RunSettings(**{**base, **changes})


def _record(corpus: str, data: str) -> CorpusRecord:
    mark = digest([corpus, data])
    return CorpusRecord(
        corpus=corpus,
        split="test",
        sentences=9,
        fingerprint=mark,
        sha256=mark,
        origin="file:/secret",
        repaired=0,
    )


def _rows(run: Run, scores: Mapping[Any, Counts | None]) -> Iterator[tuple[object, ...]]:
    """Test scores of all corpora, and scores on dev that must not count."""
    for corpus in run.settings.corpora:
        for protocol in PROTOCOLS:
            counts = scores.get((corpus, protocol), scores.get(corpus, (8, 2, 2)))
            for profile in run.settings.profiles if counts is not None else ():
                other = (0, 0, 0) if counts == (0, 0, 0) else (1, 0, 0)
                for kind in kinds(profile, run.settings.types):
                    tp, fp, fn = counts if kind in ("PER", TAG) else other
                    place = (*corpus.split(":"), "test", protocol, 3, profile, kind)
                    yield (*place, tp, fp, fn, tp + fn, 9, 0, 0)
                yield (*corpus.split(":"), "dev", protocol, 3, profile, "PER", 5, 5, 5, 10, 9, 0, 0)
