"""Methods as one: each hook from the method that has it, and one line where two want the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import small as worlds  # noqa: F401  # one thread for tensors this small
from pydantic import Field

from xner_bench import catalogue, conformance, registry, settle
from xner_bench.compose import combined
from xner_bench.errors import UnknownName, XnerError
from xner_bench.method import Method, Sizes
from xner_bench.methods.slicer import Slicer
from xner_bench.methods.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch.nn import Parameter

    from xner_bench.method import Moment
    from xner_bench.space import Choices, Range
    from xner_bench.tagger import Tagger

SIZES = Sizes(64, 2, 0.1, 0.02)


class Shrinking(Method):
    """Shrinking: all weights of the head become a little smaller after each step."""

    by: float = Field(0.01, ge=0, lt=1, description="share that is taken off")

    @classmethod
    def search_space(cls, sizes: Sizes) -> Mapping[str, Range | Choices]:
        return {"by": (0.01, 0.1)}

    def prepare(self, tagger: Tagger) -> None:
        for parameter in tagger.transformer.parameters():
            parameter.requires_grad_(False)

    def after_step(self, tagger: Tagger, moment: Moment) -> None:
        assert 1 <= moment.step <= moment.steps
        for parameter in tagger.head.parameters():
            parameter.data *= 1 - self.by

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        return {"largest": max(float(parameter.detach().abs().max()) for parameter in tagger.head.parameters())}


class Counting(Method):
    """Counting: notes its calls."""

    def after_step(self, tagger: Tagger, moment: Moment) -> None:
        STEPS.append(moment.step)

    def settle(self, tagger: Tagger) -> None:
        STEPS.append(0)

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        return {"steps": len(STEPS)}


class Biases(Method):
    """Biases: trains nothing else."""

    def trainable(self, tagger: Tagger) -> Iterable[Parameter]:
        return (parameter for parameter in tagger.parameters() if parameter.ndim == 1)


STEPS: list[int] = []
TWO = combined("shrinking+slicer", {"shrinking": Shrinking, "slicer": Slicer})


@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
def test_two_methods_as_one_keep_the_contract(check: Callable[[Method], None]) -> None:
    check(TWO(h=16, by=0.001))


def test_each_hook_comes_from_the_method_that_has_it() -> None:
    both = TWO(h=16)
    assert set(TWO.model_fields) == {"by", "h", "classifier", "bias"}
    assert both.model_dump() == {**Slicer(h=16).model_dump(), **Shrinking().model_dump()}
    assert type(both.head(SIZES, conformance.TAGS)) is type(Slicer(h=16).head(SIZES, conformance.TAGS))
    assert TWO.search_space(SIZES) == {**Slicer.search_space(SIZES), **Shrinking.search_space(SIZES)}
    assert registry.summary(TWO) == "shrinking with slicer, combined."


def test_what_all_may_do_is_done_by_all() -> None:
    STEPS.clear()
    three = combined("x", {"counting": Counting, "shrinking": Shrinking, "slicer": Slicer})(h=16)
    tagger, steps = conformance._trained(three, seed=1)
    assert [step.number for step in steps] == STEPS
    assert all(parameter.requires_grad is False for parameter in tagger.transformer.parameters())
    found = three.facts(tagger)
    assert found.keys() == {"steps", "largest"}
    assert found["steps"] == len(steps)
    three.settle(tagger)
    assert STEPS[-1] == 0


def test_methods_that_want_the_same_are_told_apart() -> None:
    class Wide(Method):
        """Wide: has an h too."""

        h: int = 1

    with pytest.raises(XnerError, match="both say what is trained"):
        combined("x", {"biases": Biases, "more": Biases})
    with pytest.raises(XnerError, match="methods slicer and other both bring a head"):
        combined("x", {"slicer": Slicer, "other": Slicer})
    with pytest.raises(XnerError, match="methods slicer and wide both have an option 'h'"):
        combined("x", {"slicer": Slicer, "wide": Wide})


def test_names_have_one_order_and_the_baseline_adds_nothing() -> None:
    assert registry.canonical("b+a") == registry.canonical(" a + b") == "a+b"
    assert registry.canonical("slicer+standard") == "slicer"
    assert registry.canonical("standard") == "standard"
    assert registry.load("slicer+standard") is Slicer
    with pytest.raises(XnerError, match="has 'slicer' twice"):
        registry.load("slicer+slicer")
    with pytest.raises(UnknownName, match="slicr"):
        registry.load("slicr+standard+slicer")
    with pytest.raises(XnerError, match=r"method 'slicer\+' has an empty place"):
        registry.load("slicer+")
    with pytest.raises(XnerError, match="standard"):
        registry.load("standard+standard")
    assert registry.load("standard") is Standard
    assert registry.known("slicer+standard")
    assert not registry.known("slicer+smooth")
    assert registry.origin("slicer+standard") == "built in"


def test_settings_name_a_combination_in_one_way() -> None:
    known = catalogue.load()
    one = settle.settle(known, method="standard+slicer", options={"h": 4})
    assert one == settle.settle(known, method="slicer", options={"h": 4})
