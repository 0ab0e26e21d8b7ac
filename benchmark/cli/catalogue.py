"""`xner-bench datasets` and `xner-bench suites`: what the catalogue holds."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from xner_bench import catalogue
from xner_bench.catalogue import SPLITS, Card, Catalogue, Suite
from xner_bench.cli.options import DataRoot, Place
from xner_bench.leaderboard.cells import setting
from xner_bench.leaderboard.published import TEST, published
from xner_bench.sources import brief, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rich.console import JustifyMethod
    from rich.table import Table

catalogue_option = click.option(
    "--catalogue",
    "folders",
    metavar="DIR",
    multiple=True,
    type=Place(),
    help="A folder with further *.yaml cards and suites/*.yaml; may be given several times.  [also: $XNER_CATALOGUE]",
)
data_root_option = click.option(
    "--data-root",
    metavar="DIR",
    envvar="XNER_DATA_ROOT",
    type=DataRoot(),
    help="A folder with <dataset>/<language>/<split>.{txt,tsv,conll,jsonl,json,parquet}, read before the hub.  "
    "[also: $XNER_DATA_ROOT]",
)


@click.command()
@click.argument("name", required=False)
@catalogue_option
def datasets(name: str | None, folders: tuple[Path, ...]) -> None:
    """List the data sets, or print the card of one: NAME."""
    found = catalogue.load(folders)
    if name is None:
        _show(_cards(found))
        click.echo("\nOne of them in full: xner-bench datasets NAME")
    else:
        _card(found.card(name))


@click.command()
@click.argument("name", required=False)
@catalogue_option
def suites(name: str | None, folders: tuple[Path, ...]) -> None:
    """List the suites, or print one in full: NAME."""
    found = catalogue.load(folders)
    if name is None:
        _show(_suites(found))
        click.echo("\nOne of them in full: xner-bench suites NAME")
    else:
        _suite(found, found.suite(name), "".join(f" --catalogue {shlex.quote(str(folder))}" for folder in folders))


def _cards(found: Catalogue) -> Table:
    table = _table("name", "title", "languages", "types", "scheme", "licence", "from", right=("languages",))
    for card in found.cards.values():
        count = str(len(card.languages))
        table.add_row(card.name, card.title, count, " ".join(card.types), card.scheme, card.licence, _origin(card))
    return table


def _origin(card: Card) -> str:
    if card.bundled:
        return "this package"
    return f"hub: {card.hub.repo}" if card.hub else "a data root"


def _card(card: Card) -> None:
    _facts([("name", card.name), ("title", card.title), ("about", card.about), ("notice", card.notice)])
    _facts([("licence", card.licence), ("homepage", card.homepage), *_sources(card)])
    _facts([("types", " ".join(card.types)), ("scheme", card.scheme), ("tag ids", _numbered(card.tag_ids))])
    _facts([("harmonized", _mapping(card.harmonize))])
    table = _table("code", "ISO 639-3", "name", "script", "family", *SPLITS, right=SPLITS)
    for language in card.languages.values():
        counts = [_count(language.count(split)) for split in SPLITS]
        table.add_row(language.code, language.iso639_3, language.name, language.script, language.family, *counts)
    click.echo(f"\n{len(card.languages)} languages, sentences by split")
    _show(table)
    click.echo(f"\n{card.cite.strip()}")


def _sources(card: Card) -> Iterable[tuple[str, str]]:
    if card.bundled:
        yield "from", "this package"
    if card.hub:
        yield "hub", f"{card.hub.repo} @ {card.hub.revision}: {card.hub.files}"
    if not card.bundled:
        yield "data root", f"{card.local.folder or card.name}/<language>/<split>.*"


def _suites(found: Catalogue) -> Table:
    table = _table("name", "title", "encoder", "source", "targets", "paper", right=("targets",))
    for suite in found.suites.values():
        encoder, source, targets = suite.encoder.rpartition("/")[2], brief(suite.source), str(len(suite.targets))
        table.add_row(suite.name, suite.title, encoder, source, targets, _paper(suite))
    return table


def _paper(suite: Suite) -> str:
    """Its paper, by the reference's first link: `2022.emnlp-main.740` of the ACL Anthology, or `arXiv:2205.08497`."""
    found = re.search(r"https://([^\s)]+)", suite.reference)
    return found[1].replace("arxiv.org/abs/", "arXiv:").removeprefix("aclanthology.org/") if found else "-"


