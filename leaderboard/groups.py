"""Which targets a mean is over: those of each data set, without and with the sources, and all targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xner_bench.sources import EACH, parts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TOTAL = "Total"


class Group(NamedTuple):
    """Targets whose mean, unweighted, is one cell."""

    name: str  # "WikiANN without the source", "Total"
    dataset: str | None  # None: of several data sets
    corpora: tuple[str, ...]  # "wikiann:am", ...


def groups(targets: Sequence[str], source: str, title: Callable[[str], str]) -> tuple[Group, ...]:
    """The groups of a list of targets, data sets in the targets' order, the total last.

    `title` gives a data set's title. A data set of which sources and others are targets has two groups.
    """
    trained = targets if source == EACH else parts(source)
    found = [group for dataset in datasets(targets) for group in _of_dataset(dataset, targets, trained, title(dataset))]
    return (*found, Group(TOTAL, None, tuple(targets)))


def datasets(corpora: Sequence[str]) -> tuple[str, ...]:
    """Data sets of some corpora, each once, in their order."""
    return tuple(dict.fromkeys(corpus.partition(":")[0] for corpus in corpora))


def _of_dataset(dataset: str, targets: Sequence[str], trained: Sequence[str], title: str) -> list[Group]:
    every = tuple(target for target in targets if target.partition(":")[0] == dataset)
    others = tuple(target for target in every if target not in trained)
    if others == every or not others:
        return [Group(title, dataset, every)]
    what = "source" if len(trained) == 1 else "sources"
    return [
        Group(f"{title} without the {what}", dataset, others),
        Group(f"{title} with the {what}", dataset, every),
    ]
