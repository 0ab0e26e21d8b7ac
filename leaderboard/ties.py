"""Ranks of entries at each place: those that the data does not tell apart share one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xner_bench.leaderboard import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from xner_bench.leaderboard.evidence_types import Comparison
    from xner_bench.leaderboard.lines import Section


def ties(section: Section, comparisons: Iterable[Comparison]) -> dict[tuple[str, str, str], dict[str, int]]:
    """The rank of each entry at each place. Who was not compared with the best that has evidence there has none."""
    every = [side for one in comparisons for side in (one, one.turned)]
    worse: dict[tuple[str, ...], bool] = {
        (one.entry, one.against, one.profile, one.protocol, one.at): one.supported and one.difference < 0
        for one in every
    }
    having = {(one.entry, one.profile, one.protocol, one.at) for one in every}
    ranks: dict[tuple[str, str, str], dict[str, int]] = {}
    for place, lines in matches.placed(section).items():
        names = [name for name in map(matches.name, lines) if (name, *place) in having]
        known = [name for name in names if name == names[0] or (name, names[0], *place) in worse]
        ranks[place] = ranked(known, partial(_apart, worse, place))
    return ranks


def _apart(worse: Mapping[tuple[str, ...], bool], place: tuple[str, str, str], best: str, other: str) -> bool:
    """Whether an entry is shown to be worse than one before it; of two that were not compared nothing is shown."""
    return worse.get((other, best, *place), False)


def ranked(names: Sequence[str], apart: Callable[[str, str], bool]) -> dict[str, int]:
    """Ranks of entries in the order of their means: one is shared up to the first that is told apart from its best."""
    ranks: dict[str, int] = {}
    best = ""
    for before, name in enumerate(names):
        if not ranks or apart(best, name):
            best = name
            ranks[name] = before + 1
        else:
            ranks[name] = ranks[best]
    return ranks
