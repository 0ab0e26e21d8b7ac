"""Speed of fine-tuning steps: ours against transformers' Trainer, and against the limit of matrix products.

A round is the same random batches of 32 sentences for every side; its first step is left out. The last line is a
JSON object: how many times faster we are (`ratio_fp32`, `ratio_bf16`, and `small` at small shapes), and the share of
our time that the matrix products would take alone (`gemm_share`).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import encoders
import gemm
import machine
import numpy as np
import profiling
import rounds
import sentences
from ours import Ours
from peer import Peer
from recipe import ABOUT, BATCH, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

STEPS = {"base": 8, "small_384": 16, "mini": 32}  # of a round
SMALL = ("small_384", "mini")
KEYS = ("ratio_fp32", "ratio_bf16", "gemm_share", "gemm_share_of_fastest")  # at the large shape


def main() -> None:
    """Measure the shapes asked for and print the figures."""
    asked = arguments()
    data = sentences.english("train")
    settings(asked, data)
    figures: dict[str, Any] = {
        "ratio_fp32": None,
        "ratio_bf16": None,
        "gemm_share": None,
        "gemm_share_of_fastest": None,
        "small": {},
    }
    for shape in ("base", *SMALL) if asked.shape == "all" else (asked.shape,):
        with tempfile.TemporaryDirectory() as scratch:
            measured = measure(shape, Path(scratch), data, asked)
        if shape in SMALL:
            figures["small"][shape] = measured["ratio_fp32"]
        else:
            figures.update(measured)
    rounds.last_line(figures)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=("base", "small", "mini", "all"), default="all")
    parser.add_argument("--steps", type=int, help=f"measured steps of a round (default: {STEPS})")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="print where the time of one of our steps goes, too")
    asked = parser.parse_args()
    asked.shape = "small_384" if asked.shape == "small" else asked.shape
    return asked


def settings(asked: argparse.Namespace, data: sentences.Sentences) -> None:
    """Say what is measured on what."""
    lines = [
        *machine.describe(),
        sentences.where(),
        f"fine-tuning on {len(data.words):,} sentences: {ABOUT}",
        f"{asked.rounds} interleaved rounds in one process, the same batches in each, first step of a round left out",
        "the batches are random ones which have, together, the padding of an epoch",
    ]
    print("\n".join(lines), flush=True)


def measure(shape: str, scratch: Path, data: sentences.Sentences, asked: argparse.Namespace) -> dict[str, float]:
    """All sides at one shape: prints the table, returns the figures."""
    folder = encoders.write(shape, scratch, data.words)
    chosen = choose(data, 1 + (asked.steps or STEPS[shape]), encoders.lengths(folder, data.words))
    precisions = ("fp32", "bf16") if shape == "base" else ("fp32",)
    steps = asked.rounds * len(chosen.batches)
    ours = {name: Ours(folder, *chosen.data, precision=name, steps=steps) for name in precisions}
    peer = Peer(folder, scratch / "trainer")
    features = peer.features(*chosen.in_order())
    layers = encoders.linear_shapes(folder)
    subwords = [ours["fp32"].subwords(batch) for batch in chosen.batches[1:]]
    sides: dict[str, Callable[[], Sequence[float]]] = {
        "Trainer fp32": lambda: peer.train(features)[1:],
        **{f"ours {name}": stepping(ours[name], chosen.batches) for name in precisions},
        **{f"GEMM {way}": gemm.Products(layers, subwords, way) for way in gemm.ways()},
    }
    measured = rounds.interleaved(sides, asked.rounds)
    report(encoders.SHAPES[shape].about, subwords, widths(features)[1:], measured)
    for way in gemm.ways():
        rate = gemm.flops(layers, subwords) / rounds.median_round(measured[f"GEMM {way}"]) / 1e9
        print(f"GEMM rate of {way}: {rate:.0f} GFLOP/s fp32")
    if asked.profile:
        profiling.report(lambda: ours["fp32"].step(chosen.batches[1]))
    return ratios(measured, precisions)


def stepping(ours: Ours, batches: list[list[int]]) -> Callable[[], list[float]]:
    """What measures a round of ours."""

    def measured() -> list[float]:
        ends = [perf_counter()]
        for batch in batches:
            ours.step(batch)
            ends.append(perf_counter())
        return np.diff(ends)[1:].tolist()  # type: ignore[no-any-return]

    return measured


def widths(features: list[dict[str, list[int]]]) -> list[int]:
    """Subwords of the longest sentence of each batch: what the Trainer pads all others to."""
    lengths = [len(row["input_ids"]) for row in features]
    return [max(lengths[at : at + BATCH]) for at in range(0, len(lengths), BATCH)]


def ratios(measured: dict[str, NDArray[np.float64]], precisions: Sequence[str]) -> dict[str, float]:
    """The figures of a shape."""
    trainer, ours = measured["Trainer fp32"], measured["ours fp32"]
    shares = {way: rounds.median_round(measured[f"GEMM {way}"]) / rounds.median_round(ours) for way in gemm.ways()}
    faster = {f"ratio_{name}": rounds.ratio(trainer, measured[f"ours {name}"]) for name in precisions}
    best = min(shares.values())  # of the faster of both: the strict limit
    return {**faster, "gemm_share": round(shares["torch"], 3), "gemm_share_of_fastest": round(best, 3)}


def report(
    about: str, subwords: Sequence[int], padded: Sequence[int], measured: dict[str, NDArray[np.float64]]
) -> None:
    """One row a batch position with the median over rounds, one row for whole rounds."""
    rows: list[list[object]] = []
    for at, (real, wide) in enumerate(zip(subwords, padded, strict=True)):
        medians = [np.median(one[:, at]) * 1e3 for one in measured.values()]
        rows.append([at + 1, real, wide * BATCH, *(f"{value:.1f}" for value in medians)])
    whole = [f"{rounds.median_round(one) * 1e3:.1f}" for one in measured.values()]
    rows.append(["all", sum(subwords), sum(padded) * BATCH, *whole])
    print(f"\n{about}; milliseconds a step, median over rounds")
    rounds.table(["batch", "subwords", "with padding", *measured], rows)


if __name__ == "__main__":
    main()
