"""The catalogue: cards (one a data set, its languages inside) and suites (one a set-up), from YAML files.

A card is `<name>.yaml`, a suite `suites/<name>.yaml`; the file's name is its name. The built-in folder is
`xner_bench.datasets_cfg`; users add folders of the same shape. Loading lists names only: a file is parsed,
and a suite checked against the cards that it mentions, when it is asked for.

Facts about languages that many cards share (name, script, family) stand once in `languages.yaml`, under their
ISO 639-3 code; a card may then leave them out, or say otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from xner_bench import yamlfile
from xner_bench.cards import DROP as DROP
from xner_bench.cards import SPLITS as SPLITS
from xner_bench.cards import Card as Card
from xner_bench.cards import HubSource as HubSource
from xner_bench.cards import Language as Language
from xner_bench.cards import LocalSource as LocalSource
from xner_bench.cards import Split as Split
from xner_bench.cards import Suite as Suite
from xner_bench.cards import SuiteTraining as SuiteTraining
from xner_bench.errors import UnknownName, XnerError
from xner_bench.sources import EACH

T = TypeVar("T")

CATALOGUE_VARIABLE = "XNER_CATALOGUE"
LANGUAGES_FILE = "languages.yaml"


class Catalogue:
    """Every card and suite by name, parsed on demand."""

    def __init__(self, cards: Mapping[str, Path], suites: Mapping[str, Path]) -> None:
        self.files = (*cards.values(), *suites.values())
        self.cards: Mapping[str, Card] = _OnDemand(cards, _read_card)
        self.suites: Mapping[str, Suite] = _OnDemand(suites, self._read_suite)

    def card(self, name: str) -> Card:
        """A card; UnknownName with the nearest names."""
        if name not in self.cards:
            raise UnknownName("data set", name, self.cards)
        return self.cards[name]

    def suite(self, name: str) -> Suite:
        """A suite, checked against its cards; UnknownName with the nearest names."""
        if name not in self.suites:
            misplaced = (
                "(the file of that name lies among the cards; suites belong in suites/)" if name in self.cards else ""
            )
            raise UnknownName("suite", name, self.suites, misplaced)
        return self.suites[name]

    def language(self, key: str) -> tuple[Card, Language]:
        """The card and language of a key such as `wikiann:am`."""
        dataset, colon, code = key.partition(":")
        if not colon:
            raise XnerError(f"{key!r} does not say which data set; write DATASET:LANGUAGE, e.g. wikiann:am")
        card = self.card(dataset)
        return card, card.language(code)

    def _read_suite(self, name: str, path: Path) -> Suite:
        document = yamlfile.read(path)
        suite = yamlfile.validate(Suite, document, _with_training(document))
        _check_name(document, name, suite.name)
        _check_suite(self, suite, document)
        return suite


class _OnDemand(Mapping[str, T], Generic[T]):
    """Name -> what `read(name, path)` makes of its file, once; sorted by name."""

    def __init__(self, paths: Mapping[str, Path], read: Callable[[str, Path], T]) -> None:
        self._paths = dict(sorted(paths.items()))
        self._read = read
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            self._made[name] = self._read(name, self._paths[name])
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def load(folders: Sequence[Path] = ()) -> Catalogue:
    """The built-in folder, those in XNER_CATALOGUE (separated as in PATH) and `folders`, together.

    A folder holds cards (`*.yaml`) and suites (`suites/*.yaml`). A name that exists already is an error.
    """
    variable = os.environ.get(CATALOGUE_VARIABLE, "")
    from_environment = [Path(part) for part in variable.split(os.pathsep) if part]
    cards: dict[str, Path] = {}
    suites: dict[str, Path] = {}
    every = {folder.resolve(): folder for folder in (_built_in(), *from_environment, *folders)}
    for folder in every.values():
        if not (_files(folder) or _files(folder / "suites")):
            raise XnerError(f"{folder} has no *.yaml cards and no suites/*.yaml; give a folder that has")
        _add("data set", cards, folder)
        _add("suite", suites, folder / "suites")
    return Catalogue(cards, suites)


def _built_in() -> Path:
    import xner_bench.datasets_cfg

    return Path(str(xner_bench.datasets_cfg.__file__)).parent


def _files(folder: Path) -> list[Path]:
    shared = _built_in() / LANGUAGES_FILE
    found = (path for suffix in ("yaml", "yml") for path in folder.glob(f"*.{suffix}"))
    return sorted(path for path in found if path != shared)


def _add(kind: str, names: dict[str, Path], folder: Path) -> None:
    for path in _files(folder):
        if path.stem in names:
            raise XnerError(
                f"two files make the {kind} {path.stem!r}: {names[path.stem]} and {path};"
                " rename one of them, and the name in it"
            )
        names[path.stem] = path


def _read_card(name: str, path: Path) -> Card:
    document = yamlfile.read(path)
    card = yamlfile.validate(Card, document, _with_languages(document))
    _check_name(document, name, card.name)
    return card


def _with_languages(document: yamlfile.Document) -> Any:
    """The card's value, each language with its code and with what languages.yaml knows of it."""
    value = document.value
    if not (isinstance(value, dict) and isinstance(value.get("languages"), dict)):
        return value
    filled = {code: _filled(document, code, given) for code, given in value["languages"].items()}
    return {**value, "languages": filled}


