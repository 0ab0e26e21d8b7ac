"""`xner-bench leaderboard bundle`, `verify` and `merge`: results sent to others, and taken from them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from xner_bench.cli.catalogue import catalogue_option, data_root_option
from xner_bench.cli.options import Place
from xner_bench.cli.places import expect_elsewhere, results_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.merge import Outcome
    from xner_bench.leaderboard.owndata import Data
    from xner_bench.leaderboard.verify_bundle import Verdict

SHOWN = 12  # lines of what is wrong with a run, or is left out
NOT_TOLD = (
    "Not verified, as nobody can without training: that these methods predicted this, and the scores on dev splits."
)


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--to", metavar="FILE", required=True, type=Place(), help="A zip.")
@results_option
def bundle(runs: tuple[str, ...], to: Path, results: Path) -> None:
    """Pack finished runs into a file for others.

    It has records, scores and predictions, no data and no weights. RUN is an id, the beginning of one or of its hash,
    or `all` that are sound. Places on this machine are left out of the records. The same runs give the same bytes.
    """
    from xner_bench.leaderboard import bundle as bundles
    from xner_bench.results import Store

    expect_elsewhere(to, results, "--to FILE")
    store = Store(results)
    found = bundles.chosen(store, runs)
    bundles.pack(store, found.runs, to)
    for reason in found.left_out[:SHOWN]:
        click.echo(f"left out: {reason}")
    if len(found.left_out) > SHOWN:
        click.echo(f"left out: and {len(found.left_out) - SHOWN} more")
    click.echo(f"{to}: {_count(len(found.runs), 'run')}, {to.stat().st_size:,} bytes")
    click.echo(f"whoever gets it: xner-bench leaderboard verify {to.name}")


@click.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=Place())
@data_root_option
@catalogue_option
@click.pass_context
def verify(context: click.Context, paths: tuple[Path, ...], data_root: Path | None, folders: tuple[Path, ...]) -> None:
    """Score the predictions of bundles again.

    It takes this machine's own copy of the data, which must be the same. Nothing is trained, fetched or stored, and no
    method need be installed. Exit status 2 where a bundle is malformed, or a count is not what the predictions give:
    the cell is named; 1 where nothing is wrong but a run could not be verified, as its test data are not all here.
    """
    from xner_bench.cli import progress
    from xner_bench.leaderboard.merge import Outcome, read

    data, known = _here(data_root, folders)
    outcome = Outcome()
    for _ in read(paths, data, known, outcome, progress.watch(quiet=False)):
        pass
    _tell(outcome)
    if outcome.refused or any(one.problems for one in outcome.verdicts):
        context.exit(2)
    if not outcome.right:
        context.exit(1)


@click.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=Place())
@results_option
@data_root_option
@catalogue_option
@click.pass_context
def merge(
    context: click.Context, paths: tuple[Path, ...], results: Path, data_root: Path | None, folders: tuple[Path, ...]
) -> None:
    """Verify bundles, and add their runs.

    All or nothing: where a run is refused, cannot be verified, or is there already with other results, nothing is added
    and the exit status is 2. Runs that are there with the same results stay as they are; where a bundle has more
    profiles of one, that is said. Counts that cannot be verified are not added: those of subword-lenient, and of early
    runs all but word-strict.
    """
    from xner_bench.cli import progress
    from xner_bench.leaderboard import merge as merging
    from xner_bench.results import Store

    data, known = _here(data_root, folders)
    outcome = merging.merge(paths, Store(results), data, known, progress.watch(quiet=False))
    _tell(outcome)
    for conflict in outcome.conflicts:
        click.echo(f"conflict: {conflict}")
    if not outcome.right:
        click.echo(f"nothing was added to {results}")
        context.exit(2)
    for run_id in outcome.added:
        click.echo(f"added: {run_id}")
    for one in outcome.behind:
        click.echo(f"left behind: {one}")
    there = f", {len(outcome.there)} there already" if outcome.there else ""
    click.echo(f"{_count(len(outcome.added), 'run')} added to {results}{there}")


def _here(data_root: Path | None, folders: tuple[Path, ...]) -> tuple[Data, Catalogue]:
    from xner_bench import catalogue
    from xner_bench.corpus import Places
    from xner_bench.leaderboard.owndata import Data

    known = catalogue.load(folders)
    return Data(known, Places(data_root, offline=True)), known


def _tell(outcome: Outcome) -> None:
    for one in outcome.refused:
        click.echo(f"refused: {one}")
    for verdict in outcome.verdicts:
        for line in _lines(verdict):
            click.echo(line)
    for line in _summary(outcome):
        click.echo(line)


def _lines(verdict: Verdict) -> Iterator[str]:
    if verdict.problems:
        yield from (f"wrong: {verdict.run_id}: {problem}" for problem in verdict.problems[:SHOWN])
        if len(verdict.problems) > SHOWN:
            yield f"wrong: {verdict.run_id}: and {len(verdict.problems) - SHOWN} more"
    else:
        state = "verified" if verdict.verified else "not verified"
        yield f"{state}: {verdict.run_id}: {_count(verdict.cells, 'count')} scored again"


def _summary(outcome: Outcome) -> Iterator[str]:
    """What was verified, and what was not."""
    right = [one for one in outcome.verdicts if one.verified]
    if outcome.verdicts:
        yield f"{len(right)} of {_count(len(outcome.verdicts), 'run')} verified"
    absent = Counter(part for one in outcome.verdicts for part in one.absent)
    if absent:
        yield f"not here, so not verified: {_some(sorted(absent))}"
        reasons = list(dict.fromkeys(reason for one in outcome.verdicts for reason in one.reasons))
        yield f"  {reasons[0]}" + (f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else "")
    if untold := sorted({name for one in outcome.verdicts for name in one.untold}):
        yield f"not verified, as what is stored does not decide them: counts of {', '.join(untold)}"
    if right:
        yield NOT_TOLD


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
