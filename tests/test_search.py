"""`xner-bench search`: trials are ordinary runs, the same command goes on, and what looked at a target says so."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import killing
import pytest
import small as worlds
from errands import Remembering
from small import call

from xner_bench import catalogue, registry, search, space, studies, trials
from xner_bench.cli.board import Lines
from xner_bench.errors import XnerError
from xner_bench.executors import InSequence, choose
from xner_bench.method import Sizes
from xner_bench.results import Store
from xner_bench.run import objective, run
from xner_bench.space import Range
from xner_bench.work import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xner_bench.jobs import Board, Job, Outcome
    from xner_bench.studies import Study, Trial

FEW = ("--epochs", "2", "--pruner", "none", "--study", "s")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> worlds.Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


def argv(world: worlds.Small, results: Path, *more: object, method: str = "slicer") -> list[str]:
    return ["search", *world.argv(results, *more, method=method)[1:]]


def drawn(study: Study) -> list[tuple[dict[str, Any], float | None, str]]:
    return [(trial.drawn, trial.value, trial.state) for trial in study.trials()]


def times(results: Path) -> dict[str, int]:
    """When each run was last written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in results.glob("runs/*/run.json")}


def test_a_search_from_the_first_trial_to_the_winners_runs(world: worlds.Small, tmp_path: Path) -> None:
    command = argv(world, tmp_path, "--trials", 6, *FEW)
    first = call(*command)
    assert first.status == 0, first.err
    study = studies.load(tmp_path, "s")
    store = Store(tmp_path)
    for trial in study.trials():
        done = store.run(trial.facts["run_id"])
        assert (done.state, trial.value) == ("done", objective(store, done))
        assert done.settings.training.lr == trial.drawn["lr"]
        assert done.settings.options["h"] == trial.drawn["h"]
        assert 0.0025 <= trial.drawn["lr"] <= 0.04  # the suite says nothing but its own 1e-2
        assert 32 % trial.drawn["h"] == 0
        assert set(trial.epochs) == {1, 2}
    best = study.best()
    assert best is not None
    assert f"best:    lr={best.drawn['lr']:g} h={best.drawn['h']}, F1 " in first.out
    assert "next:    xner-bench run --from-study s --seeds 42-51" in first.out
    assert (study.folder / "report.md").is_file()

    before = times(tmp_path)
    again = call(*command)  # nothing is left to be done
    assert (again.status, again.out, times(tmp_path)) == (0, first.out, before)
    assert search.winner(tmp_path, "s").training.lr == best.drawn["lr"]
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(world.encoder, elsewhere)
    moved = call(*(str(elsewhere) if word == str(world.encoder) else word for word in command))
    assert (moved.status, times(tmp_path)) == (0, before)
    assert f" --encoder {elsewhere}" in moved.out
    assert "--encoder" not in first.out  # where it was, the study knows
    won = call(*world.argv(tmp_path, "--from-study", "s", "--seeds", "42,43", method="slicer"))
    assert won.status == 0, won.err
    assert len(times(tmp_path)) == len(before) + 1  # seed 42 was the trial's


def test_a_search_that_is_killed_again_and_again_finds_what_it_would_have_found(
    world: worlds.Small, tmp_path: Path
) -> None:
    straight, killed = (argv(world, tmp_path / name, "--trials", 3, *FEW) for name in ("straight", "killed"))
    assert call(*straight).status == 0
    for folder, at in (("epochs", 25), ("studies", 60)):
        assert killing.kill_at_event(killed, at, folder).returncode == -signal.SIGKILL
    assert call(*killed).status == 0
    ours, theirs = (studies.load(tmp_path / name, "s") for name in ("straight", "killed"))
    assert drawn(ours) == drawn(theirs)
    assert killing.differences(tmp_path / "killed", tmp_path / "straight") == ""
    assert len(theirs.every()) > len(ours.every())  # killed trials are there, too


def test_workers_share_a_search_and_one_of_them_may_be_killed(world: worlds.Small, tmp_path: Path) -> None:
    execution = world.execution(tmp_path)
    definition = search.define(world.settings("slicer", epochs=8), {}, execution, pruner="none")
    study = studies.create(tmp_path, "s", definition)
    killed: list[Trial] = []
    killer = threading.Thread(target=kill_one, args=(tmp_path, killed))
    killer.start()
    failures = search.search(study, execution, choose(workers=2), Remembering(), limit=3)
    killer.join()
    assert ["signal 9" in str(failure.error) for failure in failures] == [True]
    assert [trial.state for trial in study.trials()] == ["complete"] * 3
    assert study.trials()[killed[0].draw - 1].facts["retries"] == 1
    assert len({trial.facts["process"] for trial in study.trials()}) > 1
    assert len(times(tmp_path)) == 3


