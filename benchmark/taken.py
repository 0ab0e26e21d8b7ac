"""A search on a board: each trial under its own number, from the moment that it is taken.

A job of a search is "the next trial", and which one that is turns out where it is carried out. It is none where another
search has taken the last one, or the time is up: of such a job nothing is said.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from xner_bench.jobs import Board, Job, Outcome
    from xner_bench.watch import Advance

FIRST = re.compile(r"trial (\d+): (.*)", re.DOTALL)
TIME_IS_UP = "time is up"  # what became of a trial that somebody is to go on with


def first(draw: int, text: str) -> str:
    """The first note of a job that has taken a trial."""
    return f"trial {draw}: {text}"


class Taken:
    """A board between an executor and the board that people see. `draws` are those that jobs may take."""

    def __init__(self, board: Board, draws: Sequence[int], total: int) -> None:
        self.board = board
        self._draws = list(draws)
        self._total = max(total, *draws)
        self._places: dict[int, int] = {}  # job -> index, on the board, of the trial that it took
        self._starts: Counter[int] = Counter()  # by that index

    def begin(self, jobs: Sequence[Job]) -> None:
        self.board.begin([replace(jobs[0], name=f"trial {draw} of {self._total}") for draw in self._draws])

    def started(self, index: int, attempt: int) -> None:
        self._places.pop(index, None)  # it has not taken one yet, or takes another one

    def watch(self, index: int) -> Watch:
        return Told(self, index)

    def ended(self, outcome: Outcome) -> None:
        taken = outcome.index in self._places
        if outcome.error or (taken and outcome.value != TIME_IS_UP):
            place = self.place(outcome.index)
            self.board.ended(replace(outcome, index=place, attempts=max(1, self._starts[place])))

    def end(self) -> None:
        self.board.end()

    def take(self, index: int, draw: int) -> None:
        """A job has taken a trial."""
        self._places[index] = place = self._draws.index(draw) if draw in self._draws else self._free()
        self._starts[place] += 1
        self.board.started(place, self._starts[place])

    def has_taken(self, index: int) -> bool:
        return index in self._places

    def place(self, index: int) -> int:
        """Where on the board a job is shown; one that came to grief before it took a trial, as the next one."""
        return self._places.get(index, self._free())

    def _free(self) -> int:
        return next((place for place in range(len(self._draws)) if not self._starts[place]), 0)


class Told(Watch):
    """What a job of a search tells."""

    def __init__(self, board: Taken, index: int) -> None:
        self._board = board
        self._index = index

    def note(self, text: str) -> None:
        found = None if self._board.has_taken(self._index) else FIRST.fullmatch(text)
        if found:
            self._board.take(self._index, int(found[1]))
        self._shown().note(found[2] if found else text)

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        return self._shown().stage(name, total) if self._board.has_taken(self._index) else super().stage(name, total)

    def _shown(self) -> Watch:
        return self._board.board.watch(self._board.place(self._index))
