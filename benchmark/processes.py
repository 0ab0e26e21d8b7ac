"""Jobs in processes of this machine. Each lives through many jobs, so that imports are paid once a worker.

A worker hears of its jobs through a pipe, and tells through it how they go on and end. When either side dies, by
whatever means, the pipe ends: a worker leaves at once when its driver is gone; a driver fails the job of a worker that
is gone, and puts another in its place.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

from xner_bench.attempts import PAUSE, Attempts, Ending, failure, perform, under_way
from xner_bench.relay import Relay, Replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.jobs import Board, Job, Outcome
    from xner_bench.relay import Event
    from xner_bench.watch import Watch

SPAWN = get_context("spawn")  # a fork of a process that has computed with torch may hang
# What decides how many threads torch and tokenizers use; read when they are imported.
THREADS = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")
ENDED = "ended"  # the last event of a job, with its Ending


class Processes:
    """So many jobs at once, each in a process with its share of the cores."""

    def __init__(self, workers: int, retry: int = 0) -> None:
        self.workers = workers
        self.retry = retry

    def carry_out(self, jobs: Sequence[Job], board: Board) -> Iterator[Outcome]:
        """See `Executor`."""
        most = min(self.workers, len(jobs))
        with under_way(jobs, board), crew() as workers:
            attempts = Attempts(jobs, board, self.retry)
            while attempts.waiting or any(worker.busy for worker in workers):
                while sum(worker.busy for worker in workers) < most and (index := attempts.next()) is not None:
                    yield from start(free(workers, threads_each(most)), index, attempts)
                for worker in speaking(workers, PAUSE if attempts.waiting else None):
                    yield from hear(worker, workers, attempts)


@contextmanager
def crew() -> Iterator[list[Worker]]:
    """A list of workers, to be filled; whatever happens, they end with it."""
    workers: list[Worker] = []
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.bury()


def free(workers: list[Worker], threads: int) -> Worker:
    """A worker without a job: one that is there, or else a new one."""
    for worker in workers:
        if not worker.busy:
            return worker
    workers.append(Worker(threads))
    return workers[-1]


def start(worker: Worker, index: int, attempts: Attempts) -> Iterator[Outcome]:
    """Give a worker a job; one that cannot be sent to it ends here."""
    attempts.started(index)
    try:
        worker.give(index, attempts.jobs[index], attempts.board.watch(index))
    except OSError:
        pass  # the worker is dead, which its pipe says next
    except Exception as error:
        worker.free()
        yield from attempts.end(index, failure(error))


def speaking(workers: list[Worker], seconds: float | None = None) -> list[Worker]:
    """Wait, no longer than so many seconds, until some workers have something to say, or are dead."""
    if not any(worker.busy for worker in workers) and seconds is None:
        return []
    by_pipe = {worker.pipe: worker for worker in workers}
    return [by_pipe[cast("Connection", pipe)] for pipe in wait(list(by_pipe), seconds)]


def hear(worker: Worker, workers: list[Worker], attempts: Attempts) -> Iterator[Outcome]:
    """Take in what a worker says next."""
    index = worker.job
    ending = worker.hear()
    if ending is None:
        return
    if worker.dead:
        workers.remove(worker)
    if index is not None:
        worker.free()
        yield from attempts.end(index, ending)


class Worker:
    """A process, as its driver sees it."""

    def __init__(self, threads: int) -> None:
        self.pipe, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(theirs,), daemon=True)
        with variables(**dict.fromkeys(THREADS, str(threads))), interrupts_held():
            self.process.start()
        theirs.close()  # else its end would never be heard of
        self.job: int | None = None  # the index of the one that it does
        self.dead = False
        self._replay: Replay | None = None

    @property
    def busy(self) -> bool:
        return self.job is not None

    def give(self, index: int, job: Job, watch: Watch) -> None:
        """Send a job. Raises what pickling raises, or OSError where the worker is gone."""
        self.job, self._replay = index, Replay(watch)
        self.pipe.send_bytes(job.packed())

    def hear(self) -> Ending | None:
        """Show what the worker says; how its job ended, once it has."""
        try:
            event: Event = self.pipe.recv()
        except (EOFError, OSError):
            self.dead = True
            return Ending(error=self.bury())
        if event[0] == ENDED:
            return cast("Ending", event[1])
        if self._replay:
            self._replay.hear(event)
        return None

    def free(self) -> None:
        """The job is over."""
        if self._replay:
            self._replay.close()
        self.job = self._replay = None

    def kill(self) -> None:
        """A run under way is left as kill -9 leaves it; the same command goes on with it."""
        self.process.kill()

    def bury(self) -> str:
        """Wait for the end of a process that is dead or dying; returns what it died of."""
        self.pipe.close()
        self.process.join(5)
        if self.process.exitcode is None:  # it closed its pipe and lives on
            self.kill()
            self.process.join()
        return cause_of_death(self.process.exitcode or 0)


def cause_of_death(status: int) -> str:
    """What the exit status of a worker says."""
    if status >= 0:
        return f"its process ended in the middle of it, with exit status {status}"
    guess = "; was there too little memory?" if status == -signal.SIGKILL else ""
    return f"its process was ended by signal {-status} ({signal.strsignal(-status)}{guess})"


def threads_each(workers: int) -> int:
    """A worker's share of the cores; never more than OMP_NUM_THREADS asks for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get(THREADS[0], "")
    share = max(1, cores // workers)
    return min(share, int(asked)) if asked.isdecimal() and int(asked) else share


@contextmanager
def variables(**values: str) -> Iterator[None]:
    """Environment variables for processes that start in the meantime."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Start processes that never see Ctrl-C, which a terminal sends to all of them: the driver will end them.

    They inherit that the signal is held back, so there is no moment, not even in their imports, when it hits them.
    """
    resource_tracker.ensure_running()  # which it does before a first process anyway, and lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(pipe: Connection[Any, Any]) -> None:
    """What a worker does: one job after another, until the driver is gone."""
    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=listen, args=(pipe, jobs), daemon=True).start()
    while True:
        answer(pipe, jobs.get())


def listen(pipe: Connection[Any, Any], jobs: SimpleQueue[bytes]) -> None:
    """Take in jobs while others are under way. Without a driver nothing that this process does is wanted."""
    try:
        while True:
            jobs.put(pipe.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


def answer(pipe: Connection[Any, Any], packed: bytes) -> None:
    """Do a job, and say how it ended."""
    try:
        job = ForkingPickler.loads(packed)  # imports what it needs, which may fail
    except Exception as error:
        ending = failure(error)
    else:
        ending = perform(job, Relay(lambda event: tell(pipe, event)))
    try:
        tell(pipe, (ENDED, ending))
    except Exception as error:  # a value that cannot be pickled
        tell(pipe, (ENDED, failure(error)))


def tell(pipe: Connection[Any, Any], event: Event) -> None:
    """Say something to the driver. That it is gone must not look like a failure of the job, which would be recorded."""
    try:
        pipe.send(event)
    except OSError:
        os._exit(0)
