"""`xner-bench status`: what a results folder holds, and what is left to be done."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from xner_bench.cli.catalogue import catalogue_option
from xner_bench.cli.leaderboard import results_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from xner_bench.catalogue import Catalogue
    from xner_bench.cli.again import Where
    from xner_bench.pick import Listed
    from xner_bench.stale import Stale
    from xner_bench.survey import Unreadable
    from xner_bench.undertakings import GridStatus, StudyStatus

SHOWN = 5  # of things that are listed one by one
NOT_BEGUN, UNREADABLE = "not begun", "unreadable"


@dataclass(frozen=True)
class Status:
    """What there is to say of a store."""

    results: Path
    runs: Sequence[Listed]
    unreadable: Sequence[Unreadable]
    grids: Sequence[GridStatus]
    studies: Sequence[StudyStatus]
    stale: Sequence[Stale]

    def phases(self, run_ids: Iterable[str] | None = None) -> dict[str, int]:
        """How many runs are how far: of all, or of these."""
        known: dict[str, str] = {one.run.run_id: one.phase for one in self.runs}
        known |= {lost.run_id: UNREADABLE for lost in self.unreadable}
        wanted = known if run_ids is None else run_ids
        return _in_order(Counter(known.get(run_id, NOT_BEGUN) for run_id in wanted))


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    from xner_bench.survey import PHASES

    return {name: counts[name] for name in (*PHASES, NOT_BEGUN, UNREADABLE) if counts.get(name)}


@click.command()
@results_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@catalogue_option
def status(results: Path, as_json: bool, folders: tuple[Path, ...]) -> None:
    """Say how far the runs of a results folder are, in all and for every grid and study, and what is stale.

    A run is `interrupted` if it was begun and no process goes on with it; `stopped` if a search gave it up.
    """
    from xner_bench import catalogue
    from xner_bench.cli.again import Where

    known = catalogue.load(folders)
    found = look(results, known)
    if as_json:
        click.echo(json.dumps(_record(found), indent=1, ensure_ascii=False))
    else:
        _show(found, Where(results, folders, known))


def look(results: Path, known: Catalogue) -> Status:
    """Read a store."""
    from xner_bench import stale, survey, undertakings
    from xner_bench.pick import Listed
    from xner_bench.results import Store

    store = Store(results)
    records = survey.read(store)
    runs = [Listed(run, survey.phase(store, run)) for run in records.runs]
    return Status(
        results,
        runs,
        records.unreadable,
        undertakings.grids(results),
        undertakings.studies(results),
        stale.stale(runs, records.unreadable, known),
    )


def _record(found: Status) -> dict[str, Any]:
    suites = sorted({one.run.settings.suite for one in found.runs})
    return {
        "results": str(found.results),
        "runs": {"total": len(found.runs) + len(found.unreadable), "phases": found.phases()},
        "suites": {name: found.phases(_of_suite(found, name)) for name in suites},
        "grids": [{**asdict(grid), "phases": found.phases(grid.run_ids)} for grid in found.grids],
        "studies": [{**asdict(study), "phases": found.phases(study.run_ids)} for study in found.studies],
        "stale": [one._asdict() for one in found.stale],
        "unreadable": [{"path": str(lost.path), "problem": lost.problem} for lost in found.unreadable],
    }


def _of_suite(found: Status, name: str) -> list[str]:
    return [one.run.run_id for one in found.runs if one.run.settings.suite == name]


def _show(found: Status, where: Where) -> None:
    from rich.console import Console

    from xner_bench.cli.tables import put_text
    from xner_bench.survey import complaint

    console = Console(markup=False, emoji=False, highlight=False)
    total = len(found.runs) + len(found.unreadable)
    if not total and not found.grids and not found.studies:
        click.echo(f"no runs in {found.results}; begin with: xner-bench run --method slicer --h 8")
        return
    put_text(console, f"{total} {'run' if total == 1 else 'runs'} in {found.results}: {_text(found.phases())}", "bold")
    _show_counts(console, "Suite", _suites(found))
    _show_grids(console, found)
    _show_studies(console, found)
    for line in (*_failures(found, where), *_stale(found)):
        put_text(console, line)
    for line in _commands(found, where):
        click.echo(line)
    if problem := complaint(found.unreadable):
        click.echo(problem, err=True)


def _text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"


def _suites(found: Status) -> dict[str, dict[str, int]]:
    names = sorted({one.run.settings.suite for one in found.runs})
    return {name: found.phases(_of_suite(found, name)) for name in names}


def _show_counts(console: Console, heading: str, rows: Mapping[str, Mapping[str, int]]) -> None:
    """A table of names with how many runs of each are how far."""
    from xner_bench.cli.tables import Column, put

    phases = _in_order(Counter({name: 1 for counts in rows.values() for name in counts}))
    columns = [Column(phase, [str(counts.get(phase, "")) for counts in rows.values()]) for phase in phases]
    if rows:
        console.print()
        put(console, [Column(heading, list(rows))], columns)


def _show_grids(console: Console, found: Status) -> None:
    from xner_bench.cli.tables import put_text

    readable = [grid for grid in found.grids if not grid.problem]
    _show_counts(console, "Grid", {grid.name: found.phases(grid.run_ids) for grid in readable})
    for grid in found.grids:
        if grid.problem:
            put_text(console, grid.problem)
        elif set(found.phases(grid.run_ids)) != {"done"} and grid.command:
            put_text(console, f"{grid.name}, to go on: {grid.command}")


def _show_studies(console: Console, found: Status) -> None:
    from xner_bench.cli.tables import Column, put, put_text
    from xner_bench.leaderboard.cells import percent_text

    readable = [study for study in found.studies if not study.problem]
    states = dict.fromkeys(state for study in readable for state in study.trials)
    columns = [Column(state, [str(study.trials.get(state, "")) for study in readable]) for state in states]
    columns.append(Column("best F1", [percent_text(study.best) for study in readable]))
    columns.append(Column("with", [_drawn(study) for study in readable]))
    if readable:
        console.print()
        put(console, [Column("Study", [study.name for study in readable])], columns)
    for study in found.studies:
        if study.problem:
            put_text(console, study.problem)
            continue
        if study.left and study.command and "running" not in study.trials:
            put_text(console, f"{study.name}, to go on: {study.command}")
        if study.objective != "source-dev":
            put_text(console, f"{study.name} is searched for {study.objective}: nothing that comes of it is zero-shot")


def _drawn(study: StudyStatus) -> str:
    from xner_bench.leaderboard.cells import setting

    return " ".join(f"{name}={setting(value)}" for name, value in study.drawn.items())


def _failures(found: Status, where: Where) -> Iterator[str]:
    """Runs that have no result, with their errors."""
    for phase in ("failed", "diverged"):
        lost = [one.run for one in found.runs if one.phase == phase]
        for run in lost[:SHOWN]:
            yield f"{phase}: {run.run_id}: {run.error or 'no error is recorded'}"
        if len(lost) > SHOWN:
            yield f"{len(lost) - SHOWN} more: xner-bench runs --filter state={phase}{where.flags()}"


def _stale(found: Status) -> Iterator[str]:
    for one in found.stale:
        shown = ", ".join(one.run_ids[:SHOWN])
        more = f" and {len(one.run_ids) - SHOWN} more" if len(one.run_ids) > SHOWN else ""
        yield f"stale: {shown}{more}: {one.reason}"


def _commands(found: Status, where: Where) -> Iterator[str]:
    """What goes on with runs that are part of no grid and no search."""
    from xner_bench.cli.again import command

    listed = [*(grid.run_ids for grid in found.grids), *(study.run_ids for study in found.studies)]
    elsewhere = {run_id for run_ids in listed for run_id in run_ids}
    alone = [
        one.run for one in found.runs if one.phase in ("interrupted", "failed") and one.run.run_id not in elsewhere
    ]
    for run in alone[:SHOWN]:
        yield f"to go on with {run.run_id}: {command(run, where)}"
