"""What is pruned of an encoder: masks that the tagger carries, and that are held onto its weights."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from xner_bench.errors import XnerError
from xner_bench.methods import pruned_table
from xner_bench.methods.magnitude import keys, smallest
from xner_bench.vocabulary import CompactEmbedding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.tagger import Tagger

AS_NUMBERS = torch.uint8  # masks of truth values take several times as long on a CPU, measured


class Pruning(nn.Module):
    """A mask for each matrix, as buffers: False where a weight is pruned. The matrices stay the encoder's.

    XnerError where the encoder has no linear layer.
    """

    def __init__(self, transformer: Any, embeddings: bool) -> None:
        super().__init__()
        layers = list(linear(transformer))
        if not layers:
            kind = type(transformer).__name__
            raise XnerError(f"method 'prune' prunes linear layers, and {kind} has none; choose another --encoder")
        names = {module: name.replace(".", "-") for name, module in transformer.named_modules()}
        wanted = [*layers, *([transformer.get_input_embeddings()] if embeddings else [])]
        # A plain dict, so that they are no part of this module; one of several that share a weight.
        self.matrices: dict[str, Any] = {names[one]: one for one in {id(one.weight): one for one in wanted}.values()}
        for name, module in self.matrices.items():
            self.register_buffer(name, torch.ones_like(module.weight, dtype=torch.bool))
            if isinstance(module, CompactEmbedding):
                module.prunable = True
            if module.weight.requires_grad:
                module.weight.register_post_accumulate_grad_hook(_Masked(self, name))

    @torch.no_grad()
    def prune(self, sparsity: float) -> None:
        """Let so large a share of each matrix be pruned; what is pruned stays so."""
        for name, module in self.matrices.items():
            kept = self.get_buffer(name)
            if isinstance(module, CompactEmbedding):
                pruned_table.prune(module, kept, round(sparsity * module.table.numel()))
            else:
                kept.copy_(~smallest(keys(module.weight, kept), round(sparsity * kept.numel())))

    @torch.no_grad()
    def hold(self) -> None:
        """Make all pruned weights exactly zero: momentum has moved them."""
        for name, module in self.matrices.items():
            module.weight.mul_(self.get_buffer(name).view(AS_NUMBERS))

    @torch.no_grad()
    def take_zeros(self) -> None:
        """Let what is zero in a compact embedding be pruned: its rows may be others than those of an earlier mask."""
        for name, module in self.matrices.items():
            if isinstance(module, CompactEmbedding):
                module.prune(0, module.table.numel())
                self.get_buffer(name).logical_and_(module.weight != 0)

    @torch.no_grad()
    def count(self) -> tuple[int, int]:
        """How many weights are zero, and how many there are."""
        zeros, weights = 0, 0
        for module in self.matrices.values():
            zeros += int((module.weight == 0).sum())
            weights += module.weight.numel()
            if isinstance(module, CompactEmbedding):
                zeros += sum(int((module.untrained(ids) == 0).sum()) for ids in module.others())
                weights += module.table.numel() - module.weight.numel()
        return zeros, weights


def of(tagger: Tagger) -> Pruning:
    """The masks of a tagger that `Prune.prepare` has seen."""
    return cast("Pruning", tagger.get_submodule("pruning"))


def linear(module: nn.Module) -> Iterator[nn.Module]:
    """The linear layers of an encoder, without what peft puts around them."""
    if isinstance(module, nn.Linear | Conv1D):
        yield module
        return
    own = getattr(module, "base_layer", None)
    for child in (own,) if isinstance(own, nn.Module) else module.children():
        yield from linear(child)


class _Masked:
    """Takes the pruned weights out of a gradient; holds the masks weakly, as the weight it hangs on is held by them."""

    def __init__(self, pruning: Pruning, name: str) -> None:
        self.pruning, self.name = weakref.ref(pruning), name

    def __call__(self, weight: Tensor) -> None:
        pruning = self.pruning()
        if pruning is not None and weight.grad is not None:
            weight.grad.mul_(pruning.get_buffer(self.name).view(AS_NUMBERS))
