"""The files of a leaderboard, name -> bytes: what `build` writes and what `publish` puts into its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.leaderboard import markdown, page, table
from xner_bench.leaderboard.comparisons import comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Section


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
