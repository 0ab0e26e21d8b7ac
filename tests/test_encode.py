"""Words to subwords and back: every word is there once, whatever it is made of and however long its sentence."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import nerfiles
import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from xner_bench import encode
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from xner_bench.encode import Encoded, SubwordEncoder

KINDS = tuple(tiny.TOKENIZERS)
Words = tuple[str, ...]

word = st.one_of(
    st.sampled_from(tiny.NASTY),
    st.text(max_size=6),
    st.text(alphabet="\u200e\ufeff\u00a0\u0301 \u200dKanoé北👍", max_size=12),
)
sentences = st.lists(st.lists(word, max_size=8).map(tuple), max_size=5)


def fast(kind: str, changed: dict[str, Any] | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer of a kind; `changed` replaces parts of its tokenizer.json."""
    text = tiny.trained(kind)
    if changed:
        text = json.dumps({**json.loads(text), **changed})
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(text))


def encoder(kind: str, length: int = tiny.LENGTH) -> SubwordEncoder:
    return encode.subword_encoder(fast(kind), length)


def plain(corpus: Sequence[Words], subwords: SubwordEncoder) -> list[tuple[list[int], list[int]]]:
    """Subwords and word numbers of each sentence by the tokenizer alone, uncut."""
    found = [subwords.tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False) for words in corpus]
    return [(one.ids, one.word_ids) for one in found]


def windows(encoded: Encoded) -> list[tuple[list[int], list[int]]]:
    return [
        (encoded.ids[start:end].tolist(), encoded.word[start:end].tolist())
        for start, end in pairwise(encoded.windows.tolist())
    ]


def check(corpus: Sequence[Words], encoded: Encoded, subwords: SubwordEncoder) -> None:
    """All that must hold of an encoded corpus."""
    assert encoded.n_words == sum(map(len, corpus))
    assert np.diff(encoded.sentences).tolist() == [len(words) for words in corpus]
    deciding = np.bincount(encoded.word[encoded.first], minlength=encoded.n_words)
    assert np.array_equal(deciding, encoded.pieces > 0)  # one deciding subword a word, none for a word without
    assert encoded.words_without_subwords == encoded.n_words - int(encoded.first.sum())
    assert_windows(corpus, encoded, subwords)


def assert_windows(corpus: Sequence[Words], encoded: Encoded, subwords: SubwordEncoder) -> None:
    """Windows fit, have their special tokens, and joined again are the sentences, with nothing lost or added."""
    before, after = list(subwords.prefix), list(subwords.suffix)
    cut, remaining = 0, iter(windows(encoded))
    for (ids, numbers), base in zip(plain(corpus, subwords), encoded.sentences.tolist(), strict=False):
        joined_ids: list[int] = []
        joined_words: list[int] = []
        bounds = [0]
        while len(joined_ids) < len(ids) or len(bounds) == 1:
            own_ids, own_words = next(remaining)
            assert len(own_ids) <= subwords.length
            inner = slice(len(before), len(own_ids) - len(after))
            assert own_ids == [*before, *own_ids[inner], *after]
            assert own_words == [*[-1] * len(before), *own_words[inner], *[-1] * len(after)]
            joined_ids += own_ids[inner]
            joined_words += own_words[inner]
            bounds.append(len(joined_ids))
        assert joined_ids == ids
        assert joined_words == [base + number for number in numbers]
        assert_bounds(bounds, numbers, subwords.room)
        cut += len(bounds) > 2
    assert next(remaining, None) is None
    assert encoded.cut_sentences == cut


def assert_bounds(bounds: list[int], numbers: list[int], room: int) -> None:
    """Cut where a word begins, and only where the next word would not fit; inside only a word that is too long."""
    for start, end in pairwise(bounds[:-1]):
        if numbers[end] == numbers[end - 1]:
            assert end - start == room
            assert numbers[start] == numbers[end]  # the word fills the whole window
        else:
            next_word = numbers.count(numbers[end])
            assert end - start + next_word > room


