"""Processes that are killed: at any moment, or at a chosen one of those at which they touch their checkpoints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Run in place of `python -m xner_bench`: kills itself at the n-th time that it touches a file under a folder of that
# name; n = 0 only counts, and tells the count at the end.
AT_EVENT = """\
import os, signal, sys
name, at, argv = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
count = 0
def touched(event, arguments):
    global count
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "os.listdir", "os.scandir"):
        if any(f"/{name}" in os.fsdecode(part) for part in arguments if isinstance(part, (str, bytes))):
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(touched)
from xner_bench import cli
try:
    cli.main(argv)
finally:
    if at == 0:
        print(f"touched {count} times", file=sys.stderr)
"""


def own_environment() -> dict[str, str]:
    """One thread, so that bits are equal, and no network."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def start(argv: Sequence[str]) -> subprocess.Popen[str]:
    """A command line in a process of its own, which can be killed with all that it starts."""
    command = [sys.executable, "-m", "xner_bench", *argv]
    return subprocess.Popen(
        command, env=own_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def kill_after(argv: Sequence[str], seconds: float, results: Path | None = None) -> bool:
    """Start a command, and kill it after so many seconds; with `results`, so many after a run in there began.

    False where it ended before.
    """
    process = start(argv)
    while results and process.poll() is None and not list(results.glob("runs/*/run.json")):
        time.sleep(0.002)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill_at_event(argv: Sequence[str], at: int, folder: str = "epochs") -> subprocess.CompletedProcess[str]:
    """Let a command kill itself at the n-th time that it touches something under a folder of that name."""
    command = [sys.executable, "-c", AT_EVENT, folder, str(at), *argv]
    return subprocess.run(
        command, env=own_environment(), capture_output=True, text=True, encoding="utf-8", check=False, timeout=120
    )


def events(argv: Sequence[str], folder: str = "epochs") -> int:
    """How often a command touches something under a folder of that name."""
    done = kill_at_event(argv, 0, folder)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.rsplit("touched ", 1)[1].split()[0])


TABLES = ("scores", "predictions", "orphans", "history")


def differences(results: Path, other: Path) -> str:
    """In what two stores differ that should hold the same runs, all done: bits of tables, selections and weights."""
    names, wanted = ({path.name for path in (root / "runs").iterdir() if path.is_dir()} for root in (results, other))
    if names != wanted:
        return f"runs {sorted(names ^ wanted)} are in one of the two alone"
    return "; ".join(f"{name}: {said}" for name in sorted(names) if (said := difference(*_two(name, results, other))))


def _two(name: str, results: Path, other: Path) -> tuple[Path, Path]:
    return results / "runs" / name, other / "runs" / name


def difference(folder: Path, other: Path) -> str:
    """In what two runs differ that should be the same."""
    if (state := json.loads((folder / "run.json").read_bytes())["state"]) != "done":
        return f"it is {state}"
    if (left := {path.name for path in folder.iterdir()}) != {path.name for path in other.iterdir()}:
        return f"its files are {', '.join(sorted(left))}"
    changed = [name for name in TABLES if not _table(folder, name).equals(_table(other, name))]
    for name in ("selection.json", "checkpoint/model.safetensors"):
        if (other / name).exists() and (folder / name).read_bytes() != (other / name).read_bytes():
            changed.append(name)
    return f"{', '.join(changed)} differ" if changed else ""


def _table(folder: Path, name: str) -> Any:
    return pq.read_table(folder / f"{name}.parquet")
