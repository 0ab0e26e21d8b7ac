"""DLFA: its head against the paper's equations in plain loops; its statistics; the layers that it reads."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import families
import numpy as np
import pytest
import tiny
import torch
from families import DEPTH
from hypothesis import given, settings
from hypothesis import strategies as st

from xner_bench import batches, device, encode, registry
from xner_bench.errors import XnerError
from xner_bench.head import States
from xner_bench.method import Sizes
from xner_bench.methods.aggregation import FusedHead
from xner_bench.methods.dlfa import Dlfa
from xner_bench.train import Fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from xner_bench.layout import Layout

    Rows = list[NDArray[np.float64]]

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
HIDDEN = 12
KINDS = {"both": ("global", "local"), "global": ("global", "global"), "local": ("local", "local")}
GATES = ("weight", "output")
LENGTHS = (5, 3, 7, 2, 1, 4)
BRANCH = ("first", "second")  # of the gate, as the head calls them


def head(dropout: float = 0.0, **options: Any) -> FusedHead:
    """A head in float64 whose weights and running statistics are all far from where they begin."""
    torch.manual_seed(0)
    made = Dlfa(**options).head(Sizes(HIDDEN, 4, dropout, 0.3), TAGS)
    assert isinstance(made, FusedHead)
    made.double()
    for name, value in made.state_dict().items():
        if name.endswith("running_var") or (value.ndim == 1 and name.endswith(".weight")):
            value.uniform_(0.5, 2.0)
        elif name.endswith(("running_mean", "bias")):
            value.normal_()
    return made


def states(lengths: Sequence[int] = LENGTHS, seed: int = 1) -> States:
    """Two layers' states of windows of these lengths, of whose subwords some decide."""
    random = torch.Generator().manual_seed(seed)
    lower, last = torch.randn(2, sum(lengths), HIDDEN, generator=random, dtype=torch.float64) * 2
    decides = torch.rand(sum(lengths), generator=random) < 0.6
    decides[0] = True
    offsets = torch.from_numpy(tiny.offsets(lengths))
    words = torch.cat((torch.zeros(1, dtype=torch.int64), decides.cumsum(0)))[offsets]
    return States((lower, last), decides.nonzero()[:, 0], offsets, words)


def gold(given: States) -> Tensor:
    return torch.randint(0, len(TAGS), (len(given.first),), generator=torch.Generator().manual_seed(2))


class Equations:
    """Equations 1 to 4 as they are written, in loops over windows and subwords."""

    def __init__(self, made: FusedHead, branches: str, gate: str) -> None:
        self.value = {name: value.numpy().copy() for name, value in made.state_dict().items()}
        self.training, self.kinds, self.gate = made.training, KINDS[branches], gate

    def normalised(self, rows: Rows, name: str) -> Rows:
        mean, variance = self.value[f"{name}.running_mean"], self.value[f"{name}.running_var"]
        if self.training and len(rows) > 1:
            mean, variance, _ = statistics(rows)
        weight, bias = self.value[f"{name}.weight"], self.value[f"{name}.bias"]
        return [(row - mean) / np.sqrt(variance + 1e-5) * weight + bias for row in rows]

    def branch(self, rows: Rows, name: str) -> Rows:
        rows = self.normalised([self.value[f"{name}.0.weight"] @ row for row in rows], f"{name}.1")
        rows = [np.maximum(row, 0) for row in rows]
        return self.normalised([self.value[f"{name}.3.weight"] @ row for row in rows], f"{name}.4")

    def fused(self, given: States) -> NDArray[np.float64]:
        """Of every subword (T, D)."""
        lower, last = (layer.numpy() for layer in given.layers)
        means, window = by_subword(given), of_window(given)
        logits = [np.zeros(HIDDEN) for _ in means]
        for kind, name in zip(self.kinds, BRANCH, strict=True):
            said = self.branch(by_window(given) if kind == "global" else means, name)
            for t in range(len(means)):
                logits[t] = logits[t] + said[window[t] if kind == "global" else t]
        found = []
        for t, mean in enumerate(means):
            weight = 1 / (1 + np.exp(-logits[t]))
            a = weight * mean if self.gate == "output" else weight
            found.append(lower[t] * a + last[t] * (1 - a))
        return np.array(found)

    def logits(self, given: States) -> NDArray[np.float64]:
        """Of every word (W, C)."""
        weight, bias = self.value["classifier.linear.weight"], self.value["classifier.linear.bias"]
        rows = self.fused(given)
        return np.array([weight @ rows[t] + bias for t in given.first.tolist()])

    def loss(self, given: States) -> float:
        terms = [
            np.log(np.exp(logits).sum()) - logits[tag]
            for logits, tag in zip(self.logits(given), gold(given).tolist(), strict=True)
        ]
        return float(np.mean(terms))


