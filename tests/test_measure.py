"""Profiles: one tag a word or one a subword, read strictly or leniently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import seqeval_scores

from xner_bench import catalogue, measure
from xner_bench.corpus import Corpus, Places, Sentence, load
from xner_bench.encode import Encoded
from xner_bench.measure import Gold
from xner_bench.score import micro

if TYPE_CHECKING:
    from pathlib import Path

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


def gold_and_predicted(data: st.DataObject, corpus: Encoded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tags of any kind, about half of them alike."""
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    gold, other = draw.integers(0, len(TAGS), (2, corpus.n_words))
    return gold, np.where(draw.random(corpus.n_words) < 0.5, gold, other)


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_tag_accuracy_is_the_share_of_words_whose_tag_is_the_same_text(data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=1, max_size=4))
    corpus = encoded(pieces)
    gold, predicted = gold_and_predicted(data, corpus)
    found = Gold(gold, corpus, TYPES).compare(predicted, "tag-accuracy")
    alike = [TAGS[one] == TAGS[other] for one, other in zip(gold, predicted, strict=True)]
    assert list(found) == ["tag"]
    counts = micro(found)
    assert counts.support == counts.tp + counts.fp == len(alike)
    accuracy = sum(alike) / len(alike) if alike else None
    assert counts.f1 == counts.precision == counts.recall == accuracy, "exactly"


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_tag_accuracy_knows_no_sentences_and_no_entities(data: st.DataObject) -> None:
    """Unlike F1, it is the same however words are parted, and for any other names of the tags."""
    pieces = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=12))
    whole, cut = encoded([pieces]), encoded([[piece] for piece in pieces])
    gold, predicted = gold_and_predicted(data, whole)
    renamed = np.random.default_rng(0).permutation(len(TAGS))
    counts = Gold(gold, whole, TYPES).compare(predicted, "tag-accuracy")
    assert counts == Gold(gold, cut, TYPES).compare(predicted, "tag-accuracy")
    assert counts == Gold(renamed[gold], whole, TYPES).compare(renamed[predicted], "tag-accuracy")


def test_words_that_no_tokenizer_sees_count_as_words() -> None:
    """They are O: right where the gold says so, wrong where it has an entity."""
    scorer = Gold(np.array([0, 5, 0]), encoded([[0, 0, 1]]), TYPES)
    assert micro(scorer.compare(np.array([0, 0, 0]), "tag-accuracy")) == (2, 1, 1)


def test_what_a_profile_counts() -> None:
    assert [measure.kinds(profile, TYPES) for profile in ("word-strict", "tag-accuracy", "of another version")] == [
        TYPES,
        ("tag",),
        TYPES,
    ]


@pytest.mark.parametrize("language", ["yo", "sw"])
def test_tag_accuracy_of_real_tags_is_what_counting_by_hand_gives(language: str, nerdata: Path, tmp_path: Path) -> None:
    card, known = catalogue.load().language(f"wikiann:{language}")
    read = load(card, known, "test", Places(nerdata, tmp_path, offline=True), types=TYPES, harmonize={})
    gold = measure.tag_ids(read, TAGS)
    guessed = np.roll(gold, 1)  # each word gets the tag of the word before it
    alike = 0
    before = read.sentences[-1].tags[-1]
    for sentence in read.sentences:
        for tag in sentence.tags:
            alike += tag == before
            before = tag
    scorer = Gold(gold, encoded([[1] * len(sentence.tags) for sentence in read.sentences]), TYPES)
    counts = micro(scorer.compare(guessed, "tag-accuracy"))
    assert counts == (alike, len(gold) - alike, len(gold) - alike)
    assert 0 < alike < len(gold)
