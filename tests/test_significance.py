"""Intervals and p-values: what plain loops give, right in simulations, and the same however they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import counts
import numpy as np
import pytest
from counts import entries

from xner_bench.leaderboard import resampling, significance
from xner_bench.leaderboard.resampling import resamples, stream, swaps
from xner_bench.leaderboard.significance import Contest, compare, drawn, halves
from xner_bench.leaderboard.student import stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xner_bench.leaderboard.significance import Draws

DRAWS = 1300  # more than a block, and not a whole number of them
SEEDS = (42, 43, 47)


class Plain(NamedTuple):
    """What plain loops make of two entries on a corpus."""

    found: float
    resampled: list[float]
    swapped: list[float]


def f1(counts: NDArray[np.int64]) -> float:
    """Of sentences (S, 3), in percent."""
    tp, fp, fn = (int(total) for total in counts.sum(axis=0))
    return 200 * (tp / (2 * tp + fp + fn)) if 2 * tp + fp + fn else 0.0


def mean(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def weights(name: str, kind: str, size: int) -> NDArray[np.int64]:
    """The random numbers of a corpus, (D, S)."""
    make = resamples if kind == "sentences" else swaps
    blocks = [(start, min(significance.BLOCK, DRAWS - start)) for start in range(0, DRAWS, significance.BLOCK)]
    found = [one for start, draws in blocks for one in make(stream(0, kind, name, start), draws, size)]
    return np.concatenate(found).astype(np.int64)


def loops(name: str, entry: NDArray[np.int64], against: NDArray[np.int64]) -> Plain:
    """The same statistics, a draw, an entry and a seed at a time."""
    size, n = entry.shape[1], len(entry)
    chosen = np.concatenate(list(resamples(stream(0, "seeds", *SEEDS[:n]), DRAWS, n))).astype(np.int64)
    resampled, swapped = [], []
    for seeds, times, swap in zip(chosen, weights(name, "sentences", size), weights(name, "swaps", size), strict=True):
        sides, moved = [], []
        for own, other in ((entry, against), (against, entry)):
            every = [f1(one * times[:, None]) for one in own]
            some = mean([score * int(often) for score, often in zip(every, seeds, strict=True)])
            sides.append(mean(every) + stretch(n) * (some - mean(every)))
            moved.append(mean([f1(np.where(swap[:, None] == 1, b, a)) for a, b in zip(own, other, strict=True)]))
        resampled.append(sides[0] - sides[1])
        swapped.append(moved[0] - moved[1])
    return Plain(mean([f1(one) for one in entry]) - mean([f1(one) for one in against]), resampled, swapped)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_plain_loops_give_the_same_to_the_last_bit(n: int) -> None:
    random = np.random.default_rng(n)
    sizes = {"one:aa": 37, "one:ab": 64, "two:ba": 5}
    pairs = {name: entries(random, n, size) for name, size in sizes.items()}
    found = compare({k: a for k, (a, _) in pairs.items()}, {k: b for k, (_, b) in pairs.items()}, SEEDS[:n], DRAWS)
    plain = {name: loops(name, *pair) for name, pair in pairs.items()}
    for name, told in plain.items():
        assert found[name].found == told.found
        assert found[name].resampled.tolist() == told.resampled
        assert found[name].swapped.tolist() == told.swapped
    group = significance.mean(list(found.values()))
    for draw in range(DRAWS):
        assert group.resampled[draw] == mean([one.resampled[draw] for one in plain.values()])
    hits = sum(
        abs(mean([one.swapped[draw] for one in plain.values()])) >= abs(group.found) - 1e-9 for draw in range(DRAWS)
    )
    assert group.p == (1 + hits) / (1 + DRAWS)
    low, high = np.quantile(group.resampled, (0.025, 0.975))
    assert group.interval == (max(low, -100), min(high, 100))


def everything(one: Draws) -> list[object]:
    return [one.mean, one.against_mean, one.resampled.tolist(), one.sentences.tolist(), one.swapped.tolist()]


def test_threads_chunks_and_other_entries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = entries(np.random.default_rng(0), 3, 50)
    (alone,) = drawn("one:aa", halves(np.concatenate([first, second])), [Contest((0, 1, 2), (3, 4, 5), SEEDS)], DRAWS)
    third, _ = entries(np.random.default_rng(1), 3, 50)
    more = halves(np.concatenate([third, second, first]))
    contests = [Contest((0, 1, 2), (3, 4, 5), SEEDS), Contest((6, 7, 8), (3, 4, 5), SEEDS)]
    monkeypatch.setattr(resampling, "CHUNK", 77)
    _, among = drawn("one:aa", more, contests, DRAWS, threads=4)
    assert everything(alone) == everything(among)


def test_fewer_draws_are_the_first_of_more_and_another_seed_or_name_gives_others() -> None:
    first, second = entries(np.random.default_rng(0), 2, 50)
    taggings, contests = halves(np.concatenate([first, second])), [Contest((0, 1), (2, 3), (1, 2))]
    (many,) = drawn("one:aa", taggings, contests, 1000)
    (few,) = drawn("one:aa", taggings, contests, 100)
    assert few.resampled.tolist() == many.resampled[:100].tolist()
    assert few.swapped.tolist() == many.swapped[:100].tolist()
    for name, seed in (("one:ab", 0), ("one:aa", 1)):
        (other,) = drawn(name, taggings, contests, 100, seed)
        assert other.resampled.tolist() != few.resampled.tolist()


def test_the_other_way_round_everything_has_the_other_sign() -> None:
    first, second = entries(np.random.default_rng(0), 3, 60, better=0.4)
    taggings = halves(np.concatenate([first, second]))
    one, other = drawn("a", taggings, [Contest((0, 1, 2), (3, 4, 5), SEEDS), Contest((3, 4, 5), (0, 1, 2), SEEDS)], 500)
    assert one.found == -other.found
    assert one.p == other.p
    assert one.interval == pytest.approx([-end for end in reversed(other.interval)])


def test_equal_entries_do_not_differ() -> None:
    first, _ = entries(np.random.default_rng(0), 3, 60)
    found = compare({"a": first}, {"a": first}, SEEDS, 200)["a"]
    assert (found.found, found.interval, found.p, found.error) == (0.0, (0.0, 0.0), 1.0, 0.0)


def test_sentences_without_entities_are_no_division_by_zero() -> None:
    nothing = np.zeros((2, 5, 3), np.int64)
    some = nothing.copy()
    some[:, 0] = 1
    assert compare({"a": nothing}, {"a": nothing}, SEEDS[:2], 100)["a"].p == 1.0
    found = compare({"a": some}, {"a": nothing}, SEEDS[:2], 100)["a"]
    assert found.found == 50.0
    assert found.interval == (0.0, 50.0)


def test_large_counts_are_added_exactly() -> None:
    counts = np.full((2, 300, 3), 400_001, np.int64)  # their sums are beyond what single precision holds
    counts[0, 0, 0] += 1
    found = compare({"a": counts[:1]}, {"a": counts[1:]}, (1,), 50)["a"]
    plain = 200 * (300 * 400_001 + 1) / (4 * 300 * 400_001 + 2) - 50
    assert found.found == pytest.approx(plain, rel=1e-6)
    assert 0 < found.resampled.max() < 100 * plain


# 500 simulated pairs of entries in a second or two: 200 sentences, 400 draws of their own for every 25 pairs.
SIZE, FEW, AT_ONCE = 200, 400, 25


def simulated(n: int, better: float = 0.0, luck: float = 0.0, *, pairs: int) -> tuple[float, float, float]:
    """Shares of pairs with p below 0.05, with an interval that leaves out 0, and with both."""
    random = np.random.default_rng([n, round(10 * better), round(10 * luck)])
    every = [entries(random, n, SIZE, better, luck) for _ in range(pairs)]
    found = [one for at in range(0, pairs, AT_ONCE) for one in counts.drawn("a", every[at : at + AT_ONCE], FEW, at)]
    low, apart = [one.p < 0.05 for one in found], [not one.interval[0] <= 0 <= one.interval[1] for one in found]
    return sum(low) / pairs, sum(apart) / pairs, sum(map(all, zip(low, apart, strict=True))) / pairs


@pytest.mark.parametrize(("n", "pairs"), [(1, 1000), (2, 500), (3, 500), (5, 500), (10, 500)])  # docs/evidence.md
def test_without_a_difference_few_p_values_are_small(n: int, pairs: int) -> None:
    low, _, _ = simulated(n, pairs=pairs)
    assert low <= 0.06


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("luck", [0.0, 0.4])
def test_the_interval_holds_the_truth_as_often_as_it_says_also_where_seeds_differ(n: int, luck: float) -> None:
    _, apart, both = simulated(n, luck=luck, pairs=200)
    assert apart <= 0.05
    assert both <= 0.05


def test_a_true_difference_is_found() -> None:
    _, _, both = simulated(5, better=0.8, luck=0.1, pairs=50)
    assert both >= 0.8
