"""Batches: whichever way windows are laid out, the same subwords and words are in them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from xner_bench import batches, encode

if TYPE_CHECKING:
    from xner_bench.batches import Batch, Group
    from xner_bench.encode import Encoded


def encoded(seed: int = 0, sentences: int = 30, length: int = 16) -> Encoded:
    """A corpus of short windows, of sentences cut in two, and of one without any word."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(tiny.trained("unigram")))
    corpus = [*tiny.corpus(seed, sentences), (), ("\u200e",), ("\u200e", "Kano", "\ufeff"), ("Kan" * 20, "Kano")]
    return encode.encode(corpus, encode.subword_encoder(tokenizer, length))


def flat(corpus: Encoded, windows: list[int]) -> list[int]:
    """Places of the windows' subwords in the corpus, window after window."""
    return [at for w in windows for at in range(int(corpus.windows[w]), int(corpus.windows[w + 1]))]


def longest_first(corpus: Encoded, windows: list[int]) -> list[int]:
    """The order in which a batch has its windows."""
    return sorted(windows, key=lambda window: corpus.windows[window] - corpus.windows[window + 1])


def check(corpus: Encoded, batch: Batch, windows: list[int], every_subword: bool) -> None:
    """All that must hold of a batch of these windows."""
    windows = longest_first(corpus, windows)
    places = flat(corpus, windows)
    assert batch.ids.tolist() == corpus.ids[places].tolist()
    assert batch.positions.tolist() == [at - start for at, start in zip(places, starts(corpus, windows), strict=True)]
    tagged = (corpus.word >= 0 if every_subword else corpus.first)[places]
    assert batch.first.tolist() == np.flatnonzero(tagged).tolist()
    assert batch.place.tolist() == np.array(places, np.int64)[tagged].tolist()
    assert batch.word.tolist() == corpus.word[batch.place].tolist()
    assert np.diff(batch.subwords.numpy()).tolist() == np.diff(corpus.windows)[windows].tolist()
    for s in range(len(windows)):  # offsets of words and of subwords tell the same windows
        inside = batch.first[batch.words[s] : batch.words[s + 1]]
        assert bool(((inside >= batch.subwords[s]) & (inside < batch.subwords[s + 1])).all())
    assert (batch.subwords[0], batch.words[0]) == (0, 0)
    assert (batch.subwords[-1], batch.words[-1]) == (len(places), len(batch.first))


def starts(corpus: Encoded, windows: list[int]) -> list[int]:
    """For each subword of the windows the place where its window begins."""
    return [int(corpus.windows[w]) for w in windows for _ in range(int(corpus.windows[w]), int(corpus.windows[w + 1]))]


def check_group(group: Group, lengths: list[int], filled: float) -> None:
    """A rectangle as wide as its longest window, none of the others much shorter, each at the left of its row."""
    assert (group.rows, group.length) == (len(lengths), max(lengths))
    assert min(lengths) >= filled * max(lengths)
    real = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    if group.places is None:
        assert bool(real.all())
    else:
        assert not real.all()
        assert torch.equal(group.places, real.flatten().nonzero().flatten())


@given(st.data(), st.booleans(), st.sampled_from([0.0, 0.25, 0.75, 1.0]))
@settings(deadline=None, max_examples=60)
def test_a_batch_holds_its_windows_subwords(data: st.DataObject, every_subword: bool, filled: float) -> None:
    corpus = encoded()
    windows = data.draw(st.lists(st.integers(0, corpus.n_windows - 1), min_size=1, max_size=8))
    batch = batches.lay_out(corpus, np.array(windows), every_subword, filled)
    check(corpus, batch, windows, every_subword)
    lengths = np.diff(corpus.windows)[longest_first(corpus, windows)].tolist()
    for group in batch.groups:
        own, lengths = lengths[: group.rows], lengths[group.rows :]
        check_group(group, own, filled)
        assert not lengths or lengths[0] < filled * max(own)  # no window is left out that would have fitted
    assert not lengths
    if filled == 0.0:
        assert len(batch.groups) == 1