def statistics(rows: Rows) -> tuple[Any, Any, Any]:
    """Mean, variance, and the estimate of the variance that the running one is made of."""
    mean = sum(rows) / len(rows)
    squares: Any = sum((row - mean) ** 2 for row in rows)
    return mean, squares / len(rows), squares / (len(rows) - 1)


def by_subword(given: States) -> Rows:
    lower, last = (layer.numpy() for layer in given.layers)
    return [(lower[t] + last[t]) / 2 for t in range(len(lower))]


def by_window(given: States) -> Rows:
    means, bounds = by_subword(given), given.subwords.tolist()
    return [np.array(sum(means[start:end])) / (end - start) for start, end in pairwise(bounds)]


def of_window(given: States) -> list[int]:
    return [s for s, length in enumerate(given.subwords.diff().tolist()) for _ in range(length)]


def buffers(made: FusedHead, name: str) -> dict[str, Tensor]:
    """A branch's running statistics, as they stand."""
    return {key: value.clone() for key, value in made.named_buffers() if key.startswith(name) and value.ndim}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("branches", KINDS)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_the_head_computes_the_equations(
    branches: str, gate: str, training: bool, lengths: list[int], seed: int
) -> None:
    made = head(branches=branches, gate=gate, reduction=5).train(training)
    given, equations = states(lengths, seed), Equations(made, branches, gate)
    fused = copy.deepcopy(made).fused(given).detach()  # in training this moves the running statistics
    torch.testing.assert_close(fused, torch.from_numpy(equations.fused(given))[given.first], rtol=1e-6, atol=1e-6)
    assert made.loss(given, gold(given)).item() == pytest.approx(equations.loss(given), rel=1e-6, abs=1e-6)
    if not training:
        assert made.decode(given).tolist() == equations.logits(given).argmax(1).tolist()


@pytest.mark.parametrize(("branches", "rows"), [("global", by_window), ("local", by_subword)])
def test_running_statistics_are_those_of_all_windows_or_all_subwords(branches: str, rows: Any) -> None:
    made, given = head(branches=branches), states()
    before = buffers(made, "")
    made.loss(given, gold(given))
    for name in BRANCH:
        weight = getattr(made, name)[0].weight.detach().numpy()
        mean, _, variance = statistics([weight @ row for row in rows(given)])
        after = buffers(made, f"{name}.1")
        for key, expected in (("running_mean", mean), ("running_var", variance)):
            moved = 0.9 * before[f"{name}.1.{key}"] + 0.1 * torch.from_numpy(expected)
            torch.testing.assert_close(after[f"{name}.1.{key}"], moved)


@pytest.mark.parametrize("gate", GATES)
def test_one_window_is_normalised_with_what_came_before(gate: str) -> None:
    made, given = head(gate=gate, reduction=1), states([6])  # of many narrowed features ReLU leaves some
    over_windows, over_subwords = (buffers(made, name) for name in BRANCH)
    made.loss(given, gold(given)).backward()
    assert all(bool(parameter.grad is not None and parameter.grad.any()) for parameter in made.parameters())
    assert all(torch.equal(value, over_windows[name]) for name, value in buffers(made, "first").items())
    assert not any(torch.equal(value, over_subwords[name]) for name, value in buffers(made, "second").items())


