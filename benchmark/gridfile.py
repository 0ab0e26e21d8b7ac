"""Grids as files, and those that suites name.

A file has the flags of `xner-bench run` as keys, written with `_`, and values or lists of them:

    suite: slicer-en
    method: [standard, slicer]
    h: [1, 2, 8]            # slicer's own: standard has no such option and is not multiplied by it
    lr: [5e-6, 1e-5, 2e-5]
    seeds: 42-51

Several sources are as many runs; those that are trained on together are one, `wikiann:de+wikiann:en`.
A suite has grids under `grids:`, name by name, in the same words but for the suite.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from xner_bench import registry, yamlfile
from xner_bench.errors import UnknownName, XnerError
from xner_bench.fields import flag, in_ranges, numbers, plain
from xner_bench.grid import Grid, Value
from xner_bench.settings import RunSettings, Training
from xner_bench.settle import DEFAULT_SUITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import BaseModel

    from xner_bench.catalogue import Catalogue, Suite

    Complain = Callable[[tuple[str | int, ...], str], XnerError]

LISTS = ("suite", "method", "encoder", "source", "targets", "profiles", "perturb", "sampling", "chosen_on")  # of text
FEW_SHOT = "few_shot"
SEEDS = ("seed", "seeds")
NONE = "none"  # as flags have it; `null` in YAML
REVISION = "encoder_revision"
_PLAIN = re.compile(r"[A-Za-z_/]([A-Za-z0-9_./:+-]*[A-Za-z0-9_./-])?|[0-9]+-[0-9]+")  # text that YAML has unquoted
_WORDS = ("true", "false", "null")  # that would be no text without them
_SPECIAL = re.compile("[\u2028\u2029\ufeff]")  # that a parser of YAML would change


def find(known: Catalogue, given: str, suite: str | None = None) -> Grid:
    """A grid by its file, or by the name that a suite (by default the default one) has for it."""
    path = Path(given)
    if path.suffix in (".yaml", ".yml") or "/" in given or path.is_file():
        return read(yamlfile.read(path))
    return of_suite(known, known.suite(suite or DEFAULT_SUITE), given)


def of_suite(known: Catalogue, suite: Suite, name: str) -> Grid:
    """A grid that a suite names."""
    if name not in suite.grids:
        others = [other.name for other in known.suites.values() if name in other.grids]
        offer = f"suites with one of that name: {', '.join(others)}" if others else ""
        hint = f"({offer or 'a file of your own ends in .yaml'})"
        raise UnknownName(f"grid of suite {suite.name}", name, suite.grids, hint)

    def complain(loc: tuple[str | int, ...], message: str) -> XnerError:
        return XnerError(f"suite {suite.name}, grids.{name}.{'.'.join(map(str, loc))}: {message}")

    return _grid({"suite": suite.name, **suite.grids[name]}, complain)


def read(document: yamlfile.Document) -> Grid:
    """The grid of a file; an error names file, line and key."""
    if not isinstance(document.value, dict):
        raise document.error((), "a grid is made of keys, the flags of `xner-bench run`, with values or lists")
    return _grid(document.value, document.error)


def _grid(value: Mapping[str, Any], complain: Complain) -> Grid:
    found: dict[str, Any] = {"training": {}, "options": {}}
    if all(key in value for key in SEEDS):
        raise complain((SEEDS[0],), "seed and seeds are one and the same; keep one of them, with all the values")
    for key, given in value.items():
        values, of_value = _values(key, given, complain), _placed(given, complain)
        if key in LISTS:
            found[key] = _texts(key, values, of_value)
        elif key in SEEDS:
            found["seed"] = _seeds(key, values, of_value)
        elif key == FEW_SHOT:
            found[key] = _numbers(key, values, of_value)
        elif key == REVISION:
            found[key] = "".join(_texts(key, values[:1], of_value)) or None
        elif key in Training.model_fields:
            found["training"][key] = _checked(key, values, Training, of_value)
        else:
            found["options"][key] = _options(key, values, value.get("method"), of_value)
    return Grid(**found)


def _placed(given: Any, complain: Complain) -> Complain:
    """Complains of a value of a list by its number, and of one that stands alone by its key."""

    def of_value(loc: tuple[str | int, ...], message: str) -> XnerError:
        if isinstance(given, list) and len(loc) > 1:
            return complain(loc, f"value {int(loc[1]) + 1} of the list: {message}")
        return complain(loc[:1], message)

    return of_value


def _values(key: str, given: Any, complain: Complain) -> list[Value]:
    """A list, or one value as one."""
    values = given if isinstance(given, list) else [given]
    for index, one in enumerate(values):
        if isinstance(one, dict | list):
            raise complain((key, index) if one is not given else (key,), "a value or a list of values is needed")
    if not values and key != "targets":
        raise complain((key,), "the list is empty; give a value, or leave the key out")
    return values


def _texts(key: str, values: list[Value], complain: Complain) -> tuple[str, ...]:
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise complain((key, index), f"text is needed, not {json.dumps(value)}; in quotes it is text")
    return tuple(str(value) for value in values)


def _numbers(key: str, values: list[Value], complain: Complain) -> tuple[int, ...]:
    found = [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0]
    for index, value in enumerate(values):
        if value not in found:
            raise complain((key, index), f"a whole number from 1 is needed, not {json.dumps(value)}")
    return tuple(found)


def _seeds(key: str, values: list[Value], complain: Complain) -> tuple[int, ...]:
    found: list[int] = []
    for index, value in enumerate(values):
        try:
            several = numbers(value) if isinstance(value, str) else None
        except ValueError as error:
            raise complain((key, index), str(error)) from None
        found += [_value((key, index), value, RunSettings, "seed", complain)] if several is None else several
    return tuple(found)


def _options(key: str, values: list[Value], methods: Any, complain: Complain) -> tuple[Value, ...]:
    """The values of an option as the first method reads it that has it: of the grid's, else of all there are."""
    names = [method for method in (methods if isinstance(methods, list) else [methods]) if isinstance(method, str)]
    classes = [registry.load(name) for name in names] + [one.method for one in registry.listing() if one.method]
    for cls in classes:
        if key in cls.model_fields:
            return _checked(key, values, cls, complain)
    own = (name for cls in classes for name in cls.model_fields)
    known = (*LISTS, "seeds", REVISION, FEW_SHOT, *Training.model_fields, *own)
    raise complain((key,), str(UnknownName("setting or option", key, set(known))))


