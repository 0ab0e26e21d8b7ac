"""What entries, languages and data sets are called in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.leaderboard import legend
from xner_bench.leaderboard.pictures.canvas import readable, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.catalogue import Catalogue, Language
    from xner_bench.leaderboard.lines import Line
    from xner_bench.leaderboard.pictures.chosen import Pair, View

FEW = 3  # departures from the suite that a caption has room for
LANGUAGE = 20  # characters of a language's name


def entries(lines: Sequence[Line]) -> list[str]:
    """Labels in full, with the encoder where two are alike."""
    labels = [legend.label(line, ()) for line in lines]
    return [
        f"{label}, {line.encoder}" if labels.count(label) > 1 else label
        for label, line in zip(labels, lines, strict=True)
    ]


def pairs(shown: Sequence[Pair]) -> list[str]:
    """The entries; where they are held against several, against which."""
    names = entries([pair.line for pair in shown])
    if len({pair.baseline.label for pair in shown}) < 2 or all(pair.line.published for pair in shown):
        return names
    return [f"{name}, against {pair.baseline.label}" for name, pair in zip(names, shown, strict=True)]


def remarks(seen: View, lines: Sequence[Line], names: Sequence[str], every: int, what: str = "entries") -> list[str]:
    """What a caption begins with: notices, how many of all are shown, cut names, and who departs from the suite.

    `lines` have the settings of what is shown, `names` its names, of which there are `every` in all.
    """
    cut = short(names) != [*map(readable, names)]
    return [
        *seen.section.notices,
        *([f"{len(names)} of {every} {what}: the first in the leaderboard's order."] if len(names) < every else ()),
        *(["Names that are cut stand in full in the SVG's description."] if cut else ()),
        *_departures(lines),
    ]


def _departures(lines: Sequence[Line]) -> list[str]:
    """Settings other than the suite's: those of all, those of a few, or where to read them."""
    own = {line.label: line.departures for line in lines if not line.published}
    kinds = {*own.values()}
    if kinds <= {""}:
        return []
    if len(kinds) == 1:
        return [f"Otherwise than the suite: {', '.join(kinds)}."]
    if sum(map(bool, own.values())) <= FEW:
        return [f"{label} otherwise than the suite: {text}." for label, text in own.items() if text]
    return ["Some entries depart from the suite's settings; leaderboard.md says how."]


def language(catalogue: Catalogue, corpus: str) -> str:
    """A language's English name; its code where no card has it."""
    known = facts(catalogue, corpus)
    return short([known.name if known else corpus.partition(":")[2]], LANGUAGE)[0]


def codes(corpora: Sequence[str]) -> list[str]:
    """The data sets' own codes; where two data sets share one, with the data set."""
    alone = [corpus.partition(":")[2] for corpus in corpora]
    return [readable(corpus if alone.count(code) > 1 else code) for code, corpus in zip(alone, corpora, strict=True)]


def dataset(catalogue: Catalogue, corpus: str) -> str:
    """The title of a corpus' data set."""
    return readable(legend.title(catalogue, corpus.partition(":")[0]))


def facts(catalogue: Catalogue, corpus: str) -> Language | None:
    """What the catalogue knows of a language."""
    name, _, code = corpus.partition(":")
    card = catalogue.cards.get(name)
    return card.languages.get(code) if card else None
