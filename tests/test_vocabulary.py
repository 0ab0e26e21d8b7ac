"""The compact vocabulary: the same numbers as with the whole table, in training and after."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import families
import numpy as np
import pytest
import tiny
import torch
from families import ALL, DEPTH, FAMILIES, PAD, ROOM, VOCABULARY
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from xner_bench import layout, vocabulary
from xner_bench.checkpoints import Checkpoints
from xner_bench.methods.standard import Standard
from xner_bench.train import Stepper
from xner_bench.vocabulary import CompactEmbedding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from xner_bench.layout import Layout
    from xner_bench.settings import Training
    from xner_bench.tagger import Tagger

SUBWORDS = 60  # of the vocabulary that training uses, or fewer
TRAIN = families.corpus(subwords=SUBWORDS)
USED = np.unique(TRAIN.ids)
OTHERS = families.corpus(seed=1)  # uses all of them
STEPS = 5
TRAINING = tiny.training(lr=1e-2, weight_decay=0.1, warmup=0.3, clip=0.5)


class HeadAlone(Standard):
    """Trains the head and leaves the encoder as it is."""

    def trainable(self, tagger: Tagger) -> Iterable[nn.Parameter]:
        return tagger.head.parameters()


class NotTheSubwords(Standard):
    """Trains all but the embedding of subwords."""

    def trainable(self, tagger: Tagger) -> Iterable[nn.Parameter]:
        left_out = {id(one) for one in tagger.transformer.get_input_embeddings().parameters()}  # type: ignore[operator]
        return (parameter for parameter in tagger.parameters() if id(parameter) not in left_out)


def compact(made: Any, way: Layout) -> CompactEmbedding:
    """Put a compact embedding into a transformer."""
    embedding = vocabulary.compact(made, USED, way, ROOM)
    assert embedding is not None
    own: object = made.get_input_embeddings()
    assert own is embedding
    return embedding


def taggers(family: str = "bert", packed: bool = True) -> tuple[Tagger, Tagger, CompactEmbedding]:
    """The same tagger twice: with its whole embedding, and with a compact one."""
    made = families.transformer(family)
    way = families.chosen(made)
    way = way._replace(packed=way.packed and packed)
    whole = families.tagger_for(made, way)
    other = copy.deepcopy(whole)
    return whole, other, compact(other.transformer, way)


def train(tagger: Tagger, method: Standard, training: Training = TRAINING, steps: int = STEPS) -> list[float]:
    """Some steps, each on all training windows; returns their losses."""
    stepper = Stepper(tagger.train(), method, training, STEPS)
    given = [families.tagged(TRAIN, families.everything(TRAIN, 0.25))]
    return [stepper.step(given)[0] for _ in range(steps)]


def same(whole: Tagger, other: Tagger) -> None:
    """Every weight the same to 1e-6, every row of the embedding among them."""
    expanded = copy.deepcopy(other)
    vocabulary.expand(expanded.transformer)
    found = expanded.state_dict()
    for name, weight in whole.state_dict().items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_states_do_not_change(family: str) -> None:
    made = families.transformer(family)
    way = families.chosen(made)
    everything, used = families.everything(OTHERS), families.everything(TRAIN)

    def states() -> list[tuple[Tensor, ...]]:
        return [
            layout.states(made.train(training), batch, ALL, DEPTH, way)
            for training, batch in ((False, everything), (True, used), (False, used))
        ]

    before, drawn = states(), torch.get_rng_state()
    compact(made, way)
    assert torch.equal(torch.get_rng_state(), drawn)
    for one, other in zip(before, states(), strict=True):
        assert all(map(torch.equal, one, other))


@pytest.mark.parametrize("family", FAMILIES)
def test_training_is_that_of_the_whole_table(family: str) -> None:
    whole, other, embedding = taggers(family)
    before = embedding.whole().weight.clone()
    assert train(other, Standard()) == pytest.approx(train(whole, Standard()), rel=1e-6)
    same(whole, other)
    unused = embedding.row < 0
    assert 20 < int(unused.sum()) < VOCABULARY
    assert float(embedding.factor) < 1 - 1e-3
    shrunk = (before * embedding.factor)[unused]
    torch.testing.assert_close(embedding.whole().weight[unused], shrunk, rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", [HeadAlone(), NotTheSubwords()], ids=lambda method: type(method).__name__)
def test_an_embedding_that_is_not_trained_does_not_decay(method: Standard) -> None:
    whole, other, embedding = taggers()
    before = embedding.whole().weight.clone()
    assert train(other, method) == pytest.approx(train(whole, method), rel=1e-6)
    same(whole, other)
    assert torch.equal(embedding.whole().weight, before)


def test_a_frozen_embedding_stays_frozen() -> None:
    made = families.transformer("bert")
    made.get_input_embeddings().weight.requires_grad_(False)
    tagger = families.tagger_for(made, families.chosen(made))
    embedding = compact(made, tagger.layout)
    before = embedding.whole()
    assert not before.weight.requires_grad
    train(tagger, Standard())
    assert torch.equal(embedding.whole().weight, before.weight)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("padding", [PAD, None, int(USED[5]), VOCABULARY - 1], ids=["pad", "none", "used", "unused"])
def test_the_row_of_padding_gets_no_gradient(padding: int | None, packed: bool) -> None:
    made = families.transformer("bert")
    own, way = made.get_input_embeddings(), families.chosen(made)._replace(packed=packed)
    own.padding_idx = padding
    nn.init.normal_(own.weight, std=0.2)  # also the row of padding, which is drawn as zeros
    whole = families.tagger_for(made, way)
    other = copy.deepcopy(whole)
    embedding = compact(other.transformer, way)
    given = families.tagged(TRAIN, families.everything(TRAIN, 0.25))
    norms = []
    for tagger in (whole, other):
        tagger.train().loss(*given).backward()
        norms.append(float(nn.utils.clip_grad_norm_(tagger.parameters(), math.inf)))
        tagger.zero_grad()
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)  # what clipping goes by
    assert norms[0] > 2 * (TRAINING.clip or math.inf)
    assert train(other, Standard()) == pytest.approx(train(whole, Standard()), rel=1e-6)
    same(whole, other)
    assert embedding.whole().padding_idx == padding
    if padding is not None:
        shrunk = embedding.table[padding] * embedding.factor
        torch.testing.assert_close(embedding.whole().weight[padding], shrunk.float(), rtol=0, atol=1e-6)


def test_a_step_that_fp16_skips_does_not_decay() -> None:
    _, tagger, embedding = taggers()
    before = embedding.weight.detach().clone()
    stepper = Stepper(tagger.train(), Standard(), tiny.training(precision="fp16", warmup=0.0), STEPS)
    given = [families.tagged(TRAIN, families.everything(TRAIN))]
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)  # too large for any gradient
    stepper.step(given)
    assert float(embedding.factor) == 1.0
    assert torch.equal(embedding.weight, before)
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    _, rate = stepper.step(given)
    assert float(embedding.factor) == pytest.approx(1 - rate * 0.05, rel=1e-12)


def test_checkpoints_bring_everything_back_without_the_table(tmp_path: Path) -> None:
    made = families.transformer("xlm-roberta", vocab_size=5_000)
    tagger = families.tagger_for(made, families.chosen(made))
    embedding = compact(made, tagger.layout)
    train(tagger, Standard(), steps=3)
    then, table = copy.deepcopy(tagger), embedding.whole().weight
    saved = Checkpoints(tmp_path).save(tagger, 1)
    assert saved.path.stat().st_size < table.nbytes / 2
    train(tagger, Standard())
    assert not torch.allclose(embedding.whole().weight, table, atol=1e-3)
    saved.load(tagger)
    assert embedding.factor == vocabulary.found(then).factor < 1  # type: ignore[union-attr]
    assert torch.equal(embedding.whole().weight, table)
    batch = families.everything(OTHERS)
    with torch.no_grad():
        assert torch.equal(tagger.eval().states(batch).at_words(), then.eval().states(batch).at_words())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_embedding_comes_back(family: str) -> None:
    _, tagger, embedding = taggers(family)
    train(tagger, Standard())
    made, batch = tagger.eval().transformer, families.everything(OTHERS)
    with torch.no_grad():
        before = tagger.states(batch).layers[0]
        vocabulary.expand(made)
        own = made.get_input_embeddings()  # type: ignore[operator]
        assert type(own) is nn.Embedding
        assert own.weight.shape == embedding.table.shape
        assert own.weight.requires_grad
        assert torch.equal(tagger.states(batch).layers[0], before)
    vocabulary.expand(made)  # nothing is left to do
    assert made.get_input_embeddings() is own  # type: ignore[operator]
    assert vocabulary.found(tagger) is None


class ReadsTheTable(BertModel):
    """Does more with its embedding than looking subwords up."""

    def forward(self, *given: Any, **named: Any) -> Any:
        out = super().forward(*given, **named)
        out.last_hidden_state = out.last_hidden_state + self.embeddings.word_embeddings.weight.mean()
        return out


class Sub(nn.Embedding):
    """Might look subwords up in a way of its own."""


def shared_weight(made: Any, own: nn.Embedding) -> None:
    made.decoder = nn.Linear(own.embedding_dim, own.num_embeddings, bias=False)
    made.decoder.weight = own.weight


def shared_module(made: Any, own: nn.Embedding) -> None:
    made.another_name = own


def subclass(made: Any, own: nn.Embedding) -> None:
    own.__class__ = Sub


def bounded(made: Any, own: nn.Embedding) -> None:
    own.max_norm = 1.0


def sparse(made: Any, own: nn.Embedding) -> None:
    own.sparse = True


def by_frequency(made: Any, own: nn.Embedding) -> None:
    own.scale_grad_by_freq = True


def read(made: Any, own: nn.Embedding) -> None:
    made.__class__ = ReadsTheTable


@pytest.mark.parametrize(
    "use", [shared_weight, shared_module, subclass, bounded, sparse, by_frequency, read], ids=lambda use: use.__name__
)
@pytest.mark.parametrize("training", [True, False])
def test_an_embedding_with_other_uses_stays_whole(use: Any, training: bool) -> None:
    made = BertModel(BertConfig(**families.FACTS), add_pooling_layer=False).train(training)
    own = made.get_input_embeddings()
    use(made, own)
    assert vocabulary.compact(made, USED, families.chosen(made), ROOM) is None
    assert made.get_input_embeddings() is own
    assert {module.training for module in made.modules()} == {training}


def test_a_compact_embedding_is_made_where_the_whole_one_is() -> None:
    whole = nn.Embedding(VOCABULARY, 8, device="meta")
    made = CompactEmbedding(whole, torch.from_numpy(USED).to("meta"))
    assert (made.table.device, made.weight.device, made.row.device) == (whole.weight.device,) * 3
