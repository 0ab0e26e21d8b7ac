"""Which entries of a section are compared, where, and over which seeds.

With at most eight own entries of a profile all are compared with one another; with more, each with the baselines that
are trained in the same way, with the section's baseline, and with the best at each place: the best of those that can be
compared there. Scores that labels of a target chose (`--chosen-on`) are compared under ORACLE alone.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.leaderboard import differences
from xner_bench.leaderboard.evidence_types import Place
from xner_bench.leaderboard.published import TEST
from xner_bench.leaderboard.scores import ORACLE, Cell
from xner_bench.protocol import shots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xner_bench.leaderboard.cells import Stat
    from xner_bench.leaderboard.counted import Counted
    from xner_bench.leaderboard.lines import Line, Section

FEW = 8  # entries of a profile of which all pairs are compared
Pair = tuple["Line", "Line"]  # an entry, and the one that it is held against


class Match(NamedTuple):
    """A pair at a place, and the seeds that both have on all of its corpora."""

    entry: str  # entry_id
    against: str
    place: Place
    corpora: tuple[str, ...]
    is_group: bool
    seeds: tuple[int, ...]


def name(line: Line) -> str:
    """An own line's entry."""
    return line.entry_id or ""


def baseline(section: Section, profile: str) -> Line | None:
    """Of several entries of the baseline's method the one that most others are trained like, the first of these."""
    own = section.own(profile)
    bases = [line for line in own if line.method == differences.BASELINE]
    return max(bases, key=lambda base: sum(differences.alike(line, base) for line in own), default=None)


def places(section: Section, profile: str) -> Iterator[tuple[Place, tuple[str, ...], bool]]:
    """Each language and each group of targets under each protocol, with the corpora that it is of."""
    for protocol in (name for name in section.protocols if not shots(name)):
        for corpus in section.corpora:
            yield Place(profile, protocol, corpus), (corpus,), False
        for group in section.groups:
            yield Place(profile, protocol, group.name), group.corpora, True


def score(line: Line, place: Place, is_group: bool) -> Stat | None:
    """A line's score at a place."""
    found = (line.means if is_group else line.rows).get((place.at, place.protocol))
    return found.f1 if found else None


def placed(section: Section) -> dict[Place, list[Line]]:
    """The own entries that have a score at a place, the best first."""
    found: dict[Place, list[Line]] = {}
    for profile in section.profiles:
        own = section.own(profile)
        for place, _, is_group in places(section, profile):
            scored = [(stat.mean, line) for line in own if (stat := score(line, place, is_group))]
            if scored:
                found[place] = [line for _, line in sorted(scored, key=lambda one: -one[0])]
    return found


def matches(section: Section, known: Mapping[str, Counted]) -> list[Match]:
    """Every comparison that can be made."""
    found = []
    ordered = placed(section)
    for profile in section.profiles:
        own, base = section.own(profile), baseline(section, profile)
        for place, corpora, is_group in places(section, profile):
            matched = partial(_matched, place=place, corpora=corpora, known=known)
            counted = [line for line in ordered.get(place, []) if _seeds(known[name(line)], place, corpora)]
            for pair in _pairs(own, base, counted, matched):
                if seeds := matched(pair):
                    found.append(Match(name(pair[0]), name(pair[1]), place, corpora, is_group, seeds))
    return found


def _pairs(
    own: Sequence[Line], base: Line | None, counted: Sequence[Line], matched: Callable[[Pair], object]
) -> list[Pair]:
    """Who is held against whom: all, or each against its baselines and against the best that is comparable."""
    if len(own) <= FEW:
        wanted = [(one, other) for other, one in combinations(own, 2)]
    else:
        best = next((one for one in counted if any(matched((one, line)) for line in counted if line is not one)), None)
        bases = [line for line in own if line.method == differences.BASELINE]
        alike = [(line, one) for one in bases for line in own if differences.alike(line, one)]
        against = [(line, one) for one in filter(None, (base, best)) for line in own]
        wanted = [(one, other) for one, other in (*alike, *against) if one is not other]
    turned = [(other, one) if one is base else (one, other) for one, other in wanted]
    once = {frozenset((name(one), name(other))): (one, other) for one, other in reversed(turned)}
    return list(reversed(once.values()))


def _matched(pair: Pair, place: Place, corpora: Iterable[str], known: Mapping[str, Counted]) -> tuple[int, ...]:
    """The seeds in which both entries were tested on all of these corpora; none where they read other data."""
    if any(line.chosen_on for line in pair) and place.protocol != ORACLE:
        return ()
    one, other = (line.data for line in pair)
    if any(one.get((corpus, TEST)) != other.get((corpus, TEST)) for corpus in corpora):
        return ()
    both = [known[name(line)] for line in pair]
    seeds = sorted(set.intersection(*(_seeds(found, place, corpora) for found in both)))
    cells = _cells(place, corpora)
    sizes = ({found.size(seed, cell) for found in both for seed in seeds} for cell in cells)
    return tuple(seeds) if all(len(every) <= 1 for every in sizes) else ()


def _seeds(found: Counted, place: Place, corpora: Iterable[str]) -> set[int]:
    """The seeds of an entry with counts on all of these corpora."""
    cells = _cells(place, corpora)
    return {seed for seed, answers in found.answers.items() if all(cell in answers for cell in cells)}


def _cells(place: Place, corpora: Iterable[str]) -> list[Cell]:
    return [Cell(corpus, place.protocol, place.profile) for corpus in corpora]
