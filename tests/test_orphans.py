"""Every I- that goes on with nothing is stored, so that others can score all tags of words again, and merge them."""

from __future__ import annotations

import re
import shutil
from itertools import permutations
from typing import TYPE_CHECKING, Any

import hostile
import labs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import of_json, of_rows
from labs import WORDS
from stores import Filled

from xner_bench import verify
from xner_bench.errors import XnerError
from xner_bench.leaderboard import archive, bundle, unpack
from xner_bench.results import FEW_SHOT_PREDICTIONS, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labs import Lab, Rows

TABLES = ("orphans", "few_shot_orphans")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return labs.build(tmp_path_factory.mktemp("lab"))


def rows(lab: Lab, name: str) -> Rows:
    found: Rows = lab.store.table(lab.run.run_id, name).to_pylist()
    return found


def test_a_run_stores_the_orphans_of_all_that_it_tags(lab: Lab) -> None:
    assert {row["split"] for row in rows(lab, "orphans")} == {"test", "test-in-language"}
    assert {row["protocol"] for row in rows(lab, "few_shot_orphans")} == {"few-shot-random-5"}
    assert list(verify.check(lab.store)) == []


def test_all_counts_of_words_are_scored_again(lab: Lab) -> None:
    answer = lab.verify(lab.path)
    assert answer.status == 0, answer.out
    assert f"verified: {lab.run.run_id}: {len(rows(lab, 'scores'))} counts scored again" in answer.out
    assert "not verified, as" not in answer.out


def test_merged_runs_give_the_same_board_with_all_profiles(lab: Lab, tmp_path: Path) -> None:
    assert lab.merge(tmp_path).status == 0
    merged = Store(tmp_path)
    assert merged.run(lab.run.run_id).settings.profiles == WORDS
    for name in (*TABLES, "scores", "sentence_counts", "predictions", "few_shot_predictions"):
        assert merged.table(lab.run.run_id, name).equals(lab.store.table(lab.run.run_id, name))
    assert list(verify.check(merged)) == []
    found = lab.board(tmp_path)
    assert found == lab.board(lab.store.root)
    assert b"word-lenient" in found["leaderboard.md"]
    assert b"tag-accuracy" in found["leaderboard.md"]


def drop(found: Rows) -> None:
    found.pop(0)


def put(**changes: Any) -> Callable[[Rows], None]:
    def edit(found: Rows) -> None:
        found[0].update(changes)

    return edit


def longer(found: Rows) -> None:
    """Over whatever comes next, if only the end of its sentence."""
    found[0]["end"] += 99


def halved(found: Rows) -> None:
    """An orphan of several words as two, of which the second is none."""
    one = next(row for row in found if row["end"] - row["start"] > 1)
    found.append({**one, "start": one["end"] - 1})
    one["end"] -= 1


def other_type(found: Rows) -> None:
    found[0]["type"] = "LOC" if found[0]["type"] == "PER" else "PER"


def again(found: Rows) -> None:
    found.append(dict(found[0]))


def at_checkpoint(found: Rows) -> None:
    found.append({**found[0], "checkpoint": 77})


CELL = r"villages:\w\w test, \S+, (word-lenient, (PER|LOC)|tag-accuracy, tag): (tp|fp|fn) \d+ in the file, \d+ by its"
EDITS: dict[str, tuple[Callable[[Rows], object], str, str]] = {
    "an orphan less": (drop, CELL, r"predicted .* the scores count \d+ \(word-lenient\)"),
    "another type": (other_type, f"{CELL}|goes on with what", r"the scores count \d+ \(word-lenient\)|goes on with"),
    "a longer orphan": (longer, "an orphan of sentence .* lies outside of it", ""),  # seen by whoever has the data
    "twice": (again, "two orphans of sentence .* share a word", "share a word"),
    "two of one": (halved, "an orphan of sentence .* goes on with what is before it", "goes on with what is before it"),
    "nowhere": (put(sentence=10**6), "an orphan lies in sentence 1000000 of 24", "lies nowhere"),
    "before the first": (put(sentence=-1), "an orphan lies in sentence -1 of 24", "lies nowhere"),
    "of no type": (put(type="ORG"), "an orphan .* is of a type that is not scored", "an orphan ORG of .*, not scored"),
    "of no checkpoint": (at_checkpoint, "checkpoint 77, not scored", "checkpoint 77, not scored"),
    "of no language": (put(language="xx"), CELL, "an orphan .* of villages:xx, checkpoint .*, not scored"),
}
CASES = [
    *((name, "orphans") for name in EDITS),
    *((name, "few_shot_orphans") for name in ("an orphan less", "twice", "of no type", "of no checkpoint")),
]