@pytest.mark.parametrize("branches", KINDS)
def test_a_window_is_tagged_the_same_alone_and_moves_no_statistics(branches: str) -> None:
    made, given = head(branches=branches).eval(), states()
    before = buffers(made, "")
    together = made.fused(given)
    alone = torch.cat([made.fused(window(given, s)) for s in range(len(LENGTHS))])
    torch.testing.assert_close(alone, together)
    torch.testing.assert_close(buffers(made, ""), before, rtol=0, atol=0)


def window(given: States, s: int) -> States:
    """One of the windows as a batch of its own."""
    rows, words = slice(*given.subwords[s : s + 2].tolist()), slice(*given.words[s : s + 2].tolist())
    first = given.first[words] - rows.start
    offsets = (torch.tensor([0, rows.stop - rows.start]), torch.tensor([0, len(first)]))
    return States((given.layers[0][rows], given.layers[1][rows]), first, *offsets)


@pytest.mark.parametrize("gate", GATES)
def test_equal_layers_stay_what_they_are(gate: str) -> None:
    made, given = head(gate=gate), states()
    same = States((given.layers[1], given.layers[1]), given.first, given.subwords, given.words)
    assert torch.equal(made.fused(same), given.at_words())


def test_the_weight_keeps_the_scale_and_the_output_does_not() -> None:
    given = states()
    lower, last = given.at_words(0), given.at_words(1)
    inside = [
        (torch.minimum(lower, last) <= fused) & (fused <= torch.maximum(lower, last))
        for fused in (head(gate=gate).fused(given) for gate in GATES)
    ]
    assert bool(inside[0].all())
    assert not bool(inside[1].all())


@pytest.mark.parametrize(("layer", "trained"), [(3, True), (4, False)])
def test_only_a_gate_between_two_layers_is_trained(layer: int, trained: bool) -> None:
    made = head(layer=layer)
    assert {weight.requires_grad for name in BRANCH for weight in getattr(made, name).parameters()} == {trained}
    assert all(weight.requires_grad for weight in made.classifier.parameters())


def test_one_branch_in_the_others_place_has_as_many_weights() -> None:
    sizes = {sum(weight.numel() for weight in head(branches=branches).parameters()) for branches in KINDS}
    assert len(sizes) == 1
    made = head(branches="local")
    assert not torch.equal(made.first.get_parameter("0.weight"), made.second.get_parameter("0.weight"))


def test_convolutions_are_drawn_from_kaimings_normal_distribution() -> None:
    torch.manual_seed(0)
    made = Dlfa().head(Sizes(768, 12, 0.1, 0.02), TAGS)
    assert isinstance(made, FusedHead)
    for branch in (made.first, made.second):
        narrow, widen = branch.get_parameter("0.weight"), branch.get_parameter("3.weight")
        assert (narrow.shape, widen.shape) == ((192, 768), (768, 192))
        assert narrow.std().item() == pytest.approx((2 / 768) ** 0.5, rel=0.05)
        assert widen.std().item() == pytest.approx((2 / 192) ** 0.5, rel=0.05)


def test_no_word_in_a_batch_gives_no_tag() -> None:
    given = states([2])
    none = States(given.layers, given.first[:0], given.subwords, torch.tensor([0, 0]))
    for branches in KINDS:
        assert head(branches=branches).eval().decode(none).shape == (0,)


def test_it_is_no_linear_layer_on_the_last_state() -> None:
    assert head().as_linear() is None


def test_dropout_is_on_the_fused_states_in_training() -> None:
    made, given = head(dropout=0.5), states()
    assert not torch.equal(made.loss(given, gold(given)), made.loss(given, gold(given)))
    made.eval()
    assert torch.equal(made.loss(given, gold(given)), made.loss(given, gold(given)))


