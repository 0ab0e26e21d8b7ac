"""The leaderboard of a store: its runs by suite and source, entries and published lines in the order they are shown in.

Everything is in percent.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from xner_bench import survey
from xner_bench.errors import UnknownName, XnerError
from xner_bench.leaderboard import legend, robustness, scores
from xner_bench.leaderboard.computed import computed_lines
from xner_bench.leaderboard.entries import Entry, entries
from xner_bench.leaderboard.evidence import weighed
from xner_bench.leaderboard.gather import trained_on
from xner_bench.leaderboard.groups import datasets, groups
from xner_bench.leaderboard.lines import Section
from xner_bench.leaderboard.papers import published_lines
from xner_bench.leaderboard.published import TEST
from xner_bench.settings import Profile
from xner_bench.sources import EACH, parts, trained
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.catalogue import Catalogue, Suite
    from xner_bench.leaderboard.computed import SeedScores
    from xner_bench.leaderboard.lines import Line
    from xner_bench.leaderboard.scores import Cell, Scored
    from xner_bench.results import Run, Store
    from xner_bench.watch import Watch

_PROFILES = get_args(Profile)  # the sound default first


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
    ours = [line for entry in own for line in computed_lines(entry, seeds[entry.label], section)]
    section = ranked(section, [*ours, *published_lines(section)])
    return replace(section, perturbed=tuple(_perturbed(store, section, own)))


def _perturbed(store: Store, section: Section, own: Sequence[Entry]) -> Iterator[Line]:
    """The lines of perturbed splits, split by split, of the entries that were scored there."""
    for split, name in robustness.SPLITS.items():
        asked = [entry for entry in own if any(name in run.settings.perturb for run in entry.runs)]
        seeds = {entry.label: _scores(store, entry, split) for entry in asked}
        lines = (line for entry in asked for line in computed_lines(entry, seeds[entry.label], section))
        found = [replace(line, split=split) for line in lines]
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
