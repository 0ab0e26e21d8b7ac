"""Attention over a packed row: each window sees itself alone, just as transformers' own attention has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import families
import numpy as np
import pytest
import tiny
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask, sliding_window_bidirectional_mask_function

from xner_bench import attention, layout
from xner_bench.encode import Encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.batches import Group

LENGTHS = (20, 20, 15, 9, 6, 5, 1)
ROW = sum(LENGTHS)
FEATURES = 8
FILLED = (0.0, 0.25, 1.0)
Three = tuple[Tensor, Tensor, Tensor]


class Module(torch.nn.Module):
    """What transformers asks of the module that it computes attention for."""

    is_causal = False

    def __init__(self, heads: int = 4, of_keys: int = 4) -> None:
        super().__init__()
        self.num_key_value_groups = heads // of_keys


@pytest.fixture(params=[True, False], ids=["with gradients", "without"])
def gradients(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Attention may be computed in another way where gradients are wanted."""
    with torch.set_grad_enabled(request.param):
        yield request.param


def drawn(heads: int = 4, of_keys: int = 4, features: int = FEATURES) -> Three:
    """Random queries, keys and values (1, H, T, F)."""
    torch.manual_seed(1)
    query, key, value = (2 * torch.randn(1, of, ROW, features) for of in (heads, of_keys, of_keys))
    return query, key, value


def groups(filled: float) -> tuple[Group, ...]:
    """Windows of LENGTHS, grouped."""
    bounds, places = tiny.offsets(LENGTHS), np.arange(ROW)
    return families.everything(Encoded(places.astype(np.int32), places, bounds, bounds, 0), filled).groups


def one_by_one(given: Three, module: Module, near: int | None = None, scaling: float | None = None) -> Tensor:
    """transformers' own attention of each window (1, T, H, F); `near`: places that a subword sees on either side."""
    out = []
    for query, key, value in zip(*(tensor.split(LENGTHS, dim=2) for tensor in given), strict=True):
        length, mask = query.shape[2], None
        if near is not None:
            seen = sliding_window_bidirectional_mask_function(near)
            mask = sdpa_mask(1, length, length, mask_function=seen, allow_is_causal_skip=False)
        out.append(sdpa_attention_forward(module, query, key, value, mask, scaling=scaling)[0])
    return torch.cat(out, dim=1)


@pytest.mark.usefixtures("gradients")
@pytest.mark.parametrize("filled", FILLED)
@pytest.mark.parametrize("scaling", [None, 0.1])
@pytest.mark.parametrize("of_keys", [4, 2, 1])
def test_windows_are_attended_as_if_alone(filled: float, of_keys: int, scaling: float | None) -> None:
    module, given = Module(4, of_keys), drawn(4, of_keys)
    with attention.packed(groups(filled)):
        found, weights = attention.attend(module, *given, None, scaling=scaling)
    assert weights is None
    torch.testing.assert_close(found, one_by_one(given, module, scaling=scaling), rtol=0, atol=1e-5)


@pytest.mark.usefixtures("gradients")
@pytest.mark.parametrize("filled", FILLED)
@pytest.mark.parametrize("near", [0, 1, 4, 8, 14, 18, 19, 30])
def test_a_sliding_window_is_transformers(filled: float, near: int) -> None:
    given = drawn()
    with attention.packed(groups(filled)):
        found, _ = attention.attend(Module(), *given, None, sliding_window=near + 1)
        wider, _ = attention.attend(Module(), *given, None, sliding_window=near + 2)
    torch.testing.assert_close(found, one_by_one(given, Module(), near), rtol=0, atol=1e-5)
    if near + 1 < max(LENGTHS):
        assert (found - wider).abs().max() > 1e-2


