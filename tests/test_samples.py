"""Which sentences few-shot fine-tuning learns from: nested, of 3 to 50 words, never one of the test split."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, get_args

import nerfiles
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from xner_bench import protocol, samples
from xner_bench.samples import LONGEST, SHORTEST, Drawn
from xner_bench.settings import Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Words = tuple[str, ...]
WAYS: tuple[Sampling, ...] = get_args(Sampling)

words = st.sampled_from(["Kano", "Lagos", "in", "the", "\u200b", ""])
sentences = st.lists(words, max_size=6).map(tuple)
long = st.integers(45, 55).map(lambda n: ("x",) * n)
corpora = st.lists(st.one_of(sentences, long), max_size=30)
seeds = st.integers(0, 2**63 - 1)


def distinct(size: int, length: int = 5) -> list[Words]:
    """So many sentences, each of other words."""
    return [tuple(f"w{at}-{n}" for n in range(length)) for at in range(size)]


@given(corpora, corpora, seeds)
def test_what_is_eligible(train: list[Words], test: list[Words], seed: int) -> None:
    found = samples.draw(train, test, "a:b", seed)
    for at, one in enumerate(train):
        visible = any(word not in ("", "\u200b") for word in one)
        wanted = SHORTEST <= len(one) <= LONGEST and visible and one not in test
        assert (at in found.eligible) == (wanted and one not in train[:at])
    assert len(set(found.eligible)) == len(found.eligible)
    assert len(found.eligible) + found.outside + found.overlapping + found.repeated == len(train)
    assert len({tuple(train[at]) for at in found.eligible}) == len(found.eligible)


@given(corpora, corpora, seeds)
def test_every_way_takes_the_same_sentences_in_its_own_order(train: list[Words], test: list[Words], seed: int) -> None:
    drawn = samples.draw(train, test, "a:b", seed)
    orders = {way: samples.ranked(drawn, train, way) for way in WAYS}
    assert all(sorted(order) == sorted(drawn.eligible) for order in orders.values())
    lengths = {way: [len(train[at]) for at in order] for way, order in orders.items()}
    assert lengths["shortest"] == sorted(lengths["random"])
    assert lengths["longest"] == sorted(lengths["random"], reverse=True)


@given(st.lists(st.integers(SHORTEST, SHORTEST + 2), min_size=2, max_size=20), seeds)
def test_of_equally_long_ones_the_first_at_random_is_taken(lengths: list[int], seed: int) -> None:
    train = [(f"x{at}",) * length for at, length in enumerate(lengths)]
    drawn = samples.draw(train, [], "a:b", seed)
    for way in ("shortest", "longest"):
        order = samples.ranked(drawn, train, way)
        for length in set(lengths):
            of_length = [at for at in order if lengths[at] == length]
            assert of_length == [at for at in drawn.eligible if lengths[at] == length]


def test_another_seed_or_language_draws_otherwise_and_the_same_draws_the_same() -> None:
    train = distinct(200)
    orders = {key: samples.draw(train, [], *key).eligible for key in (("a:b", 1), ("a:b", 2), ("a:c", 1))}
    assert len(set(orders.values())) == 3
    assert samples.draw(train, [], "a:b", 1).eligible == orders["a:b", 1]


def test_the_order_is_the_same_for_ever() -> None:
    train = distinct(12)
    assert samples.draw(train, [], "wikiann:sw", 42).eligible == (9, 0, 5, 10, 7, 6, 4, 8, 3, 2, 1, 11)
    lots = [hashlib.sha256(f'[42, "wikiann:sw", {at}]'.encode()).hexdigest() for at in (9, 0, 5, 11)]
    assert lots == sorted(lots)


def test_every_sentence_comes_first_about_as_often() -> None:
    train = distinct(5)
    firsts = [samples.draw(train, [], "a:b", seed).eligible[0] for seed in range(2_000)]
    counts = [firsts.count(at) for at in range(5)]
    assert all(abs(count - 400) < 100 for count in counts), "more than five standard deviations"


def test_what_is_drawn_does_not_hang_on_what_may_not_be() -> None:
    """The random order of the sentences that stay is the same, however many of the others the test split has."""
    train = distinct(50)
    every = samples.draw(train, [], "a:b", 7).eligible
    fewer = samples.draw(train, train[:20], "a:b", 7)
    assert fewer.eligible == tuple(at for at in every if at >= 20)
    assert fewer.overlapping == 20


def test_nothing_to_see_is_nothing_to_learn_from() -> None:
    train = [("\u200b", "\ufeff", " ", "\x00"), ("\u200b", "a", ""), ("", "", ""), ("👍", "\u200d", "\u00ad")]
    assert sorted(samples.draw(train, [], "a:b", 1).eligible) == [1, 3]


@pytest.mark.parametrize("kind", ["word-piece", "unigram", "byte-level"])
def test_what_is_eligible_has_a_subword(kind: str) -> None:
    tokenizer = tiny.TOKENIZERS[kind]()
    ordinary = dict.fromkeys(word for line in tiny.TEXT for word in line.split())
    train = [(word,) * 3 for word in ordinary]
    drawn = samples.draw(train, [], "a:b", 1)
    assert len(drawn.eligible) == len(train)
    for at in drawn.eligible:
        assert tokenizer.encode(list(train[at]), is_pretokenized=True, add_special_tokens=False).ids


def test_names_of_scores() -> None:
    for way in WAYS:
        assert protocol.shots(protocol.few_shot(way, 50)) == (way, 50)
    assert [protocol.shots(name) for name in ("last", "oracle", "few-shot", "few-shot-random-")] == [None] * 4


def real(nerdata: Path) -> list[tuple[str, Path, Path]]:
    """Corpora with their train and test files."""
    trains = [path for path in nerfiles.paths(nerdata) if path.stem == "train"]
    both = [(path, path.with_stem("test")) for path in trains]
    return [(f"{train.parent.parent.name}:{train.parent.name}", train, test) for train, test in both if test.exists()]


def test_real_data(nerdata: Path) -> None:
    found = {
        corpus: (nerfiles.sentences(train), set(nerfiles.sentences(test))) for corpus, train, test in real(nerdata)
    }
    assert found
    for corpus, (train, test) in found.items():
        drawn = samples.draw(train, test, corpus, 42)
        _check(drawn, train, test)
        assert len(drawn.eligible) > 0.5 * len(train) - 50, corpus
    assert any(samples.draw(train, test, "a:b", 42).overlapping for train, test in found.values()), "WikiANN has some"


def _check(drawn: Drawn, train: Sequence[Words], test: set[Words]) -> None:
    for way in WAYS:
        taken = samples.ranked(drawn, train, way)[:100]
        assert not {train[at] for at in taken} & test
        assert all(SHORTEST <= len(train[at]) <= LONGEST for at in taken)
