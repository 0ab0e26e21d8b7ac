"""Errors that a user can mend: the thing, its value and the next step, on one line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class XnerError(Exception):
    """Something the user can mend. The command line prints it as one line and exits with status 2.

    Anything else that is raised is a bug of ours and keeps its traceback.
    """


class UnknownName(XnerError):
    """A name that is not in a registry, with the nearest ones that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        offer = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"no {kind} is called {name!r}; {offer}{' ' + hint if hint else ''}")
