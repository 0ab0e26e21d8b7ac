"""Predicted entities against gold once more: what the counts of a run must be, and what they may be.

Stored are the entities that the strict reading finds in the predicted tags of words. From these follow

* ``word-strict``: exactly;
* ``word-lenient``: bounds. An I- without its B- opens an entity there, and such tags are not stored;
* ``tag-accuracy``: bounds. Of a word outside of the stored entities nobody knows whether its tag was O or such an I-;
* ``subword-lenient``: nothing, as other predictions, of subwords, are scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench import score
from xner_bench.measure import SELECTING, TAG
from xner_bench.score import Counts, Spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

# Shapes: W words of a split, S sentences, N entities.

EXACT = SELECTING  # the profile whose counts follow from what is stored


class Gold(NamedTuple):
    """The true tags of a split, as the reader's own copy of the data has them."""

    tags: NDArray[np.int64]  # (W,) 0 is O, 2t + 1 is B- and 2t + 2 is I- of type t
    offsets: NDArray[np.int64]  # (S + 1,) where each sentence begins

    @property
    def sentences(self) -> int:
        return len(self.offsets) - 1


class Predicted(NamedTuple):
    """Entities that one checkpoint found in a split, as stored."""

    sentence: NDArray[np.int64]  # (N,)
    start: NDArray[np.int64]  # (N,) word of the sentence
    end: NDArray[np.int64]  # (N,) one past the last
    type: NDArray[np.int64]  # (N,) index into the run's types, -1 for another


class Range(NamedTuple):
    """What a count may be, both ends included."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low} to {self.high}"


def misplaced(gold: Gold, found: Predicted) -> str:
    """What is wrong with the places of entities: "an entity of sentence 7 goes beyond its end"; empty if nothing."""
    if (strange := found.type < 0).any():
        return f"an entity of sentence {found.sentence[strange][0]} is of a type that is not scored"
    inside = (found.sentence >= 0) & (found.sentence < gold.sentences)
    if not inside.all():
        return f"an entity lies in sentence {found.sentence[~inside][0]} of {gold.sentences}"
    words = np.diff(gold.offsets)[found.sentence]
    if (wrong := (found.start < 0) | (found.start >= found.end) | (found.end > words)).any():
        at = np.flatnonzero(wrong)[0]
        where = f"words {found.start[at]}-{found.end[at]} of {words[at]}"
        return f"an entity of sentence {found.sentence[at]} lies outside of it ({where})"
    spans = _spans(gold, found)
    if (twice := spans.end[:-1] > spans.start[1:]).any():
        at = np.searchsorted(gold.offsets, spans.start[1:][twice][0], side="right") - 1
        return f"two entities of sentence {at} share a word"
    return ""


def _spans(gold: Gold, found: Predicted) -> Spans:
    """The same counted in words of the whole split, in order."""
    start = gold.offsets[found.sentence] + found.start
    order = np.argsort(start, kind="stable")
    return Spans(start[order], (start + found.end - found.start)[order], found.type[order])


@dataclass(frozen=True)
class Answer:
    """What the counts of one checkpoint on one split must be."""

    strict: Mapping[str, Counts]  # type -> counts
    by_sentence: NDArray[np.int32]  # (S, 3) tp, fp, fn of all types together
    unseen: Mapping[str, int]  # type -> gold entities that no predicted one touches
    words: int
    outside: int  # words of no predicted entity
    right: Range  # tags

    def may_be(self, profile: str, kind: str) -> Iterator[tuple[str, Range]]:
        """Count and range, for all counts of a type that can be told under a profile."""
        if profile == SELECTING:
            told = self.strict[kind]
            yield from ((name, Range(value, value)) for name, value in (*told._asdict().items(), *_support(told)))
        elif profile == "word-lenient":
            told = self.strict[kind]
            support, most = told.support, told.tp + self.unseen[kind]
            yield "tp", Range(told.tp, most)
            yield "fp", Range(told.fp, told.fp + self.outside)
            yield "fn", Range(support - most, support - told.tp)
            yield "support", Range(support, support)
        elif kind == TAG:
            wrong = Range(self.words - self.right.high, self.words - self.right.low)
            yield from (("tp", self.right), ("fp", wrong), ("fn", wrong), ("support", Range(self.words, self.words)))


def _support(told: Counts) -> Iterator[tuple[str, int]]:
    yield "support", told.support


def answer(gold: Gold, found: Predicted, types: Sequence[str]) -> Answer:
    """Count the entities of a checkpoint, none of them misplaced."""
    spans, true = _spans(gold, found), score.spans(gold.tags, gold.offsets, "strict")
    strict = dict(zip(types, score.count(true, spans, len(types)), strict=True))
    tags = _tags(spans, len(gold.tags))
    covered = np.concatenate(([0], np.cumsum(tags > 0)))
    free = true.type[covered[true.end] == covered[true.start]]
    unseen = np.bincount(free, minlength=len(types)).tolist()
    right = int(((tags > 0) & (tags == gold.tags)).sum())
    perhaps = int(((tags == 0) & ((gold.tags == 0) | (gold.tags % 2 == 0))).sum())
    return Answer(
        strict=strict,
        by_sentence=score.count_by_sentence(true, spans, len(types), gold.offsets),
        unseen=dict(zip(types, unseen, strict=True)),
        words=len(tags),
        outside=int((tags == 0).sum()),
        right=Range(right, right + perhaps),
    )


def _tags(spans: Spans, words: int) -> NDArray[np.int64]:
    """One tag a word (W,): those of the entities, elsewhere O."""
    lengths = spans.end - spans.start
    inner = np.repeat(spans.start - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths) + np.arange(lengths.sum())
    tags = np.zeros(words, np.int64)
    tags[inner] = np.repeat(2 * spans.type + 2, lengths)
    tags[spans.start] = 2 * spans.type + 1
    return tags
