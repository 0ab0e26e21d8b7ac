"""Stores of complete runs without any training: every file that a run leaves, each in agreement with the others."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from boards import Bench

from xner_bench import protocol
from xner_bench.identity import identity
from xner_bench.results import HISTORY, PREDICTIONS, SCORES, CorpusRecord, EncoderRecord, Run
from xner_bench.settings import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.protocol import DevScores, Selection
    from xner_bench.settings import RunSettings

SENTENCES = 9
SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
# A process that holds a run of a store until its standard input ends.
HOLDER = """
import sys
from pathlib import Path
from xner_bench.results import Store
with Store(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


class Filled(Bench):
    """A bench whose runs have all their files, and ids that are the hash of what they stand for."""

    def complete(self, method: str = "standard", *, seed: int = 42, state: str = "done", **changes: Any) -> Run:
        """A run in a state; only one that is done has results."""
        options = changes.pop("options", SLICER if method == "slicer" else {})
        told = {name: changes.pop(name) for name in ("error", "provenance", "checkpoint_kept") if name in changes}
        settings = self.settings(method, seed=seed, training=changes.pop("training", {}), options=options, **changes)
        run = record(settings, state, told)
        self.store.save_run(run)
        if state == "done":
            self.fill(run)
        return run

    def fill(self, run: Run) -> None:
        """Write the results of a run: the same for the same run."""
        draw = random.Random(run.run_id)
        epochs = range(1, run.settings.training.epochs + 1)
        dev = {epoch: {name: round(draw.random(), 6) for name in run.settings.corpora} for epoch in epochs}
        chosen = protocol.select(dev, run.settings.source, run.settings.corpora)
        spans = list(predicted(run, chosen, draw))
        self.store.save_table(run.run_id, "scores", SCORES, counted(run, chosen, spans, draw))
        self.store.save_table(run.run_id, "predictions", PREDICTIONS, spans)
        self.store.save_table(run.run_id, "history", HISTORY, history(dev))
        text = json.dumps({"dev": dev, "selection": chosen}, indent=1, sort_keys=True) + "\n"
        self.store.write(run.run_id, "selection.json", text.encode())


def record(settings: RunSettings, state: str, told: dict[str, Any]) -> Run:
    """A record with its own ids."""
    parts = [(name, "train") for name in settings.sources]
    parts += [(name, split) for split in ("dev", "test") for name in settings.corpora]
    data = tuple(_datum(corpus, split) for corpus, split in parts)
    encoder = EncoderRecord(name=settings.encoder, revision=None, fingerprint="e" * 64, parameters=7)
    prints = {f"{one.corpus} {one.split}": one.fingerprint for one in data}
    run_id, entry_id = identity(settings, "built in", encoder.fingerprint, prints)
    usual = {"provenance": {"python": "3.11.7", "packages": {"torch": "2.13.0"}, "device": "cpu", "command": []}}
    return Run(
        run_id=run_id,
        entry_id=entry_id,
        state=state,
        settings=settings,
        method_origin="built in",
        encoder=encoder,
        data=data,
        seconds={"training": 2.0, "test": 0.5},
        **{**usual, **told},
    )


def _datum(corpus: str, split: str) -> CorpusRecord:
    mark = digest([corpus, split])
    return CorpusRecord(
        corpus=corpus, split=split, sentences=SENTENCES, fingerprint=mark, sha256=mark, origin="file:/x", repaired=0
    )


def predicted(run: Run, chosen: Selection, draw: random.Random) -> Iterator[tuple[object, ...]]:
    """Some entities in every test split, for every checkpoint that was chosen for it."""
    for corpus in run.settings.corpora:
        for epoch in sorted({answers[corpus] for answers in chosen.values()}):
            for sentence in range(SENTENCES):
                for start in range(0, draw.randint(0, 3) * 2, 2):
                    kind = draw.choice(run.settings.types)
                    yield (*corpus.split(":"), "test", epoch, sentence, start, start + draw.randint(1, 2), kind)


def counted(
    run: Run, chosen: Selection, spans: list[tuple[object, ...]], draw: random.Random
) -> Iterator[tuple[object, ...]]:
    """Counts that these entities may have: of each kind some are right, and five are in the gold."""
    gold = 5
    for corpus in run.settings.corpora:
        place = corpus.split(":")
        for epoch in sorted({answers[corpus] for answers in chosen.values()}):
            for kind in run.settings.types:
                found = sum(span[:4] == (*place, "test", epoch) and span[-1] == kind for span in spans)
                tp = draw.randint(0, min(gold, found))
                for name in protocol.answers(chosen, corpus, epoch):
                    for profile in run.settings.profiles:
                        where = (*place, "test", name, epoch, profile, kind)
                        yield (*where, tp, found - tp, gold - tp, gold, SENTENCES, 0, 0)


def history(dev: DevScores) -> Iterator[tuple[object, ...]]:
    """Two steps an epoch."""
    for epoch, scores in dev.items():
        for step in (2 * epoch - 1, 2 * epoch):
            yield epoch, step, "loss", None, None, 1.0 / step
            yield epoch, step, "learning_rate", None, None, 1e-5
        for name, score in scores.items():
            yield (epoch, None, "f1", *name.split(":"), score)
