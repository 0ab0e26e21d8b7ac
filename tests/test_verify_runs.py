"""What `status`, `runs` and `results check` make of a store that real runs, kills, grids and searches left."""

from __future__ import annotations

import json
import shlex
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
import small as worlds
from small import Small, call, start

from xner_bench import catalogue, identity, survey
from xner_bench.cli.again import Where, command
from xner_bench.results import Store
from xner_bench.settings import NUMBERS

if TYPE_CHECKING:
    from pathlib import Path

EVERY = ("--profile", "word-strict", "--profile", "word-lenient", "--profile", "subword-lenient")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def done(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run with everything that a run can have; read only."""
    results = tmp_path_factory.mktemp("done")
    more = (*EVERY, "--keep-checkpoint", "--h", 4, "--lr", "0.02", "--seed", 5, "--targets", "sw,no")
    assert call(*small.argv(results, *more, method="slicer")).status == 0
    return results


def told(name: str, small: Small, results: Path, *more: object) -> Any:
    cards = () if name == "runs" else ("--catalogue", small.catalogue)
    answer = call(*name.split(), "--results", results, "--json", *cards, *more)
    return json.loads(answer.out)


def check(small: Small, results: Path, *more: object) -> dict[str, Any]:
    found: dict[str, Any] = told("results check", small, results, *more)
    return found


def grave(small: Small, results: Path, *more: object) -> list[tuple[str, str]]:
    every = check(small, results, *more)["found"]
    return [(one["path"], one["problem"]) for one in every if one["kind"] != "left over"]


def again(small: Small, results: Path) -> str:
    (run,) = Store(results).runs()
    return command(run, Where(results, (small.catalogue,), catalogue.load([small.catalogue])))


def test_what_a_run_leaves_is_sound(small: Small, done: Path) -> None:
    assert check(small, done)["found"] == []
    (run,) = Store(done).runs()
    assert identity.numbers_of(run) == NUMBERS
    assert told("status", small, done)["runs"] == {"total": 1, "phases": {"done": 1}}
    assert told("status", small, done)["stale"] == []


def test_the_command_for_a_run_finds_it_done(small: Small, done: Path) -> None:
    (run,) = Store(done).runs()
    words = shlex.split(again(small, done))
    assert words[:2] == ["xner-bench", "run"]
    answer = call(*words[1:], "--data-root", small.data)  # the command of this process does not say where that is
    assert answer.status == 0, answer.err
    assert "already done" in answer.err
    assert [one.run_id for one in Store(done).runs()] == [run.run_id]


def test_all_of_a_run_is_shown(small: Small, done: Path) -> None:
    (run,) = Store(done).runs()
    answer = call("runs", "--results", done, "show", run.run_id[-12:-6], "--catalogue", small.catalogue)
    assert answer.status == 0, answer.err
    for part in (run.run_id, "h=4", "lr=0.02", "epoch 4", "subword-lenient", run.encoder.fingerprint[:12]):
        assert part in answer.out


def test_a_killed_run_is_interrupted_and_sound_and_goes_on(small: Small, tmp_path: Path) -> None:
    line = small.argv(tmp_path, "--epochs", 20)
    process = start(*line)
    while not list(tmp_path.glob("runs/*/epochs/state-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    assert told("status", small, tmp_path)["runs"]["phases"] == {"running": 1}
    assert check(small, tmp_path, "--repair")["found"] == [], "whoever carries it out is left alone"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (one,) = told("runs", small, tmp_path)[:1]
    assert one["state"] == "interrupted"
    assert grave(small, tmp_path) == []
    assert grave(small, tmp_path, "--repair") == []
    answer = call(*shlex.split(again(small, tmp_path))[1:])
    assert answer.status == 0, answer.err
    assert "going on after epoch" in answer.err
    assert survey.phase(Store(tmp_path), next(Store(tmp_path).runs())) == "done"
    assert grave(small, tmp_path) == []


def test_a_grid_is_made_whole_again(small: Small, tmp_path: Path) -> None:
    line = [word for word in small.argv(tmp_path, "--seeds", "1-3", "--epochs", 1) if word != "--quiet"]
    assert call(*line, "--quiet").status == 0
    (grid,) = told("status", small, tmp_path)["grids"]
    assert grid["phases"] == {"done": 3}
    first, second, third = sorted((tmp_path / "runs").glob("*/run.json"))
    first.write_bytes(b"{")
    (second.parent / "scores.parquet").write_bytes(b"")
    (third.parent / "history.parquet").write_bytes(b"")
    status = told("status", small, tmp_path)
    assert status["grids"][0]["phases"] == {"done": 2, "unreadable": 1}
    assert len(grave(small, tmp_path)) == 3
    assert len(grave(small, tmp_path, "--repair")) == 3
    assert told("status", small, tmp_path)["grids"][0]["phases"] == {"done": 1, "failed": 1, "not begun": 1}
    assert call(*line, "--quiet").status == 0
    assert [path for path, _ in grave(small, tmp_path)] == [str(third.parent / "history.parquet")]
    assert call(*line, "--quiet", "--overwrite", "always").status == 0
    assert grave(small, tmp_path) == []
    assert told("status", small, tmp_path)["grids"][0]["phases"] == {"done": 3}


def test_a_study_is_counted(small: Small, tmp_path: Path) -> None:
    base = small.argv(tmp_path, method="slicer")[1:]
    line = ["search", *base, "--trials", "3", "--epochs", "1", "--pruner", "none", "--study", "one"]
    answer = call(*line)
    assert answer.status == 0, answer.err
    (study,) = told("status", small, tmp_path)["studies"]
    assert study["name"] == "one"
    assert study["trials"] == {"complete": 3}
    assert 0 <= study["best"] <= 1
    assert study["phases"] == {"done": len(set(study["run_ids"]))}
    shown = call("status", "--results", tmp_path, "--catalogue", small.catalogue)
    assert "one" in shown.out
    assert grave(small, tmp_path) == []
    a_changed_trial_is_made_again_by_its_own_command(small, tmp_path, study["run_ids"][-1])
    journal = tmp_path / "studies" / "one" / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-7])
    assert grave(small, tmp_path, "--repair") == []
    assert journal.read_bytes() == whole[: whole[:-7].rindex(b"\n") + 1]
    journal.write_bytes(whole.replace(b"\n", b"x\n", 1))
    assert len(grave(small, tmp_path, "--repair")) == 1
    assert call(*line).status == 0, "the trials are done anew, their runs found"
    assert told("status", small, tmp_path)["studies"][0]["trials"] == {"complete": 3}


def a_changed_trial_is_made_again_by_its_own_command(small: Small, results: Path, run_id: str) -> None:
    store = Store(results)
    run, path = store.run(run_id), store.folder(run_id) / "run.json"
    before = path.read_text()
    path.write_text(before.replace('"dropout": 0.1', '"dropout": 0.2'))
    (one,) = check(small, results)["found"]
    where = Where(results, (small.catalogue,), catalogue.load([small.catalogue]))
    assert (one["kind"], one["run"]) == ("contradiction", run_id)
    assert one["again"] == command(run, where, "--overwrite", "always")
    path.write_text(before)
