"""Finished runs in one file, to be sent to somebody: records, scores and predictions; no data, no weights."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench import survey, verify
from xner_bench.errors import XnerError
from xner_bench.leaderboard import archive, public, unpack
from xner_bench.leaderboard.archive import Refused
from xner_bench.results import Store, cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xner_bench.results import Run

ALL = "all"


class Chosen(NamedTuple):
    """The runs for a bundle."""

    runs: list[Run]
    left_out: tuple[str, ...] = ()  # of all: "standard-quick-s42-baf1d5d82835 is interrupted"


def chosen(store: Store, names: Sequence[str]) -> Chosen:
    """The finished runs with these ids, beginnings of ids or of their hashes, each once; `all` is every one.

    Raises XnerError where one is named that there is not, or that is not finished.
    """
    if ALL in names:
        records = survey.read(store)
        found = [run for run in records.runs if run.state == "done"]
        if not found:
            raise XnerError(f"no finished run in {store.root}; `xner-bench status` says what there is")
        unfinished = (f"{run.run_id} is {survey.phase(store, run)}" for run in records.runs if run.state != "done")
        return Chosen(found, (*unfinished, *(one.problem for one in records.unreadable)))
    named = {run.run_id: run for run in (survey.find(store, name) for name in names)}
    for run in named.values():
        if run.state != "done":
            raise XnerError(f"run {run.run_id} is {survey.phase(store, run)}; only finished runs can be bundled")
    return Chosen(list(named.values()))


def pack(store: Store, runs: Iterable[Run], path: Path) -> None:
    """Write a bundle: the same bytes for the same runs. Raises XnerError where a run is not sound, and for the disk."""
    try:
        _expect_bundle(path)
        with _folder_of(path):
            _write(store, runs, path)
    except OSError as error:
        said = str(cannot_write(path, error)).rpartition(";")[0]
        raise XnerError(f"{said}; choose another file with --to FILE") from error


@contextlib.contextmanager
def _folder_of(path: Path) -> Iterator[None]:
    """Make the folders of a file; those that are new do not stay where it cannot be written."""
    new = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in new:
                folder.rmdir()
        raise


def _write(store: Store, runs: Iterable[Run], path: Path) -> None:
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            archive.write(stream, _members(store, runs))
            stream.flush()
            os.fsync(stream.fileno())
        Path(part).chmod(0o644)
        Path(part).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(part).unlink()


def _expect_bundle(path: Path) -> None:
    """What is there and no bundle is somebody's."""
    above = next((one for one in path.parents if one.exists()), path.parent)
    if not above.is_dir():
        raise XnerError(f"cannot write {path}: {above} is no folder; choose another file with --to FILE")
    if not path.exists():
        return
    own = False
    if path.is_file():
        with path.open("rb") as stream, contextlib.suppress(archive.Refused):
            own = unpack.MANIFEST in {member.name for member in archive.members(stream)}
    if not own:
        raise XnerError(f"{path}: is there, and no bundle; choose another file with --to FILE")


def _members(store: Store, runs: Iterable[Run]) -> Iterator[tuple[str, bytes]]:
    yield unpack.MANIFEST, json.dumps({"bundle": unpack.BUNDLE}).encode() + b"\n"
    for run in sorted(runs, key=lambda run: run.run_id):
        _sound(store, run)
        record = _record(run)
        folder = store.folder(run.run_id)
        files = {"run.json": record, "selection.json": (folder / "selection.json").read_bytes()}
        tables = verify.TABLES | verify.later(run) | (verify.FEW_SHOT if run.few_shot else {})
        found = (folder / f"{name}.parquet" for name in tables)
        files |= {path.name: path.read_bytes() for path in found if path.exists()}
        yield from ((f"{run.run_id}/{name}", files[name]) for name in sorted(files))


def _sound(store: Store, run: Run) -> None:
    grave = [finding for finding in verify.check_run(store, store.folder(run.run_id)) if finding.grave]
    if grave:
        said = f"{grave[0].path.name}: {grave[0].problem}"
        raise XnerError(f"run {run.run_id} is not sound: {said}; `xner-bench results check` says what to do")


def _record(run: Run) -> bytes:
    """The record without places of whoever made it, as a reader of the bundle will take it."""
    shown = public.of_run(run).model_copy(update={"checkpoint_kept": False})
    text = json.dumps(shown.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        unpack.record(run.run_id, text.encode())
    except Refused as error:
        raise XnerError(f"{error}; nobody would take a bundle with this run") from None
    return text.encode()
