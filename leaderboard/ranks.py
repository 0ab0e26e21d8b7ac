"""Mean rank and Borda count: what entries are worth beside each other, whatever a point of F1 is in a language.

Both are over the languages that all compared entries have, so that nobody gains by leaving one out. They depend on who
is compared: another entry may change the order of two that were there before, which the mean over languages does not.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xner_bench.leaderboard.lines import Line, Section

ABOUT = (
    "Mean rank (1 is best; equal scores share the mean of their ranks) and Borda count (in each language a point for "
    "every entry that is worse, half a point for one that is equal) are over the languages that all entries compared "
    "have. They depend on which entries are compared; the mean over languages does not."
)


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
    lines = [line for line in section.lines if line.profile == profile and not line.published]
    targets = section.suite.targets
    return of({line.entry_id or "": _scores(line, targets, protocol) for line in lines}, targets)


def of(scores: Mapping[str, Mapping[str, float]], corpora: Sequence[str]) -> Ranking:
    """Entry -> corpus -> score, to ranks. An entry without any score is not compared."""
    compared = {entry: found for entry, found in scores.items() if found}
    shared = tuple(corpus for corpus in corpora if compared and all(corpus in found for found in compared.values()))
    if len(compared) < 2 or not shared:
        return Ranking({}, shared, len(corpora))
    rising = {corpus: sorted(found[corpus] for found in compared.values()) for corpus in shared}
    ranks = {entry: [_rank(found[at], rising[at]) for at in shared] for entry, found in compared.items()}
    worth = {entry: fsum(len(compared) - rank for rank in found) for entry, found in ranks.items()}
    found = {entry: Rank(fsum(one) / len(shared), worth[entry]) for entry, one in ranks.items()}
    return Ranking(found, shared, len(corpora))


def _scores(line: Line, targets: Sequence[str], protocol: str) -> dict[str, float]:
    rows = ((corpus, line.rows.get((corpus, protocol))) for corpus in targets)
    return {corpus: row.f1.mean for corpus, row in rows if row and row.f1}


def _rank(own: float, rising: Sequence[float]) -> float:
    """From 1, among all scores, its own too; equal ones share the mean of their ranks."""
    better, equal = len(rising) - bisect_right(rising, own), bisect_right(rising, own) - bisect_left(rising, own)
    return 1 + better + (equal - 1) / 2
