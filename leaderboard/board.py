"""Entries to a leaderboard: scores per language, means per group, and the order in which they are shown.

Everything is in percent. A score is the mean over an entry's seeds; a group's mean is taken in each seed
first (over its targets, unweighted), over the seeds then. A mean is given only if every seed has every score.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from xner_bench import survey
from xner_bench.errors import UnknownName, XnerError
from xner_bench.leaderboard import legend, robustness, scores
from xner_bench.leaderboard.cells import stat
from xner_bench.leaderboard.entries import Entry, entries
from xner_bench.leaderboard.evidence import weighed
from xner_bench.leaderboard.gather import trained_on
from xner_bench.leaderboard.groups import Group, datasets, groups
from xner_bench.leaderboard.lines import Line, Mean, Row, Section
from xner_bench.leaderboard.papers import published_lines
from xner_bench.leaderboard.published import TEST
from xner_bench.leaderboard.scores import ORACLE, Cell, Scored
from xner_bench.protocol import shots
from xner_bench.score import micro
from xner_bench.settings import Profile
from xner_bench.sources import EACH, parts, trained
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.catalogue import Catalogue, Suite
    from xner_bench.results import Run, Store
    from xner_bench.settings import RunSettings
    from xner_bench.watch import Watch

_PROFILES = get_args(Profile)  # the sound default first
SeedScores = tuple["dict[Cell, Scored]", ...]  # one of each seed of an entry


def build(
    store: Store, catalogue: Catalogue, suite: str | None = None, watch: Watch = SILENT, draws: int = 0
) -> tuple[Section, ...]:
    """The leaderboard of a store's runs, or of those of one suite. Records that cannot be read are noted and counted.

    `draws`: of the evidence on differences, see `significance`; 0 for none of it.
    Raises XnerError where there is nothing to rank, or where the catalogue does not have the suite of a run.
    """
    records = survey.read(store)
    changed = survey.contradictory(store, (run for run in records.runs if run.state == "done"))
    lost = (*records.unreadable, *changed)
    if problem := survey.complaint(lost):
        watch.note(problem)
    untrue = {one.run_id for one in changed}
    runs = [run for run in records.runs if suite in (None, run.settings.suite) and run.run_id not in untrue]
    if not any(run.state == "done" for run in runs):
        raise XnerError(_nothing(store, suite, runs))
    labelled = _entries(runs, catalogue)
    grouped: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        own = catalogue.suite(run.settings.suite)
        grouped[own.name, trained_on(run.settings, own)].append(run)
    others: Counter[str] = Counter(one.kind for one in lost)  # nobody knows of which suite
    sections = [
        _section(store, catalogue, labelled, grouped[name, source], catalogue.suite(name), source, others)
        for name, source in sorted(grouped)
    ]
    return tuple(weighed(store, one, labelled, draws, watch) if draws else one for one in sections)


def _nothing(store: Store, suite: str | None, runs: Sequence[Run]) -> str:
    what = f"no results of suite {suite}" if suite else "no results"
    if runs:
        states = Counter(run.state for run in runs)
        what += f" that finished ({', '.join(f'{n} {state}' for state, n in sorted(states.items()))})"
    flags = f"--suite {suite} " if suite else ""
    where = "" if store.root == Path("results") else f" --results {shlex.quote(str(store.root))}"
    return f"{what} in {store.root}; get some with: xner-bench run {flags}--method slicer --h 8{where}"


def _entries(runs: Sequence[Run], catalogue: Catalogue) -> list[Entry]:
    """All entries; labels tell the entries of one suite apart, also those of different sources."""
    found: list[Entry] = []
    for name in sorted({run.settings.suite for run in runs}):
        own = [run for run in runs if run.settings.suite == name]
        if name not in catalogue.suites:
            hint = f"(run {own[0].run_id} is of it); give the folder that declares it with --catalogue"
            raise UnknownName("suite", name, catalogue.suites, hint)
        found += entries(own, catalogue.suite(name))
    return found


def _section(
    store: Store,
    catalogue: Catalogue,
    labelled: Sequence[Entry],
    runs: Sequence[Run],
    suite: Suite,
    source: str,
    others: Mapping[str, int],
) -> Section:
    own = [entry for entry in labelled if entry.suite == suite.name and entry.source == source]
    seeds = {entry.label: _scores(store, entry) for entry in own}
    cells = {cell for every in seeds.values() for found in every for cell in found}
    corpora = _corpora(suite, source, own)
    title = partial(legend.title, catalogue)
    section = Section(
        suite=suite,
        source=source,
        trained=trained(source, title),
        groups=groups(suite.targets, source, title),
        protocols=scores.protocols(cells, suite.true_protocol),
        corpora=corpora,
        lines=(),
        notices=_notices(catalogue, suite, corpora),
        unranked=_unranked(runs, others),
        differing=_differing(run for entry in own for run in entry.runs),
    )
    ours = [line for entry in own for line in _lines(entry, seeds[entry.label], section)]
    section = ranked(section, [*ours, *published_lines(section)])
    return replace(section, perturbed=tuple(_perturbed(store, section, own)))


def _perturbed(store: Store, section: Section, own: Sequence[Entry]) -> Iterator[Line]:
    """The lines of perturbed splits, split by split, of the entries that were scored there."""
    for split, name in robustness.SPLITS.items():
        asked = [entry for entry in own if any(name in run.settings.perturb for run in entry.runs)]
        seeds = {entry.label: _scores(store, entry, split) for entry in asked}
        found = [replace(line, split=split) for entry in asked for line in _lines(entry, seeds[entry.label], section)]
        yield from robustness.paired(section.lines, _in_order(section, [*found, *published_lines(section, split)]))


def _scores(store: Store, entry: Entry, split: str = TEST) -> SeedScores:
    return tuple(_of_seed(store, same, split) for same in entry.seeds)


def _of_seed(store: Store, same: Iterable[Run], split: str) -> dict[Cell, Scored]:
    """What the runs of one seed scored: no two of them were tested on the same corpus."""
    found: dict[Cell, Scored] = {}
    for run in same:
        found |= scores.read(run, store.table(run.run_id, "scores"), split)
    return found


def _corpora(suite: Suite, source: str, found: Iterable[Entry]) -> tuple[str, ...]:
    more = sorted({corpus for entry in found for corpus in entry.corpora})
    sources = () if source == EACH else parts(source)
    return tuple(dict.fromkeys((*sources, *suite.targets, *more)))


def _notices(catalogue: Catalogue, suite: Suite, corpora: Sequence[str]) -> tuple[str, ...]:
    cards = (catalogue.cards.get(dataset) for dataset in datasets(corpora))
    notices = (suite.notice, *(card.notice for card in cards if card))
    return tuple(dict.fromkeys(notice for notice in notices if notice))


def _unranked(runs: Iterable[Run], others: Mapping[str, int]) -> dict[str, int]:
    states = sorted(Counter(run.state for run in runs if run.state != "done").items())
    return {**dict(states), **dict(sorted(others.items()))}


def _differing(runs: Iterable[Run]) -> tuple[str, ...]:
    seen: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for record in run.data:
            seen[f"{record.corpus} {record.split}"].add(record.fingerprint)
        for drawn in run.few_shot:
            if drawn.sentences:
                seen[f"{drawn.corpus} train"].add(drawn.fingerprint)
        for made in run.perturbed:
            seen[f"{made.corpus} {made.split}"].add(made.fingerprint)
    return tuple(sorted(split for split, fingerprints in seen.items() if len(fingerprints) > 1))


def _lines(entry: Entry, seeds: SeedScores, section: Section) -> list[Line]:
    run = entry.run
    profiles = {*run.settings.profiles, *(cell.profile for found in seeds for cell in found)}
    protocols = _protocols(seeds, section)
    return [
        Line(
            label=entry.label,
            method=run.settings.method,
            options=run.settings.options,
            encoder=run.encoder.name,
            training=run.settings.training.model_dump(),
            profile=profile,
            rows={
                (corpus, protocol): _row(entry, seeds, Cell(corpus, protocol, profile))
                for corpus in section.corpora
                if corpus in entry.corpora
                for protocol in protocols
            },
            means={
                (group.name, protocol): _mean(entry, seeds, group, protocol, profile)
                for group in section.groups
                for protocol in protocols
            },
            departures=entry.departures,
            entry_id=entry.entry_id,
            run_ids=tuple(run.run_id for run in entry.runs),
            runs=entry.runs,
            n_seeds=len(entry.seeds),
            types=run.settings.types,
            fingerprint=run.encoder.fingerprint,
            data={(one.corpus, one.split): one.fingerprint for run in entry.runs for one in run.data},
            chosen_on=run.settings.chosen_on,
            seeds={
                (name, protocol): _by_seed(entry, seeds, corpora, protocol, profile)
                for name, corpora in _places(entry, section)
                for protocol in protocols
                if not not_zero_shot(run.settings, protocol)
            },
        )
        for profile in sorted(profiles)
    ]


def _places(entry: Entry, section: Section) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each corpus of an entry and each group, with the corpora that it is of."""
    own = entry.corpora
    yield from ((corpus, (corpus,)) for corpus in section.corpora if corpus in own)
    yield from ((group.name, group.corpora) for group in section.groups)


