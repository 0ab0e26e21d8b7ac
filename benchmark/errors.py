"""Errors that a user can mend: the thing, its value and the next step, on one line."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches
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
        near = nearest(name, names)
        offer = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"no {kind} is called {name!r}; {offer}{' ' + hint if hint else ''}")


def nearest(name: str, names: list[str]) -> list[str]:
    """The names that somebody who typed this one may have meant, the likeliest first; none that is far behind it."""
    likeliest = max((SequenceMatcher(None, one, name).ratio() for one in names), default=0.0)
    return get_close_matches(name, names, n=3, cutoff=max(0.5, 0.75 * likeliest))
