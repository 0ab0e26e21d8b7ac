"""Chains against brute force over all sequences of tags and against pytorch-crf; the head against the standard one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchcrf import CRF

from xner_bench import tags as schemes
from xner_bench.head import States
from xner_bench.method import Sizes
from xner_bench.methods import chain
from xner_bench.methods.crf import Crf
from xner_bench.methods.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGS = schemes.tag_names(("PER", "ORG", "LOC"))
HIDDEN = 12
RAGGED = [(5,), (1,), (2, 1), (0, 3, 0, 0, 1, 5, 0), (4, 4, 4, 4), (5, 1, 3, 2, 5, 1, 1), (1,) * 9]
LONG = (510, 1, 7, 0, 1, 64, 13, 2)


class Chains(NamedTuple):
    """Everything that a ring is made of."""

    emissions: Tensor  # (W, C)
    words: Tensor  # (S + 1,)
    transitions: Tensor  # (C, C)
    start: Tensor  # (C,)
    end: Tensor  # (C,)

    @property
    def windows(self) -> list[Tensor]:
        """Emissions of each window that has words."""
        return [self.emissions[a:b] for a, b in pairwise(self.words.tolist()) if a < b]


def drawn(lengths: Sequence[int], tags: int = 4, seed: int = 0, size: float = 3.0) -> Chains:
    torch.manual_seed(seed)
    shapes = [(sum(lengths), tags), (tags, tags), (tags,), (tags,)]
    emissions, *others = ((size * torch.randn(*shape, dtype=torch.float64)).requires_grad_() for shape in shapes)
    return Chains(emissions, torch.tensor([0, *lengths]).cumsum(0), *others)


def every_path(given: Chains, emissions: Tensor) -> tuple[Tensor, Tensor]:
    """All sequences of tags of a window, and their scores, term by term as the formula is written."""
    paths = torch.cartesian_prod(*[torch.arange(emissions.shape[1])] * len(emissions)).view(-1, len(emissions))
    scores = given.start[paths[:, 0]] + given.end[paths[:, -1]]
    for t in range(len(emissions)):
        scores = scores + emissions[t, paths[:, t]]
    for t in range(1, len(emissions)):
        scores = scores + given.transitions[paths[:, t - 1], paths[:, t]]
    return paths, scores


def brute_log_partition(given: Chains) -> Tensor:
    return torch.stack([every_path(given, own)[1].logsumexp(0) for own in given.windows]).sum()


def brute_best(given: Chains) -> list[int]:
    every = (every_path(given, own) for own in given.windows)
    return [tag for paths, scores in every for tag in paths[scores.argmax()].tolist()]


def forward(given: Chains) -> Tensor:
    """The log partition word after word, in logarithms throughout."""
    found = []
    for own in given.windows:
        alpha = given.start + own[0]
        for x in own[1:]:
            alpha = (alpha[:, None] + given.transitions).logsumexp(0) + x
        found.append((alpha + given.end).logsumexp(0))
    return torch.stack(found).sum()


def leaves(given: Chains) -> tuple[Tensor, ...]:
    return given.emissions, given.transitions, given.start, given.end


def gradients(loss: Tensor, given: Chains) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, leaves(given), materialize_grads=True)  # single words have no transitions


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lengths", RAGGED, ids=str)
def test_log_partition_and_its_gradients_are_brute_forces(lengths: tuple[int, ...], seed: int) -> None:
    given = drawn(lengths, tags=3 + seed % 2, seed=seed)
    ours, theirs = chain.log_partition(chain.potentials(*given)), brute_log_partition(given)
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-12)
    for one, other in zip(gradients(ours, given), gradients(theirs, given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lengths", RAGGED, ids=str)
def test_the_best_path_is_brute_forces(lengths: tuple[int, ...], seed: int) -> None:
    given = drawn(lengths, seed=seed)
    assert chain.best_path(chain.potentials(*given)).tolist() == brute_best(given)


def test_the_score_is_that_of_the_formula() -> None:
    given = drawn((0, 3, 1, 4, 0))
    tags = torch.tensor([2, 0, 1, 3, 3, 3, 0, 2])
    own = [tags[a:b] for a, b in pairwise(given.words.tolist()) if a < b]
    expected = []
    for emissions, path in zip(given.windows, own, strict=True):
        paths, scores = every_path(given, emissions)
        expected.append(scores[(paths == path).all(1)].squeeze())
    torch.testing.assert_close(chain.score(chain.potentials(*given), tags), torch.stack(expected).sum())


def test_gradients_are_those_of_small_differences() -> None:
    given = drawn((2, 0, 1, 4), tags=3)
    tags = torch.tensor([0, 2, 1, 1, 0, 2, 2])

    def loss(emissions: Tensor, *others: Tensor) -> Tensor:
        ring = chain.potentials(emissions, given.words, *others)
        return chain.log_partition(ring) - chain.score(ring, tags)

    assert torch.autograd.gradcheck(loss, leaves(given))


def test_the_gradient_by_the_ring_is_how_probable_pairs_of_tags_are() -> None:
    given = drawn(LONG, tags=7)
    ring = chain.potentials(*given).detach().requires_grad_()
    (pairs,) = torch.autograd.grad(chain.log_partition(ring), ring)
    assert bool((pairs >= 0).all())
    torch.testing.assert_close(pairs.sum((0, 1)), torch.ones(ring.shape[2], dtype=torch.float64))
    torch.testing.assert_close(pairs.sum(1), pairs.sum(0).roll(1, 1))  # what a word is, it is for the next one too


@pytest.mark.parametrize("size", [0.01, 1.0, 30.0])
def test_long_windows_beside_short_ones_are_as_exact(size: float) -> None:
    given = drawn(LONG, tags=7, size=size)
    ours, theirs = chain.log_partition(chain.potentials(*given)), forward(given)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    for one, other in zip(gradients(ours, given), gradients(theirs, given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [300.0, 1e4])
@pytest.mark.parametrize("spread", [1.0, 290.0])
def test_emissions_of_any_size_are_as_exact(size: float, spread: float) -> None:
    given = drawn(LONG, tags=7)
    signs = torch.randint(0, 2, given.emissions.shape) * 2 - 1
    emissions = (size * signs + given.emissions.detach()).requires_grad_()
    others = [((torch.rand_like(one) - 0.5) * spread).requires_grad_() for one in given[2:]]
    given = Chains(emissions, given.words, *others)
    ours, theirs = chain.log_partition(chain.potentials(*given)), forward(given)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    for one, other in zip(gradients(ours, given), gradients(theirs, given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)


def test_a_ring_holds_no_padding() -> None:
    assert chain.potentials(*drawn(LONG, tags=7)).shape == (7, 7, sum(LONG))


class Padded(NamedTuple):
    """The same windows as pytorch-crf takes them."""

    peer: Any
    emissions: Tensor  # (windows with words, words of the longest, C)
    mask: Tensor


def padded(given: Chains) -> Padded:
    peer: Any = CRF(given.emissions.shape[1], batch_first=True)
    peer.transitions.data = given.transitions.detach().float()
    peer.start_transitions.data = given.start.detach().float()
    peer.end_transitions.data = given.end.detach().float()
    pad = torch.nn.utils.rnn.pad_sequence
    mask = pad([torch.ones(len(own), dtype=torch.bool) for own in given.windows], batch_first=True)
    return Padded(peer, pad([own.float() for own in given.windows], batch_first=True), mask)


@pytest.mark.parametrize("seed", range(6))
def test_loss_and_paths_are_those_of_pytorch_crf(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(0, 25, (32,), generator=draw).tolist()
    given = Chains(*(one.detach() for one in drawn(lengths, tags=7, seed=seed, size=1.0)))
    gold = torch.randint(0, 7, (sum(lengths),), generator=draw)
    theirs = padded(given)
    tags = torch.zeros(theirs.mask.shape, dtype=torch.int64)
    tags[theirs.mask] = gold
    ring = chain.potentials(given.emissions.float(), given.words, given.transitions, given.start, given.end)
    loss = (chain.log_partition(ring) - chain.score(ring, gold)) / len(gold)
    expected = -theirs.peer(theirs.emissions, tags, theirs.mask, reduction="token_mean")
    torch.testing.assert_close(loss.float(), expected, rtol=1e-5, atol=1e-5)
    paths = theirs.peer.decode(theirs.emissions, theirs.mask)
    assert chain.best_path(ring).tolist() == [tag for path in paths for tag in path]


def head(method: Crf | Standard, dropout: float = 0.0, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return method.head(Sizes(HIDDEN, 2, dropout, 0.02), TAGS)


def disturbed(made: Any, size: float = 1.0) -> Any:
    """The head with weights of some size."""
    torch.manual_seed(5)
    for parameter in made.parameters():
        parameter.data.normal_(std=size)
    return made


def states(lengths: Sequence[int], seed: int = 1) -> States:
    """Windows with a special subword before and after their words."""
    torch.manual_seed(seed)
    words = torch.tensor([0, *lengths]).cumsum(0)
    subwords = words + 2 * torch.arange(len(words))
    own = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    first = torch.arange(int(words[-1])) + 2 * own + 1
    return States((torch.randn(int(subwords[-1]), HIDDEN),), first, subwords, words)


def gold(words: int) -> Tensor:
    return torch.randint(0, len(TAGS), (words,), generator=torch.Generator().manual_seed(2))


def part(given: States, start: int, stop: int) -> States:
    """Some of the windows as a batch of their own."""
    at, to = int(given.subwords[start]), int(given.subwords[stop])
    words = given.words[start : stop + 1]
    first = given.first[int(words[0]) : int(words[-1])] - at
    return States((given.layers[0][at:to],), first, given.subwords[start : stop + 1] - at, words - words[0])


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_it_begins_as_standard_fine_tuning(dropout: float) -> None:
    made, usual, given = head(Crf(), dropout), head(Standard(), dropout), states((5, 0, 1, 30))
    losses = []
    for one in (made, usual):
        torch.manual_seed(7)
        losses.append(one.loss(given, gold(36)))
        losses[-1].backward()
    torch.testing.assert_close(losses[0].float(), losses[1])
    torch.testing.assert_close(made.linear.weight.grad, usual.linear.weight.grad)
    assert made.decode(given).tolist() == usual.decode(given).tolist()


def test_without_transitions_equal_tags_are_chosen_in_the_order_that_standard_has() -> None:
    made, usual, given = head(Crf()), head(Standard()), states((9, 1, 6, 20))
    for one in (made, usual):
        one.linear.weight.data.zero_()
        one.linear.bias.data.zero_()
        one.linear.weight.data[1:5, 0] = 1
    assert made.decode(given).tolist() == usual.decode(given).tolist()


def test_the_loss_of_a_batch_is_the_mean_of_its_parts() -> None:
    made, given, tags = disturbed(head(Crf())), states((5, 1, 0, 12, 3)), gold(21)
    cuts = [(0, 1), (1, 3), (3, 5)]
    parts = [part(given, *cut) for cut in cuts]
    pieces = tags.split([len(one.first) for one in parts])
    shares = [made.loss(one, own) * len(own) / len(tags) for one, own in zip(parts, pieces, strict=True)]
    torch.testing.assert_close(torch.stack(shares).sum(), made.loss(given, tags))
    assert torch.cat([made.decode(one) for one in parts]).tolist() == made.decode(given).tolist()


def test_the_chain_stays_exact_where_the_linear_layer_is_not() -> None:
    made, given, tags = disturbed(head(Crf())), states((40, 3)), gold(43)
    with torch.autocast("cpu", torch.bfloat16):
        loss = made.loss(given, tags)
        rounded = made.linear(given.at_words())
    assert rounded.dtype == torch.bfloat16
    others = (made.transitions, made.start, made.end)
    expected = Chains(rounded.double(), given.words, *(one.double() for one in others))
    nothing_lost = forward(expected) - chain.score(chain.potentials(*expected), tags)
    torch.testing.assert_close(loss, nothing_lost / len(tags), rtol=1e-12, atol=0)


def valid(named: Sequence[str]) -> bool:
    """Whether IOB2 writes the spans of these tags so."""
    return schemes.write(schemes.spans(named), len(named)) == list(named)


@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=6), seed=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_constrained_decoding_gives_nothing_that_iob2_forbids(lengths: list[int], seed: int) -> None:
    made, given = disturbed(head(Crf(constrained=True))), states(lengths, seed)
    best = made.decode(given).tolist()
    for start, stop in pairwise(given.words.tolist()):
        assert valid([TAGS[tag] for tag in best[start:stop]])


@pytest.mark.parametrize("seed", range(5))
def test_constrained_decoding_gives_the_best_that_iob2_allows(seed: int) -> None:
    made, given = disturbed(head(Crf(constrained=True))), states((4, 1, 0, 3), seed)
    whole = Chains(made.linear(given.at_words()), given.words, made.transitions, made.start, made.end)
    expected = []
    for own in whole.windows:
        paths, scores = every_path(whole, own)
        allowed = torch.tensor([valid([TAGS[tag] for tag in path]) for path in paths.tolist()])
        expected += paths[scores.where(allowed, -torch.inf).argmax()].tolist()
    assert made.decode(given).tolist() == expected
    assert disturbed(head(Crf())).decode(given).tolist() != expected


def test_the_constraint_changes_decoding_alone() -> None:
    free, bound = (disturbed(head(Crf(constrained=constrained))) for constrained in (False, True))
    assert torch.equal(free.loss(states((7, 2)), gold(9)), bound.loss(states((7, 2)), gold(9)))
    assert free.state_dict().keys() == bound.state_dict().keys()


@pytest.mark.parametrize("constrained", [False, True])
def test_windows_without_words_give_no_tag(constrained: bool) -> None:
    made = disturbed(head(Crf(constrained=constrained)))
    assert made.decode(states((0, 0))).shape == (0,)
    beside = states((0, 3, 0))
    alone = part(beside, 1, 2)
    assert torch.equal(made.loss(alone, gold(3)), made.loss(beside, gold(3)))
    assert torch.equal(made.decode(alone), made.decode(beside))


def test_no_linear_layer_decodes_as_a_chain_does() -> None:
    assert head(Crf()).as_linear() is None


@pytest.mark.parametrize("factor", [1.0, 30.0, 1000.0])
def test_the_factor_is_one_on_the_learning_rate_of_the_edges_alone(factor: float) -> None:
    plain, faster = head(Crf()), head(Crf(transition_lr_factor=factor))
    edges = [plain.transitions, plain.start, plain.end]
    usual: dict[str, Any] = {"params": list(plain.linear.parameters())}
    own: dict[str, Any] = {"params": edges, "lr": factor * 1e-4, "weight_decay": 0.1 / factor}  # decay as without it
    rates = torch.optim.AdamW([usual, own], lr=1e-4, weight_decay=0.1)
    once = torch.optim.AdamW(faster.parameters(), lr=1e-4, weight_decay=0.1)
    for seed in range(6):
        for made, optimizer in ((plain, rates), (faster, once)):
            made.loss(states((5, 0, 1, 30), seed), gold(36)).backward()
            torch.nn.utils.clip_grad_norm_(made.parameters(), 0.05)
            optimizer.step()
            optimizer.zero_grad()
    for name in ("transitions", "start", "end"):
        torch.testing.assert_close(factor * getattr(faster, name), getattr(plain, name))
    torch.testing.assert_close(faster.linear.weight, plain.linear.weight)
    assert faster.decode(states((9, 4))).tolist() == plain.decode(states((9, 4))).tolist()


def test_a_factor_of_one_is_no_setting() -> None:
    assert Crf().model_dump() == {"constrained": False}
    assert Crf(transition_lr_factor=30).model_dump() == {"constrained": False, "transition_lr_factor": 30.0}
