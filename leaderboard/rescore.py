"""Predictions against gold once more: what the counts of a run must be, and what they may be.

Stored are the entities that the strict reading finds in the predicted tags of words, and the orphans: each I- that goes
on with nothing, together with what goes on with it. Both give the tags of words back, and so all counts of
``word-strict``, ``word-lenient`` and ``tag-accuracy``. Runs of earlier versions stored no orphans. Then there are of

* ``word-strict``: the counts;
* ``word-lenient``: bounds. An orphan is an entity there;
* ``tag-accuracy``: bounds. Of a word outside of the stored entities nobody knows whether its tag was O or an orphan's.

Nothing follows for ``subword-lenient``, as other predictions, of subwords, are scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench import measure, score
from xner_bench.measure import RULES, SELECTING, TAG
from xner_bench.score import Counts, Spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from xner_bench.settings import Profile

# Shapes: W words of a split, S sentences, N entities or orphans.

EXACT = SELECTING  # the profile whose counts follow from entities alone
PAIRS = ("two entities", "an entity and an orphan", "two orphans")  # by how many are orphans


class Gold(NamedTuple):
    """The true tags of a split, as the reader's own copy of the data has them."""

    tags: NDArray[np.int64]  # (W,) 0 is O, 2t + 1 is B- and 2t + 2 is I- of type t
    offsets: NDArray[np.int64]  # (S + 1,) where each sentence begins

    @property
    def sentences(self) -> int:
        return len(self.offsets) - 1


class Predicted(NamedTuple):
    """Entities or orphans that one checkpoint found in a split, as stored."""

    sentence: NDArray[np.int64]  # (N,)
    start: NDArray[np.int64]  # (N,) word of the sentence
    end: NDArray[np.int64]  # (N,) one past the last
    type: NDArray[np.int64]  # (N,) index into the run's types, -1 for another


NOTHING = Predicted(*(np.zeros(0, np.int64) for _ in range(4)))


def rows(table: pa.Table, corpus: str, **values: object) -> pa.Table:
    """What a table of a run has of a corpus ("wikiann:am"), with these values in other columns."""
    import pyarrow.compute as pc

    dataset, _, language = corpus.partition(":")
    for name, value in {"dataset": dataset, "language": language, **values}.items():
        table = table.filter(pc.equal(table[name], value))
    return table


def predicted(table: pa.Table, types: Sequence[str], corpus: str, **values: object) -> Predicted:
    """The entities or orphans among these rows; `types` are the run's."""
    found = rows(table, corpus, **values)
    ids = {name: at for at, name in enumerate(types)}
    kinds = np.array([ids.get(name, -1) for name in found["type"].to_pylist()], np.int64)
    sentence, start, end = (found[name].to_numpy() for name in ("sentence", "start", "end"))
    return Predicted(sentence, start, end, kinds)


