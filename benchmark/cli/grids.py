"""Many runs in `xner-bench run`: the grid that flags and files state, its plan, and what came out of it."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xner_bench.cli import command
from xner_bench.cli.command import METHOD, TRAINING
from xner_bench.cli.options import Place, Several, Text
from xner_bench.grid import Grid
from xner_bench.sources import EACH, trained

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.drive import Planned
    from xner_bench.jobs import Outcome
    from xner_bench.leaderboard.groups import Group
    from xner_bench.leaderboard.scores import Cell, Scored
    from xner_bench.results import Store
    from xner_bench.settings import Execution, RunSettings
    from xner_bench.watch import Watch

BASE, ARGV = "grid", "argv"  # in ctx.meta: the grid that flags change, and the command line
# What decides which grid that is, and so which methods' flags there are: looked at before all else is read.
GLANCED = (
    click.Option(["--grid"]),
    click.Option(["--from-study"]),
    click.Option(["--suite"], type=Several(Text())),
    click.Option(["--catalogue"], multiple=True, type=Place()),
    click.Option(["--results"], type=Place(), default=Path("results")),
)
SHOWN = 1_000  # runs of which a table is read and printed; the leaderboard has them all


def base(given: Mapping[str, Any], ctx: click.Context) -> Grid:
    """The grid of --grid or --from-study, an empty one without them."""
    if given.get("grid") and given.get("from_study"):
        raise click.UsageError("--grid and --from-study both say which runs; give one of them.", ctx)
    if given.get("from_study"):
        from xner_bench import grid, search

        return grid.of(search.winner(given["results"], given["from_study"]))
    if given.get("grid"):
        from xner_bench import catalogue, gridfile

        suites = given["suite"] or (None,)
        if len(suites) > 1:
            problem = f"--grid {given['grid']} is of one suite; give one, or write the others in a file."
            raise click.UsageError(problem, ctx)
        return gridfile.find(catalogue.load(given["catalogue"]), given["grid"], suites[0])
    return Grid()


def asked(ctx: click.Context, given: Mapping[str, Any]) -> Grid:
    """The grid of the command line: what flags say, and for the rest what --grid or --from-study do."""
    from xner_bench import grid

    names = ("suite", "method", "encoder", "encoder_revision", "source", "targets", "seed")
    flags = {name: given[name] for name in names if given[name] is not None}
    flags |= {name: given[name] for name in ("profiles", "perturb", "few_shot", "sampling", "chosen_on") if given[name]}
    made = Grid(**flags, options=ctx.meta.get(METHOD, {}), training=ctx.meta.get(TRAINING, {}))
    return grid.changed(ctx.meta[BASE], made)


def print_yaml(ctx: click.Context, grid: Grid, dry_run: bool) -> None:
    """The grid as a file; where data and results are is no part of it."""
    from xner_bench import gridfile

    if not dry_run:
        raise click.UsageError("--as-yaml goes with --dry-run; give both, or leave it out.", ctx)
    click.echo("# xner-bench run --grid FILE, with flags for where data and results are")
    click.echo(gridfile.as_yaml(grid), nl=False)


def run(
    ctx: click.Context,
    grid: Grid,
    every: Sequence[RunSettings],
    execution: Execution,
    known: Catalogue,
    given: Mapping[str, Any],
    *,
    dry_run: bool,
    quiet: bool,
) -> int:
    """Carry out many runs, or say what would be done; the exit status is 1 where a run has no result."""
    from xner_bench import drive, executors, remembered
    from xner_bench.cli import board, progress
    from xner_bench.results import Store

    executor = command.executor(given)
    if given["executor"] == "ray":
        execution = drive.anywhere(execution)
        every = [drive.encoder_anywhere(settings) for settings in every]
    watch = progress.watch(quiet)
    if executors.elsewhere(executor):
        if not dry_run:
            Store(execution.results).probe()
        planned = drive.look_there(every, execution, executor, watch)
    else:
        command.probe(execution.results)
        planned = drive.look(every, execution, watch)
    if dry_run:
        show_plan(planned, execution, known)
        return 0
    Store(execution.results).probe()
    words = shlex.join(("xner-bench", "run", *ctx.meta[ARGV]))
    asked = execution, grid, words, given["from_study"]
    record = drive.record(planned, *asked)
    if given["from_study"]:
        warn(execution, given["from_study"], watch)
    if given["workers"] > 1 or given["executor"] == "ray":
        remembered.forget()  # the corpora are read where the runs are carried out
    watch.note(f"grid {record.grid_id}, {len(planned)} runs: {tally(planned)}")
    outcomes = drive.carry_out(planned, execution, executor, board.board(quiet))
    done = drive.as_done(planned, outcomes)
    if done != planned:
        drive.record(done, *asked)
    show_outcomes(done, outcomes, execution, known)
    return int(any(outcome.error for outcome in outcomes))


def warn(execution: Execution, study: str, watch: Watch) -> None:
    """Say where a study's settings are not zero-shot."""
    from xner_bench import report, studies

    if warning := report.warning(studies.load(execution.results, study).definition):
        watch.note(warning)


