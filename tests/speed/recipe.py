"""How both sides fine-tune: the values of transformers' example, and the random batches of a round."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentences import Sentences

BATCH, DRAWS = 32, 100
LR, DECAY, WARMUP, CLIP, DROPOUT = 2e-5, 0.01, 0.1, 1.0, 0.1
ABOUT = (
    f"AdamW lr {LR:g}, weight decay {DECAY}, warm-up {WARMUP}, linear decay, clipping {CLIP},"
    f" dropout {DROPOUT}, batches of {BATCH}"
)


class Chosen(NamedTuple):
    """The batches of a round: indices into the training sentences."""

    data: Sentences
    batches: list[list[int]]

    def in_order(self) -> tuple[list[list[str]], list[list[int]]]:
        """Words and tags of the batches' sentences, batch after batch."""
        order = [at for batch in self.batches for at in batch]
        return [self.data.words[at] for at in order], [self.data.tags[at] for at in order]


def choose(data: Sentences, batches: int, lengths: NDArray[np.int64] | None = None) -> Chosen:
    """Random batches of all sentences, long ones too, none twice. ValueError where there are too few.

    Rare long sentences make much of an epoch's padding, and a few batches have more of it or less by chance. Given the
    sentences' lengths in subwords, the draw counts, of a hundred, whose share of padding is nearest to an epoch's.
    """
    if batches * BATCH > len(data.words):
        raise ValueError(f"{batches} batches of {BATCH} need more than the {len(data.words):,} sentences there are")
    drawn = [_epoch(len(data.words), seed)[:batches] for seed in range(1 if lengths is None else DRAWS)]
    if lengths is None:
        return Chosen(data, drawn[0].tolist())
    whole = padded(lengths, _epoch(len(data.words), seed=0))
    nearest = min(drawn, key=lambda some: abs(padded(lengths, some[1:]) - whole))  # a round's first step is left out
    return Chosen(data, nearest.tolist())


def _epoch(sentences: int, seed: int) -> NDArray[np.int64]:
    """All whole batches of a random epoch (batches, BATCH)."""
    order = np.random.default_rng(seed).permutation(sentences)
    return order[: sentences // BATCH * BATCH].reshape(-1, BATCH)


def padded(lengths: NDArray[np.int64], batches: NDArray[np.int64]) -> float:
    """How many places a padded batch has for each subword, over some batches."""
    own = lengths[batches]
    return float(own.max(1).sum() * BATCH / own.sum())
