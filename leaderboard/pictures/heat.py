"""Picture: the difference of every entry from `standard` on every language, as a heat map with the numbers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize

from xner_bench.leaderboard.cells import NONE, signed
from xner_bench.leaderboard.groups import datasets
from xner_bench.leaderboard.pictures import chosen, labels
from xner_bench.leaderboard.pictures.canvas import GREY, MARGIN, PALE, Picture, Sheet, fitting, short, widest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.pictures.chosen import Difference, Pair, View

CELL, ROW, GAP = 0.37, 0.25, 0.3
COLOURS = colormaps["RdBu"].with_extremes(bad=PALE)  # blue is better; told apart by everybody
DARK = 0.179  # luminance below which white letters have more contrast than black ones
TESTED = (
    "Bold with a dot: supported, that is p < 0.05 after Holm's correction over the languages, and an interval that "
    "leaves out 0, corrected for their number, too. All others may be chance."
)
UNTESTED = "No difference here is tested: any of them may be chance."
PUBLISHED = "A paper's own numbers, against its own standard at the same learning rate; not tested."
GREATER = "The colours end at ±{limit:g} points."
GAPS = "Grey: no score."


class Grid(NamedTuple):
    """The differences of a picture: a row a pair, a column a corpus."""

    pairs: list[Pair]
    columns: list[str]
    rows: list[list[Difference | None]]

    @property
    def known(self) -> list[Difference]:
        """Those that there are."""
        return [one for row in self.rows for one in row if one]

    @property
    def limit(self) -> float:
        """Where the colours end: what 95 of 100 differences stay below, at least one point."""
        return max(1.0, float(np.ceil(np.percentile([abs(one.points) for one in self.known], 95))))

    def block(self, corpora: Sequence[str]) -> list[list[Difference | None]]:
        """The columns of some corpora."""
        return [[row[self.columns.index(corpus)] for corpus in corpora] for row in self.rows]


def picture(seen: View, name: str, catalogue: Catalogue) -> Picture | None:
    """The differences of a profile; None where there are none."""
    every = chosen.pairs(seen)
    grid = _grid(seen, every[: chosen.MOST])
    if not grid.columns:
        return None
    title = f"Difference from standard by language, points of {seen.metric}, {seen.role}"
    shown = chosen.both(grid.pairs)
    first = labels.remarks(seen, shown, labels.pairs(grid.pairs), len(every))
    caption = [*first, *_caption(grid)]
    sheet = _draw(seen, grid, title, caption, catalogue)
    return Picture(f"{name}-differences", sheet.figure, title, " ".join([seen.about + ".", *_told(grid), *caption]))


def _grid(seen: View, pairs: list[Pair]) -> Grid:
    found = chosen.compared(seen)
    columns = [
        (corpus, [chosen.difference(seen, found, pair, corpus) for pair in pairs]) for corpus in seen.section.corpora
    ]
    filled = [(corpus, values) for corpus, values in columns if any(values)]
    rows = [[values[at] for _, values in filled] for at in range(len(pairs))]
    return Grid(pairs, [corpus for corpus, _ in filled], rows)


def _draw(seen: View, grid: Grid, title: str, caption: Sequence[str], catalogue: Catalogue) -> Sheet:
    names = short(labels.pairs(grid.pairs))
    heads = [labels.language(catalogue, corpus) for corpus in grid.columns]
    left, above = MARGIN + widest(names) + 0.15, widest(heads) + 0.36
    blocks = [[one for one in grid.columns if one.partition(":")[0] == name] for name in datasets(grid.columns)]
    width = left + sum(len(block) * CELL + GAP for block in blocks) + 0.1
    sheet = Sheet(max(width, 7.0), above + ROW * len(names) + 0.6, title, seen.about, caption)
    _scale(sheet, left, above + ROW * len(names) + 0.15, grid.limit)
    for block in blocks:
        axes = sheet.axes(left, above, CELL * len(block), ROW * len(names))
        _block(axes, grid.block(block), grid.limit)
        axes.set_xticks(range(len(block)), [labels.language(catalogue, corpus) for corpus in block], rotation=90)
        axes.set_yticks(range(len(names)), names if block is blocks[0] else [""] * len(names))
        heading = fitting(labels.dataset(catalogue, block[0]), CELL * len(block) + GAP - 0.05)
        sheet.text(left, sheet.top + 0.1, heading, va="center_baseline")
        left += CELL * len(block) + GAP
    return sheet


def _block(axes: Axes, rows: Sequence[Sequence[Difference | None]], limit: float) -> None:
    """The cells of one data set."""
    values = np.array([[np.nan if one is None else one.points for one in row] for row in rows])
    x, y = (np.arange(size + 1) - 0.5 for size in values.shape[::-1])
    axes.pcolormesh(x, y, values, cmap=COLOURS, norm=Normalize(-limit, limit), edgecolors="white", linewidth=0.8)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[-1], y[0]))
    axes.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    for down, row in enumerate(rows):
        for right, one in enumerate(row):
            _number(axes, right, down, one, limit)


def _number(axes: Axes, right: int, down: int, one: Difference | None, limit: float) -> None:
    colour = GREY if one is None else "white" if _luminance(one.points, limit) < DARK else "black"
    supported = one is not None and one.supported
    weight = "bold" if supported else "normal"
    axes.text(right, down, text(one), size=6.3, color=colour, weight=weight, ha="center", va="center_baseline")
    if supported:
        axes.plot([right + 0.36], [down - 0.33], "o", color=colour, markersize=2.2)


def _luminance(points: float, limit: float) -> float:
    """Relative luminance of a cell's colour, from 0 to 1 (WCAG 2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in COLOURS(Normalize(-limit, limit)(points))[:3]
    )
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def text(one: Difference | None) -> str:
    """A difference in few letters: `+1.2`, `−12`, a dash."""
    if one is None:
        return NONE
    shown = signed(one.points) if abs(one.points) < 9.95 else f"{one.points:+.0f}"
    return shown.replace("-", "−")


def _scale(sheet: Sheet, left: float, down: float, limit: float) -> None:
    """What the colours mean."""
    axes = sheet.axes(left, down, 2.2, 0.12)
    axes.imshow(np.linspace(-limit, limit, 256)[None], cmap=COLOURS, aspect="auto", extent=(-limit, limit, 0, 1))
    axes.set_yticks([])
    axes.set_xticks([-limit, 0, limit], [f"−{limit:g}", "0", f"+{limit:g} points"])
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)


def _caption(grid: Grid) -> Iterable[str]:
    tested = any(one.low is not None for one in grid.known)
    published = grid.pairs[0].line.published
    said = {
        PUBLISHED: published,
        TESTED: tested,
        UNTESTED: not tested and not published,
        GREATER.format(limit=grid.limit): any(abs(one.points) > grid.limit for one in grid.known),
        GAPS: any(one is None for row in grid.rows for one in row),
    }
    return (text for text, true in said.items() if true)


def _mark(one: Difference) -> str:
    return " (supported)" if one.supported else ""


def _told(grid: Grid) -> Iterable[str]:
    """The numbers in words."""
    for name, row in zip(labels.pairs(grid.pairs), grid.rows, strict=True):
        cells = (f"{corpus} {text(one)}{_mark(one)}" for corpus, one in zip(grid.columns, row, strict=True) if one)
        yield f"{name}: {', '.join(cells)}."
