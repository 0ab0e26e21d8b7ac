"""How the engine tells what it is doing. It never prints: the command line shows it, a notebook may stay silent."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class Advance(Protocol):
    """Called as a stage goes on: how much further, and what to say beside the bar."""

    def __call__(self, amount: int, detail: str = "") -> None: ...


class Watch:
    """Watches in silence; subclass it to show progress."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """A piece of work with a known size; yields the function that reports progress."""
        return _silent()

    def note(self, text: str) -> None:
        """One line that a person should see."""


@contextmanager
def _silent() -> Iterator[Advance]:
    def advance(amount: int, detail: str = "") -> None:
        pass

    yield advance


SILENT = Watch()
