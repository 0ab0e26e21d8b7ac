"""Sentences to measure on: real WikiANN and MasakhaNER where they are at hand, else the bundled mini corpora.

The real data may not be re-hosted: it is looked for in $XNER_TEST_NERDATA, or in ../shared/nerdata beside the
repository, laid out as `<dataset>/<language>/<split>.*`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench import catalogue, corpus
from xner_bench.tags import tag_names

if TYPE_CHECKING:
    from xner_bench.cards import Split

TYPES = ("PER", "ORG", "LOC")
TAGS = tag_names(TYPES)
REAL = Path(os.environ.get("XNER_TEST_NERDATA", Path(__file__).parents[2] / ".." / "shared" / "nerdata")).resolve()
ENGLISH = "wikiann:en"


class Sentences(NamedTuple):
    """Words of sentences and their tag ids, in the order of `TAGS`."""

    words: list[list[str]]
    tags: list[list[int]]

    def first(self, many: int) -> Sentences:
        """The first sentences only."""
        return Sentences(self.words[:many], self.tags[:many])


def real() -> bool:
    """Whether the real data is at hand."""
    return REAL.is_dir()


def where() -> str:
    """One line for the printed settings."""
    if real():
        return "data: WikiANN English as published (20,000/10,000/10,000 sentences)"
    return f"data: the bundled mini corpora (no folder {REAL}); sentences have other lengths than WikiANN's"


def english(split: Split) -> Sentences:
    """A split of English WikiANN, or of its bundled imitation."""
    return read(ENGLISH if real() else f"mini-{ENGLISH}", split)


def read(key: str, split: Split) -> Sentences:
    """A split of a language of the catalogue, such as wikiann:am; dates count as O."""
    card, language = catalogue.load().language(key)
    places = corpus.Places(REAL if real() else None, offline=True)
    drop = {name: "O" for name in card.types if name not in TYPES}
    found = corpus.read(card, language, split, places, types=TYPES, harmonize=drop)
    ids = {tag: number for number, tag in enumerate(TAGS)}
    return Sentences(
        [list(sentence.words) for sentence in found.sentences],
        [[ids[tag] for tag in sentence.tags] for sentence in found.sentences],
    )
