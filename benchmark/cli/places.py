"""Options that several commands of the leaderboard share: the folder of results, and the draws of the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class ResultsFolder(click.Path):
    """A folder, which need not be there; but nothing else may be in its place."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Refuses a file, and the empty word that a shell makes of a variable that is not set."""
        given = str(value)
        if not given:
            self.fail("it is empty; give a folder.", param, ctx)
        try:
            wrong = "is not a folder" if Path(given).exists() and not Path(given).is_dir() else ""
        except OSError as error:
            wrong = f"cannot be read: {(error.strerror or str(error)).lower()}"
        if wrong:
            self.fail(f"{given} {wrong}; give the folder that the runs are stored in.", param, ctx)
        return Path(given)


class NamedFolder(click.Path):
    """A folder that need not be there, and has a name."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Refuses the empty word, which would be the folder one is in."""
        if not str(value):
            self.fail("it is empty; give a folder.", param, ctx)
        return Path(value)


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
    default=10_000,
    show_default=True,
    help="Draws of the bootstrap and of the permutation that differences are tested with; 0: none are tested.",
)
