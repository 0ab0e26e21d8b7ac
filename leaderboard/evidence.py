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
from xner_bench.leaderboard.counted import counted
from xner_bench.leaderboard.evidence_types import DRAWS, LEVEL, Comparison, Evidence
from xner_bench.leaderboard.scores import Cell
from xner_bench.leaderboard.significance import Contest
from xner_bench.leaderboard.ties import ties
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

    difference: float
    low: float
    high: float
    p: float
    error: float  # standard error that the test sentences make

    @classmethod
    def of(cls, drawn: Draws) -> Summary:
        return cls(drawn.found, *drawn.interval, drawn.p, drawn.error)


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
    comparisons = _corrected([_comparison(one, drawn) for one, drawn in found.items()])
    return Evidence(
        comparisons=tuple(comparisons),
        baseline=baseline,
        best={place: matches.name(line) for place, (line, *_) in matches.placed(section).items()},
        ties=ties(section, comparisons),
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


def _comparison(one: Match, drawn: Summary) -> Comparison:
    """Without Holm's correction, which takes the others."""
    told = (drawn.difference, drawn.low, drawn.high, drawn.p)
    return Comparison(one.entry, one.against, *one.place, one.is_group, *told, None, len(one.seeds), False)


def _corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same with Holm's correction over the languages, or groups, of one entry against one other."""
    families: dict[object, list[int]] = defaultdict(list)
    for at, one in enumerate(comparisons):
        families[one.entry, one.against, one.profile, one.protocol, one.is_group].append(at)
    found = list(comparisons)
    for family in families.values():
        values = significance.holm([comparisons[at].p or 0.0 for at in family])
        for at, p in zip(family, values, strict=True):
            low, high = found[at].low or 0.0, found[at].high or 0.0
            supported = p < LEVEL and (low > 0 or high < 0) and found[at].seeds >= SEEDS
            found[at] = found[at]._replace(p_holm=p, supported=supported)
    return found


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
