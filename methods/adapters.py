"""LoRA's updates in an encoder: which linear layers get one, by peft, and the plain encoder again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.methods.lora import Lora

# Attention's three projections are called alike but for these words; or they are one layer with such a name.
ALIKE = (("query", "key", "value"), ("q", "k", "v"))
FUSED = ("qkv", "query_key_value", "in_proj")


def add(transformer: Any, settings: Lora) -> None:
    """Put an update beside each wanted linear layer, and freeze all else of the encoder.

    XnerError where no layer is wanted, or none has so high a rank.
    """
    names = list(linear(transformer) if settings.where == "all" else attention(transformer))
    if not names:
        raise XnerError(_nothing(transformer, settings.where))
    limit = max(min(transformer.get_submodule(name).weight.shape) for name in names)
    if settings.rank > limit:
        raise XnerError(f"--rank {settings.rank} is more than this encoder's matrices have; give at most {limit}")
    wanted = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.adapter_dropout, target_modules=names
    )
    inject_adapter_in_model(wanted, transformer)
    transformer.train(transformer.training)  # what is new is in training mode by itself


def linear(transformer: nn.Module) -> Iterator[str]:
    """Names of all linear layers."""
    yield from (name for name, module in transformer.named_modules() if isinstance(module, nn.Linear))


def attention(transformer: nn.Module) -> Iterator[str]:
    """Names of the query and value projections, and of layers that are queries, keys and values in one."""
    for path, module in transformer.named_modules():
        own = [name for name, child in module.named_children() if isinstance(child, nn.Linear)]
        fused = "attention" in type(module).__name__.lower()
        for name in own:
            if fused and any(part in name.lower() for part in FUSED):
                yield _joined(path, name)
            for query, key, value in ALIKE:
                keys, values = name.replace(query, key, 1), name.replace(query, value, 1)
                if query in name and keys in own and values in own:
                    yield from (_joined(path, name), _joined(path, values))


def merge(transformer: Any) -> None:
    """Add the updates to the matrices, and leave the encoder as it was but for their values."""
    for path, module in list(transformer.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, name = path.rpartition(".")
            setattr(transformer.get_submodule(parent), name, module.get_base_layer())
    del transformer.peft_config


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _nothing(transformer: nn.Module, where: str) -> str:
    kind = type(transformer).__name__
    if where == "all":
        return f"method 'lora': {kind} has no linear layers; choose another --encoder or --method"
    return f"method 'lora': {kind} has no query and value projections that are linear layers; try --where all"
