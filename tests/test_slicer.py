"""SLICER's algebra: what its head computes against what the formulas say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax

from xner_bench.errors import XnerError
from xner_bench.head import LinearHead, States
from xner_bench.method import Sizes
from xner_bench.methods.slicer import Slicer
from xner_bench.methods.standard import Standard

if TYPE_CHECKING:
    from torch import Tensor

    from xner_bench.head import Head

TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
WORDS = 23
# Hidden size and widths of slices: the least, some between, half and whole.
WIDTHS = [
    *((64, h) for h in (1, 2, 8, 32, 64)),
    *((96, h) for h in (1, 2, 3, 8, 48, 96)),
    *((384, h) for h in (1, 2, 8, 128, 384)),
    *((768, h) for h in (1, 2, 8, 256, 768)),
]


def sizes(hidden: int, dropout: float = 0.0) -> Sizes:
    return Sizes(hidden, 2, dropout, 0.02)


def head(method: Slicer | Standard, hidden: int, seed: int = 0) -> Any:
    """A method's head with weights of some size, in float64 so that formulas agree to the last digits."""
    torch.manual_seed(seed)
    made: Head = method.head(sizes(hidden), TAGS)
    assert isinstance(made, LinearHead)
    with torch.no_grad():
        made.linear.weight.normal_(std=0.3)
        made.linear.bias.normal_()
    return made.double()


def states(hidden: int, seed: int = 1) -> States:
    """Forty subwords of one window, of which `WORDS` decide."""
    torch.manual_seed(seed)
    layer = torch.randn(40, hidden, dtype=torch.float64, requires_grad=True)
    first = torch.randperm(40)[:WORDS].sort().values
    return States((layer,), first, torch.tensor([0, 40]), torch.tensor([0, WORDS]))


def gold(seed: int = 2) -> Tensor:
    return torch.randint(0, len(TAGS), (WORDS,), generator=torch.Generator().manual_seed(seed))


def gradients(made: Any, given: States) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor]:
    """Loss, and its gradients by weight, bias and state."""
    loss = made.loss(given, gold())
    loss.backward()
    state = given.layers[-1].grad
    assert state is not None
    return loss.detach(), made.linear.weight.grad, made.linear.bias.grad, state


