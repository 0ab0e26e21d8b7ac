"""`xner-bench leaderboard`: the runs of a results folder, ranked."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xner_bench.cli.catalogue import catalogue_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Section
    from xner_bench.results import Store


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


@click.group()
def leaderboard() -> None:
    """Rank the finished runs, beside the papers' published numbers."""


@leaderboard.command()
@results_option
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the files go.  [default: leaderboard in the folder of --results]",
)
@catalogue_option
def build(results: Path, out: Path | None, folders: tuple[Path, ...]) -> None:
    """Write the leaderboard as Parquet and as Markdown.

    Writes per_language.parquet and per_language.md (a score per entry and language), leaderboard.parquet and
    leaderboard.md (means of groups of targets). The same runs give the same bytes.
    """
    from xner_bench import catalogue
    from xner_bench.cli import progress
    from xner_bench.leaderboard import board

    known = catalogue.load(folders)
    sections = board.build(_store(results), known, watch=progress.watch(quiet=False))
    for path in _write(out or results / "leaderboard", _files(sections, known)):
        click.echo(path)
    click.echo(f"{_count(sections)}; next: xner-bench leaderboard show{_flags(results, folders)}")


@leaderboard.command()
@results_option
@click.option("--suite", metavar="NAME", help="Only the entries of this suite.")
@click.option("--per-language", is_flag=True, help="The score of every language too.")
@catalogue_option
def show(results: Path, suite: str | None, per_language: bool, folders: tuple[Path, ...]) -> None:
    """Print the leaderboard."""
    from rich.console import Console

    from xner_bench import catalogue
    from xner_bench.cli import progress, tables
    from xner_bench.leaderboard import board

    known = catalogue.load(folders)
    if suite is not None:
        known.suite(suite)  # a misspelt name is answered with the nearest ones
    sections = board.build(_store(results), known, suite, progress.watch(quiet=False))
    console = Console(markup=False, emoji=False, highlight=False)
    tables.board(console, sections, known, per_language)


def _store(results: Path) -> Store:
    from xner_bench.results import Store

    return Store(results)


def _files(sections: Sequence[Section], known: Catalogue) -> dict[str, bytes]:
    from xner_bench.leaderboard import markdown, table

    return {
        "per_language.parquet": table.parquet(table.per_language(sections, known)),
        "leaderboard.parquet": table.parquet(table.means(sections)),
        "per_language.md": markdown.per_language(sections, known).encode(),
        "leaderboard.md": markdown.leaderboard(sections).encode(),
    }


def _write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    """Write the files, each whole; XnerError where that cannot be done."""
    from xner_bench import files
    from xner_bench.errors import XnerError

    for name, data in contents.items():
        try:
            files.write_atomically(folder / name, data)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            path = folder / name
            raise XnerError(f"cannot write {path}: {reason}; choose another folder with --out DIR") from error
    return [folder / name for name in contents]


def _count(sections: Sequence[Section]) -> str:
    lines = [line for section in sections for line in section.lines]
    ours = {line.entry_id: len(line.run_ids) for line in lines if not line.published}
    entries, runs = len(ours), sum(ours.values())
    return f"{entries} {'entry' if entries == 1 else 'entries'} from {runs} {'run' if runs == 1 else 'runs'}"


def _flags(results: Path, folders: Sequence[Path]) -> str:
    """What `show` must be told to show the same."""
    given = [("results", path) for path in (results,) if path != Path("results")] + [("catalogue", f) for f in folders]
    return "".join(f" --{name} {shlex.quote(str(path))}" for name, path in given)
