"""Progress for people: bars on a terminal, plain lines elsewhere, all on standard error."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from xner_bench.watch import Advance


def watch(quiet: bool) -> Watch:
    """What suits standard error: bars on a terminal, one line a stage in a log, nothing where it is not wanted."""
    if quiet:
        return Watch()
    return Bars() if sys.stderr.isatty() else Lines()


class Lines(Watch):
    """One line for every stage that took a while: for logs."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        start = monotonic()
        said = ""

        def advance(amount: int, detail: str = "") -> None:
            nonlocal said
            said = detail or said

        yield advance
        if (seconds := monotonic() - start) >= 1:
            print(f"{name}: {said + ', ' if said else ''}{seconds:.0f} s", file=sys.stderr, flush=True)  # noqa: T201

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


class Bars(Watch):
    """A bar for every stage under way; finished ones disappear, notes stay."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        outermost = self._progress is None
        progress = self._progress = self._progress or _bars()
        if outermost:
            progress.start()
        task = progress.add_task(name, total=max(total, 1), detail="")

        def advance(amount: int, detail: str = "") -> None:
            progress.advance(task, amount)
            if detail:
                progress.update(task, detail=detail)

        try:
            yield advance
        finally:
            progress.remove_task(task)
            if outermost:
                progress.stop()
                self._progress = None

    def note(self, text: str) -> None:
        if self._progress is None:
            print(text, file=sys.stderr, flush=True)  # noqa: T201
        else:
            self._progress.console.print(text, markup=False, highlight=False)


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
