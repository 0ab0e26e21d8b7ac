"""The journal of a study: what Optuna remembers, one line an operation, safe from a kill in the middle of a line.

Optuna's own backend for files loses the whole study once a line is torn: the next write goes on in the same line, and
nobody can read it any more. This one cuts a torn line off before it writes. It has no end, so nobody has read it, and
the study goes on from the line before. The lock is the kernel's, and free as soon as its holder is dead.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import optuna
from filelock import FileLock
from optuna.storages.journal import BaseJournalBackend

from xner_bench.errors import XnerError
from xner_bench.results import cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedRandom
    from pathlib import Path

optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would tell of every trial; that is for us to do


class Journal(BaseJournalBackend):
    """A file that several processes write to, and read while others write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starts = [0]  # of the lines that were read, in bytes, and of the one after them

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Operations from this number on, as far as they are whole."""
        for number, line in enumerate(self._lines(log_number_from), start=log_number_from):
            if number + 1 == len(self._starts):
                self._starts.append(self._starts[number] + len(line))
            yield self._parsed(number, line)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write operations, on the disk when this returns."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        try:
            self.path.touch()
            with FileLock(self.path.with_name(f".{self.path.name}.lock")), self.path.open("r+b") as stream:
                repair(stream)
                stream.write(lines.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _lines(self, number: int) -> list[bytes]:
        """The whole lines from this one on: of what is there now, while others may write."""
        try:
            with self.path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                stream.seek(self._starts[number])
                data = stream.read(max(0, size - self._starts[number]))
        except FileNotFoundError:
            return []
        return [line + b"\n" for line in data.split(b"\n")[:-1]]

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            parsed: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise XnerError(
                f"{self.path}:{number + 1}: no line of a study's journal; move {self.path.parent} away: "
                "the runs of its trials stay, and the same command finds them"
            ) from error
        return parsed


def repair(stream: BufferedRandom) -> None:
    """Cut off what comes after the last line's end, and stand there."""
    end = stream.seek(0, os.SEEK_END)
    if not end:
        return
    stream.seek(end - 1)
    if stream.read(1) != b"\n":
        stream.seek(0)
        end = stream.read().rfind(b"\n") + 1
        stream.truncate(end)
    stream.seek(end)
