"""Text as Markdown: whatever a name is, it stays text in its cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xner_bench.leaderboard import legend
from xner_bench.leaderboard.cells import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xner_bench.leaderboard.lines import Line, Mean, Row

_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+!|~<>&$:^]")
_WWW = re.compile(r"\bwww\.", re.IGNORECASE)
NAMES = ("Entry", "Encoder")


def escape(text: str) -> str:
    """Any text as one line of Markdown that shows just that: no markup, link, HTML or end of a cell."""
    escaped = _SPECIAL.sub(r"\\\g<0>", plain(text))
    escaped = _WWW.sub(lambda found: found.group()[:-1] + "\\.", escaped)
    return escaped.replace("@", "@<!-- -->")  # name@host would be made a link, escaped or not


def bold(text: str, wanted: bool = True) -> str:
    """Markdown in bold, where that is wanted."""
    return f"**{text}**" if wanted else text


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], names: int) -> str:
    """A table of cells that are Markdown already; `names` columns to the left, numbers to the right."""
    rule = ["---" if index < names else "---:" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def named(line: Line, shown: Iterable[Row | Mean]) -> list[str]:
    """The first cells of a line's row, see NAMES."""
    return [escape(legend.label(line, shown)), escape(line.encoder)]
