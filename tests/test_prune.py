"""Iterative magnitude pruning: exactly so many weights are zero, the smallest ones, from the step on that says so."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import families
import numpy as np
import pytest
import small as worlds
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AlbertModel, AutoModelForTokenClassification, GPT2Config, GPT2Model

from xner_bench import conformance, mean, registry, vocabulary
from xner_bench.checkpoints import Checkpoints
from xner_bench.errors import XnerError
from xner_bench.method import Moment
from xner_bench.methods import gradual, pruned_table, pruning
from xner_bench.methods.gradual import Timing
from xner_bench.methods.magnitude import keys, ranked, smallest
from xner_bench.methods.prune import Prune
from xner_bench.methods.standard import Standard
from xner_bench.train import Fit, Stepper
from xner_bench.vocabulary import CompactEmbedding

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.method import Method
    from xner_bench.settings import Training
    from xner_bench.tagger import Tagger

STEPS = 10
TRAINING = tiny.training(lr=1e-2, weight_decay=0.1, warmup=0.3, clip=0.5)
TRAIN = families.corpus(subwords=60)
USED = np.unique(TRAIN.ids)
BOTH = "dense+embeddings"


def moment(steps: int, sentences: int = 100) -> Moment:
    return Moment(1, steps, sentences)


def taggers(method: Method, family: str = "bert") -> tuple[Tagger, Tagger]:
    """The same tagger twice, ready to be pruned: with its whole embedding, and with a compact one."""
    made = families.transformer(family)
    whole = families.tagger_for(made, families.chosen(made))
    compact = copy.deepcopy(whole)
    assert vocabulary.compact(compact.transformer, USED, compact.layout, families.ROOM)
    for tagger in (whole, compact):
        method.prepare(tagger)
    return whole, compact


def train(tagger: Tagger, method: Method, steps: range = range(1, STEPS + 1), training: Training = TRAINING) -> Stepper:
    """Some of the steps, each on all training windows."""
    stepper = Stepper(tagger.train(), method, training, STEPS)
    parts = [families.tagged(TRAIN, families.everything(TRAIN, 0.25))]
    for step in steps:
        stepper.step(parts)
        method.after_step(tagger, Moment(step, STEPS, TRAIN.n_windows))
    return stepper


def weights(tagger: Tagger) -> dict[str, Tensor]:
    """Every matrix in the method's scope, with all of its rows, as it stands now."""
    masks = pruning.of(tagger).matrices
    return {
        name: (module.whole() if isinstance(module, CompactEmbedding) else module).weight.detach()
        for name, module in masks.items()
    }


def zeros(tagger: Tagger) -> dict[str, int]:
    return {name: int((weight == 0).sum()) for name, weight in weights(tagger).items()}


# The schedule.


@given(begin=st.integers(0, 300), length=st.integers(1, 300), every=st.integers(1, 400))
def test_events_are_at_begin_at_end_and_evenly_between(begin: int, length: int, every: int) -> None:
    timing = Timing(begin, begin + length, every)
    found = [step for step in range(begin + length + every + 2) if timing.event(step)]
    assert found == [*range(begin, begin + length, every), begin + length]


@given(begin=st.integers(0, 5_000), length=st.integers(1, 5_000), data=st.data())
def test_the_sparsity_follows_the_formula(begin: int, length: int, data: Any) -> None:
    """Zhu and Gupta's equation 1 as it is written there, from an initial sparsity of 0."""
    step = data.draw(st.integers(begin, begin + length))
    timing, initial, final = Timing(begin, begin + length, 1), 0.0, 0.9
    written = final + (initial - final) * (1 - (step - begin) / length) ** 3
    assert final * timing.share(step, "cubic") == pytest.approx(written, abs=1e-12)
    assert timing.share(step, "linear") == (step - begin) / length
    for schedule in ("cubic", "linear"):
        assert timing.share(begin, schedule) == 0
        assert timing.share(begin + length, schedule) == 1


