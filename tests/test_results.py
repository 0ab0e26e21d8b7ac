"""The store: whole files, one-line complaints about anything else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from boards import Bench

from xner_bench.errors import UnknownName, XnerError
from xner_bench.results import HISTORY, PREDICTIONS, SCORES, Store, read_run
from xner_bench.settings import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.results import Run

HOLDER = """
import sys, time
from pathlib import Path
from xner_bench.results import Store
with Store(Path(sys.argv[1])).lock("one"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def stored(bench: Bench) -> Run:
    return bench.add()


def path_of(bench: Bench, run: Run, name: str = "run.json") -> Path:
    return bench.store.folder(run.run_id) / name


def one_line(caught: pytest.ExceptionInfo[XnerError], *parts: object) -> None:
    text = str(caught.value)
    assert "\n" not in text
    for part in parts:
        assert str(part) in text


def test_a_record_comes_back_as_it_was(bench: Bench, stored: Run) -> None:
    assert bench.store.run(stored.run_id) == stored
    assert bench.store.find(stored.run_id) == stored
    assert list(bench.store.runs()) == [stored]
    assert read_run(path_of(bench, stored)) == stored


def test_a_store_that_is_not_there_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "nowhere")
    assert list(store.runs()) == []
    assert store.find("x") is None
    assert not store.root.exists(), "looking must not make folders"


def test_an_unknown_run_is_answered_with_near_ones(bench: Bench, stored: Run) -> None:
    with pytest.raises(UnknownName) as caught:
        bench.store.run(stored.run_id[:-1] + "x")
    one_line(caught, stored.run_id, bench.store.root)


@pytest.mark.parametrize("schema", [SCHEMA + 1, 0, None, "1"])
def test_another_schema_is_refused(bench: Bench, stored: Run, schema: object) -> None:
    path = path_of(bench, stored)
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**record, "schema_version": schema}), "utf-8")
    with pytest.raises(XnerError) as caught:
        list(bench.store.runs())
    one_line(caught, path, f"schema {schema}", f"reads {SCHEMA}")


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"schema_version": 1}', b'{"schema_version": 1, "run_id": 3}'],
    ids=repr,
)
def test_a_damaged_record_is_one_line(bench: Bench, stored: Run, damage: bytes) -> None:
    path = path_of(bench, stored)
    path.write_bytes(damage)
    with pytest.raises(XnerError) as caught:
        bench.store.find(stored.run_id)
    one_line(caught, path)


def test_a_record_cut_anywhere_is_one_line(bench: Bench, stored: Run) -> None:
    path = path_of(bench, stored)
    whole = path.read_bytes()
    for size in range(0, len(whole.rstrip()) - 1, 97):
        path.write_bytes(whole[:size])
        with pytest.raises(XnerError) as caught:
            read_run(path)
        one_line(caught, path)


@pytest.mark.parametrize("size", [0, 3, 50, -1])
def test_a_damaged_table_is_one_line(bench: Bench, stored: Run, size: int) -> None:
    path = path_of(bench, stored, "scores.parquet")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(XnerError) as caught:
        bench.store.table(stored.run_id, "scores")
    one_line(caught, path, "run the command again")


def test_a_table_that_is_gone_is_one_line(bench: Bench, stored: Run) -> None:
    with pytest.raises(XnerError) as caught:
        bench.store.table(stored.run_id, "history")
    one_line(caught, path_of(bench, stored, "history.parquet"))


@pytest.mark.parametrize("schema", [SCORES, PREDICTIONS, HISTORY], ids=["scores", "predictions", "history"])
def test_an_empty_table_keeps_its_columns(tmp_path: Path, schema: tuple[tuple[str, str], ...]) -> None:
    store = Store(tmp_path)
    store.save_table("one", "table", schema, [])
    table = store.table("one", "table")
    assert table.num_rows == 0
    assert [(field.name, str(field.type)) for field in table.schema] == [
        (name, {"float64": "double"}.get(kind, kind)) for name, kind in schema
    ]


def test_equal_tables_are_equal_bytes(tmp_path: Path) -> None:
    rows = [(1, 1, "loss", None, None, 0.1), (1, None, "f1", "one", "aa", None)]
    for store in (Store(tmp_path / "a"), Store(tmp_path / "b")):
        store.save_table("one", "history", HISTORY, iter(rows))
    one, other = (tmp_path / name / "runs" / "one" / "history.parquet" for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_a_file_in_the_folders_place_is_said(tmp_path: Path) -> None:
    place = tmp_path / "results"
    place.write_text("not a folder")
    for store in (Store(place), Store(place / "below")):
        with pytest.raises(XnerError) as caught:
            store.probe()
        one_line(caught, store.root, "--results DIR")
        with pytest.raises(XnerError) as caught:
            store.write("one", "a.json", b"{}")
        one_line(caught, store.folder("one") / "a.json", "--results DIR")
    assert place.read_text() == "not a folder"


def test_probing_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    store.probe()
    assert [path.name for path in store.root.rglob("*")] == ["runs"]


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.probe()
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    entered = threading.Event()

    def wait() -> None:
        with store.lock("one"):
            entered.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    with store.lock("another"):
        assert not entered.wait(0.2), "the lock is held by the other process"
    holder.send_signal(signal.SIGKILL)
    assert entered.wait(10), "a killed process holds no lock"
    waiter.join()
    holder.communicate()


WRITER = """
import sys
from pathlib import Path
from xner_bench.results import Run, Store

root, template, own, results = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
run = Run.model_validate_json(template.read_bytes())
store = Store(root)
won = 0
for number in range(results):
    for name in (f"{own}-{number}", f"contested-{number}") if number < 20 else (f"{own}-{number}",):
        with store.lock(name):
            if store.find(name) is None:
                store.save_run(run.model_copy(update={"run_id": name, "provenance": {"by": own}}))
                won += name.startswith("contested")
print(won)
"""


def test_eight_processes_write_at_once(bench: Bench, stored: Run, tmp_path: Path) -> None:
    """1,600 results of their own, and 20 that all of them want to write: all are there, each of the latter once."""
    root, template = tmp_path / "many", path_of(bench, stored)
    Store(root).probe()
    command = [sys.executable, "-c", WRITER, str(root), str(template)]
    writers = [subprocess.Popen([*command, str(own), "200"], stdout=subprocess.PIPE, text=True) for own in range(8)]
    won = [int(writer.communicate(timeout=200)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 8
    found = {run.run_id: run for run in Store(root).runs()}
    assert found.keys() == {f"{own}-{n}" for own in range(8) for n in range(200)} | {
        f"contested-{n}" for n in range(20)
    }
    assert sum(won) == 20
    by = [found[f"contested-{n}"].provenance["by"] for n in range(20)]
    assert [by.count(str(own)) for own in range(8)] == won
    assert not [path for path in root.rglob(".*") if path.suffix != ".lock"]
