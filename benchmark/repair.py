"""What is wrong with a store, mended as far as nothing is lost by it.

Damaged files are set aside as `*.damaged`, never deleted; what is deleted is of use to nobody: temporary files of
killed processes, checkpoints of finished runs. A run is mended by whoever holds its lock, so that a run under way is
left alone.
"""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

from xner_bench import agreement, protocol, sound, survey, verify
from xner_bench.errors import XnerError
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xner_bench.protocol import DevScores
    from xner_bench.results import Run, Store
    from xner_bench.verify import Finding
    from xner_bench.watch import Watch

RANKED = ("scores.parquet", "selection.json")  # without them a finished run cannot be ranked


class Mended(NamedTuple):
    """Something that was found, and what was done about it: nothing, where nothing can be done without loss."""

    finding: Finding
    done: str = ""
    whole: bool = False  # all is as it should be now


def mend(store: Store, watch: Watch = SILENT) -> Iterator[Mended]:
    """Mend a store; yields everything that was wrong with it."""
    folders = survey.folders(store)
    with watch.stage("checking runs", len(folders)) as advance:
        for folder in folders:
            with alone(store, folder.name) as mine:
                found = verify.check_run(store, folder, mine=True) if mine else []
                mended = [_mended(store, one) for one in found]
            folders += [store.folder(one.finding.run.run_id) for one in mended if one.finding.run and _moved(one)]
            yield from mended
            advance(1, folder.name)
    for finding in verify.check_rest(store):
        yield _mended(store, finding)


@contextmanager
def alone(store: Store, run_id: str) -> Iterator[bool]:
    """Hold a run, if nobody else does. A lock that was not there before is not there afterwards."""
    path = store.lock_path(run_id)
    was_there, lock = path.exists(), FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise _cannot(path.parent, error) from error
    try:
        yield True
    finally:
        if not was_there:
            path.unlink(missing_ok=True)
        lock.release()


def _mended(store: Store, finding: Finding) -> Mended:
    try:
        return _mend(store, finding)
    except OSError as error:
        raise _cannot(finding.path, error) from error


def _cannot(path: Path, error: OSError) -> XnerError:
    reason = (error.strerror or str(error)).lower()
    return XnerError(f"cannot mend {path}: {reason}; see to the permissions and the space there")


def _mend(store: Store, finding: Finding) -> Mended:
    """Do what can be done."""
    if finding.remedy == "remove":
        _remove(finding.path)
        return Mended(finding, "removed", whole=True)
    if finding.remedy == "move" and finding.run:
        moved = _move(store, finding.path.parent, finding.run.run_id)
        return Mended(finding, moved, whole=bool(moved))
    if finding.remedy == "mend":
        _cut(finding.path)
        return Mended(finding, "cut off after its last whole line", whole=True)
    done = f"set aside as {set_aside(finding.path).name}" if finding.remedy == "set aside" else ""
    if finding.run and finding.run.state == "done" and finding.kind in ("damaged", "missing"):
        return _without(store, finding.run, finding, done)
    return Mended(finding, done)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Give a file or folder another name, that nothing reads."""
    place, number = path.with_name(path.name + verify.ASIDE), 1
    while place.exists():
        number += 1
        place = path.with_name(f"{path.name}-{number}{verify.ASIDE}")
    path.rename(place)
    return place


def _moved(one: Mended) -> bool:
    return one.finding.remedy == "move" and one.whole


def _move(store: Store, folder: Path, run_id: str) -> str:
    """Bring a run to its own folder."""
    with alone(store, run_id) as mine:
        if not mine or store.folder(run_id).exists():
            return ""
        folder.rename(store.folder(run_id))
    return f"moved to {run_id}"


def _cut(journal: Path) -> None:
    """Cut a torn line off, as whoever writes next would."""
    from xner_bench.journal import repair

    with FileLock(journal.with_name(f".{journal.name}.lock")), journal.open("r+b") as stream:
        repair(stream)


def _without(store: Store, run: Run, finding: Finding, done: str) -> Mended:
    """What becomes of a finished run without one of its files."""
    record, name = store.run(run.run_id), finding.path.name  # as it is by now: another finding may have changed it
    if name == "selection.json" and _selected_again(store, run):
        return Mended(finding, _and(done, "made again from history.parquet"), whole=True)
    if name == "checkpoint":
        store.save_run(record.model_copy(update={"checkpoint_kept": False}))
        return Mended(finding, _and(done, "its record no longer says that it was kept"))
    if name in RANKED and record.state == "done":
        error = f"{name} is {finding.kind} ({finding.problem}); the same command does the run again"
        store.save_run(record.model_copy(update={"state": "failed", "error": error}))
        return Mended(finding, _and(done, "its record says failed, so that the same command does it again"))
    return Mended(finding, done)


def _and(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _selected_again(store: Store, run: Run) -> bool:
    """Make selection.json again from the dev scores in the history, if the scores bear it out."""
    folder = store.folder(run.run_id)
    history, _ = sound.read_table(folder / "history.parquet", verify.TABLES["history"])
    scores, _ = sound.read_table(folder / "scores.parquet", verify.TABLES["scores"])
    if history is None or scores is None:
        return False
    dev: DevScores = {}
    for row in history.to_pylist():
        if row["name"] == "f1":
            dev.setdefault(row["epoch"], {})[f"{row['dataset']}:{row['language']}"] = row["value"]
    if not dev:
        return False
    scored = set(scores["protocol"].to_pylist())  # a version without the protocol average did not score it
    every = protocol.select(dev, run.settings.source, run.settings.corpora)
    chosen = {str(name): answers for name, answers in every.items() if name != "average" or name in scored}
    if any(agreement.scores(run, scores, chosen)):
        return False
    text = json.dumps({"dev": dev, "selection": chosen}, indent=1, sort_keys=True) + "\n"
    store.write(run.run_id, "selection.json", text.encode())
    return True
