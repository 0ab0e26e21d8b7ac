"""Studies: searches that are kept, so that they go on after any kill and several processes can work on one.

<results>/studies/<name>/
    study.json       what is searched, how and for what; written once
    journal.jsonl    the trials, one line an operation, see `journal`
    wanted.json      how many trials are wanted, and the command that wants them
    report.md        see `report`

A draw is a choice of settings, a trial a try of it. A trial whose process was killed has a successor with the same
draw, see `turns`; the latest trial of a draw is the one that counts.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from xner_bench import draws, files, registry, space
from xner_bench.errors import UnknownName, XnerError
from xner_bench.leaderboard.cells import setting
from xner_bench.results import cannot_write
from xner_bench.settings import LATER, RunSettings, Training, digest
from xner_bench.settle import complaint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optuna import Study as Asked
    from optuna.trial import FrozenTrial

SCHEMA = 1  # of study.json
DEFINITION, JOURNAL, WANTED = "study.json", "journal.jsonl", "wanted.json"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
PLACE = ("encoder", "encoder_revision")  # where the encoder lies; which one it is, `inputs` says
ZERO_SHOT, ORACLE = "source-dev", "oracle:"  # objectives; the first looks at no target, the others at one

# Of a trial; `interrupted` is one that runs by the journal, and whose process is gone.
State = Literal["complete", "pruned", "failed", "running", "interrupted", "waiting"]
STATES: dict[str, State] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


class Definition(BaseModel):
    """study.json: what is searched, how and for what. Only searches that agree in all of it are one study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA
    base: RunSettings  # of every trial, but for the searched fields
    space: space.Space
    objective: str = ZERO_SHOT  # or oracle:<data set>:<language>
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    pruner: Literal["none", "median", "hyperband"] = "median"
    seed: int = 0  # of the sampler
    inputs: str  # hash of encoder and data: scores on other ones could not be compared

    @property
    def zero_shot(self) -> bool:
        return self.objective == ZERO_SHOT

    @property
    def room(self) -> float:
        """How many draws there can be."""
        return space.size(self.space, self.sampler == "grid")

    @property
    def epochs(self) -> int:
        """Of the longest run."""
        if "epochs" in self.space:
            return max(int(value or 0) for value in space.values(self.space["epochs"]))
        return self.base.training.epochs

    def settings(self, drawn: dict[str, Any]) -> RunSettings:
        """The run that a draw asks for."""
        return with_values(self.base, drawn)


def with_values(base: RunSettings, values: dict[str, Any]) -> RunSettings:
    """Settings with other values for some fields of training and of the method; XnerError for values that cannot be."""
    training = {name: value for name, value in values.items() if name in Training.model_fields}
    options = {name: value for name, value in values.items() if name not in training}
    whole = base.model_dump()
    changed = {"training": {**whole["training"], **training}, "options": {**whole["options"], **options}}
    try:
        return RunSettings.model_validate({**whole, **changed})
    except ValidationError as error:
        raise XnerError("; ".join(complaint(problem) for problem in error.errors())) from error


class Trial(NamedTuple):
    """A draw, and how far it has come: what its latest trial says."""

    draw: int  # from 1
    state: State
    drawn: dict[str, Any]
    value: float | None  # 0 to 1; of a pruned one the last that was seen
    epochs: dict[int, float]  # epoch -> F1 of the source's dev split
    facts: dict[str, Any]  # run_id, seconds, found, error, ... as far as they are known

    @property
    def error(self) -> str:
        """Why it failed."""
        return str(self.facts.get("error", "its process was killed")) if self.state == "failed" else ""

    @property
    def final(self) -> bool:
        """Whether it would fail again."""
        return bool(self.facts.get("final"))


class Wanted(BaseModel):
    """wanted.json: what was asked for last, and how; written again whenever it is."""

    model_config = ConfigDict(frozen=True)

    trials: int  # in all
    command: str


@dataclass(frozen=True)
class Study:
    """A study of the store."""

    folder: Path
    definition: Definition

    @property
    def name(self) -> str:
        return self.folder.name

    def trials(self) -> list[Trial]:
        """All draws so far, by number."""
        return [self._trial(latest) for latest in self.latest()]

    def best(self) -> Trial | None:
        """The complete trial with the highest value, the earlier of two equal ones."""
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        return max(complete, key=lambda trial: trial.value or 0.0, default=None)

    def latest(self) -> list[FrozenTrial]:
        """The latest trial of every draw, by draw."""
        found = {trial.user_attrs["draw"]: trial for trial in self.every()}
        return [found[draw] for draw in sorted(found)]

    def every(self) -> list[FrozenTrial]:
        """Every trial, by Optuna's number."""
        return self.asked.get_trials(deepcopy=False)

    def _trial(self, latest: FrozenTrial) -> Trial:
        """A draw, as its latest trial tells of it."""
        unheld = latest.state.name == "RUNNING" and not held(self.folder, latest.number)
        if unheld:  # it was killed, unless it has ended since it was read
            latest = self.every()[latest.number]
        state = STATES[latest.state.name]
        facts = dict(latest.user_attrs)
        return Trial(
            draw=facts.pop("draw") + 1,
            state="interrupted" if unheld and state == "running" else state,
            drawn=latest.system_attrs["fixed_params"],
            value=latest.value if state in ("complete", "pruned") else None,
            epochs=dict(latest.intermediate_values),
            facts=facts,
        )

    def wanted(self) -> Wanted | None:
        """What was asked for last; None where nobody knows."""
        try:
            return Wanted.model_validate_json((self.folder / WANTED).read_bytes())
        except (OSError, ValueError):
            return None

    def want(self, trials: int, command: str) -> None:
        """Write down what is asked for, before the first trial begins."""
        wanted = Wanted(trials=trials, command=command)
        path = self.folder / WANTED
        try:
            files.write_atomically(path, (wanted.model_dump_json(indent=1) + "\n").encode("utf-8", "replace"))
        except OSError as error:
            raise cannot_write(path, error) from error

    @cached_property
    def asked(self) -> Asked:
        """The study as Optuna has it."""
        from optuna import create_study, load_study
        from optuna.storages import JournalStorage

        from xner_bench.journal import Journal

        how: dict[str, Any] = {
            "study_name": "trials",
            "storage": JournalStorage(Journal(self.folder / JOURNAL)),
            "sampler": draws.sampler("random", 0),  # of no consequence: every trial is drawn before it is asked for
            "pruner": draws.pruner(self.definition.pruner, self.definition.epochs),
        }
        with suppress(KeyError):
            return load_study(**how)
        return create_study(direction="maximize", load_if_exists=True, **how)


