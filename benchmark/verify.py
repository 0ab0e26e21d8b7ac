"""Every file of a store held against what it should be. Reads only; `repair.py` mends.

A run that some process carries out at the moment is left alone: its files are still to come.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Literal

from xner_bench import agreement, drive, identity, sound, spans, studies, survey, undertakings, whole
from xner_bench.errors import XnerError
from xner_bench.results import FEW_SHOT_PREDICTIONS, HISTORY, PREDICTIONS, SAMPLES, SCORES, SENTENCE_COUNTS, read_run
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xner_bench.results import Run, Store
    from xner_bench.watch import Watch

# damaged: not what was written. missing: not there. contradiction: whole, but of two files one must be wrong.
# misplaced: in another folder than its own. other version: not for this one to read. unreadable: we may not read it, so
# that nothing can be said of it. left over: of no use, no harm.
Kind = Literal["damaged", "missing", "contradiction", "misplaced", "other version", "unreadable", "left over"]
Remedy = Literal["set aside", "remove", "move", "mend"]

TABLES = {"scores": SCORES, "predictions": PREDICTIONS, "history": HISTORY}
FEW_SHOT = {"few_shot": SAMPLES, "few_shot_predictions": FEW_SHOT_PREDICTIONS}  # of runs that were asked for it
ORPHANS = {"orphans": PREDICTIONS, "few_shot_orphans": FEW_SHOT_PREDICTIONS}
LATER = {"sentence_counts": SENTENCE_COUNTS, **ORPHANS}  # early runs have none
# File, what finds its contradictions, and what that takes: tables, and the parts of selection.json.
CHECKS: Sequence[tuple[str, Callable[..., Iterator[str]], Sequence[str]]] = (
    ("scores.parquet", agreement.scores, ("scores", "selection")),
    ("predictions.parquet", spans.predictions, ("predictions", "scores")),
    ("orphans.parquet", spans.orphans, ("orphans", "predictions", "scores")),
    ("sentence_counts.parquet", agreement.sentence_counts, ("sentence_counts", "scores")),
    ("few_shot.parquet", agreement.samples, ("few_shot",)),
    ("few_shot_predictions.parquet", spans.predictions, ("few_shot_predictions", "scores")),
    ("few_shot_orphans.parquet", spans.orphans, ("few_shot_orphans", "few_shot_predictions", "scores")),
    ("history.parquet", agreement.history, ("history", "dev")),
    ("selection.json", agreement.selection, ("dev", "selection")),
)
ASIDE = ".damaged"  # the end of the name of whatever was set aside
TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}|\..+\.part|\.probe-\d+")  # of files.py, whole.py, export.py, Store.probe
PATIENCE = 3600.0  # seconds; a temporary file outside of a run's folder that is older belongs to nobody any more


@dataclass(frozen=True)
class Finding:
    """Something in a store that is not as it should be."""

    kind: Kind
    path: Path
    problem: str
    run: Run | None = None
    remedy: Remedy | None = None  # what can be done without losing anything

    @property
    def grave(self) -> bool:
        """Whether a result is not there, or not to be trusted."""
        return self.kind != "left over"


def check(store: Store, watch: Watch = SILENT) -> Iterator[Finding]:
    """Everything that is wrong with a store, run by run, then the rest."""
    folders = survey.folders(store)
    with watch.stage("checking runs", len(folders)) as advance:
        for folder in folders:
            yield from check_run(store, folder)
            advance(1, folder.name)
    yield from check_rest(store)


def check_run(store: Store, folder: Path, mine: bool = False) -> list[Finding]:
    """What is wrong with one run. `mine`: its lock is held by whoever asks."""
    if not mine and store.held(folder.name):
        return []
    found = list(_legible(_run(folder), folder))
    return [] if not mine and found and store.held(folder.name) else found  # it may have begun meanwhile


def unsound(store: Store, run: Run) -> str:
    """The first grave finding on a run: "history.parquet: ...", and the next step; empty where there is none."""
    for finding in check_run(store, store.folder(run.run_id)):
        if finding.grave:
            return f"{finding.path.name}: {finding.problem}; `xner-bench results check` says what to do"
    return ""


def _legible(found: Iterator[Finding], place: Path) -> Iterator[Finding]:
    """What is found, up to something that cannot be read."""
    try:
        yield from found
    except OSError as error:
        path = Path(os.fsdecode(error.filename)) if error.filename else place
        yield Finding("unreadable", path, f"cannot be read: {(error.strerror or str(error)).lower()}")


def _run(folder: Path) -> Iterator[Finding]:
    os.scandir(folder).close()  # else it is something in it that cannot be read
    yield from temporary(folder)
    if (folder / "epochs").is_dir():
        yield from temporary(folder / "epochs")
    path = folder / "run.json"
    if not path.exists():
        yield from _without_record(folder)
        return
    try:
        run = read_run(path)
    except XnerError as error:
        if survey.other_schema(path) is None:
            yield Finding("damaged", path, _reason(error, path), remedy="set aside")
        else:
            yield Finding("other version", path, _reason(error, path))
        return
    if folder.name != run.run_id:
        yield _misplaced(folder, run)
        return
    if identity.numbers_of(run) is None:
        said = "its ids are not those of what it says: it was changed, or another version wrote it"
        yield Finding("contradiction", path, said, run)
    yield from _epochs(folder, run)
    if run.state == "done":
        yield from _results(folder, run)
        yield from _checkpoint(folder, run)


def _reason(error: Exception | str, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").partition(";")[0]


def temporary(folder: Path, older_than: float = 0.0) -> Iterator[Finding]:
    """Files that were being written when their process was killed."""
    for path in sorted(folder.glob(".*")):
        try:
            age = time() - path.stat().st_mtime
        except FileNotFoundError:  # just now
            continue
        if TEMPORARY.fullmatch(path.name) and age >= older_than:
            yield Finding("left over", path, "a temporary file", remedy="remove")


def _without_record(folder: Path) -> Iterator[Finding]:
    own = [path for path in folder.iterdir() if not TEMPORARY.fullmatch(path.name)]
    if own:
        yield Finding("missing", folder / "run.json", _gone("no record of this run", folder / "run.json"))
    else:
        yield Finding("left over", folder, "a folder of a run that never began", remedy="remove")


def _misplaced(folder: Path, run: Run) -> Finding:
    """A record in another run's folder, where nobody who asks for its run finds it."""
    free = not folder.with_name(run.run_id).exists()
    problem = f"this is {run.run_id}" + ("" if free else f", which is there too; move {folder} away")
    return Finding("misplaced", folder / "run.json", problem, run, "move" if free else None)


