"""What a board claims: ranks, the best and bold scores, and only what the data supports."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from counts import CORPORA, SLICER, Counted, built, drawn, entries, fill, ids
from hypothesis import given
from hypothesis import strategies as st

from xner_bench.leaderboard import markdown
from xner_bench.leaderboard.evidence import Summary, supported
from xner_bench.leaderboard.evidence_types import Comparison, Evidence
from xner_bench.leaderboard.ties import ranked

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.leaderboard.lines import Section


@pytest.fixture
def bench(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def test_nothing_is_bold_that_the_data_does_not_support(bench: Counted) -> None:
    fill(bench, better=0.0)
    section = built(bench)
    assert section.evidence is not None
    assert not any(one.supported for one in section.evidence.comparisons)
    assert not any(section.evidence.bold(*place) for place in section.evidence.best)
    assert all(set(ranks.values()) == {1} for ranks in section.evidence.ties.values())
    for text in (markdown.leaderboard([section]), markdown.per_language([section], bench.catalogue)):
        assert not [row for row in text.splitlines() if row.startswith("|") and "**" in row]


def test_a_clear_difference_is_supported_ranked_and_bold(bench: Counted) -> None:
    fill(bench, better=2.5, seeds=(1, 2, 3, 4, 5))
    section = built(bench)
    found, names = section.evidence, ids(section)
    assert found is not None
    place = ("word-strict", "last", "Total")
    assert found.best[place] == names["slicer h=8"]
    assert found.baseline == {"word-strict": names["standard"]}
    assert dict(found.ties[place]) == {names["slicer h=8"]: 1, names["standard"]: 2}
    assert found.bold(*place) == {names["slicer h=8"]}
    text = markdown.leaderboard([section])
    rows = [row for row in text.splitlines() if row.startswith("| slicer")]
    assert all("**" in row for row in rows[:2])  # scores, and differences from standard
    scores = next(row for row in text.splitlines() if row.startswith("| standard"))
    assert "**" not in scores
    assert "[+" in rows[1].replace("\\", "")


def test_one_seed_supports_nothing(bench: Counted) -> None:
    fill(bench, better=2.5, seeds=(1,))
    section = built(bench)
    assert section.evidence is not None
    one = section.evidence.between(*ids(section).values(), "word-strict", "last", "Total")
    assert one is not None
    assert one.p < 0.05
    assert one.low > 0
    assert not one.supported


def test_ranks_follow_the_means_up_to_the_first_that_is_shown_to_be_worse() -> None:
    """b is tied with a; c is worse than b; d, behind c, is not told apart from a, which does not put it before c."""
    found = ranked(["a", "b", "c", "d", "e"], {("c", "b"), ("e", "d")})
    assert found == {"a": 1, "b": 1, "c": 3, "d": 3, "e": 5}


NAMES = ["a", "b", "c", "d", "e", "f"]


def test_nobody_is_bold_beside_one_that_it_is_shown_to_be_worse_than() -> None:
    """Over all seeds a, b, c, d; over the seeds that two have c is better than a, and d worse."""
    place = "word-strict", "last", "Total"
    worse = {("a", "c"), ("d", "a")}
    shown = [Comparison(*pair, *place, True, 50.0, 52.0, -2.0, -3.0, -1.0, 0.0, 0.0, 5, True) for pair in sorted(worse)]
    ranks = ranked(["a", "b", "c", "d"], worse)
    assert ranks == {"a": 1, "b": 1, "c": 1, "d": 4}
    for told in (shown, [one.turned for one in shown]):
        found = Evidence(tuple(told), {}, {place: "a"}, {place: ranks}, {}, 1000)
        assert found.bold(*place) == {"b", "c"}


@given(st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda pair: pair[0] != pair[1])))
def test_nobody_is_ranked_above_one_that_it_is_shown_to_be_worse_than(worse: set[tuple[str, str]]) -> None:
    ranks = ranked(NAMES, worse)
    assert all(ranks[other] <= ranks[one] for one, other in worse)
    firsts = {rank: name for name, rank in reversed(ranks.items())}
    assert all(NAMES.index(name) == rank - 1 for rank, name in firsts.items())
    sharing = {rank: [name for name in NAMES if ranks[name] == rank] for rank in firsts}
    for before, rank in pairwise(sorted(firsts)):
        assert any((firsts[rank], one) in worse for one in sharing[before])


def test_an_entry_with_a_lucky_seed_is_not_put_before_one_that_it_is_worse_than(bench: Counted) -> None:
    """By the means over all seeds standard, crf, slicer; over the seeds that two have slicer, standard, crf."""
    found = fill(bench, better=2.5, seeds=(1, 2, 3, 4, 5))
    perfect, nothing = np.tile([3, 0, 0], (60, 1)), np.tile([0, 1, 3], (60, 1))
    for seed in (1, 2, 3, 4, 5):
        worse = {name: np.concatenate([pair[1][seed - 1][:40], nothing[:20]]) for name, pair in found.items()}
        bench.count("crf", seed, worse)
    for seed in range(6, 66):
        bench.count("standard" if seed < 36 else "crf", seed, dict.fromkeys(CORPORA, perfect))
    section = built(bench)
    place = "word-strict", "last", "Total"
    assert section.evidence is not None
    assert [line.method for line in section.lines] == ["standard", "crf", "slicer"]
    standard, crf, slicer = ids(section).values()
    for better, other in ((slicer, standard), (standard, crf)):
        one = section.evidence.between(better, other, *place)
        assert one is not None
        assert one.supported
        assert one.difference > 0
    assert set(section.evidence.ties[place].values()) == {1}
    assert not section.evidence.bold(*place)


def expect_shown(section: Section) -> None:
    """Who has a rank behind others' was shown to be worse than one of them."""
    assert section.evidence is not None
    for place, ranks in section.evidence.ties.items():
        heads = {rank: name for name, rank in reversed(ranks.items())}
        for before, rank in pairwise(sorted(heads)):
            others = [name for name in ranks if ranks[name] == before]
            found = [section.evidence.between(heads[rank], other, *place) for other in others]
            assert any(one is not None and one.supported and one.difference < 0 for one in found)