@pytest.mark.parametrize(("name", "table"), CASES)
def test_one_changed_orphan_is_named(lab: Lab, name: str, table: str, tmp_path: Path) -> None:
    edit, said, _ = EDITS[name]
    found = lab.problems(lab.changed(tmp_path, **{table: edit}))
    assert re.search(said, found), found


def test_a_bundle_with_a_changed_orphan_is_refused(lab: Lab, tmp_path: Path) -> None:
    """As the acceptance has it of a changed span: `verify` names the cell."""
    path = lab.changed(tmp_path, orphans=drop)
    answer = lab.verify(path)
    assert answer.status == 2
    assert re.search(rf"^wrong: {lab.run.run_id}: {CELL}", answer.out, re.MULTILINE), answer.out
    assert "0 of 1 run verified" in answer.out
    assert lab.merge(tmp_path / "results", path).status == 2
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("name", "table"), [case for case in CASES if EDITS[case[0]][2]])
def test_results_check_finds_it_without_any_data(lab: Lab, name: str, table: str, tmp_path: Path) -> None:
    edit, _, said = EDITS[name]
    shutil.copytree(lab.store.root, tmp_path, dirs_exist_ok=True)
    told = checked(lab, tmp_path, table, edit)
    assert any(re.search(said, problem) for problem in told), told


def checked(lab: Lab, copy: Path, table: str, edit: Callable[[Rows], object]) -> list[str]:
    """The contradictions that `results check` finds in a table of a copy of the store, with other rows in it."""
    path = copy / "runs" / lab.run.run_id / f"{table}.parquet"
    found = pq.read_table(path)
    changed = found.to_pylist()
    edit(changed)
    pq.write_table(pa.Table.from_pylist(changed, found.schema), path)
    return [one.problem for one in verify.check(Store(copy)) if (one.kind, one.path) == ("contradiction", path)]


SPLITS = [
    *((table, "nosuch") for table in ("predictions", "few_shot_predictions", *TABLES, "scores", "sentence_counts")),
    ("few_shot_predictions", "test-in-language"),  # which is tagged before that alone
    ("predictions", None),
    ("orphans", None),
    ("sentence_counts", None),
]


@pytest.mark.parametrize(("table", "split"), SPLITS)
def test_rows_of_a_split_that_nobody_looks_at_are_found(
    lab: Lab, table: str, split: str | None, tmp_path: Path
) -> None:
    def edit(found: Rows) -> None:
        strange = {"type": "=cmd()", "start": -5, "end": -9}
        found.append({**found[0], **{name: value for name, value in strange.items() if name in found[0]}})
        found[-1]["split"] = split

    shutil.copytree(lab.store.root, tmp_path, dirs_exist_ok=True)
    told = checked(lab, tmp_path, table, edit)[0]
    assert f"rows of the split {split!r}, which were not to be" in told or (not split and "has no place" in told)
    with pytest.raises(XnerError, match=rf"is not sound: {table}\.parquet"):
        bundle.chosen(Store(tmp_path), [lab.run.run_id])


@pytest.mark.parametrize(("profile", "name"), [("word-lenient", "fp"), ("tag-accuracy", "tp")])
def test_another_count_is_named_with_its_cell(lab: Lab, profile: str, name: str, tmp_path: Path) -> None:
    def edit(found: Rows) -> None:
        next(row for row in found if row["profile"] == profile)[name] += 1

    found = lab.problems(lab.changed(tmp_path, scores=edit))
    assert re.search(rf"{profile}, (PER|tag): {name} \d+ in the file, \d+ by its predictions$", found, re.MULTILINE)


