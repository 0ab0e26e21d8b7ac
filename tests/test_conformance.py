"""The kit that holds methods to their contract: the built-ins pass it, and it sees what it is there to see."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import small as worlds  # noqa: F401  # one thread for tensors this small
import torch
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
        f"{check.__name__}: XnerError: nothing fits" for check in conformance.CHECKS
    )


def test_a_method_that_trains_nothing_is_seen() -> None:
    class Idle(Method):
        """Idle: leaves everything as it is."""

        def trainable(self, tagger: Any) -> Any:
            return iter(())

    with pytest.raises(NotConforming, match="gives no parameter"):
        conformance.gradients_reach_every_trainable_parameter(Idle())
