"""The folder of results as an option of the commands that read one."""

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
    type=click.IntRange(min=0),
    default=10_000,
    show_default=True,
    help="Draws of the bootstrap and of the permutation that differences are tested with; 0: none are tested.",
)
