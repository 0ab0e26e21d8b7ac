"""Words to subwords with a map back, so that every word of a corpus gets exactly one tag.

Nothing is dropped silently: a sentence beyond the encoder's length is cut at a word into windows, whose tags are joined
again; a word that gives no subword at all (invisible characters) is counted and keeps the tag O.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer, normalizers

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

# Shapes: S sentences, W words, T subwords of all windows (special tokens included), N windows.

CHUNK = 4_000  # sentences that are tokenized at once: enough for all cores, little enough for memory


@dataclass(frozen=True)
class Encoded:
    """A corpus as the encoder meets it. Holds no tags."""

    ids: NDArray[np.int32]  # (T,) subword ids of all windows, end to end
    word: NDArray[np.int64]  # (T,) the corpus word that a subword is part of; -1 for special tokens
    windows: NDArray[np.int64]  # (N + 1,) offsets into `ids`
    sentences: NDArray[np.int64]  # (S + 1,) offsets of the sentences' words
    cut_sentences: int  # sentences that needed more than one window

    @cached_property
    def first(self) -> NDArray[np.bool_]:
        """(T,) where a word begins: its first subword decides its tag, also if the word goes on in a second window."""
        reached = np.concatenate(([-1], np.maximum.accumulate(self.word)[:-1])) if len(self.word) else self.word
        return self.word > reached

    @cached_property
    def pieces(self) -> NDArray[np.int64]:
        """(W,) number of subwords of each word."""
        return np.bincount(self.word[self.word >= 0], minlength=self.n_words)

    @property
    def n_words(self) -> int:
        return int(self.sentences[-1])

    @property
    def n_windows(self) -> int:
        return len(self.windows) - 1

    @property
    def words_without_subwords(self) -> int:
        return int((self.pieces == 0).sum())


class SubwordEncoder(NamedTuple):
    """A tokenizer for pre-split words, with the special tokens that go around a window."""

    tokenizer: Tokenizer
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    length: int  # subwords that fit in a window, special tokens included

    @property
    def room(self) -> int:
        """Subwords of words that fit in a window."""
        return self.length - len(self.prefix) - len(self.suffix)


def subword_encoder(tokenizer: Any, length: int) -> SubwordEncoder:
    """Set up a transformers tokenizer for words that are split already.

    Truncation and padding that its file asks for are switched off, and words get the subwords that they have in running
    text. A tokenizer without a word map (not a fast one) is an XnerError.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise XnerError(
            f"the tokenizer {type(tokenizer).__name__} has no tokenizer.json; convert it with transformers first"
        )
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["truncation"] = state["padding"] = None
    for part in _parts(state["pre_tokenizer"]):
        if part.get("type") == "ByteLevel":
            part["add_prefix_space"] = False  # it would put one before each piece that another part has cut off a word
    fast = Tokenizer.from_str(json.dumps(state))
    if not _same_as_in_text(fast):
        own = [fast.normalizer] if fast.normalizer else []
        fast.normalizer = normalizers.Sequence([normalizers.Prepend(" "), *own])
    probe = fast.encode(["a"], is_pretokenized=True, add_special_tokens=True)
    inner = [at for at, special in enumerate(probe.special_tokens_mask) if not special]
    prefix, suffix = probe.ids[: inner[0]], probe.ids[inner[-1] + 1 :]
    return SubwordEncoder(fast, tuple(prefix), tuple(suffix), length)


def encode(sentences: Sequence[Sequence[str]], subwords: SubwordEncoder) -> Encoded:
    """Encode a corpus, given as the words of its sentences."""
    ids: list[int] = []
    word: list[int] = []
    windows = [0]
    cut = 0
    offsets = np.concatenate(([0], np.cumsum([len(words) for words in sentences], dtype=np.int64))).astype(np.int64)
    before, after = [-1] * len(subwords.prefix), [-1] * len(subwords.suffix)
    for at, (own_ids, own_words) in enumerate(_subwords(sentences, subwords.tokenizer)):
        bounds = _cut(own_words, subwords.room)
        cut += len(bounds) > 2
        base = int(offsets[at])
        for start, end in pairwise(bounds):
            ids += [*subwords.prefix, *own_ids[start:end], *subwords.suffix]
            word += [*before, *(base + w for w in own_words[start:end]), *after]
            if len(ids) > windows[-1]:  # without special tokens a sentence may be nothing at all
                windows.append(len(ids))
    return Encoded(np.array(ids, np.int32), np.array(word, np.int64), np.array(windows, np.int64), offsets, cut)


def _subwords(sentences: Sequence[Sequence[str]], tokenizer: Tokenizer) -> Iterator[tuple[list[int], list[int]]]:
    """Subword ids of each sentence and the word (from 0) that each is part of."""
    for start in range(0, len(sentences), CHUNK):
        chunk = [list(words) for words in sentences[start : start + CHUNK]]
        for encoding in tokenizer.encode_batch(chunk, is_pretokenized=True, add_special_tokens=False):
            yield encoding.ids, [word for word in encoding.word_ids if word is not None]


def _cut(words: list[int], room: int) -> list[int]:
    """Bounds of the windows of one sentence: as few as fit, cut where a word begins.

    A single word with more subwords than fit is cut inside.
    """
    bounds = [0]
    while len(words) - bounds[-1] > room:
        start = bounds[-1]
        end = start + room
        while end > start and words[end] == words[end - 1]:
            end -= 1
        bounds.append(end if end > start else start + room)
    return [*bounds, len(words)]


def _same_as_in_text(tokenizer: Tokenizer) -> bool:
    """Is a word the same alone and after a space? Byte-level tokenizers and some others mark the space on it."""
    alone: list[int] = tokenizer.encode(["a"], is_pretokenized=True, add_special_tokens=False).ids
    return bool(tokenizer.encode("a a", add_special_tokens=False).ids == alone + alone)


def _parts(pre_tokenizer: Any) -> Iterable[dict[str, Any]]:
    """A pre-tokenizer's description and, where it is a sequence, those inside."""
    if isinstance(pre_tokenizer, dict):
        yield pre_tokenizer
        for inner in pre_tokenizer.get("pretokenizers", ()):
            yield from _parts(inner)