def _epochs(folder: Path, run: Run) -> Iterator[Finding]:
    """Checkpoints are whole where they are wanted, and gone where they are not."""
    epochs = folder / "epochs"
    if not epochs.is_dir():
        return
    if run.state in ("done", "diverged"):
        yield Finding("left over", epochs, f"checkpoints of a run that is {run.state}", run, "remove")
        return
    for path in sorted(epochs.glob("[!.]*")):
        if path.is_dir() and not path.name.endswith(ASIDE) and (problem := whole.problem(path)):
            yield Finding("left over", path, f"{problem}: the run goes on from an earlier epoch", run, "set aside")


def later(run: Run) -> dict[str, Sequence[tuple[str, str]]]:
    """Tables that a run has unless an early version wrote it."""
    return {name: schema for name, schema in LATER.items() if run.few_shot or not name.startswith("few_shot")}


def _results(folder: Path, run: Run) -> Iterator[Finding]:
    """The files of a finished run: there, readable, and in agreement."""
    tables: dict[str, Any] = {}
    for name, schema in (TABLES | later(run) | (FEW_SHOT if run.few_shot else {})).items():
        path = folder / f"{name}.parquet"
        if name in LATER and not path.exists():
            continue
        tables[name], problem = sound.read_table(path, schema)
        if problem:
            yield unreadable(path, problem, run)
    chosen, problem = sound.read_selection(folder / "selection.json")
    if problem:
        yield unreadable(folder / "selection.json", problem, run)
    for name, problem in _contradictions(run, tables, chosen):
        yield Finding("contradiction", folder / name, problem, run)


