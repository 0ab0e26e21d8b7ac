"""Methods that are orthogonal, as one: `crf+prune` is the head of crf under the schedule of prune, without a new class.

Each hook comes from the method that has it. What methods may all do, they do one after the other; what only one can
decide, a head for instance, two methods cannot both bring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import create_model

from xner_bench.errors import XnerError
from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xner_bench.method import Moment, Sizes
    from xner_bench.space import Choices, Range
    from xner_bench.tagger import Tagger

# What only one of several methods can decide, in words.
ONCE = {
    "layers": "choose the layers that the head reads",
    "head": "bring a head",
    "trainable": "say what is trained",
    "finish": "change the weights at the end",
}


def combined(name: str, parts: Mapping[str, type[Method]]) -> type[Method]:
    """The class of several methods, by name, as one; XnerError where they do not go together."""
    _expect_different(parts)
    classes: tuple[type[Method], ...] = tuple(parts.values())
    about = f"{' with '.join(parts)}, combined.\n\n" + "\n\n".join(cls.__doc__ or "" for cls in classes)
    bases: Any = (_Several, *classes)
    made = cast("type[_Several]", create_model(name, __base__=bases, __doc__=about, __module__=__name__))
    made.parts = classes
    return made


def _expect_different(parts: Mapping[str, type[Method]]) -> None:
    for hook, does in ONCE.items():
        own = [name for name, cls in parts.items() if getattr(cls, hook) is not getattr(Method, hook)]
        if len(own) > 1:
            raise XnerError(f"methods {' and '.join(own)} both {does}; combine methods that do different things")
    owners: dict[str, str] = {}
    for name, cls in parts.items():
        for field in cls.model_fields:
            if field in owners:
                raise XnerError(f"methods {owners[field]} and {name} both have an option {field!r}; they don't combine")
            owners[field] = name


class _Several(Method):
    """What all methods do, one after the other. Hooks that only one of them has come by inheritance."""

    parts: ClassVar[tuple[type[Method], ...]] = ()

    @classmethod
    def search_space(cls, sizes: Sizes) -> Mapping[str, Range | Choices]:
        return {field: choices for part in cls.parts for field, choices in part.search_space(sizes).items()}

    def check(self, end: Moment) -> None:
        for part in self.parts:
            part.check(self, end)

    def prepare(self, tagger: Tagger) -> None:
        for part in self.parts:
            part.prepare(self, tagger)

    def after_step(self, tagger: Tagger, moment: Moment) -> None:
        for part in self.parts:
            part.after_step(self, tagger, moment)

    def settle(self, tagger: Tagger) -> None:
        for part in self.parts:
            part.settle(self, tagger)

    def plain(self, tagger: Tagger) -> None:
        for part in reversed(self.parts):  # what was added last goes first
            part.plain(self, tagger)

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        return {name: fact for part in self.parts for name, fact in part.facts(self, tagger).items()}
