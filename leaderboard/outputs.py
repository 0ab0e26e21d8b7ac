"""The files of a leaderboard, name -> bytes: what `build` writes and what `publish` puts into its folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from xner_bench.leaderboard import markdown, page, plots, table
from xner_bench.leaderboard.comparisons import comparisons

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Section

PICTURES = (".svg", ".png")
PAGE = b"xner-bench leaderboard build"  # is in every page of ours
DOCUMENT = re.compile(rb"# (Leaderboard|Scores per language)\n\n(F1|Scores) in percent")  # as every version begins one


def outputs(sections: Sequence[Section], catalogue: Catalogue) -> dict[str, bytes]:
    """The leaderboard as Parquet, as Markdown and as a page: the same bytes for the same sections."""
    return {
        "per_language.parquet": table.parquet(table.per_language(sections, catalogue)),
        "leaderboard.parquet": table.parquet(table.means(sections)),
        "comparisons.parquet": table.parquet(comparisons(sections, catalogue)),
        "per_language.md": markdown.per_language(sections, catalogue).encode(),
        "leaderboard.md": markdown.leaderboard(sections).encode(),
        **page.files(sections, catalogue),
    }


def former(folder: Path) -> list[str]:
    """The parts of a large page in a folder that are a build's by name and content: no other files are ever deleted."""
    return sorted(path.name for path in folder.glob(f"{page.PART}*.js") if _is_former(path))


def foreign(folder: Path, names: Iterable[str]) -> Path | None:
    """What lies where one of these files is to be, or a folder for it, and is not a former build's; None where all may
    be written."""
    for path in (folder / name for name in names):
        if path.parent != folder and os.path.lexists(path.parent) and not path.parent.is_dir():
            return path.parent
        if os.path.lexists(path) and not _is_former(path):
            return path
    return None


def _is_former(path: Path) -> bool:
    """Whether a build wrote a file, of this version or an earlier one, as far as its content tells; no link is ours."""
    if path.is_symlink() or not path.is_file():
        return False
    if path.suffix in PICTURES:  # nothing in them tells who drew them; their long names do
        return True
    try:
        return _has_columns(path) if path.suffix == ".parquet" else _has_words(path)
    except OSError:  # what cannot be read cannot be shown to be ours
        return False


def _has_columns(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = pq.read_schema(path)
    except pa.ArrowException:
        return False
    return any(one.name == "suite" and b"about" in (one.metadata or {}) for one in columns)


def _has_words(path: Path) -> bool:
    with path.open("rb") as file:
        data = file.read(page.LIMIT)
    if path.suffix == ".js":
        return data.startswith(page.beginning(path.stem.removeprefix(page.PART)))
    return PAGE in data if path.suffix == ".html" else DOCUMENT.match(data) is not None


def other_pictures(folder: Path, contents: Iterable[str]) -> list[str]:
    """Pictures beside those of a leaderboard; whether a former build or somebody else drew them nobody knows."""
    there = (f"{plots.FOLDER}/{path.name}" for path in (folder / plots.FOLDER).glob("*") if path.suffix in PICTURES)
    return sorted(set(there).difference(contents))
