"""The limit: what the matrix products of a fine-tuning step take alone, for real subwords only.

Measured in each way that torch has to multiply fp32 matrices on a CPU: the fastest is the limit.
"""

from __future__ import annotations

from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from xner_bench import products

if TYPE_CHECKING:
    from collections.abc import Sequence

REPEATS = 1  # each layer is measured so often in a round, once more to warm up; the median of rounds counts

# Shapes: T subwords, D inputs of a layer, E outputs.


WAYS = {"torch": torch.nn.functional.linear, "oneDNN": products.product}


def ways() -> list[str]:
    """Libraries that this torch can multiply fp32 matrices with."""
    return ["torch", "oneDNN"] if products.available() else ["torch"]


class Products:
    """The products of every linear layer, forward and backward, at the batches' numbers of subwords."""

    def __init__(self, layers: Sequence[tuple[int, int]], subwords: Sequence[int], way: str) -> None:
        """`layers` (inputs, outputs) of each linear layer; `subwords` of each batch; `way` of `ways()`."""
        self.layers = Counter(layers)
        self.subwords = subwords
        self.product = WAYS[way]

    def __call__(self) -> list[float]:
        """Seconds of each batch."""
        return [sum(many * self._layer(T, *shape) for shape, many in self.layers.items()) for T in self.subwords]

    def _layer(self, T: int, D: int, E: int) -> float:
        """One layer: the output, the gradient of its input, the gradient of its weight."""
        x, weight, bias, gradient = torch.randn(T, D), torch.randn(E, D), torch.randn(E), torch.randn(T, E)
        measured = []
        for _ in range(REPEATS + 1):
            start = perf_counter()
            self.product(x, weight, bias)
            self.product(gradient, weight.t())
            self.product(gradient.t(), x.t())
            measured.append(perf_counter() - start)
        return float(np.median(measured[1:]))


def flops(layers: Sequence[tuple[int, int]], subwords: Sequence[int]) -> float:
    """Floating point operations: twice the multiplications, three products a layer."""
    return 3 * 2.0 * sum(inputs * outputs for inputs, outputs in layers) * sum(subwords)
