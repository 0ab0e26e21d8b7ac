"""Picture: the mean of every entry on every group of targets, with an interval, and the papers' means beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xner_bench.leaderboard import differences
from xner_bench.leaderboard.pictures import chosen, labels
from xner_bench.leaderboard.pictures.canvas import (
    BLUE,
    GREY,
    INK,
    MARGIN,
    PALE,
    Picture,
    Sheet,
    fitting,
    readable,
    short,
    widest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from xner_bench.leaderboard.groups import Group
    from xner_bench.leaderboard.lines import Line
    from xner_bench.leaderboard.pictures.chosen import Found, View

PANEL, GAP, ROW = 2.3, 0.55, 0.2
MOST_GROUPS = 6
TESTED = (
    "Blue lines: 95 % interval of the difference from {baseline}, drawn around the entry's mean: where one crosses the "
    "dashed line, the data does not tell the two apart. Bold: supported, that is p < 0.05 after Holm's correction, and "
    "an interval that leaves out 0, corrected for the number of groups, too."
)
SPREAD = "Grey lines: mean ± sample standard deviation over seeds; not tested."
PUBLISHED = "Hollow: a paper's own number, whose ± is not that of a mean and is left out."
PARTIAL = "12/24: only so many of a group's targets have a score, so that there is no mean."
MISSING = "No entry has all targets of: {groups}."


class Mark(NamedTuple):
    """An entry's mean on a group: where it stands, and its interval."""

    mean: float
    low: float
    high: float
    tested: bool = False  # an interval of the difference from the baseline, and not a spread over seeds
    supported: bool = False


def picture(seen: View, name: str) -> Picture | None:
    """The means of a profile; None where no entry has one."""
    every = seen.lines
    lines = chosen.few(every)
    groups = _groups(seen, lines)
    if not groups:
        return None
    found = chosen.compared(seen)
    marks = [[_mark(seen, found, line, group) for line in lines] for group in groups]
    title = f"{seen.metric} by group of targets, {seen.role}"
    caption = _caption(seen, lines, marks, len(every))
    left = MARGIN + widest(short(labels.entries(lines))) + 0.15
    panel = max(PANEL, (6.5 - left) / len(groups) - GAP)
    width = left + len(groups) * (panel + GAP)
    sheet = Sheet(width, 0.25 + ROW * len(lines) + 0.6, title, seen.about, caption)
    for at, (group, column) in enumerate(zip(groups, marks, strict=True)):
        axes = sheet.axes(left + at * (panel + GAP), 0.25, panel, ROW * len(lines))
        _panel(axes, seen, group, lines, column)
        if at == 0:
            axes.set_yticks(range(len(lines)), short(labels.entries(lines)))
    told = " ".join([seen.about + ".", _told(seen, groups, lines), *caption])
    return Picture(f"{name}-groups", sheet.figure, title, told)


def _groups(seen: View, lines: Sequence[Line]) -> list[Group]:
    """Groups of which an entry has a mean, each once; of many the first, and the total."""
    found: dict[tuple[str, ...], Group] = {}
    for group in seen.section.groups:
        if any(_f1(seen, line, group) is not None for line in lines):
            found.setdefault(group.corpora, group)
    groups = list(found.values())
    return groups if len(groups) <= MOST_GROUPS else [*groups[: MOST_GROUPS - 1], groups[-1]]


def _f1(seen: View, line: Line, group: Group) -> float | None:
    mean = line.means.get((group.name, seen.protocol))
    return mean.f1.mean if mean and mean.f1 else None


def _mark(seen: View, found: Found, line: Line, group: Group) -> Mark | None:
    """The mean with the interval of its difference from the baseline, else with its spread over seeds."""
    score = line.means.get((group.name, seen.protocol))
    if score is None or score.f1 is None:
        return None
    mean, std = score.f1.mean, score.f1.std or 0.0
    if line.published or (found and line.entry_id == _baseline(seen)):
        return Mark(mean, mean, mean)
    one = found.get((line.entry_id, _baseline(seen), group.name))
    if one:
        return Mark(mean, mean + one.low - one.difference, mean + one.high - one.difference, True, one.supported)
    return Mark(mean, mean - std, mean + std)


