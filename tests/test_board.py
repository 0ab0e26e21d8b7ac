"""The board: what people see of many jobs under way."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import errands
import pytest
from errands import jobs
from rich.console import Console

from xner_bench.cli import board as boards
from xner_bench.cli.board import Tally, duration, table
from xner_bench.executors import InSequence
from xner_bench.jobs import Job, Outcome

if TYPE_CHECKING:
    from xner_bench.jobs import Board

SHOWN = """
import errands
from xner_bench.cli import board
from xner_bench.executors import InSequence
jobs = [*errands.jobs(errands.told, [(), ()]), *errands.jobs(errands.complain, [("[bold]lr",)])]
list(InSequence().carry_out(jobs, board.board(False)))
"""


def mixed() -> list[Job]:
    return [*jobs(errands.told, [(), ()]), *jobs(errands.complain, [("lr",)]), *jobs(errands.stumble, [()])]


def said(board: Board, capsys: pytest.CaptureFixture[str]) -> list[str]:
    list(InSequence(retry=0).carry_out(mixed(), board))
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_in_a_log_each_job_has_a_line_when_it_starts_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(boards.board(False), capsys)
    assert lines[:6] == [
        "told 0: started",
        "told 0: half way",
        "told 0: done in 0 s; 1 of 4 ended, 0 running",
        "told 1: started",
        "told 1: done in 0 s; 2 of 4 ended, 0 running",  # the same note is not said twice
        "complain 0: started",
    ]
    assert lines[6:8] == [
        "complain 0: failed after 0 s: lr is wrong; mend it",
        "3 of 4 ended, 0 running, 1 failed",
    ]
    assert lines[9] == "stumble 0: failed after 0 s: ZeroDivisionError: division by zero"
    assert lines[10] == "Traceback (most recent call last):"
    assert lines[-1] == "4 of 4 ended, 0 running, 2 failed"


def test_quiet_says_nothing_but_failures(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(boards.board(True), capsys)
    assert lines[0] == "complain 0: failed after 0 s: lr is wrong; mend it"
    assert lines[1].startswith("stumble 0: failed")
    assert lines[2] == "Traceback (most recent call last):"


def test_attempts_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    list(InSequence(retry=1).carry_out(jobs(errands.complain, [("lr",)]), boards.board(False)))
    assert capsys.readouterr().err.splitlines() == [
        "complain 0: started",
        "complain 0: failed: lr is wrong; mend it; tried again (1 of 1)",
        "complain 0: started again (2)",
        "complain 0: failed after 0 s (tried 2 times): lr is wrong; mend it",
        "1 of 1 ended, 0 running, 1 failed",
    ]


def tally(names: int, seconds: tuple[float, ...], running: int) -> Tally:
    """So many jobs, of which some took so long and some run since a moment."""
    made = Tally(jobs(errands.told, [()] * names))
    for index in range(running):
        made.start(index, 1)
    for index, taken in enumerate(seconds, start=running):
        made.end(Outcome(index, seconds=taken))
    return made


@pytest.mark.parametrize(
    ("names", "seconds", "running", "left"),
    [
        (4, (), 2, None),
        (4, (10.0,), 0, 30),
        (4, (10.0, 20.0), 0, 30),
        (12, (10.0, 10.0), 2, 50),  # two at once: two begun, eight waiting
        (4, (10.0, 10.0), 2, 10),
        (3, (10.0, 10.0, 10.0), 0, 0),
    ],
)
def test_what_is_left_follows_from_what_jobs_took(
    names: int, seconds: tuple[float, ...], running: int, left: float | None
) -> None:
    assert tally(names, seconds, running).left() == (None if left is None else pytest.approx(left, abs=0.5))


def test_failed_jobs_say_nothing_about_time() -> None:
    made = tally(4, (10.0,), 0)
    made.end(Outcome(1, error="broken", seconds=0.1))
    assert made.left() == pytest.approx(20, abs=0.5)
    assert made.text() == "2 of 4 ended, 0 running, 1 failed, about 20 s left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (659, "10 min"), (7300, "2 h 1 min"), (3600 * 50, "50 h 0 min")],
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_display_has_a_line_for_all_and_one_for_each() -> None:
    made = tally(4, (10.0,), 2)
    made.running[0].stages += [boards.Stage("training", 8, 4, "epoch 1/2 [loss] 0.5"), boards.Stage("dev", 3)]
    made.running[1].stages += [boards.Stage("training", 8, 4, "epoch 1/2 [loss] 0.5")]
    console = Console(file=io.StringIO(), width=100)
    console.print(table(made))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 3
    assert re.search(r"^all +\S+ +1 of 4 ended, 2 running, about \d+ s left", lines[0])
    assert lines[1].startswith("told 0")
    assert lines[1].rstrip().endswith("dev")
    assert lines[2].rstrip().endswith("training epoch 1/2 [loss] 0.5")


def test_on_a_terminal_the_display_leaves_notes_and_failures() -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", SHOWN], stderr=theirs, env=env)
    os.close(theirs)
    shown = read(ours)
    assert process.wait(60) == 0, shown
    assert "told 0: half way" in shown
    assert "complain 0: failed after 0 s: [bold]lr is wrong; mend it" in shown
    assert "Traceback" not in shown
    assert shown.endswith("\x1b[?25h") or "\x1b[?25h" in shown[-40:]  # the cursor is back


def read(terminal: int) -> str:
    """All that was written to a terminal."""
    parts = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(terminal)
    return b"".join(parts).decode()