@pytest.mark.parametrize("filled", FILLED)
@pytest.mark.parametrize("near", [None, 4])
@pytest.mark.parametrize("of_keys", [4, 2])
def test_gradients_are_those_of_windows_alone(filled: float, near: int | None, of_keys: int) -> None:
    module, given, weights = Module(4, of_keys), drawn(4, of_keys), torch.randn(1, ROW, 4, FEATURES)
    for one in given:
        one.requires_grad_()
    with attention.packed(groups(filled)):
        found, _ = attention.attend(module, *given, None, sliding_window=near and near + 1)
    ours = torch.autograd.grad((found * weights).sum(), given)
    theirs = torch.autograd.grad((one_by_one(given, module, near) * weights).sum(), given)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-5)


@pytest.mark.parametrize("filled", FILLED)
@pytest.mark.parametrize("near", [None, 4])
def test_gradients_on_a_gpu_are_those_too(filled: float, near: int | None) -> None:
    """What attention is there in training, computed here."""
    query, key, value = (one.requires_grad_() for one in drawn())
    q, k, v = (one[0].transpose(0, 1) for one in (query, key, value))
    found = attention._by_group(q, k, v, groups(filled), 0.0, FEATURES**-0.5, near and near + 1)
    weights = torch.randn(ROW, 4, FEATURES)
    ours = torch.autograd.grad((found * weights).sum(), (query, key, value))
    expected = one_by_one((query, key, value), Module(), near)[0]
    theirs = torch.autograd.grad((expected * weights).sum(), (query, key, value))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-5)


@pytest.mark.parametrize("filled", FILLED)
@pytest.mark.parametrize("changed", range(3), ids=["query", "key", "value"])
def test_gradients_are_right_with_dropout(filled: float, changed: int) -> None:
    """A small step in a random direction changes the output as the gradient says, where the same weights drop."""
    given, weights, direction = drawn(), torch.randn(1, ROW, 4, FEATURES), torch.randn(1, 4, ROW, FEATURES)
    given[changed].requires_grad_()

    def out(step: float) -> Tensor:
        query, key, value = (one + step * direction if at == changed else one for at, one in enumerate(given))
        torch.manual_seed(3)
        with attention.packed(groups(filled)):
            found, _ = attention.attend(Module(), query, key, value, None, dropout=0.4)
        return (found.double() * weights).sum()

    [grad] = torch.autograd.grad(out(0.0), given[changed])
    change = (out(3e-3) - out(-3e-3)).item() / 6e-3
    assert float((grad * direction).sum()) == pytest.approx(change, rel=1e-2, abs=0.02)


@pytest.mark.usefixtures("gradients")
@pytest.mark.parametrize("filled", FILLED)
def test_dropout_drops_as_often_as_asked_and_keeps_the_mean(filled: float) -> None:
    """Many heads with the same queries and keys, and values of one: their mean is what they give without dropout."""
    heads, chance = 2_000, 0.3
    query, key, value = (one.expand(1, heads, ROW, 2) for one in drawn(1, 1, features=2))
    with attention.packed(groups(filled)):
        torch.manual_seed(0)
        found, _ = attention.attend(Module(), query, key, torch.ones_like(value), None, dropout=chance)
    kept = found[0, :, :, 0]  # (T, H)
    assert ((kept.mean(1) - 1).abs() < 5 * kept.std(1) / heads**0.5).all()
    alone = kept[-1]  # a window of one subword sees itself, or nothing
    assert alone.unique().tolist() == pytest.approx([0.0, 1 / (1 - chance)], rel=1e-4)  # chances have 16 bits
    assert float((alone == 0).double().mean()) == pytest.approx(chance, abs=0.05)


@pytest.mark.parametrize("filled", FILLED)
def test_half_precision_goes_in_and_comes_out(filled: float, gradients: bool) -> None:
    query, key, value = (one.bfloat16().requires_grad_(gradients) for one in drawn())
    with attention.packed(groups(filled)):
        found, _ = attention.attend(Module(), query, key, value, None)
    assert found.dtype == torch.bfloat16
    exact = one_by_one((query.float(), key.float(), value.float()), Module())
    torch.testing.assert_close(found.float(), exact, rtol=0, atol=0.05)
    if gradients:
        assert {one.dtype for one in torch.autograd.grad(found.sum(), (query, key, value))} == {torch.bfloat16}


