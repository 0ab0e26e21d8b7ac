"""Stored predictions against gold: all counts of words exactly; without orphans all but word-strict within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import seqeval_scores

from xner_bench import catalogue, measure, testing
from xner_bench.corpus import Places, read
from xner_bench.encode import Encoded
from xner_bench.leaderboard import rescore
from xner_bench.leaderboard.rescore import Gold, Predicted
from xner_bench.measure import TAG
from xner_bench.score import micro
from xner_bench.tags import Converter, tag_names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TYPES = ("PER", "LOC")
NAMES = tag_names(TYPES)
WORDS = rescore.decided(orphans=True)
SENTENCES = st.lists(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=7), max_size=6)


def world(sentences: list[list[tuple[str, str]]]) -> tuple[measure.Gold, NDArray[np.int64]]:
    """Sound gold, and tags as some tagger may predict them."""
    mend = Converter("iob2", TYPES, {})
    gold = [tag for one in sentences for tag in mend(tuple(tag for tag, _ in one)).tags]
    gold_ids = np.array([NAMES.index(tag) for tag in gold], np.int64)
    tags = np.array([NAMES.index(tag) for one in sentences for _, tag in one], np.int64)
    return scorer(gold_ids, [len(one) for one in sentences], TYPES), tags


def scorer(gold: NDArray[np.int64], lengths: list[int], types: tuple[str, ...]) -> measure.Gold:
    offsets = np.cumsum([0, *lengths])
    nothing = np.zeros(0, np.int64)
    return measure.Gold(gold, Encoded(nothing.astype(np.int32), nothing, nothing, offsets, 0), types)


def stored(true: measure.Gold, tags: NDArray[np.int64]) -> tuple[Gold, Predicted, Predicted]:
    """What the reader has, and the entities and orphans that a run stores of predicted tags."""
    ids = {name: at for at, name in enumerate(true.types)}
    found = []
    for spans in (testing.entities(true, tags), testing.orphans(true, tags)):
        rows = [(*place, ids[kind]) for *place, kind in spans]
        found.append(Predicted(*np.array(rows, np.int64).reshape(-1, 4).T))
    return Gold(true.tags, true.encoded.sentences), found[0], found[1]


@given(SENTENCES)
def test_entities_and_orphans_give_the_tags_back(sentences: list[list[tuple[str, str]]]) -> None:
    true, tags = world(sentences)
    gold, entities, orphans = stored(true, tags)
    back = np.zeros(len(tags), np.int64)
    for found, first in ((entities, 1), (orphans, 2)):
        for sentence, start, end, kind in zip(*found, strict=True):
            begin = gold.offsets[sentence]
            assert not back[begin + start : begin + end].any()
            back[begin + start : begin + end] = 2 * kind + 2
            back[begin + start] = 2 * kind + first
    assert back.tolist() == tags.tolist()
    assert rescore.misplaced(gold, entities, orphans) == ""


@given(SENTENCES)
def test_all_counts_of_words_follow_from_both(sentences: list[list[tuple[str, str]]]) -> None:
    true, tags = world(sentences)
    gold, entities, orphans = stored(true, tags)
    answer = rescore.answer(gold, entities, TYPES, orphans)
    assert tuple(answer.exact) == tuple(answer.by_sentence) == WORDS == ("word-strict", "word-lenient", "tag-accuracy")
    for profile in WORDS:
        assert answer.exact[profile] == true.compare(tags, profile)
        assert answer.by_sentence[profile].tolist() == true.per_sentence(tags, profile).tolist()
        for kind, one in answer.exact[profile].items():
            values = {**one._asdict(), "support": one.support}
            assert dict(answer.may_be(profile, kind)) == {name: (value, value) for name, value in values.items()}
    assert list(answer.may_be("subword-lenient", "PER")) == []


@given(SENTENCES)
def test_counts_of_a_run_without_orphans_are_what_its_entities_allow(sentences: list[list[tuple[str, str]]]) -> None:
    true, tags = world(sentences)
    gold, entities, orphans = stored(true, tags)
    assert rescore.misplaced(gold, entities) == ""
    answer = rescore.answer(gold, entities, TYPES)
    assert answer.exact == {"word-strict": true.compare(tags, "word-strict")}
    assert answer.by_sentence["word-strict"].tolist() == true.per_sentence(tags, "word-strict").tolist()
    known = rescore.answer(gold, entities, TYPES, orphans)
    for profile in WORDS:
        for kind in measure.kinds(profile, TYPES):
            ranges, values = (dict(one.may_be(profile, kind)) for one in (answer, known))
            assert ranges.keys() == values.keys()
            assert all(may.low <= values[name].low <= may.high for name, may in ranges.items()), (profile, ranges)
    assert list(answer.may_be("subword-lenient", "PER")) == []
    assert dict(answer.may_be("tag-accuracy", TAG))


@given(SENTENCES)
def test_without_orphans_the_bounds_hold_the_strict_counts(sentences: list[list[tuple[str, str]]]) -> None:
    true, tags = world(sentences)
    gold, entities, _ = stored(true, tags)
    answer = rescore.answer(gold, entities, TYPES)
    for kind in TYPES:
        strict = {name: may.low for name, may in answer.may_be("word-strict", kind)}
        for name, may in answer.may_be("word-lenient", kind):
            assert may.low <= strict[name] <= may.high


@pytest.mark.parametrize("language", ["wikiann:yo", "wikiann:sw", "masakhaner:amh"])
def test_counts_of_real_data_are_those_of_seqeval(language: str, nerdata: Path) -> None:
    card, code = catalogue.load().language(language)
    types = ("PER", "ORG", "LOC")
    harmonize = {"DATE": "O"} if card.name == "masakhaner" else {}
    places = Places(nerdata, nerdata / "no-cache", offline=True)
    own = read(card, code, "test", places, types=types, harmonize=harmonize)
    names, lengths = tag_names(types), [len(sentence.tags) for sentence in own.sentences]
    true = scorer(measure.tag_ids(own, names), lengths, types)
    draw = np.random.default_rng(1)
    tags = np.where(draw.random(len(true.tags)) < 0.8, true.tags, draw.integers(0, len(names), len(true.tags)))
    gold, entities, orphans = stored(true, tags)
    assert len(orphans.start) > 20
    answer = rescore.answer(gold, entities, types, orphans)
    said = [[names[tag] for tag in one] for one in np.split(tags, gold.offsets[1:-1])]
    for profile in ("word-strict", "word-lenient"):
        total = micro(answer.exact[profile])
        reading = measure.RULES[profile].reading
        expected = seqeval_scores([list(one.tags) for one in own.sentences], said, reading, "micro")
        assert (total.precision, total.recall, total.f1, total.support) == pytest.approx((*expected[:3], total.support))
    assert answer.exact["tag-accuracy"][TAG].tp == (tags == true.tags).sum()


GOLD = Gold(np.array([1, 2, 0, 3, 0], np.int64), np.array([0, 3, 5]))


@pytest.mark.parametrize(
    ("entity", "said"),
    [
        ((0, 0, 2, 0), ""),
        ((1, 0, 1, 1), ""),
        ((0, 0, 4, 0), "an entity of sentence 0 lies outside of it (words 0-4 of 3)"),
        ((1, 2, 3, 0), "an entity of sentence 1 lies outside of it (words 2-3 of 2)"),
        ((0, -1, 2, 0), "an entity of sentence 0 lies outside of it (words -1-2 of 3)"),
        ((0, 1, 1, 0), "an entity of sentence 0 lies outside of it (words 1-1 of 3)"),
        ((0, 2, 1, 0), "an entity of sentence 0 lies outside of it (words 2-1 of 3)"),
        ((2, 0, 1, 0), "an entity lies in sentence 2 of 2"),
        ((-1, 0, 1, 0), "an entity lies in sentence -1 of 2"),
        ((0, 0, 1, -1), "an entity of sentence 0 is of a type that is not scored"),
        (
            (0, -(2**63), 2**63 - 1, 0),
            f"an entity of sentence 0 lies outside of it (words {-(2**63)}-{2**63 - 1} of 3)",
        ),
        ((2**62, 0, 1, 0), f"an entity lies in sentence {2**62} of 2"),
    ],
)
def test_entities_lie_in_their_sentences(entity: tuple[int, ...], said: str) -> None:
    assert rescore.misplaced(GOLD, Predicted(*(np.array([one]) for one in entity))) == said


@pytest.mark.parametrize("second", [(0, 1), (0, 2), (1, 2), (1, 3)])
def test_entities_do_not_share_words(second: tuple[int, int]) -> None:
    start, end = second
    two = Predicted(np.array([0, 0]), np.array([start, 0]), np.array([end, 2]), np.array([1, 0]))
    assert rescore.misplaced(GOLD, two) == "two entities of sentence 0 share a word"
    apart = Predicted(np.array([0, 0]), np.array([2, 0]), np.array([3, 2]), np.array([0, 0]))
    assert rescore.misplaced(GOLD, apart) == ""


@pytest.mark.parametrize(
    ("orphan", "said"),
    [
        ((0, 2, 3, 1), ""),  # right behind an entity of another type
        ((1, 0, 1, 0), ""),  # at the beginning of a sentence, of the type that the one before ends with
        ((1, 1, 2, 1), ""),
        ((0, 2, 3, 0), "an orphan of sentence 0 goes on with what is before it, which is of its type"),
        ((0, 1, 3, 1), "an entity and an orphan of sentence 0 share a word"),
        ((0, 0, 2, 0), "an entity and an orphan of sentence 0 share a word"),
        ((0, 2, 4, 1), "an orphan of sentence 0 lies outside of it (words 2-4 of 3)"),
        ((2, 0, 1, 1), "an orphan lies in sentence 2 of 2"),
        ((0, 2, 3, -1), "an orphan of sentence 0 is of a type that is not scored"),
    ],
)
def test_orphans_begin_where_nothing_goes_on(orphan: tuple[int, ...], said: str) -> None:
    entity = Predicted(*(np.array([one]) for one in (0, 0, 2, 0)))
    assert rescore.misplaced(GOLD, entity, Predicted(*(np.array([one]) for one in orphan))) == said


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ((1, 1, 2, 1), "an orphan of sentence 1 goes on with what is before it, which is of its type"),
        ((1, 0, 2, 1), "two orphans of sentence 1 share a word"),
        ((1, 1, 2, 0), ""),
    ],
)
def test_orphans_do_not_go_on_with_each_other(second: tuple[int, ...], said: str) -> None:
    two = Predicted(*(np.array(pair) for pair in zip(second, (1, 0, 1, 1), strict=True)))
    assert rescore.misplaced(GOLD, rescore.NOTHING, two) == said


def test_an_entity_may_follow_on_anything() -> None:
    entity, orphan = (Predicted(*(np.array([one]) for one in span)) for span in ((0, 1, 3, 0), (0, 0, 1, 0)))
    assert rescore.misplaced(GOLD, entity, orphan) == ""
