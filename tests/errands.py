"""Small jobs that workers can import, and a board that remembers what it is told."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench.errors import XnerError
from xner_bench.jobs import Job
from xner_bench.results import Held
from xner_bench.watch import SILENT, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xner_bench.jobs import Outcome
    from xner_bench.results import Run
    from xner_bench.settings import Execution, RunSettings
    from xner_bench.watch import Advance


def jobs(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Job]:
    """A job for each tuple of arguments."""
    return [Job(f"{function.__name__} {number}", function, given) for number, given in enumerate(arguments)]


def square(number: int, watch: Watch = SILENT) -> int:
    return number * number


def surroundings(watch: Watch = SILENT) -> tuple[int, dict[str, str], list[str]]:
    """Process, environment and heavy modules of a job that takes a moment."""
    time.sleep(0.1)
    return os.getpid(), dict(os.environ), sorted({"torch", "numpy", "pyarrow"} & set(sys.modules))


def complain(what: str, watch: Watch = SILENT) -> None:
    """Something that the user can mend."""
    raise XnerError(f"{what} is wrong;\nmend it")


def stumble(watch: Watch = SILENT) -> float:
    """A bug."""
    return 1 / (len("") * 2)


def once_bad(marker: Path, number: int, watch: Watch = SILENT) -> str:
    """Dies by a signal the first time, or fails where the number is 0; well the second time."""
    if marker.exists():
        return "well"
    marker.touch()
    if number:
        os.kill(os.getpid(), number)
        time.sleep(60)
    raise XnerError("bad the first time")


def held_once(marker: Path, watch: Watch = SILENT) -> str:
    """Somebody else does it when it is tried first."""
    if marker.exists():
        return "well"
    marker.touch()
    raise Held("another process carries it out")


def typed(watch: Watch = SILENT) -> list[str]:
    """The command that a job finds itself in."""
    return sys.argv


def leave(status: int, watch: Watch = SILENT) -> None:
    """Ends its process."""
    os._exit(status)


def secret(watch: Watch = SILENT) -> Callable[[], None]:
    """Returns what cannot be pickled."""
    return lambda: None


def told(watch: Watch = SILENT) -> None:
    """Stages one in the other, many small steps, a note."""
    with watch.stage("outer", 1000) as advance:
        for step in range(1000):
            advance(1, f"step {step}")
        with watch.stage("inner", 3) as inner:
            inner(3)
            watch.note("half way")


def cut_short(watch: Watch = SILENT) -> None:
    """Dies within a stage."""
    with watch.stage("long", 10) as advance:
        advance(1)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)


def linger(folder: Path, watch: Watch = SILENT) -> None:
    """Says that it is there, and stays."""
    (folder / str(os.getpid())).touch()
    time.sleep(120)


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Recorded(Watch):
    """A watch that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        self.events.append(("stage", name, total))

        def advance(amount: int, detail: str = "") -> None:
            self.events.append(("advance", name, amount, detail))

        yield advance
        self.events.append(("over", name))

    def note(self, text: str) -> None:
        self.events.append(("note", text))


class Remembering:
    """A board that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.watches: dict[int, Recorded] = {}

    def begin(self, jobs: Sequence[Job]) -> None:
        self.calls.append(("begin", len(jobs)))

    def started(self, index: int, attempt: int) -> None:
        self.calls.append(("started", index, attempt))

    def watch(self, index: int) -> Watch:
        return self.watches.setdefault(index, Recorded())

    def ended(self, outcome: Outcome) -> None:
        self.calls.append(("ended", outcome.index))

    def end(self) -> None:
        self.calls.append(("end",))


def where(watch: Watch = SILENT) -> tuple[str, str, dict[str, str]]:
    """Ray's node, folder and environment of a job."""
    import ray

    time.sleep(0.3)
    return ray.get_runtime_context().get_node_id(), str(Path.cwd()), dict(os.environ)


def noted_run(notes: Path, settings: RunSettings, execution: Execution, watch: Watch = SILENT) -> Run:
    """A run that says in which process and node it begins, and that it is done."""
    import ray

    from xner_bench.run import run

    place = f"{settings.seed} {os.getpid()} {ray.get_runtime_context().get_node_id()}"
    (notes / f"{place} began").touch()
    done = run(settings, execution, watch)
    (notes / f"{place} done").touch()
    return done
