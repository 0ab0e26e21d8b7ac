"""The runs of a grid: which are done, which are to do, what they may cost, and how they end.

`<results>/grids/<grid>.json` says which runs a grid is made of, before the first of them begins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from xner_bench import files, grid, survey
from xner_bench.encoder import MINI
from xner_bench.errors import XnerError
from xner_bench.grid import Grid
from xner_bench.jobs import Job, Outcome
from xner_bench.leaderboard.cells import setting
from xner_bench.leaderboard.entries import method_label
from xner_bench.results import Run, Store, cannot_write
from xner_bench.settings import Execution, RunSettings, Training, digest
from xner_bench.sources import brief
from xner_bench.watch import SILENT, Watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from xner_bench.jobs import Board, Executor
    from xner_bench.survey import Phase
    from xner_bench.watch import Advance

LOOKED_AT = 300  # finished runs of a suite, to tell what one costs


class GridRecord(BaseModel):
    """Which runs a grid is made of, and how it was asked for; written again whenever it is. Read by `undertakings`."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    grid_id: str
    grid: Grid | None = None
    study: str | None = None  # whose best settings these are
    run_ids: tuple[str, ...]
    command: str = ""
    asked: str  # when, in UTC


@dataclass(frozen=True)
class Planned:
    """One run of a grid before it begins."""

    label: str  # what tells it from the others: "slicer h=8 lr=1e-5"
    settings: RunSettings
    run_id: str
    entry_id: str
    found: Run | None = None  # what the store has of it
    phase: Phase | None = None
    stands: bool = False  # nothing is to be done
    cost: float | None = None  # seconds that it took, or that others like it took

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.label} seed {self.settings.seed}"


def look(every: Sequence[RunSettings], execution: Execution, watch: Watch = SILENT) -> list[Planned]:
    """See how far each run is, and that each can begin; XnerError names what is in the way. Runs that turn out to be
    one and the same on this machine (precision auto, and what it stands for) are one."""
    from xner_bench import plan
    from xner_bench.run import stands

    store, quiet = Store(execution.results), Once(watch)
    found: dict[str, Planned] = {}
    with watch.stage("checking runs", len(every)) as advance:
        for label, settings in zip(labels(every), every, strict=True):
            ready = plan.make(settings, execution, quiet)
            before = store.find(ready.run_id)
            phase = survey.phase(store, before) if before else None
            left = before is not None and stands(before, ready)
            found.setdefault(ready.run_id, Planned(label, settings, ready.run_id, ready.entry_id, before, phase, left))
            advance(1)
    return with_costs(list(found.values()), store)


def look_there(
    every: Sequence[RunSettings], execution: Execution, executor: Executor, watch: Watch = SILENT
) -> list[Planned]:
    """The same as a job of an executor: its machines may compute on what this one has not, in another arithmetic."""
    watch.note("checking the runs where they will be carried out")
    (outcome,) = executor.carry_out([Job("checking runs", look, (every, execution))], Onlooker(watch))
    if outcome.traceback:
        raise RuntimeError(outcome.traceback)
    if outcome.error:
        raise XnerError(outcome.error)
    found: list[Planned] = outcome.value
    return found


