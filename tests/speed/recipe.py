"""How both sides fine-tune: the values of transformers' example, and the random batches of a round."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sentences import Sentences

BATCH = 32
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


def choose(data: Sentences, batches: int) -> Chosen:
    """Random batches of all sentences, long ones too, none twice. ValueError where there are too few."""
    if batches * BATCH > len(data.words):
        raise ValueError(f"{batches} batches of {BATCH} need more than the {len(data.words):,} sentences there are")
    order = np.random.default_rng(0).permutation(len(data.words))
    return Chosen(data, [order[at * BATCH : (at + 1) * BATCH].tolist() for at in range(batches)])