@pytest.mark.parametrize(
    ("sentences", "begin", "end", "every"),
    [
        *((size, 10, 60, 10) for size in (1, 100)),
        *((size, 100, 300, 50) for size in (101, 1_000)),
        *((size, 500, 1_200, 100) for size in (1_001, 5_000, 10_000)),
        *((size, 700, 1_800, 150) for size in (10_001, 15_000)),
        *((size, 1_000, 2_400, 200) for size in (15_001, 20_000, 20_001, 10**6)),
    ],
)
def test_without_options_steps_are_the_papers(sentences: int, begin: int, end: int, every: int) -> None:
    assert gradual.timing(moment(10**6, sentences), None, None, None) == (begin, end, every)
    assert gradual.timing(moment(2 * end, sentences), None, None, None) == (begin, end, every)


@pytest.mark.parametrize("sentences", [100, 1_000, 10_000, 15_000, 20_000])
def test_in_short_trainings_the_papers_steps_shrink_alike(sentences: int) -> None:
    paper = gradual.usual(moment(10**6, sentences))
    assert gradual.usual(moment(paper.end, sentences)) == (paper.begin // 2, paper.end // 2, paper.every // 2)
    for steps in range(1, 2 * paper.end):
        found = gradual.timing(moment(steps, sentences), None, None, None)
        assert found.end == max(1, steps // 2)
        assert found.begin == found.end * paper.begin // paper.end < found.end
        assert found.every >= 1


def test_a_sentence_that_needs_two_windows_is_one() -> None:
    """The paper's sizes are round numbers: with one window more the next row would hold."""
    cut = replace(TRAIN, sentences=np.delete(TRAIN.sentences, 1))
    tagger = families.tagger_for(families.transformer("bert"), families.chosen(families.transformer("bert")))
    fit = Fit(tagger, Standard(), cut, tiny.gold(cut), TRAINING, seed=1)
    assert fit.sentences == TRAIN.n_windows - 1


def test_steps_are_whole_ones_or_fractions_of_training() -> None:
    assert gradual.timing(moment(1_000), 0, 0.5, 7) == (0, 500, 7)
    assert gradual.timing(moment(1_000), 1, 1_000, 0.25) == (1, 1_000, 250)
    assert gradual.timing(moment(1_000), 0.02, None, None) == (20, 60, 10)
    assert gradual.timing(moment(3), 0.0, 0.01, 0.01) == (0, 1, 1)


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        (None, 1_001, "--end 1001 is beyond the 1000 steps of training; give fewer, or a fraction below 1"),
        (
            500,
            0.5,
            "after step 500 of 1000 (--begin 500) and end after step 500 (--end 0.5); give an --end after --begin",
        ),
        (60, None, "(--begin 60) and end after step 60 (the default for so much data; there is no --end); give"),
        (
            None,
            10,
            "step 10 of 1000 (the default for so much data; there is no --begin) and end after step 10 (--end 10);",
        ),
    ],
)
def test_steps_that_do_not_fit_training_are_one_line(begin: float | None, end: float | None, said: str) -> None:
    with pytest.raises(XnerError) as error:
        gradual.timing(moment(1_000), begin, end, None)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sparsity": 1}, r"--sparsity: .*less than 1 \(got 1\)"),
        ({"sparsity": 1.5}, "--sparsity: .*less than 1"),
        ({"sparsity": 0}, "--sparsity: .*greater than 0"),
        ({"sparsity": float("nan")}, "--sparsity: "),
        ({"scope": "all"}, "--scope: "),
        ({"begin": -1}, "--begin: "),
        ({"begin": 10.5}, "--begin: .*steps are whole"),
        ({"every": 0}, "--every: "),
        ({"end": float("inf")}, "--end"),
        ({"begin": 20, "end": 20}, "--end: .*ends after its beginning, --begin 20"),
        ({"begin": 0.5, "end": 0.25}, "--end: .*ends after its beginning, --begin 0.5"),
    ],
)
def test_options_that_mean_nothing_are_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(XnerError, match=said) as error:
        registry.make("prune", options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["prune", "crf+prune"])
def test_an_end_beyond_training_is_known_while_a_run_is_planned(tmp_path: Path, method: str) -> None:
    small = worlds.build(tmp_path)
    answer = worlds.call(*small.argv(tmp_path / "results", "--end", 17, method=method))  # 4 epochs of 4 steps
    assert answer.status == 2
    assert answer.err == (
        "xner-bench: --end 17 is beyond the 16 steps of training; give fewer, or a fraction below 1\n"
    )
    assert not list((tmp_path / "results" / "runs").glob("[!.]*"))  # nothing to be done again


