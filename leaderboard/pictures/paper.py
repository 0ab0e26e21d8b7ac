"""Picture: Figure 3 of the SLICER paper (Schmidt, Vulić and Glavaš, EMNLP 2022) from the scores of a leaderboard.

F1 of `standard` and of others on five languages that are Indo-European and rich in resources (English, German, French,
Spanish, Russian), then on five that are neither (Arabic, Igbo, Quechua, Yoruba, Swahili), of one data set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.leaderboard.groups import datasets
from xner_bench.leaderboard.pictures import chosen, labels
from xner_bench.leaderboard.pictures.canvas import BLUE, GREEN, GREY, INK, MARGIN, ORANGE, PALE, Picture, Sheet, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line
    from xner_bench.leaderboard.pictures.chosen import Pair, View

INDO_EUROPEAN = ("eng", "deu", "fra", "spa", "rus")
OTHERS = ("ara", "ibo", "que", "yor", "swa")
MOST = 3  # entries beside standard
HEIGHT, BAR, BETWEEN = 2.6, 0.2, 0.22
LOOKS = ((GREY, ""), (BLUE, "////"), (ORANGE, "...."), (GREEN, "xxxx"))
SPREAD = "Whiskers: ± sample standard deviation over seeds. Numbers above the bars: F1."
DOTS = (
    "A dot above a bar: its difference from standard is supported, that is p < 0.05 after Holm's correction over the "
    "languages, and an interval that leaves out 0, corrected for their number, too."
)
UNTESTED = "The differences are not tested: any of them may be chance."
PUBLISHED = "The paper's own numbers."
GAPS = "No bar: no score."


def picture(seen: View, name: str, catalogue: Catalogue) -> Picture | None:
    """The figure; None unless each half has a language that `standard` and another entry were scored on."""
    found = chosen.pairs(seen)
    every = [pair for pair in found if pair.baseline is found[0].baseline]
    pairs = every[:MOST]
    halves = [half for half in _halves(seen, catalogue) if any(_scored(seen, pairs, corpus) for corpus in half)]
    if len(halves) < 2:
        return None
    title = f"{seen.metric} as in Figure 3 of the SLICER paper, {seen.role}"
    names = labels.entries([pair.line for pair in pairs])
    first = labels.remarks(seen, chosen.both(pairs), names, len(every), "entries beside standard")
    caption = [*first, *_caption(seen, pairs, halves)]
    sheet = _draw(seen, pairs, halves, title, caption, catalogue)
    return Picture(
        f"{name}-figure-3", sheet.figure, title, " ".join([seen.about + ".", *_told(seen, pairs, halves), *caption])
    )


def _halves(seen: View, catalogue: Catalogue) -> list[list[str]]:
    """The corpora of both halves that the section has, of its first data set."""
    first = datasets(seen.section.corpora)[0]
    known = {
        facts.iso639_3: corpus
        for corpus in seen.section.corpora
        if corpus.partition(":")[0] == first and (facts := labels.facts(catalogue, corpus))
    }
    return [[known[code] for code in half if code in known] for half in (INDO_EUROPEAN, OTHERS)]


def _lines(pairs: Sequence[Pair]) -> list[Line]:
    """What has bars: `standard`, then the others."""
    return [pairs[0].baseline, *(pair.line for pair in pairs)] if pairs else []


def _entries(pairs: Sequence[Pair]) -> list[str]:
    return labels.entries(_lines(pairs))


def _scored(seen: View, pairs: Sequence[Pair], corpus: str) -> bool:
    scores = [row.f1 for line in _lines(pairs) if (row := line.rows.get((corpus, seen.protocol)))]
    return sum(score is not None for score in scores) > 1


def _draw(
    seen: View,
    pairs: Sequence[Pair],
    halves: Sequence[Sequence[str]],
    title: str,
    caption: Sequence[str],
    catalogue: Catalogue,
) -> Sheet:
    lines = _lines(pairs)
    each = max(BAR * len(lines) * 1.35 + BETWEEN, 0.78)
    left, apart = MARGIN + 0.5, 0.35
    width = left + apart + each * sum(map(len, halves)) + MARGIN
    sheet = Sheet(max(width, 7.0), HEIGHT + 1.0, title, seen.about, caption)
    top = max(_height(seen, line, corpus) for line in lines for half in halves for corpus in half)
    for half, heading in zip(halves, ("Indo-European, many resources", "not Indo-European"), strict=True):
        axes = sheet.axes(left, 0.55, each * len(half), HEIGHT)
        axes.set(xlim=(-0.5, len(half) - 0.5), ylim=(0, top * 1.12))
        axes.set_title(heading, size=8.5, loc="left")
        axes.set_xticks(range(len(half)), [labels.language(catalogue, corpus) for corpus in half])
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="y", color=PALE, linewidth=0.6)
        _bars(axes, seen, pairs, half)
        if half is halves[0]:
            axes.set_ylabel(f"{seen.metric}, percent")
        else:
            axes.tick_params(axis="y", left=False, labelleft=False)
        left += each * len(half) + apart
    handles, told = sheet.figure.axes[0].get_legend_handles_labels()
    at = ((MARGIN + 0.5) / sheet.width, 1 - sheet.top / sheet.height)
    sheet.figure.legend(handles, told, loc="upper left", bbox_to_anchor=at, ncols=len(lines), borderpad=0)
    return sheet


def _height(seen: View, line: Line, corpus: str) -> float:
    row = line.rows.get((corpus, seen.protocol))
    return row.f1.mean + (row.f1.std or 0.0) if row and row.f1 else 1.0


def _bars(axes: Axes, seen: View, pairs: Sequence[Pair], half: Sequence[str]) -> None:
    """A bar an entry and language, side by side."""
    lines, found = _lines(pairs), chosen.compared(seen)
    size = 0.8 / len(lines)
    for number, (line, name) in enumerate(zip(lines, short(_entries(pairs)), strict=True)):
        colour, hatch = LOOKS[number]
        face = "white" if hatch else colour
        axes.bar([-9], [0], color=face, edgecolor=colour, hatch=hatch, label=name)
        for at, corpus in enumerate(half):
            row = line.rows.get((corpus, seen.protocol))
            x = at + (number - (len(lines) - 1) / 2) * size
            if row is None or row.f1 is None:
                axes.text(x, 0, "–", ha="center", va="bottom", color=GREY)
                continue
            mean, std = row.f1.mean, row.f1.std or 0.0
            axes.bar([x], [mean], size * 0.92, color=face, edgecolor=colour, hatch=hatch)
            axes.plot([x, x], [max(mean - std, 0.0), mean + std], color=INK, linewidth=0.8)
            dot = "●\n" if number and _supported(seen, found, pairs[number - 1], corpus) else ""
            axes.annotate(
                f"{dot}{mean:.0f}", (x, mean + std), (0, 2), textcoords="offset points", size=6.5, ha="center"
            )


def _supported(seen: View, found: chosen.Found, pair: Pair, corpus: str) -> bool:
    one = chosen.difference(seen, found, pair, corpus)
    return one is not None and one.supported


def _caption(seen: View, pairs: Sequence[Pair], halves: Sequence[Sequence[str]]) -> list[str]:
    found, published = chosen.compared(seen), pairs[0].line.published
    rows = [line.rows.get((corpus, seen.protocol)) for line in _lines(pairs) for half in halves for corpus in half]
    said = {
        SPREAD: True,
        PUBLISHED: published,
        DOTS: bool(found) and not published,
        UNTESTED: not found and not published,
        GAPS: any(row is None or row.f1 is None for row in rows),
    }
    return [text for text, true in said.items() if true]


def _told(seen: View, pairs: Sequence[Pair], halves: Sequence[Sequence[str]]) -> list[str]:
    """The numbers in words."""
    lines = _lines(pairs)
    corpora = [corpus for half in halves for corpus in half]
    told = []
    for name, line in zip(_entries(pairs), lines, strict=True):
        rows = [(corpus, line.rows.get((corpus, seen.protocol))) for corpus in corpora]
        told.append(f"{name}: {', '.join(f'{corpus} {row.f1.mean:.1f}' for corpus, row in rows if row and row.f1)}.")
    return told