def _suite(found: Catalogue, suite: Suite, more: str) -> None:
    _facts([("name", suite.name), ("title", suite.title), ("about", suite.about), ("notice", suite.notice)])
    _facts([("reference", suite.reference), ("encoder", _encoder(suite)), ("source", " ".join(parts(suite.source)))])
    _facts([("types", " ".join(suite.types)), ("harmonized", _harmonized(found, suite))])
    _facts([("TRUE", suite.true_protocol), ("ORACLE", "oracle: best checkpoint on the target's dev split")])
    _facts([("profiles", " ".join(suite.profiles)), ("published", _published(suite))])
    _facts([("grids", " ".join(suite.grids))])
    click.echo("\ntraining")
    _facts([(key, setting(value)) for key, value in suite.training.items()], indent="  ")
    if suite.each:
        click.echo("\ntraining of languages on themselves, where it is otherwise")
        _facts([(name, _pairs(own)) for name, own in suite.each.items()], indent="  ")
    table = _table("target", "name", "script", "family", "dev", "test", right=("dev", "test"))
    for key in suite.targets:
        _, language = found.language(key)
        counts = _count(language.dev), _count(language.test)
        table.add_row(key, language.name, language.script, language.family, *counts)
    click.echo(f"\n{len(suite.targets)} targets, sentences by split")
    _show(table)
    click.echo(f"\nRun it: xner-bench run --suite {suite.name} --method {_example(suite)}{more}")


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{name} {setting(value)}" for name, value in values.items())


def _encoder(suite: Suite) -> str:
    return f"{suite.encoder} @ {suite.encoder_revision}" if suite.encoder_revision else suite.encoder


def _example(suite: Suite) -> str:
    """The last method of its first grid: what the suite is about."""
    methods = next(iter(suite.grids.values()), {}).get("method", "standard")
    return str(methods[-1] if isinstance(methods, list) else methods)


def _published(suite: Suite) -> str:
    rows = [row for row in published(suite.name) if row.split == TEST]
    entries = len({(row.entry, row.encoder) for row in rows})
    return f"{entries} entries, {len(rows)} scores; the leaderboard shows them beside yours" if rows else ""


def _harmonized(found: Catalogue, suite: Suite) -> str:
    names = dict.fromkeys(key.partition(":")[0] for key in (*suite.sources, *suite.targets))
    mappings = {name: suite.harmonization(found.card(name)) for name in names}
    return "; ".join(f"{name}: {_mapping(mapping)}" for name, mapping in mappings.items() if mapping)


def _mapping(mapping: dict[str, str]) -> str:
    return ", ".join(f"{name} -> {other}" for name, other in mapping.items())


def _numbered(tags: Sequence[str]) -> str:
    return " ".join(f"{number}={tag}" for number, tag in enumerate(tags))


def _count(sentences: int | None) -> str:
    return "-" if sentences is None else f"{sentences:,}"


def _facts(facts: Iterable[tuple[str, str]], indent: str = "") -> None:
    """`name  value` lines; those without a value are left out."""
    for name, value in facts:
        if value:
            click.echo(f"{indent}{name:<14} {value}")


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for at, column in enumerate(columns):
        justify: JustifyMethod = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=at == 0)
    return table


def _show(table: Table) -> None:
    """In the width of the terminal, or, into a pipe or file, as wide as the table is: one line a row."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 1000
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)
