"""Many jobs under way, for people: one display on a terminal, plain lines elsewhere, all on standard error."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.live import Live
    from rich.table import Table

    from xner_bench.jobs import Board, Job, Outcome
    from xner_bench.watch import Advance


LINES = 40  # of jobs on a display; more than most terminals have


def board(quiet: bool) -> Board:
    """What suits standard error: a display on a terminal, lines in a log; when quiet, nothing but failures."""
    if quiet:
        return Failures()
    return Display() if sys.stderr.isatty() else Lines()


@dataclass
class Stage:
    """A piece of work of a job, as far as it is."""

    name: str
    total: int
    done: int = 0
    detail: str = ""


@dataclass
class Running:
    """A job under way."""

    name: str
    attempt: int
    since: float
    stages: list[Stage] = field(default_factory=list)  # the innermost last
    last: str = "starting"  # the stage that began last


class Tally:
    """How many jobs ended, which are under way, and how long the rest may take."""

    def __init__(self, jobs: Sequence[Job] = ()) -> None:
        self.names = [job.name for job in jobs]
        self.running: dict[int, Running] = {}
        self.ended = 0
        self.failed = 0
        self.widest = 1  # most jobs at once so far
        self._seconds: list[float] = []  # of jobs that went well

    def start(self, index: int, attempt: int) -> None:
        self.running[index] = Running(self.names[index], attempt, monotonic())
        self.widest = max(self.widest, len(self.running))

    def end(self, outcome: Outcome) -> None:
        self.running.pop(outcome.index, None)
        self.ended += 1
        if outcome.error is None:
            self._seconds.append(outcome.seconds)
        else:
            self.failed += 1

    def left(self) -> float | None:
        """Seconds until the last job ends, if jobs go on taking what they took; None before the first has ended."""
        if not self._seconds:
            return None
        usual = sum(self._seconds) / len(self._seconds)
        now = monotonic()
        under_way = [max(0.0, usual - (now - one.since)) for one in list(self.running.values())]
        waiting = len(self.names) - self.ended - len(under_way)
        return max((waiting * usual + sum(under_way)) / self.widest, *under_way, 0.0)

    def text(self) -> str:
        """All of it in a line."""
        counts = [f"{self.ended} of {len(self.names)} ended", f"{len(self.running)} running"]
        counts += [f"{self.failed} failed"] * (self.failed > 0)
        left = self.left()
        if left is not None and left >= 1:  # else all have ended, or the last ones take longer than usual
            counts.append(f"about {duration(left)} left")
        return ", ".join(counts)


def duration(seconds: float) -> str:
    """A length of time as people say it."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min"


class Failures:
    """Says nothing but what failed."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._said: set[str] = set()

    def begin(self, jobs: Sequence[Job]) -> None:
        self.tally = Tally(jobs)

    def started(self, index: int, attempt: int) -> None:
        self.tally.start(index, attempt)

    def watch(self, index: int) -> Watch:
        return Watch()

    def ended(self, outcome: Outcome) -> None:
        self.tally.end(outcome)
        name = self.tally.names[outcome.index]
        if outcome.error is not None:
            again = f" (tried {outcome.attempts} times)" if outcome.attempts > 1 else ""
            self.say(f"{name}: failed after {duration(outcome.seconds)}{again}: {outcome.error}")
        if outcome.traceback is not None:
            self.say(outcome.traceback.rstrip("\n"))

    def end(self) -> None:
        pass

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def note(self, index: int, text: str) -> None:
        """A job's note; what many jobs say is said once."""
        if text not in self._said:
            self._said.add(text)
            self.say(f"{self.tally.names[index]}: {text}")


class Lines(Failures):
    """A line when a job starts, and one when it ends: for logs."""

    def started(self, index: int, attempt: int) -> None:
        super().started(index, attempt)
        self.say(f"{self.tally.names[index]}: started{f' again ({attempt})' if attempt > 1 else ''}")

    def watch(self, index: int) -> Watch:
        return Notes(self, index)

    def ended(self, outcome: Outcome) -> None:
        super().ended(outcome)
        done = "" if outcome.error else f"{self.tally.names[outcome.index]}: done in {duration(outcome.seconds)}; "
        self.say(f"{done}{self.tally.text()}")


class Notes(Watch):
    """A job's notes, on a board."""

    def __init__(self, board: Failures, index: int) -> None:
        self._board = board
        self._index = index

    def note(self, text: str) -> None:
        self._board.note(self._index, text)


class Display(Failures):
    """A line for all jobs and one for each that runs, renewed in place; notes and failures stay above it."""

    def __init__(self) -> None:
        super().__init__()
        self._live: Live | None = None

    def begin(self, jobs: Sequence[Job]) -> None:
        from rich.console import Console
        from rich.live import Live

        super().begin(jobs)
        console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._live = Live(get_renderable=lambda: table(self.tally), console=console, transient=True)
        self._live.start(refresh=True)

    def watch(self, index: int) -> Watch:
        return Bar(self, index)

    def end(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        if self._live:
            self._live.console.print(text, soft_wrap=True)
        else:
            super().say(text)


class Bar(Notes):
    """A job's line on the display: its innermost stage."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        running = self._board.tally.running[self._index]
        stage = Stage(name, total)
        running.stages.append(stage)
        running.last = name

        def advance(amount: int, detail: str = "") -> None:
            stage.done += amount
            stage.detail = detail or stage.detail

        try:
            yield advance
        finally:
            running.stages.remove(stage)


def table(tally: Tally) -> Table:
    """The display as it stands."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    for _ in range(3):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    total = max(1, len(tally.names))
    grid.add_row(Text("all", "bold"), ProgressBar(total, tally.ended, width=20), Text(tally.text(), "bold"))
    running = list(tally.running.values())
    for one in running[:LINES]:
        stage = next(iter(one.stages[-1:]), Stage(one.last, 0))
        where = " ".join(part for part in (stage.name, stage.detail) if part)
        grid.add_row(Text(one.name), ProgressBar(max(1, stage.total), stage.done, width=20), Text(where))
    if len(running) > LINES:
        grid.add_row(Text(f"and {len(running) - LINES} more"))
    return grid