@pytest.mark.usefixtures("gradients")
@pytest.mark.parametrize("family", ["xlm-roberta", "distilbert", "albert", "modernbert", "eurobert"])
def test_encoders_drop_attention_in_training_alone(family: str) -> None:
    made = families.transformer(family, attention_probs_dropout_prob=0.5, attention_dropout=0.5)
    for name, module in made.named_modules():
        if isinstance(module, torch.nn.Dropout) and "attention" not in name:
            module.p = 0.0
    way, batch = families.chosen(made), families.everything(families.corpus())

    def states() -> Tensor:
        return layout.states(made, batch, (families.DEPTH,), families.DEPTH, way)[0].detach()

    calm = states()
    assert torch.equal(states(), calm)
    made.train()
    assert not torch.allclose(states(), calm, atol=1e-2)
    assert not torch.equal(states(), states())


MASK = torch.ones(1, 1, 1, ROW, dtype=torch.bool).index_fill(3, torch.arange(50, ROW), False)


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"attention_mask": MASK},
        {"scaling": 0.3, "dropout": 0.4},
        {"is_causal": True},
        {"position_bias": torch.linspace(-3, 3, ROW**2).view(1, 1, ROW, ROW)},
        {"sliding_window": 3},  # is in the mask already
    ],
    ids=lambda named: " ".join(named),
)
@pytest.mark.parametrize("of_keys", [4, 2])
def test_outside_of_a_packed_row_attention_is_transformers(named: dict[str, Any], of_keys: int) -> None:
    module, given = Module(4, of_keys), drawn(4, of_keys)
    named = {"attention_mask": None, **named}
    torch.manual_seed(0)
    ours = attention.attend(module, *given, **named)
    torch.manual_seed(0)
    theirs = sdpa_attention_forward(module, *given, **named)
    assert torch.equal(ours[0], theirs[0])
    assert ours[1] is theirs[1] is None


@pytest.mark.usefixtures("gradients")
@pytest.mark.parametrize("named", [{"position_bias": torch.zeros(1, 1, 1, 1)}, {"softcap": 30.0}], ids=["bias", "cap"])
def test_what_a_packed_row_cannot_have_is_refused(named: dict[str, Any]) -> None:
    with attention.packed(groups(1.0)), pytest.raises(NotImplementedError):
        attention.attend(Module(), *drawn(), None, **named)


@pytest.mark.usefixtures("gradients")
@pytest.mark.parametrize("length", [ROW - 3, ROW + 3])
def test_another_row_than_the_groups_is_refused_and_nothing_stays_packed(length: int) -> None:
    query, key, value = drawn()
    wrong = torch.zeros(1, 4, length, FEATURES)
    with pytest.raises((RuntimeError, IndexError)), attention.packed(groups(1.0)):
        attention.attend(Module(), wrong, wrong, wrong, None)
    found, _ = attention.attend(Module(), query, key, value, None)
    torch.testing.assert_close(found, scaled_dot_product_attention(query, key, value).transpose(1, 2))


def test_a_row_within_a_row_is_left_again() -> None:
    given = drawn()
    with attention.packed(groups(1.0)):
        with pytest.raises(KeyError), attention.packed(()):
            raise KeyError
        found, _ = attention.attend(Module(), *given, None)
    torch.testing.assert_close(found, one_by_one(given, Module()), rtol=0, atol=1e-5)


def test_long_windows_are_left_to_torchs_own_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """What attention written out keeps for its gradient grows with the square of a window."""
    monkeypatch.setattr(attention, "LONG", max(LENGTHS) - 1)
    monkeypatch.setattr(attention.Attention, "apply", None)
    given = drawn(4, 4)
    with attention.packed(groups(1.0)):
        found, _ = attention.attend(Module(4, 4), *given, None)
    torch.testing.assert_close(found, one_by_one(given, Module(4, 4)), rtol=0, atol=1e-5)
