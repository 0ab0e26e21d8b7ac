"""What a store of many runs costs: writing records, listing them, building the leaderboard; and their size on disk.

The runs are synthetic: real records and tables of the suite slicer-en (34 targets), written through the real store,
with invented counts. Each command that reads them is a process of its own. The last line is a JSON object: seconds and
peak memory of `xner-bench leaderboard build`, and bytes a run.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import machine
import numpy as np
import rounds

from xner_bench import catalogue
from xner_bench.identity import identity
from xner_bench.results import HISTORY, PREDICTIONS, SCORES, CorpusRecord, EncoderRecord, Run, Store
from xner_bench.settings import RunSettings, Training, digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.catalogue import Catalogue

SUITE = "slicer-en"
PROTOCOLS = ("last", "source-dev", "oracle")
SEEDS = 10
STEPS = 6_250  # of 10 epochs of WikiANN's English


def main() -> None:
    """Write the store, read it, and print the figures."""
    asked = arguments()
    print(
        "\n".join([*machine.describe(), f"{asked.runs:,} synthetic runs of {SUITE}, {SEEDS} seeds an entry"]),
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        root = Path(folder)
        known = catalogue.load()
        store = Store(root)
        seconds = rounds.seconds(lambda: write(store, known, asked.runs))
        whole = size_of_one(Store(root / "one"), known)
        built, memory = command("leaderboard", "build", "--results", root, "--out", root / "out")
        shown, _ = command("leaderboard", "show", "--results", root)
        pages = sum(path.stat().st_size for path in (root / "out").iterdir())
    rows = [
        ("write a record and scores, each flushed to the disk", f"{seconds / asked.runs * 1000:.1f} ms"),
        ("a whole run's files", f"{whole / 1024:.0f} KiB"),
        (f"leaderboard build, {asked.runs:,} runs", f"{built:.1f} s, {memory / 2**20:.0f} MiB"),
        (f"leaderboard show, {asked.runs:,} runs", f"{shown:.1f} s"),
        ("files of the leaderboard", f"{pages / 2**20:.1f} MiB"),
    ]
    rounds.table(["what", "cost"], rows)
    figures = {"runs": asked.runs, "build_s": round(built, 1), "build_mib": round(memory / 2**20), "run_bytes": whole}
    rounds.last_line(figures)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the store is written, and removed again")
    return parser.parse_args()


def write(store: Store, known: Catalogue, runs: int) -> None:
    """Records and scores of so many runs."""
    draw = np.random.default_rng(0)
    start = perf_counter()
    for number in range(runs):
        run = record(known, number)
        store.save_run(run)
        store.save_table(run.run_id, "scores", SCORES, scores(run, draw))
        if (number + 1) % 1000 == 0:
            print(f"  {number + 1:,} written, {perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


def record(known: Catalogue, number: int) -> Run:
    """A run that is done: ten seeds of two methods, then another learning rate."""
    suite = known.suite(SUITE)
    entry, seed = divmod(number, SEEDS)
    usual = {name: value for name, value in suite.training.items() if name != "seed"}
    settings = RunSettings(
        suite=SUITE,
        method="slicer" if entry % 2 else "standard",
        options={"h": 8, "classifier": "trained", "bias": True} if entry % 2 else {},
        encoder=suite.encoder,
        encoder_revision=suite.encoder_revision,
        source=suite.source,
        targets=suite.targets,
        types=suite.types,
        training=Training(**{**usual, "lr": round(1e-6 * (entry // 2 + 1), 9)}),
        seed=42 + seed,
    )
    encoder = EncoderRecord(name=suite.encoder, revision=None, fingerprint="f" * 64, parameters=278_000_000)
    read = tuple(corpora(known, settings))
    prints = {f"{one.corpus} {one.split}": one.fingerprint for one in read}
    run_id, entry_id = identity(settings, "built in", encoder.fingerprint, prints)
    return Run(
        run_id=run_id,
        entry_id=entry_id,
        state="done",
        settings=settings,
        method_origin="built in",
        encoder=encoder,
        data=read,
        provenance={"versions": dict.fromkeys(("python", "torch", "transformers", "numpy"), "1.2.3")},
        seconds={"preparing": 1.0, "training and dev": 1800.0, "dev": 600.0, "test": 60.0},
    )


def corpora(known: Catalogue, settings: RunSettings) -> Iterator[CorpusRecord]:
    """What a run read."""
    parts = [(name, "train") for name in settings.sources]
    parts += [(name, split) for split in ("dev", "test") for name in settings.corpora]
    for name, split in parts:
        fingerprint = digest([name, split])
        origin = f"/pool/data/{name.replace(':', '/')}/{split}.parquet"
        yield CorpusRecord(
            corpus=name,
            split=split,
            sentences=100,
            fingerprint=fingerprint,
            sha256=fingerprint,
            origin=origin,
            repaired=0,
        )


def scores(run: Run, draw: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Counts of every target, protocol and type."""
    for corpus in run.settings.corpora:
        dataset, _, language = corpus.partition(":")
        for protocol in PROTOCOLS:
            for kind in run.settings.types:
                tp, fp, fn = (int(count) for count in draw.integers(50, 500, 3))
                counts = (tp, fp, fn, tp + fn)
                yield dataset, language, "test", protocol, 10, "word-strict", kind, *counts, 1000, 0, 0


def size_of_one(store: Store, known: Catalogue) -> int:
    """Bytes of the files of one run, with as many predictions and steps as a real one has."""
    run, draw = record(known, 0), np.random.default_rng(0)
    store.save_run(run)
    store.save_table(run.run_id, "scores", SCORES, scores(run, draw))
    store.save_table(run.run_id, "predictions", PREDICTIONS, predictions(known, run, draw))
    store.save_table(run.run_id, "history", HISTORY, history(draw))
    return sum(path.stat().st_size for path in store.folder(run.run_id).iterdir())


def predictions(known: Catalogue, run: Run, draw: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Somewhat more than one entity a test sentence, as WikiANN has, of one checkpoint a target."""
    for corpus in run.settings.corpora:
        dataset, _, language = corpus.partition(":")
        sentences = known.language(corpus)[1].test or 1000
        for number in range(int(1.3 * sentences)):
            start, length, kind = (int(one) for one in draw.integers((0, 1, 0), (12, 4, 3)))
            place = (int(number / 1.3), start, start + length, run.settings.types[kind])
            yield dataset, language, "test", 10, *place


def history(draw: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Loss and learning rate of every step."""
    for step in range(1, STEPS + 1):
        for name in ("loss", "learning_rate"):
            yield 1, step, name, None, None, float(draw.random())


def command(*argv: object) -> tuple[float, int]:
    """Seconds and peak memory of a command."""
    script = f"import resource, sys; from xner_bench.cli import main; main({[str(part) for part in argv]!r})"
    seconds = rounds.seconds(
        lambda: subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest child so far
    return seconds, peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
