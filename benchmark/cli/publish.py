"""`xner-bench leaderboard publish`: the leaderboard as a folder, as a commit on a branch, or on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xner_bench.cli.catalogue import catalogue_option
from xner_bench.cli.options import Text
from xner_bench.cli.places import draws_option, expect_elsewhere, results_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from xner_bench.leaderboard.publish import Publication

    Push = Callable[[Publication], str]


@click.command()
@click.option(
    "--to",
    required=True,
    type=Text(),
    metavar="WHERE",
    help="DIR, git:REMOTE#BRANCH or hf:ORG/NAME.",
)
@click.option("--push", is_flag=True, help="Push to git: or hf:, which else are only said.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing; not even with --push.")
@click.option("--plots", "pictures", is_flag=True, help="Pictures too, in plots/, as SVG and PNG (extra plots).")
@results_option
@draws_option
@catalogue_option
def publish(
    to: str, push: bool, dry_run: bool, pictures: bool, results: Path, draws: int, folders: tuple[Path, ...]
) -> None:
    """Publish the leaderboard: a page, Parquet, Markdown, every run's record and a data card.

    A folder is written as it is said; to a branch (of GitHub's pages, say) or to a data set of the hub nothing is
    pushed without --push. Records are published without the places of this machine. What lies there and was not
    published by this command stays.
    """
    from xner_bench import catalogue
    from xner_bench.cli import progress
    from xner_bench.leaderboard import board, plots
    from xner_bench.leaderboard.publish import compose, described
    from xner_bench.leaderboard.publish_hub import PREFIX
    from xner_bench.results import Store

    if pictures:
        plots.check()
    place, send = _place(to)
    if send is None:
        expect_elsewhere(Path(to), results, "--to DIR")
    known = catalogue.load(folders)
    sections = board.build(Store(results), known, watch=progress.watch(quiet=False), draws=draws)
    publication = compose(sections, known, for_hub=to.startswith(PREFIX), pictures=pictures)
    if send is None:
        _to_folder(publication, Path(to), dry_run)
    elif push and not dry_run:
        click.echo(f"{publication.subject}: {send(publication)}")
    else:
        for line in (f"{publication.subject}, for {place}:", *described(publication.files)):
            click.echo(line)
        click.echo("nothing was pushed" + ("" if dry_run else "; give the same command with --push to do so"))


def _place(to: str) -> tuple[str, Push | None]:
    """Where a publication goes, as it is shown, and what brings it there; nothing for a folder."""
    from xner_bench.errors import XnerError
    from xner_bench.leaderboard import publish_git, publish_hub
    from xner_bench.leaderboard.hidden import hide, secrets_of

    if to.startswith(publish_git.PREFIX):
        branch = publish_git.branch(to.removeprefix(publish_git.PREFIX))
        return f"git:{branch.shown}", lambda publication: publish_git.push(publication, branch)
    if to.startswith(publish_hub.PREFIX):
        repo = publish_hub.repository(to.removeprefix(publish_hub.PREFIX))
        return publish_hub.address(repo), lambda publication: publish_hub.push(publication, repo)
    if ":" in to.partition("/")[0]:
        told = hide(to, secrets_of(to))
        known = "DIR (one with a colon as ./DIR), git:REMOTE#BRANCH or hf:ORG/NAME"
        raise XnerError(f"{told!r} is no place to publish to; write {known}")
    return to, None


def _to_folder(publication: Publication, folder: Path, dry_run: bool) -> None:
    from xner_bench.leaderboard import publish_folder
    from xner_bench.leaderboard.publish import described

    if dry_run:
        change = publish_folder.plan(publication.files, folder)
        for line in (f"{publication.subject}, for {folder}: {change}", *described(publication.files)):
            click.echo(line)
        click.echo("nothing was written")
    else:
        click.echo(f"{publication.subject}, in {folder}: {publish_folder.write(publication.files, folder)}")
