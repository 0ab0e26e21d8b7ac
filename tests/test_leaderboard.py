"""Runs to entries, rows and means: nothing is averaged that is not whole, nothing is counted twice."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from boards import Bench
from errands import Recorded
from hypothesis import given
from hypothesis import strategies as st

from xner_bench.errors import XnerError
from xner_bench.leaderboard import board, cells, table
from xner_bench.leaderboard.entries import entries
from xner_bench.leaderboard.groups import groups
from xner_bench.results import Store

if TYPE_CHECKING:
    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.results import Run

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
SLICER_EN = {"suite": "slicer-en", "profiles": ("word-strict", "subword-lenient")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def section(bench: Bench) -> Section:
    (found,) = board.build(bench.store, bench.catalogue)
    return found


def line(bench: Bench, label: str | None = None) -> Line:
    lines = [found for found in section(bench).lines if label in (None, found.label)]
    assert len(lines) == 1
    return lines[0]


def f1(tp: int, fp: int, fn: int) -> float:
    """In percent, with the one LOC that is always found."""
    return 100 * 2 * (tp + 1) / (2 * (tp + 1) + fp + fn)


def rows(bench: Bench, **wanted: Any) -> list[dict[str, Any]]:
    found = table.per_language(board.build(bench.store, bench.catalogue), bench.catalogue).to_pylist()
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def means(bench: Bench, **wanted: Any) -> list[dict[str, Any]]:
    found = table.means(board.build(bench.store, bench.catalogue)).to_pylist()
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def test_groups_are_each_data_set_without_and_with_the_source_and_the_total() -> None:
    targets = ("one:aa", "two:ba", "one:ab")
    found = groups(targets, "one:aa", str.title)
    assert [(group.name, group.corpora) for group in found] == [
        ("One without the source", ("one:ab",)),
        ("One with the source", ("one:aa", "one:ab")),
        ("Two", ("two:ba",)),
        ("Total", targets),
    ]


def test_a_data_set_without_the_source_has_one_group() -> None:
    assert [group.name for group in groups(("one:ab", "one:ac"), "one:aa", str.title)] == ["One", "Total"]
    assert [group.name for group in groups(("one:aa",), "one:aa", str.title)] == ["One", "Total"]


def test_a_score_is_the_mean_over_seeds_of_micro_f1_in_percent(bench: Bench) -> None:
    for seed, tp in ((1, 3), (2, 5), (3, 9)):
        bench.add(seed=seed, scores={"one:ab": (tp, 2, 4)})
    (row,) = rows(bench, language="ab", protocol="last")
    scores = [f1(tp, 2, 4) for tp in (3, 5, 9)]
    assert row["f1_mean"] == pytest.approx(statistics.mean(scores))
    assert row["f1_std"] == pytest.approx(statistics.stdev(scores))
    assert (row["n_seeds"], len(row["run_ids"])) == (3, 3)
    assert (row["tp"], row["fp"], row["fn"], row["support"]) == (20, 6, 12, 32)  # sums over the seeds
    assert row["precision"] == pytest.approx(100 * 20 / 26)
    assert row["recall"] == pytest.approx(100 * 20 / 32)
    assert row["macro_f1"] == pytest.approx(statistics.mean([50 + 100 * tp / (2 * tp + 6) for tp in (3, 5, 9)]))


def test_a_row_says_what_it_is_a_score_of(bench: Bench) -> None:
    bench.add("slicer", options=SLICER, seed=7)
    (row,) = rows(bench, language="ab", protocol="oracle")
    expected = {
        "suite": "toy",
        "entry": "slicer h=8",
        "method": "slicer",
        "encoder": "mini",
        "source": "one:aa",
        "dataset": "one",
        "iso639_3": "abk",
        "script": "Latn",
        "family": "Uralic",
        "role": "oracle",
        "profile": "word-strict",
        "f1_std": None,
        "n_seeds": 1,
        "published": False,
        "reason": None,
        "option_h": 8,
        "option_classifier": "trained",
    }
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["options"]) == SLICER
    assert json.loads(row["training"])["lr"] == 1e-5


def test_true_is_the_protocol_that_the_suite_declares(bench: Bench) -> None:
    bench.add()
    assert {(row["protocol"], row["role"]) for row in rows(bench)} == {
        ("last", "true"),
        ("source-dev", ""),
        ("oracle", "oracle"),
    }


def test_a_group_is_averaged_in_each_seed_and_then_over_seeds(bench: Bench) -> None:
    for seed, tp in ((1, 3), (2, 9)):
        bench.add(seed=seed, scores={"one:ab": (tp, 1, 1), "one:ac": (2 * tp, 0, 5)})
    (mean,) = means(bench, group="One without the source", protocol="last")
    per_seed = [(f1(tp, 1, 1) + f1(2 * tp, 0, 5)) / 2 for tp in (3, 9)]
    assert mean["f1_mean"] == pytest.approx(statistics.mean(per_seed))
    assert mean["f1_std"] == pytest.approx(statistics.stdev(per_seed))
    assert (mean["n_targets"], mean["m_targets"], mean["complete"], mean["n_seeds"]) == (2, 2, True, 2)


def test_a_group_with_a_hole_has_no_mean_but_a_count(bench: Bench) -> None:
    bench.add(scores={"two:bb": None}, missing=(("two:bb", "test"),))
    found = {row["group"]: row for row in means(bench, protocol="last")}
    assert found["One with the source"]["complete"]
    for group, scored, size in (("Two", 1, 2), ("Total", 4, 5)):
        row = found[group]
        assert (row["f1_mean"], row["f1_std"], row["complete"]) == (None, None, False)
        assert (row["n_targets"], row["m_targets"]) == (scored, size)
    assert [row["reason"] for row in rows(bench, language="bb", f1_mean=None)] == ["no test split"] * 3


def test_a_hole_in_one_seed_is_a_hole(bench: Bench) -> None:
    bench.add(seed=1)
    bench.add(seed=2, scores={"two:bb": None})
    (row,) = rows(bench, language="bb", protocol="last")
    assert (row["f1_mean"], row["reason"]) == (None, "not scored in 1 of 2 seeds")
    (mean,) = means(bench, group="Total", protocol="last")
    assert (mean["f1_mean"], mean["n_targets"]) == (None, 4)


def test_no_gold_and_no_prediction_is_null_with_a_reason(bench: Bench) -> None:
    bench.add(scores={"two:bb": (0, 0, 0)})
    (row,) = rows(bench, language="bb", protocol="last")
    assert (row["f1_mean"], row["tp"], row["precision"]) == (None, 0, None)
    assert row["reason"] == "neither gold nor predicted entities"
    (other,) = rows(bench, language="ba", protocol="last")
    assert other["f1_mean"] == pytest.approx(f1(8, 2, 2))


def test_a_missing_dev_split_explains_a_missing_oracle(bench: Bench) -> None:
    bench.add(scores={("two:bb", "oracle"): None}, missing=(("two:bb", "dev"),))
    (row,) = rows(bench, language="bb", protocol="oracle")
    assert row["reason"] == "no dev split"


def test_a_run_on_fewer_targets_has_no_total(bench: Bench) -> None:
    bench.add(targets=("one:ab",))
    (mean,) = means(bench, group="Total", protocol="last")
    assert (mean["f1_mean"], mean["n_targets"], mean["m_targets"]) == (
        None,
        2,
        5,
    )  # the source is a target too
    assert {row["language"] for row in rows(bench)} == {"aa", "ab"}
    assert line(bench).departures == "2 of 5 targets"


@pytest.mark.parametrize("state", ["started", "failed", "diverged"])
def test_only_finished_runs_rank(bench: Bench, state: str) -> None:
    bench.add()
    bench.add("slicer", options=SLICER, state=state)
    found = section(bench)
    assert [line.label for line in found.lines] == ["standard"]
    assert found.unranked == {state: 1}


def test_nothing_to_rank_says_what_to_type(bench: Bench) -> None:
    hint = re.escape(f"; get some with: xner-bench run --method slicer --h 8 --results {bench.store.root}")
    with pytest.raises(XnerError, match=rf"no results in .*{hint}$"):
        board.build(bench.store, bench.catalogue)
    with pytest.raises(XnerError, match=r"no results in results; .* --h 8$"):
        board.build(Store(Path("results")), bench.catalogue)
    bench.add(state="diverged")
    with pytest.raises(XnerError, match=r"no results that finished \(1 diverged\)"):
        board.build(bench.store, bench.catalogue)
    with pytest.raises(XnerError, match=r"no results of suite slicer-en .* --suite slicer-en --method"):
        board.build(bench.store, bench.catalogue, "slicer-en")


def test_a_suite_that_the_catalogue_lacks_names_the_flag(bench: Bench) -> None:
    from xner_bench import catalogue

    bench.add()
    with pytest.raises(XnerError, match=r"no suite is called 'toy'.*--catalogue"):
        board.build(bench.store, catalogue.load())


def test_a_seed_that_comes_twice_is_an_error(bench: Bench) -> None:
    run = bench.add()
    with pytest.raises(XnerError, match="one set-up with one seed, 42"):
        entries([run, run.model_copy(update={"run_id": "twin"})], bench.catalogue.suite("toy"))


def changed(bench: Bench, run: Run) -> None:
    """Somebody edits a record."""
    path = bench.store.folder(run.run_id) / "run.json"
    path.write_text(path.read_text().replace('"lr": 1e-05', '"lr": 2e-05'))


def left_out(bench: Bench) -> tuple[Section, str]:
    """The leaderboard, and the one line about what is not in it."""
    watch = Recorded()
    (found,) = board.build(bench.store, bench.catalogue, watch=watch)
    (note,) = [event[1] for event in watch.events if event[0] == "note"]
    return found, note


def test_records_that_are_not_what_their_ids_stand_for_are_left_out(bench: Bench) -> None:
    good, bad = bench.add(seed=1), bench.add(seed=2)
    changed(bench, bad)
    found, note = left_out(bench)
    assert [line.run_ids for line in found.lines] == [(good.run_id,)]
    assert found.unranked == {"contradictory": 1}
    assert bad.run_id in note
    assert "`xner-bench results check` says what to do" in note
    changed(bench, good)
    with pytest.raises(XnerError, match="no results in"):
        board.build(bench.store, bench.catalogue)


def test_a_run_in_another_folder_than_its_own_is_left_out(bench: Bench) -> None:
    run = bench.add()
    other = bench.store.folder(f"{run.run_id[:-12]}000000000000")
    other.symlink_to(bench.store.folder(run.run_id))
    found, note = left_out(bench)
    assert [line.run_ids for line in found.lines] == [(run.run_id,)]
    assert found.unranked == {"misplaced": 1}
    assert f"{other}/run.json: this is the record of {run.run_id}" in note


def labels(bench: Bench) -> list[str]:
    return sorted({line.label for line in section(bench).lines})


def test_seeds_share_a_line_and_options_part_lines(bench: Bench) -> None:
    for seed in (1, 2):
        bench.add("slicer", options=SLICER, seed=seed)
    bench.add("slicer", options={**SLICER, "h": 2})
    assert labels(bench) == ["slicer h=2", "slicer h=8"]


def test_words_are_shown_where_they_vary_or_are_not_the_default(bench: Bench) -> None:
    bench.add("slicer", options={**SLICER, "classifier": "frozen"})
    assert labels(bench) == ["slicer h=8 classifier=frozen"]
    bench.add("slicer", options=SLICER)
    assert labels(bench) == ["slicer h=8 classifier=frozen", "slicer h=8 classifier=trained"]


def test_all_options_of_a_method_that_is_not_installed_are_shown(bench: Bench) -> None:
    bench.add("gone", options={"alpha": 0.5, "mode": "x", "fast": True})
    assert labels(bench) == ["gone alpha=0.5 fast=yes mode=x"]


def test_other_settings_are_in_a_label_only_where_it_needs_them(bench: Bench) -> None:
    bench.add(training={"lr": 1e-5})
    bench.add(training={"lr": 2e-5})
    bench.add(training={"lr": 2e-5, "epochs": 1})
    bench.add("slicer", options=SLICER, training={"epochs": 2})
    assert labels(bench) == [
        "slicer h=8",
        "standard, lr 1e-5",
        "standard, lr 2e-5, epochs 1",
        "standard, lr 2e-5, epochs 3",
    ]
    assert line(bench, "slicer h=8").departures == "epochs 2"
    assert line(bench, "standard, lr 2e-5, epochs 1").departures == "epochs 1, lr 2e-5"


def test_labels_tell_encoders_data_and_missing_splits_apart(bench: Bench) -> None:
    bench.add(encoder="/secret/folder/big")
    bench.add()
    bench.add(data="2")
    bench.add(data="3", missing=(("two:bb", "test"),), scores={"two:bb": None})
    found = labels(bench)
    assert len(found) == 4
    assert found[0] == "standard, big"
    assert any(label.startswith("standard, mini, without 1 splits") for label in found)
    assert not any("secret" in label for label in found)


def test_data_that_differ_are_named(bench: Bench) -> None:
    bench.add()
    assert section(bench).differing == ()
    bench.add("slicer", options=SLICER, data="2")
    assert "one:ab test" in section(bench).differing


def test_sources_have_sections_of_their_own(bench: Bench) -> None:
    bench.add()
    bench.add(source="one:ab")
    found = board.build(bench.store, bench.catalogue)
    assert [(part.source, [line.label for line in part.lines]) for part in found] == [
        ("one:aa", ["standard"]),
        ("one:ab", ["standard, from one:ab"]),
    ]
    assert found[1].groups[0].corpora == ("one:aa", "one:ac")


def test_the_best_complete_total_comes_first(bench: Bench) -> None:
    bench.add("slicer", options=SLICER, scores={"two:bb": (99, 0, 0), "two:ba": None})
    bench.add("standard", scores={"two:bb": (9, 5, 5)})
    bench.add("slicer", options={**SLICER, "h": 2}, scores={"two:bb": (9, 1, 1)})
    bench.add("slicer", options={**SLICER, "h": 1}, scores={"two:bb": (9, 1, 1)})
    assert [found.label for found in section(bench).lines] == [
        "slicer h=1",
        "slicer h=2",
        "standard",
        "slicer h=8",
    ]


def test_profiles_are_apart_and_the_strict_one_first(bench: Bench) -> None:
    bench.add(profiles=("subword-lenient", "word-strict"))
    assert section(bench).profiles == ("word-strict", "subword-lenient")
    assert len(rows(bench)) == 2 * 5 * 3


def test_published_numbers_stand_beside_ours_as_printed(bench: Bench) -> None:
    bench.add("slicer", options=SLICER, **SLICER_EN)
    wanted = {"entry": "slicer h=8, lr 1e-5", "published": True}
    found = {(row["m_targets"], row["role"]): row for row in means(bench, **wanted)}
    assert {key: (row["f1_mean"], row["f1_std"], row["n_seeds"]) for key, row in found.items()} == {
        (23, "true"): (57.7, 1.7, 10),
        (24, "oracle"): (59.8, 2.0, 10),
        (10, "true"): (32.2, 3.6, 10),
        (10, "oracle"): (35.5, 4.2, 10),
        (34, "true"): (51.0, 2.2, 10),
        (34, "oracle"): (52.6, 2.7, 10),
    }
    assert {row["profile"] for row in found.values()} == {"subword-lenient"}
    assert {row["reference"] for row in found.values()} == {"table 1"}
    languages = rows(bench, **wanted)
    assert len(languages) == 2 * 34
    assert all(row["tp"] is None and row["run_ids"] == [] and row["iso639_3"] for row in languages)
    assert [row["note"] for row in languages if row["note"]]


def test_every_published_mean_is_of_a_group(bench: Bench) -> None:
    from xner_bench.leaderboard.published import published

    for suite in ("slicer-en", "slicer-ru"):
        bench.add("slicer", options=SLICER, suite=suite, source=bench.catalogue.suite(suite).source)
        printed = [row for row in published(suite) if not row.language]
        assert len(means(bench, suite=suite, published=True)) == len(printed) > 0


def test_options_have_columns_of_one_type(bench: Bench) -> None:
    bench.add("slicer", options=SLICER)
    bench.add("other", options={"share": 1, "fast": True, "mixed": "a", "h": 2})
    bench.add("other", options={"share": 0.5, "fast": False, "mixed": 3, "h": 2})
    schema = table.means(board.build(bench.store, bench.catalogue)).schema
    kinds = {field.name: str(field.type) for field in schema if field.name.startswith("option_")}
    assert kinds == {
        "option_bias": "string",
        "option_classifier": "string",
        "option_fast": "bool",
        "option_h": "int64",
        "option_mixed": "string",
        "option_share": "double",
    }


def test_every_column_says_what_it_holds_in_the_file(bench: Bench, tmp_path: Path) -> None:
    bench.add()
    path = tmp_path / "x.parquet"
    path.write_bytes(table.parquet(table.per_language(board.build(bench.store, bench.catalogue), bench.catalogue)))
    schema = pq.read_schema(path)
    assert all(field.metadata[b"about"] for field in schema)
    assert b"percent" in schema.field("f1_mean").metadata[b"about"]


def test_damaged_scores_are_named(bench: Bench) -> None:
    run = bench.add()
    path = bench.store.folder(run.run_id) / "scores.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(XnerError, match=r"scores\.parquet"):
        board.build(bench.store, bench.catalogue)


def test_a_score_that_stands_twice_is_an_error(bench: Bench) -> None:
    import pyarrow as pa

    from xner_bench.leaderboard import scores

    run = bench.add()
    found = bench.store.table(run.run_id, "scores")
    with pytest.raises(XnerError, match=f"run {run.run_id}: PER of one:aa stands twice"):
        scores.read(run, pa.concat_tables([found, found.slice(0, 1)]))


@given(st.lists(st.floats(0, 100), min_size=2, max_size=20))
def test_spread_is_that_of_a_sample(values: list[float]) -> None:
    found = cells.stat(values)
    assert found is not None
    assert found.std is not None
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.std == pytest.approx(statistics.stdev(values), abs=1e-9)


@given(st.lists(st.none() | st.floats(0, 100), max_size=5))
def test_there_is_no_mean_of_some_values(values: list[float | None]) -> None:
    assert (cells.stat(values) is None) == (not values or None in values)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1e-5"), (2.5e-05, "2.5e-5"), (32, "32"), (0.05, "0.05"), (True, "yes"), (None, "none")],
)
def test_settings_are_written_as_people_write_them(value: object, text: str) -> None:
    assert cells.setting(value) == text


@given(st.text())
def test_plain_text_is_one_visible_line(text: str) -> None:
    shown = cells.plain(text)
    assert shown == " ".join(shown.split())
    assert not set(shown) & set(map(chr, (*range(32), *range(0x7F, 0xA0), 0x202E, 0x2066)))


def test_settings_that_a_targets_labels_chose_have_no_zero_shot_scores(bench: Bench) -> None:
    bench.add("slicer", options=SLICER, chosen_on=("two:ba",))
    bench.add("slicer", options=SLICER)
    labels = {found.label for found in section(bench).lines}
    assert labels == {"slicer h=8", "slicer h=8, chosen on two:ba"}
    chosen = next(found for found in section(bench).lines if "chosen" in found.label)
    for (_, protocol), row in chosen.rows.items():
        assert (row.f1 is not None) == (protocol == "oracle")
        assert protocol == "oracle" or row.reason == "not zero-shot: chosen by labels of two:ba"
    assert all((mean.f1 is not None) == (protocol == "oracle") for (_, protocol), mean in chosen.means.items())
    assert {protocol for _, protocol in chosen.seeds} == {"oracle"}