@pytest.mark.parametrize("kind", KINDS)
@given(corpus=sentences, length=st.integers(8, 40))
@settings(deadline=None, max_examples=80)
def test_every_word_has_one_deciding_subword_or_none(kind: str, corpus: list[Words], length: int) -> None:
    subwords = encoder(kind, length)
    check(corpus, encode.encode(corpus, subwords), subwords)


@pytest.mark.parametrize("kind", KINDS)
def test_very_long_sentences_and_words_are_cut_and_nothing_is_lost(kind: str) -> None:
    subwords = encoder(kind)
    many = tuple(tiny.TEXT[n % len(tiny.TEXT)].split()[n % 4] for n in range(2_000))
    corpus = [("Kano",), many, ("Kan" * 1_000, "Kano"), tuple(tiny.NASTY), (), tiny.NASTY * 30]
    encoded = encode.encode(corpus, subwords)
    check(corpus, encoded, subwords)
    assert encoded.cut_sentences >= 3
    assert encoded.pieces[: 1 + len(many)].min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_nasty_word_alone_and_between_others(kind: str) -> None:
    subwords = encoder(kind)
    corpus = [words for word in tiny.NASTY for words in ((word,), ("Kano", word, "Kano"), (word, word))]
    encoded = encode.encode(corpus, subwords)
    check(corpus, encoded, subwords)
    seen = encoded.pieces[encoded.sentences[:-1:3]].tolist()
    gone = {word for word, pieces in zip(tiny.NASTY, seen, strict=True) if pieces == 0}
    assert gone <= {*tiny.INVISIBLE, "\ufffd", "\ue000", "▁"}  # whatever can be seen has a subword
    assert "" in gone
    assert ("\u200e" in gone) == (kind != "byte-level")


def test_words_without_subwords_are_counted() -> None:
    corpus = [("Kano", "\u200e", "Lagos", "\ufeff", ""), ("\u00a0",), ("Rhine",)]
    counts = {kind: encode.encode(corpus, encoder(kind)).words_without_subwords for kind in KINDS}
    assert counts == {"byte-level": 1, "word-piece": 4, "unigram": 4}


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_and_padding_in_the_tokenizers_file_do_not_matter(kind: str) -> None:
    cut = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    pad = {
        "strategy": {"Fixed": 30},
        "direction": "Right",
        "pad_id": 1,
        "pad_type_id": 0,
        "pad_token": "<pad>",
    }
    pad["pad_to_multiple_of"] = None
    spoilt = encode.subword_encoder(fast(kind, {"truncation": cut, "padding": pad}), tiny.LENGTH)
    corpus = [tuple(line.split()) for line in tiny.TEXT]
    ours, theirs = (encode.encode(corpus, one) for one in (spoilt, encoder(kind)))
    assert np.array_equal(ours.ids, theirs.ids)
    assert np.array_equal(ours.word, theirs.word)
    check(corpus, ours, spoilt)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokenizer_that_was_given_is_left_as_it_was(kind: str) -> None:
    tokenizer = fast(kind)
    before = tokenizer.backend_tokenizer.to_str()
    encode.subword_encoder(tokenizer, tiny.LENGTH)
    assert tokenizer.backend_tokenizer.to_str() == before


def test_a_byte_level_tokenizer_sees_a_space_before_every_word() -> None:
    subwords = encoder("byte-level")
    words = ("Kano", "Radio", "Kano", "2,000", "don't", "አዲስ")
    encoded = encode.encode([words], subwords)
    running = Tokenizer.from_str(tiny.trained("byte-level")).encode(" " + " ".join(words), add_special_tokens=False)
    assert encoded.ids[1:-1].tolist() == running.ids
    assert encoded.ids[encoded.word == 0].tolist() == encoded.ids[encoded.word == 2].tolist()


def digits_apart() -> Tokenizer:
    """Byte-level, but something else cuts words before it, as in Llama 3."""
    tokenizer = Tokenizer.from_str(tiny.trained("byte-level"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])
    return tokenizer