def test_statistics_stay_in_float32_under_autocast() -> None:
    whole = head(dropout=0.0).float()
    given = states()
    given = States(tuple(x.float() for x in given.layers), given.first, given.subwords, given.words)
    short = States(tuple(x.bfloat16() for x in given.layers), given.first, given.subwords, given.words)
    made = copy.deepcopy(whole)
    expected = whole.loss(given, gold(given))
    with device.autocast(torch.device("cpu"), "bf16"):
        loss = made.loss(short, gold(given))
    loss.backward()
    assert {value.dtype for value in buffers(made, "").values()} == {torch.float32}
    torch.testing.assert_close(loss, expected, rtol=0.05, atol=0)
    torch.testing.assert_close(buffers(made, ""), buffers(whole, ""), rtol=0.05, atol=0.05)


def ways(way: Layout) -> Iterator[tuple[Layout, float]]:
    """Layouts that must give the same, and how full their groups are."""
    yield from ((way, 1.0), (way._replace(packed=False), 1.0))
    yield from ((way._replace(packed=False), 0.0), (way._replace(packed=False, padding=False), 1.0))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert", "deberta-v2"])
def test_padding_does_not_count(family: str, training: bool) -> None:
    """Loss, gradients and statistics of packed windows are those of padded ones and of each alone."""
    made = families.transformer(family)
    built = families.tagger_for(made, families.chosen(made), Dlfa(layer=1))
    encoded, found = families.corpus(), []
    for way, filled in ways(built.layout):
        one = copy.deepcopy(built).train(training)
        one.layout = way
        loss = one.loss(*families.tagged(encoded, families.everything(encoded, filled)))
        loss.backward()
        gradients = {name: weight.grad for name, weight in one.head.named_parameters()}
        found.append((loss.detach(), gradients, dict(one.head.named_buffers())))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layer", range(DEPTH + 1))
def test_layer_k_is_the_kth_layers_output_and_0_the_embeddings(layer: int) -> None:
    made = families.transformer("bert")
    built = families.tagger_for(made, families.chosen(made), Dlfa(layer=layer))
    said: list[Any] = []
    for module in (made.embeddings, *made.encoder.layer):
        module.register_forward_hook(lambda _module, _given, out: said.append(out))
    seen = built.states(families.everything(families.corpus()))
    assert len(seen.layers) == 2
    for found, expected in zip(seen.layers, (said[layer], said[DEPTH]), strict=True):
        assert torch.equal(found, expected.flatten(0, 1))
    assert Dlfa(layer=layer).facts(built) == {"layer": layer}


@pytest.mark.parametrize(("depth", "layer"), [(1, 1), (2, 1), (4, 3), (6, 4), (12, 8), (24, 16)])
def test_the_layer_is_two_thirds_up_by_default(depth: int, layer: int) -> None:
    assert Dlfa().layers(depth) == (layer, depth)


def test_the_search_is_over_all_layers() -> None:
    assert Dlfa.search_space(Sizes(768, 12, 0.1, 0.02)) == {"layer": tuple(range(1, 13))}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": 13}, "--layer 13 is beyond the encoder's last; give one from 0 to 12"),
        ({"reduction": 769}, "--reduction 769 leaves no feature of the hidden size 768; give a smaller one"),
        ({"layer": -1}, "--layer: Input should be greater than or equal to 0 (got -1)"),
        ({"reduction": 0}, "--reduction: Input should be greater than or equal to 1 (got 0)"),
        ({"gate": "none"}, "--gate: Input should be 'weight' or 'output' (got 'none')"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(XnerError) as error:
        registry.make("dlfa", options).head(Sizes(768, 12, 0.1, 0.02), TAGS)
    assert str(error.value) == said


def test_batches_are_never_split(encoders: tiny.Folders) -> None:
    """However few subwords may be computed at once: parts would have other statistics."""
    losses = []
    for budget in (1, 10_000):
        encoder, method = encoders.load("bert"), Dlfa()
        built = tiny.tagger_for(encoder, method)
        encoded = encode.encode(tiny.corpus(seed=2, sentences=10), tiny.subwords(encoder))
        fit = Fit(built, method, encoded, tiny.gold(encoded), tiny.training(batch_size=3), 1, budget=budget)
        losses.append([step.loss for epoch in fit for step in epoch])
    assert losses[0] == losses[1]
    assert len(batches.with_words(encoded, every_subword=False)) % 3 == 1  # the last batch is one window
