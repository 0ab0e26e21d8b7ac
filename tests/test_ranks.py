"""Mean rank and Borda count: over the languages that all entries have, two and two over the seeds that both have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from boards import Bench
from hypothesis import given
from hypothesis import strategies as st

from xner_bench.leaderboard import board, markdown, ranks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xner_bench.leaderboard.ranks import Ranking

LANGUAGES = ("a", "b", "c", "d")
SCORES = {
    "x": {"a": 90.0, "b": 50.0, "c": 50.0, "d": 10.0},
    "y": {"a": 60.0, "b": 51.0, "c": 51.0, "d": 10.0},
    "z": {"a": 10.0, "b": 10.0, "c": 99.0, "d": 99.0},
}


def of(scores: dict[str, dict[str, float]]) -> dict[str, tuple[float, float]]:
    return {name: tuple(rank) for name, rank in ranking(scores).ranks.items()}


def ranking(scores: dict[str, dict[str, float]], languages: Sequence[str] = LANGUAGES) -> Ranking:
    """Of entries with one seed."""
    return ranks.of(
        {name: {at: {1: score} for at, score in found.items()} for name, found in scores.items()}, languages
    )


def without(name: str, language: str) -> dict[str, dict[str, float]]:
    kept = {at: score for at, score in SCORES[name].items() if at != language}
    return SCORES | {name: kept}


def test_ranks_are_from_1_and_equal_scores_share_the_mean_of_theirs() -> None:
    assert of(SCORES) == {
        "x": ((1 + 2 + 3 + 2.5) / 4, 2 + 1 + 0 + 0.5),
        "y": ((2 + 1 + 2 + 2.5) / 4, 1 + 2 + 1 + 0.5),
        "z": ((3 + 3 + 1 + 1) / 4, 0 + 0 + 2 + 2),
    }


def test_all_points_of_a_language_are_given_out() -> None:
    found = ranking(SCORES)
    assert sum(rank.borda for rank in found.ranks.values()) == len(LANGUAGES) * 3
    assert sum(rank.mean for rank in found.ranks.values()) == 1 + 2 + 3


def test_a_language_that_one_entry_lacks_counts_for_nobody() -> None:
    found = ranking(without("z", "d"))
    assert (found.corpora, found.size) == (("a", "b", "c"), 4)
    shorter = {name: {at: score for at, score in every.items() if at != "d"} for name, every in SCORES.items()}
    assert dict(found.ranks) == dict(ranking(shorter).ranks)


def test_nobody_gains_by_leaving_a_language_out_alone() -> None:
    """x is last in c. Without it x has no rank there, and neither have the others."""
    whole, cut = of(SCORES), of(without("x", "c"))
    assert whole["x"][0] > cut["x"][0]  # as all are compared over fewer languages ...
    assert ranking(without("x", "c")).corpora == ("a", "b", "d")  # ... which is said
    assert cut["x"] == of({name: {k: v for k, v in one.items() if k != "c"} for name, one in SCORES.items()})["x"]


def test_without_an_entry_the_others_change_places_but_not_their_means() -> None:
    """With z, y is before x by Borda; without it as well, but the mean rank of both moves."""
    whole, two = of(SCORES), of({name: SCORES[name] for name in ("x", "y")})
    assert (whole["y"][0], two["y"][0]) == (1.875, 1.375)
    assert two["x"] == ((1 + 2 + 2 + 1.5) / 4, 1 + 0 + 0 + 0.5)


def test_a_third_entry_may_turn_the_order_of_two() -> None:
    scores = {"x": {"a": 9.0, "b": 1.0, "c": 1.0}, "y": {"a": 1.0, "b": 2.0, "c": 2.0}}
    third = {"z": {"a": 5.0, "b": 0.0, "c": 0.0}, "w": {"a": 4.0, "b": 0.0, "c": 0.0}}
    before, after = of3(scores), of3(scores | third)
    assert before["x"] > before["y"]
    assert after["x"] < after["y"]


def of3(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    return {name: rank.mean for name, rank in ranking(scores, ("a", "b", "c")).ranks.items()}


def test_an_entry_without_any_score_is_not_compared() -> None:
    assert of(SCORES | {"none": {}}) == of(SCORES)


@pytest.mark.parametrize("scores", [{}, {"x": SCORES["x"]}, {"x": {"a": 1.0}, "y": {"b": 1.0}}])
def test_one_entry_or_no_common_language_has_no_ranks(scores: dict[str, dict[str, float]]) -> None:
    assert not ranking(scores).ranks


def worth(scores: Sequence[Mapping[int, float]]) -> list[float]:
    """Of entries in one language, pair by pair."""
    found = [0.0] * len(scores)
    for at, one in enumerate(scores):
        for other in (*scores[:at], *scores[at + 1 :]):
            seeds = one.keys() & other.keys()
            own, its = (sum(each[seed] for seed in seeds or each) / len(seeds or each) for each in (one, other))
            found[at] += (own > its) + (own == its) / 2
    return found


SEEDS = st.dictionaries(st.integers(1, 4), st.integers(0, 3).map(float), min_size=1)


@given(st.lists(SEEDS, min_size=2, max_size=7))
def test_two_entries_are_compared_over_the_seeds_that_both_have(scores: list[dict[int, float]]) -> None:
    found = ranks.of({str(at): {"a": one} for at, one in enumerate(scores)}, ("a",)).ranks
    assert [found[str(at)].borda for at in range(len(scores))] == worth(scores)
    assert [found[str(at)].mean for at in range(len(scores))] == [len(scores) - one for one in worth(scores)]


def test_a_lucky_seed_that_others_lack_is_worth_nothing() -> None:
    one, other = {1: 50.0, 2: 52.0}, {1: 49.0, 2: 51.0, 3: 99.0}
    found = ranks.of({"one": {"a": one}, "other": {"a": other}}, ("a",)).ranks
    assert found["one"] == (1.0, 1.0)
    assert found["other"] == (2.0, 0.0)


def test_the_order_of_seeds_makes_no_difference_between_equal_scores() -> None:
    values = (0.1, 0.2, 0.3)
    turned = {name: {"a": dict(enumerate(order))} for name, order in (("x", values), ("y", values[::-1]))}
    assert {rank.mean for rank in ranks.of(turned, ("a",)).ranks.values()} == {1.5}


def test_the_board_has_them_beside_the_mean(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.add(scores={"two:bb": None})
    bench.add("slicer", options={"h": 8, "classifier": "trained", "bias": "per_slice"}, scores={"one:ab": (9, 0, 0)})
    (section,) = board.build(bench.store, bench.catalogue)
    found = ranks.ranking(section, "word-strict", "last")
    assert (len(found.corpora), found.size) == (4, 5)
    text = markdown.leaderboard([section])
    assert "Ranks, TRUE, over 4 of 5 languages." in text
    assert "| slicer h=8 | mini | 85.5 (1) | 1.38 | 2.5 |" in text
    assert "| standard | mini | 4/5 | 1.62 | 1.5 |" in text


def test_on_the_board_too_unequal_seeds_are_compared_over_those_that_both_have(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    lucky = dict.fromkeys(("one:aa", "one:ab", "one:ac", "two:ba", "two:bb"), (90, 1, 1))
    for seed in (1, 2):
        bench.add(seed=seed, scores=dict.fromkeys(lucky, (9, 2, 2)))
        bench.add("bitfit", seed=seed)
    bench.add("bitfit", seed=3, scores=lucky)
    (section,) = board.build(bench.store, bench.catalogue)
    names = {line.entry_id: line.label for line in section.lines}
    assert section.lines[0].label == "bitfit"  # by the means over all seeds
    found = {names[name]: rank.mean for name, rank in ranks.ranking(section, "word-strict", "last").ranks.items()}
    assert found == {"standard": 1.0, "bitfit": 2.0}
