"""The compact vocabulary: only the rows of the embedding that the training data uses are trained.

A multilingual encoder is mostly its embedding (XLM-R base: 192 of 278 million parameters), and a source's training data
uses one row in ten. The others have a gradient of zero in every step, so AdamW only makes them smaller, by the known
factor prod(1 - lr_t * weight_decay). Here they have neither gradient nor optimizer state, and get that factor when a
target needs them: the same numbers as with the whole table, without moving it through memory at every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from xner_bench import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import int32
    from numpy.typing import NDArray

    from xner_bench.layout import Layout

# Shapes: V subwords in the vocabulary, U of them used in training, D features of an embedding.

ROWS = 512  # of the table that are looked at together, where all are: few enough for a cache


class CompactEmbedding(nn.Module):
    """Stands where an encoder has its embedding of subwords, under the same names; `weight` has the used rows alone.

    Entries of the other rows can be pruned to zero, the smallest first. Shrinking alike they keep their order, so that
    the last one says which they are: without a mask of the table, and without a change to it.
    """

    prunable = False  # whether `limit` is looked at

    table: Tensor  # (V, D) as it was before training; the used rows are out of date in it
    row: Tensor  # (V,) which of the U rows a subword has; -1: none, it is not used in training
    factor: Tensor  # what the other rows have shrunk by so far (float64)
    limit: Tensor  # (2,) the last pruned entry of the other rows: `order` of what the table has, and place in the table

    def __init__(self, whole: nn.Embedding, used: Tensor) -> None:
        super().__init__()
        table = whole.weight.detach()
        row = torch.full((len(table),), -1, device=table.device)
        row[used] = torch.arange(len(used), device=table.device)
        self.weight = nn.Parameter(table[used], requires_grad=whole.weight.requires_grad)  # (U, D)
        self.padding = whole.padding_idx
        padding_row = -1 if self.padding is None else int(row[self.padding])
        self.padding_row = None if padding_row < 0 else padding_row  # gets no gradient
        # Not in checkpoints: it never changes.
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("row", row, persistent=False)
        self.register_buffer("factor", torch.ones((), dtype=torch.float64))
        self.register_buffer("limit", torch.tensor([0, -1]))

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings of subwords, (...) to (..., D); in training only of those that the training data uses."""
        row = self.row[ids]
        if self.training:
            return embedding(row, self.weight, self.padding_row)
        return torch.where((row < 0)[..., None], self.untrained(ids), self.weight[row.clamp_min(0)])

    def untrained(self, ids: Tensor) -> Tensor:
        """Embeddings of subwords that are not used in training, (...) to (..., D)."""
        before = self.table[ids]
        shrunk = self.shrunk(before)
        return shrunk.mul_(self.kept(ids, before)) if self.prunable else shrunk

    def shrunk(self, weights: Tensor) -> Tensor:
        """What entries of the table are now, if they are neither used in training nor pruned."""
        return weights * self.factor.to(self.table.dtype)

    def kept(self, ids: Tensor, before: Tensor) -> Tensor:
        """Which entries of such subwords are not pruned (..., D), where the table has this (..., D)."""
        magnitude, (bound, last) = order(before), self.limit.unbind()
        features = torch.arange(before.shape[-1], device=ids.device)
        ends = last + 1 - ids[..., None] * len(features)  # equal ones before it are pruned
        return (magnitude > bound) | ((magnitude == bound) & (features >= ends))

    def prune(self, magnitude: int, place: int) -> None:
        """Let entries of such subwords be pruned up to this one: by `order` of what the table has, then by place in the
        table, counted row after row. What is pruned stays so."""
        if [magnitude, place] > self.limit.tolist():
            self.limit.copy_(torch.tensor([magnitude, place]))

    def others(self) -> tuple[Tensor, ...]:
        """Subwords that are not used in training, some at a time."""
        parts: tuple[Tensor, ...] = (self.row < 0).nonzero().flatten().split(ROWS)
        return parts

    def used(self) -> Tensor:
        """Subwords that are, in the order of their rows (U,)."""
        ids = (self.row >= 0).nonzero().flatten()
        return ids[self.row[ids].argsort()]

    def decay(self, learning_rate: float, weight_decay: float) -> None:
        """What one step of AdamW does to all rows that are not used in training."""
        self.factor *= 1 - learning_rate * weight_decay

    @torch.no_grad()
    def whole(self) -> nn.Embedding:
        """The embedding with every row as it stands (V, D)."""
        weight = self.shrunk(self.table)
        for ids in self.others() if self.prunable else ():
            weight[ids] = self.untrained(ids)
        weight[self.used()] = self.weight
        whole = nn.Embedding(weight.shape[0], weight.shape[1], padding_idx=self.padding, device="meta")
        whole.weight = nn.Parameter(weight, requires_grad=self.weight.requires_grad)
        return whole


def order(weights: Tensor) -> Tensor:
    """Whole numbers in the order of the weights' magnitudes (int32): the bits of floats that are not negative."""
    return weights.abs().float().view(torch.int32)


def compact(transformer: Any, used: NDArray[int32], way: Layout, room: int) -> CompactEmbedding | None:
    """Put a compact embedding for the used subwords (U,) in the place of the encoder's own.

    None, and the encoder as it was, where the embedding serves for more than looking up subwords.
    """
    own = transformer.get_input_embeddings()
    if not _only_looked_up(transformer, own):
        return None
    before = layout.probe(transformer, way, room)
    made = CompactEmbedding(own, _rows(used, way.pad).to(own.weight.device))
    transformer.set_input_embeddings(made)
    try:
        if torch.equal(layout.probe(transformer, way, room), before):
            return made
    except torch.OutOfMemoryError:
        raise
    except Exception:  # whoever uses the weight otherwise finds too few rows
        pass
    transformer.set_input_embeddings(own)
    return None


def _rows(used: NDArray[int32], pad: int) -> Tensor:
    """Subwords that need a row (U,): those of the training data, and padding."""
    rows: Tensor = torch.tensor([*used.tolist(), pad]).unique()
    return rows


def expand(transformer: Any) -> None:
    """Give the encoder its whole embedding back, as it stands now; nothing where it has it anyway."""
    own = transformer.get_input_embeddings()
    if isinstance(own, CompactEmbedding):
        transformer.set_input_embeddings(own.whole())


def found(module: nn.Module) -> CompactEmbedding | None:
    """The compact embedding in a tagger, if it has one."""
    return next((one for one in module.modules() if isinstance(one, CompactEmbedding)), None)


def _only_looked_up(transformer: nn.Module, own: Any) -> bool:
    """A plain embedding that no other module holds, neither itself nor its weight."""
    plain = type(own) is nn.Embedding and own.max_norm is None and not own.sparse and not own.scale_grad_by_freq
    return plain and sum(weight is own.weight for weight in _weights(transformer)) == 1


def _weights(transformer: nn.Module) -> Iterator[nn.Parameter]:
    for _, module in transformer.named_modules(remove_duplicate=False):
        yield from module.parameters(recurse=False)
