"""Dropout drawn in bulk drops as often as torch's, keeps the mean, and follows from torch's seed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xner_bench import dropout
from xner_bench.dropout import FastDropout, mask


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_it_drops_as_often_as_asked(p: float) -> None:
    torch.manual_seed(1)
    drawn = mask(torch.empty(1_000, 997), p)
    rate, expected = float((drawn == 0).double().mean()), round(p * 2**16) / 2**16
    assert abs(rate - expected) < 5 * (expected * (1 - expected) / drawn.numel()) ** 0.5
    assert drawn[drawn > 0].unique().tolist() == pytest.approx([1 / (1 - expected)])
    assert float(drawn.double().mean()) == pytest.approx(1.0, abs=0.01 / (1 - p))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (0, 4), (7, 5, 3)])
def test_any_shape_and_any_number_of_elements(shape: tuple[int, ...]) -> None:
    assert mask(torch.empty(shape), 0.5).shape == shape


def test_elements_and_calls_are_independent() -> None:
    torch.manual_seed(2)
    first, second = (mask(torch.empty(200_000), 0.5).double() - 1 for _ in range(2))
    for one, other in ((first, second), (first[1:], first[:-1]), (first[4:], first[:-4])):
        assert abs(float((one * other).mean())) < 5 / 200_000**0.5


def test_the_seed_alone_decides() -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return mask(torch.empty(64), 0.5)

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_the_layer_drops_in_training_only_and_its_gradient_is_its_mask() -> None:
    layer, x = FastDropout(0.3), torch.randn(50, 40, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(out.detach(), (x * x.grad).detach())
    assert bool((x.grad == 0).any())
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(FastDropout(0.0)(x), x)
    assert not FastDropout(1.0)(x).any()


def test_it_takes_the_place_of_torchs_own_and_of_nothing_else() -> None:
    class Other(nn.Dropout):
        pass

    module = nn.Sequential(nn.Dropout(0.2), Other(0.2), nn.Dropout1d(0.2))
    names = list(module.state_dict())
    dropout.install(module)
    assert [type(one) for one in module] == [FastDropout, Other, nn.Dropout1d]
    assert (module[0].p, list(module.state_dict())) == (0.2, names)
