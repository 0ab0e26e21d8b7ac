"""The loop does what transformers does: the same loss, the same updates, the same schedule."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence
from transformers import get_linear_schedule_with_warmup

from xner_bench import batches, encode, vocabulary
from xner_bench.method import Method
from xner_bench.methods.slicer import Slicer
from xner_bench.methods.standard import Standard
from xner_bench.train import Diverged, Fit, Step, groups, linear_schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch.nn import Parameter

    from xner_bench.encode import Encoded
    from xner_bench.encoder import Encoder
    from xner_bench.method import Moment
    from xner_bench.settings import Training
    from xner_bench.tagger import Tagger

KINDS = tuple(tiny.KINDS)
SEED = 7


class HeadOnly(Method):
    """Leaves the encoder as it is, and writes down when it is called."""

    def trainable(self, tagger: Tagger) -> Iterable[Parameter]:
        return tagger.head.parameters()

    def after_step(self, tagger: Tagger, moment: Moment) -> None:
        CALLS.append((moment.step, tagger.training))


CALLS: list[tuple[int, bool]] = []  # steps, and whether dropout was on


def corpus(encoder: Encoder, sentences: int = 24) -> tuple[Encoded, NDArray[np.int64]]:
    """Sentences, one of them longer than a window, one without anything to see; random tags."""
    some = tiny.corpus(seed=2, sentences=sentences)
    encoded = encode.encode([*some, some[1] * 20, ("\u200e",)], tiny.subwords(encoder))
    return encoded, tiny.gold(encoded)


def transformers_model(encoder: Encoder, tagger: Tagger) -> Any:
    """transformers' own model with the tagger's weights, its own attention and products, no dropout."""
    whole = type(encoder.whole)(copy.deepcopy(encoder.config))
    whole.load_state_dict(encoder.whole.state_dict())
    whole.set_attn_implementation("sdpa")
    linear = tagger.head.as_linear()
    assert linear is not None
    whole.classifier.load_state_dict(linear.state_dict())
    for module in whole.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return whole


def without_dropout(encoder: Encoder) -> Encoder:
    for module in encoder.transformer.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    return encoder


def labelled(batch: batches.Batch, gold: NDArray[np.int64], pad: int) -> dict[str, torch.Tensor]:
    """A batch as people feed it to transformers: padded, -100 where a subword has no label."""
    labels = torch.full_like(batch.ids, -100)
    labels[batch.first] = torch.from_numpy(gold[batch.word])
    bounds = pairwise(batch.subwords.tolist())
    rows = [(batch.ids[start:end], labels[start:end]) for start, end in bounds]
    ids, mask, tags = (
        pad_sequence(given, batch_first=True, padding_value=filler)
        for given, filler in (
            ([own for own, _ in rows], pad),
            ([torch.ones_like(own) for own, _ in rows], 0),
            ([own for _, own in rows], -100),
        )
    )
    return {"input_ids": ids, "attention_mask": mask, "labels": tags}


def fitted(tagger: Tagger, method: Method, encoder: Encoder, training: Training, seed: int = SEED) -> list[list[Step]]:
    """Train as a run does, with a compact vocabulary; the encoder has its whole one again afterwards."""
    encoded, gold = corpus(encoder)
    assert vocabulary.compact(encoder.transformer, np.unique(encoded.ids), tagger.layout, encoder.room)
    steps = list(Fit(tagger, method, encoded, gold, training, seed))
    vocabulary.expand(encoder.transformer)
    return steps


def drawn(encoder: Encoder, training: Training) -> Iterator[dict[str, torch.Tensor]]:
    """The batches of `fitted`, for transformers."""
    encoded, gold = corpus(encoder)
    generator = torch.Generator().manual_seed(SEED)
    every = training.subword_labels == "all"
    for _ in range(training.epochs):
        for [batch] in batches.shuffled(encoded, training.batch_size, generator, every, budget=10_000):
            yield labelled(batch, gold, encoder.pad)


def same_weights(tagger: Tagger, theirs: Any, but: float = 0.0) -> None:
    """To 1e-6; a share `but` of the weights may be further off, though not by 1e-4.

    Where a gradient is nothing but a rounding error, AdamW divides it by its own size, and moves the weight by a part
    of the learning rate. Keys' biases have no other gradients, as attention does not depend on them.
    """
    linear = tagger.head.as_linear()
    assert linear is not None
    ours = {
        **tagger.transformer.state_dict(),
        **{f"classifier.{name}": one for name, one in linear.state_dict().items()},
    }
    others = dict(theirs.base_model.named_parameters())
    others |= {name: one for name, one in theirs.named_parameters() if name.startswith("classifier.")}
    assert ours.keys() == others.keys()
    off = torch.cat([(ours[name] - one).abs().flatten() for name, one in others.items() if "key.bias" not in name])
    assert off.max() < 1e-4
    assert (off > 1e-6).sum() <= but * len(off)


@pytest.mark.parametrize("every_subword", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_transformers(kind: str, every_subword: bool, encoders: tiny.Folders) -> None:
    encoder = encoders.load(kind)
    tagger = tiny.tagger_for(encoder, Standard())
    theirs = transformers_model(encoder, tagger).eval()
    encoded, gold = corpus(encoder)
    everything = np.arange(encoded.n_windows)
    batch = batches.lay_out(encoded, everything, every_subword)
    given_to_them = labelled(batch, gold, encoder.pad)
    assert (given_to_them["labels"] >= 0).sum() == len(batch.first)
    with torch.inference_mode():
        ours = tagger.loss(batch, torch.from_numpy(gold)[batch.word])
        torch.testing.assert_close(ours, theirs(**given_to_them).loss, rtol=1e-5, atol=1e-6)


def test_labels_are_those_that_run_ner_makes(encoders: tiny.Folders) -> None:
    """-100 for special tokens and for all but the first subword, from transformers' own word map."""
    encoder = encoders.load("xlmr")
    words = ("Amina", "Yusuf", "lives", "Kano", "University")
    encoded = encode.encode([words], tiny.subwords(encoder))
    gold = np.array([1, 2, 0, 5, 3])
    tokens = encoder.tokenizer(list(words), is_split_into_words=True)
    ids: list[int | None] = tokens.word_ids()
    before = [None, *ids[:-1]]
    expected = [
        -100 if at is None or at == previous else int(gold[at]) for at, previous in zip(ids, before, strict=True)
    ]
    batch = batches.lay_out(encoded, np.array([0]), False)
    given_to_them = labelled(batch, gold, encoder.pad)
    assert given_to_them["input_ids"][0].tolist() == tokens["input_ids"]
    assert given_to_them["labels"][0].tolist() == expected


