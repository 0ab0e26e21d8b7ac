"""Pictures of a leaderboard, as SVG and PNG. Needs matplotlib (extra `plots`), so that only who draws imports it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xner_bench.leaderboard.pictures import canvas, chosen, gain, heat, means, paper
from xner_bench.settings import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Section
    from xner_bench.leaderboard.pictures.canvas import Picture

LONGEST = 60  # characters of a file's name that are a source


def draw(sections: Sequence[Section], catalogue: Catalogue) -> dict[str, bytes]:
    """File name -> bytes, of all pictures of some sections: `<suite>-<profile>-<what>.svg` and `.png`.

    A section of another source than its suite's has it in the name. Two profiles never share a picture. A picture
    that has nothing to show (differences, where nothing was trained by `standard`) is left out.
    """
    made: dict[str, bytes] = {}
    with canvas.style():
        for section in sections:
            for profile in section.profiles:
                for picture in pictures(section, profile, catalogue):
                    made |= canvas.files(picture)
    return made


def pictures(section: Section, profile: str, catalogue: Catalogue) -> Iterator[Picture]:
    """The pictures of one profile of a section. Call within `canvas.style()`."""
    seen, name = chosen.view(section, profile), file_name(section, profile)
    drawn = (
        means.picture(seen, name),
        heat.picture(seen, name, catalogue),
        gain.picture(seen, name, catalogue),
        paper.picture(seen, name, catalogue),
    )
    return (one for one in drawn if one)


def file_name(section: Section, profile: str) -> str:
    """What the names of a profile's pictures begin with."""
    if section.source == section.suite.source:
        return f"{section.suite.name}-{profile}"
    source = re.sub(r"[^A-Za-z0-9_]+", "-", section.source)
    if len(source) > LONGEST:
        source = f"{source[: LONGEST - 9]}-{digest(section.source)[:8]}"
    return f"{section.suite.name}-{source}-{profile}"