@pytest.mark.parametrize("profile", WORDS)
def test_another_count_of_a_sentence_is_named(lab: Lab, profile: str, tmp_path: Path) -> None:
    def edit(found: Rows) -> None:
        counts = next(row for row in found if row["profile"] == profile)
        counts["tp"][1] += 1
        counts["tp"][2] -= 1  # the sum stays

    found = lab.problems(lab.changed(tmp_path, sentence_counts=edit))
    assert f"{profile}: sentence 1 has other counts than by its predictions" in found


@pytest.mark.parametrize("lacking", [TABLES, ("few_shot_orphans",)])
def test_runs_of_earlier_versions_are_verified_as_far_as_they_go(
    lab: Lab, lacking: tuple[str, ...], tmp_path: Path
) -> None:
    path = lab.without(tmp_path, *lacking)
    answer = lab.verify(path)
    assert answer.status == 0, answer.out
    assert "1 of 1 run verified" in answer.out
    assert "does not decide them: counts of tag-accuracy, word-lenient\n" in answer.out
    assert lab.merge(tmp_path / "results", path).status == 0
    merged = Store(tmp_path / "results")
    assert merged.run(lab.run.run_id).settings.profiles == ("word-strict",)
    assert set(merged.table(lab.run.run_id, "scores")["profile"].to_pylist()) == {"word-strict"}
    assert list(verify.check(merged)) == []


def test_a_run_without_few_shot_has_none_of_it(tmp_path: Path) -> None:
    """Nothing would verify them."""
    bench = Filled(tmp_path)
    run = bench.complete()
    bench.store.save_table(run.run_id, "few_shot_orphans", FEW_SHOT_PREDICTIONS, [])
    bundle.pack(bench.store, [run], tmp_path / "x.zip")
    found = hostile.members(tmp_path / "x.zip")
    name = f"{run.run_id}/few_shot_orphans.parquet"
    assert name not in found
    with (tmp_path / "x.zip").open("wb") as stream:
        archive.write(stream, {**found, name: (tmp_path / "results" / "runs" / name).read_bytes()}.items())
    with unpack.opened(tmp_path / "x.zip") as opened, pytest.raises(archive.Refused, match="such a run has no such"):
        opened.read(run.run_id)


def test_counts_beyond_all_bounds_of_an_early_run_are_named(lab: Lab, tmp_path: Path) -> None:
    def edit(found: Rows) -> None:
        for row in found:
            if row["profile"] == "word-lenient":
                row.update(tp=row["support"], fp=0, fn=0)

    early = lab.without(tmp_path, *TABLES)
    found = lab.problems(hostile.exchanged(early, {"/scores.parquet": of_rows(edit)}, tmp_path / "x.zip"))
    assert re.search(r"word-lenient, (PER|LOC): tp \d+ in the file, \d+ to \d+ by its predictions", found)


def test_the_same_run_with_or_without_orphans_is_no_conflict(lab: Lab, tmp_path: Path) -> None:
    early = lab.without(tmp_path, *TABLES)
    for number, (first, second) in enumerate(((early, lab.path), (lab.path, early))):
        results = tmp_path / str(number)
        assert lab.merge(results, first).status == 0
        answer = lab.merge(results, second)
        assert answer.status == 0, answer.out
        assert "0 runs added" in answer.out
        assert "1 there already" in answer.out
        lacking = f"left behind: {lab.run.run_id}: it is in {Store(results).folder(lab.run.run_id)} without "
        assert (f"{lacking}tag-accuracy, word-lenient; move it away, and merge" in answer.out) == (first == early)
        assert ("left behind" in answer.out) == (first == early)


def test_the_order_of_files_decides_nothing(lab: Lab, tmp_path: Path) -> None:
    """Of a run that is in several, with and without what later versions store, the fullest one is taken."""
    early = lab.without(tmp_path, *TABLES)
    uncounted = hostile.exchanged(lab.path, {"/sentence_counts.parquet": lambda _: None}, tmp_path / "uncounted.zip")
    merged = []
    for number, paths in enumerate(permutations((early, lab.path, uncounted))):
        results = tmp_path / str(number)
        answer = lab.merge(results, *paths)
        assert answer.status == 0, answer.out
        assert "1 run added" in answer.out
        assert "left behind" not in answer.out
        merged.append({path.name: path.read_bytes() for path in Store(results).folder(lab.run.run_id).iterdir()})
    assert all(one == merged[0] for one in merged)
    assert Store(tmp_path / "0").run(lab.run.run_id).settings.profiles == WORDS
    assert lab.board(tmp_path / "0") == lab.board(lab.store.root)