def kill_one(results: Path, killed: list[Trial]) -> None:
    """Kill the process of the first trial that has come through an epoch."""
    while not killed:
        killed += running(results)[:1]
        time.sleep(0.2)
    os.kill(int(killed[0].facts["process"].rpartition(":")[2]), signal.SIGKILL)


def running(results: Path) -> list[Trial]:
    """Trials that have come through an epoch."""
    found = studies.load(results, "s").trials() if studies.names(results) else []
    return [trial for trial in found if trial.state == "running" and trial.epochs]


def test_a_trial_that_was_run_before_costs_nothing(world: worlds.Small, tmp_path: Path) -> None:
    run(world.settings("slicer", options={"h": 4}, lr=5e-3, epochs=2), world.execution(tmp_path))
    before = times(tmp_path)
    done = call(*argv(world, tmp_path, *FEW, "--sampler", "grid", "--lr", "5e-3,1e-2", "--h", 4))
    assert done.status == 0, done.err
    study = studies.load(tmp_path, "s")
    assert {trial.drawn["lr"]: trial.facts["found"] for trial in study.trials()} == {5e-3: True, 1e-2: False}
    assert times(tmp_path).items() >= before.items()
    assert "1 of them found done" in done.out


def test_what_is_given_is_fixed_and_a_list_is_chosen_from(world: worlds.Small, tmp_path: Path) -> None:
    known = catalogue.load([world.catalogue])
    base = world.settings("slicer")
    suite = known.suite("small")
    assert search.space_of(base, suite, {}) == {
        "lr": Range(low=0.0025, high=0.04, log=True),
        "h": (1, 2, 4, 8, 16, 32),
    }
    assert search.space_of(base, suite, {"h": (8,), "lr": (1e-2,)}) == {}
    several = {"h": (2, 8), "epochs": (1, 2)}
    assert search.space_of(base, suite, {**several, "lr": (1e-2,)}) == several
    said = suite.model_copy(update={"search": {"dropout": Range(low=0, high=1), "batch_size": (8, 16)}})
    wide = search.space_of(base, said, {"h": (8,)})
    assert wide == {"dropout": Range(low=0.0, high=1.0), "batch_size": (8, 16)}
    assert not wide["dropout"].whole  # type: ignore[union-attr]
    for wrong, message in (
        (("--h", "5,8"), "--h 5 does not divide the hidden size 32"),
        (("--batch-size", "16,0"), "--batch-size: Input should be greater than or equal to 1 (got 0)"),
        (("--h", "2,4", "--dropout", "0.1,0.2,1.5"), "--dropout: Input should be less than 1 (got 1.5)"),
        (("--h", 8, "--lr", "1e-2,1e-2"), "nothing is left to search for 'slicer'"),
        (("--h", 8, "--lr", "1e-2"), "nothing is left to search for 'slicer'"),
        (("--seeds", "42,43"), "a search has one seed, not 42, 43; give --seed one value"),
        (("--objective", "best"), "--objective 'best' is neither source-dev nor oracle:DATASET:LANGUAGE"),
        (("--objective", "oracle:villages:fr"), "villages:fr is none of the targets"),
        (("--objective", "oracle:villages:sw", "--pruner", "median"), "take --pruner none"),
        (("--timeout", "soon"), "'soon' is no length of time"),
        (("--study", "../x"), "is no name for a study"),
    ):
        answer = call(*argv(world, tmp_path / "wrong", *wrong))
        assert (answer.status, answer.out) == (2, "")
        assert message in answer.err
        assert answer.err.count("\n") == 1
    assert not (tmp_path / "wrong" / "studies").exists()


def test_what_diverges_is_never_the_best(world: worlds.Small, tmp_path: Path) -> None:
    command = argv(world, tmp_path, *FEW, "--sampler", "grid", "--lr", "1e-2,1e30", "--h", 4)
    done = call(*command)
    assert done.status == 0, done.err
    study = studies.load(tmp_path, "s")
    assert {trial.drawn["lr"]: trial.state for trial in study.trials()} == {1e-2: "complete", 1e30: "failed"}
    assert "diverged: the loss" in next(trial.error for trial in study.trials() if trial.error)
    best = study.best()
    assert best is not None
    assert best.drawn["lr"] == 1e-2
    before = times(tmp_path)
    assert call(*command).status == 0  # it would diverge again
    assert times(tmp_path) == before


