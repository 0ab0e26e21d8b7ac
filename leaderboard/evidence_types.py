"""The plain types of the evidence on differences between entries: what the tables, the page and the pictures read."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DRAWS = 10_000  # of the bootstrap and of the permutation, where nobody says otherwise
LEVEL = 0.05  # of the corrected p-value


class Place(NamedTuple):
    """Where entries are compared."""

    profile: str
    protocol: str
    at: str  # a corpus, "wikiann:sw", or a group's name


class Comparison(NamedTuple):
    """One entry against another, on one corpus or group, under one protocol and profile."""

    entry: str  # entry_id
    against: str  # entry_id
    profile: str
    protocol: str  # last, source-dev, average, oracle
    at: str  # a corpus, "wikiann:sw", or a group's name
    is_group: bool
    mean: float  # points: F1 of entry over the matched seeds; of a group the unweighted mean of its languages
    against_mean: float
    difference: float  # mean less against_mean
    low: float  # 95 % interval, points
    high: float
    p: float  # paired permutation, two-sided
    p_holm: float  # Holm over the languages of a table; of a group: over the groups
    seeds: int  # matched
    supported: bool  # whether the data supports a difference, see `evidence.supported`

    @property
    def turned(self) -> Comparison:
        """The same seen from the other entry."""
        return self._replace(
            entry=self.against,
            against=self.entry,
            mean=self.against_mean,
            against_mean=self.mean,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
        )


def shown_worse(comparisons: Iterable[Comparison]) -> dict[tuple[str, str, str], set[tuple[str, str]]]:
    """At each place (profile, protocol, at) the pairs of entries of which the first is shown to be worse."""
    found: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    for one in comparisons:
        if one.supported:
            pair = (one.entry, one.against) if one.difference < 0 else (one.against, one.entry)
            found.setdefault((one.profile, one.protocol, one.at), set()).add(pair)
    return found


@dataclass(frozen=True)
class Evidence:
    """The comparisons of a section, and what follows from them.

    Of two entries one comparison is stored: against the baseline where one of them is it, else against the one that
    stands first in the section; `between` gives either.

    Ranks follow the means. The best and those after it share rank 1 until one comes that is shown to be worse than one
    of them; that one opens the next rank in the same way, its number being one more than the entries before it. Two
    entries that were not compared are not told apart. Nobody is put before one that it is shown to be worse than, see
    `ties.ranked`.
    """

    comparisons: tuple[Comparison, ...]
    baseline: Mapping[str, str]  # profile -> entry_id of standard, where the section has one
    best: Mapping[tuple[str, str, str], str]  # (profile, protocol, at) -> entry_id with the best mean of those compared
    ties: Mapping[tuple[str, str, str], Mapping[str, int]]  # entry_id -> rank from 1; ties share one
    smallest: Mapping[str, float]  # corpus -> smallest difference (points) that its test set could show
    draws: int
    reasons: Mapping[str, str] = field(default_factory=dict)  # entry_id -> why it has no evidence

    @cached_property
    def _pairs(self) -> dict[tuple[str, ...], Comparison]:
        """Every comparison, from both sides."""
        every = (side for one in self.comparisons for side in (one, one.turned))
        return {(one.entry, one.against, one.profile, one.protocol, one.at): one for one in every}

    def between(self, entry: str, against: str, profile: str, protocol: str, at: str) -> Comparison | None:
        """One entry against another, whichever way it was stored; None where they were not compared."""
        return self._pairs.get((entry, against, profile, protocol, at))

    def bold(self, profile: str, protocol: str, at: str) -> frozenset[str]:
        """The entries that may be set in bold: the best and its ties, where some other entry is shown to be worse.

        Of those that share rank 1 since means and comparisons disagree, only who is not shown to be worse than another.
        """
        ranks = self.ties.get((profile, protocol, at), {})
        first = frozenset(entry for entry, rank in ranks.items() if rank == 1)
        worse = {one for one, better in self._worse.get((profile, protocol, at), ()) if better in first}
        return first - worse if len(first) < len(ranks) else frozenset()

    @cached_property
    def _worse(self) -> dict[tuple[str, str, str], set[tuple[str, str]]]:
        return shown_worse(self.comparisons)
