"""Fields of a pydantic class as the command line knows them: their flag, their plain type, and ranges of numbers."""

from __future__ import annotations

import re
import types
import typing
from typing import TYPE_CHECKING, Any, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 100_000  # numbers that a range may stand for
_RANGE = re.compile(r"([0-9]+)-([0-9]+)")


def flag(field: str) -> str:
    """The flag of a field: weight_decay is --weight-decay."""
    return "--" + field.replace("_", "-")


def plain(annotation: Any) -> tuple[Any, bool]:
    """A field's type without its `| None`, and whether it had one."""
    if get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        return (inner[0], True) if len(inner) == 1 else (annotation, True)
    return annotation, False


def numbers(text: str) -> range | None:
    """The whole numbers of a range as people write it, 42-51; None where the text is none. ValueError where it is
    empty or too long."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    first, last = int(found[1]), int(found[2])
    if not 0 <= last - first < LONGEST:
        raise ValueError(f"{text!r} is no range; write the lower number first, and at most {LONGEST:,} of them")
    return range(first, last + 1)


def in_ranges(values: Sequence[int]) -> list[int | str]:
    """The same numbers in the same order, those that follow each other as ranges: 42-44, 50."""
    found: list[list[int]] = []
    for value in values:
        if found and value == found[-1][-1] + 1:
            found[-1].append(value)
        else:
            found.append([value])
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else run[0] for run in found]
