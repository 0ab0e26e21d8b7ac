"""How a number or a name looks in a cell: the same in Markdown and in the terminal."""

from __future__ import annotations

import unicodedata
from math import fsum, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE = "–"  # no score
_INVISIBLE = (
    "Cc",
    "Cs",
    "Cf",
    "Zl",
    "Zp",
)  # control characters, among them escape sequences and changes of direction
_JOINERS = "\u200c\u200d"  # invisible, but part of the spelling of names in several scripts


class Stat(NamedTuple):
    """A mean over seeds, in percent. `std` is the sample's (n - 1), None for one seed.

    Of published scores both are None where the paper does not say them.
    """

    mean: float
    std: float | None
    n: int | None


def stat(values: Sequence[float | None]) -> Stat | None:
    """Mean and spread of one value a seed; None where a seed has none: no mean is over some of them."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    n = len(known)
    mean = fsum(known) / n
    std = sqrt(fsum((value - mean) ** 2 for value in known) / (n - 1)) if n > 1 else None
    return Stat(mean, std, n)


def mean_text(value: Stat | None) -> str:
    """`57.3`, or `57.3 ± 1.5` for more than one seed, or a dash."""
    if value is None:
        return NONE
    return f"{value.mean:.1f}" if value.std is None else f"{value.mean:.1f} ± {value.std:.1f}"


def percent_text(share: float | None) -> str:
    """A score from 0 to 1 as `57.3`, or a dash."""
    return NONE if share is None else f"{100 * share:.1f}"


def group_text(value: Stat | None, scored: int, size: int) -> str:
    """A group's mean with the number of seeds, or how many of its targets have a score."""
    if value is None:
        return f"{scored}/{size}"
    return mean_text(value) if value.n is None else f"{mean_text(value)} ({value.n})"


def signed_text(value: Stat, most: int) -> str:
    """A difference: `+1.2 ± 0.5 (3)`; one that rounds to nothing has no sign."""
    spread = "" if value.std is None else f" ± {value.std:.1f}"
    return f"{signed(value.mean)}{spread} ({matched(value.n or 0, most)})"


def matched(seeds: int, most: int) -> str:
    """How many seeds two entries share: `3`, or `3 of 5` where one of them has so many."""
    return f"{seeds} of {most}" if seeds < most else str(seeds)


def signed(value: float) -> str:
    """`+1.2`, or `0.0`."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def plain(text: str) -> str:
    """A name as one line of visible text: no control characters, runs of white space as one blank."""
    visible = (
        c if c.isspace() or c in _JOINERS or unicodedata.category(c) not in _INVISIBLE else "\ufffd" for c in text
    )
    return " ".join("".join(visible).split())


def number(value: float) -> str:
    """A setting as people write it: 1e-5 and not 1e-05, 32 and not 32.0."""
    digits, _, exponent = f"{value:g}".partition("e")
    return f"{digits}e{int(exponent)}" if exponent else digits


def setting(value: object) -> str:
    """A setting of any kind as text."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else plain(str(value))
