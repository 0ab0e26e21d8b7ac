"""Options that several commands of the leaderboard share: the folder of results, and the draws of the evidence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from xner_bench.leaderboard.evidence_types import DRAWS


class NamedFolder(click.Path):
    """A folder that need not be there, and has a name."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Refuses the empty word that a shell makes of a variable that is not set: it would be the folder one is in."""
        if not str(value):
            self.fail("it is empty; give a folder.", param, ctx)
        return Path(value)


class ResultsFolder(NamedFolder):
    """A folder, which need not be there; but nothing else may be in its place."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Refuses a file, too."""
        given = super().convert(value, param, ctx)
        try:
            wrong = "is not a folder" if given.exists() and not given.is_dir() else ""
        except OSError as error:
            wrong = f"cannot be read: {(error.strerror or str(error)).lower()}"
        if wrong:
            self.fail(f"{value} {wrong}; give the folder that the runs are stored in.", param, ctx)
        return given


class Draws(click.ParamType[int]):
    """None at all, or enough of them for an interval, and no more than memory has room for."""

    name = "draws"
    least, most = 100, 1_000_000

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Refuses what is no such number."""
        try:
            number = int(value)
        except ValueError:
            number = -1
        if number != 0 and not self.least <= number <= self.most:
            self.fail(f"{value} is neither 0 nor from {self.least} to {self.most:,}; give 10000, or 0.", param, ctx)
        return number


def expect_elsewhere(place: Path, results: Path, flag: str) -> None:
    """What lay among the runs of any store, or this one's grids and studies, would be taken for one. XnerError.

    `flag` is what to choose with, such as `--out DIR`.
    """
    from xner_bench.errors import XnerError

    try:
        kept = {Path(os.path.realpath(results / name)): name for name in ("runs", "grids", "studies")}
        real = Path(os.path.realpath(place))
    except FileNotFoundError as error:
        raise XnerError("the folder that you are in was deleted; go to another one") from error
    for above in (real, *real.parents):
        if name := kept.get(above, "runs" if _holds_runs(above) else ""):
            raise XnerError(f"{place} is in {above}, where the {name} are; choose another folder with {flag}")


def _holds_runs(folder: Path) -> bool:
    return folder.name == "runs" and any(folder.glob("*/run.json"))


results_option = click.option(
    "--results",
    metavar="DIR",
    default=Path("results"),
    show_default=True,
    type=ResultsFolder(),
    help="The folder that the runs are stored in.",
)

draws_option = click.option(
    "--draws",
    metavar="N",
    type=Draws(),
    default=DRAWS,
    show_default=True,
    help="Draws of the bootstrap and of the permutation that differences are tested with; 0: none are tested.",
)
