"""`xner-bench leaderboard counts`: what significance is tested with, of runs that did not store it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xner_bench.cli.catalogue import catalogue_option, data_root_option
from xner_bench.cli.places import results_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@results_option
@data_root_option
@catalogue_option
def counts(results: Path, data_root: Path | None, folders: tuple[Path, ...]) -> None:
    """Count the predictions of older runs sentence by sentence, for the evidence on differences.

    Runs store these counts themselves by now. Nothing is trained or fetched; the test data must be here, and the same.
    Early runs get those of word-strict alone; nobody gets those of subword-lenient.
    """
    from xner_bench import catalogue
    from xner_bench.cli import progress
    from xner_bench.corpus import Places
    from xner_bench.leaderboard.owndata import Data
    from xner_bench.leaderboard.recount import recount
    from xner_bench.results import Store

    known = catalogue.load(folders)
    found = recount(Store(results), Data(known, Places(data_root, offline=True)), known, progress.watch(quiet=False))
    for one in found:
        click.echo(f"{one.run_id}: {one.problem or 'counted'}")
    left = sum(bool(one.problem) for one in found)
    click.echo(f"counted: {len(found) - left}, left without: {left}" if found else "all finished runs have counts")
    if left:
        raise SystemExit(2)