def test_every_subword_is_tagged_only_when_asked_for() -> None:
    corpus = encoded()
    windows = np.arange(corpus.n_windows)
    first, every = (batches.lay_out(corpus, windows, choice) for choice in (False, True))
    assert len(first.first) == int((corpus.pieces > 0).sum())
    assert len(every.first) == int(corpus.pieces.sum()) > len(first.first)
    assert set(first.place.tolist()) < set(every.place.tolist())


@pytest.mark.parametrize("every_subword", [False, True])
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_an_epoch_has_every_window_with_words_once(size: int, every_subword: bool) -> None:
    corpus = encoded()
    tagged = corpus.word >= 0 if every_subword else corpus.first
    trained = [w for w in range(corpus.n_windows) if tagged[corpus.windows[w] : corpus.windows[w + 1]].any()]
    assert batches.with_words(corpus, every_subword).tolist() == trained
    assert len(trained) < corpus.n_windows
    epoch = [part for [part] in batches.shuffled(corpus, size, torch.Generator().manual_seed(1), every_subword, 10_000)]
    rows = [len(batch.subwords) - 1 for batch in epoch]
    assert sum(rows) == len(trained)
    assert all(n == size for n in rows[:-1])
    assert all(len(batch.first) for batch in epoch)  # a loss over no word would be no number
    places = sorted(place for batch in epoch for place in batch.place.tolist())
    assert places == np.flatnonzero(tagged).tolist()


def test_batches_follow_from_the_seed_and_differ_by_epoch() -> None:
    corpus = encoded()

    def epochs(seed: int) -> list[list[list[int]]]:
        generator = torch.Generator().manual_seed(seed)
        drawn = [list(batches.shuffled(corpus, 4, generator, False, 10_000)) for _ in range(2)]
        return [[batch.ids.tolist() for [batch] in epoch] for epoch in drawn]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    assert epochs(1)[0] != epochs(1)[1]


@pytest.mark.parametrize("every_subword", [False, True])
@pytest.mark.parametrize("budget", [1, 20, 64, 10_000])
def test_batches_by_length_keep_to_the_budget_and_use_it(budget: int, every_subword: bool) -> None:
    corpus = encoded()
    windows = np.random.default_rng(2).permutation(corpus.n_windows)[: corpus.n_windows // 2]
    found = list(batches.by_length(corpus, windows, budget, every_subword))
    lengths = [np.diff(batch.subwords.numpy()).tolist() for batch in found]
    for own, following in pairwise([*lengths, [budget + 1]]):
        assert sum(own) <= budget or len(own) == 1
        assert sum(own) + following[0] > budget
    flattened = [length for own in lengths for length in own]
    assert flattened == sorted(np.diff(corpus.windows)[windows].tolist(), reverse=True)
    tagged = corpus.word >= 0 if every_subword else corpus.first
    places = sorted(place for batch in found for place in batch.place.tolist())
    assert places == [at for at in sorted(flat(corpus, windows.tolist())) if tagged[at]]


@pytest.mark.parametrize("every_subword", [False, True])
def test_a_batch_in_parts_is_the_same_batch(every_subword: bool) -> None:
    corpus = encoded()
    whole, parts = (
        list(batches.shuffled(corpus, 9, torch.Generator().manual_seed(1), every_subword, budget))
        for budget in (10_000, 40)
    )
    assert {len(batch) for batch in whole} == {1} and max(len(batch) for batch in parts) > 2
    for [one], several in zip(whole, parts, strict=True):
        assert one.place.tolist() == [place for part in several for place in part.place.tolist()]
        assert all(len(part.first) for part in several)


def test_no_windows_give_no_batches() -> None:
    none = np.zeros(0, np.int64)
    assert list(batches.by_length(encoded(), none, 64, every_subword=False)) == []
    empty = encode.Encoded(none.astype(np.int32), none, np.zeros(1, np.int64), np.zeros(1, np.int64), 0)
    assert list(batches.shuffled(empty, 4, torch.Generator(), False, 64)) == []


def test_a_batch_stays_what_it_is_on_its_own_device() -> None:
    corpus = encoded()
    batch = batches.lay_out(corpus, np.arange(3), False)
    assert batch.to(torch.device("cpu")) is batch
