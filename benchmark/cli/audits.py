"""The tables of `xner-bench data check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xner_bench.audit import SplitAudit


def show(found: Sequence[SplitAudit]) -> None:
    """Print a table for each data set, and what could not be read."""
    console = _console()
    for dataset in dict.fromkeys(audit.dataset for audit in found):
        own = [audit for audit in found if audit.dataset == dataset]
        console.print(dataset, style="bold")
        if read := [audit for audit in own if audit.sentences is not None]:
            console.print(_table(read, _marks(console)))
        for line in _unread(own):
            console.print(line, soft_wrap=True)
        console.print()


def _console() -> Console:
    """As wide as the terminal; into a pipe or file a line a row."""
    width = None if sys.stdout.isatty() else 1000
    return Console(width=width, markup=False, highlight=False, emoji=False)


def _marks(console: Console) -> tuple[str, str]:
    """Right and wrong, in signs that the terminal's encoding has."""
    try:
        "✓✗".encode(console.encoding)
    except UnicodeEncodeError:
        return "ok", "WRONG"
    return "✓", "✗"


def _table(audits: Iterable[SplitAudit], marks: tuple[str, str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("language", "split"):
        table.add_column(column)
    numbers = (
        "sentences",
        "words",
        "entities",
        "invalid tags",
        "invisible words",
        "repeated",
        "also in train",
        "also in dev",
        "longest",
    )
    for column in numbers:
        table.add_column(column, justify="right")
    before = ""
    for audit in audits:
        table.add_row(audit.language if audit.language != before else "", audit.split, *_numbers(audit, marks))
        before = audit.language
    return table


def _numbers(audit: SplitAudit, marks: tuple[str, str]) -> list[str]:
    counts = [audit.words, audit.entities, audit.invalid_tags, audit.invisible_words, audit.duplicates]
    shared = ["" if count is None else f"{count:,}" for count in (audit.in_train, audit.in_dev)]
    return [_counted(audit, *marks), *(f"{count:,}" for count in counts), *shared, f"{audit.longest:,}"]


def _counted(audit: SplitAudit, right: str, wrong: str) -> str:
    """The number of sentences, and how it stands to the card's."""
    count = f"{audit.sentences:,}"
    if audit.expected is None:
        return count + " " * (len(right) + 1)
    return f"{count} {right}" if audit.sentences == audit.expected else f"{count} of {audit.expected:,} {wrong}"


def _unread(audits: Sequence[SplitAudit]) -> Iterator[str]:
    """Which splits could not be read, and which are nowhere."""
    malformed = _by_language(audit for audit in audits if audit.problem and audit.sentences is None)
    missing = _by_language(audit for audit in audits if audit.missing)
    if malformed:
        yield f"malformed: {malformed}"
    if missing:
        yield f"missing: {missing}"


def _by_language(audits: Iterable[SplitAudit]) -> str:
    splits: dict[str, list[str]] = {}
    for audit in audits:
        splits.setdefault(audit.language, []).append(audit.split)
    return ", ".join(f"{language} ({' '.join(names)})" for language, names in splits.items())
