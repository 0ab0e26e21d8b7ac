"""Which windows go through the encoder together, and how they are laid out there.

A batch says two things: the rectangles that the encoder computes (its blocks), and what their real subwords are.
Heads only ever see the latter, end to end and without padding, so a layout may change without any method noticing it.

Sentences are short and one in a thousand is very long. Were a batch one rectangle, that one would make all others as
long (half of a random batch of 32 sentences is padding anyway, and 32 rows of 510 subwords need 10 GB to train six
layers). So a batch is cut into blocks of windows of similar length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xner_bench.encode import Encoded

# Shapes: R rows of L places that the encoder computes, T real subwords, W words that get a tag, S windows.

# A window goes into a block if it fills at least this share of the block's length. Many small blocks suit a CPU,
# whose time goes with the places computed; a GPU, whose time goes with the number of calls, takes few large ones.
FILLED = {"cpu": 0.75, "cuda": 0.25}


@dataclass(frozen=True)
class Block:
    """A rectangle that the encoder computes at once."""

    ids: Tensor  # (R, L) subword ids
    mask: Tensor | None  # (R, L) 1 where a subword stands, 0 for padding; None: no padding at all
    positions: Tensor | None  # (R, L) position of a subword in its window; None: as the encoder counts by itself
    take: Tensor | None  # places (row * L + column) of the real subwords, window after window; None: all in order


@dataclass(frozen=True)
class Batch:
    """Some windows of a corpus, laid out for the encoder; they follow one another as they do in the blocks."""

    blocks: tuple[Block, ...]
    first: Tensor  # (W,) which of the T subwords get a tag
    subwords: Tensor  # (S + 1,) offsets of the windows in T
    words: Tensor  # (S + 1,) offsets of the windows in W
    word: NDArray[np.int64]  # (W,) the corpus word that each of them stands for
    place: NDArray[np.int64]  # (W,) the corpus subword that each of them is

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        if device.type == "cpu":
            return self
        blocks = tuple(_moved(block, device) for block in self.blocks)
        return _moved(replace(self, blocks=blocks), device)


Moved = TypeVar("Moved", Block, Batch)


def _moved(holder: Moved, device: torch.device) -> Moved:
    tensors = {name: value for name, value in vars(holder).items() if isinstance(value, Tensor)}
    moved: dict[str, Any] = {name: value.to(device, non_blocking=True) for name, value in tensors.items()}
    return replace(holder, **moved)


def with_words(encoded: Encoded, every_subword: bool) -> NDArray[np.int64]:
    """Windows that can be trained on; the others hold only invisible words, or the end of a word that was cut."""
    tagged = encoded.word >= 0 if every_subword else encoded.first
    return np.unique(np.searchsorted(encoded.windows, np.flatnonzero(tagged), side="right") - 1)


def shuffled(
    encoded: Encoded,
    size: int,
    generator: torch.Generator,
    every_subword: bool,
    pad: int,
    filled: float = FILLED["cpu"],
) -> Iterator[Batch]:
    """One epoch of random batches of `size` windows with words each, the last one smaller."""
    windows = with_words(encoded, every_subword)
    order = windows[torch.randperm(len(windows), generator=generator).numpy()]
    for start in range(0, len(order), size):
        yield lay_out(encoded, order[start : start + size], every_subword, pad, filled)


def by_length(encoded: Encoded, windows: NDArray[np.int64], budget: int, every_subword: bool) -> Iterator[Batch]:
    """Batches of windows of exactly the same length, of at most `budget` subwords each: no padding and no mask."""
    for same in alike(encoded, windows, filled=1.0):
        rows = max(1, budget // int(encoded.windows[same[0] + 1] - encoded.windows[same[0]]))
        for start in range(0, len(same), rows):
            yield lay_out(encoded, same[start : start + rows], every_subword, pad=0)


def lay_out(
    encoded: Encoded, windows: NDArray[np.int64], every_subword: bool, pad: int, filled: float = FILLED["cpu"]
) -> Batch:
    """Some windows as a batch; `every_subword` tags all subwords of a word, not only its first.

    They are put in order of length, so that blocks hold windows of similar length: each at least `filled` of the
    longest.
    """
    groups = list(alike(encoded, windows, filled))
    blocks, places = zip(*(_block(encoded, group, pad) for group in groups), strict=True)
    place = np.concatenate(places)  # (T,) in the corpus
    ordered = np.concatenate(groups)
    subwords = np.concatenate(([0], np.cumsum(np.diff(encoded.windows)[ordered])))
    tagged = encoded.word[place] >= 0 if every_subword else encoded.first[place]
    return Batch(
        blocks=blocks,
        first=torch.from_numpy(np.flatnonzero(tagged)),
        subwords=torch.from_numpy(subwords),
        words=torch.from_numpy(np.concatenate(([0], np.cumsum(tagged)))[subwords]),
        word=encoded.word[place[tagged]],
        place=place[tagged],
    )


def alike(encoded: Encoded, windows: NDArray[np.int64], filled: float) -> Iterator[NDArray[np.int64]]:
    """Windows in groups of similar length, the longest first: none is shorter than `filled` of its group's longest."""
    length = np.diff(encoded.windows)[windows]
    order = np.argsort(-length, kind="stable")
    windows, length = windows[order], length[order]
    start = 0
    while start < len(windows):
        end = int(np.searchsorted(-length, -filled * length[start], side="right"))
        yield windows[start:end]
        start = end


def _block(encoded: Encoded, windows: NDArray[np.int64], pad: int) -> tuple[Block, NDArray[np.int64]]:
    """One window a row, padded to the longest; and which of the corpus' subwords the real ones are, row after row."""
    starts, ends = encoded.windows[windows], encoded.windows[windows + 1]
    length = ends - starts
    column = np.arange(int(length.max()))
    real = column < length[:, None]  # (R, L)
    source = np.where(real, starts[:, None] + column, starts[:, None])
    ids = torch.from_numpy(np.where(real, encoded.ids[source], pad).astype(np.int64))
    if real.all():
        return Block(ids, mask=None, positions=None, take=None), source.ravel()
    mask = torch.from_numpy(real.astype(np.int64))
    return Block(ids, mask, positions=None, take=torch.from_numpy(np.flatnonzero(real))), source[real]
