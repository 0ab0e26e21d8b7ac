"""Many runs that somebody asked for at once: the grids and studies of a store, as their own files tell of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xner_bench.studies import Trial


@dataclass(frozen=True)
class GridStatus:
    """A grid that was begun."""

    name: str
    run_ids: tuple[str, ...] = ()
    command: str = ""
    asked: str = ""  # when
    study: str | None = None  # whose best settings its runs have
    problem: str = ""  # why it cannot be read; nothing else is known then


@dataclass(frozen=True)
class StudyStatus:
    """A search, and how far it is."""

    name: str
    trials: Mapping[str, int] = field(default_factory=dict)  # state -> draws
    best: float | None = None  # 0 to 1
    drawn: Mapping[str, Any] = field(default_factory=dict)  # by the best
    objective: str = ""
    method: str = ""
    suite: str = ""
    run_ids: tuple[str, ...] = ()
    left: int = 0  # trials that were asked for, have not ended, and that nobody carries out
    command: str = ""  # that asked for them
    problem: str = ""


def grids(results: Path) -> list[GridStatus]:
    """The grids of a store, by id."""
    from xner_bench.drive import folder

    return [_grid(path) for path in sorted(folder(results).glob("[!.]*.json"))]


def _grid(path: Path) -> GridStatus:
    from xner_bench.drive import GridRecord

    try:
        record = GridRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        return GridStatus(path.stem, problem=f"{path}: not the record of a grid ({str(error).splitlines()[0]})")
    return GridStatus(path.stem, record.run_ids, record.command, record.asked, record.study)


def studies(results: Path) -> list[StudyStatus]:
    """The studies of a store, by name. Reads their journals, which takes Optuna."""
    from xner_bench.studies import names

    return [_study(results, name) for name in names(results)]


def _study(results: Path, name: str) -> StudyStatus:
    from xner_bench.studies import JOURNAL, load

    try:
        study = load(results, name)
        journal = study.folder / JOURNAL
        trials = study.trials() if journal.is_file() and b"\n" in journal.read_bytes() else []
    except (XnerError, OSError) as error:
        return StudyStatus(name, problem=str(error))
    best = study.best() if trials else None
    run_ids = (trial.facts.get("run_id") for trial in trials)
    wanted = study.wanted()
    return StudyStatus(
        name,
        trials=dict(Counter(trial.state for trial in trials)),
        best=best.value if best else None,
        drawn=best.drawn if best else {},
        objective=study.definition.objective,
        method=study.definition.base.method,
        suite=study.definition.base.suite,
        run_ids=tuple(str(run_id) for run_id in run_ids if run_id),
        left=_left(trials, min(wanted.trials if wanted else 0, study.definition.room)),
        command=wanted.command if wanted else "",
    )


def _left(trials: Sequence[Trial], wanted: float) -> int:
    open_ones = ("interrupted", "waiting")
    again = sum(one.state in open_ones or (one.state == "failed" and not one.final) for one in trials)
    return again + max(0, int(wanted) - len(trials))


def journal_problem(path: Path) -> tuple[bool, str]:
    """Whether the last line of a study's journal is torn, and what is wrong with the lines before it."""
    *lines, rest = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            json.loads(line)
        except ValueError:
            return bool(rest), f"line {number} is no line of a journal"
    return bool(rest), ""
