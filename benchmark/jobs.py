"""Many jobs: what is to be done, how one ended, and how the rest of the world hears of it.

A job is a function of a module with its arguments, so that another process or machine can carry it out. Executors
(`executors.py`, `on_ray.py`) take jobs and give outcomes; a board shows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xner_bench.watch import Watch


@dataclass(frozen=True)
class Job:
    """A call of `function(*arguments, watch=...)`; both must be picklable, the function by its name."""

    name: str  # for people: "slicer h=8 seed 42"
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = field(default=())
    busy: Callable[[], bool] | None = None  # whether somebody else does it at this moment: others come first then

    def packed(self) -> bytes:
        """The job as it travels. Whether somebody else does it is asked on this side alone, so that stays."""
        return bytes(ForkingPickler.dumps(replace(self, busy=None)))


@dataclass(frozen=True)
class Outcome:
    """How a job ended. With `error` None it went well."""

    index: int  # of the job, from 0
    value: Any = None  # what the function returned
    error: str | None = None  # one line
    traceback: str | None = None  # of what is no XnerError: a bug, or a process that was killed
    attempts: int = 1
    seconds: float = 0.0  # of the last attempt


class Board(Protocol):
    """Shows jobs under way. Called from one thread; indices are the jobs'."""

    def begin(self, jobs: Sequence[Job]) -> None:
        """Before the first job starts."""

    def started(self, index: int, attempt: int) -> None:
        """A job begins, or begins again after a failure (attempt from 1)."""

    def watch(self, index: int) -> Watch:
        """What shows a job's own progress and notes."""

    def ended(self, outcome: Outcome) -> None:
        """A job ended for good."""

    def end(self) -> None:
        """After the last job, also when interrupted."""


class Executor(Protocol):
    """Carries out jobs, here or elsewhere."""

    def carry_out(self, jobs: Sequence[Job], board: Board) -> Iterator[Outcome]:
        """Outcomes in the order in which jobs end, each job exactly one. A failure never stops the others.

        A job that fails is tried again as often as the executor was told to. Closing the iterator, KeyboardInterrupt
        and the death of this process end all jobs under way.
        """
