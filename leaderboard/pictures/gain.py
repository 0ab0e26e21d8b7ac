"""Picture: what an entry gains on each language against what `standard` has there, by language family."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from xner_bench.leaderboard.cells import signed
from xner_bench.leaderboard.groups import datasets
from xner_bench.leaderboard.pictures import chosen, labels, place
from xner_bench.leaderboard.pictures.canvas import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    MARGIN,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    Picture,
    Sheet,
    extent,
    readable,
    short,
)
from xner_bench.leaderboard.pictures.place import Box
from xner_bench.sources import EACH, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.pictures.chosen import Difference, Pair, View

WIDTH, HEIGHT, BETWEEN, SCALE = 6.2, 4.0, 0.85, 0.6
MOST, PER_PANEL = 4, 5  # entries; families in a row of the legend
DOT, LINE, CODE = 0.11, 0.03, 7.0  # inches, inches, points
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, INK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*")  # no two families share colour and marker
UNKNOWN = "family unknown"
TESTED = (
    "Thin lines: 95 % interval of the difference. Filled: supported, that is p < 0.05 after Holm's correction over the "
    "languages, and an interval that leaves out 0, corrected for their number, too."
)
UNTESTED = "No difference here is tested: any of them may be chance."
BEYOND = "A line that ends at the edge goes on beyond it."
PUBLISHED = "A paper's own numbers; not tested."


class Look(NamedTuple):
    """How a family is drawn."""

    colour: str
    marker: str


class Point(NamedTuple):
    """A language: its score by the baseline, and the difference from it."""

    corpus: str
    base: float
    gain: Difference
    family: str


def picture(seen: View, name: str, catalogue: Catalogue) -> Picture | None:
    """The gains of the first entries of a profile, a panel each; None where there are none."""
    every = chosen.pairs(seen)
    found = chosen.compared(seen)
    drawn = [(pair, points) for pair in every[:MOST] if (points := _points(seen, found, pair, catalogue))]
    if not drawn:
        return None
    title = f"Gain over standard by language, against the {seen.metric} of standard, {seen.role}"
    pairs = [pair for pair, _ in drawn]
    first = labels.remarks(seen, chosen.both(pairs), labels.pairs(pairs), len(every))
    caption = [*first, *_caption(drawn, catalogue)]
    sheet = _draw(seen, drawn, _looks(seen, catalogue), title, caption)
    return Picture(f"{name}-gain", sheet.figure, title, " ".join([seen.about + ".", *_told(drawn), *caption]))


def _points(seen: View, found: chosen.Found, pair: Pair, catalogue: Catalogue) -> list[Point]:
    """The languages that both have, without those that were trained on."""
    points = []
    for corpus in _targets(seen):
        gain = chosen.difference(seen, found, pair, corpus)
        row = pair.baseline.rows.get((corpus, seen.protocol))
        if gain and row and row.f1:
            points.append(Point(corpus, row.f1.mean, gain, _family(catalogue, corpus)))
    return points


def _targets(seen: View) -> list[str]:
    """Languages that were not trained on; all of them where each was on itself."""
    sources = () if seen.section.source == EACH else parts(seen.section.source)
    return [corpus for corpus in seen.section.corpora if corpus not in sources]


def _family(catalogue: Catalogue, corpus: str) -> str:
    known = labels.facts(catalogue, corpus)
    return known.family if known else UNKNOWN


def _draw(
    seen: View,
    drawn: Sequence[tuple[Pair, list[Point]]],
    looks: Mapping[str, Look],
    title: str,
    caption: Sequence[str],
) -> Sheet:
    across = min(2, len(drawn))
    down = -(-len(drawn) // across)
    families = {point.family for _, points in drawn for point in points}
    shown = {family: look for family, look in looks.items() if family in families}
    legend = 0.19 * -(-len(shown) // (PER_PANEL * across)) + 0.2
    width = MARGIN + across * (WIDTH + BETWEEN)
    sheet = Sheet(width, down * (HEIGHT + BETWEEN) + legend, title, seen.about, caption)
    names = short(labels.pairs([pair for pair, _ in drawn]), 60)
    for at, (pair, points) in enumerate(drawn):
        left, top = MARGIN + SCALE + at % across * (WIDTH + BETWEEN), 0.15 + at // across * (HEIGHT + BETWEEN)
        axes = sheet.axes(left, top, WIDTH, HEIGHT)
        axes.set_title(names[at], size=9.0, loc="left")
        axes.set_xlabel(f"{seen.metric} of {short([pair.baseline.label], 60)[0]}, percent")
        axes.set_ylabel("gain, points")
        _panel(axes, points, shown)
    _families(sheet, shown, PER_PANEL * across, down * (HEIGHT + BETWEEN))
    return sheet


def _looks(seen: View, catalogue: Catalogue) -> dict[str, Look]:
    """Family -> how it is drawn, the family of most targets first: the same in all pictures of a section."""
    families = Counter(_family(catalogue, corpus) for corpus in _targets(seen))
    counted = sorted(families, key=lambda family: (-families[family], family))
    return {family: Look(COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]) for at, family in enumerate(counted)}


def _panel(axes: Axes, points: Sequence[Point], looks: Mapping[str, Look]) -> None:
    axes.axhline(0, color=GREY, linewidth=0.9)
    axes.grid(color=PALE, linewidth=0.5)
    axes.set_xlim(*_limits([point.base for point in points], 0.06))
    axes.set_ylim(*_height(points))
    tested = any(point.gain.low is not None for point in points)
    for point in points:
        colour, marker = looks[point.family]
        axes.plot([point.base] * 2, _ends(point), color=colour, linewidth=0.6, alpha=0.55)
        face = colour if point.gain.supported or not tested else "white"
        axes.plot([point.base], [point.gain.points], marker, color=colour, markerfacecolor=face, markersize=5.5)
    _names(axes, points)


def _ends(point: Point) -> list[float]:
    """The ends of the interval; where there is none, twice the gain."""
    return [point.gain.points if end is None else end for end in (point.gain.low, point.gain.high)]


def _limits(values: Sequence[float], room: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    more = max((high - low) * room, 0.5)
    return low - more, high + more


def _height(points: Sequence[Point]) -> tuple[float, float]:
    """The gains, 0, and most intervals: a test set of few sentences makes one that would press all others together."""
    lows, highs = ([_ends(point)[at] for point in points] for at in (0, 1))
    most = [*np.percentile(lows, [15]), *np.percentile(highs, [85])]
    return _limits([*most, 0.0, *(point.gain.points for point in points)], 0.1)


def _beyond(points: Sequence[Point]) -> bool:
    """Whether an interval is longer than its panel is high."""
    low, high = _height(points)
    return any(_ends(point)[0] < low or _ends(point)[1] > high for point in points)


def _names(axes: Axes, points: Sequence[Point]) -> None:
    """The languages' codes, each with a line to its point where it stands away from it."""
    names = labels.codes([point.corpus for point in points])
    slants = _slants([point.corpus for point in points])
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    across, up = WIDTH / (right - left), HEIGHT / (top - bottom)  # inches for one unit
    dots = [Box((point.base - left) * across, (point.gain.points - bottom) * up, DOT, DOT) for point in points]
    sizes = [(extent(name, CODE) + 0.04, 0.125) for name in names]
    zero = Box(WIDTH / 2, -bottom * up, WIDTH, LINE)
    ends = [[(end - bottom) * up for end in _ends(point)] for point in points]
    lines = [Box(dot.x, (low + high) / 2, LINE, high - low) for dot, (low, high) in zip(dots, ends, strict=True)]
    placed = place.labels(dots, sizes, Box(WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT), [zero, *lines])
    for name, slant, point, dot, box in zip(names, slants, points, dots, placed, strict=True):
        x, y = left + box.x / across, bottom + box.y / up
        if abs(box.x - dot.x) > box.width / 2 + DOT or abs(box.y - dot.y) > box.height / 2 + DOT:
            axes.plot([point.base, x], [point.gain.points, y], color=GREY, linewidth=0.4, zorder=1)
        halo = [withStroke(linewidth=1.5, foreground="white")]
        axes.text(x, y, name, size=CODE, style=slant, ha="center", va="center_baseline", path_effects=halo)


