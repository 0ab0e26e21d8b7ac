"""The jobs of one round: which comes next, which comes again after a failure, and how each ended.

Several drivers may have the same jobs: one that somebody else does at this moment waits behind all others.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter, deque
from contextlib import contextmanager
from time import monotonic
from traceback import format_exception
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from xner_bench.errors import XnerError
from xner_bench.jobs import Outcome
from xner_bench.results import Held

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.jobs import Board, Job
    from xner_bench.watch import Watch


PAUSE = 2.0  # seconds until a job that somebody else does is looked at again


class Ending(NamedTuple):
    """How one attempt ended, in parts that travel between processes."""

    value: Any = None
    error: str | None = None
    traceback: str | None = None
    held: bool = False  # it did not begin, as somebody else does it


def perform(job: Job, watch: Watch) -> Ending:
    """Call a job's function. What it raises is told, not raised."""
    try:
        return Ending(job.function(*job.arguments, watch=watch))
    except Exception as error:
        return failure(error)


def failure(error: Exception) -> Ending:
    """One line for what the user can mend; with a traceback for anything else."""
    line = " ".join(str(error).split())
    if isinstance(error, Held):
        return Ending(error=line, held=True)
    if isinstance(error, XnerError):
        return Ending(error=line)
    kind = type(error).__name__
    return Ending(error=f"{kind}: {line}" if line else kind, traceback="".join(format_exception(error)))


class Attempts:
    """Jobs, by index, in their order; those that failed and may be tried again come after all others.

    So do those that somebody else does: they are looked at again every PAUSE seconds.
    """

    def __init__(self, jobs: Sequence[Job], board: Board, retry: int) -> None:
        self.jobs = jobs
        self.board = board
        self.retry = retry
        self.waiting = deque(range(len(jobs)))
        self._starts: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._began: dict[int, float] = {}
        self._later: dict[int, float] = {}  # those that somebody else did -> when to look again

    def next(self) -> int | None:
        """Take the next job that nobody else does; None where there is none at this moment."""
        for _ in range(len(self.waiting)):
            index = self.waiting.popleft()
            if self._is_free(index):
                return index
            self.waiting.append(index)
        return None

    def _is_free(self, index: int) -> bool:
        if monotonic() < self._later.get(index, 0.0):
            return False
        busy = self.jobs[index].busy
        if busy is None or not busy():
            return True
        self._put_off(index)
        return False

    def _put_off(self, index: int) -> None:
        """Leave a job to somebody else for a while; said once a job."""
        if index not in self._later:
            self.board.watch(index).note("another command is at it; it comes last")
        self._later[index] = monotonic() + PAUSE

    def started(self, index: int) -> None:
        """Note that a job starts now, and tell the board."""
        self._starts[index] += 1
        self._began[index] = monotonic()
        self.board.started(index, self._starts[index])

    def end(self, index: int, ending: Ending) -> Iterator[Outcome]:
        """The job's outcome; nothing where it failed and is to be tried again, or did not begin."""
        if ending.held:  # by somebody who began it in the same moment
            self._starts[index] -= 1
            self._put_off(index)
            self.waiting.append(index)
            return
        if ending.error is not None and self._failures[index] < self.retry:
            self._failures[index] += 1
            again = f"tried again ({self._failures[index]} of {self.retry})"
            self.board.watch(index).note(f"failed: {ending.error}; {again}")
            self.waiting.append(index)
            return
        now = monotonic()
        seconds = now - self._began.get(index, now)
        told = ending.value, ending.error, ending.traceback
        outcome = Outcome(index, *told, attempts=max(1, self._starts[index]), seconds=seconds)
        self.board.ended(outcome)
        yield outcome


@contextmanager
def under_way(jobs: Sequence[Job], board: Board) -> Iterator[None]:
    """The time between the board's beginning and its end, in which SIGTERM ends this process as Ctrl-C does."""
    board.begin(jobs)
    try:
        with terminable():
            yield
    finally:
        board.end()


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that what is under way is put in order; the exit status is a shell's, 143."""
    if threading.current_thread() is not threading.main_thread():  # others may set no handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
