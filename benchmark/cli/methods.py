"""`xner-bench methods`: what there is, where it comes from, what can be set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, get_args, get_origin

import click

from xner_bench import registry
from xner_bench.cli.options import default
from xner_bench.fields import flag, plain

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from xner_bench.registry import Listed


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def methods(as_json: bool) -> None:
    """List every method: its one-line summary, origin and options. Broken plugins are listed with what is wrong."""
    found = registry.listing()
    if as_json:
        click.echo(json.dumps([_record(one) for one in found], indent=1))
        return
    for one in found:
        click.echo(f"{click.style(one.name, bold=True)}  ({one.origin})")
        click.echo(f"    {one.summary if one.method else 'BROKEN: ' + one.problem}")
        for name, field in one.method.model_fields.items() if one.method else ():
            click.echo(f"    {_option(name, field)}  {default(field)}  {field.description or ''}".rstrip())
        click.echo()
    click.echo(
        "Run one:  xner-bench run --method NAME [its options]    All its options:  xner-bench run --method NAME --help"
    )
    click.echo("Methods that change different things combine:  xner-bench run --method crf+prune")


def _option(name: str, field: FieldInfo) -> str:
    if plain(field.annotation)[0] is bool:
        return f"{flag(name)} / {flag('no_' + name)}"
    return f"{flag(name)} {_values(field)}"


def _values(field: FieldInfo) -> str:
    kind, _ = plain(field.annotation)
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return str(getattr(kind, "__name__", kind)).upper()


def _record(one: Listed) -> dict[str, object]:
    fields = one.method.model_fields if one.method else {}
    options = {
        name: {
            "default": None if field.is_required() else field.get_default(call_default_factory=True, validated_data={}),
            "required": field.is_required(),
            "values": _values(field),
            "about": field.description,
        }
        for name, field in fields.items()
    }
    return {
        "name": one.name,
        "origin": one.origin,
        "summary": one.summary,
        "options": options,
        "broken": one.problem or None,
    }
