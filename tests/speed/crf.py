"""Speed of the chain of the method `crf` against pytorch-crf: loss with its gradients, and decoding.

Batches are drawn from WikiANN's English dev split, emissions at random. Each side gets them as it takes them, packed
or padded, on which no time is counted. The last line is a JSON object: how many times faster we are, at 32 sentences.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import machine
import numpy as np
import rounds
import sentences
import torch
from sentences import TAGS
from torch import Tensor, nn
from torchcrf import CRF

from xner_bench import device
from xner_bench.methods import chain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Shapes: W words, S sentences, L words of the longest, C tags.

SIZES = (8, 32, 128)
MAIN = 32  # of the last line
Sides = dict[str, "Callable[[], Sequence[float]]"]


class Batch(NamedTuple):
    """Sentences as both sides take them."""

    emissions: Tensor  # (W, C)
    tags: Tensor  # (W,)
    words: Tensor  # (S + 1,)
    padded_emissions: Tensor  # (S, L, C)
    padded_tags: Tensor  # (S, L)
    mask: Tensor  # (S, L)


class Ours(nn.Module):
    """Our chain with the parameters of one of pytorch-crf."""

    def __init__(self, peer: Any) -> None:
        super().__init__()
        self.transitions = nn.Parameter(peer.transitions.detach().clone())
        self.start = nn.Parameter(peer.start_transitions.detach().clone())
        self.end = nn.Parameter(peer.end_transitions.detach().clone())

    def ring(self, batch: Batch) -> Tensor:
        return chain.potentials(batch.emissions, batch.words, self.transitions, self.start, self.end)

    def loss(self, batch: Batch) -> Tensor:
        ring = self.ring(batch)
        return (chain.log_partition(ring) - chain.score(ring, batch.tags)) / len(batch.tags)

    @torch.inference_mode()
    def decode(self, batch: Batch) -> list[int]:
        return chain.best_path(self.ring(batch)).tolist()


class Peer(nn.Module):
    """pytorch-crf."""

    def __init__(self) -> None:
        super().__init__()
        self.crf: Any = CRF(len(TAGS), batch_first=True)

    def loss(self, batch: Batch) -> Tensor:
        loss: Tensor = -self.crf(batch.padded_emissions, batch.padded_tags, batch.mask, reduction="token_mean")
        return loss

    @torch.inference_mode()
    def decode(self, batch: Batch) -> list[int]:
        paths: list[list[int]] = self.crf.decode(batch.padded_emissions, batch.mask)
        return [tag for path in paths for tag in path]


def main() -> None:
    """Measure both sides and print the figures."""
    asked = arguments()
    device.keep_memory()  # as a run does; both sides gain
    torch.manual_seed(0)
    gold = sentences.english("dev").tags
    batches = {size: drawn(gold, size, asked.batches) for size in SIZES}
    lines = [
        *machine.describe(),
        f"peer: pytorch-crf {version('pytorch-crf')}",
        sentences.where(),
        f"{asked.batches} batches a round, {asked.rounds} rounds, {len(TAGS)} tags, fp32 emissions; threads of torch:"
        f" {torch.get_num_threads()}",
    ]
    print("\n".join(lines), flush=True)
    peer = Peer()
    ours = Ours(peer.crf)
    for own in batches.values():
        check(ours, peer, own)
    measured = {size: rounds.interleaved(sides(ours, peer, own), asked.rounds) for size, own in batches.items()}
    report(batches, measured)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def drawn(gold: Sequence[Sequence[int]], size: int, many: int) -> list[Batch]:
    """Random batches of so many sentences."""
    order = np.random.default_rng(0).permutation(len(gold))[: size * many].reshape(many, size)
    return [batch([torch.tensor(gold[at]) for at in rows]) for rows in order]


def batch(tags: Sequence[Tensor]) -> Batch:
    """Sentences with these tags and random emissions."""
    emissions = [2 * torch.randn(len(own), len(TAGS)) for own in tags]
    pad = partial(nn.utils.rnn.pad_sequence, batch_first=True)
    return Batch(
        torch.cat(emissions).requires_grad_(),
        torch.cat(list(tags)),
        torch.tensor([0, *map(len, tags)]).cumsum(0),
        pad(emissions).requires_grad_(),
        pad(tags),
        pad([torch.ones(len(own), dtype=torch.bool) for own in tags]),
    )


def check(ours: Ours, peer: Peer, batches: Sequence[Batch]) -> None:
    """ValueError where losses, gradients or paths differ."""
    for one in batches:
        loss, expected = ours.loss(one), peer.loss(one)
        (gradient,) = torch.autograd.grad(loss, one.emissions)
        (padded,) = torch.autograd.grad(expected, one.padded_emissions)
        if not torch.allclose(gradient, padded[one.mask], atol=1e-6) or not torch.isclose(loss.float(), expected):
            raise ValueError("our loss or its gradients are not those of pytorch-crf")
        if ours.decode(one) != peer.decode(one):
            raise ValueError("our tags are not those of pytorch-crf")


def step(side: Ours | Peer, one: Batch) -> None:
    """Loss and gradients of a batch."""
    one.emissions.grad = one.padded_emissions.grad = None
    side.zero_grad()
    side.loss(one).backward()


def sides(ours: Ours, peer: Peer, batches: Sequence[Batch]) -> Sides:
    """What is measured: one number a batch."""

    def timed(act: Callable[[Batch], object]) -> Callable[[], Sequence[float]]:
        return lambda: [rounds.seconds(partial(act, one)) for one in batches]

    return {
        "loss, pytorch-crf": timed(partial(step, peer)),
        "loss, ours": timed(partial(step, ours)),
        "decoding, pytorch-crf": timed(peer.decode),
        "decoding, ours": timed(ours.decode),
    }


def report(batches: dict[int, list[Batch]], measured: dict[int, dict[str, Any]]) -> None:
    """The table and the ratios."""
    rows = []
    for size, seconds in measured.items():
        longest = np.mean([one.mask.shape[1] for one in batches[size]])
        times = [f"{rounds.median_round(one) / len(batches[size]) * 1e3:.2f}" for one in seconds.values()]
        rows.append((size, f"{longest:.0f}", *times, *ratios(seconds).values()))
    head = ["sentences", "longest", "loss ms: pytorch-crf", "ours", "decoding ms: pytorch-crf", "ours"]
    rounds.table([*head, "loss: times faster", "decoding"], rows)
    rounds.last_line(ratios(measured[MAIN]))


def ratios(seconds: dict[str, Any]) -> dict[str, float]:
    """pytorch-crf's time over ours."""
    return {
        "ratio_loss": rounds.ratio(seconds["loss, pytorch-crf"], seconds["loss, ours"]),
        "ratio_decode": rounds.ratio(seconds["decoding, pytorch-crf"], seconds["decoding, ours"]),
    }


if __name__ == "__main__":
    main()