def _protocols(seeds: SeedScores, section: Section) -> list[str]:
    """The section's, but of few-shot ones only those that an entry was asked for."""
    own = {cell.protocol for found in seeds for cell in found}
    return [name for name in section.protocols if name in own or not shots(name)]


def _row(entry: Entry, seeds: SeedScores, cell: Cell) -> Row:
    if why := not_zero_shot(entry.run.settings, cell.protocol):
        return Row(None, reason=why)
    found = [every[cell] for every in seeds if cell in every]
    counts = micro([scored.counts for scored in found]) if found else None
    if len(found) < len(seeds):
        return Row(None, counts=counts, reason=_reason(entry, seeds, cell))
    f1 = stat([scored.f1 for scored in found])
    macro_f1 = stat([scored.macro_f1 for scored in found])
    return Row(f1, macro_f1, counts, "" if f1 else "neither gold nor predicted entities")


def _reason(entry: Entry, seeds: SeedScores, cell: Cell) -> str:
    without = [same for same, found in zip(entry.seeds, seeds, strict=True) if cell not in found]
    part = f" in {len(without)} of {len(seeds)} seeds" if len(without) < len(seeds) else ""
    run = next((run for run in without[0] if cell.corpus in run.settings.corpora), None)
    return (scores.reason(run, cell) if run else "not run") + part


