"""A watch at a distance: what a job tells in its process is shown where people look."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from xner_bench.watch import Advance

Event = tuple[Any, ...]  # its kind, and what there is to say; see Replay.hear


class Relay(Watch):
    """Sends what it is told; progress no more often than every so many seconds."""

    def __init__(self, send: Callable[[Event], object], every: float = 0.1) -> None:
        self._send = send
        self._every = every
        self._stages = 0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        self._stages += 1
        number, unsent, said, sent = self._stages, 0, "", monotonic()

        def advance(amount: int, detail: str = "") -> None:
            nonlocal unsent, said, sent
            unsent, said, now = unsent + amount, detail or said, monotonic()
            if now - sent >= self._every:
                self._send(("advance", number, unsent, said))
                unsent, sent = 0, now

        self._send(("stage", number, name, total))
        try:
            yield advance
        finally:
            if unsent:
                self._send(("advance", number, unsent, said))
            self._send(("over", number))

    def note(self, text: str) -> None:
        self._send(("note", text))


class Replay:
    """Shows on a watch what a relay sends. A job may die in the middle of it: then `close` ends its stages."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._stages: dict[int, tuple[AbstractContextManager[Advance], Advance]] = {}

    def hear(self, event: Event) -> None:
        """Show one event. What tells of a stage that is over, or was never begun, is left out."""
        match event:
            case ("note", text):
                self._watch.note(text)
            case ("stage", number, name, total):
                stage = self._watch.stage(name, total)
                self._stages[number] = stage, stage.__enter__()
            case ("advance", number, amount, said) if number in self._stages:
                self._stages[number][1](amount, said)
            case ("over", number) if number in self._stages:
                self._stages.pop(number)[0].__exit__(None, None, None)

    def close(self) -> None:
        """End the stages that are still open, the innermost first."""
        while self._stages:
            self._stages.popitem()[1][0].__exit__(None, None, None)
