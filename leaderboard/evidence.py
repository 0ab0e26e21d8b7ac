"""From a section's entries to the evidence on the differences between them.

Under a protocol, Holm's correction is over the languages of one entry against one other; of groups over the groups.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench.leaderboard import matches, significance
from xner_bench.leaderboard.correction import benjamini, holm
from xner_bench.leaderboard.counted import counted
from xner_bench.leaderboard.evidence_types import DRAWS, LEVEL, Comparison, Evidence
from xner_bench.leaderboard.scores import Cell
from xner_bench.leaderboard.significance import Contest
from xner_bench.leaderboard.student import reached
from xner_bench.leaderboard.ties import compared, ties
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.leaderboard.counted import Counted, Tagging
    from xner_bench.leaderboard.entries import Entry
    from xner_bench.leaderboard.lines import Section
    from xner_bench.leaderboard.matches import Match
    from xner_bench.leaderboard.significance import Draws
    from xner_bench.results import Store
    from xner_bench.watch import Watch

SEED = 0
SEEDS = 2  # matched ones that a difference must have: with a seed effect, one seed is right by chance alone
AT_ONCE = 128  # pairs whose draws are in memory at the same time
POWER = 1.959963984540054 + 0.8416212335729143  # of a normal error: 5 % level, 80 % power


class Drawing(NamedTuple):
    """How many draws, of which stream, by how many threads."""

    draws: int
    seed: int
    threads: int


class Summary(NamedTuple):
    """What is kept of the draws of a match, in points."""

    mean: float
    against_mean: float
    difference: float
    low: float
    high: float
    p: float
    error: float  # standard error that the test sentences make

    @classmethod
    def of(cls, drawn: Draws) -> Summary:
        return cls(drawn.mean, drawn.against_mean, drawn.found, *drawn.interval, drawn.p, drawn.error)


def weighed(store: Store, section: Section, entries: Iterable[Entry], draws: int, watch: Watch = SILENT) -> Section:
    """The section with the evidence on the differences between those of these entries that are in it."""
    own = [one for one in entries if (one.suite, one.source) == (section.suite.name, section.source)]
    return replace(section, evidence=evidence(store, section, own, draws, watch))


def evidence(
    store: Store,
    section: Section,
    entries: Iterable[Entry],
    draws: int = DRAWS,
    watch: Watch = SILENT,
    seed: int = SEED,
    threads: int | None = None,
) -> Evidence:
    """What the stored counts of single sentences say of the differences between a section's own entries."""
    known = {entry.entry_id: counted(store, entry) for entry in entries}
    bases = {profile: matches.baseline(section, profile) for profile in section.profiles}
    baseline = {profile: matches.name(base) for profile, base in bases.items() if base}
    draw = Drawing(draws, seed, threads or os.cpu_count() or 1)
    found = _drawn(section, matches.matches(section, known), known, draw, watch)
    comparisons = _comparisons(found)
    ordered = compared(section, comparisons)
    return Evidence(
        comparisons=comparisons,
        baseline=baseline,
        best={place: names[0] for place, names in ordered.items()},
        ties=ties(ordered, comparisons),
        smallest=_smallest(section, found, baseline),
        draws=draws,
        reasons={name: one.reason for name, one in sorted(known.items()) if one.reason},
    )


def _drawn(
    section: Section,
    wanted: Sequence[Match],
    known: Mapping[str, Counted],
    draw: Drawing,
    watch: Watch,
) -> dict[Match, Summary]:
    """What the draws say of every match: so many pairs at once that memory holds their groups, corpus by corpus."""
    pairs: dict[object, list[Match]] = defaultdict(list)
    for one in wanted:
        pairs[one.entry, one.against, one.place.profile, one.place.protocol].append(one)
    batches = [list(pairs.values())[at : at + AT_ONCE] for at in range(0, len(pairs), AT_ONCE)]
    found: dict[Match, Summary] = {}
    with watch.stage("comparing entries", len(batches) * len(section.corpora)) as advance:
        for batch in batches:
            every = [one for same in batch for one in same]
            left = {one: set(one.corpora) for one in every}
            sums: dict[Match, Draws] = {}
            for corpus in section.corpora:
                for one, drawn in _on_corpus(corpus, [one for one in every if corpus in one.corpora], known, draw):
                    sums[one] = sums[one].plus(drawn) if one in sums else drawn
                    left[one].remove(corpus)
                    if not left[one]:
                        found[one] = Summary.of(sums.pop(one).over(len(one.corpora)))
                advance(1, corpus)
    return {one: found[one] for one in wanted}


