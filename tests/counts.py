"""Counts of single sentences with known truth, and stores of runs that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from boards import PROTOCOLS, Bench

from xner_bench.results import SCORES, SENTENCE_COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from xner_bench.results import Run

# Shapes: n seeds, S sentences.


def entries(
    random: np.random.Generator, seeds: int, size: int, better: float = 0.0, luck: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two entries (n, S, 3) on the same sentences, some of which are hard for both.

    `better`: by how much the first finds more entities, in log odds; `luck`: standard deviation of what a seed does.
    """
    gold, hard = random.integers(1, 4, size), random.normal(0, 1.5, size)
    found = []
    for gain in (better, 0.0):
        odds = 0.5 + gain - hard + random.normal(0, luck, (seeds, 1)) + random.normal(0, 0.5, (seeds, size))
        tp = random.binomial(gold, 1 / (1 + np.exp(-odds)))
        found.append(np.stack([tp, random.binomial(gold, 0.2, (seeds, size)), gold - tp], axis=-1))
    return found[0], found[1]


class Counted(Bench):
    """A bench whose runs have counts of single sentences, which add up to their scores."""

    def count(self, method: str, seed: int, counts: Mapping[str, NDArray[np.int64]], **changes: object) -> Run:
        """A run with such counts (S, 3) of each corpus, the same under every protocol."""
        run = self.add(method, seed=seed, **changes)  # type: ignore[arg-type]
        scores, sentences = [], []
        for corpus, each in counts.items():
            tp, fp, fn = (int(total) for total in each.sum(axis=0))
            place = corpus.split(":")
            for protocol in PROTOCOLS:
                for kind, three in (("PER", (tp, fp, fn)), ("LOC", (0, 0, 0))):
                    scores.append(
                        (*place, "test", protocol, 3, "word-strict", kind, *three, three[0] + three[2], 9, 0, 0)
                    )
            sentences.append((*place, "test", 3, "word-strict", *each.astype(np.int32).T))
        self.store.save_table(run.run_id, "scores", SCORES, scores)
        self.store.save_table(run.run_id, "sentence_counts", SENTENCE_COUNTS, sentences)
        return run
