"""What a published leaderboard is: a folder of files, the same for the same runs, with a list of what it holds.

index.html, the Parquet and Markdown files, runs/<run-id>/run.json for each run of a row (without the places of the
machine, see `public`), README.md (the data card) and published.json, which lists all of them with their hashes. By that
list the next publication knows which files are its own: whatever else lies beside them stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError
from xner_bench.leaderboard import datacard, ours, plots, public
from xner_bench.leaderboard.cells import plain
from xner_bench.leaderboard.ours import NAME
from xner_bench.leaderboard.outputs import outputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.results import Run

CARD = "README.md"
LISTED = 100  # entries that a commit's message names


class Publication(NamedTuple):
    """The files of a published leaderboard, path -> content, and what they are of."""

    files: dict[str, bytes]
    subject: str  # "4 entries from 8 runs"
    message: str  # of a commit: the subject, then entries and their runs

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.files)


def compose(
    sections: Sequence[Section], catalogue: Catalogue, for_hub: bool = False, pictures: bool = False
) -> Publication:
    """The publication of some sections. `for_hub` puts the hub's metadata on top of the data card.

    Raises XnerError where a card, a suite or an option would carry a place of this machine into a file.
    """
    original, shown = runs(sections), public.of_sections(sections)
    tables = outputs(shown, catalogue) | (plots.plots(shown, catalogue) if pictures else {})
    records = {record_name(run.run_id): ours.dumped(public.record(run)) for run in original}
    card = datacard.card(shown, catalogue, tables, for_hub)
    files = {**tables, CARD: card.encode(), **records}
    _check_private(files, public.private(original))
    subject = _subject(shown)
    files[ours.LISTING] = ours.listing(files)
    return Publication(files, subject, "\n".join([subject, "", *_entries(shown)]) + "\n")


def runs(sections: Iterable[Section]) -> list[Run]:
    """The runs of all rows, each once, by id."""
    found = {run.run_id: run for section in sections for line in section.lines for run in line.runs}
    return [found[run_id] for run_id in sorted(found)]


def record_name(run_id: str) -> str:
    """Where the record of a run lies: in a folder of its id, or of what can be a folder's name and its hash."""
    if NAME.fullmatch(run_id) and len(run_id) <= 200:
        return f"runs/{run_id}/run.json"
    slug = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-")[:80] or "run"
    return f"runs/{slug}-{hashlib.sha256(run_id.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}/run.json"


def described(files: Mapping[str, bytes]) -> Iterator[str]:
    """`index.html, 120,345 bytes`, a line a file; those in folders together."""
    yield from (f"{name}, {len(files[name]):,} bytes" for name in files if "/" not in name)
    for folder in sorted({name.partition("/")[0] for name in files if "/" in name}):
        sizes = [len(data) for name, data in files.items() if name.startswith(f"{folder}/")]
        yield f"{folder}/, {_several(len(sizes), 'file', 'files')}, {sum(sizes):,} bytes"


def _subject(sections: Sequence[Section]) -> str:
    own = {line.entry_id for section in sections for line in section.lines if not line.published}
    total = len(runs(sections))
    return f"Leaderboard: {_several(len(own), 'entry', 'entries')} from {_several(total, 'run', 'runs')}"


def _several(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _entries(sections: Sequence[Section]) -> list[str]:
    """`- quick: slicer h=8: slicer-quick-s42-..., ...`"""
    found = [
        f"- {section.suite.name}: {plain(line.label)}: {', '.join(map(plain, line.run_ids))}"
        for section in sections
        for line in _once(section)
    ]
    left = len(found) - LISTED
    return [*found[:LISTED], *([f"- and {left:,} more"] if left > 0 else [])]


def _once(section: Section) -> Iterator[Line]:
    """The own lines of a section, one an entry."""
    seen: set[str | None] = set()
    for line in section.lines:
        if not line.published and line.entry_id not in seen:
            seen.add(line.entry_id)
            yield line


def _check_private(files: Mapping[str, bytes], places: Iterable[str]) -> None:
    """Whatever way a place took into a file, it is not published."""
    wanted = sorted({re.escape("/".join(place.split("/")[:3])) for place in (*places, *_home())})
    if not wanted:
        return
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(wanted)})(?![\w.-])")
    for name, data in files.items():
        text = _text(data) if name.endswith(".parquet") else data.decode("utf-8", "replace")
        if found := pattern.search(text):
            said = plain(text[found.start() : found.end() + 40].partition('"')[0])
            raise XnerError(
                f"{name} would say {said!r}, a place on this machine; take it out of the card or suite that says it"
            )


def _home() -> Iterator[str]:
    with suppress(RuntimeError):  # somebody who has none
        if len(Path.home().parts) > 2:
            yield str(Path.home())


def _text(data: bytes) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return json.dumps(pq.read_table(pa.BufferReader(data)).to_pylist(), ensure_ascii=False, default=str)
