"""Batches: whichever way windows are laid out, the same subwords and words are in them."""

from __future__ import annotations

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
    from xner_bench.batches import Batch, Block
    from xner_bench.encode import Encoded

PAD = 99


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


def real_ids(batch: Batch) -> list[int]:
    """What the encoder is given, block after block, padding left out."""
    flat = [(block.ids.flatten(), block.take) for block in batch.blocks]
    return [int(one) for ids, take in flat for one in (ids if take is None else ids[take])]


def check(corpus: Encoded, batch: Batch, windows: list[int], every_subword: bool) -> None:
    """All that must hold of a batch of these windows."""
    windows = longest_first(corpus, windows)
    places = flat(corpus, windows)
    assert real_ids(batch) == corpus.ids[places].tolist()
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


def check_block(block: Block, lengths: list[int], filled: float) -> None:
    """A rectangle as wide as its longest window, none of the others much shorter, padded to the right."""
    assert block.ids.shape == (len(lengths), max(lengths))
    assert min(lengths) >= filled * max(lengths)
    real = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    if block.mask is None or block.take is None:
        assert bool(real.all())
        assert (block.mask, block.take) == (None, None)
    else:
        assert not real.all()
        assert torch.equal(block.mask.bool(), real)
        assert torch.equal(block.take, real.flatten().nonzero().flatten())
        assert set(block.ids[~real].tolist()) <= {PAD}


@given(st.data(), st.booleans(), st.sampled_from([0.0, 0.25, 0.75, 1.0]))
@settings(deadline=None, max_examples=60)
def test_a_batch_holds_its_windows_subwords(data: st.DataObject, every_subword: bool, filled: float) -> None:
    corpus = encoded()
    windows = data.draw(st.lists(st.integers(0, corpus.n_windows - 1), min_size=1, max_size=8))
    batch = batches.lay_out(corpus, np.array(windows), every_subword, PAD, filled)
    check(corpus, batch, windows, every_subword)
    lengths = np.diff(corpus.windows)[longest_first(corpus, windows)].tolist()
    for block in batch.blocks:
        own, lengths = lengths[: len(block.ids)], lengths[len(block.ids) :]
        check_block(block, own, filled)
        assert not lengths or lengths[0] < filled * max(own)  # no window is left out that would have fitted
    assert not lengths
    if filled == 0.0:
        assert len(batch.blocks) == 1


def test_every_subword_is_tagged_only_when_asked_for() -> None:
    corpus = encoded()
    windows = np.arange(corpus.n_windows)
    first, every = (batches.lay_out(corpus, windows, choice, PAD) for choice in (False, True))
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
    epoch = list(batches.shuffled(corpus, size, torch.Generator().manual_seed(1), every_subword, PAD))
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
        drawn = [list(batches.shuffled(corpus, 4, generator, False, PAD)) for _ in range(2)]
        return [[real_ids(batch) for batch in epoch] for epoch in drawn]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    assert epochs(1)[0] != epochs(1)[1]


@pytest.mark.parametrize("every_subword", [False, True])
@pytest.mark.parametrize("budget", [1, 20, 64, 10_000])
def test_batches_by_length_need_no_padding_and_keep_to_the_budget(budget: int, every_subword: bool) -> None:
    corpus = encoded()
    windows = np.random.default_rng(2).permutation(corpus.n_windows)[: corpus.n_windows // 2]
    places = []
    for batch in batches.by_length(corpus, windows, budget, every_subword):
        [block] = batch.blocks
        assert (block.mask, block.take, block.positions) == (None, None, None)
        rows, length = block.ids.shape
        assert rows * length <= budget or rows == 1
        places += batch.place.tolist()
    tagged = corpus.word >= 0 if every_subword else corpus.first
    assert sorted(places) == [at for at in sorted(flat(corpus, windows.tolist())) if tagged[at]]


def test_no_windows_give_no_batches() -> None:
    none = np.zeros(0, np.int64)
    assert list(batches.by_length(encoded(), none, 64, every_subword=False)) == []
    empty = encode.Encoded(none.astype(np.int32), none, np.zeros(1, np.int64), np.zeros(1, np.int64), 0)
    assert list(batches.shuffled(empty, 4, torch.Generator(), False, PAD)) == []


def test_a_batch_stays_what_it_is_on_its_own_device() -> None:
    corpus = encoded()
    batch = batches.lay_out(corpus, np.arange(3), False, PAD)
    assert batch.to(torch.device("cpu")) is batch
