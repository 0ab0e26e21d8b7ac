"""Student's t: what a handful of seeds, resampled, says of seeds that nobody ran."""

from __future__ import annotations

from functools import cache
from math import atan, cos, nextafter, pi, sin, sqrt

LEVEL = 0.05  # of the interval: 95 %
Z = 1.959963984540054  # the normal quantile of 97.5 %


def tail(t: float, freedom: int) -> float:
    """The chance to be as far from 0 as t, two-sided: Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle, odd = atan(t / sqrt(freedom)), freedom % 2
    total, term = 0.0, cos(angle) ** odd
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * cos(angle) ** 2
    within = sin(angle) * total
    return 1 - (2 / pi * (angle + within) if odd else within)


@cache
def quantile(freedom: int) -> float:
    """Of 97.5 %: the end of the interval of 95 %."""
    low, high = Z, 13.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if tail(middle, freedom) > LEVEL else (low, middle)
    return high


def stretch(seeds: int) -> float:
    """By how much what so many resampled seeds make of a draw is too small; 1 for one, of which nothing follows."""
    return sqrt(seeds / (seeds - 1)) * quantile(seeds - 1) / Z if seeds > 1 else 1.0


def reached(difference: float, low: float, high: float, seeds: int) -> float:
    """The level at which the interval of a difference would end at 0: a p-value about training again.

    The interval is that of 95 %; at other levels it is as much wider as Student's t is. 1 for one seed.
    """
    if seeds < 2 or not difference:
        return 1.0
    width = difference - low if difference > 0 else high - difference
    if width <= 0 and low < high:  # that of 95 % leaves the difference itself out, so it is no measure of others
        return nextafter(LEVEL, 0) if low > 0 or high < 0 else 1.0
    return tail(quantile(seeds - 1) * abs(difference) / width, seeds - 1) if width else 0.0
