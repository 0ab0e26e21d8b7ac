"""Speed of a whole job: fine-tune on English, tag dev and test of ten targets, score; each side a process of its own.

Ours is a real run into an empty results folder with empty caches. The other side is what people write: transformers'
Trainer and seqeval. Both begin with the start of Python and end with scores on disk. The last line is a JSON object:
how many times faster we are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import machine
import numpy as np
import rounds

# The torch side is imported in the children only, which start from nothing as a user's command does.
SIDES = ("Trainer and seqeval", "ours")


def main() -> None:
    """Measure in alternating children, or be one of them."""
    asked = arguments()
    if asked.side:
        print(json.dumps(CHILDREN[asked.side](asked)))
        return
    measured: dict[str, list[float]] = {side: [] for side in SIDES}
    stages: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        settings, _ = run(asked, "world", Path(scratch), Path(scratch))
        print("\n".join([*machine.describe(), *settings, *about(asked)]), flush=True)
        for number in range(asked.rounds):
            for side in SIDES if number % 2 == 0 else SIDES[::-1]:
                with tempfile.TemporaryDirectory() as empty:
                    stages[side], seconds = run(asked, side, Path(scratch), Path(empty))
                measured[side].append(seconds)
    report(measured, stages)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", type=int, default=2_000, help="of English to train on")
    parser.add_argument("--targets", type=int, default=10, help="how many of the ten")
    parser.add_argument("--per-target", type=int, default=100, help="sentences of each dev and test split, at most")
    parser.add_argument("--batch", type=int, default=8, choices=(8, 32), help="of the Trainer's prediction")
    parser.add_argument("--shape", choices=("base", "small_384", "mini"), default="base")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="ours; the Trainer's is fp32")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--side", choices=("world", *SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--world", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--empty", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def about(asked: argparse.Namespace) -> list[str]:
    """Settings of the two sides."""
    return [
        f"the Trainer: fp32, predicts with batches of {asked.batch}; ours: {asked.precision}, with empty caches",
        f"alternating processes, {asked.rounds} of each side, from the start of Python to scores on disk",
    ]


def run(asked: argparse.Namespace, side: str, world: Path, empty: Path) -> tuple[Any, float]:
    """What a child says, and its wall time."""
    options = {**vars(asked), "side": side, "world": world, "empty": empty}
    command = [sys.executable, __file__, *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())]
    start = perf_counter()
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    seconds = perf_counter() - start
    print(f"  {side}: {seconds:.1f} s {lines[-1]}", file=sys.stderr, flush=True)
    return json.loads(lines[-1]), seconds


def build(asked: argparse.Namespace) -> list[str]:
    """Write what both sides read; returns the lines of the settings."""
    import world

    place = world.World(asked.world)
    return world.build(place, asked.shape, asked.sentences, asked.targets, asked.per_target)


def ours(asked: argparse.Namespace) -> dict[str, float]:
    """The job as a run of xner-bench; returns the seconds of its stages."""
    import xner_bench

    catalogue = asked.world / "catalogue"
    encoder = str(asked.world / asked.shape)
    settings = xner_bench.set_up("job", catalogue=[catalogue], encoder=encoder, precision=asked.precision)
    where = {"data_root": asked.world / "data", "catalogue": (catalogue,), "cache": asked.empty / "cache"}
    done = xner_bench.carry_out(settings, asked.empty / "results", device="cpu", **where)
    if done.state != "done":
        raise SystemExit(f"our run ended as {done.state}: {done.error}")
    return dict(done.seconds)


def usual(asked: argparse.Namespace) -> dict[str, float]:
    """The job with the Trainer and seqeval; returns the seconds of its stages."""
    import world
    from peer import Peer

    place = world.World(asked.world)
    start = perf_counter()
    splits = {path: world.read(path) for path in sorted(place.data.glob("speed/*/*.tsv"))}
    train = splits.pop(place.file(world.SOURCE, "train"))
    peer = Peer(place.folder / asked.shape, asked.empty / "trainer")
    loaded = perf_counter()
    peer.train(peer.features(train[0], ids(train[1])), shuffled=True)
    trained = perf_counter()
    tagged = {path: peer.tag(words, asked.batch) for path, (words, _) in splits.items()}
    predicted = perf_counter()
    scores = {str(path): score(tags, tagged[path]) for path, (_, tags) in splits.items()}
    (asked.empty / "scores.json").write_text(json.dumps(scores), "utf-8")
    ends = {"loading": loaded, "training": trained, "dev and test": predicted, "scoring": perf_counter()}
    return dict(zip(ends, np.diff([start, *ends.values()]).round(3).tolist(), strict=True))


def ids(tags: list[list[str]]) -> list[list[int]]:
    """Tag names as ids."""
    from sentences import TAGS

    known = {tag: number for number, tag in enumerate(TAGS)}
    return [[known[tag] for tag in own] for own in tags]


def score(gold: list[list[str]], tagged: list[list[int]]) -> list[float]:
    """Precision, recall, F1 and support of a split by seqeval, strict."""
    from sentences import TAGS
    from seqeval.metrics.v1 import precision_recall_fscore_support
    from seqeval.scheme import IOB2

    names = [[TAGS[tag] for tag in own] for own in tagged]
    found = precision_recall_fscore_support(gold, names, average="micro", scheme=IOB2, zero_division=0)
    return [float(one) for one in found]


def report(measured: dict[str, list[float]], stages: dict[str, dict[str, float]]) -> None:
    """The table and the ratio of the medians."""
    rows = []
    for side, seconds in measured.items():
        inside = ", ".join(f"{name} {value:.1f}" for name, value in stages[side].items())
        rows.append((side, f"{statistics.median(seconds):.1f}", inside))
    rounds.table(["side", "seconds", "stages that the last one noted itself"], rows)
    usual_side, our_side = (statistics.median(measured[side]) for side in SIDES)
    rounds.last_line({"ratio": round(usual_side / our_side, 3)})


CHILDREN = {"world": build, "ours": ours, SIDES[0]: usual}

if __name__ == "__main__":
    main()
