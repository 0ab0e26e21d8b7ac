"""Pictures of a leaderboard as files of its folder, where the extra `plots` is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Section

FOLDER = "plots"


def check() -> None:
    """XnerError where pictures cannot be drawn."""
    if find_spec("matplotlib") is None:
        raise XnerError("--plots needs matplotlib, which is not here; pip install 'xner-bench[plots]'")


def plots(sections: Sequence[Section], catalogue: Catalogue) -> dict[str, bytes]:
    """`plots/<name>.svg` and `.png` -> bytes, see `pictures.draw`: the same bytes for the same sections."""
    check()
    from xner_bench.leaderboard import pictures

    return {f"{FOLDER}/{name}": data for name, data in pictures.draw(sections, catalogue).items()}