def _baseline(seen: View) -> str:
    evidence = seen.section.evidence
    return evidence.baseline.get(seen.profile, "") if evidence else ""


def _panel(axes: Axes, seen: View, group: Group, lines: Sequence[Line], marks: Sequence[Mark | None]) -> None:
    axes.set(ylim=(len(lines) - 0.5, -0.5), xlim=_limits(marks))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    heading = fitting(readable(f"{group.name} ({len(group.corpora)})"), PANEL + GAP - 0.1, 8.5)
    axes.set_title(heading, size=8.5, loc="left", pad=8)
    axes.set_xlabel(f"{seen.metric}, percent")
    for at, (line, mark) in enumerate(zip(lines, marks, strict=True)):
        if mark is None:
            _partial(axes, seen, group, line, at)
            continue
        if line.entry_id == _baseline(seen) and any(one and one.tested for one in marks):
            axes.axvline(mark.mean, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
        _dot(axes, line, mark, at)


def _limits(marks: Sequence[Mark | None]) -> tuple[float, float]:
    """From the lowest end to the highest, with some room; at least two points."""
    ends = [end for mark in marks if mark for end in (mark.low, mark.high)]
    low, high = min(ends), max(ends)
    room = max(0.08 * (high - low), 1.0 - (high - low) / 2, 0.1)
    return low - room, high + room


def _dot(axes: Axes, line: Line, mark: Mark, at: int) -> None:
    standard = line.method == differences.BASELINE
    edge = GREY if line.published else INK if standard else BLUE
    axes.plot(
        [mark.low, mark.high], [at, at], color=BLUE if mark.tested else GREY, linewidth=1.6 if mark.tested else 0.9
    )
    face = "white" if line.published else edge
    axes.plot([mark.mean], [at], "s" if standard else "o", color=edge, markerfacecolor=face, markersize=5, zorder=3)
    _beside(axes, at, f"{mark.mean:.1f}", "bold" if mark.supported else "normal")


def _partial(axes: Axes, seen: View, group: Group, line: Line, at: int) -> None:
    mean = line.means.get((group.name, seen.protocol))
    text = f"{mean.scored}/{mean.size}" if mean and not line.published else "–"
    _beside(axes, at, text)


def _beside(axes: Axes, at: int, text: str, weight: str = "normal") -> None:
    place, colour = axes.get_yaxis_transform(), INK if weight == "bold" else GREY
    axes.text(1.02, at, text, transform=place, size=7, va="center_baseline", color=colour, weight=weight)


def _caption(seen: View, lines: Sequence[Line], marks: Sequence[Sequence[Mark | None]], every: int) -> list[str]:
    own = [mark for column in marks for line, mark in zip(lines, column, strict=True) if mark and not line.published]
    label = next((line.label for line in lines if line.entry_id and line.entry_id == _baseline(seen)), "standard")
    partial = any(not mark and not line.published for column in marks for line, mark in zip(lines, column, strict=True))
    empty = [group.name for group in seen.section.groups if all(_f1(seen, line, group) is None for line in lines)]
    said = {
        "Squares: standard; dots: other methods.": any(line.method == differences.BASELINE for line in lines),
        TESTED.format(baseline=label): any(mark.tested for mark in own),
        SPREAD: any(not mark.tested and mark.low < mark.high for mark in own),
        PUBLISHED: any(line.published for line in lines),
        PARTIAL: partial,
        MISSING.format(groups=", ".join(empty)): bool(empty) and any(not line.published for line in lines),
    }
    first = labels.remarks(seen, lines, labels.entries(lines), every)
    return [*first, *(text for text, true in said.items() if true)]


def _told(seen: View, groups: Sequence[Group], lines: Sequence[Line]) -> str:
    """The means in words."""
    return " ".join(
        f"{group.name}: " + ", ".join(f"{name} {value:.1f}" for name, value in _values(seen, group, lines)) + "."
        for group in groups
    )


def _values(seen: View, group: Group, lines: Sequence[Line]) -> list[tuple[str, float]]:
    scores = [_f1(seen, line, group) for line in lines]
    return [(name, score) for name, score in zip(labels.entries(lines), scores, strict=True) if score is not None]
