"""What many runs cost beside their training: 12 quick runs in sequence and by two workers, each side one command.

The commands are those that people type, in fresh processes with empty results and caches. The time between the ends of
two runs in sequence, less what the second took to train and score by its own record, is the overhead of a run. The last
line is a JSON object: the workers' time over the sequence's, and the median and most seconds of overhead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median

import machine
import rounds

SEQUENCE, WORKERS = "in sequence", "workers"
SPENT = ("training", "dev", "test")  # in a record's seconds: training and scoring


def main() -> None:
    """Measure both sides in turn and print the figures."""
    asked = arguments()
    head = [*machine.describe(), f"command: xner-bench {' '.join(command(asked, Path('DIR'), 1))}"]
    print("\n".join(head), flush=True)
    overheads: list[float] = []
    sides = {SEQUENCE: lambda: [sequence(asked, overheads)], WORKERS: lambda: [measured(asked, asked.workers)[0]]}
    found = rounds.interleaved(sides, asked.rounds)
    alone, together = (rounds.median_round(found[side]) for side in sides)
    rounds.table(
        ["side", "seconds"],
        [(SEQUENCE, f"{alone:.1f}"), (f"--workers {asked.workers}", f"{together:.1f}")],
    )
    print(f"overhead of each run after the first, s: {' '.join(f'{one:.2f}' for one in overheads)}")
    figures = {"workers_over_sequence": together / alone, "overhead_s": median(overheads), "most_s": max(overheads)}
    rounds.last_line({name: round(value, 3) for name, value in figures.items()})


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6, help="of each of two methods")
    parser.add_argument("--epochs", type=int, help="by default what the quick suite says")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    return parser.parse_args()


def command(asked: argparse.Namespace, results: Path, workers: int) -> list[str]:
    """Arguments of xner-bench."""
    seeds = f"42-{41 + asked.seeds}"
    given = ["run", "--method", "standard,slicer", "--h", "8", "--seeds", seeds, "--device", "cpu"]
    more = [] if asked.epochs is None else ["--epochs", str(asked.epochs)]
    return [*given, *more, "--results", str(results), "--workers", str(workers), "--quiet"]


def sequence(asked: argparse.Namespace, overheads: list[float]) -> float:
    """Seconds of all runs in sequence; notes the overheads of those after the first."""
    seconds, found = measured(asked, 1)
    overheads += found[1:]
    return seconds


def measured(asked: argparse.Namespace, workers: int) -> tuple[float, list[float]]:
    """Seconds of a command, and what passed between the ends of its runs without training or scoring."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        argv = [sys.executable, "-m", "xner_bench", *command(asked, results, workers)]
        own = {**os.environ, "XNER_CACHE": str(Path(folder) / "cache"), "HF_HUB_OFFLINE": "1"}

        def call() -> None:
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=own)

        return rounds.seconds(call), between(results, 2 * asked.seeds)


def between(results: Path, expected: int) -> list[float]:
    """Seconds from the end of one run to that of the next, less those of training and scoring; of the first, 0."""
    ends = sorted((path.stat().st_mtime, path) for path in (results / "runs").glob("*/run.json"))
    records = [json.loads(path.read_text("utf-8")) for _, path in ends]
    if [record["state"] for record in records] != ["done"] * expected:
        raise SystemExit(f"not {expected} runs that are done: {[record['state'] for record in records]}")
    gaps = [end - before for (before, _), (end, _) in pairwise(ends)]
    spent = [sum(record["seconds"][part] for part in SPENT) for record in records[1:]]
    return [0.0, *(gap - taken for gap, taken in zip(gaps, spent, strict=True))]


if __name__ == "__main__":
    main()
