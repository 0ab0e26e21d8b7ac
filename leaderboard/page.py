"""The page: index.html, one file that holds its style, its script and its data, and asks nobody for anything.

Where it would grow beyond LIMIT, the data of single views lie beside it in `leaderboard-data-<n>.js` and are read when
they are looked at, also from a disk (file:), where a page may read scripts but nothing else. The browser is told to run
the page's own script alone (Content-Security-Policy with hashes); names are text wherever they come from: jinja2
escapes those in the template, the script sets no HTML.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from xner_bench.leaderboard import legend, page_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Section

WEB = Path(__file__).parent / "web"
PARTS = ("data", "state", "table", "columns", "filters", "details", "compare", "words", "main")
LIMIT = 5_000_000  # bytes of index.html
PART = "leaderboard-data-"  # begins the name of a file of data


def files(sections: Sequence[Section], catalogue: Catalogue, limit: int = LIMIT) -> dict[str, bytes]:
    """Name -> bytes of the page: index.html, and what lies beside it where that alone would be too large.

    The same bytes for the same sections.
    """
    content = page_data.content(sections, catalogue)
    whole = _html(sections, content, inline=True)
    if len(whole) <= limit:
        return {"index.html": whole}
    beside = {f"{PART}{at}.js": _script(at, block) for at, block in enumerate(content.blocks)}
    return {"index.html": _html(sections, content, inline=False), **beside}


def _script(number: int, block: str) -> bytes:
    return beginning(number) + f"{block});\n".encode()


def beginning(number: int | str) -> bytes:
    """How a file of data begins."""
    return f"leaderboardData({number}, ".encode()


def _html(sections: Sequence[Section], content: page_data.Content, inline: bool) -> bytes:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (WEB / "page.css").read_text(encoding="utf-8")
    script = _joined()
    return (
        environment.get_template("page.html.j2")
        .render(
            policy=_policy(style, script, inline),
            style=Markup(style),
            script=Markup(script),
            core=Markup(page_data.dumps(content.core)),
            blocks=[Markup(block) for block in content.blocks] if inline else [],
            about=legend.ABOUT,
            compare=legend.COMPARE,
            sections=[_said(section) for section in sections],
        )
        .encode()
    )


def _joined() -> str:
    """The script's parts in one scope of their own."""
    parts = [(WEB / f"{name}.js").read_text(encoding="utf-8") for name in PARTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _policy(style: str, script: str, inline: bool) -> str:
    """What the browser may do for the page: its own style and script, and data from where it lies; nothing else."""
    beside = "" if inline else " 'self'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}{beside}",
            f"style-src {_hash(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'" if inline else "trusted-types data",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _said(section: Section) -> dict[str, object]:
    """What stands beside a section's numbers, in words."""
    return {
        "title": section.suite.title,
        "about": section.suite.about,
        "reference": section.suite.reference,
        "trained": section.trained,
        "notices": section.notices,
        "protocols": legend.protocols_text(section),
        "departures": legend.departures(section),
        "remarks": legend.own_remarks(section),
        "paper_remarks": legend.paper_remarks(section),
    }