class Onlooker:
    """A board that shows a job on a watch, and nothing else."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def begin(self, jobs: Sequence[Job]) -> None:
        pass

    def started(self, index: int, attempt: int) -> None:
        pass

    def watch(self, index: int) -> Watch:
        return self._watch

    def ended(self, outcome: Outcome) -> None:
        pass

    def end(self) -> None:
        pass


class Once(Watch):
    """Passes notes on, each once, as plans of many runs say the same; and stages only where they are wanted."""

    def __init__(self, watch: Watch, stages: bool = False) -> None:
        self._watch = watch
        self._stages = watch if stages else SILENT
        self._said: set[str] = set()

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        return self._stages.stage(name, total)

    def note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._watch.note(text)


def labels(every: Sequence[RunSettings]) -> list[str]:
    """What tells runs apart but for the seed: method, options that say something, and whatever else varies."""
    varying = {
        "options": _varying(dict(settings.options, method=settings.method) for settings in every),
        "training": _varying(settings.training.model_dump() for settings in every),
        "others": _varying(settings.model_dump(include={"suite", "encoder", "source"}) for settings in every),
    }
    return [_label(settings, **varying) for settings in every]


def _label(settings: RunSettings, options: set[str], training: set[str], others: set[str]) -> str:
    shown = [
        f"{name}={setting(getattr(settings.training, name))}" for name in Training.model_fields if name in training
    ]
    places = {"suite": settings.suite, "encoder": settings.encoder, "source": brief(settings.source)}
    shown += [text for name, text in places.items() if name in others]
    return " ".join((method_label(settings, options), *shown))


def _varying(every: Iterable[dict[str, Any]]) -> set[str]:
    """Keys that have more than one value."""
    seen: dict[str, set[str]] = {}
    for one in every:
        for name, value in one.items():
            seen.setdefault(name, set()).add(json.dumps(value))
    return {name for name, values in seen.items() if len(values) > 1}


def with_costs(planned: list[Planned], store: Store) -> list[Planned]:
    """What each took, or may take: as its own entry did, else as runs with this suite, encoder, source, epochs."""
    done = {one.run_id: one.found for one in planned if one.found and one.found.state == "done"}
    suites = dict.fromkeys(one.settings.suite for one in planned)
    done |= {run.run_id: run for suite in suites for run in _finished(store, suite)}
    entries: dict[object, list[float]] = {}
    for run in done.values():
        for key in (run.entry_id, _kind(run.settings)):
            entries.setdefault(key, []).append(survey.took(run))

    def cost(one: Planned) -> float | None:
        if one.run_id in done:
            return survey.took(done[one.run_id])
        known = entries.get(one.entry_id) or entries.get(_kind(one.settings))
        return sum(known) / len(known) if known else None

    return [replace(one, cost=cost(one)) for one in planned]


def _kind(settings: RunSettings) -> tuple[object, ...]:
    return settings.suite, settings.encoder, settings.source, settings.training.epochs


def _finished(store: Store, suite: str) -> Iterator[Run]:
    records = survey.read_all(survey.paths(store, f"*-{suite}-s*")[:LOOKED_AT])
    return (run for run in records.runs if run.state == "done" and run.seconds)


def carry_out(planned: Sequence[Planned], execution: Execution, executor: Executor, board: Board) -> list[Outcome]:
    """Do what is missing; outcomes in the order of the runs. One that is there already took no attempt.

    What failed is an outcome with an error, and stops nothing else. Runs that another command has under way come last.
    """
    store = Store(execution.results)
    missing = [index for index, one in enumerate(planned) if not one.stands]
    outcomes = {index: _found(index, one) for index, one in enumerate(planned) if one.stands}
    jobs = [_job(planned[index], execution, store) for index in missing]
    for outcome in executor.carry_out(jobs, board) if jobs else ():
        index = missing[outcome.index]
        outcomes[index] = replace(outcome, index=index)
    return [outcomes[index] for index in range(len(planned))]


def _job(one: Planned, execution: Execution, store: Store) -> Job:
    return Job(one.name, one_run, (one.settings, execution), partial(store.held, one.run_id))


def one_run(settings: RunSettings, execution: Execution, watch: Watch = SILENT) -> Run:
    """The job: a run whose result counts. One that diverged has none: an error here. None waits for another."""
    from xner_bench.run import run

    done = run(settings, execution, watch, wait=False)
    if done.state != "done":
        raise XnerError(_problem(done))
    return done


def as_done(planned: Sequence[Planned], outcomes: Sequence[Outcome]) -> list[Planned]:
    """The runs under the ids that they got where they were carried out: on other hardware they may be other runs."""
    return [
        replace(one, run_id=outcome.value.run_id, entry_id=outcome.value.entry_id) if outcome.value else one
        for one, outcome in zip(planned, outcomes, strict=True)
    ]


def _found(index: int, one: Planned) -> Outcome:
    """The outcome of a run that is left as it is."""
    assert one.found
    error = None if one.found.state == "done" else _problem(one.found)
    return Outcome(index, one.found, error, attempts=0)


def _problem(run: Run) -> str:
    return f"{run.state}: {run.error}" if run.error else run.state


def record(
    planned: Sequence[Planned],
    execution: Execution,
    asked: Grid | None = None,
    command: str = "",
    study: str | None = None,
) -> GridRecord:
    """Write down which runs belong together, before they begin."""
    run_ids = tuple(dict.fromkeys(one.run_id for one in planned))
    name = grid.name(asked) if asked else digest(sorted(run_ids))[:12]
    made = GridRecord(
        grid_id=name, grid=asked, study=study, run_ids=run_ids, command=command, asked=datetime.now(UTC).isoformat()
    )
    path = folder(execution.results) / f"{name}.json"
    text = json.dumps(made.model_dump(mode="json"), indent=1, ensure_ascii=False)
    try:
        files.write_atomically(path, (text + "\n").encode("utf-8", "replace"))
    except OSError as error:
        raise cannot_write(path, error) from error
    return made


def folder(results: Path) -> Path:
    """Where the grids of a store are written down."""
    return results / "grids"


def anywhere(execution: Execution) -> Execution:
    """The same places, named so that another process, in another folder, finds them."""
    return execution.model_copy(
        update={
            "results": execution.results.absolute(),
            "data_root": execution.data_root and execution.data_root.absolute(),
            "catalogue": tuple(path.absolute() for path in execution.catalogue),
            "cache": execution.cache.absolute(),
        }
    )


def encoder_anywhere(settings: RunSettings) -> RunSettings:
    """The same for an encoder that is a folder here; its contents, not its place, are what a run is known by."""
    if settings.encoder == MINI:
        return settings
    encoder = Path(settings.encoder).expanduser()
    return settings.model_copy(update={"encoder": str(encoder.absolute())}) if encoder.is_dir() else settings
