"""`xner-bench search`: its flags are those of a run, what is given stays fixed, and the rest is chosen by trials."""

from __future__ import annotations

import re
import shlex
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from xner_bench.cli import command
from xner_bench.cli.again import behind
from xner_bench.cli.command import METHOD, PLACES, SETTINGS, TRAINING, WORKERS, MethodCommand, flags, method_flag
from xner_bench.errors import XnerError
from xner_bench.fields import flag
from xner_bench.settle import DEFAULT_SUITE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from xner_bench.jobs import Outcome
    from xner_bench.settings import Execution, RunSettings
    from xner_bench.studies import Study

ARGV = "argv"  # where in ctx.meta the command line is
SHOWN = 10  # trials in the terminal; the report has them all
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class SearchCommand(MethodCommand):
    """A command that remembers how it was typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGV] = tuple(args)
        return super().parse_args(ctx, args)


class Duration(click.ParamType[float]):
    """A length of time: 90, 90s, 30m, 12h or 2d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value))
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no length of time; write seconds, or 30m, 12h, 2d.", param, ctx)
        return float(found[1]) * UNITS[found[2] or "s"]


@click.command(
    cls=SearchCommand,
    epilog="What is given is kept: `--lr 1e-5` is fixed, `--lr 5e-6,1e-5` is chosen from two. The same command goes on "
    "where an earlier one ended; several at once share the work.",
)
@flags([method_flag(required=True)], SETTINGS)
@click.option(
    "--trials", type=click.IntRange(1), default=40, show_default=True, help="How many settings are tried, in all."
)
@click.option("--study", metavar="NAME", help="What the search is called.  [default: made of what it searches]")
@click.option(
    "--sampler",
    type=click.Choice(["tpe", "random", "grid"]),
    default="tpe",
    show_default=True,
    help="How settings are chosen.",
)
@click.option(
    "--pruner",
    type=click.Choice(["none", "median", "hyperband"]),
    help="How trials that lag behind are ended early.  [default: median; none with an oracle]",
)
@click.option("--sampler-seed", type=click.IntRange(0), metavar="N", help="Seed of the choice.  [default: the runs']")
@click.option(
    "--objective",
    default="source-dev",
    show_default=True,
    help="F1 on the source's dev split; oracle:wikiann:sw takes a target's, and nothing that comes of it is zero-shot.",
)
@click.option(
    "--timeout", type=Duration(), metavar="TIME", help="Begin and go on with trials for so long: 30m, 12h, 2d."
)
@flags(PLACES, WORKERS)
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
@click.pass_context
def search(
    ctx: click.Context,
    /,
    trials: int,
    study: str | None,
    timeout: float | None,
    quiet: bool,
    retry: int,
    **given: Any,
) -> int:
    """Search the settings that suit a method: every trial is an ordinary run of the results folder.

    The learning rate is chosen from the suite's range, and whatever the method has searched of its own. At the end: the
    best settings, a report with plots, and the command that runs the winner.
    """
    from xner_bench import report, studies
    from xner_bench.cli import board, progress
    from xner_bench.search import define
    from xner_bench.search import search as carry_out

    asked = {**ctx.meta.get(METHOD, {}), **ctx.meta.get(TRAINING, {})}
    execution = command.execution(given)
    how = {name: given[name] for name in ("objective", "sampler", "pruner")}
    base = _base(given, asked, execution.catalogue)
    executor = command.executor({**given, "retry": retry})
    definition = define(base, asked, execution, seed=given["sampler_seed"], watch=progress.watch(quiet), **how)
    there = studies.create(execution.results, study or studies.usual_name(definition), definition)
    if not quiet:
        _announce(there, trials)
    there.want(trials, shlex.join(("xner-bench", "search", *ctx.meta[ARGV])))
    began = monotonic()
    failures = carry_out(there, execution, executor, board.board(quiet), limit=trials, timeout=timeout, retry=retry)
    _show(there, report.write(there), _flags(there, execution))
    return _status(there, failures, trials, late=timeout is not None and monotonic() - began >= timeout)


def _base(given: Mapping[str, Any], asked: Mapping[str, tuple[Any, ...]], folders: tuple[Path, ...]) -> RunSettings:
    """The settings of every trial, but for what is searched."""
    from xner_bench import catalogue, registry
    from xner_bench.settle import settle

    one = {name: _only(name, given[name]) for name in ("suite", "method", "encoder", "source", "seed")}
    own = registry.load(str(one["method"])).model_fields
    first = {name: values[0] for name, values in asked.items()}
    return settle(
        catalogue.load(folders),
        one["suite"] or DEFAULT_SUITE,
        one["method"],
        options={name: value for name, value in first.items() if name in own},
        encoder=one["encoder"],
        encoder_revision=given["encoder_revision"],
        source=one["source"],
        targets=given["targets"],
        profiles=given["profiles"],
        perturb=given["perturb"],
        seed=one["seed"],
        **{name: value for name, value in first.items() if name not in own},
    )


