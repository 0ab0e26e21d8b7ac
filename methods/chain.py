"""Linear chains over the words of a batch: log partition, score of given tags, best tags; all windows at once.

Lafferty, McCallum and Pereira, "Conditional Random Fields", ICML 2001: section 3 writes a chain's partition function as
a product of matrices, one a word. Here the chains of all windows are closed to one ring of W matrices: matrix t has, at
(i, j), what it adds to come from tag i of the word before to tag j of word t. Where a window begins that is end[i] +
start[j], whatever the window before, so no window has a say in another: the trace of the product of all matrices is
the product of the windows' partition functions, and the ring's best path is every window's best path. Nothing is
padded, a window without words leaves no trace, and neighbours are multiplied two by two, in log2(W) steps.

The matrices of a ring lie in the last dimension: a small product is then few long sums over all of them at once. For a
moment that takes C ** 3 numbers a word: little for the tags of some types of entities, much for those of a hundred.

All is computed in float64, each product scaled by its largest number: exact to rounding for emissions of any size, as
long as the transitions differ by less than 300.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Shapes: W words, S windows, C tags, N matrices at a level of the tree of products, P their pairs of neighbours.


def potentials(emissions: Tensor, words: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The ring (C, C, W): what each word adds to a path's score, by the tag of the word before and by its own.

    emissions (W, C), words (S + 1,) offsets of the windows, transitions (C, C) from row to column, start and end (C,).
    float64, on the emissions' device; on the CPU where that has no float64.
    """
    place = torch.device("cpu") if emissions.device.type == "mps" else emissions.device
    x, edges, start, end = (one.to(place, torch.float64) for one in (emissions, transitions, start, end))
    begins = torch.zeros(len(x) + 1, dtype=torch.bool, device=place).index_fill_(0, words.to(place), True)[:-1]
    return torch.where(begins, (end[:, None] + start)[..., None], edges[..., None]) + x.T


def score(ring: Tensor, tags: Tensor) -> Tensor:
    """Scalar: the score of these tags (W,), summed over the windows."""
    tags = tags.to(ring.device)
    pair = tags.roll(1) * len(ring) + tags
    return ring.flatten(0, 1).gather(0, pair[None]).sum()


def log_partition(ring: Tensor) -> Tensor:
    """Scalar: log of the sum of exp(score) over all paths, summed over the windows.

    Its gradient (C, C, W) is how probable each pair of tags is.
    """
    top = ring.detach().amax((0, 1))  # no part of the gradient: what is taken away is added again
    level, scales = (ring - top).exp(), []
    neutral = _diagonal(ring, 1.0, 0.0)
    while level.shape[2] > 1:
        left, right = _neighbours(level, neutral)
        product = (left.unsqueeze(2) * right).sum(1)
        scales.append(product.detach().amax((0, 1)))
        level = product / scales[-1]
    trace = level.diagonal().sum(1)
    return top.sum() + torch.cat((*scales, trace)).log().sum()


def best_path(ring: Tensor) -> Tensor:
    """The tags (W,) of the best path."""
    level, levels = ring, []
    neutral = _diagonal(ring, 0.0, -torch.inf)
    while level.shape[2] > 1:
        left, right = _neighbours(level, neutral)
        levels.append(left.unsqueeze(2) + right)  # (C, C, C, P): tags before, between and after
        level = levels[-1].amax(1)
    span = 2 ** len(levels)  # words under a matrix of this level, as if there were more words
    tags = level.diagonal().argmax(1).repeat(span + 1)
    pairs = torch.arange(ring.shape[2], device=ring.device)
    for scores in reversed(levels):
        many = scores.shape[3]
        before, after = tags[: many * span : span], tags[span : many * span + 1 : span]
        tags[span // 2 : many * span : span] = scores[before, :, after, pairs[:many]].argmax(1)
        span //= 2
    return tags[1 : ring.shape[2] + 1]


def _diagonal(like: Tensor, on: float, off: float) -> Tensor:
    """The neutral matrix (C, C, 1) of a product."""
    return like.new_full(like.shape[:2], off).fill_diagonal_(on)[..., None]


def _neighbours(level: Tensor, neutral: Tensor) -> tuple[Tensor, Tensor]:
    """Left and right of each pair (C, C, P); of an odd number (C, C, N) the last has the neutral matrix beside it."""
    if level.shape[2] % 2:
        level = torch.cat((level, neutral), 2)
    left, right = level.view(*level.shape[:2], -1, 2).unbind(3)
    return left, right
