"""Encoder and head: the thing that is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from xner_bench import dropout
from xner_bench.head import States
from xner_bench.layout import states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.batches import Batch
    from xner_bench.head import Head
    from xner_bench.layout import Layout
    from xner_bench.method import Method, Sizes


class Tagger(nn.Module):
    """States from the encoder into the head; a batch in, a loss or tags out."""

    def __init__(self, transformer: nn.Module, head: Head, layers: tuple[int, ...], depth: int, layout: Layout) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head
        self.layers = layers
        self.depth = depth
        self.layout = layout

    @property
    def device(self) -> torch.device:
        return next(self.transformer.parameters()).device

    def loss(self, batch: Batch, tags: Tensor) -> Tensor:
        """Scalar loss of a batch; `tags` (W,) as in `batch.first`."""
        loss: Tensor = self.head.loss(self.states(batch), tags)
        return loss

    def decode(self, batch: Batch) -> Tensor:
        """Best tag id of each word of a batch (W,)."""
        best: Tensor = self.head.decode(self.states(batch))
        return best

    def states(self, batch: Batch) -> States:
        """What the head sees of a batch."""
        layers = states(self.transformer, batch, self.layers, self.depth, self.layout)
        return States(layers, batch.first, batch.subwords, batch.words)


def build(
    transformer: nn.Module, sizes: Sizes, method: Method, tags: Sequence[str], seed: int, layout: Layout
) -> Tagger:
    """Put a method's head on an encoder; the head's first weights follow from the seed alone."""
    torch.manual_seed(seed)
    head = method.head(sizes, tags)
    tagger = Tagger(transformer, head, method.layers(sizes.depth), sizes.depth, layout)
    dropout.install(tagger)
    return tagger


def prepare(tagger: Tagger, method: Method, seed: int) -> None:
    """Let a method make a fresh tagger ready for training; what it draws follows from the seed alone."""
    torch.manual_seed(seed)  # whatever has drawn since the head was made
    method.prepare(tagger)
    dropout.install(tagger)  # what was added drops like the rest
