"""Executors: every job ends exactly once, whatever it or its process does, and nobody outlives the driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import errands
import pytest
import small as worlds
from errands import Remembering, alive, jobs, within

from xner_bench import executors, processes
from xner_bench.errors import XnerError
from xner_bench.executors import InSequence
from xner_bench.jobs import Job
from xner_bench.processes import Processes
from xner_bench.results import Store
from xner_bench.run import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.jobs import Executor, Outcome

# A driver: carries out two lingering jobs, as a command does. Its arguments: the folder they write to, and how many
# workers.
DRIVER = """
import sys
from pathlib import Path
import errands
from xner_bench import executors
from xner_bench.cli import board
jobs = errands.jobs(errands.linger, [(Path(sys.argv[1]),)] * 2)
try:
    list(executors.choose(workers=int(sys.argv[2])).carry_out(jobs, board.board(False)))
except KeyboardInterrupt:
    sys.exit(130)
"""


def every(executor: Executor, given: Sequence[Job], board: Remembering | None = None) -> list[Outcome]:
    """All outcomes in the order of the jobs."""
    return sorted(executor.carry_out(given, board or Remembering()), key=lambda outcome: outcome.index)


@pytest.fixture(params=[1, 2], ids=["in sequence", "two workers"])
def workers(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_each_job_ends_once_and_the_board_hears_of_it(workers: int) -> None:
    board = Remembering()
    outcomes = every(executors.choose(workers=workers), jobs(errands.square, [(n,) for n in range(9)]), board)
    assert [(one.value, one.error, one.attempts) for one in outcomes] == [(n * n, None, 1) for n in range(9)]
    assert board.calls[0] == ("begin", 9)
    assert board.calls[-1] == ("end",)
    for index in range(9):
        start, end = board.calls.index(("started", index, 1)), board.calls.index(("ended", index))
        assert start < end
    assert len(board.calls) == 20


def test_no_jobs_are_no_work(workers: int) -> None:
    assert every(executors.choose(workers=workers), []) == []


def test_failures_are_told_and_stop_nobody(workers: int) -> None:
    given = [
        *jobs(errands.complain, [("lr",)]),
        *jobs(errands.stumble, [()]),
        Job("no such argument", errands.square, ()),
        *jobs(errands.square, [(3,)]),
    ]
    mendable, bug, call, well = every(executors.choose(workers=workers), given)
    assert (mendable.error, mendable.traceback) == ("lr is wrong; mend it", None)
    assert bug.error == "ZeroDivisionError: division by zero"
    assert bug.traceback is not None
    assert "in stumble" in bug.traceback
    assert call.error is not None
    assert call.error.startswith("TypeError: ")
    assert (well.value, well.error) == (9, None)


def test_a_failed_job_is_tried_again_as_often_as_asked(workers: int, tmp_path: Path) -> None:
    board = Remembering()
    given = [Job("once bad", errands.once_bad, (tmp_path / "seen", 0)), *jobs(errands.complain, [("seed",)])]
    first, second = every(executors.choose(workers=workers, retry=2), given, board)
    assert (first.value, first.error, first.attempts) == ("well", None, 2)
    assert (second.error, second.attempts) == ("seed is wrong; mend it", 3)
    assert ("started", 1, 3) in board.calls
    assert board.watches[0].events == [("note", "failed: bad the first time; tried again (1 of 2)")]


def test_what_somebody_else_does_comes_last_and_is_no_failure(workers: int, tmp_path: Path) -> None:
    board = Remembering()
    given = [
        Job("held", errands.held_once, (tmp_path / "seen",)),
        Job("busy", errands.square, (7,), partial(busy_once, tmp_path / "looked")),
        *jobs(errands.square, [(n,) for n in range(2)]),
    ]
    outcomes = every(executors.choose(workers=workers), given, board)
    assert [(one.value, one.attempts) for one in outcomes] == [("well", 1), (49, 1), (0, 1), (1, 1)]
    ended = [call[1] for call in board.calls if call[0] == "ended"]
    assert set(ended[:2]) == {2, 3}
    assert ("note", "another command is at it; it comes last") in board.watches[0].events
    assert ("started", 1, 1) in board.calls


def busy_once(marker: Path) -> bool:
    """Whether nobody has asked before."""
    if marker.exists():
        return False
    marker.touch()
    return True


def test_workers_live_through_many_jobs_and_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    outcomes = every(Processes(2), jobs(errands.surroundings, [()] * 8))
    found = [outcome.value for outcome in outcomes]
    assert len({pid for pid, _, _ in found} | {os.getpid()}) == 3
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert all(environment["OMP_NUM_THREADS"] == share for _, environment, _ in found)
    assert all(loaded == [] for _, _, loaded in found)  # so torch will read it
    assert "OMP_NUM_THREADS" not in os.environ


def test_threads_are_never_more_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(os.sched_getaffinity(0))
    for asked, workers, share in (
        ("1", 1, 1),
        ("1000", 1, cores),
        ("nonsense", cores, 1),
        ("0", 1, cores),
        ("3", 99, 1),
    ):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert processes.threads_each(workers) == share


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_that_dies_fails_only_its_job(number: signal.Signals, tmp_path: Path) -> None:
    given = [Job("dies", errands.once_bad, (tmp_path / "a", number)), *jobs(errands.square, [(n,) for n in range(4)])]
    dead, *well = every(Processes(2), given)
    assert dead.error is not None
    assert dead.error.startswith(f"its process was ended by signal {number.value} (")
    assert [one.value for one in well] == [0, 1, 4, 9]


def test_the_job_of_a_dead_worker_is_tried_again_by_another(tmp_path: Path) -> None:
    board = Remembering()
    given = [Job(f"dies {n}", errands.once_bad, (tmp_path / str(n), signal.SIGKILL)) for n in range(3)]
    outcomes = every(Processes(2, retry=1), given, board)
    assert [(one.value, one.error, one.attempts) for one in outcomes] == [("well", None, 2)] * 3
    assert "signal 9" in board.watches[0].events[0][1]


def test_a_job_that_ends_its_process_or_cannot_travel_is_a_failure() -> None:
    given = [
        *jobs(errands.leave, [(3,)]),
        *jobs(errands.secret, [()]),
        *jobs(errands.square, [(lambda: None,)]),
        *jobs(errands.square, [(5,)]),
    ]
    left, secret, argument, well = every(Processes(2), given)
    assert left.error == "its process ended in the middle of it, with exit status 3"
    for outcome in (secret, argument):
        assert outcome.error is not None
        assert "pickle" in outcome.error or "local" in outcome.error, outcome.error
        assert outcome.traceback is not None
    assert well.value == 25


def test_progress_and_notes_come_through(workers: int) -> None:
    board = Remembering()
    every(executors.choose(workers=workers), jobs(errands.told, [()]), board)
    events = board.watches[0].events
    steps = [event for event in events if event[0] == "advance" and event[1] == "outer"]
    assert sum(amount for _, _, amount, _ in steps) == 1000
    assert steps[-1][-1] == "step 999"
    assert len(steps) < 50 or workers == 1  # through a pipe not every step is worth a message
    assert [event for event in events if event[0] != "advance"] == [
        ("stage", "outer", 1000),
        ("stage", "inner", 3),
        ("note", "half way"),
        ("over", "inner"),
        ("over", "outer"),
    ]


def test_stages_end_with_the_worker_that_was_in_them() -> None:
    board = Remembering()
    every(Processes(2), jobs(errands.cut_short, [()]), board)
    assert board.watches[0].events[0] == ("stage", "long", 10)
    assert board.watches[0].events[-1] == ("over", "long")


def test_leaving_early_ends_the_workers(tmp_path: Path) -> None:
    board = Remembering()
    outcomes = Processes(2).carry_out([*jobs(errands.square, [(1,)]), *jobs(errands.linger, [(tmp_path,)])], board)
    assert next(outcomes).value == 1
    assert within(10, lambda: any(tmp_path.iterdir()))
    outcomes.close()  # type: ignore[attr-defined]
    assert not any(alive(int(path.name)) for path in tmp_path.iterdir())
    assert board.calls[-1] == ("end",)


def driver(folder: Path, workers: int) -> subprocess.Popen[str]:
    """A driver as a process group of its own, once its jobs are under way."""
    own = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", DRIVER, str(folder), str(workers)],
        env=own,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert within(20, lambda: len(list(folder.iterdir())) == workers), process.communicate(timeout=1)
    return process


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_nobody_outlives_the_driver(number: signal.Signals, status: int, workers: int, tmp_path: Path) -> None:
    process = driver(tmp_path, workers)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: to the workers as well
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == status
    assert within(3, lambda: not any(alive(int(path.name)) for path in tmp_path.iterdir()))
    assert all(line.startswith("linger") for line in said.splitlines()), said


def test_handlers_of_signals_are_as_before(workers: int) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    every(executors.choose(workers=workers), jobs(errands.square, [(2,)]))
    assert (signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, ())) == before


def test_other_threads_may_drive() -> None:
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.extend(every(Processes(2), jobs(errands.square, [(7,)]))))
    thread.start()
    thread.join(30)
    assert [one.value for one in found] == [49]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "slurm"}, "no executor is called 'slurm'"),
        ({"workers": 0}, "--workers 0"),
        ({"retry": -1}, "--retry -1"),
        ({"ray_address": "10.0.0.1:6379"}, "--ray-address 10.0.0.1:6379 is for Ray; give --executor ray"),
        ({"gpus_per_run": 0.25}, "--gpus-per-run 0.25 is for Ray"),
        ({"gpus_per_run": 1.5}, "--gpus-per-run 1.5"),
        ({"cpus_per_run": 0.0}, "--cpus-per-run 0"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(given: dict[str, object], said: str) -> None:
    with pytest.raises(XnerError, match=said) as caught:
        executors.choose(**given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_runs_in_workers_are_those_in_sequence(tmp_path: Path) -> None:
    small = worlds.build(tmp_path / "small")
    settings = [small.settings(method, epochs=1, seed=seed) for method, seed in (("standard", 1), ("slicer", 2))]
    stores = {}
    for name, executor in (("sequence", InSequence()), ("workers", Processes(2))):
        execution = small.execution(tmp_path / name)
        given = [Job(f"{one.method} {one.seed}", run, (one, execution)) for one in settings]
        outcomes = every(executor, given)
        assert [outcome.error for outcome in outcomes] == [None] * 2
        assert [outcome.value.settings.seed for outcome in outcomes] == [1, 2]
        stores[name] = Store(tmp_path / name)
    done = [one.run_id for one in stores["sequence"].runs()]
    assert done == [one.run_id for one in stores["workers"].runs()]
    for run_id in done:
        for table in ("scores", "predictions", "history"):
            assert stores["sequence"].table(run_id, table).equals(stores["workers"].table(run_id, table))
