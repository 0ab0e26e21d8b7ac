"""Scores on perturbed test splits, each beside the same entry's score on the regular one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from xner_bench.perturbed import split
from xner_bench.settings import Perturbation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xner_bench.leaderboard.cells import Stat
    from xner_bench.leaderboard.lines import Line, Mean, Row, Section

SPLITS: dict[str, Perturbation] = {split(name): name for name in get_args(Perturbation)}
DRAWN_FROM: dict[Perturbation, str] = {
    "in-language": "the same language",
    "in-script": "the suite's languages of the same script",
    "in-family": "the suite's languages of the same family",
}


def about(name: str) -> str:
    """What a perturbed split is, and what a cell of its table shows."""
    return (
        f"Robustness, split {name}: every entity of the test split is replaced by another of its type from "
        f"{DRAWN_FROM[SPLITS[name]]}. The score there, and by how many percent it is above or below the regular one."
    )


def paired(regular: Iterable[Line], there: Iterable[Line]) -> Iterator[Line]:
    """Lines of a perturbed split, each with that of the same entry on the regular one."""
    by_entry = {_entry(line): line for line in regular}
    return (replace(line, regular=by_entry.get(_entry(line))) for line in there)


def _entry(line: Line) -> tuple[object, ...]:
    return line.published, line.entry_id, line.label, line.encoder, line.profile


def of(section: Section, profile: str) -> list[tuple[str, list[Line]]]:
    """The perturbed splits that some entry was scored on, each with its lines, in the section's order."""
    own = [line for line in section.perturbed if line.profile == profile]
    return [(name, lines) for name in SPLITS if (lines := [line for line in own if line.split == name])]


def mean_change(line: Line, at: tuple[str, str]) -> float | None:
    """By how many percent the mean of a group under a protocol is above the regular one; None where there is none."""
    return _of_scores(line.means.get(at), line.regular.means.get(at)) if line.regular else None


def row_change(line: Line, at: tuple[str, str]) -> float | None:
    """The same of the score of a language."""
    return _of_scores(line.rows.get(at), line.regular.rows.get(at)) if line.regular else None


def _of_scores(there: Row | Mean | None, here: Row | Mean | None) -> float | None:
    return change(there.f1, here.f1) if there and here else None


def change(there: Stat | None, here: Stat | None) -> float | None:
    """By how many percent of the regular score (`here`) a score is above it; None where it is 0 or one is missing."""
    if there is None or here is None or not here.mean:
        return None
    return 100 * (there.mean - here.mean) / here.mean