def not_zero_shot(settings: RunSettings, protocol: str) -> str:
    """Why runs with these settings have no zero-shot scores: a target's labels chose them."""
    if settings.zero_shot or protocol == ORACLE:
        return ""
    return f"not zero-shot: chosen by labels of {', '.join(settings.chosen_on)}"


def _mean(entry: Entry, seeds: SeedScores, group: Group, protocol: str, profile: str) -> Mean:
    if not_zero_shot(entry.run.settings, protocol):
        return Mean(None, 0, len(group.corpora))
    per_seed = [scores_of(found, group.corpora, protocol, profile) for found in seeds]
    scored = sum(None not in values for values in zip(*per_seed, strict=True))
    return Mean(stat([unweighted(values) for values in per_seed]), scored, len(group.corpora))


def _by_seed(entry: Entry, seeds: SeedScores, corpora: Iterable[str], protocol: str, profile: str) -> dict[int, float]:
    """Seed -> mean of some corpora, for the seeds that have all of their scores."""
    means = (unweighted(scores_of(found, corpora, protocol, profile)) for found in seeds)
    return {same[0].settings.seed: mean for same, mean in zip(entry.seeds, means, strict=True) if mean is not None}


def scores_of(found: Mapping[Cell, Scored], corpora: Iterable[str], protocol: str, profile: str) -> list[float | None]:
    """F1 of each corpus in one run, None where there is none."""
    cells = (found.get(Cell(corpus, protocol, profile)) for corpus in corpora)
    return [scored.f1 if scored else None for scored in cells]


def unweighted(values: Sequence[float | None]) -> float | None:
    """Mean of all values; None where one is missing."""
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known and len(known) == len(values) else None


def ranked(section: Section, lines: Iterable[Line]) -> Section:
    """The section with these lines, in order."""
    return replace(section, lines=tuple(_in_order(section, lines)))


def _in_order(section: Section, lines: Iterable[Line]) -> list[Line]:
    """By profile, then the best complete TRUE total first, then by label."""

    def key(line: Line) -> tuple[int, str, bool, float, str, bool]:
        total = line.total(section.suite.true_protocol)
        place = _PROFILES.index(line.profile) if line.profile in _PROFILES else len(_PROFILES)
        return place, line.profile, total is None, -total.mean if total else 0.0, line.label, line.published

    return sorted(lines, key=key)
