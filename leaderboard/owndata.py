"""The reader's own copy of the data that somebody else's run was tested on: the same, another one, or not here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench import corpus
from xner_bench.errors import XnerError
from xner_bench.leaderboard.rescore import Gold
from xner_bench.leaderboard.robustness import SPLITS
from xner_bench.measure import tag_ids
from xner_bench.perturbed import Maker
from xner_bench.tags import tag_names

if TYPE_CHECKING:
    from xner_bench.cards import Split, Suite
    from xner_bench.catalogue import Catalogue
    from xner_bench.corpus import Corpus, Places
    from xner_bench.results import PerturbedRecord


class Here(NamedTuple):
    """A split that is here."""

    fingerprint: str
    gold: Gold


class Absent(NamedTuple):
    """A split that is not, and why."""

    reason: str


class Data:
    """The splits of suites as far as they can be read here, each read once."""

    def __init__(self, known: Catalogue, places: Places) -> None:
        self.known, self.places = known, places
        self._splits: dict[tuple[str, str, str], Here | Absent] = {}
        self._makers: dict[tuple[str, tuple[str, ...]], Maker] = {}

    def regular(self, suite: Suite, key: str, split: Split) -> Here | Absent:
        """Train, dev or test of a language, with its types as a suite has them."""
        place = (suite.name, key, split)
        if place not in self._splits:
            found = self._read(suite, key, split)
            self._splits[place] = found if isinstance(found, Absent) else _here(found, suite)
        return self._splits[place]

    def perturbed(self, suite: Suite, record: PerturbedRecord) -> Here | Absent:
        """A test split with other entities, made again from the languages that it was made from."""
        without = tuple(sorted(record.without))
        place = (suite.name, record.corpus, " ".join((record.split, *without)))
        if place not in self._splits:
            self._splits[place] = self._made(suite, record, without)
        return self._splits[place]

    def words(self, suite: Suite, key: str, split: Split) -> list[tuple[str, ...]]:
        """The words of a split that is here."""
        found = self._read(suite, key, split)
        return [] if isinstance(found, Absent) else [sentence.words for sentence in found.sentences]

    def _read(self, suite: Suite, key: str, split: Split) -> Corpus | Absent:
        card, language = self.known.language(key)
        mapping = suite.harmonization(card)
        try:
            return corpus.read(card, language, split, self.places, types=suite.types, harmonize=mapping)
        except XnerError as error:  # nowhere, or malformed
            return Absent(str(error))

    def _made(self, suite: Suite, record: PerturbedRecord, without: tuple[str, ...]) -> Here | Absent:
        maker = self._maker(suite, without)
        if maker.read(record.corpus) is None:
            return Absent(f"{record.corpus} has no test split here")
        made = maker.make(record.corpus, SPLITS[record.split])
        if lacking := sorted({*made.record.without} - {*without}):
            return Absent(f"its entities are drawn from {', '.join(lacking)} too, not here")
        return _here(made.corpus, suite)

    def _maker(self, suite: Suite, without: tuple[str, ...]) -> Maker:
        def test(key: str) -> Corpus | None:
            found = Absent("") if key in without else self._read(suite, key, "test")
            return None if isinstance(found, Absent) else found

        made = self._makers.get((suite.name, without)) or Maker(self.known, suite, test)
        return self._makers.setdefault((suite.name, without), made)


def _here(found: Corpus, suite: Suite) -> Here:
    lengths = [len(sentence.words) for sentence in found.sentences]
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    return Here(found.fingerprint, Gold(tag_ids(found, tag_names(suite.types)), offsets.astype(np.int64)))
