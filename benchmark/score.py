"""Gold spans against predicted spans: counts, and the scores that counts give. No torch, no tagger.

A corpus is scored at once: its tags lie end to end as two arrays (what begins, which type), spans are found by
comparing each position with the one before it, and counting is an intersection of sorted integers.

Two readings of ill-formed tags, named in every result:

* ``strict`` (IOB2): a span begins at B- only; an orphan I- is nothing (seqeval ``mode="strict", scheme=IOB2``).
* ``lenient`` (conlleval): an orphan I- opens a span as well (seqeval's default).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Reading = Literal["strict", "lenient"]

# Shapes: W words of a corpus, S sentences, N spans.


class Spans(NamedTuple):
    """Entities of a corpus: positions count words from the corpus' first word; `end` is one past the last word."""

    start: NDArray[np.int64]  # (N,)
    end: NDArray[np.int64]  # (N,)
    type: NDArray[np.int64]  # (N,) index into the list of types


class Counts(NamedTuple):
    """What happened to the entities of one type: found, invented, missed."""

    tp: int
    fp: int
    fn: int

    @property
    def support(self) -> int:
        """Entities in the gold."""
        return self.tp + self.fn

    @property
    def precision(self) -> float | None:
        """Share of the predicted entities that are right; None where nothing was predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Share of the gold entities that were found; None where the gold has none."""
        return self.tp / self.support if self.support else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, 0..1; None (not 0) where there is neither gold nor prediction."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp + self.fp + self.fn else None

    def __add__(self, other: object) -> Counts:  # counts add up; tuples would be joined
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


NOTHING = Counts(0, 0, 0)


def spans(tags: NDArray[np.integer], offsets: NDArray[np.integer], reading: Reading) -> Spans:
    """Find the entities in a corpus' tags.

    `tags` (W,): 0 is O, 2t + 1 is B- and 2t + 2 is I- of type t. `offsets` (S + 1,): where each sentence begins.
    """
    inside = (tags > 0) & (tags % 2 == 0)
    kind = (tags.astype(np.int64) - 1) // 2  # -1 for O
    before = np.concatenate(([-1], kind[:-1])) if len(kind) else kind
    before[offsets[:-1][offsets[:-1] < len(tags)]] = -1  # nothing goes on across a sentence's end
    continues = inside & (kind == before)  # an I- after a B- or I- of its own type belongs to whatever that belongs to
    heads = np.flatnonzero(~continues)  # every maximal run begins at a head: O, B- or an orphan I-
    ends = np.append(heads[1:], len(tags))
    opens = (kind[heads] >= 0) if reading == "lenient" else (kind[heads] >= 0) & ~inside[heads]
    return Spans(heads[opens], ends[opens], kind[heads[opens]])


def count(gold: Spans, predicted: Spans, types: int) -> list[Counts]:
    """Compare two sets of entities: an entity counts as found when its words and its type are the same."""
    right = np.isin(_keys(gold, types), _keys(predicted, types), assume_unique=True)
    tp = np.bincount(gold.type[right], minlength=types)
    golds = np.bincount(gold.type, minlength=types)
    guesses = np.bincount(predicted.type, minlength=types)
    return [Counts(int(t), int(p - t), int(g - t)) for t, p, g in zip(tp, guesses, golds, strict=True)]


def count_by_sentence(gold: Spans, predicted: Spans, types: int, offsets: NDArray[np.integer]) -> NDArray[np.int32]:
    """Compare two sets of entities sentence by sentence, all types together: (S, 3), what is found, invented, missed.

    `offsets` (S + 1,): where each sentence begins.
    """
    sizes = len(offsets) - 1
    right = gold.start[np.isin(_keys(gold, types), _keys(predicted, types), assume_unique=True)]
    tp, golds, guesses = (
        np.bincount(np.searchsorted(offsets, start, side="right") - 1, minlength=sizes)
        for start in (right, gold.start, predicted.start)
    )
    return np.stack([tp, guesses - tp, golds - tp], axis=1).astype(np.int32)


def _keys(found: Spans, types: int) -> NDArray[np.int64]:
    """One integer a span: spans of a corpus never share a start, so start, length and type fit side by side."""
    return (found.start * (1 << 24) + (found.end - found.start)) * types + found.type


def micro(counts: Sequence[Counts] | Mapping[str, Counts]) -> Counts:
    """All types together."""
    values = counts.values() if hasattr(counts, "values") else counts
    return sum(values, start=NOTHING)


def macro_f1(counts: Mapping[str, Counts]) -> float | None:
    """Mean F1 over a fixed list of types; None where one of them has neither gold nor prediction."""
    scores = [c.f1 for c in counts.values()]
    return None if not scores or None in scores else sum(s for s in scores if s is not None) / len(scores)
