"""`xner-bench data perturb`: perturbed test splits as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from xner_bench import catalogue, files
from xner_bench.cli.catalogue import catalogue_option, data_root_option
from xner_bench.errors import XnerError
from xner_bench.settings import Perturbation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.cards import Suite
    from xner_bench.catalogue import Catalogue
    from xner_bench.corpus import Corpus, Places
    from xner_bench.perturbed import Made

RECORD = "perturbed.json"


@click.command()
@click.option("--suite", metavar="NAME", required=True, help="Whose targets, and sources, are perturbed.")
@click.option(
    "--perturb",
    "name",
    type=click.Choice(get_args(Perturbation)),
    required=True,
    help="Where the new entities come from: the same language, or those of the suite of one script or family.",
)
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), required=True, help="An empty or a new folder.")
@data_root_option
@catalogue_option
@click.option("--allow-missing", is_flag=True, help="Go on without the languages that are not here.")
def perturb(
    suite: str,
    name: Perturbation,
    out: Path,
    data_root: Path | None,
    folders: tuple[Path, ...],
    allow_missing: bool,
) -> None:
    """Write the test splits of a suite with other entities, as `xner-bench run --perturb` scores them.

    The folder is laid out as a data root, <dataset>/<language>/test.tsv; types are the suite's. What was replaced
    is in perturbed.json, too.
    """
    from xner_bench import writers
    from xner_bench.corpus import Places

    _check_empty(out)
    known = catalogue.load(folders)
    every = make(known, known.suite(suite), name, Places(data_root), allow_missing)
    for made in every:
        card, _ = known.language(made.corpus.key)
        path = out / (card.local.folder or card.name) / made.corpus.language / "test.tsv"
        _put(path, writers.conll(made.corpus.sentences, card.scheme))
    records = [made.record.model_dump(mode="json") for made in every]
    _put(out / RECORD, json.dumps(records, indent=1) + "\n")
    _show(every, out)


def _check_empty(out: Path) -> None:
    try:
        there = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise _cannot_write(out, error) from error
    if there:
        raise XnerError(f"{out} is there already and not empty; give a new folder with --out DIR")


def make(known: Catalogue, suite: Suite, name: Perturbation, places: Places, allow_missing: bool) -> list[Made]:
    """The perturbed test splits of a suite's sources and targets. XnerError where a regular one is missing."""
    from xner_bench import corpus, perturbed

    missing: list[corpus.MissingSplit] = []

    def read(key: str) -> Corpus | None:
        card, language = known.language(key)
        harmonize = suite.harmonization(card)
        try:
            return corpus.read(card, language, "test", places, types=suite.types, harmonize=harmonize)
        except corpus.MissingSplit as error:
            missing.append(error)
            return None

    maker = perturbed.Maker(known, suite, read)
    here = [key for key in dict.fromkeys((*suite.sources, *suite.targets)) if maker.read(key)]
    if missing and not allow_missing:
        raise perturbed.lacking(suite.name, missing)
    found = [maker.make(key, name) for key in here]
    if not found:
        raise XnerError(f"no test split of suite {suite.name} is here; say where they lie with --data-root DIR")
    return found


def _put(path: Path, text: str) -> None:
    try:
        files.write_atomically(path, text.encode())
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> XnerError:
    return XnerError(
        f"cannot write {path}: {(error.strerror or str(error)).lower()}; give another folder with --out DIR"
    )


def _drawn(made: Made) -> str:
    number = len(made.drawn_from)
    return f"{number} languages" if number > 1 else made.drawn_from[0]


def _show(every: Sequence[Made], out: Path) -> None:
    """What was replaced, language by language."""
    from rich.console import Console

    from xner_bench.cli.tables import Column, put

    records = [made.record for made in every]
    columns = {
        "sentences": [one.sentences for one in records],
        "replaced": [one.replaced for one in records],
        "kept": [one.kept for one in records],
    }
    numbers = [Column(heading, [f"{value:,}" for value in values]) for heading, values in columns.items()]
    names = [Column("Test split", [one.corpus for one in records])]
    put(Console(), names, [*numbers, Column("drawn from", [_drawn(made) for made in every])])
    without = sorted({key for one in records for key in one.without})
    if without:
        click.echo(f"Nothing is drawn from what is not here: {', '.join(without)}")
    click.echo(f"{out}: {len(every)} test splits, and {RECORD}")
