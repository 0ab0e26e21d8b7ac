"""Exactly one tag for every word, and the same one however windows are laid out, joined or repeated."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any

import nerfiles
import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel

from xner_bench import batches, encode, predict
from xner_bench.layout import states
from xner_bench.method import Method
from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from xner_bench.encode import Encoded
    from xner_bench.encoder import Encoder
    from xner_bench.tagger import Tagger
    from xner_bench.watch import Advance

KINDS = tuple(tiny.KINDS)
THREE = ("bert", "roberta", "xlmr")  # one for each kind of tokenizer
Words = tuple[str, ...]


class Layers(Method):
    """Wants the embeddings' output, a lower layer and the last."""

    def layers(self, depth: int) -> tuple[int, ...]:
        return (0, 1, depth)


class Counting(Watch):
    """Counts what goes through the encoder."""

    total = 0
    seen = 0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        self.total = total

        def advance(amount: int, detail: str = "") -> None:
            self.seen += amount

        yield advance


def corpus() -> list[Words]:
    """Short sentences, some twice, one that is cut, one without words, invisible words."""
    some = tiny.corpus(seed=4, sentences=25)
    return [*some, *some[:9], some[3] * 30, (), ("\u200e",), ("Kano", "\u200e", "\ufeff", "Lagos", ""), ("Kan" * 60,)]


def encoded(encoder: Encoder, sentences: Sequence[Words]) -> Encoded:
    return encode.encode(sentences, tiny.subwords(encoder))


def one_by_one(tagger: Tagger, given: Encoded, every_subword: bool = False) -> NDArray[np.int64]:
    """Tags of windows that go through the encoder alone, by corpus subword; -1 where there is none."""
    found = np.full(len(given.ids), -1)
    with torch.inference_mode():
        for window in range(given.n_windows):
            batch = batches.lay_out(given, np.array([window]), every_subword)
            found[batch.place] = tagger.decode(batch).numpy()
    return found


def never_outside(tagger: Tagger) -> Tagger:
    """The same tagger, but no word that it sees gets the tag O."""
    linear = tagger.head.as_linear()
    assert linear is not None
    with torch.no_grad():
        linear.bias[0] = -1e6
    return tagger


@pytest.mark.parametrize("kind", KINDS)
def test_layouts_give_equal_states_and_tags(kind: str, encoders: tiny.Folders) -> None:
    """Packed and padded: in one rectangle, in groups of similar or equal length, and each window alone."""
    encoder = encoders.load(kind)
    tagger = tiny.tagger_for(encoder)
    given = encoded(encoder, corpus())
    everything = np.arange(given.n_windows)
    alone = [batches.lay_out(given, everything[window : window + 1], True) for window in everything]
    layouts = [
        alone,
        [batches.lay_out(given, everything, True, filled=0.0)],
        [batches.lay_out(given, everything, True, filled=0.75)],
        [batches.lay_out(given, everything, True)],
        list(batches.by_length(given, everything, 256, True)),
    ]
    assert len(layouts[1][0].groups) == 1 < len(layouts[2][0].groups) < len(layouts[3][0].groups)
    assert tagger.layout.packed
    states, tags = by_place(tagger, given, alone)
    for packed in (True, False):
        tagger.layout = tagger.layout._replace(packed=packed)
        for laid_out in layouts:
            other_states, other_tags = by_place(tagger, given, laid_out)
            torch.testing.assert_close(other_states, states, rtol=1e-5, atol=1e-5)
            assert torch.equal(other_tags, tags)


def by_place(tagger: Tagger, given: Encoded, laid_out: Sequence[batches.Batch]) -> tuple[torch.Tensor, torch.Tensor]:
    """States and tags of the corpus' subwords, in the corpus' order, however they went through the encoder."""
    states, tags = torch.zeros(len(given.ids), tiny.HIDDEN), torch.zeros(len(given.ids), dtype=torch.int64)
    with torch.inference_mode():
        for batch in laid_out:
            states[batch.place], tags[batch.place] = tagger.states(batch).at_words(), tagger.decode(batch)
    return states, tags


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_transformers_on_every_wanted_layer(kind: str, encoders: tiny.Folders) -> None:
    encoder = encoders.load(kind)
    tagger = tiny.tagger_for(encoder, Layers())
    theirs = AutoModel.from_pretrained(encoders[kind]).eval()
    sentences = [words for words in tiny.corpus(seed=5, sentences=12) if words]
    given = encoded(encoder, sentences)
    batch = batches.lay_out(given, np.arange(given.n_windows), False)
    longest_first = np.argsort(-np.diff(given.windows), kind="stable").tolist()
    with torch.inference_mode():
        ours = tagger.states(batch)
        for window, (start, end) in zip(longest_first, pairwise(batch.subwords.tolist()), strict=True):
            words = list(sentences[window])
            tokens = encoder.tokenizer(words, is_split_into_words=True, return_tensors="pt")
            hidden = theirs(**tokens, output_hidden_states=True).hidden_states
            assert len(hidden) == tiny.DEPTH + 1
            for layer, wanted in zip(ours.layers, (hidden[0], hidden[1], hidden[-1]), strict=True):
                torch.testing.assert_close(layer[start:end], wanted[0], rtol=1e-5, atol=1e-5)
        last = states(encoder.transformer, batch, (tiny.DEPTH,), tiny.DEPTH, tagger.layout)
        torch.testing.assert_close(last[0], ours.layers[-1])
        torch.testing.assert_close(ours.at_words(1), ours.layers[1][batch.first])


