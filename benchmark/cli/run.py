"""`xner-bench run`: its flags are those of a run's settings, and the chosen method's own fields."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from xner_bench import registry
from xner_bench.cli.options import options_of
from xner_bench.errors import XnerError
from xner_bench.fields import flag
from xner_bench.settings import Execution, Profile, RunSettings, Training
from xner_bench.settle import DEFAULT_SUITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.method import Method
    from xner_bench.plan import Plan
    from xner_bench.results import Run
    from xner_bench.watch import Watch

METHOD, TRAINING = "method_options", "training"  # where in ctx.meta the values are gathered


class RunCommand(click.Command):
    """A command that has the flags of the chosen method besides its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["method"] = _chosen(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise _wrong_option(ctx, error) from error

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *self.training_options(), *self.method_options(ctx)]

    def training_options(self) -> list[click.Option]:
        return options_of(Training, TRAINING)

    def method_options(self, ctx: click.Context) -> list[click.Option]:
        """Flags of the chosen method; none where it is unknown, which `run` will say."""
        cls = _class(ctx)
        return options_of(cls, METHOD) if cls else []

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: list[tuple[str, Sequence[click.Parameter]]] = [
            ("Options", super().get_params(ctx)),
            ("Training (default: as the suite says)", self.training_options()),
        ]
        if _class(ctx):
            sections.append((f"Options of method {ctx.meta['method']!r}", self.method_options(ctx)))
        for title, parameters in sections:
            with formatter.section(title):
                formatter.write_dl(
                    [record for p in parameters if (record := p.get_help_record(ctx))] or [("(none)", "")]
                )


@click.command(
    cls=RunCommand,
    epilog="A method's own options:  xner-bench run --method slicer --help.  "
    "The paper's set-up:  xner-bench run --suite slicer-en --method slicer --h 8 --data-root DIR --encoder DIR",
)
@click.option(
    "--method", "-m", required=True, metavar="NAME", help="How to fine-tune; `xner-bench methods` lists them."
)
@click.option(
    "--suite",
    default=DEFAULT_SUITE,
    show_default=True,
    metavar="NAME",
    help="Set-up; `xner-bench suites` lists them.",
)
@click.option("--encoder", metavar="NAME", help="'mini', a folder, or a repository of the hub.  [default: the suite's]")
@click.option("--encoder-revision", metavar="REV", help="Commit or ref of an encoder of the hub.")
@click.option("--source", metavar="LANG", help="Language to train on, as in wikiann:en.  [default: the suite's]")
@click.option(
    "--targets",
    metavar="LANG,...",
    multiple=True,
    help="Languages to test on, as in wikiann:sw,masakhaner:hau.  [default: the suite's]",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of head, data order and dropout.  [default: the suite's]"
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    type=click.Choice(get_args(Profile)),
    help="Score in this way too; may be given several times.",
)
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    envvar="XNER_DATA_ROOT",
    help="Folder with <dataset>/<language>/<split>.*, read before the hub.",
)
@click.option(
    "--catalogue",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder with further cards and suites; may be given several times.  [also: $XNER_CATALOGUE]",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where results are stored.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cpu, cuda, cuda:1, ...; auto takes a GPU where there is one.",
)
@click.option(
    "--subwords-at-once",
    type=click.IntRange(min=1),
    metavar="N",
    help="A batch with more subwords is computed in parts, for little memory: the same loss, but for what dropout "
    "draws.  [default: 4,096 on a CPU, 32,768 on a GPU]",
)
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Go on without the targets and splits that are not here; they are recorded.",
)
@click.option("--keep-checkpoint", is_flag=True, help="Keep the trained tagger as a transformers folder.")
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be done, and stop.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    suite: str,
    method: str,
    targets: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    results: Path,
    data_root: Path | None,
    catalogue: tuple[Path, ...],
    device: str,
    subwords_at_once: int | None,
    allow_missing: bool,
    keep_checkpoint: bool,
    **given: Any,
) -> None:
    """Fine-tune a method on the source language, tag every target, print and store the scores.

    Without further options this trains and tests the mini encoder on the mini corpora that come with the package, in a
    minute or two and offline. The same command again finds its run done.
    """
    registry.load(method)
    from xner_bench import catalogue as catalogues
    from xner_bench.cli import progress
    from xner_bench.settle import settle

    known = catalogues.load(catalogue)
    settings = settle(
        known,
        suite,
        method,
        options=ctx.meta.get(METHOD),
        targets=_list(targets),
        **given,
        **ctx.meta.get(TRAINING, {}),
    )
    execution = Execution(
        results=results,
        data_root=data_root,
        catalogue=catalogue,
        device=device,
        subwords_at_once=subwords_at_once,
        allow_missing=allow_missing,
        keep_checkpoint=keep_checkpoint,
    )
    watch = progress.watch(quiet)
    if dry_run:
        from xner_bench import plan

        _show_plan(plan.make(settings, execution, watch))
        return
    _announce(settings, known, watch)
    from xner_bench.run import run as carry_out

    _show_run(carry_out(settings, execution, watch), execution, known)


def _announce(settings: RunSettings, known: Catalogue, watch: Watch) -> None:
    """Say at once what has begun: loading torch takes seconds."""
    notice = known.suite(settings.suite).notice
    options = " ".join(f"{name}={value}" for name, value in settings.options.items())
    watch.note(
        f"{settings.method}{' ' + options if options else ''} on suite {settings.suite}"
        f"{f' ({notice})' if notice else ''}: {settings.source} -> {len(settings.targets)} targets, "
        f"encoder {settings.encoder}, seed {settings.seed}"
    )


