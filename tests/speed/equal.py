"""Equality at full size: losses, weights and logits of XLM-R base's shape, ours against transformers' Trainer.

The ordinary tests hold the same on tiny encoders. Without dropout, from the same weights, on the same batches: the
losses of some steps, all weights afterwards (rows of the embedding that no sentence uses included), and the logits of a
batch packed, in groups of like length, and padded. The last line is a JSON object with the largest differences.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import encoders
import machine
import numpy as np
import rounds
import sentences
import torch
from ours import Ours
from peer import Peer
from recipe import ABOUT, choose

from xner_bench import batches, vocabulary

if TYPE_CHECKING:
    from recipe import Chosen

# Attention does not depend on the keys' biases: their gradient is rounding error, which AdamW makes as large as any.
WITHOUT_EFFECT = "key.bias"


def main() -> None:
    """Train both sides and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=("base", "small_384", "mini"), default="base")
    parser.add_argument("--steps", type=int, default=10)
    asked = parser.parse_args()
    chosen = choose(sentences.english("train"), asked.steps)
    print("\n".join([*machine.describe(), sentences.where(), f"{asked.steps} steps, {ABOUT}, but no dropout"]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = encoders.write(asked.shape, Path(scratch), chosen.data.words)
        ours = Ours(folder, *chosen.data, steps=asked.steps, dropout=0.0)
        logits = layouts(ours, chosen)
        mine = [ours.step(batch) for batch in chosen.batches]
        peer = Peer(folder, Path(scratch) / "trainer")
        theirs = trained(peer, chosen)
    rounds.table(
        ["step", "Trainer's loss", "ours"], [(at + 1, *pair) for at, pair in enumerate(zip(theirs, mine, strict=True))]
    )
    relative = max(abs(one - other) / other for one, other in zip(mine, theirs, strict=True))
    rounds.last_line({"loss_relative": relative, **weights(ours, peer), "logits": logits})


def trained(peer: Peer, chosen: Chosen) -> list[float]:
    """Losses of the Trainer, without dropout."""
    losses: list[float] = []
    for module in peer.classifier.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    peer.classifier.register_forward_hook(lambda _, __, out: losses.append(out.loss.item()))
    peer.train(peer.features(*chosen.in_order()))
    return losses


def weights(ours: Ours, peer: Peer) -> dict[str, float]:
    """Largest differences of the weights, with the whole embedding."""
    vocabulary.expand(ours.tagger.transformer)
    mine, theirs = ours.tagger.transformer.state_dict(), peer.classifier.base_model.state_dict()
    differ = {name: float((mine[name] - theirs[name]).abs().max()) for name in theirs}
    return {
        "weights": max(value for name, value in differ.items() if not name.endswith(WITHOUT_EFFECT)),
        "keys_biases": max((value for name, value in differ.items() if name.endswith(WITHOUT_EFFECT)), default=0.0),
    }


@torch.no_grad()
def layouts(ours: Ours, chosen: Chosen) -> float:
    """Largest difference of the first batch's logits among packed, grouped and padded."""
    ours.tagger.eval()
    windows, packed = ours.windows(chosen.batches[0]), ours.tagger.layout
    found: list[Any] = []
    for way in (packed, packed._replace(packed=False)):
        ours.tagger.layout = way
        for filled in (1.0, 0.75, 0.0):
            batch = batches.lay_out(ours.encoded, windows, every_subword=False, filled=filled)
            found.append(ours.tagger.head.as_linear()(ours.tagger.states(batch).at_words()).numpy())
    ours.tagger.layout = packed
    return float(max(np.abs(one - found[0]).max() for one in found))


if __name__ == "__main__":
    main()
