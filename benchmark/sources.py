"""What a run is trained on, as one text: `wikiann:en`, several languages at once as `wikiann:de+wikiann:en`, or `each`.

`each` is no source of one run: it stands for a run a language, trained on it and tested on it (see `each`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

JOIN = "+"
EACH = "each"
FEW = 3  # languages that are all named where there is little room


def joined(names: Iterable[str]) -> str:
    """Languages that are trained on together, each once, in the order that their data have."""
    return JOIN.join(sorted(set(names)))


def parts(source: str) -> tuple[str, ...]:
    """The languages of a source."""
    return tuple(source.split(JOIN))


def brief(source: str, title: Callable[[str], str] = str) -> str:
    """A source in a few words: a few languages by name, more as "40 languages of WikiANN and 3 of MasakhaNER".

    `title` gives a data set's title.
    """
    every = parts(source)
    if len(every) <= FEW:
        return source
    (first, most), *others = Counter(name.partition(":")[0] for name in every).most_common()
    said = f"{most} {'languages' if most > 1 else 'language'} of {title(first)}"
    return " and ".join([said, *(f"{number} of {title(dataset)}" for dataset, number in others)])


def trained(source: str, title: Callable[[str], str] = str) -> str:
    """What the runs of a table have in common: "trained on wikiann:en"."""
    return "each language on itself" if source == EACH else f"trained on {brief(source, title)}"
