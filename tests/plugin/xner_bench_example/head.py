"""The head of label smoothing: the usual one with another loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import cross_entropy

from xner_bench.head import LinearHead

if TYPE_CHECKING:
    from torch import Tensor

    from xner_bench.head import States
    from xner_bench.method import Sizes


class SmoothHead(LinearHead):
    """See `Smooth` for the formula."""

    def __init__(self, sizes: Sizes, tags: int, smoothing: float) -> None:
        super().__init__(sizes, tags)
        self.smoothing = smoothing

    def loss(self, states: States, tags: Tensor) -> Tensor:
        logits = self.linear(self.dropout(states.at_words())).float()
        return cross_entropy(logits, tags, label_smoothing=self.smoothing)