class Range(NamedTuple):
    """What a count may be, both ends included."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low} to {self.high}"


def decided(orphans: bool) -> tuple[Profile, ...]:
    """Profiles whose counts follow from what is stored: entities, or orphans too."""
    return tuple(name for name, rule in RULES.items() if name == EXACT or (orphans and not rule.every_subword))


def misplaced(gold: Gold, entities: Predicted, orphans: Predicted | None = None) -> str:
    """What is wrong with the places of predictions: "an entity of sentence 7 lies outside of it"; empty if nothing."""
    others = NOTHING if orphans is None else orphans
    outside = _outside(gold, entities, "an entity") or _outside(gold, others, "an orphan")
    return outside or _touching(gold, *_joined(gold, entities, others))


def _outside(gold: Gold, found: Predicted, what: str) -> str:
    if (strange := found.type < 0).any():
        return f"{what} of sentence {found.sentence[strange][0]} is of a type that is not scored"
    inside = (found.sentence >= 0) & (found.sentence < gold.sentences)
    if not inside.all():
        return f"{what} lies in sentence {found.sentence[~inside][0]} of {gold.sentences}"
    words = np.diff(gold.offsets)[found.sentence]
    if (wrong := (found.start < 0) | (found.start >= found.end) | (found.end > words)).any():
        at = np.flatnonzero(wrong)[0]
        where = f"words {found.start[at]}-{found.end[at]} of {words[at]}"
        return f"{what} of sentence {found.sentence[at]} lies outside of it ({where})"
    return ""


def _touching(gold: Gold, spans: Spans, orphan: NDArray[np.bool_]) -> str:
    """Two that share a word, or an orphan that is none, as it goes on with what is before it."""
    begin = spans.start[1:]
    sentence = np.searchsorted(gold.offsets, begin, side="right") - 1
    if (twice := spans.end[:-1] > begin).any():
        at = np.flatnonzero(twice)[0]
        return f"{PAIRS[int(orphan[at]) + int(orphan[at + 1])]} of sentence {sentence[at]} share a word"
    behind = (spans.end[:-1] == begin) & (begin > gold.offsets[sentence]) & (spans.type[:-1] == spans.type[1:])
    if (onward := behind & orphan[1:]).any():
        return f"an orphan of sentence {sentence[onward][0]} goes on with what is before it, which is of its type"
    return ""


def _joined(gold: Gold, entities: Predicted, orphans: Predicted) -> tuple[Spans, NDArray[np.bool_]]:
    """All of them counted in words of the whole split, in order, and (N,) which are orphans."""
    found = Predicted(*(np.concatenate(pair) for pair in zip(entities, orphans, strict=True)))
    start = gold.offsets[found.sentence] + found.start
    order = np.argsort(start, kind="stable")
    spans = Spans(start[order], (start + found.end - found.start)[order], found.type[order])
    return spans, order >= len(entities.start)


@dataclass(frozen=True)
class Answer:
    """What the counts of one checkpoint on one split must be."""

    exact: Mapping[Profile, Mapping[str, Counts]]  # profile -> type -> counts
    by_sentence: Mapping[Profile, NDArray[np.int32]]  # profile -> (S, 3) tp, fp, fn of all types together
    bounds: Mapping[tuple[str, str], Mapping[str, Range]]  # profile and type -> count -> range

    def may_be(self, profile: Profile, kind: str) -> Iterator[tuple[str, Range]]:
        """Count and range, for all counts of a type that can be told under a profile."""
        if profile in self.exact:
            told = self.exact[profile][kind]
            values = {**told._asdict(), "support": told.support}
            yield from ((name, Range(value, value)) for name, value in values.items())
        else:
            yield from self.bounds.get((profile, kind), {}).items()


def answer(gold: Gold, entities: Predicted, types: Sequence[str], orphans: Predicted | None = None) -> Answer:
    """Count what a checkpoint predicted, none of it misplaced. `orphans`: None where they were not stored."""
    tags = _tags(*_joined(gold, entities, NOTHING if orphans is None else orphans), len(gold.tags))
    rules = {name: RULES[name] for name in decided(orphans is not None)}
    both = (gold.tags, tags, gold.offsets)
    exact = {name: measure.compare(*both, rule, types) for name, rule in rules.items()}
    return Answer(
        exact=exact,
        by_sentence={name: measure.compare_by_sentence(*both, rule, types) for name, rule in rules.items()},
        bounds=_bounds(gold, tags, exact[EXACT]) if orphans is None else {},
    )


def _tags(spans: Spans, orphan: NDArray[np.bool_], words: int) -> NDArray[np.int64]:
    """One tag a word (W,): those of entities and orphans, elsewhere O."""
    lengths = spans.end - spans.start
    inner = np.repeat(spans.start - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths) + np.arange(lengths.sum())
    tags = np.zeros(words, np.int64)
    tags[inner] = np.repeat(2 * spans.type + 2, lengths)
    tags[spans.start] -= ~orphan  # B-
    return tags


def _bounds(
    gold: Gold, tags: NDArray[np.int64], strict: Mapping[str, Counts]
) -> dict[tuple[str, str], dict[str, Range]]:
    """What counts may be under the other profiles, if orphans are not known. `tags` (W,) are those of the entities."""
    true = score.spans(gold.tags, gold.offsets, "strict")
    covered = np.concatenate(([0], np.cumsum(tags > 0)))
    free = true.type[covered[true.end] == covered[true.start]]  # gold entities that no predicted one touches
    unseen = np.bincount(free, minlength=len(strict)).tolist()
    outside = int((tags == 0).sum())
    right = int(((tags > 0) & (tags == gold.tags)).sum())
    perhaps = int(((tags == 0) & ((gold.tags == 0) | (gold.tags % 2 == 0))).sum())
    lenient = (_lenient(told, more, outside) for told, more in zip(strict.values(), unseen, strict=True))
    bounds = {("word-lenient", kind): ranges for kind, ranges in zip(strict, lenient, strict=True)}
    return {**bounds, ("tag-accuracy", TAG): _accuracy(Range(right, right + perhaps), len(tags))}


def _lenient(told: Counts, unseen: int, outside: int) -> dict[str, Range]:
    """Of a type. Orphans may be any gold entities that are not touched, and any words outside of entities."""
    most, support = told.tp + unseen, told.support
    return {
        "tp": Range(told.tp, most),
        "fp": Range(told.fp, told.fp + outside),
        "fn": Range(support - most, support - told.tp),
        "support": Range(support, support),
    }


def _accuracy(right: Range, words: int) -> dict[str, Range]:
    wrong = Range(words - right.high, words - right.low)
    return {"tp": right, "fp": wrong, "fn": wrong, "support": Range(words, words)}
