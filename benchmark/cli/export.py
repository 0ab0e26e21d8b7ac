"""`xner-bench export`: a kept checkpoint with its model card, as a folder to share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xner_bench.cli.catalogue import catalogue_option
from xner_bench.cli.options import Place
from xner_bench.cli.places import results_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--to", type=Place(), required=True, metavar="DIR", help="A folder that is new or empty.")
@results_option
@catalogue_option
def export(run_id: str, to: Path, results: Path, folders: tuple[Path, ...]) -> None:
    """Write a kept checkpoint with a model card: RUN is its id, the beginning of it, or of the hash at its end.

    The folder loads with transformers and can be put on the hub as it is. Runs keep their checkpoint with
    `xner-bench run --keep-checkpoint`.
    """
    from xner_bench import catalogue, survey
    from xner_bench.cli.again import Where, command
    from xner_bench.leaderboard.export import export as write
    from xner_bench.results import Store

    store, known = Store(results), catalogue.load(folders)
    run = survey.find(store, run_id)
    where = Where(results, folders, known)

    def again() -> str:
        return command(run, where, *(() if run.checkpoint_kept else ("--keep-checkpoint",)))

    for path in write(store, run, known, to, again):
        click.echo(path)
