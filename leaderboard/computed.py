"""The lines of an entry that was computed here: scores per language, means per group, seed by seed.

A score is the mean over an entry's seeds; a group's mean is taken in each seed first (over its targets, unweighted),
over the seeds then. A mean is given only if every seed has every score.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

from xner_bench.leaderboard import scores
from xner_bench.leaderboard.cells import stat
from xner_bench.leaderboard.lines import Line, Mean, Row
from xner_bench.leaderboard.scores import ORACLE, Cell
from xner_bench.protocol import shots
from xner_bench.score import micro

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.leaderboard.entries import Entry
    from xner_bench.leaderboard.groups import Group
    from xner_bench.leaderboard.lines import Section
    from xner_bench.leaderboard.scores import Scored
    from xner_bench.settings import RunSettings

SeedScores = tuple["dict[Cell, Scored]", ...]  # one of each seed of an entry


def computed_lines(entry: Entry, seeds: SeedScores, section: Section) -> list[Line]:
    """A line for each profile in which an entry was scored; of the section its groups, corpora and protocols."""
    profiles = {*entry.run.settings.profiles, *(cell.profile for found in seeds for cell in found)}
    return [_line(entry, seeds, section, profile) for profile in sorted(profiles)]


def _line(entry: Entry, seeds: SeedScores, section: Section, profile: str) -> Line:
    run = entry.run
    protocols = _protocols(seeds, section)
    return Line(
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