@pytest.mark.parametrize("kind", THREE)
def test_every_word_gets_the_tag_of_its_first_subword(kind: str, encoders: tiny.Folders) -> None:
    encoder = encoders.load(kind)
    tagger = never_outside(tiny.tagger_for(encoder))
    given = encoded(encoder, corpus())
    tags = predict.tag(tagger, predict.Pool({"some": given}), "fp32")["some"]
    assert tags.shape == (given.n_words,)
    assert np.array_equal(tags == 0, given.pieces == 0)  # O for a word that the encoder cannot see, and only for those
    alone = one_by_one(tagger, given)
    assert np.array_equal(tags[given.word[given.first]], alone[given.first])
    assert len(set(tags.tolist())) > 3


@pytest.mark.parametrize("kind", THREE)
def test_every_subword_is_tagged_on_request(kind: str, encoders: tiny.Folders) -> None:
    encoder = encoders.load(kind)
    tagger = tiny.tagger_for(encoder)
    given = encoded(encoder, corpus())
    tags = predict.tag(tagger, predict.Pool({"some": given, "more": given}, every_subword=True), "fp32")
    assert np.array_equal(tags["some"], tags["more"])
    assert np.array_equal(tags["some"], one_by_one(tagger, given, every_subword=True)[given.word >= 0])
    by_word = predict.tag(tagger, predict.Pool({"some": given}), "fp32")["some"]
    first_of_word = np.flatnonzero(given.first[given.word >= 0])
    assert np.array_equal(by_word[given.pieces > 0], tags["some"][first_of_word])