def tally(planned: Sequence[Planned]) -> str:
    """How far the runs are: "3 done, 1 interrupted, 9 to do"."""
    phases = Counter(one.phase for one in planned if one.phase)
    left = sum(not one.stands for one in planned)
    return ", ".join([*(f"{count} {phase}" for phase, count in phases.most_common()), f"{left} to do"])


def show_plan(planned: Sequence[Planned], execution: Execution, known: Catalogue) -> None:
    """What would be done, and what it may cost."""
    from rich.console import Console

    from xner_bench.cli.board import duration
    from xner_bench.cli.tables import Column, put
    from xner_bench.leaderboard.computed import not_zero_shot

    suites = [known.suite(name) for name in dict.fromkeys(one.settings.suite for one in planned)]
    lines = {
        "runs": f"{len(planned)} ({tally(planned)})",
        "suite": ", ".join(f"{suite.name}{f' ({suite.notice})' if suite.notice else ''}" for suite in suites),
        "cost": cost(planned),
        "results": str(execution.results),
    }
    for why in dict.fromkeys(not_zero_shot(one.settings, one.settings.true_protocol) for one in planned):
        lines |= {"warning": why} if why else {}
    for name, value in lines.items():
        click.echo(f"{name + ':':<10}{value}")
    click.echo()
    names = [Column("run", [one.name for one in planned]), Column("id", [one.run_id for one in planned])]
    states = Column("state", [state(one) for one in planned])
    takes = Column("takes", ["unknown" if one.cost is None else duration(one.cost) for one in planned])
    put(Console(), names, [states, takes])


def state(one: Planned) -> str:
    """How far a run is, and what would become of it."""
    if one.phase is None:
        return "to do"
    if one.stands or one.phase in ("running", "interrupted", "stopped"):
        return one.phase
    return f"{one.phase}, to do again"


def cost(planned: Sequence[Planned]) -> str:
    """What the runs that are to do may take, one after the other, if others like them tell."""
    from xner_bench.cli.board import duration

    costs = [one.cost for one in planned if not one.stands]
    if not costs:
        return "nothing, all is there"
    told = [seconds for seconds in costs if seconds is not None]
    if not told:
        return "unknown; no run of this suite and encoder is done yet"
    rest = f", and {len(costs) - len(told)} of unknown length" if len(told) < len(costs) else ""
    return f"about {duration(sum(told))} for {len(told)}, one after the other{rest}"


def show_outcomes(
    planned: Sequence[Planned], outcomes: Sequence[Outcome], execution: Execution, known: Catalogue
) -> None:
    """The entries with their means, what failed, where results lie, and what to type next."""
    from xner_bench.results import Store

    if len(planned) <= SHOWN:
        show_entries(planned, Store(execution.results), known)
    where = command.where(execution)
    click.echo(f"results: {execution.results}")
    click.echo(f"runs:    {ended(outcomes)}")
    for one, outcome in zip(planned, outcomes, strict=True):
        if outcome.error:
            click.echo(f"failed:  {one.name} ({one.run_id}): {outcome.error}", err=True)
    if any(outcome.error for outcome in outcomes):
        click.echo("next:    mend what failed; the same command does only what is missing")
    else:
        click.echo(f"next:    xner-bench leaderboard build{where} && xner-bench leaderboard show{where}")


