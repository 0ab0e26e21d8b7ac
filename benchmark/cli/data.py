"""`xner-bench data`: look at the sentences that can be reached, and fetch those of the hub; see also `perturb`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, NamedTuple

import click

from xner_bench import catalogue
from xner_bench.catalogue import SPLITS
from xner_bench.cli.catalogue import catalogue_option, data_root_option
from xner_bench.cli.perturb import perturb
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from xner_bench.audit import SplitAudit
    from xner_bench.cards import Card, Language, Split
    from xner_bench.catalogue import Catalogue
    from xner_bench.corpus import Places


class Place(NamedTuple):
    """A language of a card."""

    card: Card
    language: Language


@click.group()
def data() -> None:
    """Check the sentences that can be reached, fetch them from the hub, or write them with other entities."""


data.add_command(perturb)


@data.command()
@click.argument("names", metavar="[DATASET[:LANGUAGE]]...", nargs=-1)
@data_root_option
@catalogue_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def check(
    context: click.Context,
    names: tuple[str, ...],
    data_root: Path | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Read every split that is bundled, under the data root or fetched, and say what is in it.

    Exit status 2 where a count is not the card's or a file is malformed. A split that is nowhere is only
    named.
    """
    from xner_bench.cli import audits
    from xner_bench.corpus import Places

    found = _audits(_selected(catalogue.load(folders), names), Places(data_root, offline=True))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(audit) for audit in found], indent=1, ensure_ascii=False))
    else:
        audits.show(found)
    _end(context, [audit.problem for audit in found if audit.problem])


@data.command()
@click.argument("names", metavar="[DATASET[:LANGUAGE]]...", nargs=-1)
@click.option("--suite", metavar="NAME", help="Fetch the sources and all targets of a suite.")
@catalogue_option
@click.pass_context
def fetch(context: click.Context, names: tuple[str, ...], suite: str | None, folders: tuple[Path, ...]) -> None:
    """Bring data of the hub into the cache ($XNER_CACHE) at the pinned revision, and verify it.

    Everything that the cards know, unless data sets, languages or a suite are named. What is there and whole
    is not fetched again; no other command needs a network for it afterwards. (An encoder of the hub comes with the
    first run on it.)
    """
    known = catalogue.load(folders)
    if suite:
        chosen = known.suite(suite)
        names = (*names, *chosen.sources, *chosen.targets)
    places = [place for place in _selected(known, names) if place.card.hub]
    if not places:
        raise XnerError("nothing to fetch: no hub repository in these cards; `xner-bench datasets` lists them")
    _end(context, _fetch_all(places))


def _end(context: click.Context, problems: Sequence[str]) -> None:
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        context.exit(2)


def _selected(known: Catalogue, names: Iterable[str]) -> list[Place]:
    """All languages of data sets, or single ones, each once; everything where nothing is named."""
    places: dict[tuple[str, str], Place] = {}
    for name in tuple(names) or tuple(known.cards):
        for place in _named(known, name):
            places.setdefault((place.card.name, place.language.code), place)
    return list(places.values())


def _named(known: Catalogue, name: str) -> list[Place]:
    if ":" in name:
        return [Place(*known.language(name))]
    card = known.card(name)
    return [Place(card, language) for language in card.languages.values()]


def _audits(places: list[Place], where: Places) -> list[SplitAudit]:
    from xner_bench.audit import audit

    return [one for card, language in _progress(places, "checking") for one in audit(card, language, where)]


def _progress(places: list[Place], verb: str) -> Iterator[Place]:
    """The places one by one, on a terminal with a bar that says which."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        line = bar.add_task(verb, total=len(places))
        for place in places:
            bar.update(line, description=f"{verb} {place.card.key(place.language.code)}")
            yield place
            bar.advance(line)


class _Fetch:
    """What `fetch` did: the data sets' splits with their numbers of sentences, and what went wrong."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.sentences: dict[str, list[int]] = {}
        self.origins: dict[str, str] = {}
        self.absent: list[str] = []
        self.problems: list[str] = []
        self.unreachable: set[str] = set()  # data sets whose repository does not answer: said once

    def split(self, card: Card, language: Language, split: Split) -> None:
        """Fetch a split and read it once, counts and tags and all."""
        from xner_bench import corpus, hub

        if hub.fetch(card, language.code, split, self.cache) is None:
            self._absent(card, language, split)
            return
        places = corpus.Places(cache=self.cache, offline=True)
        read = corpus.read(card, language, split, places, types=card.types, harmonize={})
        self.sentences.setdefault(card.name, []).append(len(read.sentences))
        repo, _, place = read.origin.partition("@")
        self.origins[card.name] = f"{repo}@{place.partition('/')[0]}"

    def _absent(self, card: Card, language: Language, split: Split) -> None:
        assert card.hub is not None
        said = f"{card.key(language.code)} {split} is not in {card.hub.repo} at {card.hub.revision}"
        if count := language.count(split):
            self.problems.append(f"{said}, though its card says {count:,} sentences")
        else:
            self.absent.append(said)

    def lines(self) -> Iterator[str]:
        """What to tell the user, but for the problems."""
        yield from self.absent
        for name, counts in self.sentences.items():
            where = self.cache / "data" / name
            total = f"{len(counts)} splits, {sum(counts):,} sentences, as their card says"
            yield f"{name}: {total}; {self.origins[name]} in {where}"


def _fetch_all(places: list[Place]) -> list[str]:
    """Fetch every split, say what came, give back the problems."""
    from xner_bench.files import cache_dir
    from xner_bench.hub import HubUnreachable

    done = _Fetch(cache_dir())
    for card, language in _progress(places, "fetching"):
        for split in SPLITS:
            if card.name in done.unreachable:
                break
            try:
                done.split(card, language, split)
            except XnerError as error:
                done.problems.append(str(error))
                if isinstance(error, HubUnreachable):
                    done.unreachable.add(card.name)
    for line in done.lines():
        click.echo(line)
    return done.problems