# The smallest.


@given(data=st.data())
def test_ranks_are_those_of_a_sort(data: Any) -> None:
    sizes = st.lists(st.integers(0, 2**31 - 1) | st.integers(0, 3) | st.integers(65_530, 65_540), max_size=9)
    pieces = [torch.tensor(one, dtype=torch.int32) for one in data.draw(st.lists(sizes, min_size=1, max_size=4))]
    together = sorted(torch.cat(pieces).tolist())
    for rank in range(1, len(together) + 1):
        bound = together[rank - 1]
        assert ranked(lambda: pieces, rank) == (bound, together.index(bound))


@given(
    values=st.lists(st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.0, -2.0, 1e-40, 3e38]), min_size=6, max_size=6),
    held=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_the_smallest_are_the_first_of_a_stable_sort(values: list[float], held: list[bool]) -> None:
    weight, kept = torch.tensor(values).view(2, 3), ~torch.tensor(held).view(2, 3)
    order = sorted(range(6), key=lambda at: -1.0 if held[at] else abs(values[at]))
    for number in range(7):
        found = smallest(keys(weight, kept), number)
        assert found.flatten().nonzero().flatten().tolist() == sorted(order[:number])


def test_equal_weights_go_by_position() -> None:
    found = smallest(keys(torch.full((3, 4), -0.25), torch.ones(3, 4, dtype=torch.bool)), 6)
    assert found.flatten().tolist() == [True] * 6 + [False] * 6


def plain(table: np.ndarray[Any, Any], pruned: np.ndarray[Any, Any], number: int) -> np.ndarray[Any, Any]:
    """Which entries of a whole table are pruned: those that are, then the smallest, the earlier among equals."""
    magnitude = np.where(pruned, -1, np.abs(table)).flatten()
    chosen = np.zeros(table.size, bool)
    chosen[np.argsort(magnitude, stable=True)[:number]] = True
    return chosen.reshape(table.shape)


@given(seed=st.integers(0, 10**6), alike=st.booleans(), factor=st.sampled_from([1.0, 0.999, 0.5]))
@settings(max_examples=60)
def test_a_compact_table_is_pruned_like_a_plain_one(seed: int, alike: bool, factor: float) -> None:
    """Against float64 on the whole table, while trained rows move and the others shrink. Many entries may be alike."""
    draw = np.random.default_rng(seed)
    values = draw.choice([0.25, -0.25, 0.5, 1.0], (11, 3)) if alike else draw.normal(size=(11, 3))
    whole = nn.Embedding.from_pretrained(torch.tensor(values, dtype=torch.float32), freeze=False)
    used = torch.from_numpy(draw.permutation(11)[: draw.integers(1, 11)])
    embedding = CompactEmbedding(whole, used)
    carrier = nn.Sequential(nn.Linear(1, 1), embedding)
    carrier.get_input_embeddings = lambda: embedding  # type: ignore[assignment]
    masks = pruning.Pruning(carrier, embeddings=True)
    pruned = np.zeros((11, 3), bool)
    for number in sorted(draw.integers(0, 34, 6).tolist()):
        table = embedding.table.double() * float(embedding.factor.float())
        table[used] = embedding.weight.detach().double()
        pruned = plain(table.numpy(), pruned, number)
        masks.prune(number / 33)
        masks.hold()
        assert torch.equal(embedding.whole().weight == 0, torch.from_numpy(pruned))
        assert torch.equal(embedding.table, whole.weight)
        embedding.decay(1.0, 1 - factor)
        embedding.weight.data[draw.integers(len(used))] *= draw.choice([0.5, 0.25])


