"""Interleaved rounds, medians and tables: how every script measures and reports."""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

# Shapes: R rounds, N measured pieces of a round.


def interleaved(sides: Mapping[str, Callable[[], Sequence[float]]], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Measure all sides in every round, each round beginning with another one. Returns seconds (R, N) by side."""
    names = list(sides)
    measured: dict[str, list[Sequence[float]]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in [*names[start:], *names[:start]]:
            measured[name].append(sides[name]())
            total = sum(measured[name][-1])
            print(f"  round {number + 1}/{rounds}: {name} {total:.3f} s", file=sys.stderr, flush=True)
    return {name: np.array(rows) for name, rows in measured.items()}


def seconds(act: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = perf_counter()
    act()
    return perf_counter() - start


def median_round(measured: NDArray[np.float64]) -> float:
    """The median over rounds of a round's seconds."""
    return float(np.median(measured.sum(1)))


def ratio(peer: NDArray[np.float64], ours: NDArray[np.float64]) -> float:
    """How many times faster ours is: the ratio of the medians of rounds."""
    return round(median_round(peer) / median_round(ours), 3)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print()
    for line in (head, ["---", *["---:"] * (len(head) - 1)], *rows):
        print("| " + " | ".join(map(str, line)) + " |")
    print(flush=True)


def last_line(figures: Mapping[str, Any]) -> None:
    """Print the result as one JSON object, which ends a script's output."""
    print(json.dumps(figures), flush=True)
