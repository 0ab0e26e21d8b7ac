"""Fields of a pydantic class as click options: one field, one flag, the field's description its help.

Every flag takes a list, values parted by commas: `--h 1,2,8`. What is given is a tuple, of one value for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from xner_bench.fields import flag, numbers, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


def options_of(classes: Sequence[type[BaseModel]], dest: str) -> list[click.Option]:
    """The flags of the fields of some classes, one for all fields of one name.

    What is given (and only that) is gathered in `ctx.meta[dest]`: a dict, field -> the values of its list.
    """
    named: dict[str, list[FieldInfo]] = {}
    for cls in classes:
        for name, field in cls.model_fields.items():
            named.setdefault(name, []).append(field)
    return [option(name, fields, dest) for name, fields in named.items()]


def option(name: str, fields: Sequence[FieldInfo], dest: str) -> click.Option:
    """The flag of a field: `--x/--no-x` for bool, else values or, for Literal, choices; `none` clears an optional one.

    Of fields that are of different kinds it takes text, which each class reads in its own way.
    """
    shown = flag(name)
    given: dict[str, Any] = {"help": _help(fields[0]), "default": None}
    if all(plain(field.annotation)[0] is bool for field in fields):
        shown += f"/{flag('no_' + name)}"
        given |= {"multiple": True}  # both are a list of two
    else:
        given["type"] = Several(_kind(fields))

    def keep(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:  # nothing is None, or the empty tuple
            ctx.meta.setdefault(dest, {})[name] = tuple(dict.fromkeys(value))

    return click.Option([shown, f"{dest}_{name}"], expose_value=False, callback=keep, **given)


def _kind(fields: Sequence[FieldInfo]) -> click.ParamType[Any]:
    kinds = [plain(field.annotation) for field in fields]
    if any(kind != kinds[0] for kind in kinds):
        return click.STRING
    kind, optional = kinds[0]
    inner = click.Choice(get_args(kind)) if get_origin(kind) is Literal else _CLICK.get(kind, click.STRING)
    return _Optional(inner) if optional else inner


def _help(field: FieldInfo) -> str:
    shown = "" if field.is_required() else f"  {default(field)}"  # of the training's fields the suite decides
    return f"{field.description or ''}{shown}"


def default(field: FieldInfo) -> str:
    """What a field is when nothing is given: "[default: 8]", or "[required]"."""
    if field.is_required():
        return "[required]"
    value = field.get_default(call_default_factory=True, validated_data={})
    return f"[default: {'none' if value is None else value}]"


EMPTY = "it is empty; give a value, or leave the flag out."
_CLICK: dict[Any, click.ParamType[Any]] = {int: click.INT, float: click.FLOAT, str: click.STRING}


class Text(click.types.StringParamType):
    """Text that says something: an empty one is what a shell makes of a variable that is not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            self.fail(EMPTY, param, ctx)
        return super().convert(value, param, ctx)


class Place(click.Path):
    """A path that is not empty."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value):
            self.fail(EMPTY, param, ctx)
        return super().convert(value, param, ctx)


class DataRoot(Place):
    """A folder that is there."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        given = super().convert(value, param, ctx)
        try:
            there = given.is_dir()
        except OSError:  # a name that is too long, say
            there = False
        if not there:
            self.fail(f"{value} is no folder; give another (--data-root DIR, $XNER_DATA_ROOT), or none.", param, ctx)
        return given


class Several(click.ParamType[Any]):
    """Values parted by commas, each of one kind and each once: `1,2,8`; of whole numbers also ranges: `42-51`.

    A folder whose own name has a comma in it is one value.
    """

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self.inner = inner
        self.name = inner.name

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"{self.inner.get_metavar(param, ctx) or self.name.upper()},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        if isinstance(value, tuple):  # click converts a default twice
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if "" in parts and len(parts) > 1:
            self.fail(f"{value!r} has an empty place between commas.", param, ctx)
        if len(parts) > 1 and Path(str(value)).is_dir():
            parts = [str(value)]
        each = (one for part in parts for one in self._each(part, param, ctx))
        return tuple(dict.fromkeys(self.inner.convert(one, param, ctx) for one in each))

    def _each(self, part: str, param: click.Parameter | None, ctx: click.Context | None) -> Iterable[str]:
        inner = self.inner.inner if isinstance(self.inner, _Optional) else self.inner
        if not isinstance(inner, click.types.IntParamType):
            return [part]
        try:
            found = numbers(part)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return [part] if found is None else map(str, found)


class _Optional(click.ParamType[Any]):
    """A value, or the word none."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self.inner = inner
        self.name = f"{inner.name}|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return None if value == "none" else self.inner.convert(value, param, ctx)