@pytest.mark.parametrize("changed", [{}, {"clip": None}, {"subword_labels": "all"}, {"warmup": 0.0}])
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlmr"])
def test_training_is_the_usual_loop(kind: str, changed: dict[str, Any], encoders: tiny.Folders) -> None:
    """AdamW with two groups, clipping, warm-up and linear decay, written out as everybody does."""
    training = tiny.training(**{"batch_size": 6, "epochs": 3, "lr": 2e-4, "warmup": 0.2, **changed})
    encoder = without_dropout(encoders.load(kind))
    tagger = tiny.tagger_for(encoder, Standard(), dropout=0.0)
    theirs = transformers_model(encoder, tagger).train()
    data = list(drawn(encoder, training))
    assert len(data) >= 10
    plain = [p for name, p in theirs.named_parameters() if not name.endswith("bias") and "LayerNorm" not in name]
    spared = [p for name, p in theirs.named_parameters() if name.endswith("bias") or "LayerNorm" in name]
    optimizer = torch.optim.AdamW(
        [{"params": plain, "weight_decay": training.weight_decay}, {"params": spared, "weight_decay": 0.0}],
        lr=training.lr,
    )
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(training.warmup * len(data)), len(data))
    losses, rates = [], []
    for one in data:
        loss = theirs(**one).loss
        loss.backward()
        if training.clip is not None:
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), training.clip)
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    steps = [step for epoch in fitted(tagger, Standard(), encoder, training) for step in epoch]
    assert [step.loss for step in steps] == pytest.approx(losses, abs=1e-5)
    assert [step.learning_rate for step in steps] == pytest.approx(rates)
    same_weights(tagger, theirs, but=0.001)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlmr"])
