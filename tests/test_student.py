"""Student's t is that of the tables, and an interval says at which level it would reach 0."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xner_bench.leaderboard.student import Z, quantile, reached, stretch, tail

# Degrees of freedom -> the quantile of 97.5 % and of 99.5 % in the usual tables.
TABLE = {
    1: (12.706, 63.657),
    2: (4.303, 9.925),
    3: (3.182, 5.841),
    9: (2.262, 3.250),
    10: (2.228, 3.169),
    120: (1.980, 2.617),
}


@pytest.mark.parametrize("freedom", TABLE)
def test_students_t_is_that_of_the_tables(freedom: int) -> None:
    usual, wide = TABLE[freedom]
    assert quantile(freedom) == pytest.approx(usual, abs=5e-4)
    assert tail(usual, freedom) == pytest.approx(0.05, abs=2e-5)
    assert tail(wide, freedom) == pytest.approx(0.01, abs=2e-5)


@settings(deadline=None)  # scipy is imported in the first
@given(st.floats(0, 50), st.integers(1, 300))
def test_tails_are_those_of_scipy(t: float, freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert tail(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-12)


def test_many_seeds_are_as_the_normal_distribution_and_one_says_nothing() -> None:
    assert quantile(100_000) == pytest.approx(Z, abs=1e-4)
    assert stretch(5) == pytest.approx(sqrt(5 / 4) * 2.776445 / Z)
    assert stretch(1) == 1
    assert reached(3.0, 2.0, 4.0, 1) == 1


@given(st.floats(-50, 50), st.floats(0.01, 50), st.floats(0.01, 50), st.integers(2, 30))
def test_the_level_is_below_five_percent_where_the_interval_leaves_out_zero(
    difference: float, below: float, above: float, seeds: int
) -> None:
    low, high = difference - below, difference + above
    assume(min(abs(low), abs(high)) > 1e-6)
    assert (reached(difference, low, high, seeds) < 0.05) == (low > 0 or high < 0)
    assert reached(difference, low, high, seeds) == reached(-difference, -high, -low, seeds)


def test_fewer_seeds_must_be_farther_from_zero() -> None:
    levels = [reached(3.0, 2.0, 4.0, seeds) for seeds in (2, 3, 5, 10)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(tail(3 * 12.7062, 1), rel=1e-4)
    assert (reached(0.0, 0.0, 0.0, 5), reached(2.0, 2.0, 2.0, 5)) == (1.0, 0.0)


def test_an_interval_that_leaves_out_the_difference_itself_is_no_stronger_than_95_percent() -> None:
    assert reached(0.3, 0.5, 3.0, 5) == reached(-0.3, -3.0, -0.5, 5) == pytest.approx(0.05)
    assert reached(0.3, 0.5, 3.0, 5) < 0.05
