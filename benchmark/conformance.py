"""Does a method keep the contract? Checks for anybody's method, on a tiny random encoder, in seconds on a CPU.

In a plugin's own tests:

    import pytest
    from xner_bench import conformance
    from my_package import MyMethod

    @pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
    def test_keeps_the_contract(check):
        check(MyMethod())

or all at once, with every failure in one error: `conformance.check(MyMethod())`.
"""

from __future__ import annotations

import tempfile
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import ValidationError
from transformers import BertConfig, BertModel

from xner_bench import batches, layout, tagger, vocabulary
from xner_bench.checkpoints import Checkpoints
from xner_bench.encode import Encoded
from xner_bench.errors import XnerError
from xner_bench.method import Method, Sizes
from xner_bench.settings import Training
from xner_bench.space import Range
from xner_bench.train import Fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from xner_bench.tagger import Tagger
    from xner_bench.train import Step

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
HIDDEN, DEPTH, VOCABULARY, ROOM, PAD = 64, 2, 50, 64, 0
TRAINING = Training(
    epochs=16,
    lr=3e-3,
    batch_size=8,
    weight_decay=0.01,
    warmup=0.1,
    clip=1.0,
    dropout=0.1,
    max_length=64,
    precision="fp32",
    subword_labels="first",
)


class NotConforming(AssertionError):
    """What a method does that the contract does not allow."""


def check(method: Method) -> None:
    """Run every check; raises one NotConforming that lists all that failed."""
    failures = []
    for one in CHECKS:
        try:
            one(method)
        except Exception as error:  # a method may fail in any way; the next check is still worth running
            failures.append(f"{one.__name__}: {type(error).__name__}: {error}")
    if failures:
        raise NotConforming(f"{type(method).__name__}: " + "; ".join(failures))


def loss_falls(method: Method) -> None:
    """Training on a tiny corpus brings the loss down."""
    losses = [step.loss for step in _trained(method, seed=1)[1]]
    before, after = np.mean(losses[:3]), np.mean(losses[-3:])
    _demand(bool(after < 0.98 * before), f"the loss went from {before:.3f} to {after:.3f} in {len(losses)} steps")


def gradients_reach_every_trainable_parameter(method: Method) -> None:
    """What the method calls trainable gets a gradient."""
    built = _tagger(method)
    batch, gold = _batch(everything())
    names = {id(parameter): name for name, parameter in built.named_parameters()}
    trainable = list(method.trainable(built))
    _demand(bool(trainable), "trainable() gives no parameter")
    optimizer = torch.optim.SGD(trainable, lr=0.1)
    for _ in range(2):  # an adapter's matrix that begins at zero lets no gradient through until it has learned
        optimizer.zero_grad()
        built.loss(batch, gold).backward()
        optimizer.step()
    lost = [
        names.get(id(p), "a parameter that is not the tagger's")
        for p in trainable
        if p.grad is None or not p.grad.any()
    ]
    _demand(not lost, f"no gradient reaches {', '.join(lost)}; leave them out in trainable()")


def decodes_one_tag_a_word(method: Method) -> None:
    """decode gives one known tag id for each word (or each subword), also in windows of one word or none."""
    built = _tagger(method).eval()
    several = (everything(), np.array([0]), np.array([EMPTY_WINDOW, 1]))
    for windows, every_subword in product(several, (False, True)):
        batch, gold = _batch(windows, every_subword)
        best = built.decode(batch)
        _demand(best.shape == gold.shape, f"decode gives shape {tuple(best.shape)} for {len(gold)} words")
        _demand(not best.is_floating_point(), f"decode gives {best.dtype}, not tag ids")
        _demand(bool(((best >= 0) & (best < len(TAGS))).all()), f"decode gives ids beyond 0..{len(TAGS) - 1}")


def layout_does_not_matter(method: Method) -> None:
    """A window is tagged the same alone, beside longer ones and beside ones of its length."""
    built = _trained(method, seed=1)[0].eval()
    together = _decoded(built, [everything()])
    _demand(
        together == _decoded(built, [np.array([w]) for w in everything()]),
        "tags depend on the windows beside",
    )
    small = list(batches.by_length(CORPUS, everything(), 32, every_subword=False))
    _demand(together == _tags(built, small), "tags depend on how many windows a batch has")
    built.layout = built.layout._replace(packed=False)
    _demand(together == _decoded(built, [everything()]), "tags of packed windows differ from those of padded ones")


def save_and_load_agree(method: Method) -> None:
    """A tagger that was saved and loaded into a fresh one decodes as before."""
    built = _trained(method, seed=1)[0].eval()
    fresh = _tagger(method, seed=2).eval()
    with tempfile.TemporaryDirectory() as folder:
        Checkpoints(Path(folder)).save(built, 1).load(fresh)
    _demand(_decoded(built, [everything()]) == _decoded(fresh, [everything()]), "a loaded tagger tags otherwise")


def equal_seeds_agree(method: Method) -> None:
    """Two trainings with one seed give the same bits, another seed gives others."""
    (one, steps), (two, again), (other, _) = (_trained(method, seed) for seed in (1, 1, 2))
    _demand(steps == again, "two trainings with one seed have different losses")
    _demand(_same(one, two), "two trainings with one seed have different weights")
    _demand(not _same(one, other), "the seed changes nothing")