def test_equal_runs_of_two_files_are_taken_in_one_order(lab: Lab, tmp_path: Path) -> None:
    slower = of_json(lambda record: record["seconds"].update(training=99.0))
    other = hostile.exchanged(lab.path, {"/run.json": slower}, tmp_path / "other.zip")
    for number, paths in enumerate(((lab.path, other), (other, lab.path))):
        assert lab.merge(tmp_path / str(number), *paths).status == 0
    assert lab.board(tmp_path / "0") == lab.board(tmp_path / "1")


def test_profiles_that_another_file_alone_has_are_named(lab: Lab, tmp_path: Path) -> None:
    paths = [only(lab, profile, tmp_path) for profile in WORDS[1:]]
    answers = [lab.merge(tmp_path / str(number), *both).out for number, both in enumerate((paths, paths[::-1]))]
    kept = [Store(tmp_path / str(number)).run(lab.run.run_id).settings.profiles for number in range(2)]
    assert kept[0] == kept[1]
    (lacking,) = {*WORDS} - {*kept[0]}
    assert all(f" without {lacking}; move it away, and merge the file that has" in out for out in answers)


def only(lab: Lab, profile: str, folder: Path) -> Path:
    """The bundle of whoever scored the run under this profile and the strict one."""
    names = ("word-strict", profile)

    def edit(found: Rows) -> None:
        found[:] = [row for row in found if row["profile"] in names]

    record = of_json(lambda record: record["settings"].update(profiles=names))
    tables = {f"/{name}.parquet": of_rows(edit) for name in ("scores", "sentence_counts")}
    return hostile.exchanged(lab.path, {"/run.json": record, **tables}, folder / f"{profile}.zip")


def test_two_files_with_other_results_are_a_conflict(lab: Lab, tmp_path: Path) -> None:
    def dev(value: Any) -> None:
        value["dev"] = {epoch: dict.fromkeys(found, 0.5) for epoch, found in value["dev"].items()}

    def history(found: Rows) -> None:
        for row in found:
            row["value"] = 0.5 if row["name"] == "f1" else row["value"]

    changes = {"/selection.json": of_json(dev), "/history.parquet": of_rows(history)}
    other = hostile.exchanged(lab.path, changes, tmp_path / "other.zip")
    for paths in ((lab.path, other), (other, lab.path)):
        answer = lab.merge(tmp_path / "results", *paths)
        assert answer.status == 2
        said = "it is in an earlier file, with another selection.json; move one away"
        assert f"conflict: {lab.run.run_id}: {said}\n" in answer.out
        assert not (tmp_path / "results").exists()


def test_other_orphans_are_another_result(lab: Lab, tmp_path: Path) -> None:
    shutil.copytree(lab.store.root, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "runs" / lab.run.run_id / "orphans.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    answer = lab.merge(tmp_path)
    assert answer.status == 2
    assert "already, with another orphans.parquet; move one away" in answer.out


@pytest.mark.parametrize("there", ["", "results", "results/runs"])
def test_a_refused_merge_leaves_nothing(lab: Lab, there: str, tmp_path: Path) -> None:
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    answer = lab.merge(tmp_path / "results", lab.path, tmp_path / "bad.zip")
    assert answer.status == 2
    (tmp_path / "bad.zip").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_orphans_that_no_count_decides_are_not_taken(tmp_path: Path) -> None:
    """A stranger's would stand in the way of the true ones."""
    lab = labs.build(tmp_path, ("word-strict",))
    assert rows(lab, "orphans")
    forged = lab.changed(tmp_path, orphans=lambda found: found.clear(), few_shot_orphans=lambda found: found.clear())
    answer = lab.merge(tmp_path / "merged", forged)
    assert answer.status == 0, answer.out
    assert not list(Store(tmp_path / "merged").folder(lab.run.run_id).glob("*orphans*"))
    assert "1 there already" in lab.merge(tmp_path / "merged").out
    assert "1 there already" in lab.merge(lab.store.root, forged).out
    assert lab.board(tmp_path / "merged") == lab.board(lab.store.root)
