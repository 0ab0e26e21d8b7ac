"""The jobs of one round: which comes next, which comes again after a failure, and how each ended."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.jobs import Board, Job
    from xner_bench.watch import Watch


class Ending(NamedTuple):
    """How one attempt ended, in parts that travel between processes."""

    value: Any = None
    error: str | None = None
    traceback: str | None = None


def perform(job: Job, watch: Watch) -> Ending:
    """Call a job's function. What it raises is told, not raised."""
    try:
        return Ending(job.function(*job.arguments, watch=watch))
    except Exception as error:
        return failure(error)


def failure(error: Exception) -> Ending:
    """One line for what the user can mend; with a traceback for anything else."""
    line = " ".join(str(error).split())
    if isinstance(error, XnerError):
        return Ending(error=line)
    kind = type(error).__name__
    return Ending(error=f"{kind}: {line}" if line else kind, traceback="".join(format_exception(error)))


class Attempts:
    """Jobs, by index, in their order; those that failed and may be tried again come after all others."""

    def __init__(self, jobs: Sequence[Job], board: Board, retry: int) -> None:
        self.jobs = jobs
        self.board = board
        self.retry = retry
        self.waiting = deque(range(len(jobs)))
        self._starts: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._began: dict[int, float] = {}

    def begin(self) -> int:
        """The next job, which starts now."""
        index = self.waiting.popleft()
        self.started(index)
        return index

    def started(self, index: int) -> None:
        """Note that a job starts now, and tell the board."""
        self._starts[index] += 1
        self._began[index] = monotonic()
        self.board.started(index, self._starts[index])

    def end(self, index: int, ending: Ending) -> Iterator[Outcome]:
        """The job's outcome; nothing where it failed and is to be tried again."""
        if ending.error is not None and self._failures[index] < self.retry:
            self._failures[index] += 1
            again = f"tried again ({self._failures[index]} of {self.retry})"
            self.board.watch(index).note(f"failed: {ending.error}; {again}")
            self.waiting.append(index)
            return
        now = monotonic()
        seconds = now - self._began.get(index, now)
        outcome = Outcome(index, *ending, attempts=max(1, self._starts[index]), seconds=seconds)
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
