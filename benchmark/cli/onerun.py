"""All of one run, for `xner-bench runs show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from xner_bench import compare, survey
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from xner_bench.catalogue import Catalogue
    from xner_bench.cli.again import Where
    from xner_bench.results import Run, Store
    from xner_bench.settings import RunSettings


def record(store: Store, run: Run) -> dict[str, Any]:
    """The run's record, how far it is, its dev scores and choices, and its files."""
    return {
        "phase": survey.phase(store, run),
        "folder": str(store.folder(run.run_id)),
        **run.model_dump(mode="json"),
        "selection": _selection(store, run),
        "files": {path.name: path.stat().st_size for path in _files(store, run)},
        "part of": list(_part_of(store, run)),
    }


def _selection(store: Store, run: Run) -> dict[str, Any] | None:
    """Dev scores and chosen checkpoints; None as long as there are none that can be read: `results check` says why."""
    try:
        return store.selection(run.run_id)
    except XnerError:
        return None


def _files(store: Store, run: Run) -> list[Path]:
    return sorted(path for path in store.folder(run.run_id).iterdir() if path.is_file())


def _part_of(store: Store, run: Run) -> Iterator[str]:
    """Grids and studies that this run belongs to."""
    from xner_bench import undertakings

    for kind, every in (("grid", undertakings.grids(store.root)), ("study", undertakings.studies(store.root))):
        yield from (f"{kind} {one.name}" for one in every if run.run_id in one.run_ids)


def show(store: Store, run: Run, where: Where) -> None:
    """Facts, data, dev scores, test scores, files, and the command that does it again."""
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    for name, text in _facts(store, run, where):
        click.echo(f"{name + ':':<11}{text}")
    _show_data(console, run)
    _show_dev(console, run, _selection(store, run))
    if run.state == "done":
        _show_scores(console, store, run, where.known)


def _facts(store: Store, run: Run, where: Where) -> Iterator[tuple[str, str]]:
    """`name: text` lines; those that say nothing are left out."""
    from xner_bench.cli.again import command
    from xner_bench.leaderboard.cells import plain

    settings, told = run.settings, run.provenance
    packages = told.get("packages") or {}
    every = {
        "run": f"{run.run_id} ({survey.phase(store, run)})",
        "error": run.error or "",
        "entry": run.entry_id,
        "suite": settings.suite,
        "method": f"{_pairs(settings.options, settings.method)} ({run.method_origin})",
        "encoder": _encoder(run),
        **_source(settings),
        "targets": f"{len(settings.targets)}: {' '.join(settings.targets)}",
        "types": " ".join(settings.types) + _harmonized(run),
        "training": _pairs(settings.training.model_dump()),
        "seed": str(settings.seed),
        "chosen on": "" if settings.zero_shot else f"{' '.join(settings.chosen_on)}: not zero-shot",
        "profiles": f"{' '.join(settings.profiles)}; TRUE is {settings.true_protocol}",
        "perturbed": "; ".join(_perturbed(run)),
        "few-shot": "; ".join(_few_shot(run)),
        "missing": ", ".join(f"{one.corpus} {one.split}" for one in run.missing),
        "versions": _pairs(
            {name: value for name, value in {"python": told.get("python"), **packages}.items() if value}
        ),
        "machine": _pairs({name: value for (about, name), value in compare.facts(run).items() if about == "machine"}),
        "started": str(told.get("started") or ""),
        "measured": _pairs(run.method_facts),
        "resumed": "; ".join(run.resumed),
        "seconds": _pairs(run.seconds),
        "memory": ", ".join(_memory(run)),
        "part of": ", ".join(_part_of(store, run)),
        "folder": str(store.folder(run.run_id)),
        "files": ", ".join(f"{path.name} {path.stat().st_size:,}" for path in _files(store, run)),
        "command": " ".join(map(str, told.get("command") or ())),
        "again": command(run, where),
    }
    yield from ((name, plain(text)) for name, text in every.items() if text)


def _memory(run: Run) -> Iterator[str]:
    """The most that was taken, as far as it is known."""
    for where, peak in (("", run.peak_memory), (" of the GPU", run.peak_gpu_memory)):
        if peak is not None:
            yield f"{peak:,.0f} MiB{where}"


def _perturbed(run: Run) -> Iterator[str]:
    """What became of the entities in each perturbed split."""
    for split in dict.fromkeys(one.split for one in run.perturbed):
        some = [one for one in run.perturbed if one.split == split]
        replaced, kept = sum(one.replaced for one in some), sum(one.kept for one in some)
        without = sorted({key for one in some for key in one.without})
        lacking = f", none drawn from {' '.join(without)}" if without else ""
        yield f"{split} {replaced:,} entities replaced, {kept:,} kept{lacking}"


def _few_shot(run: Run) -> Iterator[str]:
    """What was asked for, and what the targets offered."""
    from xner_bench.samples import offer

    settings = run.settings
    if settings.few_shot:
        yield f"{' '.join(map(str, settings.few_shot))} sentences, {' '.join(settings.sampling)}"
        yield f"drawn from {', '.join(map(offer, run.few_shot))}"
        yield from (f"{one.corpus} diverged: {' '.join(one.diverged)}" for one in run.few_shot if one.diverged)


def _source(settings: RunSettings) -> dict[str, str]:
    """What was trained on, all of it."""
    several = settings.sources
    return {"source": settings.source} if len(several) == 1 else {"sources": f"{len(several)}: {' '.join(several)}"}


def _pairs(values: dict[str, Any], *before: str) -> str:
    from xner_bench.leaderboard.cells import setting

    return " ".join((*before, *(f"{name}={setting(value)}" for name, value in values.items())))


def _encoder(run: Run) -> str:
    encoder = run.encoder
    revision = f" at {encoder.revision}" if encoder.revision else ""
    return f"{encoder.name}{revision}, {encoder.parameters:,} parameters, fingerprint {encoder.fingerprint[:12]}"


def _harmonized(run: Run) -> str:
    mapped = [
        f"{dataset} {kind} -> {to}"
        for dataset, mapping in run.settings.harmonize.items()
        for kind, to in mapping.items()
    ]
    return f" ({', '.join(mapped)})" if mapped else ""


def _show_data(console: Console, run: Run) -> None:
    from xner_bench.cli.tables import Column, put

    if not run.data:
        return
    columns = [
        Column("sentences", [f"{one.sentences:,}" for one in run.data]),
        Column("repaired", [f"{one.repaired:,}" for one in run.data]),
        Column("fingerprint", [one.fingerprint[:12] for one in run.data]),
    ]
    console.print()
    put(console, [Column("Data", [f"{one.corpus} {one.split}" for one in run.data])], columns)


def _show_dev(console: Console, run: Run, selection: dict[str, Any] | None) -> None:
    """F1 on the dev splits after every epoch."""
    from xner_bench.cli.tables import Column, put
    from xner_bench.leaderboard.cells import percent_text

    epochs = selection["dev"] if selection else {}
    names = [corpus for corpus in run.settings.corpora if any(corpus in scores for scores in epochs.values())]
    if names:
        columns = [
            Column(f"epoch {epoch}", [percent_text(scores.get(name)) for name in names])
            for epoch, scores in sorted(epochs.items())
        ]
        console.print()
        put(console, [Column("Dev F1", names)], columns)


def _show_scores(console: Console, store: Store, run: Run, known: Catalogue) -> None:
    from xner_bench.cli.tables import run_table

    console.print()
    run_table(console, run, store.table(run.run_id, "scores"), known)
