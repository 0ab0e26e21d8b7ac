"""What sits on the encoder: reads states, gives a loss in training and one tag a word afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from xner_bench.method import Sizes

# Shapes: T subwords of a batch (special tokens included, padding never), W labelled words, S windows, D features, C
# tags.


@dataclass(frozen=True)
class States:
    """What the encoder says of a batch: its windows end to end, without padding, however they were laid out."""

    layers: tuple[Tensor, ...]  # (T, D) each, in the order that the method asked for
    first: Tensor  # (W,) rows of each word's deciding (first) subword; of all subwords where each is tagged like a word
    subwords: Tensor  # (S + 1,) offsets: window s has the rows subwords[s] to subwords[s + 1]
    words: Tensor  # (S + 1,) offsets: window s has the words words[s] to words[s + 1] of `first`

    def at_words(self, layer: int = -1) -> Tensor:
        """States of the words' deciding subwords (W, D), from the given one of the wanted layers."""
        return self.layers[layer].index_select(0, self.first)


class Head(nn.Module):
    """Base of every head."""

    whole_batches = False  # True where the loss of a batch is no mean of losses of its parts: then it is never split

    def loss(self, states: States, tags: Tensor) -> Tensor:
        """Scalar loss, the mean over the batch's words; `tags` (W,) holds one tag id a word."""
        raise NotImplementedError

    def decode(self, states: States) -> Tensor:
        """Best tag id of each word (W,)."""
        raise NotImplementedError

    def as_linear(self) -> nn.Linear | None:
        """The linear layer on the last state that decodes exactly as this head does; None where there is none.

        With it a trained tagger is an ordinary token-classification model that anybody can load.
        """
        return None


class LinearHead(Head):
    """Dropout, one linear layer, cross-entropy: the usual head, drawn as transformers draws it."""

    def __init__(self, sizes: Sizes, tags: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(sizes.dropout)
        self.linear = nn.Linear(sizes.hidden, tags)
        nn.init.normal_(self.linear.weight, std=sizes.init_std)
        nn.init.zeros_(self.linear.bias)

    def loss(self, states: States, tags: Tensor) -> Tensor:
        return cross_entropy(self.linear(self.dropout(states.at_words())).float(), tags)

    def decode(self, states: States) -> Tensor:
        logits: Tensor = self.linear(states.at_words())
        return logits.argmax(-1)

    def as_linear(self) -> nn.Linear:
        return self.linear
