"""The kit that holds methods to their contract: the built-ins pass it, and it sees what it is there to see."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import small as worlds  # noqa: F401  # one thread for tensors this small
import torch
from pydantic import Field
from torch import nn

from xner_bench import conformance, registry
from xner_bench.conformance import NotConforming
from xner_bench.errors import XnerError
from xner_bench.head import LinearHead
from xner_bench.method import Method
from xner_bench.methods import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Callable

VARIANTS = [
    *((name, {}) for name in BUILTIN),
    ("slicer", {"h": 16, "classifier": "frozen", "bias": "shared_out"}),
    ("crf", {"constrained": True, "transition_lr_factor": 100.0}),
    ("lora", {"where": "all", "rank": 4}),
    ("bitfit+slicer", {"h": 16}),
    ("crf+lora", {}),
    ("dlfa", {"layer": 0, "branches": "global", "gate": "output"}),
    ("dlfa", {"layer": 2, "branches": "local", "reduction": 3}),
    ("prune", {"scope": "dense+embeddings", "sparsity": 0.8}),
    ("prune+slicer", {"h": 16, "scope": "dense+embeddings"}),
    *((f"{name}+prune", {}) for name in ("bitfit", "crf", "dlfa", "lora")),
]
COUNTER = itertools.count()


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)
def test_the_built_ins_keep_the_contract(name: str, options: dict[str, Any], check: Callable[[Method], None]) -> None:
    check(registry.make(name, options))


class Flat(LinearHead):
    """Nothing to learn from."""

    def loss(self, states: Any, tags: Any) -> Any:
        return super().loss(states, tags) * 0 + 1


class Idle(LinearHead):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.unused = nn.Linear(3, 3)


class Short(LinearHead):
    def decode(self, states: Any) -> Any:
        return super().decode(states)[:-1]


class Logits(LinearHead):
    def decode(self, states: Any) -> Any:
        return super().decode(states).float()


class Beyond(LinearHead):
    def decode(self, states: Any) -> Any:
        return super().decode(states) + 5


class Crowded(LinearHead):
    """What a word is tagged depends on the other words of its batch."""

    def decode(self, states: Any) -> Any:
        logits = self.linear(states.at_words())
        return (logits - logits.mean(0)).argmax(-1)


class Forgetful(LinearHead):
    """Part of what it decodes with is not saved."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.register_buffer("turn", torch.tensor(next(COUNTER)), persistent=False)

    def decode(self, states: Any) -> Any:
        return (super().decode(states) + self.turn) % len(conformance.TAGS)


class Moody(LinearHead):
    """Draws numbers that no seed decides."""

    def loss(self, states: Any, tags: Any) -> Any:
        return super().loss(states, tags) * (1 + next(COUNTER) / 1000)


class Counting(LinearHead):
    """Keeps what it learns beside its parameters."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen = 0

    def loss(self, states: Any, tags: Any) -> Any:
        self.seen += 1
        return super().loss(states, tags) * (1 + self.seen / 100)


def method(head: type[LinearHead]) -> Method:
    class Made(Method):
        """Made for a test."""

        def head(self, sizes: Any, tags: Any) -> Any:
            return head(sizes, len(tags))

    return Made()


@pytest.mark.parametrize(
    ("head", "check", "said"),
    [
        (Flat, conformance.loss_falls, "the loss went from"),
        (Idle, conformance.gradients_reach_every_trainable_parameter, "head.unused.weight"),
        (Short, conformance.decodes_one_tag_a_word, "decode gives shape"),
        (Logits, conformance.decodes_one_tag_a_word, "not tag ids"),
        (Beyond, conformance.decodes_one_tag_a_word, "beyond 0..4"),
        (Crowded, conformance.layout_does_not_matter, "depend on"),
        (Forgetful, conformance.save_and_load_agree, "a loaded tagger tags otherwise"),
        (Moody, conformance.equal_seeds_agree, "different losses"),
        (Counting, conformance.an_interruption_does_not_matter, "has other losses"),
    ],
)
def test_what_breaks_the_contract_is_seen(head: type[LinearHead], check: Callable[[Method], None], said: str) -> None:
    with pytest.raises(NotConforming, match=said):
        check(method(head))


def test_every_check_that_failed_is_told_at_once() -> None:
    class Headless(Method):
        """Headless: has no head for anything."""

        def head(self, sizes: Any, tags: Any) -> Any:
            raise XnerError("nothing fits")

    with pytest.raises(NotConforming) as caught:
        conformance.check(Headless())
    assert str(caught.value) == "Headless: " + "; ".join(
        f"{check.__name__}: XnerError: nothing fits"
        for check in conformance.CHECKS
        if check is not conformance.searches_fields_of_its_own  # it has none
    )


@pytest.mark.parametrize(
    ("space", "said"), [({"width": (1, 2)}, "which is no field"), ({"share": (0.5, 2.0)}, "has 2.0 for 'share'")]
)
def test_a_space_that_does_not_fit_is_seen(space: dict[str, Any], said: str) -> None:
    class Searched(Method):
        """Searched: over what it does not have."""

        share: float = Field(0.5, le=1)

        @classmethod
        def search_space(cls, sizes: Any) -> Any:
            return space

    with pytest.raises(NotConforming, match=said):
        conformance.searches_fields_of_its_own(Searched())


def test_a_method_that_trains_nothing_is_seen() -> None:
    class Idle(Method):
        """Idle: leaves everything as it is."""

        def trainable(self, tagger: Any) -> Any:
            return iter(())

    with pytest.raises(NotConforming, match="gives no parameter"):
        conformance.gradients_reach_every_trainable_parameter(Idle())