def _only(name: str, values: tuple[Any, ...] | None) -> Any:
    """The one value of what a search has one of."""
    if values and len(values) > 1:
        raise XnerError(f"a search has one {name}, not {', '.join(map(str, values))}; give {flag(name)} one value")
    return values[0] if values else None


def _announce(study: Study, trials: int) -> None:
    """Say what has begun."""
    from xner_bench import report, space

    definition = study.definition
    searched = "; ".join(f"{name} from {space.extent(choices)}" for name, choices in definition.space.items())
    there, total = study.trials(), min(trials, definition.room)
    before = f"of which there are {report.tally(there)}" if there else ""
    if len(there) > total:
        before = f"and there are more, {report.tally(there)}"
    said = ", ".join(part for part in (f"{total} {'trial' if total == 1 else 'trials'}", before) if part)
    click.echo(f"study {study.name}: {said}; {searched}", err=True)
    if warning := report.warning(definition):
        click.echo(warning, err=True)


def _show(study: Study, path: Path, where: str) -> None:
    """The best trials, what matters, the best settings, and what to type next."""
    from rich.console import Console

    from xner_bench import report
    from xner_bench.cli.tables import put_text
    from xner_bench.leaderboard.cells import setting

    console, best = Console(), study.best()
    _put_trials(console, study)
    lines = {"trials": report.tally(study.trials())}
    if shares := report.importances(study):
        lines["matters"] = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    if best:
        chosen = " ".join(f"{name}={setting(value)}" for name, value in best.drawn.items())
        lines["best"] = (
            f"{chosen}, F1 {report.percent(best.value)} on the dev split of {report.target(study.definition)}"
        )
    lines["report"] = str(path)
    if best:
        lines["next"] = f"xner-bench run --from-study {study.name} --seeds {report.seeds(study)}{where}"
    for name, text in lines.items():
        click.echo(f"{name + ':':<9}{text}")
    if warning := report.warning(study.definition):
        put_text(console, warning, "bold")


def _put_trials(console: Console, study: Study) -> None:
    from xner_bench import report
    from xner_bench.cli.tables import Column, put

    if rows := report.rows(study, SHOWN):
        columns = [Column(*column) for column in zip(report.headings(study), zip(*rows, strict=True), strict=True)]
        names = ("trial", "state")
        put(
            console,
            [column for column in columns if column.heading in names],
            [column for column in columns if column.heading not in (*names, "run")],
        )
        console.print()


def _flags(study: Study, execution: Execution) -> str:
    """The flags that a run of the winner needs: where everything is."""
    from xner_bench import studies

    encoder = study.definition.base.encoder  # what the study has it under may be its place on another machine
    recorded = studies.load(execution.results, study.name).definition.base.encoder
    places = [
        ("encoder", encoder, recorded),
        ("data-root", execution.data_root, None),
        ("device", execution.device, "auto"),
    ]
    words = [(flag(name), str(value)) for name, value, usual in places if value != usual]
    return command.where(execution) + behind(word for pair in words for word in pair)


def _status(study: Study, failures: Sequence[Outcome], trials: int, *, late: bool) -> int:
    """Say what is left; 1 where the same command would try something again that failed, or there is no best."""
    from xner_bench import turns

    every = study.trials()
    failed = [trial for trial in every if trial.state == "failed" and not trial.final]
    left = turns.left(study, trials) if failures or late else 0  # else nothing else is to be found
    for trial in failed:
        click.echo(f"trial {trial.draw} failed: {trial.error}", err=True)
    if left and late:
        ended = sum(trial.final or trial.state in ("complete", "pruned") for trial in every)
        total = max(min(trials, study.definition.room), len(every))
        click.echo(f"time is up after {ended} of {total} trials; the same command goes on", err=True)
    elif failed or left:
        click.echo(f"{len(failed) + left} trials are left to be done; the same command tries them again", err=True)
    if study.best() is None and not failed:
        click.echo(f"no trial is complete{' yet' if left else '; the report says why'}", err=True)
    return int(bool(failed or (left and failures) or study.best() is None))
