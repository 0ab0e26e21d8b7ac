"""Mean rank and Borda count: what entries are worth beside each other, whatever a point of F1 is in a language.

Both are over the languages that all compared entries have, so that nobody gains by leaving one out. They depend on who
is compared: another entry may change the order of two that were there before, which the mean over languages does not.
Two entries are compared over the seeds that both have, as everywhere; nobody gains by a lucky seed that others lack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from xner_bench.leaderboard.lines import Line, Section

    Scores = Mapping[int, float]  # seed -> F1

ABOUT = (
    "Mean rank (1 is best; equal scores share the mean of their ranks) and Borda count (in each language a point for "
    "every entry that is worse over the seeds that both have, half a point for one that is equal; over all their seeds "
    "where they share none) are over the languages that all entries compared have. They depend on which entries are "
    "compared; the mean over languages does not."
)
FINE = 1e9  # parts of a point in which scores are added: whole numbers, so that the order of additions changes nothing
# Shapes: E entries, S seeds that any of them has.


class Rank(NamedTuple):
    """An entry among those compared."""

    mean: float  # from 1
    borda: float  # from 0 to languages x (entries - 1)


class Ranking(NamedTuple):
    """Entries over the languages that all of them have."""

    ranks: Mapping[str, Rank]  # entry_id ->
    corpora: tuple[str, ...]
    size: int  # languages that there might be


def ranking(section: Section, profile: str, protocol: str) -> Ranking:
    """The own entries of a profile with a score of some target under a protocol, over the suite's targets."""
    targets = section.suite.targets
    return of({line.entry_id or "": _scores(line, targets, protocol) for line in section.own(profile)}, targets)


def of(scores: Mapping[str, Mapping[str, Scores]], corpora: Sequence[str]) -> Ranking:
    """Entry -> corpus -> scores by seed, to ranks. An entry without any score is not compared."""
    compared = {entry: found for entry, found in scores.items() if found}
    shared = tuple(corpus for corpus in corpora if compared and all(corpus in found for found in compared.values()))
    if len(compared) < 2 or not shared:
        return Ranking({}, shared, len(corpora))
    worth = np.sum([_worth([found[corpus] for found in compared.values()]) for corpus in shared], axis=0)
    ranks = {
        entry: Rank(len(compared) - float(borda) / len(shared), float(borda))
        for entry, borda in zip(compared, worth, strict=True)
    }
    return Ranking(ranks, shared, len(corpora))


def _scores(line: Line, targets: Sequence[str], protocol: str) -> dict[str, Scores]:
    rows = ((corpus, line.rows.get((corpus, protocol))) for corpus in targets)
    return {corpus: line.seeds[corpus, protocol] for corpus, row in rows if row and row.f1}


def _worth(scores: Sequence[Scores]) -> NDArray[np.float64]:
    """What each entry is worth in a language: a point for every other that is worse, half a point for an equal one."""
    seeds = tuple(sorted(set().union(*scores)))
    if all(tuple(one) == seeds for one in scores):
        return _alike(_whole([list(one.values()) for one in scores]).sum(axis=1))
    points = _whole([[one.get(seed, 0.0) for seed in seeds] for one in scores])
    return _pairwise(points, np.array([[seed in one for seed in seeds] for one in scores], np.float64))


def _whole(scores: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    points: NDArray[np.float64] = np.rint(FINE * np.array(scores))
    return points


def _alike(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of entries with the same seeds, from the sums of their scores."""
    rising = np.sort(sums)
    worse, equal_too = (np.searchsorted(rising, sums, side) for side in ("left", "right"))
    return (worse + equal_too - 1) / 2


def _pairwise(points: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of entries with other seeds each, from their scores (E, S), 0 where none is given."""
    means, worth = points.sum(axis=1) / given.sum(axis=1), np.empty(len(points))
    kinds, which = np.unique(given, axis=0, return_inverse=True)
    for at, kind in enumerate(kinds):
        same = np.flatnonzero(which.reshape(-1) == at)
        own, other = points[same] @ given.T, points @ kind  # over the seeds that both have: (same E), (E)
        apart = given @ kind == 0
        own[:, apart], other[apart] = means[same, None], means[apart]
        worth[same] = ((own > other).sum(axis=1) + (own >= other).sum(axis=1) - 1) / 2
    return worth
