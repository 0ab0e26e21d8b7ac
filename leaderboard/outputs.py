"""The files of a leaderboard, name -> bytes: what `build` writes and what `publish` puts into its folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from xner_bench.leaderboard import markdown, page, plots, table
from xner_bench.leaderboard.comparisons import comparisons
from xner_bench.settings import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Section

# Files that not every leaderboard has: parts of a large page, and pictures, see `pictures.draw`.
SOMETIMES = (
    r"leaderboard-data-[0-9]+\.js",
    rf"{plots.FOLDER}/.+-({'|'.join(get_args(Profile))})-(groups|differences|gain|figure-3)\.(svg|png)",
)


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
    """The files in a folder that a leaderboard may have or not, by their names: no others are ever deleted."""
    there = (path for within in (folder, folder / plots.FOLDER) for path in within.glob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in there)
    return sorted(name for name in names if any(re.fullmatch(pattern, name) for pattern in SOMETIMES))
