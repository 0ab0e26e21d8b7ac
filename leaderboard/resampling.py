"""Random samples of seeds and sentences, and random halves of sentences: the same for a seed and a name, anywhere."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHUNK = 1 << 18  # random numbers at once: what fits into a core's cache
# Shapes: D draws.


def stream(seed: int, *names: object) -> np.random.Generator:
    """Random numbers that follow from a seed and some names."""
    words = sha256("\0".join(map(str, (seed, *names))).encode()).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(words[:16], "little")))


def resamples(random: np.random.Generator, draws: int, size: int) -> Iterator[NDArray[np.float32]]:
    """How often each of `size` things is in a sample of as many, (D, size), some draws at a time."""
    for rows in _chunks(draws, size):
        times = np.empty((rows, size), np.float32)
        for row in times:
            row[:] = np.bincount(random.integers(0, size, size), minlength=size)
        yield times


def swaps(random: np.random.Generator, draws: int, size: int) -> Iterator[NDArray[np.uint8]]:
    """1 where a sentence is swapped, else 0, (D, size), some draws at a time."""
    wide = 8 * -(-size // 64)  # bytes of a draw, whole words
    for rows in _chunks(draws, size):
        drawn = np.frombuffer(random.bytes(rows * wide), np.uint8).reshape(rows, wide)
        yield np.unpackbits(drawn, axis=1, count=size)


def _chunks(draws: int, size: int) -> Iterator[int]:
    rows = max(1, CHUNK // max(size, 1))
    yield from (min(rows, draws - at) for at in range(0, draws, rows))
