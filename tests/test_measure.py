"""Profiles: one tag a word or one a subword, read strictly or leniently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import seqeval_scores

from xner_bench import measure
from xner_bench.corpus import Corpus, Sentence
from xner_bench.encode import Encoded
from xner_bench.measure import Gold
from xner_bench.score import micro

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xner_bench.settings import Profile

TAGS, TYPES = tiny.TAGS, tiny.TYPES


def encoded(sentences: list[list[int]]) -> Encoded:
    """A corpus as an encoder may meet it: for each word how many subwords it has (none, sometimes)."""
    flat = [pieces for sentence in sentences for pieces in sentence]
    word = np.repeat(np.arange(len(flat)), flat)
    ends = np.cumsum([0, *(sum(sentence) for sentence in sentences)])
    return Encoded(np.zeros(len(word), np.int32), word, ends, tiny.offsets([len(s) for s in sentences]), 0)


def names(tags: NDArray[np.int64], bounds: NDArray[np.int64]) -> list[list[str]]:
    return [[TAGS[tag] for tag in part] for part in np.split(tags, bounds[1:-1])]


def test_the_toy_case_of_two_entities() -> None:
    """Gold: Juba (four subwords), Obi; only Juba is found. 0.667 by word, 0.889 by subword."""
    scorer = Gold(np.array([5, 0, 1]), encoded([[4, 1, 1]]), TYPES)
    assert micro(scorer.compare(np.array([5, 0, 0]), "word-strict")).f1 == pytest.approx(2 / 3)
    assert micro(scorer.compare(np.array([5, 0, 0]), "word-lenient")).f1 == pytest.approx(2 / 3)
    by_subword = micro(scorer.compare(np.array([5, 5, 5, 5, 0, 0]), "subword-lenient"))
    assert (by_subword, by_subword.f1) == ((4, 0, 1), pytest.approx(8 / 9))


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_every_profile_equals_seqeval_on_its_own_units(data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=1, max_size=4))
    corpus = encoded(pieces)
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    gold = draw.integers(0, len(TAGS), corpus.n_words)
    scorer = Gold(gold, corpus, TYPES)
    expanded, ends = np.repeat(gold, corpus.pieces), corpus.windows  # one window a sentence here
    units: dict[Profile, tuple[NDArray[np.int64], NDArray[np.int64]]] = {
        "word-strict": (gold, corpus.sentences),
        "word-lenient": (gold, corpus.sentences),
        "subword-lenient": (expanded, ends),
    }
    for profile, (true, bounds) in units.items():
        predicted = np.where(draw.random(len(true)) < 0.6, true, draw.integers(0, len(TAGS), len(true)))
        total = micro(scorer.compare(predicted, profile))
        reading = measure.RULES[profile].reading
        expected = seqeval_scores(names(true, bounds), names(predicted, bounds), reading, "micro")
        assert (total.precision or 0, total.recall or 0, total.f1 or 0) == pytest.approx(expected[:3])


def test_counts_come_for_every_type_in_order() -> None:
    scorer = Gold(np.array([1, 0]), encoded([[1, 1]]), TYPES)
    assert list(scorer.compare(np.array([1, 3]), "word-strict").items()) == [
        ("PER", (1, 0, 0)),
        ("ORG", (0, 1, 0)),
        ("LOC", (0, 0, 0)),
    ]


def test_an_entity_that_the_encoder_cannot_see_is_still_a_miss() -> None:
    scorer = Gold(np.array([1, 2, 5]), encoded([[0, 0, 1]]), TYPES)  # a name of invisible words
    assert micro(scorer.compare(np.array([0, 0, 5]), "word-strict")) == (1, 0, 1)


def test_tag_ids_follow_the_order_of_the_names() -> None:
    sentences = [Sentence(("a", "b"), ("B-ORG", "I-ORG")), Sentence((), ()), Sentence(("c",), ("O",))]
    corpus = Corpus("tiny", "en", "test", sentences, "", "")
    assert measure.tag_ids(corpus, TAGS).tolist() == [3, 4, 0]


def test_every_profile_of_the_settings_has_a_rule() -> None:
    from typing import get_args

    from xner_bench.settings import Profile

    assert set(measure.RULES) == set(get_args(Profile))
