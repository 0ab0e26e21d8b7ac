"""The counts that a submitted run tells, held cell by cell against those that its predictions give."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xner_bench import protocol
from xner_bench.leaderboard import rescore
from xner_bench.measure import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xner_bench.leaderboard.owndata import Here
    from xner_bench.leaderboard.rescore import Answer
    from xner_bench.leaderboard.unpack import Submitted

# Shapes: S sentences of a split.


class Place(NamedTuple):
    """What one checkpoint tagged: a split, before few-shot fine-tuning (tuned is empty) or after it."""

    corpus: str
    split: str
    checkpoint: int
    tuned: str


class Cells:
    """All counts of a run that can be computed again, as their splits are `here` (by corpus and split)."""

    def __init__(self, found: Submitted, here: Mapping[tuple[str, str], Here]) -> None:
        self.run, self.tables, self.here = found.run, found.tables, here
        self.right = 0  # counts that were computed again and are right, so far
        self.places: dict[Place, list[dict[str, Any]]] = defaultdict(list)
        for row in found.tables["scores"].to_pylist():
            corpus = f"{row['dataset']}:{row['language']}"
            tuned = row["protocol"] if protocol.shots(row["protocol"]) else ""
            self.places[Place(corpus, row["split"], row["checkpoint"], tuned)].append(row)

    def problems(self) -> Iterator[str]:
        """What is wrong, with its cell: "wikiann:am test, last, word-strict, PER: tp 12 in the file, 11 by ..."."""
        for place, rows in self.places.items():
            own = self.here.get((place.corpus, place.split))
            if own is not None:
                yield from self._of(place, rows, own)

    def _of(self, place: Place, rows: Sequence[dict[str, Any]], own: Here) -> Iterator[str]:
        where = f"{place.corpus} {place.split}, {place.tuned or f'checkpoint {place.checkpoint}'}"
        prefix = "few_shot_" if place.tuned else ""
        predicted = self._predicted(place, f"{prefix}predictions")
        orphans = self._predicted(place, f"{prefix}orphans") if f"{prefix}orphans" in self.tables else None
        if misplaced := rescore.misplaced(own.gold, predicted, orphans):
            yield f"{where}: {misplaced}"
            return
        answer = rescore.answer(own.gold, predicted, self.run.settings.types, orphans)
        wrong = [problem for row in rows for problem in self._told(place, row, answer)]
        yield from wrong
        most = {"cut_sentences": own.gold.sentences, "words_without_subwords": len(own.gold.tags)}
        beyond = [name for name in most if any(row[name] > most[name] for row in rows)]
        yield from (f"{where}: more {name.replace('_', ' ')} than there are of them" for name in beyond)
        if not wrong and not place.tuned and "sentence_counts" in self.tables:
            yield from (f"{where}, {problem}" for problem in self._otherwise(place, answer))

    def _told(self, place: Place, row: Mapping[str, Any], answer: Answer) -> Iterator[str]:
        """A cell whose counts are not what they must be."""
        if row["type"] not in kinds(row["profile"], self.run.settings.types):
            return  # `agreement` says so
        ranges = dict(answer.may_be(row["profile"], row["type"]))
        wrong = [name for name, may in ranges.items() if not may.low <= row[name] <= may.high]
        if wrong:
            said = "; ".join(f"{name} {row[name]} in the file, {ranges[name]} by its predictions" for name in wrong)
            yield f"{place.corpus} {place.split}, {row['protocol']}, {row['profile']}, {row['type']}: {said}"
        elif row["profile"] in answer.exact:
            self.right += 1

    def _predicted(self, place: Place, name: str) -> rescore.Predicted:
        at: dict[str, object] = {"split": place.split, "checkpoint": place.checkpoint}
        if place.tuned:
            at["protocol"] = place.tuned
        return rescore.predicted(self.tables[name], self.run.settings.types, place.corpus, **at)

    def _otherwise(self, place: Place, answer: Answer) -> Iterator[str]:
        """The first sentence of a profile whose stored counts are others."""
        counts = self.tables["sentence_counts"]
        table = rescore.rows(counts, place.corpus, split=place.split, checkpoint=place.checkpoint)
        for row in table.select(["profile", "tp", "fp", "fn"]).to_pylist():
            profile, *told = row.values()
            if profile in answer.exact and (at := _first_other(answer.by_sentence[profile], told)) is not None:
                yield f"{profile}: sentence {at} has other counts than by its predictions"


def _first_other(right: NDArray[np.int32], told: Sequence[Sequence[int]]) -> int | None:
    """The first sentence that has other counts than these (S, 3); 0 where they are not of so many."""
    if any(len(column) != len(right) for column in told):
        return 0
    wrong = (right != np.array(told).T).any(axis=1)
    return int(np.flatnonzero(wrong)[0]) if wrong.any() else None