def test_entries_that_rounding_makes_equal_keep_their_order() -> None:
    """Neighbours of float32 have one product with the factor: the smaller goes first, wherever it stands."""
    values = (
        (torch.tensor([1.5]).view(torch.int32) - torch.arange(20, dtype=torch.int32)).view(torch.float32).view(20, 1)
    )
    embedding = CompactEmbedding(nn.Embedding.from_pretrained(torch.cat([values, values * 2])), torch.tensor([20]))
    embedding.factor.fill_(0.7)
    assert len(embedding.whole().weight[:20].unique()) < 19
    kept, ids = torch.ones(1, 1, dtype=torch.bool), torch.arange(20)
    for number in range(1, 21):
        pruned_table.prune(embedding, kept, number)
        assert embedding.kept(ids, values).flatten().tolist() == [True] * (20 - number) + [False] * number
    assert kept.all()


# What it is applied to.


@pytest.mark.parametrize("family", families.FAMILIES)
def test_dense_are_the_matrices_of_linear_layers(family: str) -> None:
    made = families.transformer(family)
    found = {id(module.weight) for module in pruning.linear(made)}  # type: ignore[union-attr]
    expected = {name for name, one in made.named_parameters() if one.ndim == 2 and "embeddings." not in name}
    named = {name for name, one in made.named_parameters() if id(one) in found}
    assert len(named) >= 6
    assert named - expected <= {name for name in named if "project" in name}
    masks = pruning.Pruning(made, embeddings=False)
    assert {id(module.weight) for module in masks.matrices.values()} == found
    assert sum(mask.numel() for mask in masks.buffers()) == sum(
        one.numel() for one in made.parameters() if id(one) in found
    )


def test_convolutions_of_one_place_are_linear_layers() -> None:
    made = GPT2Model(GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=2, n_positions=16))
    assert {type(module).__name__ for module in pruning.linear(made)} == {"Conv1D"}
    assert len(pruning.Pruning(made, embeddings=False).matrices) == 4


def test_layers_that_share_their_weights_count_once() -> None:
    made = families.transformer("albert")
    assert isinstance(made, AlbertModel)
    names = list(pruning.Pruning(made, embeddings=True).matrices)
    assert len(names) == len(set(names)) == 1 + 6 + 1  # from small embeddings, a layer, the table


def test_an_encoder_without_linear_layers_is_one_line() -> None:
    with pytest.raises(XnerError, match=r"^method 'prune' prunes linear layers, and Embedding has none; choose"):
        pruning.Pruning(nn.Embedding(3, 3), embeddings=True)


def test_adapters_are_no_part_of_the_encoder() -> None:
    pytest.importorskip("peft")
    both = registry.make("lora+prune", {"where": "all", "rank": 2, "scope": BOTH})
    alone, (_, tagger) = taggers(Prune(scope=BOTH))[1], taggers(both)
    assert pruning.of(tagger).count()[1] == pruning.of(alone).count()[1]
    train(tagger, both)
    adapters = [one for name, one in tagger.named_parameters() if "lora_" in name]
    assert len(adapters) >= 12
    assert all(bool(adapter.all()) for adapter in adapters)


# Training.


class Checked(Prune):
    """Looks after every step whether exactly so many weights are zero as the schedule says."""

    def after_step(self, tagger: Tagger, moment: Moment) -> None:
        before = {name: mask.clone() for name, mask in pruning.of(tagger).named_buffers()}
        super().after_step(tagger, moment)
        timing = gradual.timing(moment, self.begin, self.end, self.every)
        events = [step for step in range(moment.step + 1) if timing.event(step)]
        reached = self.sparsity * timing.share(events[-1], self.schedule) if events else 0.0
        for name, weight in weights(tagger).items():
            assert int((weight == 0).sum()) == round(reached * weight.numel()), (name, moment)
        for name, mask in pruning.of(tagger).named_buffers():
            assert not bool((mask & ~before[name]).any())  # what was pruned is
        SEEN.append(reached)


