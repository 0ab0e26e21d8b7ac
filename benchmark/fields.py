"""Fields of a pydantic class as the command line knows them: their flag and their plain type."""

from __future__ import annotations

import types
import typing
from typing import Any, get_args, get_origin


def flag(field: str) -> str:
    """The flag of a field: weight_decay is --weight-decay."""
    return "--" + field.replace("_", "-")


def plain(annotation: Any) -> tuple[Any, bool]:
    """A field's type without its `| None`, and whether it had one."""
    if get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        return (inner[0], True) if len(inner) == 1 else (annotation, True)
    return annotation, False
