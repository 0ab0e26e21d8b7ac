"""Linear layers whose products are computed by oneDNN, on CPUs in fp32.

torch leaves products of fp32 matrices to MKL. For the shapes of a batch of sentences (some hundred rows) on processors
that are not Intel's, oneDNN, which torch brings along and uses for bf16, is up to a third faster; the numbers are the
same but for the order of sums (tests/speed/finetune.py measures both).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

# Weights with fewer elements gain nothing, and a call from here costs more than one of torch's own (measured).
LARGE = 2**18

# Shapes: N rows, I features in, O features out.


def available() -> bool:
    """Does this torch bring oneDNN's product?"""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b: (..., I) and (O, I) to (..., O)."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bias = bias is not None
        return product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad = grads[0].flatten(0, -2)  # (N, O)
        to_x, to_weight, to_bias = ctx.needs_input_grad
        multiply = linear if torch.is_grad_enabled() else product  # a gradient of gradients needs a known derivative
        return (
            multiply(grad, weight.t()).view(x.shape) if to_x else None,
            multiply(grad.t(), x.flatten(0, -2).t()) if to_weight else None,
            grad.sum(0) if to_bias else None,
        )


class OneDnnLinear(nn.Linear):
    """A linear layer (..., I) to (..., O)."""

    def forward(self, x: Tensor) -> Tensor:
        elsewhere = x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
        if elsewhere or x.ndim < 2 or not x.numel():  # oneDNN has no product of nothing
            return linear(x, self.weight, self.bias)
        if not torch.is_grad_enabled():
            return product(x, self.weight, self.bias)
        out: Tensor = _Product.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return out


def install(transformer: nn.Module, large: int = LARGE) -> None:
    """Let an encoder's large linear layers compute this way; weights, names and checkpoints stay as they are."""
    if available():
        for module in transformer.modules():
            if type(module) is nn.Linear and module.weight.numel() >= large:
                module.__class__ = OneDnnLinear
