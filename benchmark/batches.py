"""Which windows go through the encoder together.

A batch is its windows end to end, the longest first, without padding. Windows of like length follow one another in
groups, because attention, which looks at one window at a time, takes a group at once.
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

# Shapes: T subwords of a batch (special tokens included, padding never), W words that get a tag, S windows.


@dataclass(frozen=True)
class Group:
    """Neighbouring windows of like length, as a rectangle with one window a row."""

    rows: int
    length: int  # of the longest
    places: Tensor | None  # place (row * length + column) of each subword of the group; None: the rectangle is full

    @property
    def subwords(self) -> int:
        return self.rows * self.length if self.places is None else len(self.places)


@dataclass(frozen=True)
class Batch:
    """Some windows of a corpus, end to end."""

    ids: Tensor  # (T,) subword ids
    positions: Tensor  # (T,) of each subword in its window, from 0
    groups: tuple[Group, ...]  # all windows, in order
    first: Tensor  # (W,) which of the T subwords get a tag
    subwords: Tensor  # (S + 1,) offsets of the windows in T
    words: Tensor  # (S + 1,) offsets of the windows in W
    word: NDArray[np.int64]  # (W,) the corpus word that each of them stands for
    place: NDArray[np.int64]  # (W,) the corpus subword that each of them is

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        if device.type == "cpu":
            return self
        groups = tuple(_moved(group, device) for group in self.groups)
        return _moved(replace(self, groups=groups), device)


Moved = TypeVar("Moved", Group, Batch)


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
    budget: int,
    filled: float = 1.0,
) -> Iterator[tuple[Batch, ...]]:
    """One epoch of random batches of `size` windows with words each, the last one smaller.

    Each batch comes in as many parts as the budget of subwords asks for, which is nearly always one.
    """
    windows = with_words(encoded, every_subword)
    order = windows[torch.randperm(len(windows), generator=generator).numpy()]
    for start in range(0, len(order), size):
        yield tuple(by_length(encoded, order[start : start + size], budget, every_subword, filled))


def by_length(
    encoded: Encoded, windows: NDArray[np.int64], budget: int, every_subword: bool, filled: float = 1.0
) -> Iterator[Batch]:
    """The windows, longest first, in batches of at most `budget` subwords; a longer window is a batch of its own."""
    length = np.diff(encoded.windows)[windows]
    order = np.argsort(-length, kind="stable")
    windows, ends = windows[order], np.cumsum(length[order])
    start = 0
    while start < len(windows):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + budget, side="right")))
        yield lay_out(encoded, windows[start:end], every_subword, filled)
        start = end


def lay_out(encoded: Encoded, windows: NDArray[np.int64], every_subword: bool, filled: float = 1.0) -> Batch:
    """Some windows as a batch, longest first; `every_subword` tags all subwords of a word, not only its first.

    A group's windows are at least `filled` as long as its longest one: with 1 they are all of one length.
    """
    windows, length = _longest_first(encoded, windows)
    subwords = np.concatenate(([0], np.cumsum(length)))
    positions = np.arange(subwords[-1]) - np.repeat(subwords[:-1], length)
    place = np.repeat(encoded.windows[windows], length) + positions  # (T,) in the corpus
    tagged = encoded.word[place] >= 0 if every_subword else encoded.first[place]
    return Batch(
        ids=torch.from_numpy(encoded.ids[place].astype(np.int64)),
        positions=torch.from_numpy(positions),
        groups=tuple(_groups(length, filled)),
        first=torch.from_numpy(np.flatnonzero(tagged)),
        subwords=torch.from_numpy(subwords),
        words=torch.from_numpy(np.concatenate(([0], np.cumsum(tagged)))[subwords]),
        word=encoded.word[place[tagged]],
        place=place[tagged],
    )


def alone(batch: Batch) -> tuple[Group, ...]:
    """The batch's windows, each a group of its own."""
    return tuple(Group(1, length, None) for length in batch.subwords.diff().tolist())


def _longest_first(encoded: Encoded, windows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    length = encoded.windows[windows + 1] - encoded.windows[windows]
    order = np.argsort(-length, kind="stable")
    return windows[order], length[order]


def _groups(length: NDArray[np.int64], filled: float) -> Iterator[Group]:
    """Cut windows of falling lengths (S,) where one is shorter than `filled` of its group's longest."""
    start = 0
    while start < len(length):
        longest = int(length[start])
        end = int(np.searchsorted(-length, -filled * longest, side="right"))
        own = length[start:end]
        yield Group(end - start, longest, None if own[-1] == longest else _places(own, longest))
        start = end


def _places(length: NDArray[np.int64], longest: int) -> Tensor:
    real = np.arange(longest) < length[:, None]  # (rows, longest)
    return torch.from_numpy(np.flatnonzero(real))
