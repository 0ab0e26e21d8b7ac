"""`xner-bench leaderboard`: the runs of a results folder, ranked."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xner_bench.cli.catalogue import catalogue_option
from xner_bench.cli.places import NamedFolder, draws_option, expect_elsewhere
from xner_bench.cli.places import ResultsFolder as ResultsFolder
from xner_bench.cli.places import results_option as results_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xner_bench.leaderboard.lines import Section
    from xner_bench.results import Store


@click.group()
def leaderboard() -> None:
    """Rank the finished runs, beside the papers' published numbers."""


@leaderboard.command()
@results_option
@click.option(
    "--out",
    metavar="DIR",
    type=NamedFolder(),
    help="Where the files go.  [default: leaderboard in the folder of --results]",
)
@click.option("--plots", "pictures", is_flag=True, help="Pictures too, in plots/, as SVG and PNG (extra plots).")
@draws_option
@catalogue_option
def build(results: Path, out: Path | None, pictures: bool, draws: int, folders: tuple[Path, ...]) -> None:
    """Write the leaderboard as a page, as Parquet and as Markdown.

    Writes index.html (all of it, for a browser, also without a network), per_language.parquet and per_language.md (a
    score per entry and language), leaderboard.parquet and leaderboard.md (means of groups of targets), and
    comparisons.parquet (differences between entries, with intervals and p-values). The same runs give the same bytes.
    Parts of a large page that a former build left there are deleted, and nothing else: pictures stay. Where a file of
    somebody else's would be overwritten nothing is written.
    """
    from xner_bench import catalogue
    from xner_bench.cli import progress
    from xner_bench.leaderboard import board, plots
    from xner_bench.leaderboard.outputs import other_pictures, outputs

    if pictures:
        plots.check()
    folder = out or results / "leaderboard"
    expect_elsewhere(folder, results, "--out DIR")
    known = catalogue.load(folders)
    sections = board.build(_store(results), known, watch=progress.watch(quiet=False), draws=draws)
    contents = outputs(sections, known) | (plots.plots(sections, known) if pictures else {})
    _expect_own(folder, contents)
    for path in _write(folder, contents):
        click.echo(path)
    for path in _clear(folder, contents):
        click.echo(f"removed {path}, of a former leaderboard")
    if others := other_pictures(folder, contents):
        click.echo(f"pictures in {folder / plots.FOLDER} that this build did not draw, and left there: {len(others)}")
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


def _expect_own(folder: Path, names: Iterable[str]) -> None:
    """What lies in the place of one of these files and is no leaderboard's is somebody's. XnerError."""
    from xner_bench.errors import XnerError
    from xner_bench.leaderboard.outputs import foreign

    if path := foreign(folder, names):
        raise XnerError(f"{path} is no leaderboard's; move it away, or choose another folder with --out DIR")


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


def _clear(folder: Path, contents: Iterable[str]) -> list[Path]:
    """Delete the parts of a page that this build has no more; XnerError where that cannot be done."""
    from xner_bench.errors import XnerError
    from xner_bench.leaderboard.outputs import former

    left = [folder / name for name in former(folder) if name not in contents]
    for path in left:
        try:
            path.unlink()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise XnerError(f"cannot delete {path}: {reason}; it is of a former leaderboard, delete it") from error
    return left


def _count(sections: Sequence[Section]) -> str:
    lines = [line for section in sections for line in section.lines]
    ours = {line.entry_id: len(line.run_ids) for line in lines if not line.published}
    entries, runs = len(ours), sum(ours.values())
    return f"{entries} {'entry' if entries == 1 else 'entries'} from {runs} {'run' if runs == 1 else 'runs'}"


def _flags(results: Path, folders: Sequence[Path]) -> str:
    """What `show` must be told to show the same."""
    given = [("results", path) for path in (results,) if path != Path("results")] + [("catalogue", f) for f in folders]
    return "".join(f" --{name} {shlex.quote(str(path))}" for name, path in given)


# They take the options of this group from `places`, so that either module can be imported first.
from xner_bench.cli.bundles import bundle, merge, verify  # noqa: E402
from xner_bench.cli.counts import counts  # noqa: E402
from xner_bench.cli.publish import publish  # noqa: E402

for command in (publish, bundle, verify, merge, counts):
    leaderboard.add_command(command)
