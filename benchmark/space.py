"""What a search chooses from: for every searched field a range or a list of values.

Suites give it for the fields of training (`search:`), methods for their own (`Method.search_space`).
"""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from xner_bench.leaderboard.cells import number, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.distributions import BaseDistribution

DIGITS = 3  # of a drawn number: enough to tell two apart, few enough to type
POINTS = 5  # of a range, where a grid is wanted and none is given

Scalar = None | bool | int | float | str


class Range(BaseModel):
    """All numbers from `low` to `high`; whole ones if both are whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    log: bool = Field(False, description="as many tries from 1 to 10 as from 10 to 100")
    grid: tuple[int | float, ...] = Field((), description="values of a grid; default: five, evenly spaced")

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: float, info: ValidationInfo) -> float:
        if not info.data.get("low", -math.inf) < high < math.inf:
            raise ValueError("a range ends above its beginning")
        return high

    @field_validator("log")
    @classmethod
    def _above_zero(cls, log: bool, info: ValidationInfo) -> bool:
        if log and info.data.get("low", 1) <= 0:
            raise ValueError("a range with a logarithm begins above 0")
        return log

    @field_validator("grid")
    @classmethod
    def _inside(cls, grid: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        low, high = info.data.get("low", -math.inf), info.data.get("high", math.inf)
        if outside := [value for value in grid if not low <= value <= high]:
            raise ValueError(f"{outside[0]} lies outside {low} to {high}")
        return grid

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


Choices = tuple[Scalar, ...]
Space = dict[str, Range | Choices]


def extent(choices: Range | Choices, *, whole: bool = False) -> str:
    """What a field is chosen from, in words; the `whole` of it has the values of a grid, too."""
    if not isinstance(choices, Range):
        return ", ".join(map(setting, choices))
    grid = f", in a grid {', '.join(map(number, choices.grid))}" if whole and choices.grid else ""
    return f"{number(choices.low)} to {number(choices.high)}{' (log)' if choices.log else ''}{grid}"


def of_kind(choices: Range | Choices, kind: Any) -> Range | Choices:
    """The same for a field of this type: a range for a field that is no whole number has broken bounds."""
    if isinstance(choices, Range) and kind is float:
        return choices.model_copy(update={"low": float(choices.low), "high": float(choices.high)})
    return choices


def distributions(space: Mapping[str, Range | Choices]) -> dict[str, BaseDistribution]:
    """The same in Optuna's words."""
    return {name: _distribution(choices) for name, choices in space.items()}


def _distribution(choices: Range | Choices) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(choices, Range):
        return CategoricalDistribution(choices)
    if choices.whole:
        return IntDistribution(int(choices.low), int(choices.high), log=choices.log)
    return FloatDistribution(choices.low, choices.high, log=choices.log)


def rounded(space: Mapping[str, Range | Choices], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Drawn values as people can type them, in the order of the space."""
    return {name: _round(choices, drawn[name]) for name, choices in space.items()}


def _round(choices: Range | Choices, value: Any) -> Any:
    if not isinstance(choices, Range) or choices.whole:
        return value
    return min(max(float(f"{value:.{DIGITS}g}"), choices.low), choices.high)


def first(choices: Range | Choices) -> Any:
    """A value that will do until one is drawn."""
    return choices.low if isinstance(choices, Range) else choices[0]


def values(choices: Range | Choices) -> Choices:
    """The values that a grid has of it."""
    if not isinstance(choices, Range):
        return choices
    if choices.grid:
        return choices.grid
    low, high = (math.log(choices.low), math.log(choices.high)) if choices.log else (choices.low, choices.high)
    between = (low + (high - low) * step / (POINTS - 1) for step in range(POINTS))
    points = (math.exp(point) if choices.log else point for point in between)
    return tuple(dict.fromkeys(_whole_or_round(choices, point) for point in points))


def _whole_or_round(choices: Range, point: float) -> float:
    value: float = round(point) if choices.whole else _round(choices, point)
    return value


def finite(space: Mapping[str, Range | Choices]) -> bool:
    """Whether the whole space could be tried."""
    return all(not isinstance(choices, Range) or choices.whole for choices in space.values())


def size(space: Mapping[str, Range | Choices], grid: bool) -> float:
    """How many different settings there are: infinitely many where a number is broken, unless only a grid of it is."""
    if grid:
        return math.prod(len(values(choices)) for choices in space.values())
    return math.prod(_extent(choices) for choices in space.values())


def _extent(choices: Range | Choices) -> float:
    if not isinstance(choices, Range):
        return len(choices)
    return choices.high - choices.low + 1 if choices.whole else math.inf


def every(space: Mapping[str, Range | Choices], seed: int, grid: bool) -> list[dict[str, Any]]:
    """All settings of a grid (or of a finite space), shuffled: so that the first few are no corner of it."""
    each = [values(choices) if grid else _all(choices) for choices in space.values()]
    found = [dict(zip(space, chosen, strict=True)) for chosen in itertools.product(*each)]
    random.Random(seed).shuffle(found)
    return found


def _all(choices: Range | Choices) -> Choices:
    return tuple(range(int(choices.low), int(choices.high) + 1)) if isinstance(choices, Range) else choices
