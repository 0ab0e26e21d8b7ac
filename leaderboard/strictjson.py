"""JSON from strangers: what may stand in a record, and nothing that some program would take for something else."""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

DEPTH = 12  # of lists and objects in each other
LENGTH = 4_000  # characters of a string
# Controls (escape sequences of terminals), surrogates, changes of direction, line separators, what is not assigned.
FORBIDDEN = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
JOINERS = "\u200c\u200d"  # of several scripts' spelling


def parse(data: bytes) -> Any:
    """The value of a document. Raises ValueError with the reason.

    Refused are keys that stand twice, numbers that are none, infinite or beyond 64 bits, text that is not UTF-8 or not
    to be shown as it is, and depth.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_int=_integer,
            parse_float=_finite,
        )
        _check(value, DEPTH)
    except RecursionError:
        raise ValueError("lists or objects are nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:80]!a} stands twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= (value := int(text)) < 2**63:
        raise ValueError(f"the number {text[:20]}... is too large")
    return value


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _check(value: Any, depth: int) -> None:
    if depth < 0:
        raise ValueError("lists or objects are nested too deeply")
    if isinstance(value, str):
        check_text(value)
    inner: Iterable[Any] = (*value, *value.values()) if isinstance(value, dict) else value
    for one in inner if isinstance(value, dict | list) else ():
        _check(one, depth - 1)


def check_text(text: str) -> None:
    """Raises ValueError where a text is endless, or has characters that change how what is around it is shown."""
    if len(text) > LENGTH:
        raise ValueError(f"a text has {len(text):,} characters: {text[:40]!a}...")
    if not text.isascii() or not text.isprintable():
        wrong = [one for one in text if unicodedata.category(one) in FORBIDDEN and one not in JOINERS]
        if wrong:
            raise ValueError(f"a text has the character {wrong[0]!a}: {text[:40]!a}")
