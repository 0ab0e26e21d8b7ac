"""p-values of one family, corrected for how many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def holm(values: Sequence[float]) -> list[float]:
    """So that in 19 of 20 families without any difference none is below 0.05 (Holm, 1979); in the order given."""
    corrected, least = [0.0] * len(values), 0.0
    for before, at in enumerate(sorted(range(len(values)), key=lambda at: values[at])):
        least = max(least, min(1.0, (len(values) - before) * values[at]))
        corrected[at] = least
    return corrected


def benjamini(values: Sequence[float]) -> list[float]:
    """So that of those below 0.05 one in 20 is expected to be wrong (Benjamini and Hochberg, 1995); in the order given.

    In a family without any difference that is the chance that any is below 0.05, as it is with Holm's. It holds where
    the values are independent, or go up and down together (Benjamini and Yekutieli, 2001).
    """
    corrected, most = [0.0] * len(values), 1.0
    for above, at in enumerate(sorted(range(len(values)), key=lambda at: -values[at])):
        most = min(most, values[at] * (len(values) / (len(values) - above)))
        corrected[at] = most
    return corrected