def test_one_seed_on_top_does_not_make_all_others_equal(bench: Counted) -> None:
    fill(bench, better=2.5, seeds=(1, 2, 3, 4, 5))
    bench.count("crf", 1, dict.fromkeys(CORPORA, np.tile([3, 0, 0], (60, 1))))
    section = built(bench)
    assert section.evidence is not None
    crf, slicer, standard = (ids(section)[name] for name in ("crf", "slicer h=8", "standard"))
    assert section.evidence.ties["word-strict", "last", "Total"] == {crf: 1, slicer: 1, standard: 3}
    assert section.evidence.bold("word-strict", "last", "Total") == {crf, slicer}


def test_of_many_entries_those_that_were_not_compared_are_not_told_apart(bench: Counted) -> None:
    random = np.random.default_rng(0)
    first, _ = entries(random, 5, 300, better=2)
    _, same = entries(random, 5, 300)
    for number, method in enumerate(["standard", *"abcdefghi"]):
        for seed in range(1, 6):
            taken = (same if number else first)[seed - 1]
            bench.count(method, seed, dict.fromkeys(CORPORA, taken))
    section = built(bench, draws=400)
    expect_shown(section)
    assert section.evidence is not None
    ranks = section.evidence.ties["word-strict", "last", "one:aa"]
    assert sorted(ranks.values()) == [1, *[2] * 9]


def test_entries_have_ranks_also_where_the_first_has_no_evidence(bench: Counted) -> None:
    random = np.random.default_rng(0)
    first, second = entries(random, 3, 300)
    best, _ = entries(random, 3, 300, better=2)
    for seed in (1, 2, 3):
        bench.count("slicer", seed, dict.fromkeys(CORPORA, first[seed - 1]), options=SLICER)
        bench.count("crf", seed, dict.fromkeys(CORPORA, second[seed - 1]))
        run = bench.count("standard", seed, dict.fromkeys(CORPORA, best[seed - 1]))
        bench.store.drop_tables(run.run_id, "sentence_counts")
    section = built(bench)
    expect_shown(section)
    assert section.evidence is not None
    assert set(section.evidence.ties["word-strict", "last", "one:aa"]) == {*ids(section).values()} - {
        ids(section)["standard"]
    }


