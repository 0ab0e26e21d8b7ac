"""`xner-bench runs`: the runs of a results folder, all of one, and two side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from xner_bench.cli.again import behind, places
from xner_bench.cli.catalogue import catalogue_option
from xner_bench.cli.leaderboard import ResultsFolder, results_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xner_bench.cli.tables import Column
    from xner_bench.compare import Difference
    from xner_bench.pick import Listed
    from xner_bench.results import Run

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
_SHOWN_ALWAYS = frozenset({"suite", "seed"})
_NEVER_SHOWN = frozenset(
    {
        *("method", "chosen_on"),  # the label says them
        *("run", "entry", "state", "started", "seconds", "targets", "types", "profiles", "perturb", "true_protocol"),
        *("few_shot", "sampling"),
    }
)


@click.group(invoke_without_command=True)
@results_option
@click.option(
    "--filter",
    "filters",
    metavar="KEY=VALUE,...",
    multiple=True,
    help="Only runs with one of these values, as in state=failed, h=1,2, seed=42-51, lr=1e-5, source=en; several "
    "filters must all hold. Keys: state, suite, method, seed, encoder, source, targets, run, entry, a method's "
    "options and the training's fields.",
)
@click.option(
    "--sort", metavar="KEY", default="run", show_default=True, help="Any such key, started or seconds; -KEY: down."
)
@json_option
@click.pass_context
def runs(ctx: click.Context, results: Path, filters: tuple[str, ...], sort: str, as_json: bool) -> None:
    """List the runs of a results folder, or those that a filter picks.

    State: done, running, interrupted (begun, and no process goes on with it), stopped (by a search), failed, diverged.
    """
    ctx.obj = results
    if ctx.invoked_subcommand:
        return
    from xner_bench import pick

    every = _listed(results)
    wanted = pick.read(filters, [one.run for one in every])
    found = pick.ordered([one for one in every if all(one_filter.takes(one) for one_filter in wanted)], sort)
    if as_json:
        click.echo(json.dumps([_record(one) for one in found], indent=1, ensure_ascii=False))
    else:
        _show(found, len(every), results)


def _listed(results: Path) -> list[Listed]:
    """Every run that can be read; one line on standard error about the others."""
    from xner_bench import survey
    from xner_bench.pick import Listed
    from xner_bench.results import Store

    store = Store(results)
    records = survey.read(store)
    if problem := survey.complaint(records.unreadable):
        click.echo(problem, err=True)
    return [Listed(run, survey.phase(store, run)) for run in records.runs]


def _record(one: Listed) -> dict[str, Any]:
    values = one.values()
    told = {name: values.pop(name) for name in ("run", "entry", "state", "started", "seconds")}
    return {**told, "error": one.run.error, "settings": values}


def _show(found: Sequence[Listed], total: int, results: Path) -> None:
    from rich.console import Console

    from xner_bench.cli.tables import Column, put

    if not found:
        none = f"none of {total} runs in {results} is such" if total else f"no runs in {results}"
        click.echo(f"{none}; `xner-bench status{_where(results)}` says what there is")
        return
    console = Console(markup=False, emoji=False, highlight=False)
    put(console, [Column("Run", [one.run.run_id for one in found])], list(_columns(found)))
    click.echo(f"\n{len(found)} of {total} runs; all of one: xner-bench runs{_where(results)} show ID")


def _columns(found: Sequence[Listed]) -> Iterator[Column]:
    """What every list has, and whatever else the listed runs differ in."""
    from xner_bench.cli.tables import Column
    from xner_bench.leaderboard.cells import setting
    from xner_bench.leaderboard.entries import own_label
    from xner_bench.sources import brief

    values = [one.values() for one in found]
    options = {name for one in found for name in one.run.settings.options}
    yield Column("state", [one.phase for one in found])
    yield Column("method", [own_label(one.run.settings, options & _differing(values)) for one in found])
    for name in dict.fromkeys(name for each in values for name in each):
        if name in _SHOWN_ALWAYS or name in _differing(values) - options - _NEVER_SHOWN:
            text = brief if name == "source" else setting
            yield Column(name.replace("_", " "), [text(each[name]) if name in each else "" for each in values])
    yield Column("started", [str(each["started"] or "")[:16].replace("T", " ") for each in values])
    yield Column("seconds", [f"{each['seconds']:,.0f}" for each in values])


def _differing(values: Sequence[dict[str, Any]]) -> set[str]:
    """Names of which not every run that has them has the same value."""
    seen: dict[str, set[str]] = {}
    for each in values:
        for name, value in each.items():
            seen.setdefault(name, set()).add(json.dumps(value))
    return {name for name, texts in seen.items() if len(texts) > 1}


@runs.command()
@click.argument("run_id", metavar="ID")
@click.option("--results", type=ResultsFolder(), help="The folder that the runs are stored in.")
@json_option
@catalogue_option
@click.pass_obj
def show(above: Path, run_id: str, results: Path | None, as_json: bool, folders: tuple[Path, ...]) -> None:
    """Say all of one run: ID is its id, the beginning of it, or of the hash at its end."""
    from xner_bench import catalogue, survey
    from xner_bench.cli import onerun
    from xner_bench.cli.again import Where
    from xner_bench.results import Store

    store = Store(results or above)
    run = survey.find(store, run_id)
    if as_json:
        click.echo(json.dumps(onerun.record(store, run), indent=1, ensure_ascii=False))
    else:
        onerun.show(store, run, Where(store.root, folders, catalogue.load(folders)))


@runs.command()
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--results", type=ResultsFolder(), help="The folder that the runs are stored in.")
@json_option
@click.pass_obj
def diff(above: Path, one: str, other: str, results: Path | None, as_json: bool) -> None:
    """List every setting, version and datum in which two runs differ: A and B are ids, or beginnings of them."""
    from xner_bench import compare, survey
    from xner_bench.results import Store

    store = Store(results or above)
    pair = survey.find(store, one), survey.find(store, other)
    found = compare.differences(*pair)
    if as_json:
        click.echo(json.dumps(_diff_record(pair, found), indent=1, ensure_ascii=False))
    else:
        _show_diff(pair, found)


def _diff_record(pair: tuple[Run, Run], found: Sequence[Difference]) -> dict[str, Any]:
    """Both runs and their differences; what one does not have at all is left out of its difference."""
    from xner_bench.compare import ABSENT

    differing = []
    for difference in found:
        values = {"a": difference.one, "b": difference.other}
        told = {side: value for side, value in values.items() if value is not ABSENT}
        differing.append({"about": difference.about, "name": difference.name, **told})
    return {"a": pair[0].run_id, "b": pair[1].run_id, "differences": differing}


def _show_diff(pair: tuple[Run, Run], found: Sequence[Difference]) -> None:
    from rich.console import Console

    from xner_bench.cli.tables import Column, put, put_text
    from xner_bench.compare import alike

    console = Console(markup=False, emoji=False, highlight=False)
    if not found:
        put_text(console, f"{pair[0].run_id} and {pair[1].run_id} do not differ")
        return
    for label, run in zip("AB", pair, strict=True):
        put_text(console, f"{label}: {run.run_id}")
    for about in dict.fromkeys(difference.about for difference in found):
        rows = [difference for difference in found if difference.about == about]
        texts = [_both(difference) for difference in rows]
        names = [Column(about, [row.name for row in rows])]
        console.print()
        put(console, names, [Column(label, [text[at] for text in texts]) for at, label in enumerate("AB")])
    put_text(console, f"\n{alike(*pair)}")


def _both(difference: Difference) -> tuple[str, str]:
    """Two values as text; of two lists what only one of them has."""
    one, other = difference.one, difference.other
    if isinstance(one, list) and isinstance(other, list) and set(map(str, one)) != set(map(str, other)):
        return _only(one, other), _only(other, one)
    return _value(difference, one), _value(difference, other)


def _only(own: Sequence[object], others: Sequence[object]) -> str:
    left = [str(value) for value in own if value not in others]
    shared = len(own) - len(left)
    return " ".join((*left, f"(and {shared} in both)")) if shared else " ".join(left)


def _value(difference: Difference, value: object) -> str:
    from xner_bench.compare import ABSENT
    from xner_bench.leaderboard.cells import NONE, plain, setting

    if value is ABSENT:
        return NONE
    if isinstance(value, list):
        return plain(" ".join(map(str, value)))
    is_hash = isinstance(value, str) and len(value) == 64 and difference.about in ("data", "encoder")
    return str(value)[:12] if is_hash else setting(value)


def _where(results: Path) -> str:
    return behind(places(results))
