"""Cards and suites as data: what a file of the catalogue says, checked as far as the file alone can tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from xner_bench.errors import UnknownName
from xner_bench.settings import Profile, RunSettings, Training
from xner_bench.sources import EACH, joined, parts
from xner_bench.space import Range, Space

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DROP = "O"
PREFIXES = {"iob1": "BI", "iob2": "BI", "iobes": "BIES"}

Scheme = Literal["iob1", "iob2", "iobes"]
Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
TypeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]*$")]
_KEY = r"[a-z0-9][a-z0-9_-]*:[A-Za-z0-9][A-Za-z0-9_-]*"
Key = Annotated[str, Field(pattern=f"^{_KEY}$", description="wikiann:am")]
Count = Annotated[int, Field(ge=0)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Language(_Facts):
    """A language of one card; the counts are sentences that must hold, None where they are not published."""

    code: Code = Field(description="as the data set spells it")
    iso639_3: str = Field(pattern=r"^[a-z]{3}$")
    name: str = Field(min_length=1, description="in English")
    script: str = Field(pattern=r"^[A-Z][a-z]{3}$", description="ISO 15924, of the data")
    family: str = Field(min_length=1)
    train: Count | None = None
    dev: Count | None = None
    test: Count | None = None

    def count(self, split: Split) -> int | None:
        """The sentences of a split."""
        return {"train": self.train, "dev": self.dev, "test": self.test}[split]


class HubSource(_Facts):
    """A data set repository on the hub whose Parquet files hold one split of one language each."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(min_length=1, description="a commit (40 hexadecimal digits) or a ref such as main")
    files: str = Field(description="path in the repository, with {language} and {split}")
    splits: dict[Split, str] = {"train": "train", "dev": "validation", "test": "test"}

    @field_validator("files")
    @classmethod
    def _has_both(cls, files: str) -> str:
        if not ("{language}" in files and "{split}" in files):
            raise ValueError("a path with {language} and {split} in it is needed")
        if set(re.findall(r"[{}][^{}]*[{}]?", files)) != {"{language}", "{split}"}:
            raise ValueError("a path with no braces but {language} and {split} is needed")
        if files.startswith("/") or ".." in files.split("/"):
            raise ValueError("a path inside the repository is needed")
        return files

    def path(self, language: str, split: Split) -> str:
        """The file of one split; KeyError where the source has no such split."""
        return self.files.format(language=language, split=self.splits[split])


class LocalSource(_Facts):
    """Files that users have, under a data root: `<folder>/<language>/<split>.*`."""

    folder: Name | None = Field(None, description="default: the card's name")
    splits: dict[Split, tuple[str, ...]] = {
        "train": ("train",),
        "dev": ("dev", "validation", "valid"),
        "test": ("test",),
    }
    prefix: str = Field("", description="before every word of raw CoNLL copies, such as {language}:")


class Columns(_Facts):
    """Names of the columns of Parquet and JSON lines."""

    words: str = "tokens"
    tags: str = "ner_tags"


