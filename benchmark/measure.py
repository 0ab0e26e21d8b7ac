"""Tags against gold under a named profile: what counts as a unit, and how ill-formed tags are read.

* ``word-strict`` (the default): one tag a word, strict IOB2.
* ``word-lenient``: one tag a word, read as conlleval does.
* ``subword-lenient``: one tag a subword, the gold tag of a word (B- included) copied to all its subwords, read as
  conlleval does. This is how the released code of SLICER scores; a B- on each of four subwords counts as four entities,
  so its numbers belong in a column of their own.
* ``tag-accuracy``: the share of words whose tag is the gold's; no tag is read as part of an entity. From Zero to Hero
  (Lauscher et al., EMNLP 2020) reports it. O counts like any other tag, so that who finds no entity has half of
  WikiANN's words right, and an F1 of 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench.score import Counts, count, count_by_sentence, spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xner_bench.corpus import Corpus
    from xner_bench.encode import Encoded
    from xner_bench.score import Reading, Spans
    from xner_bench.settings import Profile


class Rule(NamedTuple):
    """What a profile scores."""

    every_subword: bool
    reading: Reading  # of tags as entities
    entities: bool = True  # else tags themselves


RULES: dict[Profile, Rule] = {
    "word-strict": Rule(every_subword=False, reading="strict"),
    "word-lenient": Rule(every_subword=False, reading="lenient"),
    "subword-lenient": Rule(every_subword=True, reading="lenient"),
    "tag-accuracy": Rule(every_subword=False, reading="strict", entities=False),
}
SELECTING: Profile = "word-strict"  # dev scores, by which checkpoints are chosen, are always these
TAG = "tag"  # what stands in the place of a type where tags are scored


def of_tags(profile: str) -> bool:
    """Whether a profile scores tags, so that its numbers are accuracies and not F1."""
    return any(profile == name and not rule.entities for name, rule in RULES.items())


def kinds(profile: str, types: Sequence[str]) -> tuple[str, ...]:
    """What a profile has counts of: each entity type, or all tags together."""
    return (TAG,) if of_tags(profile) else tuple(types)


def tag_ids(corpus: Corpus, names: Sequence[str]) -> NDArray[np.int64]:
    """Gold of a corpus as one tag id a word (W,), sentence after sentence."""
    ids = {name: number for number, name in enumerate(names)}
    return np.fromiter((ids[tag] for sentence in corpus.sentences for tag in sentence.tags), np.int64)


def tally(gold: NDArray[np.int64], predicted: NDArray[np.int64]) -> Counts:
    """Tags (W,) that are right, and the wrong ones both as found wrongly and as missed: F1 is then the accuracy."""
    right = int((gold == predicted).sum())
    wrong = len(gold) - right
    return Counts(right, wrong, wrong)


def tally_by_sentence(
    gold: NDArray[np.int64], predicted: NDArray[np.int64], offsets: NDArray[np.integer]
) -> NDArray[np.int32]:
    """The same of every sentence, (S, 3). `offsets` (S + 1,): where each begins."""
    sentence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    right = np.bincount(sentence[gold == predicted], minlength=len(offsets) - 1)
    wrong = np.diff(offsets) - right
    return np.stack([right, wrong, wrong], axis=1).astype(np.int32)


def compare(
    gold: NDArray[np.int64], predicted: NDArray[np.int64], offsets: NDArray[np.int64], rule: Rule, types: Sequence[str]
) -> dict[str, Counts]:
    """Counts by type, or of tags, of tags (U,) in the units of a rule. `offsets` (S + 1,): where sentences begin."""
    if not rule.entities:
        return {TAG: tally(gold, predicted)}
    found = count(spans(gold, offsets, rule.reading), spans(predicted, offsets, rule.reading), len(types))
    return dict(zip(types, found, strict=True))


def compare_by_sentence(
    gold: NDArray[np.int64], predicted: NDArray[np.int64], offsets: NDArray[np.int64], rule: Rule, types: Sequence[str]
) -> NDArray[np.int32]:
    """tp, fp and fn of every sentence, (S, 3), all types together: they add up to those of `compare`."""
    if not rule.entities:
        return tally_by_sentence(gold, predicted, offsets)
    true, found = (spans(tags, offsets, rule.reading) for tags in (gold, predicted))
    return count_by_sentence(true, found, len(types), offsets)


class Gold:
    """The true entities of a corpus, ready to be compared again and again."""

    def __init__(self, tags: NDArray[np.int64], encoded: Encoded, types: Sequence[str]) -> None:
        self.tags = tags
        self.encoded = encoded
        self.types = types

    def compare(self, predicted: NDArray[np.int64], profile: Profile) -> dict[str, Counts]:
        """Counts by type, or of tags. `predicted` has one tag id a word, or a subword where the profile scores them."""
        rule = RULES[profile]
        return compare(self._units(rule), predicted, self._offsets(rule), rule, self.types)

    def per_sentence(self, predicted: NDArray[np.int64], profile: Profile) -> NDArray[np.int32]:
        """tp, fp and fn of every sentence, (S, 3), all types together."""
        rule = RULES[profile]
        return compare_by_sentence(self._units(rule), predicted, self._offsets(rule), rule, self.types)

    def spans(self, tags: NDArray[np.int64], rule: Rule) -> Spans:
        """Entities in a sequence of tags of this corpus."""
        return spans(tags, self._offsets(rule), rule.reading)

    def _units(self, rule: Rule) -> NDArray[np.int64]:
        return np.repeat(self.tags, self.encoded.pieces) if rule.every_subword else self.tags

    def _offsets(self, rule: Rule) -> NDArray[np.int64]:
        """Where sentences begin, counted in the profile's units."""
        if not rule.every_subword:
            return self.encoded.sentences
        return np.concatenate(([0], np.cumsum(self.encoded.pieces)))[self.encoded.sentences]
