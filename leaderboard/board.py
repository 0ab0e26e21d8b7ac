"""Entries to a leaderboard: scores per language, means per group, and the order in which they are shown.

Everything is in percent. A score is the mean over an entry's seeds; a group's mean is taken in each seed
first (over its targets, unweighted), over the seeds then. A mean is given only if every seed has every score.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from dataclasses import replace
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from xner_bench import survey
from xner_bench.errors import UnknownName, XnerError
from xner_bench.leaderboard import scores
from xner_bench.leaderboard.cells import stat
from xner_bench.leaderboard.entries import Entry, entries
from xner_bench.leaderboard.groups import Group, datasets, groups
from xner_bench.leaderboard.lines import Line, Mean, Row, Section
from xner_bench.leaderboard.papers import published_lines
from xner_bench.leaderboard.scores import ORACLE, Cell, Scored
from xner_bench.score import micro
from xner_bench.settings import Profile
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xner_bench.catalogue import Catalogue, Suite
    from xner_bench.results import Run, Store
    from xner_bench.settings import RunSettings
    from xner_bench.watch import Watch

_PROFILES = get_args(Profile)  # the sound default first
SeedScores = tuple["dict[Cell, Scored]", ...]  # one of each run of an entry


def build(store: Store, catalogue: Catalogue, suite: str | None = None, watch: Watch = SILENT) -> tuple[Section, ...]:
    """The leaderboard of a store's runs, or of those of one suite. Records that cannot be read are noted and counted.

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
    grouped: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        grouped[run.settings.suite, run.settings.source].append(run)
    labelled = _entries(runs, catalogue)
    others: Counter[str] = Counter(one.kind for one in lost)  # nobody knows of which suite
    return tuple(
        _section(store, catalogue, labelled, grouped[name, source], catalogue.suite(name), source, others)
        for name, source in sorted(grouped)
    )


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
    own = [entry for entry in labelled if entry.suite == suite.name and entry.run.settings.source == source]
    seeds = {entry.label: _scores(store, entry) for entry in own}
    cells = {cell for every in seeds.values() for found in every for cell in found}
    section = Section(
        suite=suite,
        source=source,
        groups=groups(suite.targets, source, lambda dataset: catalogue.card(dataset).title),
        protocols=scores.protocols(cells, suite.true_protocol),
        corpora=_corpora(suite, source, own),
        lines=(),
        notices=_notices(catalogue, suite, source),
        unranked=_unranked(runs, others),
        differing=_differing(run for entry in own for run in entry.runs),
    )
    ours = [line for entry in own for line in _lines(entry, seeds[entry.label], section)]
    return ranked(section, [*ours, *published_lines(section)])


def _scores(store: Store, entry: Entry) -> SeedScores:
    return tuple(scores.read(run, store.table(run.run_id, "scores")) for run in entry.runs)


def _corpora(suite: Suite, source: str, found: Iterable[Entry]) -> tuple[str, ...]:
    more = sorted({corpus for entry in found for corpus in entry.run.settings.corpora})
    return tuple(dict.fromkeys((source, *suite.targets, *more)))


def _notices(catalogue: Catalogue, suite: Suite, source: str) -> tuple[str, ...]:
    cards = (catalogue.card(dataset).notice for dataset in datasets((source, *suite.targets)))
    return tuple(dict.fromkeys(notice for notice in (suite.notice, *cards) if notice))


def _unranked(runs: Iterable[Run], others: Mapping[str, int]) -> dict[str, int]:
    states = sorted(Counter(run.state for run in runs if run.state != "done").items())
    return {**dict(states), **dict(sorted(others.items()))}


def _differing(runs: Iterable[Run]) -> tuple[str, ...]:
    seen: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for record in run.data:
            seen[f"{record.corpus} {record.split}"].add(record.fingerprint)
    return tuple(sorted(split for split, fingerprints in seen.items() if len(fingerprints) > 1))


def _lines(entry: Entry, seeds: SeedScores, section: Section) -> list[Line]:
    run = entry.run
    profiles = {*run.settings.profiles, *(cell.profile for found in seeds for cell in found)}
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
                if corpus in run.settings.corpora
                for protocol in section.protocols
            },
            means={
                (group.name, protocol): _mean(entry, seeds, group, protocol, profile)
                for group in section.groups
                for protocol in section.protocols
            },
            departures=entry.departures,
            entry_id=run.entry_id,
            run_ids=tuple(run.run_id for run in entry.runs),
            n_seeds=len(entry.runs),
            types=run.settings.types,
            fingerprint=run.encoder.fingerprint,
            data={(one.corpus, one.split): one.fingerprint for one in run.data},
            chosen_on=run.settings.chosen_on,
            seeds={
                (group.name, protocol): _seed_means(entry, seeds, group, protocol, profile)
                for group in section.groups
                for protocol in section.protocols
                if not not_zero_shot(run.settings, protocol)
            },
        )
        for profile in sorted(profiles)
    ]


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
    without = [run for run, found in zip(entry.runs, seeds, strict=True) if cell not in found]
    part = f" in {len(without)} of {len(seeds)} seeds" if len(without) < len(seeds) else ""
    return scores.reason(without[0], cell) + part


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


def _seed_means(entry: Entry, seeds: SeedScores, group: Group, protocol: str, profile: str) -> dict[int, float]:
    """Seed -> mean of a group, for the seeds that have all of its scores."""
    means = (unweighted(scores_of(found, group.corpora, protocol, profile)) for found in seeds)
    return {run.settings.seed: mean for run, mean in zip(entry.runs, means, strict=True) if mean is not None}


def scores_of(found: Mapping[Cell, Scored], corpora: Iterable[str], protocol: str, profile: str) -> list[float | None]:
    """F1 of each corpus in one run, None where there is none."""
    cells = (found.get(Cell(corpus, protocol, profile)) for corpus in corpora)
    return [scored.f1 if scored else None for scored in cells]


def unweighted(values: Sequence[float | None]) -> float | None:
    """Mean of all values; None where one is missing."""
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known and len(known) == len(values) else None


def ranked(section: Section, lines: Iterable[Line]) -> Section:
    """The section with these lines: by profile, then the best complete TRUE total first, then by label."""

    def key(line: Line) -> tuple[int, str, bool, float, str, bool]:
        total = line.total(section.suite.true_protocol)
        place = _PROFILES.index(line.profile) if line.profile in _PROFILES else len(_PROFILES)
        return place, line.profile, total is None, -total.mean if total else 0.0, line.label, line.published

    return replace(section, lines=tuple(sorted(lines, key=key)))