def unreadable(path: Path, problem: str, run: Run | None = None) -> Finding:
    """A file that is not there, or not what it was."""
    if path.exists():
        return Finding("damaged", path, problem, run, "set aside")
    return Finding("missing", path, _gone("it is not there", path), run)


def _gone(said: str, path: Path) -> str:
    """With the name of what was in its place until it was set aside."""
    aside = sorted(path.parent.glob(f"{path.name}*{ASIDE}"), key=lambda one: one.lstat().st_ctime)
    return f"{said}; {aside[-1].name} is what was set aside" if aside else said


def _contradictions(run: Run, tables: dict[str, Any], chosen: Any) -> Iterator[tuple[str, str]]:
    """File and problem, for all that can be compared."""
    dev, selection = chosen or (None, None)
    parts = {**tables, "dev": dev, "selection": selection}
    if tables["scores"] is not None and agreement.incomplete(tables["scores"]):
        yield "scores.parquet", "an empty cell is no count"
        parts["scores"] = None  # with nothing to hold the others against
    for name, problems, needed in CHECKS:
        given = [parts.get(part) for part in needed]
        if all(part is not None for part in given):
            yield from ((name, problem) for problem in problems(run, *given))


def _checkpoint(folder: Path, run: Run) -> Iterator[Finding]:
    """The tagger that was kept: files of the lengths that they say, and JSON that is JSON."""
    path = folder / "checkpoint"
    if not run.checkpoint_kept:
        return
    if problem := sound.checkpoint_problem(path):
        yield unreadable(path, problem, run)


def check_rest(store: Store) -> Iterator[Finding]:
    """What lies beside the runs: grids, studies, the leaderboard, and what killed processes left anywhere."""
    for part in (_grids, _studies, _leaderboard, _temporary):
        yield from _legible(part(store.root), store.root)


def _leaderboard(results: Path) -> Iterator[Finding]:
    for name in ("per_language.parquet", "leaderboard.parquet", "comparisons.parquet"):
        path = results / "leaderboard" / name
        if path.exists() and (problem := sound.parquet_problem(path)):
            yield Finding("damaged", path, problem, remedy="set aside")


def _temporary(results: Path) -> Iterator[Finding]:
    for folder in (results, *(results / name for name in ("runs", "grids", "studies", "leaderboard"))):
        yield from temporary(folder, PATIENCE)
    for folder in sorted((results / "studies").glob("[!.]*")):
        yield from temporary(folder, PATIENCE)


def _grids(results: Path) -> Iterator[Finding]:
    for grid in undertakings.grids(results):
        path = drive.folder(results) / f"{grid.name}.json"
        path.open("rb").close()  # PermissionError where it is sound as far as we can tell
        if grid.problem:
            other = survey.other_schema(path, 1) is not None
            yield Finding(
                "other version" if other else "damaged", path, _reason(grid.problem, path), None, _aside(other)
            )


def _aside(other_version: bool) -> Remedy | None:
    return None if other_version else "set aside"


def _studies(results: Path) -> Iterator[Finding]:
    """What is searched, and the journals of the trials; one without the other would mislead a new search."""
    for path in sorted((results / "studies").glob("[!.]*")):
        if studies.is_name(path.name):  # else somebody moved it out of the way
            yield from _definition(path / studies.DEFINITION)
            yield from _journal(path / studies.JOURNAL)


def _definition(path: Path) -> Iterator[Finding]:
    if not path.is_file():
        return
    path.open("rb").close()
    try:
        studies.load(path.parent.parent.parent, path.parent.name)
    except XnerError as error:
        other = survey.other_schema(path, studies.SCHEMA) is not None
        yield Finding("other version" if other else "damaged", path, _reason(error, path), None, _aside(other))


def _journal(path: Path) -> Iterator[Finding]:
    if not path.is_file():
        return
    torn, problem = undertakings.journal_problem(path)
    if not path.with_name(studies.DEFINITION).is_file():
        problem = "a journal without study.json, which says what is searched"
    if problem:
        yield Finding("damaged", path, problem, remedy="set aside")
    elif torn:
        yield Finding("left over", path, "its last line is torn: whoever writes next cuts it off", remedy="mend")
