"""Fields of a pydantic class as click options: one field, one flag, the field's description its help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from xner_bench.fields import flag, plain

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


def options_of(cls: type[BaseModel], dest: str) -> list[click.Option]:
    """The flags of a class' fields; what is given (and only that) is gathered as a dict in `ctx.meta[dest]`."""
    return [option(name, field, dest) for name, field in cls.model_fields.items()]


def option(name: str, field: FieldInfo, dest: str) -> click.Option:
    """The flag of a field: `--x/--no-x` for bool, a choice for Literal, else a value; `none` clears an optional one."""
    shown = flag(name)
    kind, optional = plain(field.annotation)
    given: dict[str, Any] = {"help": _help(field)}
    if kind is bool:
        shown += f"/{flag('no_' + name)}"
    elif get_origin(kind) is Literal:
        given["type"] = click.Choice(get_args(kind))
    else:
        given["type"] = _Optional(kind) if optional else _CLICK.get(kind, click.STRING)

    def keep(ctx: click.Context, _: click.Parameter, value: object) -> None:
        if value is not None:
            ctx.meta.setdefault(dest, {})[name] = None if value is NONE else value

    return click.Option([shown, f"{dest}_{name}"], default=None, expose_value=False, callback=keep, **given)


def _help(field: FieldInfo) -> str:
    shown = "" if field.is_required() else f"  {default(field)}"  # of the training's fields the suite decides
    return f"{field.description or ''}{shown}"


def default(field: FieldInfo) -> str:
    """What a field is when nothing is given: "[default: 8]", or "[required]"."""
    if field.is_required():
        return "[required]"
    value = field.get_default(call_default_factory=True, validated_data={})
    return f"[default: {'none' if value is None else value}]"


NONE = object()  # "none" on the command line, as opposed to nothing at all
_CLICK: dict[Any, click.ParamType[Any]] = {int: click.INT, float: click.FLOAT, str: click.STRING}


class _Optional(click.ParamType[Any]):
    """A value, or the word none."""

    def __init__(self, kind: Any) -> None:
        self.inner = _CLICK.get(kind, click.STRING)
        self.name = f"{self.inner.name}|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return NONE if value == "none" else self.inner.convert(value, param, ctx)
