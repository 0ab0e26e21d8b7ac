"""Dropout on a CPU: torch draws one number at a time, and spends on it a tenth of a small encoder's step.

Here numpy draws sixteen bits for each element. Its generator is seeded from torch's for every mask, so that torch's
random state alone decides what is dropped.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

BITS = 16  # p is rounded to this many; the scale is that of the rounded one, so that the mean stays exactly what it was


def mask(like: Tensor, p: float) -> Tensor:
    """What a tensor is multiplied by: 0 where it is dropped, with probability p below 1, and else 1 / (1 - p)."""
    number, levels = like.numel(), 2**BITS
    source = np.random.SFC64(int(torch.randint(2**63 - 1, ())))
    drawn = torch.from_numpy(source.random_raw(-(-number * BITS // 64)).view(np.int16))[:number]
    dropped = min(round(p * levels), levels - 1)
    kept = torch.ge(drawn, dropped - levels // 2, out=torch.empty(number, dtype=like.dtype))
    return kept.mul_(levels / (levels - dropped)).view(like.shape)


class FastDropout(nn.Dropout):
    """Drops elements of its input, of any shape, in training."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p in (0.0, 1.0) or x.device.type != "cpu":
            return super().forward(x)
        return x * mask(x, self.p)


def install(module: nn.Module) -> None:
    """Let all dropout of an encoder or a head be drawn this way."""
    for one in module.modules():
        if type(one) is nn.Dropout:
            one.__class__ = FastDropout