def an_interruption_does_not_matter(method: Method) -> None:
    """Training that goes on in another tagger, from what was saved at an epoch's end, gives the same bits."""
    straight, steps = _trained(method, seed=1)
    first, second = _tagger(method), _tagger(method)
    half, rest = (Fit(built, method, CORPUS, GOLD, TRAINING, 1) for built in (first, second))
    taken = [step for epoch in islice(half, TRAINING.epochs // 2) for step in epoch]
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        checkpoints.save_state(1, half.state())
        checkpoints.save(first, 1).load(second)
        rest.restore(checkpoints.load_state(1))
    taken += [step for epoch in rest for step in epoch]
    told = "keep what training changes in the tagger's parameters and buffers"
    _demand(taken == steps, f"training that was interrupted has other losses; {told}")
    _demand(_same(straight, second), f"training that was interrupted ends with other weights; {told}")


def plain_tags_the_same(method: Method) -> None:
    """plain() leaves an encoder as it was loaded but for its weights, with which the tagger tags as before."""
    built = _trained(method, seed=1)[0].eval()
    if built.head.as_linear() is None or built.layers != (built.depth,):
        return  # it is never written as a transformers folder
    before = _decoded(built, [everything()])
    method.plain(built)
    names = built.transformer.state_dict().keys()
    _demand(names == _tagger(Method()).transformer.state_dict().keys(), "plain() leaves something of prepare() behind")
    _demand(_decoded(built, [everything()]) == before, "after plain() the tagger tags otherwise")


def searches_fields_of_its_own(method: Method) -> None:
    """search_space names the method's fields, and gives values that it accepts."""
    sizes = Sizes(HIDDEN, DEPTH, TRAINING.dropout, BertConfig().initializer_range)
    for field, choices in method.search_space(sizes).items():
        _demand(field in type(method).model_fields, f"search_space has {field!r}, which is no field")
        for value in (choices.low, choices.high) if isinstance(choices, Range) else choices:
            try:
                type(method)(**{**method.model_dump(), field: value}).head(sizes, TAGS)
            except (ValidationError, XnerError) as error:
                raise NotConforming(
                    f"search_space has {value!r} for {field!r}: {str(error).splitlines()[0]}"
                ) from error


CHECKS: tuple[Callable[[Method], None], ...] = (
    loss_falls,
    gradients_reach_every_trainable_parameter,
    decodes_one_tag_a_word,
    layout_does_not_matter,
    save_and_load_agree,
    equal_seeds_agree,
    an_interruption_does_not_matter,
    plain_tags_the_same,
    searches_fields_of_its_own,
)

EMPTY_WINDOW = 3  # of the corpus below: special tokens only


def _corpus() -> tuple[Encoded, NDArray[np.int64]]:
    """Twenty-four windows of 0 to 9 words with one to three subwords each; a word's tag follows from its subword and
    from the one before, so that there is something to learn."""
    generator = np.random.default_rng(7)
    ids, word, windows, sentences, gold = [], [], [0], [0], []
    for number in range(24):
        ids.append(1)
        word.append(-1)
        before = 0
        for _ in range(0 if number == EMPTY_WINDOW else int(generator.integers(1, 10))):
            kind = int(generator.integers(0, 4))
            gold.append((0, 1, 3, 2 if before in (1, 2) else 0)[kind])
            before = gold[-1]
            pieces = int(generator.integers(1, 4))
            ids += [
                3 + 10 * kind + int(generator.integers(0, 10)),
                *generator.integers(3, VOCABULARY, pieces - 1),
            ]
            word += [len(gold) - 1] * pieces
        ids.append(2)
        word.append(-1)
        windows.append(len(ids))
        sentences.append(len(gold))
    corpus = Encoded(
        ids=np.array(ids, np.int32),
        word=np.array(word, np.int64),
        windows=np.array(windows, np.int64),
        sentences=np.array(sentences, np.int64),
        cut_sentences=0,
    )
    return corpus, np.array(gold, np.int64)


CORPUS, GOLD = _corpus()


def everything() -> NDArray[np.int64]:
    """All windows of the corpus."""
    return np.arange(CORPUS.n_windows)


def _tagger(method: Method, seed: int = 1) -> Tagger:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=ROOM,
        pad_token_id=PAD,
    )
    sizes = Sizes(HIDDEN, DEPTH, TRAINING.dropout, config.initializer_range)
    transformer = BertModel(config, add_pooling_layer=False)
    way = layout.choose(transformer, PAD, ROOM)
    built = tagger.build(transformer, sizes, method, TAGS, seed, way)
    vocabulary.compact(transformer, np.unique(CORPUS.ids), way, ROOM)
    tagger.prepare(built, method, seed)
    return built


def _trained(method: Method, seed: int) -> tuple[Tagger, list[Step]]:
    built = _tagger(method, seed)
    steps = [step for epoch in Fit(built, method, CORPUS, GOLD, TRAINING, seed) for step in epoch]
    return built, steps


def _batch(windows: NDArray[np.int64], every_subword: bool = False) -> tuple[batches.Batch, torch.Tensor]:
    batch = batches.lay_out(CORPUS, windows, every_subword)
    return batch, torch.from_numpy(GOLD)[batch.word]


def _decoded(built: Tagger, groups: Sequence[NDArray[np.int64]]) -> list[int]:
    return _tags(built, [_batch(windows)[0] for windows in groups])


def _tags(built: Tagger, laid_out: Sequence[batches.Batch]) -> list[int]:
    found = np.full(len(GOLD), -1)
    with torch.inference_mode():
        for batch in laid_out:
            found[batch.word] = built.decode(batch).numpy()
    return [int(tag) for tag in found]


def _same(one: Tagger, other: Tagger) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotConforming(otherwise)
