"""`results check`: what is sound passes, every damage is found, and mending loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from stores import HOLDER, Filled

from xner_bench import identity, protocol, repair, survey, verify, whole
from xner_bench.cli.results import results
from xner_bench.errors import XnerError
from xner_bench.results import HISTORY, PREDICTIONS, SCORES, Run, read_run
from xner_bench.settings import NUMBERS, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TABLES = {"scores": SCORES, "predictions": PREDICTIONS, "history": HISTORY}


@pytest.fixture
def bench(tmp_path: Path) -> Filled:
    return Filled(tmp_path)


@pytest.fixture
def run(bench: Filled) -> Run:
    return bench.complete()


def found(bench: Filled) -> list[tuple[str, str]]:
    """Kind and file name of everything that is wrong."""
    return [(one.kind, one.path.name) for one in verify.check(bench.store)]


def grave(bench: Filled) -> list[tuple[str, str]]:
    return [one for one in found(bench) if one[0] != "left over"]


def files(bench: Filled) -> dict[str, bytes]:
    root = bench.store.root
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def call(bench: Filled, *words: str) -> tuple[int, str]:
    where = ["--results", str(bench.store.root), "--catalogue", str(bench.cards)]
    answer = CliRunner().invoke(results, ["check", *words, *where], catch_exceptions=False)
    return answer.exit_code, answer.output


def path_of(bench: Filled, run: Run, name: str) -> Path:
    return bench.store.folder(run.run_id) / name


def change(path: Path, edit: Callable[[list[dict[str, Any]]], object], name: str) -> None:
    """Edit the rows of a table, as a program that is wrong might."""
    rows = pq.ParquetFile(path).read().to_pylist()
    edit(rows)
    schema = pa.schema([(column, pa.type_for_alias(kind)) for column, kind in TABLES[name]])
    pq.write_table(pa.Table.from_pylist(rows, schema), path)


def test_a_sound_store_passes_and_stays_as_it_is(bench: Filled) -> None:
    for seed in (1, 2):
        bench.complete(seed=seed)
        bench.complete("slicer", seed=seed, profiles=("word-strict", "word-lenient"))
    for seed, state in enumerate(("started", "failed", "diverged", "stopped"), start=3):
        bench.complete(state=state, seed=seed, error="x" if state != "started" else None)
    before = files(bench)
    assert found(bench) == []
    code, said = call(bench)
    assert (code, said) == (0, f"8 runs in {bench.store.root}: nothing wrong\n")
    assert files(bench) == before
    assert list(repair.mend(bench.store)) == []
    assert files(bench) == before


@pytest.mark.parametrize("more", [(), ("--repair",)])
def test_a_store_that_is_not_there_is_no_sound_one(bench: Filled, more: tuple[str, ...]) -> None:
    with pytest.raises(XnerError, match="no such folder"):
        call(bench, *more)
    assert not bench.store.root.exists()
    bench.store.root.mkdir()
    assert call(bench, *more) == (0, f"0 runs in {bench.store.root}: nothing wrong\n")


def test_a_file_and_an_empty_word_are_no_folder_of_results(bench: Filled) -> None:
    bench.store.root.write_text("")
    code, said = call(bench)
    assert code == 2
    assert "is not a folder" in said
    answer = CliRunner().invoke(results, ["check", "--results", ""])
    assert answer.exit_code == 2
    assert "it is empty" in answer.output


def test_ids_are_made_from_what_a_record_says(bench: Filled, run: Run) -> None:
    assert identity.numbers_of(run) == NUMBERS
    other = run.settings.model_copy(update={"profiles": ("word-lenient",), "encoder": "/elsewhere"})
    assert identity.numbers_of(run.model_copy(update={"settings": other})) == NUMBERS
    for changed in ({"seed": 7}, {"options": {"h": 1}}, {"types": ("PER",)}):
        settings = run.settings.model_copy(update=changed)
        assert identity.numbers_of(run.model_copy(update={"settings": settings})) is None


@pytest.mark.parametrize("name", ["scores", "predictions", "history"])
@pytest.mark.parametrize("size", [0, 3, 100, -1])
def test_a_damaged_table_is_found(bench: Filled, run: Run, name: str, size: int) -> None:
    path = path_of(bench, run, f"{name}.parquet")
    path.write_bytes(path.read_bytes()[:size])
    assert found(bench) == [("damaged", path.name)]


@pytest.mark.parametrize("name", ["scores.parquet", "predictions.parquet", "history.parquet", "selection.json"])
def test_a_file_that_is_gone_is_found(bench: Filled, run: Run, name: str) -> None:
    path_of(bench, run, name).unlink()
    assert found(bench) == [("missing", name)]


def test_a_table_of_other_columns_is_found(bench: Filled, run: Run) -> None:
    path = path_of(bench, run, "history.parquet")
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["step"]), path)
    assert found(bench) == [("damaged", "history.parquet")]


@pytest.mark.parametrize(
    ("name", "edit", "problem"),
    [
        ("scores", lambda rows: rows[0].update(tp=rows[0]["tp"] + 1), "support"),
        ("scores", lambda rows: rows[0].update(fp=-1), "is no count"),
        ("scores", lambda rows: rows[0].update(fn=None), "is no count"),
        ("scores", lambda rows: rows[0].update(tp=None), "is no count"),
        ("scores", lambda rows: rows[0].update(protocol=None), "is no count"),
        ("scores", lambda rows: rows[0].update(split="nosuch"), "rows of the split 'nosuch', which were not to be"),
        ("scores", lambda rows: rows.append(rows[0]), "stands twice"),
        ("scores", lambda rows: rows.pop(0), "no counts of"),
        ("scores", lambda rows: rows[0].update(protocol="mean"), "were not to be"),
        ("scores", lambda rows: rows[0].update(checkpoint=99), "no counts of"),
        ("scores", lambda rows: rows[0].update(sentences=8), "8 sentences"),
        ("scores", lambda rows: rows[0].update(fn=rows[0]["fn"] + 1, support=rows[0]["support"] + 1), "the gold of"),
        ("scores", lambda rows: [row.update(fp=row["fp"] + 1) for row in rows], "the scores count"),
        ("predictions", lambda rows: rows.pop(), "the scores count"),
        ("predictions", lambda rows: rows[0].update(type="LOC" if rows[0]["type"] == "PER" else "PER"), "scores count"),
        ("predictions", lambda rows: rows[0].update(sentence=9), "lies nowhere"),
        ("predictions", lambda rows: rows[0].update(end=rows[0]["start"]), "lies nowhere"),
        ("predictions", lambda rows: rows[0].update(start=None), "no place"),
        ("predictions", lambda rows: rows.append(rows[0]), "share a word"),
        ("history", lambda rows: rows[0].update(value=float("nan")), "is no number"),
        ("history", lambda rows: rows[4].update(value=0.5), "dev scores"),
        (
            "history",
            lambda rows: [row.update(epoch=1) for row in rows if row["name"] == "loss"],
            "no losses of epoch 2",
        ),
    ],
)
def test_contradictions_are_found(
    bench: Filled, run: Run, name: str, edit: Callable[[list[dict[str, Any]]], object], problem: str
) -> None:
    change(path_of(bench, run, f"{name}.parquet"), edit, name)
    every = list(verify.check(bench.store))
    assert {one.kind for one in every} == {"contradiction"}
    assert any(problem in one.problem for one in every), [one.problem for one in every]
    assert all("\n" not in one.problem for one in every)
    assert all(one.remedy is None for one in every), "nobody can tell which of two files is right"


def test_a_checkpoint_that_the_dev_scores_do_not_choose_is_found(bench: Filled, run: Run) -> None:
    path = path_of(bench, run, "selection.json")
    record = json.loads(path.read_bytes())
    record["dev"] = {epoch: {name: 1 - f1 for name, f1 in found.items()} for epoch, found in record["dev"].items()}
    path.write_text(json.dumps(record))
    assert ("contradiction", "selection.json") in found(bench)


def without_average(bench: Filled, run: Run) -> None:
    """Its files as a version without that protocol wrote them."""
    path = path_of(bench, run, "selection.json")
    record = json.loads(path.read_bytes())
    del record["selection"]["average"]
    path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    for name in ("scores", "predictions"):
        change(path_of(bench, run, f"{name}.parquet"), lambda rows: _drop(rows, checkpoint=protocol.MEAN), name)


def _drop(rows: list[dict[str, Any]], **said: Any) -> None:
    rows[:] = [row for row in rows if any(row[name] != value for name, value in said.items())]


def test_a_run_of_a_version_without_average_is_sound(bench: Filled, run: Run) -> None:
    without_average(bench, run)
    assert found(bench) == []
    path = path_of(bench, run, "selection.json")
    whole_one = path.read_bytes()
    path.unlink()
    assert call(bench, "--repair")[0] == 0
    assert path.read_bytes() == whole_one


def test_average_is_in_all_files_or_in_none(bench: Filled, run: Run) -> None:
    change(path_of(bench, run, "scores.parquet"), lambda rows: _drop(rows, protocol="average"), "scores")
    assert ("contradiction", "scores.parquet") in found(bench)
    other = bench.complete(seed=1)
    path = path_of(bench, other, "selection.json")
    record = json.loads(path.read_bytes())
    del record["selection"]["average"]
    path.write_text(json.dumps(record))
    assert [one.path.parent.name for one in verify.check(bench.store)].count(other.run_id) == 1


def changed(bench: Filled, run: Run) -> None:
    """Somebody edits a record."""
    path = path_of(bench, run, "run.json")
    path.write_text(path.read_text().replace('"lr": 1e-05', '"lr": 2e-05'))


def test_a_record_that_was_changed_is_found(bench: Filled, run: Run) -> None:
    changed(bench, run)
    assert found(bench) == [("contradiction", "run.json")]
    for more in ((), ("--repair",)):
        code, said = call(bench, *more)
        assert code == 2
        assert "xner-bench run" not in said, "what it says cannot be relied on, and nobody knows what was typed"


def test_the_command_of_a_changed_record_is_what_was_typed(bench: Filled) -> None:
    typed = ["__main__.py", "run", "--method", "standard", "--suite", "toy", "--lr", "1e-5"]
    run = bench.complete(provenance={"command": typed})
    changed(bench, run)
    line = "xner-bench run --method standard --suite toy --lr 1e-5 --overwrite always"
    for more in ((), ("--repair",)):
        code, said = call(bench, *more)
        assert code == 2
        assert f"made again by:\n  {line}\n" in said
    record = json.loads(call(bench, "--json")[1])
    assert record["again"] == [line]
    assert record["found"][0]["again"] == line


def test_of_a_grid_only_the_changed_run_is_done_again(bench: Filled) -> None:
    typed = ["xner-bench", "run", "--seeds", "1,2"]
    settled = {"harmonize": {"one": {}, "two": {}}, "provenance": {"command": typed}}
    runs = [bench.complete(seed=seed, **settled) for seed in (1, 2)]
    grid = {"suite": ["toy"], "method": ["standard"], "seed": [1, 2]}
    asked = {"grid_id": "g", "run_ids": [run.run_id for run in runs], "command": " ".join(typed), "asked": ""}
    path = bench.store.root / "grids" / "g.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"grid": grid, **asked}))
    changed(bench, runs[1])
    said = call(bench)[1]
    assert "  xner-bench run --method standard --suite toy --seed 2 " in said
    assert said.count("--overwrite always") == 1
    path.write_text(json.dumps({"grid": None, **asked}))
    assert "  xner-bench run --seeds 1,2 --overwrite always\n" in call(bench)[1]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema_version": 1}'], ids=repr)
def test_a_damaged_record_is_set_aside(bench: Filled, run: Run, damage: bytes) -> None:
    other = bench.complete(seed=1)
    path = path_of(bench, run, "run.json")
    path.write_bytes(damage)
    assert found(bench) == [("damaged", "run.json")]
    code, said = call(bench, "--repair")
    assert code == 2
    assert "set aside as run.json.damaged" in said
    assert path.with_name("run.json.damaged").read_bytes() == damage
    assert [one.run_id for one in bench.store.runs()] == [other.run_id]
    assert found(bench) == [("missing", "run.json")]
    first = call(bench)[1].partition("\n")[0]
    assert first.endswith("no record of this run; run.json.damaged is what was set aside")
    bench.complete()
    assert found(bench) == []


def test_a_folder_in_the_place_of_a_record_is_set_aside(bench: Filled, run: Run) -> None:
    path = path_of(bench, run, "run.json")
    path.unlink()
    path.mkdir()
    (path / "x").write_text("mine")
    (lost,) = survey.read(bench.store).unreadable
    assert lost.problem.startswith(f"{path}: not a record of a run (a folder is in its place); ")
    with pytest.raises(XnerError, match="results check --repair"):
        bench.store.find(run.run_id)
    assert found(bench) == [("damaged", "run.json")]
    assert "set aside as run.json.damaged" in call(bench, "--repair")[1]
    assert (path.with_name("run.json.damaged") / "x").read_text() == "mine"
    assert bench.store.find(run.run_id) is None
    bench.complete()
    assert found(bench) == []


def test_a_record_of_another_version_is_left_alone(bench: Filled, run: Run) -> None:
    path = path_of(bench, run, "run.json")
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema_version": SCHEMA + 1}))
    before = files(bench)
    assert found(bench) == [("other version", "run.json")]
    code, said = call(bench, "--repair")
    assert code == 2
    assert f"schema {SCHEMA + 1}" in said
    assert {name: data for name, data in files(bench).items() if not name.endswith(".lock")} == before


def test_a_run_in_a_wrong_folder_goes_home(bench: Filled, run: Run) -> None:
    folder = bench.store.folder(run.run_id)
    folder.rename(folder.with_name("copy"))
    (folder.with_name("copy") / "scores.parquet").write_bytes(b"")
    assert found(bench) == [("misplaced", "run.json")]
    call(bench, "--repair")
    assert read_run(folder / "run.json").state == "failed", "once at home its files are looked at"
    assert not folder.with_name("copy").exists()


def test_a_copy_of_a_run_is_left_where_it_is(bench: Filled, run: Run) -> None:
    folder = bench.store.folder(run.run_id)
    shutil.copytree(folder, folder.with_name("copy"))
    code, said = call(bench, "--repair")
    assert code == 2
    assert f"move {folder.with_name('copy')} away" in said
    assert (folder.with_name("copy") / "scores.parquet").is_file()


@pytest.mark.parametrize("name", ["scores.parquet", "predictions.parquet", "history.parquet"])
def test_mending_sets_damaged_tables_aside_and_says_what_makes_them_again(bench: Filled, run: Run, name: str) -> None:
    path = path_of(bench, run, name)
    torn = path.read_bytes()[:50]
    path.write_bytes(torn)
    before = files(bench)
    code, said = call(bench, "--repair")
    assert code == 2
    assert path.with_name(f"{name}.damaged").read_bytes() == torn
    assert not path.exists()
    assert "xner-bench run --method standard --suite toy" in said
    state = bench.store.run(run.run_id).state
    assert state == ("failed" if name == "scores.parquet" else "done"), "only what is ranked needs the scores"
    assert ("--overwrite always" in said) == (state == "done"), "else it would be found done"
    kept = {name: data for name, data in files(bench).items() if not name.endswith((".lock", "run.json"))}
    assert set(kept.values()) >= {data for name, data in before.items() if not name.endswith("run.json")}


def test_a_second_damaged_file_does_not_take_the_place_of_the_first(bench: Filled, run: Run) -> None:
    path = path_of(bench, run, "history.parquet")
    for number in (1, 2, 3):
        path.write_bytes(b"%d" % number)
        list(repair.mend(bench.store))
    aside = sorted(path.parent.glob("history.parquet*.damaged"))
    assert sorted(one.read_bytes() for one in aside) == [b"1", b"2", b"3"]


def test_the_selection_is_made_again_to_the_byte(bench: Filled, run: Run) -> None:
    path = path_of(bench, run, "selection.json")
    whole_one = path.read_bytes()
    for damage in (whole_one[:30], b"[]", None):
        path.unlink() if damage is None else path.write_bytes(damage)
        code, said = call(bench, "--repair")
        assert code == 0
        assert "made again from history.parquet" in said
        assert path.read_bytes() == whole_one
    assert grave(bench) == []


def test_a_selection_that_cannot_be_made_again_fails_the_run(bench: Filled, run: Run) -> None:
    path_of(bench, run, "selection.json").unlink()
    path_of(bench, run, "history.parquet").unlink()
    assert call(bench, "--repair")[0] == 2
    assert bench.store.run(run.run_id).state == "failed"


def test_left_overs_of_killed_processes_do_no_harm_and_go(bench: Filled, run: Run) -> None:
    folder = bench.store.folder(run.run_id)
    for name in (".run.json.abc12_xy", ".scores.parquet.zzzzzzzz"):
        (folder / name).write_bytes(b"{")
    (folder / ".checkpoint.abcdefgh").mkdir()
    (folder / "epochs" / "epoch-1").mkdir(parents=True)
    never = bench.store.folder("never-begun")
    never.mkdir()
    (never / ".run.json.abc12_xy").write_bytes(b"{")
    kept = {path.name for path in folder.iterdir() if not path.name.startswith(".")} - {"epochs"}
    assert {kind for kind, _ in found(bench)} == {"left over"}
    assert call(bench)[0] == 0
    assert call(bench, "--repair")[0] == 0
    assert {path.name for path in folder.iterdir()} == kept
    assert not never.exists()
    assert found(bench) == []


def test_temporary_files_elsewhere_go_when_they_are_old(bench: Filled, run: Run) -> None:
    for folder in ("grids", "studies/one", "leaderboard", "runs"):
        (bench.store.root / folder).mkdir(parents=True, exist_ok=True)
        for name, age in ((".x.json.abcdefgh", 2 * verify.PATIENCE), (".y.json.abcdefgh", 0)):
            path = bench.store.root / folder / name
            path.write_bytes(b"")
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    list(repair.mend(bench.store))
    names = {path.name for path in bench.store.root.rglob(".*.abcdefgh")}
    assert names == {".y.json.abcdefgh"}, "somebody may be writing it"


def test_damaged_checkpoints_of_a_run_to_go_on_are_set_aside(bench: Filled) -> None:
    run = bench.complete(state="started")
    epochs = bench.store.folder(run.run_id) / "epochs"
    for name in ("epoch-1", "epoch-2", "state-2"):
        whole.write(epochs / name, lambda folder: (folder / "x.safetensors").write_bytes(b"abc") and None)
    assert found(bench) == []
    (epochs / "epoch-2" / "x.safetensors").write_bytes(b"abd")
    (epochs / ".state-3.part").mkdir()
    assert sorted(found(bench)) == [("left over", ".state-3.part"), ("left over", "epoch-2")]
    list(repair.mend(bench.store))
    assert sorted(path.name for path in epochs.iterdir()) == ["epoch-1", "epoch-2.damaged", "state-2"]
    assert found(bench) == []


def safetensors(values: int) -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [values], "data_offsets": [0, values]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(values)


def test_a_kept_checkpoint_is_looked_at(bench: Filled) -> None:
    run = bench.complete(checkpoint_kept=True)
    folder = path_of(bench, run, "checkpoint")
    assert found(bench) == [("missing", "checkpoint")]
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    weights = folder / "model.safetensors"
    weights.write_bytes(safetensors(100))
    assert found(bench) == []
    for damage in (safetensors(100)[:-1], safetensors(100)[:5], b"", b"\xff" * 20):
        weights.write_bytes(damage)
        assert found(bench) == [("damaged", "checkpoint")]
    _, said = call(bench, "--repair")
    assert "--keep-checkpoint" in said
    assert "--overwrite" not in said, "the run is done but for its checkpoint, and the same command sees it"
    assert not bench.store.run(run.run_id).checkpoint_kept
    assert (folder.with_name("checkpoint.damaged") / "config.json").is_file()
    assert grave(bench) == []


def test_a_run_under_way_is_left_alone(bench: Filled) -> None:
    run = bench.complete()
    folder = bench.store.folder(run.run_id)
    (folder / "scores.parquet").write_bytes(b"")
    (folder / ".run.json.abc12_xy").write_bytes(b"{")
    before = files(bench)
    command = [sys.executable, "-c", HOLDER, str(bench.store.root), run.run_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert found(bench) == []
        assert list(repair.mend(bench.store)) == []
        assert {name: data for name, data in files(bench).items() if not name.endswith(".lock")} == before
        holder.kill()
    assert len(found(bench)) == 2, "the scores and the temporary file"


def test_locks_are_as_they_should_be(bench: Filled, run: Run) -> None:
    with bench.store.lock(run.run_id), bench.store.lock("gone"):
        assert found(bench) == []
    assert found(bench) == []
    before = files(bench)
    assert list(repair.mend(bench.store)) == []
    assert files(bench) == before


def test_grids_studies_and_the_leaderboard_are_looked_at(bench: Filled, run: Run) -> None:
    root = bench.store.root
    for name in ("grids", "studies/one", "studies/two", "leaderboard"):
        (root / name).mkdir(parents=True)
    (root / "grids" / "0123.json").write_text("{")
    (root / "studies" / "one" / "study.json").write_text("{")
    (root / "studies" / "one" / "journal.jsonl").write_text('{"op": 1}\n')
    (root / "leaderboard" / "leaderboard.parquet").write_bytes(b"PAR1")
    code, said = call(bench, "--repair")
    assert code == 2
    assert "xner-bench leaderboard build" in said
    aside = sorted(path.name for path in root.rglob("*.damaged"))
    assert aside == ["0123.json.damaged", "journal.jsonl.damaged", "leaderboard.parquet.damaged", "study.json.damaged"]
    assert grave(bench) == []


def test_a_study_that_somebody_moved_out_of_the_way_is_left_alone(bench: Filled, run: Run) -> None:
    old = bench.store.root / "studies" / "one~old"
    old.mkdir(parents=True)
    (old / "study.json").write_text("{")
    (old / "journal.jsonl").write_text("no line")
    before = files(bench)
    assert found(bench) == []
    assert list(repair.mend(bench.store)) == []
    assert files(bench) == before


def test_a_torn_journal_is_cut_after_its_last_line(bench: Filled, run: Run) -> None:
    torn, problem = b'{"a": 1}\n{"b": 2}\n{"c"', b'{"a": 1}\n{"b\n{"c": 3}\n'
    folder = bench.store.root / "studies" / "one"
    folder.mkdir(parents=True)
    from xner_bench.undertakings import journal_problem

    journal = folder / "journal.jsonl"
    journal.write_bytes(torn)
    assert journal_problem(journal) == (True, "")
    repair._cut(journal)
    assert journal.read_bytes() == b'{"a": 1}\n{"b": 2}\n'
    journal.write_bytes(problem)
    assert journal_problem(journal) == (False, "line 2 is no line of a journal")


def test_the_json_says_the_same(bench: Filled, run: Run) -> None:
    path_of(bench, run, "scores.parquet").write_bytes(b"")
    code, said = call(bench, "--repair", "--json")
    record = json.loads(said)
    assert code == 2
    assert [(one["kind"], one["run"]) for one in record["found"]] == [("damaged", run.run_id)]
    assert record["again"][0].startswith("xner-bench run --method standard")


@contextmanager
def closed(path: Path, mode: int) -> Iterator[None]:
    """A file or folder with other permissions."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        if os.access(path, os.R_OK | os.W_OK):
            pytest.skip("root may read and write everywhere")
        yield
    finally:
        path.chmod(before)


