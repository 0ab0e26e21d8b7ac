"""Many runs stated at once: lists for whatever a run is set by, multiplied with each other.

An option multiplies the methods that have it: standard and slicer, h 1, 2 and 8, three learning rates and ten seeds are
(1 + 3) x 3 x 10 runs. Grids as files are in `gridfile.py`, what becomes of their runs in `drive.py`.
"""

from __future__ import annotations

import json
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from xner_bench import registry
from xner_bench.each import languages
from xner_bench.errors import UnknownName, XnerError
from xner_bench.fields import flag
from xner_bench.settings import LATER, RunSettings, digest
from xner_bench.settle import DEFAULT_SUITE, key, settle
from xner_bench.sources import EACH
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from xner_bench.catalogue import Catalogue
    from xner_bench.settings import Execution
    from xner_bench.watch import Watch

Value = bool | int | float | str | None
Axes = dict[str, tuple[Value, ...]]

MOST = 1_000_000  # runs of one grid


class Grid(BaseModel):
    """Lists to multiply. An empty one is as the suite says, and for suites the default one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    options: Axes = {}  # of the methods; each multiplies the methods that have it
    encoder: tuple[str, ...] = ()
    encoder_revision: str | None = None
    source: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None  # of every run; None: as the suite says
    training: Axes = {}
    seed: tuple[int, ...] = ()
    profiles: tuple[str, ...] = ()  # of every run, besides the suite's own
    perturb: tuple[str, ...] = ()  # test splits with other entities, scored in every run
    few_shot: tuple[int, ...] = ()  # sentences of each target that every run goes on from
    sampling: tuple[str, ...] = ()  # how they are drawn
    chosen_on: tuple[str, ...] = ()  # targets by whose labels the settings of every run were chosen


def expand(catalogue: Catalogue, grid: Grid, here: Execution | None = None, watch: Watch = SILENT) -> list[RunSettings]:
    """The settings of every run, each once; seeds vary first, then training, options, methods.

    Raises XnerError in the words of the command line. For `each` as source `here` says where data is (see `each`).
    """
    check(grid)
    found: dict[str, RunSettings] = {}
    trained = {
        (suite, source): list(_trained(catalogue, suite, source, grid.targets, here, watch))
        for suite, source in product(grid.suite or (DEFAULT_SUITE,), grid.source or (None,))
    }
    for point in _points(grid, trained):
        settings = settle(catalogue, **point)
        found.setdefault(settings.model_dump_json(), settings)
    return list(found.values())


def _trained(
    catalogue: Catalogue,
    name: str,
    source: str | None,
    targets: tuple[str, ...] | None,
    here: Execution | None,
    watch: Watch,
) -> Iterator[dict[str, Any]]:
    """Sources and targets of runs: as they are given, or of `each` a pair for every language."""
    suite = catalogue.suite(name)
    if (source or suite.source) != EACH:
        yield {"source": source, "targets": targets}
        return
    wanted = suite.targets if targets is None else tuple(dict.fromkeys(key(catalogue, suite, one) for one in targets))
    for language in languages(catalogue, wanted, here, watch):
        yield {"source": language, "targets": (language,)}


def check(grid: Grid) -> None:
    """That there are methods, an option has one that knows it, and that it can be meant to do so many runs."""
    if not grid.method:
        raise XnerError("no method is given; choose some with --method, `xner-bench methods` lists them")
    if grid.encoder_revision and len(grid.encoder) > 1:
        raise XnerError(
            f"--encoder-revision {grid.encoder_revision} is of one encoder, and {len(grid.encoder)} are given; "
            "leave it out, or run one encoder after the other"
        )
    known = {name for method in grid.method for name in registry.load(method).model_fields}
    for name in grid.options:
        if name not in known:
            raise UnknownName("option", name, known, f"(of method {' or '.join(grid.method)})")
    for name, values in {**grid.options, **grid.training}.items():
        if not values:
            raise XnerError(f"{flag(name)} has no value; give one, or leave it out")
    if (runs := size(grid)) > MOST:
        raise XnerError(f"a grid of {runs:,} runs is more than anyone can mean; {MOST:,} are the most")


def size(grid: Grid) -> int:
    """How many runs a grid makes, some of which may be equal; `each` as source is counted as one."""
    every = (grid.suite, grid.encoder, grid.source, grid.seed, *grid.training.values())
    methods = (prod(map(len, own_options(grid, method).values())) for method in grid.method)
    return prod(len(values) or 1 for values in every) * sum(methods)


def own_options(grid: Grid, method: str) -> Axes:
    """Of the options those that a method has."""
    fields = registry.load(method).model_fields
    return {name: values for name, values in grid.options.items() if name in fields}


def _points(grid: Grid, trained: Mapping[tuple[str, str | None], list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Arguments of `settle`, one after the other; `trained` are sources and targets by suite and source."""
    same = {name: getattr(grid, name) for name in ("encoder_revision", "profiles", "chosen_on", *LATER)}
    places = [
        {"suite": suite, "encoder": encoder, **pair}
        for suite, encoder, source in product(
            grid.suite or (DEFAULT_SUITE,), grid.encoder or (None,), grid.source or (None,)
        )
        for pair in trained[suite, source]
    ]
    for place, method in product(places, grid.method):
        ways = product(_choices(own_options(grid, method)), _choices(grid.training), grid.seed or (None,))
        for options, training, seed in ways:
            yield {**place, **same, "method": method, "options": options, "seed": seed, **training}


def _choices(axes: Mapping[str, Iterable[Value]]) -> list[dict[str, Value]]:
    """One value for each, in all ways; the last varies first."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def of(settings: RunSettings) -> Grid:
    """The grid of one run."""
    return Grid(
        suite=(settings.suite,),
        method=(settings.method,),
        options={name: (value,) for name, value in settings.options.items()},
        encoder=(settings.encoder,),
        encoder_revision=settings.encoder_revision,
        source=(settings.source,),
        targets=settings.targets,
        training={name: (value,) for name, value in settings.training.model_dump().items()},
        seed=(settings.seed,),
        profiles=settings.profiles,
        perturb=settings.perturb,
        few_shot=settings.few_shot,
        sampling=settings.sampling if settings.few_shot else (),
        chosen_on=settings.chosen_on,
    )


def changed(base: Grid, given: Grid) -> Grid:
    """A grid with other lists for what is set in `given`; options that its methods then no longer have go, too."""
    new = {field: getattr(given, field) for field in given.model_fields_set}
    if given.encoder and not given.encoder_revision:
        new["encoder_revision"] = None  # it was that of other encoders
    methods = given.method or base.method
    new["chosen_on"] = tuple(dict.fromkeys((*base.chosen_on, *given.chosen_on)))  # what was seen is not unseen
    known = {name for method in methods for name in registry.load(method).model_fields}
    kept = {option: values for option, values in base.options.items() if option in known or not given.method}
    new |= {"options": {**kept, **given.options}, "training": {**base.training, **given.training}}
    return base.model_copy(update=new)


def name(grid: Grid) -> str:
    """A short id: the same for the same lists, in whatever order their values stand."""
    said = grid.model_dump(mode="json", exclude={field for field in LATER if not getattr(grid, field)})
    said["suite"] = said["suite"] or [DEFAULT_SUITE]
    return digest(_sorted(said))[:12]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in value.items()}
    return sorted(value, key=json.dumps) if isinstance(value, list) else value