def test_windows_that_repeat_are_tagged_once(encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder)
    sentences = [words for words in tiny.corpus(seed=6, sentences=20, longest=9) if words]
    once, many = encoded(encoder, list(dict.fromkeys(sentences))), encoded(encoder, sentences * 5)
    watch = Counting()
    tags = predict.tag(tagger, predict.Pool({"a": many, "b": once, "c": many}), "fp32", watch=watch)
    assert watch.total == watch.seen == once.n_windows
    assert np.array_equal(tags["a"], np.tile(tags["a"][: many.n_words // 5], 5))
    assert np.array_equal(tags["a"], tags["c"])
    assert np.array_equal(tags["b"], predict.tag(tagger, predict.Pool({"b": once}), "fp32")["b"])


def test_windows_that_look_alike_but_differ_in_words_are_kept_apart(encoders: tiny.Folders) -> None:
    """Equal subwords may be one word or two; a repeated window must have its words in the same places."""
    encoder = encoders.load("bert")
    given = encoded(encoder, [("Kano", "."), ("Kano.",), ("Kano", ".")])
    first, second, third = np.split(given.ids, given.windows[1:-1])
    assert np.array_equal(first, second) and np.array_equal(first, third)
    windows, twin = predict.distinct(given)
    assert (windows.tolist(), twin) == ([0, 1], {2: 0})
    tags = predict.tag(never_outside(tiny.tagger_for(encoder)), predict.Pool({"a": given}), "fp32")["a"]
    assert (tags > 0).all() and np.array_equal(tags[:2], tags[3:])


@pytest.mark.parametrize("kind", THREE)
def test_corpora_are_tagged_together_as_alone(kind: str, encoders: tiny.Folders) -> None:
    encoder = encoders.load(kind)
    tagger = tiny.tagger_for(encoder)
    corpora = {
        "many": encoded(encoder, corpus()),
        "empty": encoded(encoder, []),
        "wordless": encoded(encoder, [(), ("\u200e",)]),
        "few": encoded(encoder, tiny.corpus(seed=8, sentences=5)),
    }
    together = predict.tag(tagger, predict.Pool(corpora), "fp32")
    assert list(together) == list(corpora)
    for name, one in corpora.items():
        assert np.array_equal(together[name], predict.tag(tagger, predict.Pool({name: one}), "fp32")[name])
    backwards = predict.tag(tagger, predict.Pool(dict(reversed(corpora.items()))), "fp32")
    assert all(np.array_equal(together[name], backwards[name]) for name in corpora)


@pytest.mark.parametrize("every_subword", [False, True])
def test_no_corpora_give_no_tags(every_subword: bool, encoders: tiny.Folders) -> None:
    tagger = tiny.tagger_for(encoders.load("bert"))
    assert predict.tag(tagger, predict.Pool({}, every_subword), "fp32") == {}


def test_tagging_switches_dropout_off_and_takes_no_gradient(encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder, dropout=0.9).train()
    given = encoded(encoder, corpus())
    first, second = (predict.tag(tagger, predict.Pool({"a": given}), "fp32")["a"] for _ in range(2))
    assert np.array_equal(first, second)
    assert all(parameter.grad is None for parameter in tagger.parameters())


def test_bfloat16_tags_every_word_too(encoders: tiny.Folders) -> None:
    encoder = encoders.load("xlmr")
    tagger = tiny.tagger_for(encoder)
    given = encoded(encoder, corpus())
    full, half = (predict.tag(tagger, predict.Pool({"a": given}), precision)["a"] for precision in ("fp32", "bf16"))
    assert half.shape == full.shape
    assert (half == full).mean() > 0.8


@given(
    st.lists(st.lists(st.lists(st.sampled_from(["a", "bb", "", "c"]), max_size=4), max_size=5), min_size=1, max_size=4)
)
@settings(deadline=None, max_examples=80)
def test_joined_corpora_are_their_parts_end_to_end(corpora: list[list[list[str]]]) -> None:
    parts = [made_up(corpus) for corpus in corpora]
    pool = predict.join(parts)
    whole = made_up([words for corpus in corpora for words in corpus])
    for column in ("ids", "word", "windows", "sentences", "first", "pieces"):
        assert np.array_equal(getattr(pool, column), getattr(whole, column)), column
    assert pool.cut_sentences == sum(part.cut_sentences for part in parts)


@given(st.lists(st.lists(st.sampled_from(["a", "bb", ""]), max_size=3), max_size=12))
@settings(deadline=None, max_examples=80)
def test_distinct_windows_and_their_twins_are_all_windows(sentences: list[list[str]]) -> None:
    given = made_up(sentences)
    windows, twin = predict.distinct(given)

    def content(window: int) -> tuple[Any, ...]:
        here = slice(int(given.windows[window]), int(given.windows[window + 1]))
        return given.ids[here].tolist(), given.first[here].tolist()

    assert sorted([*windows.tolist(), *twin]) == list(range(given.n_windows))
    assert all(content(copy) == content(original) and original < copy for copy, original in twin.items())
    assert all(content(one) != content(other) for one in windows for other in windows if one < other)


def made_up(sentences: Sequence[Sequence[str]]) -> Encoded:
    """One window a sentence, one subword a letter."""
    ids, word, windows = [], [], [0]
    for words in sentences:
        base = sum(map(len, sentences[: len(windows) - 1]))
        ids += [0, *(ord(letter) for one in words for letter in one), 1]
        word += [-1, *(base + n for n, one in enumerate(words) for _ in one), -1]
        windows.append(len(ids))
    return encode.Encoded(
        np.array(ids, np.int32), np.array(word, np.int64), np.array(windows), tiny.offsets([*map(len, sentences)]), 1
    )


@pytest.mark.parametrize("kind", THREE)
def test_every_word_of_a_sample_of_every_real_file_gets_one_tag(
    kind: str, nerdata: Path, encoders: tiny.Folders
) -> None:
    """A few sentences of each file, its longest, and all with words that nobody can see."""
    encoder = encoders.load(kind)
    samples = {str(path): nerfiles.sample(path) for path in nerfiles.paths(nerdata)}
    sentences = {name: [*found[:8], *found[nerfiles.FIRST :]] for name, found in samples.items()}
    given = {name: encoded(encoder, some) for name, some in sentences.items()}
    tags = predict.tag(never_outside(tiny.tagger_for(encoder)), predict.Pool(given), "fp32")
    for name, some in sentences.items():
        assert len(tags[name]) == sum(map(len, some))
        assert np.array_equal(tags[name] == 0, given[name].pieces == 0)


@pytest.mark.full
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("kind", THREE)
def test_every_word_of_every_real_file_gets_one_tag(kind: str, nerdata: Path, tmp_path: Path) -> None:
    """Every file whole, with a tokenizer trained on a part of them; prints the totals (pytest -s)."""
    files = nerfiles.paths(nerdata)
    text = [" ".join(words) for path in files for words in nerfiles.sample(path)[:100]]
    tokenizer = tiny.TOKENIZERS[tiny.KINDS[kind][1]](text, 8_000)
    encoder = tiny.Folders(tmp_path).load(tiny.write(kind, tmp_path / kind, tokenizer.to_str()).name)
    tagger = never_outside(tiny.tagger_for(encoder))
    start, sentences, words, unseen, cut = monotonic(), 0, 0, 0, 0
    for path in files:
        some = nerfiles.sentences(path)
        given = encoded(encoder, some)
        tags = predict.tag(tagger, predict.Pool({"all": given}), "fp32")["all"]
        assert len(tags) == sum(map(len, some))
        assert np.array_equal(tags == 0, given.pieces == 0)
        sentences, words = sentences + len(some), words + len(tags)
        unseen, cut = unseen + given.words_without_subwords, cut + given.cut_sentences
    print(
        f"\n{kind}: {len(files)} files, {sentences:,} sentences, {words:,} words, {unseen:,} without subwords, "
        f"{cut:,} sentences cut, {monotonic() - start:.0f} s"
    )
