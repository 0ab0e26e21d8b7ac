"""What is in the files of a language: counts against the card, invalid tags, invisible words, duplicates.

Sentences are the same when their words are, whatever their tags. Reads the tags of test splits too: this is
a look at the data, never a part of a run.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from xner_bench import corpus
from xner_bench.catalogue import SPLITS
from xner_bench.corpus import MissingSplit
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from xner_bench.catalogue import Card, Language, Split
    from xner_bench.corpus import Corpus, Places

# Format and control characters, spaces, marks that stand on another letter, halves of surrogate pairs.
INVISIBLE = frozenset({"Cf", "Cc", "Zs", "Zl", "Zp", "Mn", "Me", "Cs"})

Words = tuple[str, ...]


@dataclass(frozen=True)
class SplitAudit:
    """What one split holds. `missing` or `problem` says why there are no figures, or that they are wrong."""

    dataset: str
    language: str
    split: str
    expected: int | None
    sentences: int | None = None
    dropped: int = 0
    words: int = 0
    entities: int = 0
    invalid_tags: int = 0
    invisible_words: int = 0
    duplicates: int = 0
    in_train: int | None = None  # sentences that stand in the train split too
    in_dev: int | None = None  # of the test split: those that stand in the dev split too
    longest: int = 0
    sha256: str = ""
    origin: str = ""
    missing: str = ""
    problem: str = ""


def audit(card: Card, language: Language, places: Places) -> list[SplitAudit]:
    """Look at every split of a language; what is wrong with one does not hide the others."""
    found: list[SplitAudit] = []
    seen: dict[Split, Set[Words]] = {}
    for split in SPLITS:
        try:
            read = corpus.load(card, language, split, places, types=card.types, harmonize={})
        except MissingSplit as error:
            found.append(_nothing(card, language, split, missing=str(error)))
        except XnerError as error:
            found.append(_nothing(card, language, split, problem=str(error)))
        else:
            distinct = {sentence.words for sentence in read.sentences}
            found.append(_audit(card, language, split, read, distinct, seen))
            seen = {**seen, split: distinct}
    return found


def _nothing(card: Card, language: Language, split: Split, missing: str = "", problem: str = "") -> SplitAudit:
    expected = language.count(split)
    return SplitAudit(card.name, language.code, split, expected, missing=missing, problem=problem)


def _audit(
    card: Card,
    language: Language,
    split: Split,
    read: Corpus,
    distinct: Set[Words],
    seen: Mapping[Split, Set[Words]],
) -> SplitAudit:
    all_words = [sentence.words for sentence in read.sentences]
    expected = language.count(split)
    return SplitAudit(
        dataset=card.name,
        language=language.code,
        split=split,
        expected=expected,
        sentences=len(all_words),
        dropped=read.dropped,
        words=sum(map(len, all_words)),
        entities=sum(tag.startswith("B-") for sentence in read.sentences for tag in sentence.tags),
        invalid_tags=read.repaired,
        invisible_words=sum(invisible(word) for words in all_words for word in words),
        duplicates=len(all_words) - len(distinct),
        in_train=_shared(all_words, seen.get("train")),
        in_dev=_shared(all_words, seen.get("dev")),
        longest=max(map(len, all_words), default=0),
        sha256=read.sha256,
        origin=read.origin,
        problem=corpus.miscounted(read, expected),
    )


def _shared(sentences: Iterable[Words], other: Set[Words] | None) -> int | None:
    """How many sentences stand in another split too; None where that one could not be read."""
    return None if other is None else sum(words in other for words in sentences)


@lru_cache(maxsize=1 << 18)
def invisible(word: str) -> bool:
    """Whether a tokenizer may find nothing in a word: it is empty, or no character shows by itself."""
    return all(unicodedata.category(character) in INVISIBLE for character in word)