def _filled(document: yamlfile.Document, code: str, given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    known = _shared_languages()
    iso = str(given.get("iso639_3"))
    if iso not in known and not {"name", "script", "family"} <= given.keys():
        near = get_close_matches(iso, known, n=3, cutoff=0.6)
        offer = f", or use {' or '.join(near)}" if near else ""
        raise document.error(
            ("languages", code), f"nothing is known of iso639_3 {iso!r}; give name, script and family too{offer}"
        )
    return {"code": code, **known.get(iso, {}), **given}


@cache
def _shared_languages() -> dict[str, dict[str, str]]:
    """ISO 639-3 code -> name, script and family."""
    found: dict[str, dict[str, str]] = yamlfile.read(_built_in() / LANGUAGES_FILE).value
    return found


def _with_training(document: yamlfile.Document) -> Any:
    """The suite's value with its training checked, numbers that may be fractions as floats."""
    value = document.value
    if not (isinstance(value, dict) and isinstance(value.get("training"), dict)):
        return value
    training = yamlfile.validate(SuiteTraining, document, value["training"], at=("training",))
    return {**value, "training": training.model_dump()}


def _check_name(document: yamlfile.Document, expected: str, name: str) -> None:
    if name != expected:
        raise document.error(("name",), f"{name!r} is not the file's name; write {expected!r}, or rename the file")


def _check_suite(catalogue: Catalogue, suite: Suite, document: yamlfile.Document) -> None:
    """Every language is in a card, and harmonization leaves no type that the suite does not score."""
    cards: dict[str, Card] = {}
    sources = () if suite.source == EACH else suite.sources
    places: list[tuple[yamlfile.Loc, str]] = [(("source",), key) for key in sources]
    places += [(("targets", index), key) for index, key in enumerate(suite.targets)]
    for loc, key in places:
        try:
            card, _ = catalogue.language(key)
        except UnknownName as error:
            raise document.error(loc, str(error)) from None
        cards[card.name] = card
    _check_harmonize(suite, cards, document)
    _check_types(suite, cards, document)


def _check_harmonize(suite: Suite, cards: Mapping[str, Card], document: yamlfile.Document) -> None:
    for dataset, mapping in suite.harmonize.items():
        if dataset not in cards:
            message = f"no source or target is of this data set; the suite's: {', '.join(sorted(cards))}"
            raise document.error(("harmonize", dataset), message)
        for name in mapping:
            if name not in cards[dataset].types:
                message = f"{dataset} has no such type; its types: {', '.join(cards[dataset].types)}"
                raise document.error(("harmonize", dataset, name), message)


def _check_types(suite: Suite, cards: Mapping[str, Card], document: yamlfile.Document) -> None:
    trained = {key.partition(":")[0] for key in suite.sources}
    for card in cards.values():
        left = suite.types_of(card)
        for name in left:
            if name not in (*suite.types, DROP):
                way_out = f"add it, or drop it with `harmonize: {{{card.name}: {{{name}: O}}}}`"
                message = f"{card.name} has the type {name} too; {way_out}"
                raise document.error(("types",), message)
        for index, name in enumerate(suite.types):
            if card.name in trained and name not in left:
                message = f"the source, {card.name}, has no type {name}; it has: {', '.join(left)}"
                raise document.error(("types", index), message)
