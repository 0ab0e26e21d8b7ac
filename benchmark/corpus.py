"""Card, language and split -> sentences of words and tags.

The card's counts must hold, wherever xner_bench.places found the split.

Policies, each counted: a sentence without words is dropped (`dropped`); an invalid tag of the gold is
repaired (`repaired`, see xner_bench.tags). An empty or invisible word stays a word of its sentence.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError
from xner_bench.places import MissingSplit, Places, find
from xner_bench.tags import BadTag, Converter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xner_bench.catalogue import Card, Language, Split
    from xner_bench.readers import Raw, Table
    from xner_bench.tags import Converted


__all__ = ["Corpus", "MissingSplit", "Places", "Sealed", "Sentence", "load", "miscounted", "read", "seal", "seal_read"]


class Sentence(NamedTuple):
    """The words of one sentence and their tags: IOB2, harmonized, one tag a word."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """One split of one language of one data set."""

    dataset: str
    language: str
    split: str

    @property
    def key(self) -> str:
        """Name of the language in the catalogue, such as wikiann:am."""
        return f"{self.dataset}:{self.language}"


@dataclass(frozen=True)
class Corpus(_Part):
    """A split with its words and tags."""

    sentences: list[Sentence]
    sha256: str  # of the file
    origin: str
    repaired: int = 0
    dropped: int = 0

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of words and tags as they are scored: equal for equal data in whatever file or format.

        Of their JSON, because words may hold any character that one would separate them with.
        """
        return hashlib.sha256(json.dumps(self.sentences, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Sealed(_Part):
    """What may be known of a test split before selection: everything but its tags."""

    sentences: list[tuple[str, ...]]
    sha256: str
    fingerprint: str  # of words and tags, which does not tell the tags
    origin: str
    repaired: int = 0
    dropped: int = 0


def read(
    card: Card,
    language: Language,
    split: Split,
    places: Places,
    *,
    types: Sequence[str],
    harmonize: Mapping[str, str],
) -> Corpus:
    """Read a split: its tags over `types`, after `harmonize`, the whole mapping of types (O drops one).

    Raises MissingSplit where it is nowhere, XnerError where it is malformed, has a tag of another type, or
    has not as many sentences as the card says.
    """
    corpus = load(card, language, split, places, types=types, harmonize=harmonize)
    if problem := miscounted(corpus, language.count(split)):
        raise XnerError(problem)
    return corpus


def miscounted(corpus: Corpus, expected: int | None) -> str:
    """What is wrong with the number of sentences, empty if nothing."""
    if expected is None or len(corpus.sentences) == expected:
        return ""
    return (
        f"{corpus.key} {corpus.split} has {len(corpus.sentences):,} sentences in {corpus.origin}, its card"
        f" says {expected:,}; use the published file, or a card of your own for this one (--catalogue DIR)"
    )


def seal(
    card: Card,
    language: Language,
    split: Split,
    places: Places,
    *,
    types: Sequence[str],
    harmonize: Mapping[str, str],
) -> Sealed:
    """Read and validate a split as `read` does, and give out everything but its tags."""
    return seal_read(read(card, language, split, places, types=types, harmonize=harmonize))


def seal_read(corpus: Corpus) -> Sealed:
    """Everything of a split but its tags."""
    return Sealed(
        dataset=corpus.dataset,
        language=corpus.language,
        split=corpus.split,
        sentences=[sentence.words for sentence in corpus.sentences],
        sha256=corpus.sha256,
        fingerprint=corpus.fingerprint,
        origin=corpus.origin,
        repaired=corpus.repaired,
        dropped=corpus.dropped,
    )


def load(
    card: Card,
    language: Language,
    split: Split,
    places: Places,
    *,
    types: Sequence[str],
    harmonize: Mapping[str, str],
) -> Corpus:
    """Read a split as `read` does, whatever number of sentences it has."""
    found = find(card, language, split, places)
    convert = Converter(card.scheme, types, harmonize)
    sentences: list[Sentence] = []
    repaired = 0
    for table in found.tables:
        for raw in table.sentences:
            converted = _converted(table, raw, convert)
            sentences.append(Sentence(raw.words, converted.tags))
            repaired += converted.repaired
    return Corpus(
        dataset=card.name,
        language=language.code,
        split=split,
        sentences=sentences,
        sha256=found.sha256,
        origin=found.origin,
        repaired=repaired,
        dropped=sum(table.empty for table in found.tables),
    )


def _converted(table: Table, raw: Raw, convert: Converter) -> Converted:
    try:
        return convert(raw.tags)
    except BadTag as error:
        raise XnerError(f"{table.where(raw, error.position)}: {error}") from None