def _show_plan(ready: Plan) -> None:
    """The run as it would be."""
    from xner_bench.results import Store
    from xner_bench.run import answers

    settings = ready.settings
    found = Store(ready.execution.results).find(ready.run_id)
    state: str = "not run yet" if found is None else found.state
    if found and found.state == "done":
        state = "done already" if answers(found, ready) else "done, but not all that is asked for: would be done again"
    lines = {
        "run": f"{ready.run_id} ({state})",
        "suite": f"{settings.suite}{f' ({ready.suite.notice})' if ready.suite.notice else ''}",
        "method": " ".join([settings.method, *(f"{name}={value}" for name, value in settings.options.items())]),
        "encoder": f"{ready.pretrained.name}{f' at {ready.pretrained.revision}' if ready.pretrained.revision else ''}",
        "source": settings.source,
        "targets": f"{len(settings.targets)}: {' '.join(settings.targets)}",
        "training": " ".join(f"{name}={value}" for name, value in settings.training.model_dump().items()),
        "seed": str(settings.seed),
        "profiles": " ".join(settings.profiles),
        "data": f"{sum(len(one.sentences) for one in ready.sealed.values()):,} sentences in {len(ready.sealed)} splits",
        "missing": ", ".join(f"{one.corpus} {one.split}" for one in ready.missing) or "nothing",
        "device": str(ready.device),
        "results": str(ready.execution.results),
    }
    for name, value in lines.items():
        click.echo(f"{name + ':':<10}{value}")


def _show_run(done: Run, execution: Execution, known: Catalogue) -> None:
    """The table, where the results lie, and what to type next."""
    from rich.console import Console

    from xner_bench.cli.tables import run_table
    from xner_bench.results import Store

    store = Store(execution.results)
    folder = store.folder(done.run_id)
    if done.state == "diverged":
        raise XnerError(f"the run diverged: {done.error}; it is recorded in {folder} and never ranked")
    run_table(Console(), done, store.table(done.run_id, "scores"), known)
    where, same = _flags(done.settings, execution, known)
    click.echo(f"\nresults: {folder}")
    if done.checkpoint_kept:
        click.echo(f"tagger:  {folder / 'checkpoint'}")
    other = "standard" if done.settings.method != "standard" else "slicer --h 8"
    click.echo(f"next:    xner-bench run --method {other}{same}{where}    to compare, then")
    click.echo(f"         xner-bench leaderboard build{where} && xner-bench leaderboard show{where}")


def _flags(settings: RunSettings, execution: Execution, known: Catalogue) -> tuple[str, str]:
    """The flags that a further command needs: where results and cards are, and which set-up of a run it was."""
    from xner_bench import device

    suite = known.suite(settings.suite)
    usual = {
        **suite.training,
        "precision": device.precision_for(device.choose(execution.device), suite.training["precision"]),
    }
    own: list[tuple[str, object, object]] = [  # flag, what this run has, what it has without the flag
        ("suite", settings.suite, DEFAULT_SUITE),
        ("encoder", settings.encoder, suite.encoder),
        ("source", settings.source, suite.source),
        ("seed", settings.seed, usual["seed"]),
        *((name, value, usual[name]) for name, value in settings.training.model_dump().items()),
        ("data-root", execution.data_root, None),
        ("device", execution.device, "auto"),
        ("subwords-at-once", execution.subwords_at_once, None),
    ]
    if not execution.allow_missing:  # else the targets may be what is left of them
        own.append(("targets", ",".join(settings.targets), ",".join(suite.targets)))
    where = [("results", path) for path in (execution.results,) if path != Path("results")]
    same = [(name, "none" if value is None else value) for name, value, default in own if value != default]
    missing = " --allow-missing" if execution.allow_missing else ""
    return _argv([*where, *(("catalogue", path) for path in execution.catalogue)]), _argv(same) + missing


def _argv(flags: Sequence[tuple[str, object]]) -> str:
    return "".join(f" --{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in flags)


def _list(given: tuple[str, ...]) -> list[str] | None:
    """Values parted by commas, of a flag that may be given several times; None where it was not."""
    return [part.strip() for value in given for part in value.split(",") if part.strip()] if given else None


def _chosen(args: list[str]) -> str | None:
    """The value of --method, wherever it stands: a first, forgiving pass."""
    probe = click.Command(
        "probe",
        params=[click.Option(["--method", "-m"])],
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    try:
        found = probe.make_context("probe", list(args), resilient_parsing=True).params.get("method")
    except click.UsageError:  # the real pass will say it better
        return None
    return str(found) if found is not None else None


def _class(ctx: click.Context) -> type[Method] | None:
    name = ctx.meta.get("method")
    return registry.load(name) if name else None


def _wrong_option(ctx: click.Context, error: click.NoSuchOption) -> click.UsageError:
    """A flag that the method does not have; some other method may."""
    name, given = ctx.meta.get("method"), error.option_name
    field = given.lstrip("-").replace("-", "_")
    owners = [one.name for one in registry.listing() if one.method and field in one.method.model_fields]
    if owners and not name:
        return click.UsageError(
            f"{given} is an option of method {' and '.join(owners)}; give --method {owners[0]}.", ctx
        )
    if owners:
        cls = _class(ctx)
        own = ", ".join(flag(known) for known in cls.model_fields) if cls else ""
        return click.UsageError(
            f"{given} is no option of method {name!r} ({'its options: ' + own if own else 'it has none'}); "
            f"{' and '.join(owners)} {'have' if len(owners) > 1 else 'has'} it.",
            ctx,
        )
    return error
