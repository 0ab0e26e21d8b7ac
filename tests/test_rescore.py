"""Stored entities against gold: word-strict counts exactly, the others within what they may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xner_bench import score
from xner_bench.leaderboard import rescore
from xner_bench.leaderboard.rescore import Gold, Predicted
from xner_bench.measure import TAG, tally
from xner_bench.tags import Converter, tag_names

TYPES = ("PER", "LOC")
NAMES = tag_names(TYPES)
SENTENCES = st.lists(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=7), max_size=6)


def world(sentences: list[list[tuple[str, str]]]) -> tuple[Gold, np.ndarray[Any, Any], Predicted]:
    """Sound gold, tags as some tagger may predict them, and what a run stores of these."""
    offsets = np.cumsum([0, *map(len, sentences)])
    mend = Converter("iob2", TYPES, {})
    gold = [tag for one in sentences for tag in mend(tuple(tag for tag, _ in one)).tags]
    gold_ids = np.array([NAMES.index(tag) for tag in gold], np.int64)
    tags = np.array([NAMES.index(tag) for one in sentences for _, tag in one], np.int64)
    spans = score.spans(tags, offsets, "strict")
    at = np.searchsorted(offsets, spans.start, side="right") - 1
    return Gold(gold_ids, offsets), tags, Predicted(at, spans.start - offsets[at], spans.end - offsets[at], spans.type)


def counts(gold: Gold, tags: np.ndarray[Any, Any], reading: score.Reading) -> dict[str, score.Counts]:
    both = (score.spans(one, gold.offsets, reading) for one in (gold.tags, tags))
    return dict(zip(TYPES, score.count(*both, len(TYPES)), strict=True))


@given(SENTENCES)
def test_counts_of_a_run_are_what_its_entities_allow(sentences: list[list[tuple[str, str]]]) -> None:
    gold, tags, stored = world(sentences)
    assert rescore.misplaced(gold, stored) == ""
    answer = rescore.answer(gold, stored, TYPES)
    assert answer.strict == counts(gold, tags, "strict")
    told = {("word-strict", kind): one for kind, one in counts(gold, tags, "strict").items()}
    told |= {("word-lenient", kind): one for kind, one in counts(gold, tags, "lenient").items()}
    told["tag-accuracy", TAG] = tally(gold.tags, tags)
    for (profile, kind), one in told.items():
        values = {**one._asdict(), "support": one.support}
        ranges = dict(answer.may_be(profile, kind))
        assert ranges.keys() == values.keys()
        assert all(may.low <= values[name] <= may.high for name, may in ranges.items()), (profile, ranges, values)
    assert answer.by_sentence.sum(axis=0).tolist() == [
        sum(column) for column in zip(*answer.strict.values(), strict=True)
    ]
    assert list(answer.may_be("subword-lenient", "PER")) == []


@given(SENTENCES)
def test_without_orphans_the_bounds_hold_the_strict_counts(sentences: list[list[tuple[str, str]]]) -> None:
    gold, _, stored = world(sentences)
    answer = rescore.answer(gold, stored, TYPES)
    for kind in TYPES:
        strict = {name: may.low for name, may in answer.may_be("word-strict", kind)}
        for name, may in answer.may_be("word-lenient", kind):
            assert may.low <= strict[name] <= may.high


LOWEST, HIGHEST = -(2**63), 2**63 - 1
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
