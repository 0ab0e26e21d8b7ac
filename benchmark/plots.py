"""Plots of a study: how it went, which settings gave what, what matters. Needs matplotlib."""

from __future__ import annotations

from io import BytesIO
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xner_bench import files
from xner_bench.leaderboard.cells import number, setting
from xner_bench.space import Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from xner_bench.space import Choices
    from xner_bench.studies import Study, Trial

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"  # told apart by everybody (Okabe and Ito)
COLOURS = "viridis"
PANELS = 4  # at most, in one plot


def write(study: Study, importances: Mapping[str, float]) -> dict[str, str]:
    """Write the plots beside the study's journal: file name -> what it shows."""
    trials = study.trials()
    made: dict[str, tuple[Figure, str]] = {}
    if any(trial.value is not None for trial in trials):
        made["history.png"] = history(trials), "F1 by trial, and the best so far"
        made["settings.png"] = settings(study, trials), "F1 by settings; the best is ringed, crosses were pruned"
    if importances:
        made["importances.png"] = shares(importances), "What matters: share of each field"
    for name, (figure, _) in made.items():
        picture = BytesIO()
        figure.savefig(picture, dpi=150, format="png", metadata={"Software": None})  # the same bytes for the same data
        files.write_atomically(study.folder / name, picture.getvalue())
    return {name: about for name, (_, about) in made.items()}


def history(trials: Sequence[Trial]) -> Figure:
    """Score by trial."""
    figure, [axes] = _figure(7, 3.6)
    for state, marker, label in (("complete", "o", "complete"), ("pruned", "x", "pruned, at its last epoch")):
        shown = [trial for trial in trials if trial.state == state and trial.value is not None]
        if shown:
            axes.scatter(*_points(shown), marker=marker, color=BLUE if state == "complete" else GREY, label=label)
    complete = [trial for trial in trials if trial.state == "complete"]
    if complete:
        draws, scores = _points(complete)
        axes.step(draws, list(accumulate(scores, max)), where="post", color=ORANGE, label="best so far")
    if failed := [trial.draw for trial in trials if trial.state == "failed"]:
        axes.plot(failed, [0.02] * len(failed), "v", color=ORANGE, transform=axes.get_xaxis_transform(), label="failed")
    axes.set(xlabel="trial", ylabel="F1, percent", xlim=(0.5, max(trial.draw for trial in trials) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=4, frameon=False)
    return figure


def _points(trials: Sequence[Trial]) -> tuple[list[int], list[float]]:
    return [trial.draw for trial in trials], [100 * (trial.value or 0.0) for trial in trials]


def settings(study: Study, trials: Sequence[Trial]) -> Figure:
    """The learning rate (or the first field) against every other one, the score as colour; of one field, the score."""
    space = study.definition.space
    across = "lr" if "lr" in space else next(iter(space))
    others = [name for name in space if name != across][:PANELS]
    ups: list[str | None] = [*others] or [None]
    figure, panels = _figure(7 if len(others) < 2 else 11, 4.2 * ((len(ups) + 1) // 2), len(ups))
    scored = sorted((trial for trial in trials if trial.value is not None), key=lambda trial: trial.value or 0.0)
    for axes, up in zip(panels, ups, strict=True):
        _axis(axes, "x", across, space[across])
        if up is None:
            axes.set_ylabel("F1, percent")
        else:
            _axis(axes, "y", up, space[up])
        _scatter(figure, axes, study, scored, across, up)
    return figure


def _scatter(figure: Figure, axes: Axes, study: Study, scored: Sequence[Trial], across: str, up: str | None) -> None:
    space, best = study.definition.space, study.best()
    low, high = (100 * (scored[at].value or 0.0) for at in (0, -1))

    def place(shown: Sequence[Trial]) -> tuple[list[Any], list[Any], list[float]]:
        score = _points(shown)[1]
        x = [_place(space[across], trial.drawn[across]) for trial in shown]
        return x, [_place(space[up], trial.drawn[up]) for trial in shown] if up else score, score

    points = None
    for state, marker, size in (("pruned", "X", 45), ("complete", "o", 70)):
        if shown := [trial for trial in scored if trial.state == state]:
            x, y, score = place(shown)
            colour: dict[str, Any] = {"c": score, "cmap": COLOURS, "vmin": low, "vmax": high}
            points = axes.scatter(x, y, marker=marker, s=size, edgecolors="white", linewidths=0.7, **colour)
    if best:
        x, y, _ = place([best])
        axes.scatter(x, y, s=220, facecolors="none", edgecolors=ORANGE, linewidths=2)
    if points is not None and up:
        figure.colorbar(points, ax=axes, label="F1, percent")


def _axis(axes: Axes, which: str, name: str, choices: Range | Choices) -> None:
    """Name and scale of an axis; values that are no range stand at equal distances."""
    axis: Any = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}label")(name)
    if not isinstance(choices, Range):
        axis.set_ticks(range(len(choices)), [setting(value) for value in _sorted(choices)])
        getattr(axes, f"set_{which}lim")(-0.5, len(choices) - 0.5)
    elif choices.log:
        getattr(axes, f"set_{which}scale")("log")
        axis.set_ticks(_ticks(choices), [number(tick) for tick in _ticks(choices)])
        axis.set_ticks([], minor=True)


def _ticks(choices: Range) -> list[float]:
    """1, 2 and 5 of every power of ten in a range, thinned where they are many."""
    powers = range(-12, 13)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        inside = [tick for tick in ticks if choices.low * 0.999 <= tick <= choices.high * 1.001]
        if len(inside) <= 6:
            break
    return inside if len(inside) > 1 else [choices.low, choices.high]


def _place(choices: Range | Choices, value: Any) -> Any:
    return value if isinstance(choices, Range) else _sorted(choices).index(value)


def _sorted(choices: Choices) -> list[Any]:
    """Numbers from the lowest; anything else as it was given."""
    if all(isinstance(value, int | float) for value in choices):
        return sorted(choices, key=lambda value: float(value or 0))
    return list(choices)


def shares(importances: Mapping[str, float]) -> Figure:
    """Importance of each field, the largest on top."""
    figure, [axes] = _figure(7, 1.2 + 0.45 * len(importances))
    names = list(importances)[::-1]
    bars = axes.barh(names, [importances[name] for name in names], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=4)
    axes.set(xlabel="share", xlim=(0, 1.1))
    axes.grid(visible=False, axis="y")
    return figure


def _figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, two in a row, without frames."""
    figure = Figure(figsize=(width, height), layout="constrained")
    columns = min(2, panels)
    grid = figure.subplots(-(-panels // columns), columns, squeeze=False).flatten()
    for axes in grid[panels:]:
        axes.remove()
    for axes in grid[:panels]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e5e5e5")
        axes.set_axisbelow(True)
    return figure, list(grid[:panels])