def holder(folder: Path, number: int) -> Path:
    """The lock of whoever carries out a trial."""
    return folder / f".trial-{number}.lock"


def held(folder: Path, number: int) -> bool:
    """Whether some process carries out a trial at this moment."""
    return files.held(holder(folder, number))


def usual_name(definition: Definition) -> str:
    """What a study is called that nobody gave a name: the same for the same definition, wherever the encoder lies."""
    base = definition.base
    usual = {name for name in LATER if getattr(base, name) == RunSettings.model_fields[name].get_default()}
    known = definition.model_dump(mode="json", exclude={"base": {*PLACE, *usual, "elsewhere"}})
    method = definition.base.method.replace(registry.PLUS, "-")
    return f"{method}-{definition.base.suite}-{digest(known)[:8]}"


def create(results: Path, name: str, definition: Definition) -> Study:
    """A study of this name: a new one, or the one that is there, which must be defined alike.

    Its encoder is where `definition` has it: that may be another folder than it was.
    """
    place = folder(results, name)
    with turn(place):
        if not (place / DEFINITION).is_file():
            text = json.dumps(definition.model_dump(mode="json"), indent=1, ensure_ascii=False)  # in the fields' order
            files.write_atomically(place / DEFINITION, (text + "\n").encode())
    study = load(results, name)
    if different := list(_differences(definition, study.definition)):
        raise XnerError(
            f"study {name!r} is there already, with other settings: {'; '.join(different)}; "
            "choose another --study NAME, or ask for the same"
        )
    now = {name: getattr(definition.base, name) for name in PLACE}
    base = study.definition.base.model_copy(update=now)
    return replace(study, definition=study.definition.model_copy(update={"base": base}))


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Have a study to oneself for a moment."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".turn.lock"):
            yield
    except OSError as error:
        raise cannot_write(folder, error) from error


def load(results: Path, name: str) -> Study:
    """A study of the store; UnknownName where there is none of that name."""
    path = folder(results, name) / DEFINITION
    if not path.is_file():
        raise UnknownName("study", name, names(results), f"in {results}")
    try:
        record = json.loads(path.read_bytes())
        version = record.get("schema_version") if isinstance(record, dict) else None
        if version != SCHEMA:
            raise XnerError(
                f"{path}: written with schema {version}, this version reads {SCHEMA}; use the one that wrote it"
            )
        return Study(path.parent, Definition.model_validate(record))
    except (ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise XnerError(
            f"{path}: not the definition of a study ({first}); move {path.parent} away: the runs of its trials stay"
        ) from error


def names(results: Path) -> list[str]:
    """The studies of a store."""
    folders = (path.parent.name for path in (results / "studies").glob(f"*/{DEFINITION}"))
    return sorted(name for name in folders if is_name(name))


def is_name(name: str) -> bool:
    """Whether a study may be called so. A folder of another name is none: somebody moved it out of the way."""
    return NAME.fullmatch(name) is not None


def folder(results: Path, name: str) -> Path:
    """Where a study of this name is kept."""
    if not is_name(name):
        raise XnerError(f"{name!r} is no name for a study; take letters, digits, hyphens, dots and underscores")
    return results / "studies" / name


def _differences(asked: Definition, there: Definition) -> Iterator[str]:
    """What another definition says otherwise: "sampler is random in the study, tpe here"."""
    ours, theirs = _flat(asked), _flat(there)
    moved = PLACE if asked.inputs == there.inputs else ()
    for field in dict.fromkeys((*ours, *theirs)):
        if ours.get(field) != theirs.get(field) and field not in moved:
            if field == "inputs":
                yield "another encoder or other data"
            else:
                said, asked_for = (_in_words(one.get(field, "nothing")) for one in (theirs, ours))
                yield f"{field} is {said} in the study, {asked_for} here"


def _flat(definition: Definition) -> dict[str, Any]:
    """The fields of a definition under the names that people know them by; searched ones have what they may be."""
    record = definition.model_dump(mode="json", exclude={"space": True, "base": {"harmonize"}})
    base = record.pop("base")
    seeds = {"sampler seed": record["seed"], "seed": base["seed"]}
    training, options = base.pop("training"), base.pop("options")
    return {**record, **base, **training, **options, **definition.space, **seeds}


def _in_words(value: Any) -> str:
    if isinstance(value, space.Range):
        return space.extent(value, whole=True)
    return space.extent(tuple(value)) or "none" if isinstance(value, tuple | list) else setting(value)
