"""`xner-bench results`: every file of a results folder verified, and mended."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from xner_bench.cli.catalogue import catalogue_option
from xner_bench.cli.leaderboard import results_option
from xner_bench.errors import XnerError
from xner_bench.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from xner_bench.cli.again import Where
    from xner_bench.repair import Mended
    from xner_bench.results import Run
    from xner_bench.verify import Finding

ANEW = ("--overwrite", "always")


@click.group()
def results() -> None:
    """Verify the files of a results folder, and mend them."""


@results.command()
@results_option
@click.option(
    "--repair",
    is_flag=True,
    help="Set damaged files aside as *.damaged, and remove what killed processes left. No result is deleted, runs "
    "under way are left alone.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@catalogue_option
@click.pass_context
def check(ctx: click.Context, results: Path, repair: bool, as_json: bool, folders: tuple[Path, ...]) -> None:
    """Verify every file of a results folder: that it can be read, and agrees with the others.

    Counts must add up, predicted entities give the word-strict scores, checkpoints be those that the dev scores choose,
    ids be the hash of what they stand for. Left-overs of killed processes do no harm and are only named. Exit status 2
    where a result is not there, or not to be trusted, and says which commands make it again.
    """
    from xner_bench import catalogue
    from xner_bench import repair as repairs
    from xner_bench.cli import progress
    from xner_bench.cli.again import Where
    from xner_bench.repair import Mended
    from xner_bench.verify import check as checked

    store, watch = Store(results), progress.watch(quiet=False)
    where = Where(results, folders, catalogue.load(folders))
    _present(results)
    found = list(repairs.mend(store, watch)) if repair else [Mended(one) for one in checked(store, watch)]
    lines = _commands(found, where)
    commands = list(dict.fromkeys(filter(None, lines)))
    if as_json:
        told = [_record(one, line) for one, line in zip(found, lines, strict=True)]
        click.echo(json.dumps({"found": told, "again": commands}, indent=1))
    else:
        _show(where, found, commands, repair)
    if any(one.finding.grave and not one.whole for one in found):
        ctx.exit(2)


def _present(results: Path) -> None:
    if not results.is_dir():
        raise XnerError(f"{results}: no such folder, so there is nothing to verify; give one with --results DIR")


def _record(one: Mended, command: str) -> dict[str, Any]:
    finding = one.finding
    return {
        "kind": finding.kind,
        "path": str(finding.path),
        "run": finding.run.run_id if finding.run else None,
        "problem": finding.problem,
        "remedy": finding.remedy,
        "done": one.done or None,
        "again": command or None,
    }


def _show(where: Where, found: Sequence[Mended], commands: Sequence[str], repair: bool) -> None:
    grave = [one for one in found if one.finding.grave]
    for one in grave:
        done = f" -> {one.done}" if one.done else ""
        click.echo(f"{one.finding.kind}: {one.finding.path}: {one.finding.problem}{done}")
    for line in _left_over([one for one in found if not one.finding.grave]):
        click.echo(line)
    if commands:
        click.echo("what is missing, or not to be trusted, is made again by:")
    for command in commands:
        click.echo(f"  {command}")
    if not repair and any(one.finding.remedy for one in found):
        click.echo(f"mend what can be mended: xner-bench results check --repair{where.flags()}")
    click.echo(_summary(Store(where.results), len(grave)))


def _left_over(found: Sequence[Mended]) -> Iterator[str]:
    """One line a kind of left-over: there may be hundreds."""
    counts = Counter((one.finding.problem, one.done) for one in found)
    first = {(one.finding.problem, one.done): one.finding.path for one in reversed(found)}
    for (problem, done), number in counts.items():
        more = f" (and {number - 1} more)" if number > 1 else ""
        yield f"left over: {first[problem, done]}{more}: {problem}{f' -> {done}' if done else ''}"


def _summary(store: Store, grave: int) -> str:
    from xner_bench import survey

    runs = len(survey.folders(store))
    told = f"{runs} {'run' if runs == 1 else 'runs'} in {store.root}"
    return f"{told}: {f'{grave} found wrong' if grave else 'nothing wrong'}"


def _commands(found: Sequence[Mended], where: Where) -> list[str]:
    """For each finding the command that makes again what is not there, or not to be trusted; else nothing."""
    from xner_bench import undertakings

    grids = {run_id: grid.command for grid in undertakings.grids(where.results) for run_id in grid.run_ids}
    return [_again(one.finding, where, grids) if one.finding.grave and not one.whole else "" for one in found]


def _again(finding: Finding, where: Where, grids: Mapping[str, str]) -> str:
    """The command for one finding, nothing where none is known. Of a run without a record only a grid can tell."""
    from xner_bench.cli.again import command

    if finding.path.parent.name == "leaderboard":
        return f"xner-bench leaderboard build{where.flags()}"
    if finding.path.name == "run.json" and finding.kind in ("damaged", "missing"):
        return grids.get(finding.path.parent.name, "")
    if not finding.run or finding.kind == "misplaced":
        return ""
    if finding.path.name == "run.json":
        return _anew(finding.run, where, grids)
    now = Store(where.results).find(finding.run.run_id)
    stands = now is not None and now.state == "done" and now.checkpoint_kept == finding.run.checkpoint_kept
    return command(finding.run, where, *(ANEW if stands else ()))


def _anew(run: Run, where: Where, grids: Mapping[str, str]) -> str:
    """The command for a run whose record is not what its id stands for: whatever was typed, not what the record says.

    Of a grid or a study only this run is done again, if its settings can be told from the others' by its id.
    """
    from xner_bench import asked
    from xner_bench.cli.again import command

    if settings := asked.settings(run, where.results, where.known):
        return command(run.model_copy(update={"settings": settings}), where, *ANEW)
    typed = run.provenance.get("command") or []
    own = shlex.join(("xner-bench", *map(str, typed[1:]))) if typed[1:2] == ["run"] else ""
    line = grids.get(run.run_id) or own
    return f"{line} {shlex.join(ANEW)}" if line else ""
