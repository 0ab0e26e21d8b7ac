"""Counts of single sentences with known truth, and stores of runs that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from boards import PROTOCOLS, Bench

from xner_bench.leaderboard import board, significance
from xner_bench.leaderboard.significance import Contest, halves
from xner_bench.results import SCORES, SENTENCE_COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from xner_bench.leaderboard.lines import Section
    from xner_bench.leaderboard.significance import Draws
    from xner_bench.results import Run

    Pair = tuple[NDArray[np.int64], NDArray[np.int64]]

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
CORPORA = ("one:aa", "one:ab", "one:ac", "two:ba", "two:bb")
DRAWS = 300
# Shapes: n seeds, S sentences.


def entries(
    random: np.random.Generator,
    seeds: int,
    size: int,
    better: float = 0.0,
    luck: float = 0.0,
    everywhere: NDArray[np.float64] | None = None,
) -> Pair:
    """Two entries (n, S, 3) on the same sentences, some of which are hard for both.

    `better`: by how much the first finds more entities, in log odds; `luck`: standard deviation of what a seed does;
    `everywhere`: (2, n) what each seed of both does in all corpora.
    """
    gold, hard = random.integers(1, 4, size), random.normal(0, 1.5, size)
    found = []
    for gain, shift in zip((better, 0.0), np.zeros((2, seeds)) if everywhere is None else everywhere, strict=True):
        own = gain + shift[:, None] + random.normal(0, luck, (seeds, 1))
        odds = 0.5 + own - hard + random.normal(0, 0.5, (seeds, size))
        tp = random.binomial(gold, 1 / (1 + np.exp(-odds)))
        found.append(np.stack([tp, random.binomial(gold, 0.2, (seeds, size)), gold - tp], axis=-1))
    return found[0], found[1]


def drawn(name: str, pairs: Sequence[Pair], draws: int, seed: int = 0) -> list[Draws]:
    """The draws of many pairs of entries on a corpus of this name: quicker than one after the other."""
    seeds = len(pairs[0][0])
    rows = np.arange(2 * seeds * len(pairs)).reshape(len(pairs), 2, seeds).tolist()
    contests = [Contest(tuple(own), tuple(other), tuple(range(seeds))) for own, other in rows]
    return significance.drawn(
        name, halves(np.concatenate([one for pair in pairs for one in pair])), contests, draws, seed
    )


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


def pairs(seeds: int, better: float = 0.0, size: int = 60) -> dict[str, Pair]:
    """Two entries on all corpora of a bench, of which the first is so much better."""
    random = np.random.default_rng(round(10 * better))
    return {corpus: entries(random, seeds, size, better, luck=0.05) for corpus in CORPORA}


def fill(bench: Counted, better: float = 0.0, seeds: tuple[int, ...] = (1, 2, 3)) -> dict[str, Pair]:
    """slicer, so much better than standard, on all corpora."""
    found = pairs(len(seeds), better)
    for at, seed in enumerate(seeds):
        bench.count("slicer", seed, {name: pair[0][at] for name, pair in found.items()}, options=SLICER)
        bench.count("standard", seed, {name: pair[1][at] for name, pair in found.items()})
    return found


def built(bench: Counted, draws: int = DRAWS) -> Section:
    """The board of a bench, with evidence."""
    (found,) = board.build(bench.store, bench.catalogue, draws=draws)
    return found


def ids(section: Section) -> dict[str, str]:
    """Label -> entry_id."""
    return {line.label: line.entry_id or "" for line in section.lines}
