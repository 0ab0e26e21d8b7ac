"""Corrections for many p-values are what their papers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xner_bench.leaderboard.correction import benjamini, holm


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_stepdown_and_keeps_the_order(values: list[float]) -> None:
    found = holm(values)
    for at, p in enumerate(values):
        smaller = [other for other in values if other <= p]
        wanted = max((min(1.0, (len(values) - sum(x < one for x in values)) * one) for one in smaller), default=0.0)
        assert found[at] == wanted
        assert p <= found[at] <= 1


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.999))
def test_benjamini_takes_all_up_to_the_last_that_is_below_its_share(values: list[float], level: float) -> None:
    found, rising = benjamini(values), sorted(values)
    last = max((at for at, p in enumerate(rising, 1) if p * (len(values) / at) <= level), default=0)
    assert [p <= level for p in found] == [p <= rising[last - 1] if last else False for p in values]
    assert all(p <= corrected <= one for p, corrected, one in zip(values, found, holm(values), strict=True))


def test_of_one_value_nothing_is_corrected() -> None:
    assert (holm([0.03]), benjamini([0.03])) == ([0.03], [0.03])
    assert benjamini([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
