"""Layouts: packed, padded or alone, a window has the same states, gradients and loss."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import families
import numpy as np
import pytest
import tiny
import torch
import transformers
from families import ALL, DEPTH, FAMILIES, PACKED, PADDED
from transformers import BertModel

from xner_bench import attention, batches, layout
from xner_bench.batches import Group
from xner_bench.errors import XnerError
from xner_bench.methods.standard import Standard
from xner_bench.train import Stepper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from xner_bench.batches import Batch
    from xner_bench.layout import Layout

FILLED = (0.0, 0.25, 0.75, 1.0)


def ways(way: Layout) -> Iterator[Layout]:
    """A layout, and padding, which suits every transformer."""
    yield way
    if way.packed:
        yield way._replace(packed=False)


def states(made: Any, batch: Batch, way: Layout) -> Tensor:
    """States of all layers (layers, T, D)."""
    return torch.stack(layout.states(made, batch, ALL, DEPTH, way)).detach()


def alone(made: Any, encoded: Any, way: Layout) -> Tensor:
    """States of all layers, each window as a batch of its own, without any layout; in the order of one batch."""
    order = np.argsort(-np.diff(encoded.windows), kind="stable")
    single = [batches.lay_out(encoded, np.array([window]), every_subword=False) for window in order]
    return torch.cat([states(made, one, way._replace(packed=False)) for one in single], dim=1)


@pytest.mark.parametrize("family", PACKED)
def test_encoders_with_transformers_attention_are_packed(family: str) -> None:
    made, watch = families.transformer(family), families.Notes()
    way = families.chosen(made, watch)
    assert (way.packed, way.pad, watch.notes) == (True, families.PAD, [])
    assert way.offset == (families.PAD + 1 if "roberta" in family or family == "camembert" else 0)
    assert made.config._attn_implementation == attention.NAME


@pytest.mark.parametrize("family", PADDED)
def test_other_encoders_are_padded_and_one_line_says_so(family: str) -> None:
    made, watch = families.transformer(family), families.Notes()
    before = made.config._attn_implementation
    assert not families.chosen(made, watch).packed
    assert made.config._attn_implementation == before
    assert len(watch.notes) == 1
    assert repr(family) in watch.notes[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_window_has_the_same_states_in_every_layout(family: str) -> None:
    made = families.transformer(family)
    way, encoded = families.chosen(made), families.corpus()
    head = families.tagger_for(made, way).head.as_linear()
    expected = alone(made, encoded, way)
    assert head is not None
    for one, filled, gradients in product(ways(way), FILLED, (True, False)):
        with torch.set_grad_enabled(gradients):
            found = states(made, families.everything(encoded, filled), one)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
            torch.testing.assert_close(head(found[-1]), head(expected[-1]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_is_the_same_asked_for_alone(family: str) -> None:
    made = families.transformer(family)
    way, batch = families.chosen(made), families.everything(families.corpus())
    [last] = layout.states(made, batch, (DEPTH,), DEPTH, way)
    assert torch.equal(last, states(made, batch, way)[-1])


@pytest.mark.parametrize("family", PACKED)
def test_windows_that_see_one_another_have_other_states(family: str) -> None:
    """That the tests above can fail: here a row of windows is taken for one window."""
    made = families.transformer(family)
    way, batch = families.chosen(made), families.everything(families.corpus())
    as_one = replace(batch, groups=(Group(1, len(batch.ids), None),))
    difference = states(made, as_one, way) - states(made, batch, way)
    assert difference[-1].abs().mean() > 1e-2


@pytest.mark.parametrize("filled", [0.25, 1.0])
@pytest.mark.parametrize("family", PACKED)
def test_packed_and_padded_have_equal_gradients(family: str, filled: float) -> None:
    made = families.transformer(family)
    tagger, encoded = families.tagger_for(made, families.chosen(made)), families.corpus()
    padded = copy.deepcopy(tagger)
    padded.layout = tagger.layout._replace(packed=False)
    for one, alike in ((tagger, filled), (padded, 0.0)):
        one.train()
        one.loss(*families.tagged(encoded, families.everything(encoded, alike))).backward()
    expected = {name: parameter.grad for name, parameter in padded.named_parameters()}
    largest = max(float(grad.abs().max()) for grad in expected.values() if grad is not None)
    for name, parameter in tagger.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-5 * largest, msg=name)


@pytest.mark.parametrize("family", PACKED)
def test_half_precision_is_near(family: str) -> None:
    """Under autocast a packed batch has the loss and the gradients of fp32, but for what bf16 rounds."""
    made = families.transformer(family)
    tagger, encoded = families.tagger_for(made, families.chosen(made)).train(), families.corpus()
    losses, gradients = [], []
    for half in (False, True):
        tagger.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = tagger.loss(*families.tagged(encoded, families.everything(encoded, 0.25)))
        loss.backward()
        losses.append(loss.item())
        gradients.append(torch.cat([one.grad.flatten() for one in tagger.parameters() if one.grad is not None]))
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.98


def test_an_encoder_that_padding_disturbs_takes_each_window_alone() -> None:
    """FNet mixes all places of a row, padding too."""
    torch.manual_seed(0)
    made = transformers.FNetModel(
        transformers.FNetConfig(
            vocab_size=90, hidden_size=16, num_hidden_layers=2, intermediate_size=16, pad_token_id=1
        )
    ).eval()
    watch = families.Notes()
    way = layout.choose(made, pad=1, room=64, watch=watch)
    assert (way.packed, way.padding) == (False, False)
    assert watch.notes == [
        "encoders of type 'fnet' can be neither packed nor padded: each sentence goes alone (much slower)"
    ]
    encoded = families.corpus()
    one_by_one = [batches.lay_out(encoded, np.array([at]), False) for at in range(encoded.n_windows)]
    found = {tuple(b.place.tolist()): layout.states(made, b, (2,), 2, way)[0][b.first] for b in one_by_one}
    batch = families.everything(encoded, 0.25)
    together = layout.states(made, batch, (2,), 2, way)[0][batch.first]
    row = {place: at for at, place in enumerate(batch.place.tolist())}
    for places, states_alone in found.items():
        torch.testing.assert_close(together[[row[place] for place in places]], states_alone, rtol=0, atol=1e-5)


def test_an_encoder_that_wants_more_than_subwords_is_one_line() -> None:
    config = transformers.BrosConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    with pytest.raises(XnerError, match=r"^encoder of type 'bros' cannot be run on subwords alone \(.*\); choose"):
        layout.choose(transformers.BrosModel(config), pad=0, room=64)


def test_the_comparison_sees_a_sliding_window_that_is_meant_otherwise() -> None:
    made, watch = families.transformer("modernbert", local_attention=24), families.Notes()
    for module in made.modules():
        if getattr(module, "sliding_window", None) is not None:
            module.sliding_window += 1
    assert not families.chosen(made, watch).packed
    assert len(watch.notes) == 1


class NeedsRectangles(BertModel):
    """Takes offence at a packed row."""

    def forward(self, *given: Any, position_ids: Any = None, **named: Any) -> Any:
        if position_ids is not None:
            raise RuntimeError("no positions, please")
        return super().forward(*given, **named)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_an_encoder_that_cannot_be_packed_stays_as_it_was(training: bool, implementation: str) -> None:
    config: Any = transformers.BertConfig(**{**families.FACTS, "attn_implementation": implementation})
    for made in (NeedsRectangles(config), families.transformer("llama", attn_implementation=implementation)):
        made.train(training)
        watch, drawn = families.Notes(), torch.get_rng_state()
        assert not families.chosen(made, watch).packed
        assert len(watch.notes) == 1
        assert made.config._attn_implementation == implementation
        assert {module.training for module in made.modules()} == {training}
        assert torch.equal(torch.get_rng_state(), drawn)
        assert torch.is_grad_enabled()


@pytest.mark.parametrize("training", [True, False])
def test_choosing_draws_nothing_and_keeps_the_mode(training: bool) -> None:
    made = families.transformer("xlm-roberta", hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5)
    made.train(training)
    drawn = torch.get_rng_state()
    assert families.chosen(made).packed
    assert made.training == training
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(parameter.grad is None for parameter in made.parameters())


def test_the_mode_is_restored_when_an_encoder_fails() -> None:
    made = families.transformer("bert").train()
    with pytest.raises(KeyError), layout.probing(made):
        raise KeyError
    assert made.training


@pytest.mark.parametrize("family", ["xlm-roberta", "modernbert", "rembert"])
def test_a_batch_in_parts_is_one_step(family: str) -> None:
    """Parts weigh as much as they have words: here the one with the most subwords has two words."""
    made = families.transformer(family).double()  # Adam makes a lot of a difference in the last digits
    whole = families.tagger_for(made, families.chosen(made)).double().train()
    parted = copy.deepcopy(whole)
    encoded = families.corpus((40, 38, 5, 9, 12, 3, 11, 8), pieces=1)
    encoded.word[1:39], encoded.word[41:77] = encoded.word[1], encoded.word[41]
    windows, losses, counts = np.arange(encoded.n_windows), [], []
    for tagger, budget in ((whole, 10_000), (parted, 40)):
        stepper = Stepper(tagger, Standard(), tiny.training(warmup=0.0), steps=10)
        for _ in range(2):
            cut = batches.by_length(encoded, windows, budget, every_subword=False, filled=0.75)
            parts = [families.tagged(encoded, part) for part in cut]
            losses.append(stepper.step(parts)[0])
        counts.append([len(tags) for _, tags in parts])
    assert counts == [[sum(counts[1])], counts[1]]
    assert min(counts[1]) == 1 < 20 < max(counts[1])
    assert losses[:2] == pytest.approx(losses[2:], rel=1e-6)
    for (name, one), other in zip(whole.named_parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6, msg=name)
