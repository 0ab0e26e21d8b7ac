"""`xner-bench run`: its flags are those of a run's settings, lists of them, and the chosen methods' own fields.

One run is carried out and shown here; several are a grid, see `grids.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import click

from xner_bench.cli import again, command, grids
from xner_bench.cli.command import METHOD_FLAG, PLACES, SETTINGS, WORKERS, MethodCommand
from xner_bench.cli.options import Several, Text
from xner_bench.errors import XnerError
from xner_bench.settings import Sampling
from xner_bench.sources import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.plan import Plan
    from xner_bench.results import Run
    from xner_bench.settings import Execution, RunSettings
    from xner_bench.watch import Watch


class RunCommand(MethodCommand):
    """A command whose methods may also come from a grid or a study."""

    def chosen(self, ctx: click.Context, args: Sequence[str]) -> tuple[str, ...]:
        ctx.meta[grids.ARGV] = tuple(args)
        given = command.glance(args, METHOD_FLAG, *grids.GLANCED)
        ctx.meta[grids.BASE] = base = grids.base(given, ctx)
        return given.get("method") or base.method


BASES = (
    click.option("--grid", type=Text(), metavar="FILE|NAME", help="Runs by a file, or by a grid that the suite names."),
    click.option("--from-study", type=Text(), metavar="NAME", help="The best settings that `xner-bench search` found."),
)
OWN = (
    click.option(
        "--chosen-on",
        metavar="LANG,...",
        multiple=True,
        callback=lambda ctx, param, given: command.listed(given),
        help="Targets by whose labels these settings were chosen: marks the runs as not zero-shot.",
    ),
    click.option(
        "--few-shot",
        type=Several(click.IntRange(1)),
        metavar="K,...",
        help="Go on from the trained tagger with K sentences of each target's train split, and score that, too.",
    ),
    click.option(
        "--sampling",
        type=Several(click.Choice(get_args(Sampling))),
        metavar="WAY,...",
        help="How these sentences are drawn: random, shortest, longest, or several.  [default: random]",
    ),
    click.option("--keep-checkpoint", is_flag=True, help="Keep the trained tagger as a transformers folder."),
    click.option(
        "--overwrite",
        type=click.Choice(["never", "missing", "always"]),
        help="Of runs that are there: leave all of them, do what is missing, or do them anew.  [default: missing]",
    ),
    click.option("--dry-run", is_flag=True, help="Check everything, say what would be done, and stop."),
    click.option("--as-yaml", is_flag=True, help="With --dry-run: print the grid as a file for --grid."),
    click.option("--quiet", "-q", is_flag=True, help="No progress on standard error."),
)


@click.command(
    cls=RunCommand,
    epilog="A method's own options:  xner-bench run --method slicer --help.  "
    "The paper's set-up:  xner-bench run --suite slicer-en --method slicer --h 8 --data-root DIR --encoder DIR.  "
    "All its 120 runs:  xner-bench run --suite slicer-en --grid paper --data-root DIR --encoder DIR",
)
@command.flags([command.method_flag(required=False)], SETTINGS, PLACES, OWN, BASES, WORKERS)
@click.pass_context
def run(ctx: click.Context, /, dry_run: bool, as_yaml: bool, quiet: bool, **given: Any) -> int:
    """Fine-tune a method on the source language, tag every target, print and store the scores.

    With a method alone (--method slicer) this trains and tests the mini encoder on the mini corpora that come with the
    package, in a minute or two and offline. The same command again finds its run done. Lists (--method standard,slicer
    --h 2,8 --seeds 42-44) are as many runs; the same command again does only what is missing.
    """
    from xner_bench import catalogue as catalogues
    from xner_bench import grid
    from xner_bench.cli import progress

    known = catalogues.load(given["catalogue"])
    asked = grids.asked(ctx, given)
    execution = command.execution(given)
    here = execution if given["executor"] == "local" else None  # the data may lie on other machines alone
    every = grid.expand(known, asked, here, progress.watch(quiet))
    if given["executor"] == "local":
        command.executor(given)  # complains of flags that are for Ray
    if as_yaml:
        grids.print_yaml(ctx, asked, dry_run)
        return 0
    if len(every) > 1 or given["from_study"] or given["retry"] or given["executor"] != "local":
        return grids.run(ctx, asked, every, execution, known, given, dry_run=dry_run, quiet=quiet)
    one(every[0], execution, known, dry_run=dry_run, quiet=quiet)
    return 0


def one(settings: RunSettings, execution: Execution, known: Catalogue, *, dry_run: bool, quiet: bool) -> None:
    """Carry out one run and show it, or what it would be."""
    from xner_bench import drive
    from xner_bench.cli import progress

    command.probe(execution.results)
    from xner_bench import plan  # these load torch
    from xner_bench.run import run as carry_out

    watch = drive.Once(progress.watch(quiet), stages=True)  # what is wrong is said before what begins
    ready = plan.make(settings, execution, watch)
    if dry_run:
        _show_plan(ready)
        return
    _announce(settings, known, watch)
    _show_run(carry_out(settings, execution, watch), execution, known)


def _announce(settings: RunSettings, known: Catalogue, watch: Watch) -> None:
    """Say what begins."""
    notice = known.suite(settings.suite).notice
    options = " ".join(f"{name}={value}" for name, value in settings.options.items())
    watch.note(
        f"{settings.method}{' ' + options if options else ''} on suite {settings.suite}"
        f"{f' ({notice})' if notice else ''}: {brief(settings.source)} -> {len(settings.targets)} targets, "
        f"encoder {settings.encoder}, seed {settings.seed}"
    )


def _show_plan(ready: Plan) -> None:
    """The run as it would be."""
    from xner_bench.leaderboard.computed import not_zero_shot

    settings = ready.settings
    lines = {
        "run": f"{ready.run_id} ({_state(ready)})",
        "suite": f"{settings.suite}{f' ({ready.suite.notice})' if ready.suite.notice else ''}",
        "method": " ".join([settings.method, *(f"{name}={value}" for name, value in settings.options.items())]),
        "encoder": f"{ready.pretrained.name}{f' at {ready.pretrained.revision}' if ready.pretrained.revision else ''}",
        "source": settings.source,
        "targets": f"{len(settings.targets)}: {' '.join(settings.targets)}",
        "training": " ".join(f"{name}={value}" for name, value in settings.training.model_dump().items()),
        "seed": str(settings.seed),
        "profiles": " ".join(settings.profiles),
        **({"perturb": " ".join(settings.perturb)} if settings.perturb else {}),
        **_few_shot(ready),
        "data": f"{sum(len(one.sentences) for one in ready.sealed.values()):,} sentences in {len(ready.sealed)} splits",
        "missing": ", ".join(f"{one.corpus} {one.split}" for one in ready.missing) or "nothing",
        "device": str(ready.device),
        "results": str(ready.execution.results),
    }
    if why := not_zero_shot(settings, settings.true_protocol):
        lines["warning"] = why
    for name, value in lines.items():
        click.echo(f"{name + ':':<10}{value}")


def _few_shot(ready: Plan) -> dict[str, str]:
    """How many times the run would go on, and from what."""
    settings, times = ready.settings, sum(len(list(one.samples)) for one in ready.shots)
    asked = f"{' '.join(map(str, settings.few_shot))} sentences, {' '.join(settings.sampling)}"
    return {"few-shot": f"{asked}: {times} fine-tunings"} if settings.few_shot else {}


def _state(ready: Plan) -> str:
    """How far the store has a run, and what would become of it."""
    from xner_bench.results import Store
    from xner_bench.run import stands

    found = Store(ready.execution.results).find(ready.run_id)
    if found is None:
        return "not run yet"
    if stands(found, ready):
        return "done already" if found.state == "done" else f"{found.state}, would be left as it is"
    if ready.execution.overwrite == "always":
        return f"{found.state}, would be done anew"
    return "done, but not all that is asked for: would be done again" if found.state == "done" else found.state


def _show_run(done: Run, execution: Execution, known: Catalogue) -> None:
    """The table, where the results lie, and what to type next."""
    from rich.console import Console

    from xner_bench.cli.tables import run_table
    from xner_bench.results import Store

    store = Store(execution.results)
    folder = store.folder(done.run_id)
    if done.state == "diverged":
        raise XnerError(f"the run diverged: {done.error}; it is recorded in {folder} and never ranked")
    if done.state != "done":
        raise XnerError(f"the run is {done.state} and left as it is ({folder}): {done.error or 'no error is recorded'}")
    run_table(Console(), done, store.table(done.run_id, "scores"), known)
    where, same = command.where(execution), again.behind(_same(done, execution, known))
    click.echo(f"\nresults: {folder}")
    if done.checkpoint_kept:
        click.echo(f"tagger:  {folder / 'checkpoint'}")
    other = "standard" if done.settings.method != "standard" else "slicer --h 8"
    click.echo(f"next:    xner-bench run --method {other}{same}{where}    to compare, then")
    click.echo(f"         xner-bench leaderboard build{where} && xner-bench leaderboard show{where}")


def _same(done: Run, execution: Execution, known: Catalogue) -> Iterator[str]:
    """Flags with which another method is run in the same way."""
    from xner_bench import device

    asked = known.suite(done.settings.suite).training["precision"]
    here = {"precision": device.precision_for(device.choose(execution.device), asked)}
    yield from again.same(done.settings, known, left_out={item.corpus for item in done.missing}, here=here)
    if execution.data_root:
        yield from ("--data-root", str(execution.data_root))
    if execution.device != "auto":
        yield from ("--device", execution.device)
    if execution.subwords_at_once:
        yield from ("--subwords-at-once", str(execution.subwords_at_once))
    if execution.allow_missing:
        yield "--allow-missing"
