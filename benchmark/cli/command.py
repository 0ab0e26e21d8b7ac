"""What `xner-bench run` and `xner-bench search` share: a command with the chosen methods' flags, and flags of its own.

    @click.command(cls=MethodCommand)
    @flags(SETTINGS, PLACES, WORKERS)
    @click.pass_context
    def run(ctx, ...): ...

Values of settings are tuples, as every flag takes a list. Those of training are in `ctx.meta[TRAINING]`, those of the
methods in `ctx.meta[METHOD]`, each a dict field -> tuple that holds what was given and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from xner_bench import registry
from xner_bench.cli.again import behind, places
from xner_bench.cli.options import EMPTY, Place, Several, Text, options_of
from xner_bench.errors import XnerError
from xner_bench.fields import flag
from xner_bench.settings import Execution, Perturbation, Profile, Training
from xner_bench.sources import JOIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from xner_bench.jobs import Executor
    from xner_bench.method import Method

    Flag = Callable[[Any], Any]

METHOD, TRAINING = "method_options", "training"  # where in ctx.meta the values are gathered
METHODS = "methods"  # where in ctx.meta the chosen methods' names are: a tuple


class MethodCommand(click.Command):
    """A command that has the flags of the chosen methods besides its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[METHODS] = self.chosen(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise _wrong_option(ctx, error) from error

    def chosen(self, ctx: click.Context, args: Sequence[str]) -> tuple[str, ...]:
        """Names of the methods whose flags there are, found before the flags are read."""
        return glance(args, METHOD_FLAG).get("method") or ()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *self.training_options(), *options_of(classes(ctx), METHOD)]

    def training_options(self) -> list[click.Option]:
        return options_of([Training], TRAINING)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = super().get_params(ctx)
        sections: list[tuple[str, Sequence[click.Parameter]]] = [
            ("Options", [param for param in own if param.name not in MANY]),
            ("Many runs", [param for param in own if param.name in MANY]),
            ("Training (default: as the suite says)", self.training_options()),
        ]
        for name, cls in zip(ctx.meta.get(METHODS, ()), classes(ctx), strict=True):
            sections.append((f"Options of method {name!r}", options_of([cls], METHOD)))
        for title, parameters in sections:
            with formatter.section(title):
                formatter.write_dl(
                    [record for p in parameters if (record := p.get_help_record(ctx))] or [("(none)", "")]
                )


def flags(*groups: Iterable[Flag]) -> Flag:
    """Give a command the flags of these groups, in this order."""

    def add(function: Any) -> Any:
        for one in reversed([one for group in groups for one in group]):
            function = one(function)
        return function

    return add


def method_flag(required: bool) -> Flag:
    """`--method`."""
    return click.option(
        "--method",
        "-m",
        type=Several(Text()),
        required=required,
        metavar="NAME,...",
        help="How to fine-tune; `xner-bench methods` lists them. crf+prune is both at once.",
    )


METHOD_FLAG = click.Option(["--method", "-m"], type=Several(Text()))  # for a glance
# What a run is, but for its method: passed to `settle.settle`, each a tuple or None where it is not given.
SETTINGS: tuple[Flag, ...] = (
    click.option(
        "--suite",
        type=Several(Text()),
        metavar="NAME,...",
        help="Set-up; `xner-bench suites` lists them.  [default: quick]",
    ),
    click.option(
        "--encoder",
        type=Several(Text()),
        metavar="NAME,...",
        help="'mini', a folder, or a repository of the hub.  [default: the suite's]",
    ),
    click.option("--encoder-revision", type=Text(), metavar="REV", help="Commit or ref of an encoder of the hub."),
    click.option(
        "--source",
        type=Several(Text()),
        metavar="LANG,...",
        multiple=True,
        callback=lambda ctx, param, given: tuple(dict.fromkeys(JOIN.join(one) for one in given)) or None,
        help="Language to train on, as in wikiann:en, or several at once: wikiann:de,wikiann:en; `each`: every target "
        "on itself, a run for each.  Given several times, as many runs.  [default: the suite's]",
    ),
    click.option(
        "--targets",
        metavar="LANG,...",
        multiple=True,
        callback=lambda ctx, param, given: listed(given),
        help="Languages to test on, as in wikiann:sw,masakhaner:hau.  [default: the suite's]",
    ),
    click.option(
        "--seed",
        "--seeds",
        "seed",
        type=Several(click.IntRange(0, 2**63 - 1)),
        metavar="N,... or N-N",
        help="Seed of head, data order and dropout: 42, or 42,43 or 42-51.  [default: the suite's]",
    ),
    click.option(
        "--profile",
        "profiles",
        multiple=True,
        type=Several(click.Choice(get_args(Profile))),
        callback=lambda ctx, param, given: tuple(dict.fromkeys(one for each in given for one in each)),
        help="Score in these ways too; may be given several times.",
    ),
    click.option(
        "--perturb",
        multiple=True,
        type=Several(click.Choice(get_args(Perturbation))),
        callback=lambda ctx, param, given: tuple(dict.fromkeys(one for each in given for one in each)),
        help="Score test splits with other entities too, drawn from the same language, script or family.",
    ),
)
# Where and how runs are carried out: fields of `Execution`, see `execution`.
PLACES: tuple[Flag, ...] = (
    click.option(
        "--data-root",
        type=Place(),
        envvar="XNER_DATA_ROOT",
        help="Folder with <dataset>/<language>/<split>.*, read before the hub.",
    ),
    click.option(
        "--catalogue",
        multiple=True,
        type=Place(),
        help="A folder with further cards and suites; may be given several times.  [also: $XNER_CATALOGUE]",
    ),
    click.option(
        "--results",
        type=Place(),
        default=Path("results"),
        show_default=True,
        help="Where results are stored.",
    ),
    click.option(
        "--device",
        type=Text(),
        metavar="NAME",
        default="auto",
        show_default=True,
        help="cpu, cuda, cuda:1, ...; auto takes a GPU where there is one.",
    ),
    click.option(
        "--subwords-at-once",
        type=click.IntRange(min=1),
        metavar="N",
        help="A batch with more subwords is computed in parts, for little memory: the same loss, but for what dropout "
        "draws.  [default: 4,096 on a CPU, 32,768 on a GPU]",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        help="Threads of a run on a CPU.  [default: the cores, divided among the workers]",
    ),
    click.option(
        "--allow-missing",
        is_flag=True,
        help="Go on without the targets and splits that are not here; they are recorded.",
    ),
)
# How many runs are carried out: arguments of `executors.choose`.
WORKERS: tuple[Flag, ...] = (
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=1,
        metavar="N",
        help="Runs at one time, each in a process of its own.  [default: 1, in this process]",
    ),
    click.option(
        "--retry",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="How often a run that failed is tried again.  [default: 0]",
    ),
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Workers on this machine, or on a Ray cluster (xner-bench[ray]).",
    ),
    click.option(
        "--ray-address", type=Text(), metavar="ADDRESS", help="Of a running cluster.  [default: as Ray finds it]"
    ),
    click.option(
        "--gpus-per-run",
        type=click.FLOAT,
        metavar="X",
        help="Asked of Ray; 0.25: four on one.  [default: 1 where GPUs are used]",
    ),
    click.option("--cpus-per-run", type=click.FLOAT, metavar="X", help="Asked of Ray.  [default: 1]"),
)
# Names of the flags that concern many runs; help shows them under a heading of their own.
MANY = (
    *("grid", "from_study", "as_yaml", "overwrite", "workers", "retry"),
    *("executor", "ray_address", "gpus_per_run", "cpus_per_run"),
)


