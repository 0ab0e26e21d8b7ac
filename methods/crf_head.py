"""The head of CRF: the usual linear layer, and a chain over what it says of a window's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from xner_bench.head import Head, LinearHead
from xner_bench.methods import chain
from xner_bench.tags import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.head import States
    from xner_bench.method import Sizes

# Shapes: W words, C tags.


class CrfHead(Head):
    """See `Crf` for the formulas."""

    forbidden: Tensor  # (C, C) never decoded, from row to column

    def __init__(self, sizes: Sizes, tags: Sequence[str], constrained: bool, factor: float = 1.0) -> None:
        super().__init__()
        usual = LinearHead(sizes, len(tags))
        self.dropout, self.linear = usual.dropout, usual.linear
        self.factor = factor
        self.transitions = nn.Parameter(torch.zeros(len(tags), len(tags)))
        self.start = nn.Parameter(torch.zeros(len(tags)))
        self.end = nn.Parameter(torch.zeros(len(tags)))
        never = forbidden(tags) if constrained else torch.zeros(len(tags), len(tags), dtype=torch.bool)
        self.register_buffer("forbidden", never, persistent=False)

    def loss(self, states: States, tags: Tensor) -> Tensor:
        emissions = self.linear(self.dropout(states.at_words()))
        ring = chain.potentials(emissions, states.words, *self._edges())
        return (chain.log_partition(ring) - chain.score(ring, tags)) / len(tags)

    def decode(self, states: States) -> Tensor:
        emissions = self.linear(states.at_words())
        transitions, start, end = self._edges()
        transitions = transitions.masked_fill(self.forbidden, -torch.inf)
        start = start.masked_fill(self.forbidden[0], -torch.inf)  # a window begins as after O, tag 0
        ring = chain.potentials(emissions, states.words, transitions, start, end)
        return chain.best_path(ring).to(emissions.device)

    def _edges(self) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions (C, C), start and end (C,): `factor` times what is trained, with the gradients of once.

        A step of Adam is of the same size whatever the gradient's, so this is a factor on the learning rate.
        """
        trained = (self.transitions, self.start, self.end)
        transitions, start, end = (one + (self.factor - 1) * one.detach() for one in trained)
        return transitions, start, end


def forbidden(tags: Sequence[str]) -> Tensor:
    """Pairs of tags (C, C) that IOB2 forbids: I- of a type after anything but B- or I- of that type."""
    read = [parts(tag, "iob2") for tag in tags]
    return torch.tensor([[letter == "I" and type_ != before for letter, type_ in read] for _, before in read])