def test_training_is_that_of_transformers_trainer(kind: str, encoders: tiny.Folders, tmp_path: Path) -> None:
    """The same losses to 1e-5, the same weights to 1e-6, rows of the embedding that no sentence uses included."""
    pytest.importorskip("accelerate")
    from transformers import Trainer, TrainingArguments

    losses = []

    class GivenBatches(Trainer):
        def get_train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(data, batch_size=None)

        def training_step(self, *args: Any, **named: Any) -> torch.Tensor:
            losses.append(super().training_step(*args, **named))
            return losses[-1]

    training = tiny.training(batch_size=6, epochs=2, lr=2e-5, weight_decay=0.1)
    encoder = without_dropout(encoders.load(kind))
    tagger = tiny.tagger_for(encoder, Standard(), dropout=0.0)
    theirs = transformers_model(encoder, tagger)
    data = list(drawn(encoder, training))
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=1,  # `data` holds all epochs, drawn anew in each
        learning_rate=training.lr,
        weight_decay=training.weight_decay,
        warmup_steps=training.warmup,  # below 1 it is a share of the steps
        max_grad_norm=training.clip,
        lr_scheduler_type="linear",
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    before = encoder.transformer.get_input_embeddings().weight.detach().clone()
    GivenBatches(model=theirs, args=arguments, train_dataset=data).train()
    steps = [step for epoch in fitted(tagger, Standard(), encoder, training) for step in epoch]
    assert [step.loss for step in steps] == pytest.approx([loss.item() for loss in losses], rel=1e-5)
    same_weights(tagger, theirs)
    used = np.unique(corpus(encoder)[0].ids)
    unused = np.setdiff1d(np.arange(len(before)), used)
    after = encoder.transformer.get_input_embeddings().weight.detach()
    assert len(unused) > 20
    assert float((after[unused] / before[unused]).nanmedian()) == pytest.approx(
        math.prod(1 - step.learning_rate * training.weight_decay for step in steps), rel=1e-6
    )


def test_batches_computed_in_parts_train_the_same(encoders: tiny.Folders) -> None:
    def losses(budget: int) -> list[float]:
        encoder = without_dropout(encoders.load("roberta"))
        tagger = tiny.tagger_for(encoder, Standard(), dropout=0.0)
        encoded, gold = corpus(encoder)
        training = tiny.training(batch_size=8)
        return [
            step.loss
            for epoch in Fit(tagger, Standard(), encoded, gold, training, SEED, budget=budget)
            for step in epoch
        ]

    assert losses(40) == pytest.approx(losses(10_000), rel=1e-5)