def test_what_cannot_be_mended_for_want_of_a_permission_is_one_line(bench: Filled, run: Run) -> None:
    path_of(bench, run, "scores.parquet").write_bytes(b"")
    with closed(bench.store.folder(run.run_id), 0o500), pytest.raises(XnerError, match="cannot mend"):
        list(repair.mend(bench.store))


def test_a_store_that_may_only_be_read_is_not_mended(bench: Filled, run: Run) -> None:
    with closed(bench.store.root / "runs", 0o500):
        assert found(bench) == []
        with pytest.raises(XnerError, match=r"^cannot mend .*/runs: permission denied; [^\n]*$"):
            list(repair.mend(bench.store))


def test_what_may_not_be_read_is_said_and_left_as_it_is(bench: Filled, run: Run) -> None:
    folder = bench.store.folder(run.run_id)
    other = bench.complete(seed=1)
    for path, mode in ((folder, 0), (folder, 0o400), (folder / "run.json", 0), (folder / "scores.parquet", 0)):
        with closed(path, mode):
            assert [kind for kind, _ in found(bench)] == ["unreadable"]
            code, said = call(bench, "--repair")
            assert code == 2
            assert "permission denied" in said.partition("\n")[0]
            records = survey.read(bench.store)
            lost = [one.run_id for one in records.unreadable]
            assert lost == ([run.run_id] if path.name != "scores.parquet" else [])
            assert other.run_id in [one.run_id for one in records.runs]
            if lost:
                assert (
                    survey.complaint(records.unreadable)
                    == f"left out: {folder}/run.json: cannot be read: permission denied"
                )
    assert found(bench) == []
    with (
        closed(bench.store.root / "runs", 0),
        pytest.raises(XnerError, match="runs: cannot be read: permission denied"),
    ):
        found(bench)


def test_survey_goes_on_past_a_damaged_record(bench: Filled, run: Run) -> None:
    other = bench.complete(seed=1)
    path_of(bench, run, "run.json").write_bytes(b"{")
    records = survey.read(bench.store)
    assert [one.run_id for one in records.runs] == [other.run_id]
    assert [one.run_id for one in records.unreadable] == [run.run_id]
