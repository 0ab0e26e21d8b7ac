"""Ranks of entries at each place: those that the data does not tell apart share one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from xner_bench.leaderboard import matches
from xner_bench.leaderboard.evidence_types import shown_worse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from xner_bench.leaderboard.evidence_types import Comparison
    from xner_bench.leaderboard.lines import Section

    Place = tuple[str, str, str]  # profile, protocol, corpus or group


def compared(section: Section, comparisons: Iterable[Comparison]) -> dict[Place, list[str]]:
    """The entries with a score at a place that were compared with any other there, the best first."""
    having: dict[Place, set[str]] = defaultdict(set)
    for one in comparisons:
        having[_place(one)] |= {one.entry, one.against}
    ordered = {
        place: [name for name in map(matches.name, lines) if name in having[place]]
        for place, lines in matches.placed(section).items()
    }
    return {place: names for place, names in ordered.items() if names}


def ties(compared: Mapping[Place, Sequence[str]], comparisons: Collection[Comparison]) -> dict[Place, dict[str, int]]:
    """The rank of each entry at each place. Who was not compared with the best there has none."""
    met: dict[Place, set[tuple[str, str]]] = defaultdict(set)
    for one in comparisons:
        met[_place(one)] |= {(one.entry, one.against), (one.against, one.entry)}
    worse = shown_worse(comparisons)
    known = {
        place: [name for name in names if name == names[0] or (name, names[0]) in met[place]]
        for place, names in compared.items()
    }
    return {place: ranked(names, worse.get(place, ())) for place, names in known.items()}


def _place(one: Comparison) -> Place:
    return one.profile, one.protocol, one.at


def ranked(names: Sequence[str], worse: Collection[tuple[str, str]]) -> dict[str, int]:
    """Ranks of entries in the order of their means; `worse`: (entry, another that it is shown to be worse than).

    A rank is shared up to the first that is shown to be worse than one who has it: not than the best alone, of which
    one seed may be all that there is. Nobody is put before one that it is shown to be worse than: means are over all
    seeds of an entry, comparisons over those that two have, so the two may turn round. All from the one to the other
    share a rank then.
    """
    at = {name: before for before, name in enumerate(names)}
    better: dict[str, set[str]] = defaultdict(set)
    for one, other in worse:
        better[one].add(other)
    turned = [(at[one], at[other]) for one, other in worse if one in at and other in at and at[one] < at[other]]
    ranks: dict[str, int] = {}
    sharing: set[str] = set()
    for before, name in enumerate(names):
        together = any(first < before <= last for first, last in turned)
        if not together and not better[name].isdisjoint(sharing):
            sharing = set()
        ranks[name] = ranks[next(iter(sharing))] if sharing else before + 1
        sharing.add(name)
    return ranks