class Card(_Facts):
    """A data set: what and whose it is, where its sentences come from, and what its languages must hold."""

    name: Name
    title: str
    about: str
    licence: str = Field(description="as its source states it")
    homepage: str
    cite: str = Field(description="BibTeX")
    notice: str = Field("", description="printed wherever its numbers are printed")
    bundled: bool = Field(False, description="the sentences come with the package")
    types: tuple[TypeName, ...] = Field(min_length=1)
    scheme: Scheme = "iob2"
    tag_ids: tuple[str, ...] = Field((), description="the tag of each id of the hub's Parquet")
    harmonize: dict[TypeName, TypeName] = Field({}, description="type -> type; O drops it")
    hub: HubSource | None = None
    local: LocalSource = LocalSource()
    columns: Columns = Columns()
    languages: dict[Code, Language] = Field(min_length=1)

    @field_validator("types")
    @classmethod
    def _types_differ(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return _unique("type", types)

    @field_validator("tag_ids")
    @classmethod
    def _tags_are_of_types(cls, tag_ids: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = {DROP} | {
            f"{prefix}-{name}"
            for prefix in PREFIXES[info.data.get("scheme", "iob2")]
            for name in info.data.get("types", ())
        }
        for tag in _unique("tag", tag_ids):
            if tag not in known:
                raise ValueError(f"tag {tag!r} is of none of the types; known: {', '.join(sorted(known))}")
        return tag_ids

    @field_validator("harmonize")
    @classmethod
    def _harmonizes_its_types(cls, harmonize: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        types = info.data.get("types", ())
        for name in harmonize:
            if name not in types:
                raise ValueError(f"the card has no type {name!r}; its types: {', '.join(types)}")
        return harmonize

    @field_validator("hub")
    @classmethod
    def _hub_needs_ids(cls, hub: HubSource | None, info: ValidationInfo) -> HubSource | None:
        if hub and "tag_ids" in info.data and not info.data["tag_ids"]:
            raise ValueError("tag_ids are needed to read the hub's tags")
        return hub

    def key(self, code: str) -> str:
        """How suites and settings name a language of this card: `wikiann:am`."""
        return f"{self.name}:{code}"

    def language(self, code: str) -> Language:
        """A language by the data set's own code; UnknownName with the nearest ones."""
        if code not in self.languages:
            raise UnknownName(f"language of {self.name}", code, self.languages)
        return self.languages[code]


class SuiteTraining(Training):
    """How a suite trains, and the seed of its first run; every key is given."""

    seed: int = Field(ge=0, lt=2**63)


class Suite(_Facts):
    """A set-up that a paper published, or one of ours: encoder, source, targets, types and training."""

    name: Name
    title: str
    about: str
    reference: str
    notice: str = ""
    encoder: str = Field(min_length=1)
    encoder_revision: str | None = None
    source: str = Field(pattern=rf"^({EACH}|{_KEY}(\+{_KEY})*)$", description="as `sources` has it; or a list")
    targets: tuple[Key, ...] = Field(min_length=1)
    types: tuple[TypeName, ...] = Field(min_length=1)
    harmonize: dict[str, dict[TypeName, TypeName]] = {}
    true_protocol: Literal["last", "source-dev", "average"] = "last"
    profiles: tuple[Profile, ...] = Field(("word-strict",), min_length=1)
    training: dict[str, Any] = Field(description="the fields of SuiteTraining")
    each: dict[Key, dict[str, Any]] = Field(
        {}, description="of single languages on themselves: fields of training that are otherwise than there"
    )
    search: Space = Field({}, description="what `xner-bench search` chooses the fields of training from")
    grids: dict[Name, dict[str, Any]] = Field({}, description="grids by name, in the words of `gridfile`")

    @field_validator("source", mode="before")
    @classmethod
    def _in_order(cls, source: Any) -> Any:
        names = source if isinstance(source, list) else [source]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("a language, a list of languages to train on together, or `each` is needed")
        every = _unique("source", tuple(part for name in names for part in parts(name)))
        if EACH in every and len(every) > 1:
            raise ValueError(f"{EACH} is every target on itself, and stands alone")
        return joined(every)

    @field_validator("targets", "types", "profiles")
    @classmethod
    def _differ(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return _unique(str(info.field_name).removesuffix("s"), names)

    @field_validator("each")
    @classmethod
    def _trains_otherwise(cls, each: dict[str, dict[str, Any]], info: ValidationInfo) -> dict[str, dict[str, Any]]:
        if each and info.data.get("source") != EACH:
            raise ValueError(f"it is of languages on themselves, and the source is not {EACH}")
        given = {name: value for name, value in info.data.get("training", {}).items() if name != "seed"}
        for language, own in each.items():
            if language not in info.data.get("targets", (language,)):
                raise ValueError(f"{language} is none of the targets")
            _check_fields(own)
            for name in own if given else ():
                _check_training({**given, **own}, name)
        return each

    @field_validator("search")
    @classmethod
    def _searches_training(cls, search: Space, info: ValidationInfo) -> Space:
        given = {name: value for name, value in info.data.get("training", {}).items() if name != "seed"}
        _check_fields(search)
        for name, choices in search.items():
            ends = (choices.low, choices.high, *choices.grid) if isinstance(choices, Range) else choices
            for value in ends if given else ():
                _check_training({**given, name: value}, name)
        return search

    @property
    def sources(self) -> tuple[str, ...]:
        """The languages that are trained on: where it is each on itself, all targets."""
        return self.targets if self.source == EACH else parts(self.source)

    def of_each(self, settings: RunSettings) -> bool:
        """Whether a run is of one of the suite's languages on itself, and so has part in what all of them score."""
        return settings.on_itself and settings.targets != self.targets

    def alone(self, source: str, targets: Sequence[str]) -> dict[str, Any]:
        """What training has otherwise than usual, where a language is trained and tested on itself alone."""
        return self.each.get(source, {}) if tuple(targets) == (source,) else {}

    def harmonization(self, card: Card) -> dict[str, str]:
        """Type -> type for one data set: the card's mapping, overridden by the suite's."""
        return {**card.harmonize, **self.harmonize.get(card.name, {})}

    def types_of(self, card: Card) -> tuple[str, ...]:
        """The types of a data set, as they are called after harmonization; O where some are dropped."""
        mapping = self.harmonization(card)
        return tuple(dict.fromkeys(mapping.get(name, name) for name in card.types))


def _check_fields(names: Iterable[str]) -> None:
    for name in names:
        if name not in Training.model_fields:
            raise ValueError(f"training has no {name!r}; it has: {', '.join(Training.model_fields)}")


def _check_training(training: dict[str, Any], name: str) -> None:
    """Whether one field of training may have the value that it has here."""
    try:
        Training.model_validate(training)
    except ValidationError as error:
        raise ValueError(f"{name} cannot be {training[name]!r}: {error.errors()[0]['msg']}") from None


def _unique(kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"the {kind} {name!r} stands twice")
    return names
