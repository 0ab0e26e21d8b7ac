"""A bundle to plain types: records, selections and tables, every one of them checked before anything relies on it.

A bundle is a file from anywhere. It is read within limits (`archive`, `guarded`, `strictjson`), never unpacked to a
disk, and what comes out of it has the types and the forms that files of `xner-bench run` have (`claims`).
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from xner_bench.leaderboard import archive, claims, guarded, strictjson
from xner_bench.leaderboard.archive import Refused
from xner_bench.results import Run, parse_selection
from xner_bench.settings import SCHEMA
from xner_bench.verify import FEW_SHOT, TABLES, later

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

    import pyarrow as pa

    from xner_bench.leaderboard.archive import Member
    from xner_bench.protocol import DevScores

MANIFEST = "bundle.json"
BUNDLE = 1  # the version of this kind of file
RECORDS = ("run.json", "selection.json")
TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,120}")  # in a table: names of languages, splits, types, protocols


class Submitted(NamedTuple):
    """A finished run as somebody else sent it."""

    run: Run
    dev: DevScores
    selection: Mapping[str, Mapping[str, int]]  # protocol -> corpus -> checkpoint
    tables: Mapping[str, pa.Table]


@dataclass(frozen=True)
class Bundle:
    """An open bundle, whose tables are known to be readable within limits."""

    path: Path
    sha256: str
    stream: IO[bytes]
    members: Mapping[str, Member]

    @property
    def run_ids(self) -> list[str]:
        return sorted({name.partition("/")[0] for name in self.members if "/" in name})

    def read(self, run_id: str) -> Submitted:
        """One of its runs. Raises Refused."""
        own = [name for name in self.members if name.startswith(f"{run_id}/")]
        run = record(run_id, self.contents(f"{run_id}/run.json"))
        needed = {*RECORDS, *(f"{name}.parquet" for name in (TABLES | FEW_SHOT if run.few_shot else TABLES))}
        allowed = {*needed, *(f"{name}.parquet" for name in later(run))}
        files = {name.partition("/")[2] for name in own}
        if lacking := sorted(needed - files):
            raise Refused(f"{run_id} lacks {lacking[0]}")
        if strange := sorted(files - allowed):
            raise Refused(f"{run_id}/{strange[0]}: such a run has no such file")
        dev, chosen = selection(run, self.contents(f"{run_id}/selection.json"))
        tables = {
            name: self._table(run, name)
            for name in (file.removesuffix(".parquet") for file in sorted(files))
            if name in guarded.SCHEMAS
        }
        return Submitted(run, dev, chosen, tables)

    def _table(self, run: Run, name: str) -> pa.Table:
        table = guarded.read(self.contents(f"{run.run_id}/{name}.parquet"), name)
        splits = {"test", *(one.split for one in run.perturbed)}
        allowed = {"split": splits, "profile": {*map(str, run.settings.profiles)}}
        for column, texts in _texts(table).items():
            wrong = [text for text in texts if not TEXT.fullmatch(text) or text not in allowed.get(column, {*texts})]
            if wrong:
                raise Refused(f"{run.run_id}/{name}.parquet has the {column} {wrong[0][:80]!a}, which the run has not")
        return table

    def contents(self, name: str) -> bytes:
        """Of one of its files. Raises Refused."""
        if name not in self.members:
            raise Refused(f"{name} is not in it")
        return archive.read(self.stream, self.members[name])


def _texts(table: pa.Table) -> dict[str, list[str]]:
    """All that stands in columns of text, each once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
    return {name: sorted(pc.unique(table[name].drop_null()).to_pylist()) for name in columns}


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """A bundle, for as long as it is read. Raises Refused where it is none, or takes too much to read."""
    with _stream(path) as stream, _of(path):
        sha256 = _sha256(stream)
        members = {member.name: member for member in archive.members(stream)}
        bundle = Bundle(path, sha256, stream, members)
        _check_manifest(bundle)
        guarded.on_trial(path)
        yield bundle


def _stream(path: Path) -> BufferedReader:
    try:
        if path.is_file():
            return path.open("rb")
        raise Refused(f"{path}: {_instead(path)}")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"{path}: cannot be read: {reason}; see to the permissions there") from error


def _instead(path: Path) -> str:
    if path.is_dir():
        return "a folder, no bundle; give the file that `xner-bench leaderboard bundle` wrote"
    if path.exists():
        return "not a plain file; save the bundle to one, and give that"
    return "no such file; see how its name is written"


def _sha256(stream: BufferedReader) -> str:
    try:
        return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise Refused(f"cannot be read: {(error.strerror or str(error)).lower()}") from error


@contextmanager
def _of(path: Path) -> Iterator[None]:
    """Whatever is refused in here is refused of this file."""
    try:
        yield
    except Refused as error:
        raise Refused(f"{path}: {error}") from None


def _check_manifest(bundle: Bundle) -> None:
    if MANIFEST not in bundle.members:
        raise Refused(f"not a bundle (no {MANIFEST})")
    told = _json(MANIFEST, bundle.contents(MANIFEST))
    version = told.get("bundle") if isinstance(told, dict) else None
    if version != BUNDLE:
        raise Refused(f"a bundle of version {str(version)[:20]!a}, this program reads {BUNDLE}")
    if not bundle.run_ids:
        raise Refused("no run is in it")


def _json(name: str, data: bytes) -> Any:
    try:
        return strictjson.parse(data)
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None


def record(run_id: str, data: bytes) -> Run:
    """A run.json. Raises Refused where `xner-bench run` cannot have written it."""
    name = f"{run_id}/run.json"
    told = _json(name, data)
    version = told.get("schema_version") if isinstance(told, dict) else None
    if version != SCHEMA or isinstance(version, bool):
        raise Refused(f"{name}: schema {str(version)[:20]!a}, this program reads {SCHEMA}")
    try:
        run = Run.model_validate_json(json.dumps(told), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        raise Refused(f"{name}: {where}: {first['msg'][:200]}".encode("ascii", "backslashreplace").decode()) from None
    if run.run_id != run_id:
        raise Refused(f"{name}: this is the record of {run.run_id[:80]!a}")
    for problem in claims.problems(run):
        raise Refused(f"{name}: {problem}")
    return run


def selection(run: Run, data: bytes) -> tuple[DevScores, dict[str, dict[str, int]]]:
    """A selection.json: dev scores and chosen checkpoints. Raises Refused."""
    name = f"{run.run_id}/selection.json"
    told = _json(name, data)
    try:
        dev, chosen = parse_selection(json.dumps(told).encode())
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Refused(f"{name}: not a selection of checkpoints") from None
    scores = [score for of_epoch in dev.values() for score in of_epoch.values()]
    epochs = [epoch for answers in chosen.values() for epoch in answers.values()]
    if not all(score is None or (_number(score) and 0 <= score <= 1) for score in scores):
        raise Refused(f"{name}: a score is none")
    last = run.settings.training.epochs + 1  # what a method makes of the weights after the last epoch
    if not dev or not chosen.get("last") or not all(type(epoch) is int for epoch in epochs):
        raise Refused(f"{name}: a checkpoint is none")
    if not all(0 < epoch <= last for epoch in dev) or not all(0 <= epoch <= last for epoch in epochs):
        raise Refused(f"{name}: a checkpoint is of no epoch")
    return dev, chosen


def _number(value: object) -> bool:
    return type(value) in (int, float)