def _checked(key: str, values: list[Value], cls: type[BaseModel], complain: Complain) -> tuple[Any, ...]:
    return tuple(_value((key, index), value, cls, key, complain) for index, value in enumerate(values))


def _value(loc: tuple[str, int], value: Value, cls: type[BaseModel], field: str, complain: Complain) -> Any:
    """A value as a field of a class takes it: a whole number as a fraction, say, but never a text as a number."""
    known = cls.model_fields[field]
    kind: TypeAdapter[Any] = TypeAdapter(known.rebuild_annotation())
    try:
        return kind.validate_python(None if value == NONE and plain(known.annotation)[1] else value, strict=True)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise complain(loc, f"{said} (got {json.dumps(value)}); {_advice(value, cls, field)}") from None


def _advice(value: Value, cls: type[BaseModel], field: str) -> str:
    """What to write in the place of a value that a field does not take."""
    if isinstance(value, str) and "," in value:
        return f"several values are a list: [{value}]"
    if isinstance(value, str) and (yamlfile.INTEGER.fullmatch(value) or yamlfile.FLOAT.fullmatch(value)):
        return "leave the quotes out"
    about = cls.model_fields[field].description
    return f"{field} is: {about}" if about else f"`xner-bench run --help` says what {flag(field)} takes"


def as_yaml(grid: Grid) -> str:
    """The grid as a file that `read` reads back."""
    lists: dict[str, Iterable[Value] | None] = {
        "suite": grid.suite or (DEFAULT_SUITE,),
        "method": grid.method,
        **grid.options,
        "encoder": grid.encoder or None,
        REVISION: (grid.encoder_revision,) if grid.encoder_revision else None,
        "source": grid.source or None,
        "targets": grid.targets,
        **grid.training,
        "seeds": in_ranges(grid.seed) or None,
        "profiles": grid.profiles or None,
        "perturb": grid.perturb or None,
        FEW_SHOT: grid.few_shot or None,
        "sampling": grid.sampling or None,
        "chosen_on": grid.chosen_on or None,
    }
    return "".join(f"{key}: {_listed(list(values))}\n" for key, values in lists.items() if values is not None)


def _listed(values: list[Value]) -> str:
    shown = [_scalar(value) for value in values]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value not in _WORDS:
            return value
        quoted = json.dumps(value, ensure_ascii=False)
        return _SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
    return json.dumps(value)  # 1e-05, true, null