def _slants(corpora: Sequence[str]) -> list[str]:
    """The codes of the first data set stand upright."""
    first = datasets(corpora)[:1]
    return ["normal" if corpus.partition(":")[0] in first else "italic" for corpus in corpora]


def _families(sheet: Sheet, looks: Mapping[str, Look], columns: int, down: float) -> None:
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle="", markersize=5.5, label=readable(family))
        for family, look in looks.items()
    ]
    corner = ((MARGIN + 0.4) / sheet.width, 1 - (sheet.top + down) / sheet.height)
    sheet.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=corner, ncols=columns, borderpad=0)


def _caption(drawn: Sequence[tuple[Pair, list[Point]]], catalogue: Catalogue) -> list[str]:
    points = [point for _, points in drawn for point in points]
    first, *others = (labels.dataset(catalogue, name) for name in datasets([point.corpus for point in points]))
    tested = any(point.gain.low is not None for point in points)
    return [
        PUBLISHED if drawn[0][0].line.published else TESTED if tested else UNTESTED,
        *([BEYOND] if any(_beyond(points) for _, points in drawn) else ()),
        *([f"Upright: {first}; slanted: {', '.join(others)}."] if others else ()),
    ]


def _gain(point: Point) -> str:
    """`+1.2 [-0.3, +2.7]`, the numbers in brackets where there is an interval."""
    low, high = point.gain.low, point.gain.high
    ends = "" if low is None or high is None else f" [{signed(low)}, {signed(high)}]"
    return f"{signed(point.gain.points)}{ends}"


def _told(drawn: Sequence[tuple[Pair, list[Point]]]) -> Iterable[str]:
    """The numbers in words."""
    for name, (_, points) in zip(labels.pairs([pair for pair, _ in drawn]), drawn, strict=True):
        said = (f"{one.corpus} {_gain(one)} at {one.base:.1f}" for one in points)
        yield f"{name}: {', '.join(said)}."
