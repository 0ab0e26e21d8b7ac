"""Finished runs in one file, to be sent to somebody: records, scores and predictions; no data, no weights."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench import files, survey, verify
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
    """The finished runs with these ids, beginnings of ids or of their hashes, each once; `all` is every sound one.

    Raises XnerError where one is named that there is not, or that is not finished, or not sound.
    """
    named = {run.run_id: run for run in (survey.find(store, name) for name in names if name != ALL)}
    for run in named.values():
        if problem := _unfit(store, run):
            raise XnerError(f"run {problem}")
    return _every(store) if ALL in names else Chosen(list(named.values()))


def _every(store: Store) -> Chosen:
    records = survey.read(store)
    problems = {run.run_id: _unfit(store, run) for run in records.runs}
    found = [run for run in records.runs if not problems[run.run_id]]
    if not found:
        raise XnerError(f"no finished and sound run in {store.root}; `xner-bench status` says what there is")
    return Chosen(found, (*filter(None, problems.values()), *(one.problem for one in records.unreadable)))


def _unfit(store: Store, run: Run) -> str:
    """Why a run cannot be packed; empty where it can."""
    if run.state != "done":
        return f"{run.run_id} is {survey.phase(store, run)}; only finished runs can be bundled"
    problem = verify.unsound(store, run)
    return f"{run.run_id} is not sound: {problem}" if problem else ""


def pack(store: Store, runs: Iterable[Run], path: Path) -> None:
    """Write a bundle of `chosen` runs: the same bytes for the same ones. Raises XnerError for the disk."""
    try:
        _expect_bundle(path)
        with files.made_for_use(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(store, runs, path)
    except OSError as error:
        said = str(cannot_write(path, error)).rpartition(";")[0]
        raise XnerError(f"{said}; choose another file with --to FILE") from error


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
        record = _record(run)
        folder = store.folder(run.run_id)
        packed = {"run.json": record, "selection.json": (folder / "selection.json").read_bytes()}
        tables = verify.TABLES | verify.later(run) | (verify.FEW_SHOT if run.few_shot else {})
        found = (folder / f"{name}.parquet" for name in tables)
        packed |= {path.name: path.read_bytes() for path in found if path.exists()}
        yield from ((f"{run.run_id}/{name}", packed[name]) for name in sorted(packed))


def _record(run: Run) -> bytes:
    """The record without places of whoever made it, as a reader of the bundle will take it."""
    shown = public.of_run(run).model_copy(update={"checkpoint_kept": False})
    text = json.dumps(shown.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        unpack.record(run.run_id, text.encode())
    except Refused as error:
        raise XnerError(f"{error}; nobody would take a bundle with this run") from None
    return text.encode()