def test_what_lags_behind_is_pruned_and_leaves_no_weights(world: worlds.Small, tmp_path: Path) -> None:
    rates = (1e-2, 9e-3, 8e-3, 7e-3, 1e-7)
    last = next(seed for seed in range(99) if space.every({"lr": rates}, seed, grid=True)[-1]["lr"] == 1e-7)
    grid = ("--sampler", "grid", "--sampler-seed", last, "--lr", ",".join(map(str, rates)), "--h", 4)
    done = call(*argv(world, tmp_path, "--study", "s", *grid))
    assert done.status == 0, done.err
    slow = studies.load(tmp_path, "s").trials()[-1]
    assert (slow.state, slow.drawn["lr"]) == ("pruned", 1e-7)
    assert 0 < len(slow.epochs) < 4
    folder = Store(tmp_path).folder(slow.facts["run_id"])
    assert Store(tmp_path).run(folder.name).state == "stopped"
    assert not (folder / "epochs").exists()

    run(world.settings("slicer", options={"h": 4}, lr=2e-7), world.execution(tmp_path), after_epoch=stop_after_3)
    grid = (*grid[:-3], ",".join(map(str, (*rates[:-1], 2e-7))), *grid[-2:])
    done = call(*argv(world, tmp_path, "--study", "t", *grid))  # the others are found done
    assert done.status == 0, done.err
    began = next(trial for trial in studies.load(tmp_path, "t").trials() if trial.drawn["lr"] == 2e-7)
    assert (began.state, len(began.epochs)) == ("pruned", 3)
    assert list((Store(tmp_path).folder(began.facts["run_id"]) / "epochs").iterdir())  # it was not this search's


def stop_after_3(epoch: int, f1: float | None, further: bool) -> None:
    if epoch == 3:
        raise Stop("somebody ended it")


def test_a_search_ends_when_its_time_is_up_and_goes_on_later(world: worlds.Small, tmp_path: Path) -> None:
    command = argv(world, tmp_path, "--trials", 1, "--study", "s", "--epochs", 80)
    ended = call(*command, "--timeout", 1)
    study = studies.load(tmp_path, "s")
    assert [trial.state for trial in study.trials()] == ["waiting"]
    assert ended.status == 1
    assert ended.err == "time is up after 0 of 1 trials; the same command goes on\nno trial is complete yet\n"
    [stopped] = Store(tmp_path).runs()
    assert stopped.state == "stopped"
    assert list((Store(tmp_path).folder(stopped.run_id) / "epochs").iterdir())
    assert call(*command).status == 0
    assert [trial.state for trial in study.trials()] == ["complete"]
    assert len(times(tmp_path)) == 1