def _on_corpus(
    corpus: str, wanted: Sequence[Match], known: Mapping[str, Counted], draw: Drawing
) -> Iterator[tuple[Match, Draws]]:
    """The draws of one corpus, of each version of its data that entries were tested on."""
    sizes: dict[int, list[Match]] = defaultdict(list)
    for one in wanted:
        cell = Cell(corpus, one.place.protocol, one.place.profile)
        sizes[known[one.entry].size(one.seeds[0], cell)].append(one)
    for same in sizes.values():
        yield from _on_version(corpus, same, known, draw)


def _on_version(
    corpus: str, wanted: Sequence[Match], known: Mapping[str, Counted], draw: Drawing
) -> Iterator[tuple[Match, Draws]]:
    """Where two protocols are answered by the same checkpoints, their draws are made once."""
    rows: dict[Tagging, int] = {}
    contests: dict[Contest, int] = {}
    at = []
    for one in wanted:
        cell = Cell(corpus, one.place.protocol, one.place.profile)
        answers = [[known[name].answers[seed][cell] for seed in one.seeds] for name in (one.entry, one.against)]
        sides = [tuple(rows.setdefault(tagging, len(rows)) for tagging in side) for side in answers]
        at.append(contests.setdefault(Contest(sides[0], sides[1], one.seeds), len(contests)))
    sentences = {name: counts for one in known.values() for name, counts in one.sentences.items() if name in rows}
    taggings = np.stack([sentences[name] for name in rows])
    drawn = significance.drawn(corpus, taggings, list(contests), draw.draws, draw.seed, draw.threads)
    yield from ((one, drawn[contest]) for one, contest in zip(wanted, at, strict=True))


def _comparisons(found: Mapping[Match, Summary]) -> tuple[Comparison, ...]:
    """Corrected over the languages, or groups, of one entry against one other."""
    families: dict[object, list[Match]] = defaultdict(list)
    for one in found:
        families[one.entry, one.against, one.place.profile, one.place.protocol, one.is_group].append(one)
    made = {}
    for family in families.values():
        drawn = [found[one] for one in family]
        corrected = holm([one.p for one in drawn])
        claims = supported(drawn, [len(one.seeds) for one in family])
        for one, summary, p_holm, claim in zip(family, drawn, corrected, claims, strict=True):
            names = one.entry, one.against, *one.place
            made[one] = Comparison(*names, one.is_group, *summary[:-1], p_holm, len(one.seeds), claim)
    return tuple(made[one] for one in found)


def supported(family: Sequence[Summary], seeds: Sequence[int]) -> list[bool]:
    """Which differences of a family, over so many matched seeds each, may be claimed.

    p says nothing of other seeds, and of 34 intervals one leaves out 0 by chance. So the level at which an interval
    would reach 0, or p where that is larger, is corrected too: for the share of false claims among all, as few seeds
    leave nothing to claim of one language where the chance of any is kept small (docs/evidence.md).
    """
    levels = [reached(one.difference, one.low, one.high, n) for one, n in zip(family, seeds, strict=True)]
    corrected = benjamini([max(one.p, level) for one, level in zip(family, levels, strict=True)])
    p_holm = holm([one.p for one in family])
    return [
        p < LEVEL and level < LEVEL and (one.low > 0 or one.high < 0) and n >= SEEDS
        for one, p, level, n in zip(family, p_holm, corrected, seeds, strict=True)
    ]


def _smallest(section: Section, found: Mapping[Match, Summary], baseline: Mapping[str, str]) -> dict[str, float]:
    """Corpus -> the difference in points that its test set shows in four of five cases, were it there.

    2.8 (the normal quantiles of 97.5 % and 80 %) times the standard error that the choice of test sentences makes: the
    median over the pairs with the baseline (without one: over all pairs) in the first profile, under the suite's TRUE
    protocol, but for pairs without any difference. Of one language on its own, before Holm's correction.
    """
    errors: dict[str, list[float]] = defaultdict(list)
    for one, drawn in found.items():
        first, base = one.place.profile == section.profiles[0], baseline.get(one.place.profile)
        wanted = base in (None, one.entry, one.against)
        said = first and wanted and not one.is_group and one.place.protocol == section.suite.true_protocol
        if said and drawn.error:  # two that tag alike say nothing of what others would show
            errors[one.place.at].append(drawn.error)
    return {corpus: POWER * median(errors[corpus]) for corpus in section.corpora if corpus in errors}