def ended(outcomes: Sequence[Outcome]) -> str:
    """How the runs ended: "9 done, 3 found done, 1 failed"."""
    counts = Counter("failed" if one.error else "done" if one.attempts else "found done" for one in outcomes)
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("done", "found done", "failed") if counts[kind])


@dataclass
class Seeds:
    """What the runs of one entry scored, those that are done, by seed."""

    label: str
    planned: set[int] = field(default_factory=set)
    scored: dict[int, dict[Cell, Scored]] = field(default_factory=dict)


def show_entries(planned: Sequence[Planned], store: Store, known: Catalogue) -> None:
    """A table for each suite, source and list of targets: a line an entry, means over the seeds that are done.

    They are TRUE zero-shot scores, or ORACLE where a target's labels chose the settings.
    """
    from rich.console import Console

    from xner_bench.cli.tables import Column, put, put_text
    from xner_bench.leaderboard.computed import not_zero_shot
    from xner_bench.leaderboard.groups import groups
    from xner_bench.leaderboard.legend import metric, profile_text, title, true_text
    from xner_bench.leaderboard.scores import ORACLE

    console = Console()
    for (suite, source, _, _), some in _alike(planned, known).items():
        every = known.suite(suite).targets  # a mean over some of them is none
        true, profile = some[0].settings.true_protocol, some[0].settings.profiles[0]
        why = not_zero_shot(some[0].settings, true)
        protocol, about = (ORACLE, f"ORACLE; {why}") if why else (true, f"{true_text(source, every)} ({true})")
        entries = _entries(_labels(some, source), store)
        put_text(console, f"Suite {suite}, {trained(source, lambda dataset: title(known, dataset))}", "bold")
        put_text(console, f"{metric(profile)} in percent, {about}, {profile_text(profile)}")
        columns = [Column("seeds", [f"{len(entry.scored)} of {len(entry.planned)}" for entry in entries])]
        for group in groups(every, source, lambda dataset: title(known, dataset)):
            heading = group.name.replace(" with", "\nwith")
            cells = [_mean(entry.scored.values(), group, protocol, profile) for entry in entries]
            columns.append(Column(heading, cells))
        put(console, [Column("Entry", [entry.label for entry in entries])], columns)
        console.print()


def _alike(
    planned: Sequence[Planned], known: Catalogue
) -> dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[Planned]]:
    """Runs that have the same columns, each once: the same source or `each`, and the same targets."""
    from xner_bench.leaderboard.gather import trained_on

    found: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[Planned]] = {}
    for one in {one.run_id: one for one in planned}.values():
        said = one.settings
        source = trained_on(said, known.suite(said.suite))
        found.setdefault((said.suite, source, () if source == EACH else said.targets, said.chosen_on), []).append(one)
    return found


def _labels(planned: Sequence[Planned], source: str) -> Iterator[tuple[str, str, Planned]]:
    """Runs with the id of their entry and its label; those of single languages on themselves are together in one."""
    from xner_bench.drive import labels

    if source != EACH:
        yield from ((one.entry_id, one.label, one) for one in planned)
        return
    together = labels([one.settings.model_copy(update={"source": EACH}) for one in planned])
    yield from ((label, label, one) for label, one in zip(together, planned, strict=True))


def _entries(labelled: Iterable[tuple[str, str, Planned]], store: Store) -> list[Seeds]:
    from xner_bench.leaderboard import scores

    found: dict[str, Seeds] = {}
    for name, label, one in labelled:
        entry, seed = found.setdefault(name, Seeds(label)), one.settings.seed
        entry.planned.add(seed)
        run = store.find(one.run_id)
        if run and run.state == "done":
            entry.scored.setdefault(seed, {}).update(scores.read(run, store.table(run.run_id, "scores")))
    return list(found.values())


def _mean(scored: Collection[Mapping[Cell, Scored]], group: Group, protocol: str, profile: str) -> str:
    """A group's mean over its targets and then over seeds; where some target has no score, how many have one."""
    from xner_bench.leaderboard.cells import group_text, mean_text, stat
    from xner_bench.leaderboard.computed import scores_of, unweighted

    values = [scores_of(found, group.corpora, protocol, profile) for found in scored]
    mean = stat([unweighted(one) for one in values])
    if mean or not values:
        return mean_text(mean)
    return group_text(None, min(sum(value is not None for value in one) for one in values), len(group.corpora))
