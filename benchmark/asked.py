"""What a run was asked for, where its own record is not to be relied on: settings that its id is the hash of."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from xner_bench import drive, identity, studies, undertakings
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xner_bench.catalogue import Catalogue
    from xner_bench.results import Run
    from xner_bench.settings import RunSettings


def settings(run: Run, results: Path, known: Catalogue) -> RunSettings | None:
    """The settings, of a grid or study that has this run, that give the run its id; None where there are none."""
    for candidate in (*_of_grids(run.run_id, results, known), *_of_studies(run.run_id, results)):
        for one in (candidate, _as_carried_out(candidate, run)):
            if identity.numbers_of(run.model_copy(update={"settings": one})) is not None:
                return one
    return None


def _as_carried_out(candidate: RunSettings, run: Run) -> RunSettings:
    """What is settled when a run begins: targets that have data, and the precision that the machine has."""
    training = candidate.training.model_copy(update={"precision": run.settings.training.precision})
    return candidate.model_copy(update={"training": training, "targets": run.settings.targets})


def _of_grids(run_id: str, results: Path, known: Catalogue) -> Iterator[RunSettings]:
    from xner_bench import grid

    for one in undertakings.grids(results):
        if run_id in one.run_ids:
            path = drive.folder(results) / f"{one.name}.json"
            axes = drive.GridRecord.model_validate_json(path.read_bytes()).grid
            with suppress(XnerError):  # a suite or a method that is not here
                yield from grid.expand(known, axes) if axes else ()


def _of_studies(run_id: str, results: Path) -> Iterator[RunSettings]:
    for one in undertakings.studies(results):
        if run_id in one.run_ids:
            study = studies.load(results, one.name)
            for trial in study.trials():
                if trial.facts.get("run_id") == run_id:
                    yield study.definition.settings(trial.drawn)