def test_trials_that_were_not_begun_are_not_said_to_be_done(
    world: worlds.Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time for one trial and the beginning of the other; then another search has made what is left."""
    line = [word for word in argv(world, tmp_path, "--trials", 3, *FEW, "--lr", "1e-2") if word != "--quiet"]
    assert call(*line, "--trials", 1).status == 0
    ended = call(*line, "--timeout", "0.000000001")
    assert ended.status == 0
    said = "study s: 3 trials, of which there are 1 (1 complete); h from 1, 2, 4, 8, 16, 32"
    assert ended.err.splitlines() == [said, "time is up after 1 of 3 trials; the same command goes on"]
    study = studies.load(tmp_path, "s")

    class Late(InSequence):
        """Another search has made a trial just before this one begins."""

        def carry_out(self, jobs: Sequence[Job], board: Board) -> Iterator[Outcome]:
            trials.work(study, world.execution(tmp_path), 3, 0, None)
            yield from super().carry_out(jobs, board)

    search.search(study, world.execution(tmp_path), Late(), Lines(), limit=3)
    told = [line.partition(" in ")[0] for line in capsys.readouterr().err.splitlines() if "=" not in line]
    assert told == ["trial 3 of 3: started", "trial 3 of 3: done"]
    more = call(*line, "--trials", 1)
    assert more.err.startswith("study s: 1 trial, and there are more, 3 (3 complete); ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_search_that_was_ended_is_interrupted_and_says_how_to_go_on(
    world: worlds.Small, tmp_path: Path, number: signal.Signals
) -> None:
    line = [word for word in argv(world, tmp_path, "--trials", 1, *FEW, "--epochs", 2000) if word != "--quiet"]
    process = worlds.start(*line)
    while not list(tmp_path.glob("runs/*/epochs/state-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    look = ("status", "--results", tmp_path, "--catalogue", world.catalogue)
    assert json.loads(call(*look, "--json").out)["studies"][0]["trials"] == {"running": 1}
    assert "to go on" not in call(*look).out
    process.send_signal(number)
    ended = worlds.end(process)
    if number == signal.SIGTERM:
        assert ended.status == 143
        assert ended.err.endswith("xner-bench: ended by a signal; the same command goes on with what is missing\n")
    (study,) = json.loads(call(*look, "--json").out)["studies"]
    assert study["trials"] == {"interrupted": 1}
    assert study["run_ids"] == list(times(tmp_path))
    said = call(*look).out
    assert f"s, to go on: {shlex.join(['xner-bench', *line])}\n" in said
    assert "to go on with" not in said  # the run is the study's
    again = call(*line, "--timeout", "0.000000001")
    assert "of which there are 1 (1 interrupted)" in again.err


def test_an_oracle_is_asked_for_by_name_and_marks_what_comes_of_it(world: worlds.Small, tmp_path: Path) -> None:
    oracle = ("--objective", "oracle:villages:sw", "--study", "s")
    done = call(*argv(world, tmp_path, "--trials", 2, "--epochs", 2, *oracle))
    assert done.status == 0, done.err
    study, store = studies.load(tmp_path, "s"), Store(tmp_path)
    assert not study.definition.zero_shot
    assert study.definition.pruner == "none"
    for trial in study.trials():
        record = json.loads((store.folder(trial.facts["run_id"]) / "selection.json").read_bytes())
        assert trial.value == max(scores["villages:sw"] for scores in record["dev"].values())
        assert store.run(trial.facts["run_id"]).settings.chosen_on == ("villages:sw",)
    where = ("--catalogue", world.catalogue, "--data-root", world.data, "--results", tmp_path, "--quiet")
    asked = call("run", "--from-study", "s", "--seeds", "7", *where)
    assert asked.status == 0, asked.err
    (other,) = (run for run in store.runs() if run.settings.seed == 7)
    assert other.settings.chosen_on == ("villages:sw",)
    warning = "Not zero-shot: settings were chosen by the labels of villages:sw"
    assert warning in done.out
    assert warning in (study.folder / "report.md").read_text("utf-8").replace("\\", "")


def test_a_failing_trial_is_tried_again_and_said(world: worlds.Small, tmp_path: Path) -> None:
    """The store cannot be written to for a while."""
    execution = world.execution(tmp_path)
    base = world.settings("slicer", epochs=1)
    definition = search.define(base, {"h": (4, 8), "lr": (1e-2,)}, execution)
    study = studies.create(tmp_path, "s", definition)
    (tmp_path / "runs").write_text("no folder")
    board = Remembering()
    failures = search.search(study, execution, choose(), board, limit=2)
    assert len(failures) == 2
    assert "cannot write" in str(failures[0].error)
    assert [trial.state for trial in study.trials()] == ["failed", "failed"]
    assert [trial.error for trial in study.trials()] == [failure.error for failure in failures]
    (tmp_path / "runs").unlink()
    assert search.search(study, execution, choose(), board, limit=2) == []
    assert [trial.state for trial in study.trials()] == ["complete"] * 2
    assert trials.work(study, execution, 2, 0, None) is None
    assert trials.work(study, execution, 9, 0, time.time() - 1) is None


def test_suites_and_methods_say_what_is_searched() -> None:
    known = catalogue.load()
    for name in known.suites:
        suite = known.suite(name)
        rates = suite.search["lr"]
        assert isinstance(rates, Range)
        assert rates.log
        assert rates.low < suite.training["lr"] < rates.high
        assert suite.training["lr"] in rates.grid
    sizes = Sizes(768, 12, 0.1, 0.02)
    assert registry.load("standard").search_space(sizes) == {}
    assert registry.load("slicer").search_space(sizes) == {
        "h": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 768)
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("search: {lr: {low: 1e-2, high: 1e-3}}", "a range ends above its beginning"),
        ("search: {rate: [1, 2]}", "training has no 'rate'"),
        ("search: {dropout: [0.1, 1.5]}", "dropout cannot be 1.5"),
        ("search: {lr: {low: 0, high: 1, log: true}}", "begins above 0"),
    ],
)
def test_a_suite_that_searches_the_impossible_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    world = worlds.Small(tmp_path)
    (world.catalogue / "suites").mkdir(parents=True)
    (world.catalogue / "villages.yaml").write_text(worlds.CARD, "utf-8")
    (world.catalogue / "suites" / "small.yaml").write_text(f"{worlds.SUITE}{line}\n", "utf-8")
    with pytest.raises(XnerError, match=r"small\.yaml:\d+: search") as caught:
        catalogue.load([world.catalogue]).suite("small")
    assert message in str(caught.value)