def test_entries_that_lack_a_score_of_one_seed_are_compared_and_have_no_rank(bench: Counted) -> None:
    """Over the seeds that have all languages; who has a mean of the group, crf, was compared with nobody."""
    found = fill(bench)
    for method, side in (("slicer", 0), ("standard", 1)):
        part = {name: pair[side][0] for name, pair in found.items() if name != "two:bb"}
        bench.count(method, 4, part, options=SLICER if side == 0 else {})
    bench.add("crf", seed=1)
    section = built(bench)
    assert section.evidence is not None
    place = "word-strict", "last", "Total"
    assert section.evidence.between(ids(section)["slicer h=8"], ids(section)["standard"], *place)
    assert place not in section.evidence.ties
    assert place not in section.evidence.best
    assert "word-strict" in markdown.leaderboard([section])


@pytest.mark.parametrize("why", ["no counts", "other data"])
def test_of_many_entries_the_best_that_can_be_compared_is_the_best(bench: Counted, why: str) -> None:
    """The entry with the best scores cannot be compared with any: the others are held against the second."""
    random = np.random.default_rng(0)
    for number, method in enumerate("abcdefghij"):
        own, _ = entries(random, 2, 40, better=number / 4)
        for seed in (1, 2):
            data = "2" if method == "j" and why == "other data" else "1"
            run = bench.count(method, seed, dict.fromkeys(CORPORA, own[seed - 1]), data=data)
            if method == "j" and why == "no counts":
                bench.store.drop_tables(run.run_id, "sentence_counts")
    section = built(bench, draws=50)
    assert section.evidence is not None
    second = section.lines[1]
    assert second.label != "j"
    for place in ("one:aa", "Total"):
        assert section.evidence.best["word-strict", "last", place] == second.entry_id
        assert len(section.evidence.ties["word-strict", "last", place]) == 9
    rows = [row for row in markdown.leaderboard([section]).splitlines() if row.startswith(f"| {second.label} ")]
    assert any(" best " in row for row in rows)


def test_more_than_eight_entries_are_held_against_the_baseline_and_the_best(bench: Counted) -> None:
    random = np.random.default_rng(0)
    labels = ["standard", *("abcdefghi")]
    for number, method in enumerate(labels):
        first, _ = entries(random, 2, 40, better=number / 4)
        for seed in (1, 2):
            bench.count(method, seed, dict.fromkeys(CORPORA, first[seed - 1]))
    section = built(bench, draws=50)
    found, names = section.evidence, ids(section)
    assert found is not None
    for place, best in found.best.items():
        there = {(one.entry, one.against) for one in found.comparisons if (one.profile, one.protocol, one.at) == place}
        wanted = {(name, names["standard"]) for name in names.values() if name != names["standard"]}
        assert wanted <= there
        pairs_of_best = {frozenset(pair) for pair in there if best in pair}
        assert len(pairs_of_best) == len(labels) - 1
        assert len(there) <= 2 * (len(labels) - 1)
    expect_shown(section)


def summary(low: float, high: float, p: float) -> Summary:
    return Summary(50 + (low + high) / 2, 50, (low + high) / 2, low, high, p, 1.0)


def test_one_interval_of_many_that_leaves_out_0_supports_nothing() -> None:
    """p is small in all 34 languages, as it is where seeds differ; an interval of 95 % leaves out 0 in one of them."""
    one, others = summary(0.1, 4.1, 0.001), [summary(-2, 2, 0.001)] * 33
    assert supported([one], [5]) == [True]
    assert not any(supported([one, *others], [5] * 34))


def test_a_difference_in_most_languages_is_supported_in_each_of_them() -> None:
    clear, none = summary(1, 5, 0.0001), summary(-2, 3, 0.2)
    assert supported([clear] * 30 + [none] * 4, [5] * 34) == [True] * 30 + [False] * 4


def test_tables_without_a_difference_claim_none_however_much_seeds_differ() -> None:
    """Where seeds make nearly all of a difference, its p-value is small in most languages."""
    random, tables, languages = np.random.default_rng(0), 12, [f"l{at}" for at in range(34)]
    found = {
        name: [Summary.of(one) for one in drawn(name, [entries(random, 5, 60, luck=1.5) for _ in range(tables)], 1000)]
        for name in languages
    }
    families = [[found[name][at] for name in languages] for at in range(tables)]
    assert sum(one.p < 0.05 for family in families for one in family) > 34 * tables / 2
    assert sum(any(supported(family, [5] * 34)) for family in families) <= 1