@given(steps=st.integers(1, 400), warmup=st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_the_schedule_is_transformers(steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_linear_schedule_with_warmup(optimizer, math.ceil(steps * warmup), steps).lr_lambdas[0]
    ours = linear_schedule(steps, warmup)
    assert [ours(step) for step in range(steps)] == pytest.approx([theirs(step) for step in range(steps)])


@pytest.mark.parametrize("kind", KINDS)
def test_biases_and_norms_do_not_decay(kind: str, encoders: tiny.Folders) -> None:
    tagger = tiny.tagger_for(encoders.load(kind))
    decaying, spared = groups(tagger.parameters(), 0.05)
    assert (decaying["weight_decay"], spared["weight_decay"]) == (0.05, 0.0)
    names = {id(parameter): name for name, parameter in tagger.named_parameters()}
    not_decaying = {names[id(parameter)] for parameter in spared["params"]}  # type: ignore[attr-defined]
    norms = [name for name, module in tagger.named_modules() if isinstance(module, torch.nn.LayerNorm)]
    expected = {name for name in names.values() if name.endswith("bias") or name.rpartition(".")[0] in norms}
    assert not_decaying == expected
    assert len(decaying["params"]) + len(not_decaying) == len(names)  # type: ignore[arg-type]


@pytest.mark.parametrize("lr", [1e38, math.inf])
def test_a_loss_that_is_no_number_stops_training_at_its_step(lr: float, encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder, Standard())
    encoded, gold = corpus(encoder)
    training = tiny.training(warmup=0.0, epochs=2).model_copy(update={"lr": lr})
    steps = iter(Fit(tagger, Standard(), encoded, gold, training, SEED))
    total = 2 * math.ceil(len(batches.with_words(encoded, False)) / 4)
    with pytest.raises(Diverged, match=rf"^the loss of step 2 of {total} is (nan|inf); try a lower --lr than"):
        next(steps)


def test_words_that_nobody_sees_do_not_spoil_the_loss(encoders: tiny.Folders) -> None:
    """Windows without a word to train on: one of invisible words, the second half of a very long one."""
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder, Standard())
    encoded = encode.encode([("\u200e",), ("Kan" * 30,), ("Kano", "\ufeff"), ("Lagos",)], tiny.subwords(encoder, 16))
    assert len(batches.with_words(encoded, every_subword=False)) == 3 < encoded.n_windows
    training = tiny.training(batch_size=1)
    epochs = list(Fit(tagger, Standard(), encoded, tiny.gold(encoded), training, SEED))
    assert [len(epoch) for epoch in epochs] == [3, 3]


def test_only_what_the_method_trains_changes(encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder, HeadOnly())
    before = copy.deepcopy(tagger.state_dict())
    CALLS.clear()
    steps = [step for epoch in fitted(tagger, HeadOnly(), encoder, tiny.training()) for step in epoch]
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert [(step.number, True) for step in steps] == CALLS
    after = tagger.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.linear.weight", "head.linear.bias"}


def test_slicers_frozen_classifier_stays_while_the_rest_learns(encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    method = Slicer(h=8, classifier="frozen")
    tagger = tiny.tagger_for(encoder, method)
    before = copy.deepcopy(tagger.state_dict())
    fitted(tagger, method, encoder, tiny.training())
    after = tagger.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in same if name.startswith("head.")} == {"head.linear.weight"}
    assert not {name for name in same if name.endswith("query.weight")}


def test_equal_seeds_give_equal_bits(encoders: tiny.Folders) -> None:
    def trained(seed: int) -> tuple[list[list[Step]], dict[str, torch.Tensor]]:
        encoder = encoders.load("xlmr")
        tagger = tiny.tagger_for(encoder, Slicer(h=4))
        return fitted(tagger, Slicer(h=4), encoder, tiny.training(dropout=0.1), seed), tagger.state_dict()

    (steps, weights), (again, same), (other, _) = trained(1), trained(1), trained(2)
    assert steps == again
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert steps != other


def test_epochs_are_handed_over_as_they_end(encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder, HeadOnly())
    training = tiny.training(epochs=3)
    epochs, weights = [], []
    CALLS.clear()
    encoded, gold = corpus(encoder)
    for epoch in Fit(tagger, HeadOnly(), encoded, gold, training, SEED):
        epochs.append(epoch)
        weights.append(next(tagger.head.parameters()).detach().clone())
        tagger.eval()  # as scoring dev does; the next epoch must train again
    assert [{step.epoch for step in epoch} for epoch in epochs] == [{1}, {2}, {3}]
    assert not torch.equal(weights[0], weights[1])
    rates = [step.learning_rate for epoch in epochs for step in epoch]
    assert rates[0] == 0.0
    assert max(rates) == pytest.approx(training.lr)
    assert rates[-1] > 0
    assert all(dropout for _, dropout in CALLS)


def test_training_brings_the_loss_down(encoders: tiny.Folders) -> None:
    encoder = encoders.load("roberta")
    tagger = tiny.tagger_for(encoder, Standard())
    training = tiny.training(epochs=15, lr=2e-2, clip=None, weight_decay=0.0)
    steps = fitted(tagger, Standard(), encoder, training)
    mean = [float(np.mean([step.loss for step in epoch])) for epoch in steps]
    assert mean[-1] < 0.9 * mean[0]
