"""Numbers for the page: as short as they can be while they still read there as they read in Markdown."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_TENTH = Decimal("0.1")


def compact(value: float | None) -> float | None:
    """A score in percent with two decimals, or as many as its one decimal in `toFixed` needs to be Python's."""
    if value is None:
        return None
    short = round(value, 2)
    if abs(abs(short) * 10 % 1 - 0.5) > 0.01:  # no tie is near
        return _whole(short)
    text = f"{value:.1f}"
    fitting = (one for one in (short, round(value, 4)) if _to_fixed(one) == text)
    return _whole(next(fitting, float(text)))


def significant(value: float | None, digits: int = 3) -> float | None:
    """A number with so many digits that matter: a p-value, seconds."""
    return None if value is None else _whole(float(f"{value:.{digits}g}"))


def _to_fixed(value: float) -> str:
    """What JavaScript's toFixed(1) writes: exact, and ties away from zero, where Python's go to the even digit."""
    return str(Decimal(value).quantize(_TENTH, ROUND_HALF_UP))


def _whole(value: float) -> float:
    """57 and not 57.0, which JSON would write."""
    return int(value) if value.is_integer() else value
