"""Evidence of a board: whom it compares, over which seeds and data, and what is said of it everywhere alike."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import small as worlds
from counts import CORPORA, DRAWS, SLICER, Counted, built, entries, fill, ids, pairs

from xner_bench.leaderboard import markdown
from xner_bench.leaderboard.comparisons import comparisons
from xner_bench.leaderboard.correction import holm
from xner_bench.leaderboard.significance import compare, mean
from xner_bench.results import SCORES, SENTENCE_COUNTS

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.leaderboard.evidence_types import Comparison, Evidence

BUILD = (sys.executable, "-c", "from xner_bench.cli.leaderboard import leaderboard; leaderboard()", "build")


@pytest.fixture
def bench(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def evidence(bench: Counted) -> Evidence:
    found = built(bench).evidence
    assert found is not None
    return found


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


def test_the_means_beside_a_difference_are_over_the_seeds_that_both_have(bench: Counted) -> None:
    fill(bench, better=0.5)
    more = {name: pair[0][0] for name, pair in pairs(1, better=2).items()}
    bench.count("standard", 9, more)
    section = built(bench)
    lines = {line.label: line for line in section.lines}
    for at in (*CORPORA, "Two", "Total"):
        one = between(bench, at)
        assert one is not None
        own, other = (lines[label].seeds[at, "last"] for label in ("slicer h=8", "standard"))
        assert one.mean == pytest.approx(fmean(own.values()))
        assert one.against_mean == pytest.approx(fmean(other[seed] for seed in (1, 2, 3)))
        assert one.against_mean != pytest.approx(fmean(other.values()))
        assert one.difference == pytest.approx(one.mean - one.against_mean)
        assert (one.turned.mean, one.turned.against_mean) == (one.against_mean, one.mean)
        assert one.turned.turned == one


def texts(bench: Counted) -> list[str]:
    """Both Markdown files without the marks of escaping."""
    section = built(bench)
    both = markdown.leaderboard([section]), markdown.per_language([section], bench.catalogue)
    return [text.replace("\\", "") for text in both]


def test_markdown_says_where_a_difference_is_over_fewer_seeds_than_the_scores_beside_it(bench: Counted) -> None:
    fill(bench)
    assert all("(3), p" in text and "(3 of 4), p" not in text for text in texts(bench))
    bench.count("standard", 9, {name: pair[0][0] for name, pair in pairs(1).items()})
    assert all("(3 of 4), p" in text and "\n| slicer" in text for text in texts(bench))
    assert not any("(3), p" in row for text in texts(bench) for row in text.splitlines() if row.startswith("|"))


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


@pytest.mark.parametrize("draws", ["1", "99", "-1", "many", "9" * 20])
def test_draws_that_make_no_interval_are_one_line(bench: Counted, tmp_path: Path, draws: str) -> None:
    answer = worlds.call("leaderboard", "build", "--results", tmp_path, "--draws", draws)
    assert answer.status == 2
    assert "give 10000, or 0" in answer.err
    assert answer.err.count("\n") <= 3


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
    assert (row["mean"], row["against_mean"]) == (one.mean, one.against_mean)
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
