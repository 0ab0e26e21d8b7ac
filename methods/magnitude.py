"""The smallest weights, exactly: so many by magnitude, the earlier ones among equals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xner_bench.vocabulary import order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BITS = 16  # of a key that are looked at together: numbers of keys by them fit in a cache


def keys(weight: Tensor, kept: Tensor) -> Tensor:
    """Whole numbers in the order of magnitudes (int32, in the weight's shape), from 1; 0 where it is pruned already."""
    return order(weight.detach()).add_(1).mul_(kept)


def smallest(keys: Tensor, number: int) -> Tensor:
    """Where the `number` smallest keys are (bool, in their shape)."""
    if number == 0:
        return torch.zeros_like(keys, dtype=torch.bool)
    bound, below = ranked(lambda: [keys], number)
    chosen = (keys < bound).flatten()
    equal = (keys == bound).flatten().nonzero().flatten()
    chosen[equal[: number - below]] = True
    return chosen.view(keys.shape)


def ranked(pieces: Callable[[], Iterable[Tensor]], rank: int) -> tuple[int, int]:
    """The key at a rank (from 1) among those of all pieces, and how many are below it.

    Looks at all pieces twice, one at a time, and needs memory for one: no matter how many there are.
    """
    high, before = _digit((piece >> BITS for piece in pieces()), rank)
    low_bits = (piece[piece >> BITS == high] & (2**BITS - 1) for piece in pieces())
    low, within = _digit(low_bits, rank - before)
    return high << BITS | low, before + within


def _digit(digits: Iterable[Tensor], rank: int) -> tuple[int, int]:
    """The number of 16 bits at a rank, and how many are below it."""
    count = torch.zeros(2**BITS, dtype=torch.int64)
    for some in digits:
        count += torch.bincount(some.flatten(), minlength=len(count)).cpu()
    total = count.cumsum(0)
    found = int(torch.searchsorted(total, rank))
    return found, int(total[found] - count[found])
