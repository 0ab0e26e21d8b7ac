"""Speed of prediction: English dev sentences from words to tags, ours against transformers' Trainer.

The Trainer predicts with batches of 8 and of 32, and the faster counts. Both sides start from lists of words, so
tokenizing is in both times. The last line is a JSON object: how many times faster we are.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import encoders
import machine
import rounds
import sentences
from ours import Ours
from peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

BATCHES = (8, 32)
SMALL = ("small_384", "mini")
ROUNDS = {"base": 3, "small_384": 5, "mini": 7}


class Noted:
    """Measures a side, keeps what it answered last."""

    def __init__(self, tag: Callable[[], list[list[int]]]) -> None:
        self.tag = tag
        self.tags: list[list[int]] = []

    def __call__(self) -> list[float]:
        """Seconds of tagging once."""
        return [rounds.seconds(self._tag)]

    def _tag(self) -> None:
        self.tags = self.tag()


def main() -> None:
    """Measure the shapes asked for and print the figures."""
    asked = arguments()
    lines = [
        *machine.describe(),
        sentences.where(),
        f"prediction of {asked.sentences:,} English dev sentences, from words to one tag a word",
        "interleaved rounds in one process; medians; the Trainer with its better batch size",
    ]
    print("\n".join(lines), flush=True)
    figures: dict[str, Any] = {"ratio_fp32": None, "ratio_bf16": None, "small": {}}
    for shape in ("base", *SMALL) if asked.shape == "all" else (asked.shape,):
        with tempfile.TemporaryDirectory() as scratch:
            measured = measure(shape, Path(scratch), asked)
        if shape in SMALL:
            figures["small"][shape] = measured["ratio_fp32"]
        else:
            figures.update(measured)
    rounds.last_line(figures)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=("base", "small", "mini", "all"), default="all")
    parser.add_argument("--sentences", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, help=f"(default: {ROUNDS})")
    asked = parser.parse_args()
    asked.shape = "small_384" if asked.shape == "small" else asked.shape
    return asked


def measure(shape: str, scratch: Path, asked: argparse.Namespace) -> dict[str, float]:
    """All sides at one shape: prints the table and how many tags differ, returns the ratios."""
    train, dev = sentences.english("train"), sentences.english("dev").first(asked.sentences)
    folder = encoders.write(shape, scratch, train.words)
    precisions = ("fp32", "bf16") if shape == "base" else ("fp32",)
    few = train.first(32)
    ours = {name: Ours(folder, *few, precision=name, steps=1) for name in precisions}
    peer = Peer(folder, scratch / "trainer")
    sides = {
        **{f"Trainer fp32, batch {size}": Noted(partial(peer.tag, dev.words, size)) for size in BATCHES},
        **{f"ours {name}": Noted(partial(ours[name].tag, dev.words)) for name in precisions},
    }
    measured = rounds.interleaved(sides, asked.rounds or ROUNDS[shape])
    report(encoders.SHAPES[shape].about, measured)
    trainer = min((measured[f"Trainer fp32, batch {size}"] for size in BATCHES), key=rounds.median_round)
    fits = peer.fits(dev.words)
    theirs = list(compress(sides[f"Trainer fp32, batch {BATCHES[0]}"].tags, fits))
    print(f"{sum(fits):,} sentences fit the encoder whole; of their words' tags")
    for name in precisions:
        share = differing(list(compress(sides[f"ours {name}"].tags, fits)), theirs)
        print(f"{share:.4%} of ours {name} differ from the Trainer's fp32")
    return {f"ratio_{name}": rounds.ratio(trainer, measured[f"ours {name}"]) for name in precisions}


def differing(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> float:
    """Share of the words whose tags differ. ValueError where there is not one tag a word on both sides."""
    pairs = [pair for one, other in zip(ours, theirs, strict=True) for pair in zip(one, other, strict=True)]
    return sum(one != other for one, other in pairs) / len(pairs)


def report(about: str, measured: dict[str, NDArray[np.float64]]) -> None:
    """One row a side."""
    rows = [
        (name, f"{rounds.median_round(one):.3f}", f"{one.min():.3f}", f"{one.max():.3f}")
        for name, one in measured.items()
    ]
    print(f"\n{about}; seconds")
    rounds.table(["side", "median", "least", "most"], rows)


if __name__ == "__main__":
    main()
