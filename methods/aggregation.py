"""The head of DLFA: two layers' states, mixed by a gate that looks at windows and at subwords, into a linear layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from xner_bench.head import Head, LinearHead, States

if TYPE_CHECKING:
    from xner_bench.method import Sizes
    from xner_bench.methods.dlfa import Dlfa

# Shapes: T subwords of a batch, W words, S windows, N rows of any kind, D features of a state.


class RowNorm(nn.BatchNorm1d):
    """Batch normalisation of rows (N, D), computed in the precision of its weights whatever comes in.

    One row alone has no variance: in training, too, it is then normalised with the running statistics, and leaves them
    as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)
        if not self.training or len(x) > 1:
            return super().forward(x)
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class Branch(nn.Sequential):
    """One side of the gate before the sigmoid, from rows (N, D) to as many."""

    def __init__(self, features: int, narrowed: int) -> None:
        super().__init__(
            *(_convolution(features, narrowed), RowNorm(narrowed), nn.ReLU()),
            *(_convolution(narrowed, features), RowNorm(features)),
        )

    def at_words(self, x: Tensor, states: States) -> Tensor:
        """What it says of each word (W, D), from the states of all subwords (T, D)."""
        raise NotImplementedError


class GlobalBranch(Branch):
    """Sees the mean state of each window (equation 1)."""

    def at_words(self, x: Tensor, states: States) -> Tensor:
        by_window: Tensor = self(means(x, states.subwords))
        return by_window.repeat_interleave(states.words.diff(), 0, output_size=len(states.first))


class LocalBranch(Branch):
    """Sees each subword (equation 2). In training all of them count, in tagging only those that decide."""

    def at_words(self, x: Tensor, states: States) -> Tensor:
        found: Tensor = self(x)[states.first] if self.training else self(x[states.first])
        return found


BRANCHES: dict[str, tuple[type[Branch], type[Branch]]] = {
    "both": (GlobalBranch, LocalBranch),
    "global": (GlobalBranch, GlobalBranch),
    "local": (LocalBranch, LocalBranch),
}


class FusedHead(Head):
    """See `Dlfa` for the formulas."""

    whole_batches = True  # parts of a batch have other statistics than the whole

    def __init__(self, sizes: Sizes, tags: int, settings: Dlfa) -> None:
        super().__init__()
        narrowed = sizes.hidden // settings.reduction
        first, second = BRANCHES[settings.branches]
        counts = settings.layers(sizes.depth)[0] < sizes.depth  # the last layer mixed with itself stays what it is
        self.first = first(sizes.hidden, narrowed).requires_grad_(counts)
        self.second = second(sizes.hidden, narrowed).requires_grad_(counts)
        self.scaled = settings.gate == "output"
        self.classifier = LinearHead(sizes, tags)

    def fused(self, states: States) -> Tensor:
        """The words' states, mixed from both layers (W, D)."""
        lower, last = states.at_words(0), states.at_words(1)
        return last + self.gate(states) * (lower - last)

    def gate(self, states: States) -> Tensor:
        """How much of the lower layer there is in each feature (W, D); from 0 to 1 unless it is scaled."""
        both = states.layers[0] + states.layers[1]
        x = both.to(self.classifier.linear.weight.dtype) / 2
        weight = (self.first.at_words(x, states) + self.second.at_words(x, states)).sigmoid()
        return x[states.first] * weight if self.scaled else weight

    def loss(self, states: States, tags: Tensor) -> Tensor:
        return self.classifier.loss(self._words_alone(states), tags)

    def decode(self, states: States) -> Tensor:
        return self.classifier.decode(self._words_alone(states))

    def _words_alone(self, states: States) -> States:
        """The same windows with the fused states, as if every subword was a word."""
        rows = torch.arange(len(states.first), device=states.first.device)
        return States((self.fused(states),), rows, states.words, states.words)


def means(x: Tensor, offsets: Tensor) -> Tensor:
    """Mean of each window's rows: (T, D) with offsets (S + 1,) to (S, D)."""
    lengths = offsets.diff()
    window = torch.arange(len(lengths), device=x.device).repeat_interleave(lengths, output_size=len(x))
    sums = x.new_zeros(len(lengths), x.shape[1]).index_add(0, window, x)
    return sums / lengths[:, None]


def _convolution(features: int, wanted: int) -> nn.Linear:
    made = nn.Linear(features, wanted, bias=False)
    nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
    return made