SEEN: list[float] = []


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("bert", {}),
        ("bert", {"sparsity": 0.98}),
        ("xlm-roberta", {"sparsity": 0.7, "begin": 0, "end": 10, "every": 3}),
        ("albert", {"sparsity": 0.9, "begin": 2, "end": 9, "every": 2, "schedule": "linear"}),
        ("electra with small embeddings", {"sparsity": 0.333, "begin": 0.2, "end": 0.6, "every": 1}),
        ("rembert", {"sparsity": 0.8, "begin": 5, "end": 6, "every": 0.9}),
    ],
    ids=str,
)
def test_sparsity_is_exact_at_every_step(family: str, options: dict[str, Any]) -> None:
    for scope in ("dense", BOTH):
        method = Checked(scope=scope, **options)
        for tagger in taggers(method, family):
            table = tagger.transformer.get_input_embeddings()  # type: ignore[operator]
            with torch.no_grad():
                table.weight[table.weight == 0] = 1e-3  # the row of padding, which is drawn as zeros
            SEEN.clear()
            train(tagger, method)
            assert sorted(SEEN) == SEEN
            assert len(set(SEEN)) > 1
            assert SEEN[-1] == method.sparsity
            count = sum(zeros(tagger).values())
            of = sum(weight.numel() for weight in weights(tagger).values())
            assert method.facts(tagger) == {"sparsity": count / of, "zeros": count, "prunable": of}
            assert method.sparsity == pytest.approx(count / of, abs=1e-3)


def test_pruned_weights_stay_zero_whatever_moves_them() -> None:
    """Momentum from before they were pruned, and decay; they are in no gradient, and clipping does not count them."""
    method = Prune(sparsity=0.9, scope=BOTH, begin=0, end=4, every=1)
    _, tagger = taggers(method)
    stepper = train(tagger, method, range(1, 5))
    masks = pruning.of(tagger)
    pruned = [(one.weight, ~masks.get_buffer(name)) for name, one in masks.matrices.items()]
    assert all(stepper.optimizer.state[weight]["exp_avg"][where].any() for weight, where in pruned)
    part = families.tagged(TRAIN, families.everything(TRAIN, 0.25))
    stepper._backward([part])
    assert not any(weight.grad[where].any() for weight, where in pruned)
    assert all(weight.grad.any() for weight, _ in pruned)
    free = copy.deepcopy(tagger)  # hooks are not copied: it has the gradients of pruned weights, too
    free.zero_grad()
    free.loss(*part).backward()
    ours, theirs = (
        nn.utils.get_total_norm([p.grad for p in t.parameters() if p.grad is not None]) for t in (tagger, free)
    )
    assert ours < 0.95 * theirs
    stepper.optimizer.step()
    assert all(weight[where].any() for weight, where in pruned)
    method.after_step(tagger, Moment(5, STEPS, 1))
    assert not any(weight[where].any() for weight, where in pruned)


@pytest.mark.parametrize("family", ["xlm-roberta", "bert", "distilbert", "modernbert"])
@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_compact_and_whole_embeddings_are_pruned_alike(family: str, sparsity: float) -> None:
    method = Prune(sparsity=sparsity, scope=BOTH, begin=1, end=6, every=2)
    whole, compact = taggers(method, family)
    for tagger in (whole, compact):
        train(tagger, method)
    vocabulary.expand(compact.transformer)
    found = compact.state_dict()
    for name, weight in whole.transformer.state_dict().items():
        other = found[f"transformer.{name}"]
        assert torch.equal(weight == 0, other == 0), name
        torch.testing.assert_close(other, weight, rtol=0, atol=1e-6, msg=name)
    own = whole.transformer.get_input_embeddings().weight  # type: ignore[operator]
    assert int((own == 0).sum()) == round(sparsity * own.numel())


def test_before_its_beginning_it_is_standard_fine_tuning() -> None:
    method = Prune(sparsity=0.9, scope=BOTH, begin=9, end=10)
    (_, pruned), (_, standard) = taggers(method), taggers(method)
    train(pruned, method, range(1, 10))
    train(standard, Standard(), range(1, 10))
    theirs = standard.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in pruned.state_dict().items())
    train(pruned, method, range(10, 11))
    assert method.facts(pruned)["sparsity"] == pytest.approx(0.9, abs=1e-3)


