"""Which windows go through the encoder together, and how they are laid out there.

A batch says two things: the rectangle that the encoder computes (`ids`, `mask`, `positions`), and where in it the
windows' real subwords lie (`take`). Heads only ever see the latter, end to end and without padding, so a layout may
change without any method noticing it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xner_bench.encode import Encoded

# Shapes: R rows of L places that the encoder computes, T real subwords, W words that get a tag, S windows.


@dataclass(frozen=True)
class Batch:
    """Some windows of a corpus, laid out for the encoder."""

    ids: Tensor  # (R, L) subword ids
    mask: Tensor | None  # (R, L) 1 where a subword stands, 0 for padding; None: no padding at all
    positions: Tensor | None  # (R, L) position of a subword in its window; None: as the encoder counts by itself
    take: Tensor | None  # (T,) places (row * L + column) of the real subwords, window after window; None: all in order
    first: Tensor  # (W,) which of the T subwords get a tag
    subwords: Tensor  # (S + 1,) offsets of the windows in T
    words: Tensor  # (S + 1,) offsets of the windows in W
    word: NDArray[np.int64]  # (W,) the corpus word that each of them stands for
    place: NDArray[np.int64]  # (W,) the corpus subword that each of them is

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        if device.type == "cpu":
            return self
        moved: dict[str, Any] = {name: _moved(value, device) for name, value in vars(self).items()}
        return replace(self, **moved)


def _moved(value: object, device: torch.device) -> object:
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


def shuffled(encoded: Encoded, size: int, generator: torch.Generator, every_subword: bool, pad: int) -> Iterator[Batch]:
    """One epoch of random batches of `size` windows each, the last one smaller."""
    order = torch.randperm(encoded.n_windows, generator=generator).numpy()
    for start in range(0, len(order), size):
        yield lay_out(encoded, order[start : start + size], every_subword, pad)


def by_length(encoded: Encoded, windows: NDArray[np.int64], budget: int, every_subword: bool) -> Iterator[Batch]:
    """Batches of windows of exactly the same length, of at most `budget` subwords each: no padding and no mask."""
    length = np.diff(encoded.windows)[windows]
    ordered = windows[np.argsort(length, kind="stable")]
    for same in np.split(ordered, np.flatnonzero(np.diff(np.sort(length, kind="stable"))) + 1):
        rows = max(1, budget // int(encoded.windows[same[0] + 1] - encoded.windows[same[0]])) if len(same) else 1
        for start in range(0, len(same), rows):
            yield lay_out(encoded, same[start : start + rows], every_subword, pad=0)


def lay_out(encoded: Encoded, windows: NDArray[np.int64], every_subword: bool, pad: int) -> Batch:
    """One window a row, padded to the longest; `every_subword` tags all subwords of a word, not only its first."""
    starts, ends = encoded.windows[windows], encoded.windows[windows + 1]
    length = ends - starts
    width = int(length.max())
    column = np.arange(width)
    real = column < length[:, None]  # (R, L)
    source = np.where(real, starts[:, None] + column, starts[:, None])
    ids = np.where(real, encoded.ids[source], pad)
    flat = source[real]  # (T,) places in the corpus, window after window
    tagged = encoded.word[flat] >= 0 if every_subword else encoded.first[flat]
    subwords = np.concatenate(([0], np.cumsum(length)))
    full = bool(real.all())
    return Batch(
        ids=torch.from_numpy(ids.astype(np.int64)),
        mask=None if full else torch.from_numpy(real.astype(np.int64)),
        positions=None,
        take=None if full else torch.from_numpy(np.flatnonzero(real)),
        first=torch.from_numpy(np.flatnonzero(tagged)),
        subwords=torch.from_numpy(subwords),
        words=torch.from_numpy(np.concatenate(([0], np.cumsum(tagged)))[subwords]),
        word=encoded.word[flat[tagged]],
        place=flat[tagged],
    )
