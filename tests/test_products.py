"""Products by oneDNN are those of torch's own linear layer, wherever a linear layer may stand."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import families
import pytest
import torch
from families import DEPTH
from torch import Tensor, nn

from xner_bench import layout, products
from xner_bench.products import OneDnnLinear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.skipif(not products.available(), reason="this torch has no oneDNN")
INPUTS = 24
torch.manual_seed(0)
GIVEN: dict[str, Tensor] = {
    "vector": torch.randn(INPUTS),
    "row": torch.randn(1, INPUTS),
    "matrix": torch.randn(7, INPUTS),
    "cube": torch.randn(2, 5, INPUTS),
    "four": torch.randn(2, 1, 3, INPUTS),
    "no rows": torch.empty(0, INPUTS),
    "no rows in a cube": torch.empty(3, 0, INPUTS),
    "columns first": torch.randn(INPUTS, 7).t(),
    "rows swapped": torch.randn(5, 2, INPUTS).transpose(0, 1),
    "every other": torch.randn(7, 2 * INPUTS)[:, ::2],
    "one repeated": torch.randn(1, INPUTS).expand(7, INPUTS),
    "part of a row": torch.randn(7, 3 * INPUTS)[:, INPUTS : 2 * INPUTS],
}
LAYERS: dict[str, dict[str, Any]] = {
    "bias": {},
    "no bias": {"bias": False},
    "wide": {"out_features": 60},
    "one": {"out_features": 1},
}


def pair(out_features: int = 16, bias: bool = True) -> tuple[nn.Linear, nn.Linear]:
    """torch's own layer, and the same by oneDNN."""
    torch.manual_seed(1)
    own = nn.Linear(INPUTS, out_features, bias=bias)
    ours = copy.deepcopy(own)
    ours.__class__ = OneDnnLinear
    return own, ours


def grads(layer: nn.Linear, x: Tensor, weigh: Callable[[Tensor], Tensor]) -> list[Tensor | None]:
    """A layer's output, and the gradients of its input, weight and bias."""
    out = layer(x)
    weigh(out).sum().backward()
    return [out.detach(), x.grad, *(parameter.grad for parameter in layer.parameters())]


def close(results: Iterable[list[Tensor | None]], atol: float = 1e-5) -> None:
    """Both layers' results are the same."""
    ours, own = results
    for one, other in zip(ours, own, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("layer", LAYERS)
def test_outputs_and_gradients_are_torchs(given: str, layer: str) -> None:
    for wanted in (True, False):  # the input's gradient
        close([grads(one, GIVEN[given].detach().requires_grad_(wanted), torch.sin) for one in pair(**LAYERS[layer])])


@pytest.mark.parametrize("frozen", ["weight", "bias", "both"])
def test_what_needs_no_gradient_gets_none(frozen: str) -> None:
    own, ours = pair()
    results = []
    for layer in (ours, own):
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_(frozen not in (name, "both"))
        results.append(grads(layer, torch.ones(3, INPUTS, requires_grad=True), torch.sin))
    close(results)
    assert not ours.requires_grad_(False)(torch.ones(3, INPUTS)).requires_grad


def test_a_gradient_of_a_gradient_is_torchs() -> None:
    results = []
    for layer in pair():
        x = GIVEN["matrix"].clone().requires_grad_()
        [grad] = torch.autograd.grad(layer(x).sin().sum(), x, create_graph=True)
        grad.square().sum().backward()
        results.append([x.grad, *(parameter.grad for parameter in layer.parameters())])
    close(results, atol=1e-4)


@pytest.mark.parametrize("precision", ["bf16", "double"])
def test_other_arithmetic_is_torchs_own(precision: str) -> None:
    dtype = {"bf16": torch.float32, "double": torch.float64}[precision]
    results: list[list[Tensor | None]] = []
    for layer in pair():
        x = GIVEN["matrix"].to(dtype, copy=True).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            results.append(grads(layer.to(dtype), x, torch.sin))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert pair()[1](GIVEN["matrix"]).dtype == torch.bfloat16


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("given", GIVEN)
def test_without_gradients_too(given: str, mode: Callable[[], torch.no_grad]) -> None:
    own, ours = pair()
    with mode():
        found = ours(GIVEN[given])
        torch.testing.assert_close(found, own(GIVEN[given]), rtol=1e-5, atol=1e-5)
    assert not found.requires_grad


def test_only_linear_layers_themselves_are_changed() -> None:
    class Own(nn.Linear):
        """Somebody's own."""

    made = nn.Sequential(nn.Linear(4, 4), Own(4, 4), nn.Bilinear(4, 4, 4), nn.Sequential(nn.Linear(4, 2)), nn.Tanh())
    made.attention = nn.MultiheadAttention(4, 2)  # has a subclass of Linear inside
    before = {name: (type(module), list(module.state_dict())) for name, module in made.named_modules()}
    weights = dict(made.named_parameters())
    products.install(made)
    assert type(made[0]) is nn.Linear  # too small to gain from it
    products.install(made, large=16 // 2)
    products.install(made, large=16 // 2)
    changed = {name for name, module in made.named_modules() if type(module) is not before[name][0]}
    assert changed == {"0", "3.0"}
    assert {type(made.get_submodule(name)) for name in changed} == {OneDnnLinear}
    assert isinstance(made[0], nn.Linear)
    assert {name: list(module.state_dict()) for name, module in made.named_modules()} == {
        name: keys for name, (_, keys) in before.items()
    }
    assert all(weight is weights[name] for name, weight in made.named_parameters())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_compute_and_learn_by_themselves(copied: Callable[[nn.Linear], nn.Linear]) -> None:
    own, ours = pair()
    other = copied(ours)
    assert type(other) is OneDnnLinear
    close(grads(layer, GIVEN["matrix"].clone().requires_grad_(), torch.sin) for layer in (other, own))
    assert ours.weight.grad is None
    own.load_state_dict(other.state_dict())


@pytest.mark.parametrize("family", families.FAMILIES)
def test_an_encoder_has_the_same_states_and_gradients(family: str) -> None:
    own = families.transformer(family)
    way, batch = families.chosen(own), families.everything(families.corpus(), 0.25)
    ours = copy.deepcopy(own)
    products.install(ours, large=1)
    assert any(type(module) is OneDnnLinear for module in ours.modules())
    results: list[list[Tensor | None]] = []
    for made in (ours, own):
        [last] = layout.states(made, batch, (DEPTH,), DEPTH, way)
        last.sin().mean().backward()
        results.append([last.detach(), *(parameter.grad for parameter in made.parameters())])
    close(results)
