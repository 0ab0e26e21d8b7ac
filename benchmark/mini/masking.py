"""Lines of text as batches whose masked words are to be guessed."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from xner_bench.mini.tokenizer import LENGTH, MASK, PAD, SPECIAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer
    from torch import Tensor

    from xner_bench.mini.text import Line

# Shapes: R lines of a batch, L subwords of the longest of them, M masked subwords, T subwords of one line.

SUBWORDS = 900  # of a batch, padding included
POOL = 2_000  # lines that are sorted by length together, to save padding
SHARE = 0.3  # of the words, masked whole: what is left of a word gives it away
KEPT, RANDOM = 0.1, 0.1  # masked subwords that stay, or are swapped for random ones, as in BERT


class Subwords(NamedTuple):
    """One line for the encoder."""

    ids: NDArray[np.int64]  # (T,) special ones included
    word: NDArray[np.int64]  # (T,) the word that each is part of, -1 for special ones


class Masked(NamedTuple):
    """A batch with holes."""

    ids: Tensor  # (R, L)
    real: Tensor  # (R, L) 1 where a subword stands, 0 for padding
    places: Tensor  # (M,) of the masked subwords in the flattened rectangle
    answers: Tensor  # (M,) what stood there


def encode(lines: Sequence[Line], tokenizer: Tokenizer) -> list[Subwords]:
    """Subwords of each line; the rare line that is too long for the encoder loses its end."""
    found = []
    for encoding in tokenizer.encode_batch([line.words for line in lines], is_pretokenized=True):
        word = [-1 if word is None else word for word in encoding.word_ids]
        found.append(Subwords(np.array(encoding.ids[:LENGTH]), np.array(word[:LENGTH])))
    return found


def batches(lines: Sequence[Subwords], vocabulary: int, steps: int, seed: int) -> Iterator[Masked]:
    """So many random batches of lines of like length, epoch after epoch, masked anew each time."""
    rng = np.random.default_rng(seed)
    for chosen in islice(_endless(lines, rng), steps):
        yield mask([lines[at] for at in chosen], vocabulary, rng)


def _endless(lines: Sequence[Subwords], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Lines of one batch after another, each epoch in a new order."""
    lengths = np.array([len(line.ids) for line in lines])
    while True:
        order = rng.permutation(len(lines))
        for start in range(0, len(order), POOL):
            pool = order[start : start + POOL]
            rising = pool[np.argsort(lengths[pool], kind="stable")]
            parts = np.split(rising, _cuts(lengths[rising]))
            for at in rng.permutation(len(parts)):
                yield parts[at]


def _cuts(rising: NDArray[np.int64]) -> list[int]:
    """Where to cut lines of rising length into batches that fill SUBWORDS."""
    cuts, start = [], 0
    for at, length in enumerate(rising.tolist()):
        if (at + 1 - start) * length > SUBWORDS and at > start:
            cuts.append(at)
            start = at
    return cuts


def mask(lines: Sequence[Subwords], vocabulary: int, rng: np.random.Generator) -> Masked:
    """Pad lines to a rectangle and hide some of their words, at least one a line."""
    width = max(len(line.ids) for line in lines)
    ids = np.full((len(lines), width), SPECIAL.index(PAD))
    real, hidden = np.zeros_like(ids), np.zeros_like(ids, dtype=bool)
    for row, line in enumerate(lines):
        ids[row, : len(line.ids)] = line.ids
        real[row, : len(line.ids)] = 1
        hidden[row, : len(line.ids)] = _hidden(line.word, rng)
    places = np.flatnonzero(hidden)
    answers = ids.flat[places]
    fate = rng.random(len(places))
    others = rng.integers(len(SPECIAL), vocabulary, len(places))
    ids.flat[places] = np.select([fate < KEPT, fate < KEPT + RANDOM], [answers, others], SPECIAL.index(MASK))
    return Masked(*(torch.from_numpy(array) for array in (ids, real, places, answers)))


def _hidden(word: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """(T,) which subwords of a line are hidden: those of the words that are drawn."""
    drawn = rng.random(word.max() + 1) < SHARE
    drawn[rng.integers(len(drawn))] |= not drawn.any()
    return np.where(word >= 0, drawn[word], False)