def space_as_a_letter() -> Tokenizer:
    """A space is a letter of the word after it, and a text begins without one, as in Gemma."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        tiny.TEXT, trainers.BpeTrainer(vocab_size=300, special_tokens=names, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


@pytest.mark.parametrize("made", [digits_apart, space_as_a_letter])
def test_words_of_other_tokenizers_are_those_of_running_text_too(made: Callable[[], Tokenizer]) -> None:
    tokenizer = made()
    subwords = encode.subword_encoder(PreTrainedTokenizerFast(tokenizer_object=tokenizer), tiny.LENGTH)
    for line in tiny.TEXT:
        uncut = [subword for ids, _ in plain([tuple(line.split())], subwords) for subword in ids]
        assert uncut == tokenizer.encode(" " + line, add_special_tokens=False).ids
    corpus = [tiny.NASTY, ("Kano", "", "Kano")]
    check(corpus, encode.encode(corpus, subwords), subwords)


@pytest.mark.parametrize("kind", KINDS)
def test_words_give_the_subwords_that_they_have_in_running_text(kind: str) -> None:
    subwords = encoder(kind)
    for line in tiny.TEXT:
        running = Tokenizer.from_str(tiny.trained(kind)).encode(" " + line, add_special_tokens=False)
        uncut = [subword for ids, _ in plain([tuple(line.split())], subwords) for subword in ids]
        assert uncut == running.ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_special_tokens_are_those_of_the_tokenizer(kind: str) -> None:
    subwords = encoder(kind)
    whole = subwords.tokenizer.encode(["Kano"], is_pretokenized=True).ids
    encoded = encode.encode([("Kano",), ()], subwords)
    assert encoded.ids[: len(whole)].tolist() == whole
    assert encoded.ids[len(whole) :].tolist() == [*subwords.prefix, *subwords.suffix]
    assert subwords.room == tiny.LENGTH - 2


def test_a_tokenizer_without_special_tokens_gives_no_window_for_an_empty_sentence() -> None:
    subwords = encode.subword_encoder(fast("word-piece", {"post_processor": None}), tiny.LENGTH)
    assert (subwords.prefix, subwords.suffix) == ((), ())
    encoded = encode.encode([("Kano",), ("\u200e",), (), ("Rhine", "Kano")], subwords)
    assert np.diff(encoded.windows).min() > 0
    assert encoded.first.sum() == 3
    assert (encoded.n_words, encoded.words_without_subwords) == (4, 1)


@pytest.mark.parametrize("corpus", [[], [()], [(), ("\u200e",), ()]])
def test_a_corpus_of_nothing(corpus: list[Words]) -> None:
    subwords = encoder("word-piece")
    encoded = encode.encode(corpus, subwords)
    check(corpus, encoded, subwords)
    assert encoded.n_windows == len(corpus)


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tiny.corpus(seed=3, sentences=50)
    whole = encode.encode(corpus, encoder("unigram"))
    monkeypatch.setattr(encode, "CHUNK", 7)
    parts = encode.encode(corpus, encoder("unigram"))
    assert np.array_equal(whole.ids, parts.ids)
    assert np.array_equal(whole.word, parts.word)


def test_a_tokenizer_without_a_word_map_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(XnerError, match=r"Slow has no tokenizer\.json"):
        encode.subword_encoder(Slow(), tiny.LENGTH)


@pytest.mark.parametrize("kind", KINDS)
def test_every_word_of_a_sample_of_every_real_file(kind: str, nerdata: Path) -> None:
    files = nerfiles.paths(nerdata)
    assert len(files) == 118
    subwords = encoder(kind)
    lost: dict[str, int] = {}
    for path in files:
        corpus = nerfiles.sample(path)
        encoded = encode.encode(corpus, subwords)
        flat = [word for words in corpus for word in words]
        deciding = np.bincount(encoded.word[encoded.first], minlength=encoded.n_words)
        assert np.array_equal(deciding, encoded.pieces > 0)
        assert len(deciding) == len(flat)
        assert np.diff(encoded.windows).max() <= subwords.length
        for number in np.flatnonzero(encoded.pieces == 0).tolist():
            lost[flat[number]] = lost.get(flat[number], 0) + 1
    assert all(not any(character.isalnum() for character in word) for word in lost)
    assert bool(lost) == (kind != "byte-level")