@pytest.mark.parametrize("bias", ["per_slice", "shared_out"])
@pytest.mark.parametrize("hidden", [64, 96, 384, 768])
def test_one_slice_is_standard_fine_tuning(hidden: int, bias: Any) -> None:
    slicer = gradients(head(Slicer(h=hidden, bias=bias), hidden), states(hidden))
    standard = gradients(head(Standard(), hidden), states(hidden))
    for ours, theirs in zip(slicer, standard, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_one_slice_is_standard_fine_tuning_in_float32_and_with_dropout(dropout: float) -> None:
    losses = []
    for method in (Slicer(h=768), Standard()):
        torch.manual_seed(0)
        made = method.head(sizes(768, dropout), TAGS)
        given = states(768)
        given = States((given.layers[0].float(),), given.first, given.subwords, given.words)
        torch.manual_seed(5)
        losses.append(made.loss(given, gold()))
    torch.testing.assert_close(*losses, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("hidden", "h"), WIDTHS)
def test_the_slices_add_up_to_the_uncut_layer(hidden: int, h: int) -> None:
    x = states(hidden).at_words()
    shared = head(Slicer(h=h, bias="shared_out"), hidden)
    torch.testing.assert_close(shared.slices(x).sum(1), shared.linear(x))
    full = head(Slicer(h=h, bias="per_slice"), hidden)
    slices = full.slices(x)
    assert slices.shape == (WORDS, hidden // h, len(TAGS))
    torch.testing.assert_close(slices.sum(1) - (hidden // h - 1) * full.linear.bias, full.linear(x))


@pytest.mark.parametrize("bias", ["per_slice", "shared_out"])
@pytest.mark.parametrize(("hidden", "h"), [(64, 8), (64, 1), (96, 48), (384, 2), (768, 8)])
def test_the_loss_is_the_mean_over_words_and_slices(hidden: int, h: int, bias: Any) -> None:
    """Against plain loops over words and slices, as the formulas are written."""
    made, given = head(Slicer(h=h, bias=bias), hidden), states(hidden)
    weight, slices = made.linear.weight, hidden // h
    b = made.linear.bias if bias == "per_slice" else made.linear.bias / slices
    terms = []
    for row, tag in zip(given.first.tolist(), gold().tolist(), strict=True):
        x = given.layers[0][row]
        for k in range(slices):
            cut = slice(k * h, (k + 1) * h)
            terms.append(-log_softmax(weight[:, cut] @ x[cut] + b, 0)[tag])
    loss = made.loss(given, gold())
    torch.testing.assert_close(loss, torch.stack(terms).mean(), check_dtype=False, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("h", [1, 8, 64])
def test_decoding_uses_the_whole_layer(h: int) -> None:
    made, given = head(Slicer(h=h), 64), states(64)
    assert torch.equal(made.decode(given), made.linear(given.at_words()).argmax(-1))
    assert made.as_linear() is made.linear


@pytest.mark.parametrize("h", [1, 8, 64])
def test_a_frozen_classifier_gets_no_gradient_but_its_bias_does(h: int) -> None:
    made = head(Slicer(h=h, classifier="frozen"), 64)
    _, weight, bias, state = gradients(made, states(64))
    assert weight is None
    assert not made.linear.weight.requires_grad
    assert bias is not None and bool(bias.any())
    assert bool(state.any())


@pytest.mark.parametrize("h", [1, 8, 64])
def test_a_trained_classifier_gets_a_gradient_in_every_slice(h: int) -> None:
    made = head(Slicer(h=h), 64)
    _, weight, bias, _ = gradients(made, states(64))
    assert weight is not None and bias is not None
    assert bool(weight.view(len(TAGS), -1, h).abs().sum((0, 2)).all())
    assert bool(bias.any())


def test_frozen_and_trained_have_the_same_loss_and_start() -> None:
    frozen, trained = (head(Slicer(h=8, classifier=kind), 64) for kind in ("frozen", "trained"))  # type: ignore[arg-type]
    assert torch.equal(frozen.linear.weight, trained.linear.weight)
    assert torch.equal(frozen.loss(states(64), gold()), trained.loss(states(64), gold()))


def test_the_classifier_is_drawn_with_the_encoders_own_spread() -> None:
    torch.manual_seed(0)
    made = Slicer(h=8).head(Sizes(768, 12, 0.1, 0.02), TAGS)
    assert isinstance(made, LinearHead)
    assert made.linear.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not made.linear.bias.any()


def test_the_biases_of_the_two_kinds_differ_in_the_loss() -> None:
    per_slice, shared = (head(Slicer(h=8, bias=kind), 64) for kind in ("per_slice", "shared_out"))  # type: ignore[arg-type]
    assert not torch.isclose(per_slice.loss(states(64), gold()), shared.loss(states(64), gold()))


def test_dropout_is_on_the_whole_state_and_only_in_training() -> None:
    torch.manual_seed(0)
    made = Slicer(h=8).head(sizes(64, dropout=0.5), TAGS).double()
    given = states(64)
    assert not torch.equal(made.loss(given, gold()), made.loss(given, gold()))
    assert torch.equal(made.decode(given), made.decode(given))
    torch.manual_seed(3)
    loss = made.loss(given, gold())
    torch.manual_seed(3)
    dropped = torch.nn.functional.dropout(given.at_words(), 0.5)
    logits = made.slices(dropped).float()  # type: ignore[attr-defined, operator]
    terms = [cross_entropy(logits[:, k], gold()) for k in range(8)]
    torch.testing.assert_close(loss, torch.stack(terms).mean())


@pytest.mark.parametrize(("hidden", "h"), [(384, 5), (768, 1000), (96, 64)])
def test_an_h_that_does_not_divide_the_hidden_size_lists_the_divisors(hidden: int, h: int) -> None:
    with pytest.raises(XnerError) as error:
        Slicer(h=h).head(sizes(hidden), TAGS)
    said = str(error.value)
    divisors = [n for n in range(1, hidden + 1) if hidden % n == 0]
    assert f"--h {h} does not divide the hidden size {hidden}" in said
    assert said.endswith(", ".join(map(str, divisors)))
    assert "\n" not in said


def test_no_word_in_a_batch_gives_no_tag() -> None:
    made = head(Slicer(h=8), 64)
    none = torch.zeros(0, dtype=torch.int64)
    given = States((torch.randn(2, 64, dtype=torch.float64),), none, torch.tensor([0, 2]), torch.tensor([0, 0]))
    assert made.decode(given).shape == (0,)
