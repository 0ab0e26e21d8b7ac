"""The head of SLICER: a linear layer that is trained slice by slice and decodes whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from xner_bench.head import LinearHead

if TYPE_CHECKING:
    from xner_bench.head import States
    from xner_bench.method import Sizes
    from xner_bench.methods.slicer import Slicer

# Shapes: W words, D features of a state, K slices of h features, C tags.


class SlicedHead(LinearHead):
    """See `Slicer` for the formulas."""

    def __init__(self, sizes: Sizes, tags: int, settings: Slicer) -> None:
        super().__init__(sizes, tags)
        self.h = settings.h
        self.shared_out = settings.bias == "shared_out"
        self.linear.weight.requires_grad_(settings.classifier == "trained")

    def slices(self, x: Tensor) -> Tensor:
        """Logits of each slice alone: (W, D) to (W, K, C)."""
        x_WKh = x.view(len(x), -1, self.h)
        weight_CKh = self.linear.weight.view(len(self.linear.weight), -1, self.h)
        bias = self.linear.bias / x_WKh.shape[1] if self.shared_out else self.linear.bias
        return torch.einsum("wkh,ckh->wkc", x_WKh, weight_CKh) + bias

    def loss(self, states: States, tags: Tensor) -> Tensor:
        logits = self.slices(self.dropout(states.at_words())).float()
        return cross_entropy(logits.flatten(0, 1), tags.repeat_interleave(logits.shape[1]))
