"""Evidence of a board: whom it compares, over which seeds and data, and what is said of it everywhere alike."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import small as worlds
from counts import Counted, entries

from xner_bench.leaderboard import board, markdown
from xner_bench.leaderboard.comparisons import comparisons
from xner_bench.leaderboard.significance import compare, holm, mean
from xner_bench.results import SCORES, SENTENCE_COUNTS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from xner_bench.leaderboard.evidence_types import Comparison, Evidence
    from xner_bench.leaderboard.lines import Section

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
CORPORA = ("one:aa", "one:ab", "one:ac", "two:ba", "two:bb")
DRAWS = 300
BUILD = (sys.executable, "-c", "from xner_bench.cli.leaderboard import leaderboard; leaderboard()", "build")


@pytest.fixture
def bench(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def pairs(seeds: int, better: float = 0.0, size: int = 60) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    random = np.random.default_rng(round(10 * better))
    return {corpus: entries(random, seeds, size, better, luck=0.05) for corpus in CORPORA}


def fill(bench: Counted, better: float = 0.0, seeds: tuple[int, ...] = (1, 2, 3)) -> Any:
    """slicer, so much better than standard, on all corpora."""
    found = pairs(len(seeds), better)
    for at, seed in enumerate(seeds):
        bench.count("slicer", seed, {name: pair[0][at] for name, pair in found.items()}, options=SLICER)
        bench.count("standard", seed, {name: pair[1][at] for name, pair in found.items()})
    return found


def built(bench: Counted, draws: int = DRAWS) -> Section:
    (found,) = board.build(bench.store, bench.catalogue, draws=draws)
    return found


def evidence(bench: Counted) -> Evidence:
    found = built(bench).evidence
    assert found is not None
    return found


def ids(section: Section) -> dict[str, str]:
    return {line.label: line.entry_id or "" for line in section.lines}


def between(bench: Counted, at: str, protocol: str = "last") -> Comparison | None:
    section = built(bench)
    assert section.evidence is not None
    names = ids(section)
    return section.evidence.between(names["slicer h=8"], names["standard"], "word-strict", protocol, at)


def test_a_comparison_is_that_of_the_sentences_of_all_seeds(bench: Counted) -> None:
    found = fill(bench, better=0.5)
    alone = compare(
        {name: pair[0] for name, pair in found.items()},
        {name: pair[1] for name, pair in found.items()},
        (1, 2, 3),
        DRAWS,
    )
    total = mean([alone[corpus] for corpus in CORPORA])
    corrected = holm([alone[corpus].p for corpus in CORPORA])
    for at, corpus in enumerate(CORPORA):
        one = between(bench, corpus)
        assert one is not None
        assert (one.difference, (one.low, one.high)) == (alone[corpus].found, alone[corpus].interval)
        assert (one.p, one.p_holm, one.seeds) == (alone[corpus].p, corrected[at], 3)
    whole = between(bench, "Total")
    assert whole is not None
    assert (whole.difference, (whole.low, whole.high), whole.p) == (total.found, total.interval, total.p)


def test_differences_are_those_of_the_tables(bench: Counted) -> None:
    fill(bench, better=0.5)
    section = built(bench)
    lines = {line.label: line for line in section.lines}
    for group in section.groups:
        means = [lines[label].means[group.name, "last"].f1 for label in ("slicer h=8", "standard")]
        one = between(bench, group.name)
        assert one is not None
        assert means[0] is not None
        assert means[1] is not None
        assert one.difference == pytest.approx(means[0].mean - means[1].mean)


def test_only_seeds_that_both_have_are_compared(bench: Counted) -> None:
    found = fill(bench)
    bench.count("standard", 9, {name: pair[1][0] for name, pair in found.items()})
    one = between(bench, "one:ab")
    assert one is not None
    assert one.seeds == 3


def test_a_language_of_other_data_is_not_compared_nor_are_its_groups(bench: Counted) -> None:
    found = pairs(1)
    bench.count("standard", 1, {name: pair[0][0] for name, pair in found.items()}, data="1")
    bench.count("slicer", 1, {name: pair[1][0] for name, pair in found.items()}, options=SLICER, data="2")
    assert not evidence(bench).comparisons


def test_entries_of_two_versions_of_the_data_are_compared_among_themselves(bench: Counted) -> None:
    for data, size in (("1", 60), ("2", 45)):
        found = pairs(2, size=size)
        for seed in (1, 2):
            own, other = ({name: pair[side][seed - 1] for name, pair in found.items()} for side in (0, 1))
            bench.count("slicer", seed, own, options=SLICER, data=data)
            bench.count("standard", seed, other, data=data)
    found_there = {(one.entry, one.against) for one in evidence(bench).comparisons if one.at == "one:ab"}
    assert len(found_there) == 2
    assert len({entry for pair in found_there for entry in pair}) == 4


def test_a_group_is_whole_wherever_the_source_stands(bench: Counted) -> None:
    suite = bench.cards / "suites" / "toy.yaml"
    suite.write_text(suite.read_text().replace("source: one:aa", "source: two:bb"))  # the last of its targets
    bench.reload()
    found = fill(bench, better=0.5)
    own, other = ({name: pair[side] for name, pair in found.items()} for side in (0, 1))
    wanted = mean(list(compare(own, other, (1, 2, 3), DRAWS).values()))
    whole = between(bench, "Total")
    assert whole is not None
    assert whole.difference == pytest.approx(wanted.found)
    assert (whole.low, whole.high) == pytest.approx(wanted.interval)


@pytest.mark.parametrize("how", ["cut", "null", "negative", "short", "columns"])
def test_damaged_counts_are_a_reason_and_no_failure(bench: Counted, how: str) -> None:
    found = fill(bench)
    run = bench.count("crf", 1, {name: pair[0][0] for name, pair in found.items()})
    path = bench.store.folder(run.run_id) / "sentence_counts.parquet"
    rows = [list(row.values()) for row in bench.store.table(run.run_id, "sentence_counts").to_pylist()]
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif how == "columns":
        path.write_bytes((path.parent / "scores.parquet").read_bytes())
    else:
        rows[0][5] = {"null": None, "negative": [-1, *rows[0][5][1:]], "short": rows[0][5][1:]}[how]
        bench.store.save_table(run.run_id, "sentence_counts", SENTENCE_COUNTS, [tuple(row) for row in rows])
    told = evidence(bench)
    assert list(told.reasons) == [ids(built(bench))["crf"]]
    assert told.comparisons


def test_a_group_needs_all_its_languages(bench: Counted) -> None:
    found = pairs(2)
    for seed in (1, 2):
        bench.count("slicer", seed, {name: pair[0][seed - 1] for name, pair in found.items()}, options=SLICER)
        kept = {name: pair[1][seed - 1] for name, pair in found.items() if name != "two:bb"}
        bench.count("standard", seed, kept)
    assert between(bench, "two:ba")
    assert between(bench, "one:ab")
    assert between(bench, "One with the source")
    assert not between(bench, "two:bb")
    assert not between(bench, "Two")
    assert not between(bench, "Total")


def test_runs_without_counts_or_with_others_have_none_and_a_reason(bench: Counted) -> None:
    found = fill(bench)
    bench.add("crf", seed=1)
    run = bench.count("bitfit", 1, {name: pair[0][0] for name, pair in found.items()})
    table = bench.store.table(run.run_id, "scores").to_pylist()
    table[0]["tp"] += 1
    bench.store.save_table(run.run_id, "scores", SCORES, [tuple(row.values()) for row in table])
    told = evidence(bench)
    names = ids(built(bench))
    assert "has no counts of single sentences" in told.reasons[names["crf"]]
    assert "do not add up to its scores" in told.reasons[names["bitfit"]]
    assert len(told.reasons) == 2
    assert not [one for one in told.comparisons if {one.entry, one.against} & {names["crf"], names["bitfit"]}]


def test_what_labels_of_a_target_chose_is_compared_under_oracle_alone(bench: Counted) -> None:
    found = pairs(2)
    for seed in (1, 2):
        bench.count("standard", seed, {name: pair[1][seed - 1] for name, pair in found.items()})
        own = {name: pair[0][seed - 1] for name, pair in found.items()}
        bench.count("slicer", seed, own, options=SLICER, chosen_on=("two:ba",))
    assert {one.protocol for one in evidence(bench).comparisons} == {"oracle"}


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
    one = between(bench, "Total")
    assert one is not None
    assert one.p is not None
    assert one.low is not None
    assert one.p < 0.05
    assert one.low > 0
    assert not one.supported


def test_ranks_follow_the_means_up_to_the_first_that_is_shown_to_be_worse() -> None:
    """b is tied with a; c is worse than a; d, behind c, is not told apart from a, which does not put it before c."""
    from xner_bench.leaderboard.ties import ranked

    worse = {("a", "c"), ("c", "e")}
    found = ranked(["a", "b", "c", "d", "e"], lambda one, other: (one, other) in worse)
    assert found == {"a": 1, "b": 1, "c": 3, "d": 3, "e": 5}


def expect_shown(section: Section) -> None:
    """Who has a rank behind another's was shown to be worse than the first there."""
    assert section.evidence is not None
    for place, ranks in section.evidence.ties.items():
        heads = {rank: name for name, rank in reversed(ranks.items())}
        for rank, before in zip(sorted(heads)[1:], sorted(heads), strict=False):
            one = section.evidence.between(heads[rank], heads[before], *place)
            assert one is not None
            assert one.supported
            assert one.difference < 0


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