def test_what_is_computed_is_what_is_pruned() -> None:
    """Also of subwords that the training data never uses, packed and by the whole embedding."""
    method = Prune(sparsity=0.7, scope=BOTH, begin=0, end=5, every=2)
    _, tagger = taggers(method)
    train(tagger, method)
    embedding = vocabulary.found(tagger.eval())
    assert embedding is not None
    unused = embedding.row < 0
    assert 0.5 < float((embedding.whole().weight[unused] == 0).float().mean()) < 0.9
    ids = torch.arange(families.VOCABULARY).view(3, -1)
    assert torch.equal(embedding(ids), embedding.whole()(ids))
    batch = families.everything(families.corpus(seed=1))
    with torch.no_grad():
        before = tagger.states(batch).at_words()
        vocabulary.expand(tagger.transformer)
        assert torch.equal(tagger.states(batch).at_words(), before)


def test_an_earlier_checkpoint_brings_the_earlier_sparsity_back(tmp_path: Path) -> None:
    method = Prune(sparsity=0.9, scope=BOTH, begin=0, end=8, every=2)
    _, tagger = taggers(method)
    checkpoints = Checkpoints(tmp_path)
    found = []
    for epoch, steps in enumerate((range(1, 2), range(2, 5), range(5, 11)), start=1):
        train(tagger, method, steps)
        found.append((checkpoints.save(tagger, epoch), weights(tagger), method.facts(tagger)))
    assert len({facts["zeros"] for *_, facts in found}) == 3
    for checkpoint, before, facts in reversed(found):
        checkpoint.load(tagger)
        assert method.facts(tagger) == facts
        assert all(torch.equal(weight, before[name]) for name, weight in weights(tagger).items())
    with safe_open(found[0][0].path, "pt") as stored:
        shapes = [stored.get_slice(name).get_shape() for name in stored.keys()]  # noqa: SIM118  # no mapping
    assert not any(families.VOCABULARY in shape for shape in shapes)


def test_in_the_mean_of_epochs_pruned_weights_are_zero() -> None:
    method = Prune(sparsity=0.8, scope=BOTH, begin=0, end=8, every=2)
    _, tagger = taggers(method)
    together: dict[str, Tensor] = {}
    for epoch, steps in enumerate((range(1, 4), range(4, 11)), start=1):
        train(tagger, method, steps)
        now = {name: one.clone() for name, one in tagger.state_dict().items()}
        together = mean.grown(together, now, epoch) if together else now
    facts = method.facts(tagger)
    tagger.load_state_dict(together)
    assert method.facts(tagger)["zeros"] < facts["zeros"]
    method.settle(tagger)
    assert method.facts(tagger) == facts


def test_even_with_two_weights_in_a_hundred_it_trains() -> None:
    conformance.loss_falls(Prune(sparsity=0.98, begin=0, end=2, every=1))


# As part of a run.


def test_around_slicer_each_does_its_part() -> None:
    both = registry.make("prune+slicer", {"sparsity": 0.7, "h": 8})
    tagger = conformance._tagger(both)
    steps = [
        s for epoch in Fit(tagger, both, conformance.CORPUS, conformance.GOLD, conformance.TRAINING, 1) for s in epoch
    ]
    assert steps[-1].loss < steps[0].loss
    assert tagger.head.h == 8
    assert both.facts(tagger)["sparsity"] == pytest.approx(0.7, abs=1e-3)
    assert bool(tagger.head.linear.weight.all())  # type: ignore[union-attr]


def test_a_kept_checkpoint_has_the_zeros(tmp_path: Path) -> None:
    small = worlds.build(tmp_path)
    options = ("--sparsity", 0.7, "--scope", BOTH, "--keep-checkpoint")
    answer = worlds.call(*small.argv(tmp_path / "results", *options, method="prune"))
    assert answer.status == 0, answer.err
    (record,) = (tmp_path / "results" / "runs").glob("*/run.json")
    facts = json.loads(record.read_text("utf-8"))["method_facts"]
    whole = AutoModelForTokenClassification.from_pretrained(record.parent / "checkpoint")
    encoder = whole.base_model
    found = [module.weight for module in encoder.modules() if isinstance(module, nn.Linear)]
    found.append(encoder.get_input_embeddings().weight)
    assert len(found) == 7
    for weight in found:
        assert int((weight == 0).sum()) == round(0.7 * weight.numel())
    assert facts["zeros"] == sum(int((weight == 0).sum()) for weight in found)
    assert facts["prunable"] == sum(weight.numel() for weight in found)
    assert bool(whole.classifier.weight.all())
