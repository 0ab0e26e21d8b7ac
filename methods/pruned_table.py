"""The smallest entries of a table of subwords of which training has only some rows (`CompactEmbedding`).

The others all shrink by one factor, so that the order of their magnitudes never changes: which of them are pruned is
said by the last one in that order.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from xner_bench.methods.magnitude import keys, ranked
from xner_bench.vocabulary import order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.vocabulary import CompactEmbedding

# Shapes: U subwords with a row that is trained, N some that have none, D features of an embedding, E entries that are
# equal.

FINITE = int(order(torch.tensor(torch.inf)))  # above what the magnitudes of all numbers are in order


def prune(embedding: CompactEmbedding, kept: Tensor, number: int) -> None:
    """Let the `number` smallest entries of the whole table be pruned: of trained rows in `kept` (U, D), of others in
    the embedding."""
    own = keys(embedding.weight, kept)
    bound, below = ranked(lambda: _pieces(embedding, own), number) if number else (0, 0)
    if bound == 0:  # no more than are pruned already
        return
    place = _equal(embedding, own, bound)[: number - below]
    row, column = embedding.row[place // own.shape[1]], place % own.shape[1]
    kept &= own >= bound
    kept[row[row >= 0], column[row >= 0]] = False
    embedding.prune(bisect_left(range(FINITE), bound, key=lambda magnitude: _key(embedding, magnitude)), -1)
    if len(last := place[row < 0][-1:]):
        embedding.prune(int(order(embedding.table.view(-1)[last])), int(last))


def _pieces(embedding: CompactEmbedding, own: Tensor) -> Iterator[Tensor]:
    """Keys of the whole table: those of trained rows (U, D), then the others."""
    yield own
    for ids in embedding.others():
        yield _keys(embedding, ids)


def _keys(embedding: CompactEmbedding, ids: Tensor) -> Tensor:
    """Keys of rows that are not trained, (N,) to (N, D)."""
    before = embedding.table.index_select(0, ids)
    return keys(embedding.shrunk(before), embedding.kept(ids, before))


def _key(embedding: CompactEmbedding, magnitude: int) -> int:
    """The key of an entry of such a row, where the table has this magnitude."""
    before = torch.tensor(magnitude, dtype=torch.int32, device=embedding.table.device).view(torch.float32)
    return int(order(embedding.shrunk(before))) + 1


def _equal(embedding: CompactEmbedding, own: Tensor, bound: int) -> Tensor:
    """Places in the table, counted row after row, of all entries with this key (E,): by magnitude, which float32 may
    have rounded to one, then by place."""
    row, column = (own == bound).nonzero(as_tuple=True)
    places = [embedding.used()[row] * own.shape[1] + column]
    magnitudes = [embedding.weight[row, column].abs().double()]
    for ids in embedding.others():
        row, column = (_keys(embedding, ids) == bound).nonzero(as_tuple=True)
        places.append(ids[row] * own.shape[1] + column)
        magnitudes.append(embedding.shrunk(embedding.table[ids[row], column].abs().double()))
    place = torch.cat(places)
    sorted_so = np.lexsort((place.cpu(), torch.cat(magnitudes).cpu()))
    return place[torch.from_numpy(sorted_so).to(place.device)]