@pytest.mark.parametrize("draws", ["1", "99", "-1", "many", "9" * 20])
def test_draws_that_make_no_interval_are_one_line(bench: Counted, tmp_path: Path, draws: str) -> None:
    answer = worlds.call("leaderboard", "build", "--results", tmp_path, "--draws", draws)
    assert answer.status == 2
    assert "give 10000, or 0" in answer.err
    assert answer.err.count("\n") <= 3


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


def test_a_small_test_set_shows_only_large_differences(bench: Counted) -> None:
    random = np.random.default_rng(0)
    sizes = dict(zip(CORPORA, (30, 120, 480, 60, 240), strict=True))
    found = {name: entries(random, 3, size) for name, size in sizes.items()}
    for at, seed in enumerate((1, 2, 3)):
        bench.count("slicer", seed, {name: pair[0][at] for name, pair in found.items()}, options=SLICER)
        bench.count("standard", seed, {name: pair[1][at] for name, pair in found.items()})
    section = built(bench)
    assert section.evidence is not None
    least = section.evidence.smallest
    assert sorted(CORPORA, key=lambda name: least[name]) == sorted(CORPORA, key=lambda name: -sizes[name])
    assert least["one:aa"] / least["one:ac"] == pytest.approx(4, rel=0.4)  # with the root of the number of sentences
    assert "| Smallest difference |" in markdown.per_language([section], bench.catalogue)