def execution(given: Mapping[str, Any]) -> Execution:
    """Where and how: of what was given, the fields of `Execution`; what is None stays at its default."""
    root = given.get("data_root")
    if root and given.get("executor") != "ray" and not root.is_dir():  # Ray's machines may have others
        raise XnerError(f"the data root {root} is no folder; give another (--data-root DIR, $XNER_DATA_ROOT), or none")
    return Execution(**{name: given[name] for name in Execution.model_fields if given.get(name) is not None})


def executor(given: Mapping[str, Any]) -> Executor:
    """What carries runs out, as the flags of WORKERS say; XnerError where they don't go together."""
    from xner_bench import executors

    names = ("workers", "retry", "ray_address", "gpus_per_run", "cpus_per_run", "device")
    return executors.choose(given["executor"], **{name: given[name] for name in names})


def probe(results: Path) -> None:
    """Make sure that results could be written, and make nothing. XnerError in the words of who would write them."""
    import errno
    import os

    from xner_bench.results import cannot_write

    absolute = results.absolute()
    places = (absolute / "runs", absolute, *absolute.parents)
    there = next(path for path in places if os.path.lexists(path))
    if not there.is_dir():
        raise cannot_write(results, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(there, os.W_OK | os.X_OK):
        raise cannot_write(results, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def where(execution: Execution) -> str:
    """The flags with which another command finds the same results and cards, with a blank before each."""
    return behind(places(execution.results, execution.catalogue))


def argv(values: Iterable[tuple[str, object]]) -> str:
    """Flags with their values as a shell reads them, with a blank before each."""
    return behind(word for name, value in values for word in (flag(name), str(value)))


def listed(given: tuple[str, ...]) -> tuple[str, ...] | None:
    """Values parted by commas, of a flag that may be given several times; None where it was not."""
    if not given:
        return None
    found = tuple(part.strip() for value in given for part in value.split(",") if part.strip())
    if not found:
        raise click.BadParameter(EMPTY)
    return found


def classes(ctx: click.Context) -> list[type[Method]]:
    """The chosen methods' classes; XnerError where one is unknown."""
    return [registry.load(name) for name in ctx.meta.get(METHODS, ())]


def glance(args: Sequence[str], *params: click.Parameter) -> dict[str, Any]:
    """The values of some flags, wherever they stand: a first, forgiving pass. A wrong value is None here."""
    probe = click.Command(
        "probe",
        params=list(params),
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    try:
        return probe.make_context("probe", list(args), resilient_parsing=True).params
    except click.UsageError:  # the real pass will say it better
        return {}


def _wrong_option(ctx: click.Context, error: click.NoSuchOption) -> click.UsageError:
    """A flag that no chosen method has; some other method may."""
    names, given = ctx.meta.get(METHODS, ()), error.option_name
    field = given.lstrip("-").replace("-", "_")
    owners = [one.name for one in registry.listing() if one.method and field in one.method.model_fields]
    if not owners:
        return error
    if not names:
        return click.UsageError(
            f"{given} is an option of method {' and '.join(owners)}; give --method {owners[0]}.", ctx
        )
    own = ", ".join(dict.fromkeys(flag(known) for cls in classes(ctx) for known in cls.model_fields))
    whose, lack = ("its", "it has none") if len(names) == 1 else ("their", "they have none")
    options = f"{whose} options: {own}" if own else lack
    return click.UsageError(
        f"{given} is no option of method {' or '.join(map(repr, names))} ({options}); "
        f"{' and '.join(owners)} {'have' if len(owners) > 1 else 'has'} it.",
        ctx,
    )