def test_the_parquet_has_every_comparison(bench: Counted, tmp_path: Path) -> None:
    fill(bench, better=2.5)
    section = built(bench)
    assert section.evidence is not None
    rows = comparisons([section], bench.catalogue).to_pylist()
    assert len(rows) == len(section.evidence.comparisons)
    (row,) = [row for row in rows if row["language"] == "ab" and row["protocol"] == "last"]
    one = between(bench, "one:ab")
    assert one is not None
    assert (row["entry"], row["against"], row["role"], row["family"]) == ("slicer h=8", "standard", "true", "Uralic")
    assert (row["difference"], row["low"], row["high"]) == (one.difference, one.low, one.high)
    assert (row["p_holm"], row["supported"], row["n_seeds"]) == (one.p_holm, one.supported, 3)
    assert comparisons([built(bench, draws=0)], bench.catalogue).num_rows == 0


def test_other_languages_and_entries_change_no_interval(bench: Counted) -> None:
    found = fill(bench)
    before = between(bench, "one:ab")
    for at, seed in enumerate((1, 2, 3)):
        bench.count("crf", seed, {name: pair[0][2 - at] for name, pair in found.items()})
    after = between(bench, "one:ab")
    assert before == after


def test_build_gives_the_same_bytes_whatever_the_hash_seed_and_the_threads(bench: Counted, tmp_path: Path) -> None:
    fill(bench, better=0.5)
    found = []
    for seed, threads in (("0", "1"), ("77", "2")):
        out = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads}
        where = ("--results", bench.store.root, "--catalogue", bench.cards, "--out", out, "--draws", "200")
        subprocess.run((*BUILD, *where), env=environment, check=True, capture_output=True)
        found.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert found[0] == found[1]
    assert pq.read_table(tmp_path / "0" / "comparisons.parquet").num_rows > 0
