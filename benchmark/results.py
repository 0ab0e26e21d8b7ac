"""The store: one folder a run, readable by anyone with JSON and Parquet, never half-written.

<results>/runs/<run-id>/
    run.json             settings, provenance, state; written when the run starts and again, last, when it ends
    selection.json       which checkpoint answers which target; written before any test label is read
    scores.parquet       counts per data set, language, split, protocol, checkpoint, profile and type
    sentence_counts.parquet  counts of every test sentence, all types together; early runs have none
    predictions.parquet  the predicted entities of every test sentence
    orphans.parquet      each predicted I- without a B- before it, which is no entity; early runs have none
    history.parquet      loss, learning rate and dev scores
    few_shot.parquet     with --few-shot: which sentences of the targets were learned from
    few_shot_predictions.parquet    with --few-shot: the entities that were predicted after that
    few_shot_orphans.parquet        with --few-shot: each I- without a B- that was
    epochs/              checkpoints, while the run is under way
    checkpoint/          a transformers folder, with --keep-checkpoint
"""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from xner_bench import files
from xner_bench.errors import UnknownName, XnerError
from xner_bench.settings import SCHEMA, RunSettings
from xner_bench.tags import REPAIR_POLICY
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from xner_bench.watch import Watch

State = Literal["started", "done", "failed", "diverged", "stopped"]


class Held(XnerError):
    """Another process carries out the run."""


class Missing(BaseModel):
    """A target or split that a run had to do without, and why."""

    model_config = ConfigDict(frozen=True)

    corpus: str  # "wikiann:ay"
    split: str
    reason: str


class CorpusRecord(BaseModel):
    """Which data a run read: enough to see whether two runs read the same."""

    model_config = ConfigDict(frozen=True)

    corpus: str
    split: str
    sentences: int
    fingerprint: str  # sha256 of the words and tags as scored: equal for the same data in another file format
    sha256: str  # of the file
    origin: str
    repaired: int


class PerturbedRecord(BaseModel):
    """A test split with other entities that a run scored as well, see `perturb`."""

    model_config = ConfigDict(frozen=True)

    corpus: str
    split: str  # "test-in-script"
    sentences: int
    fingerprint: str  # as CorpusRecord's
    seed: int
    pool: str  # sha256 of the names and fingerprints of the test splits that entities were drawn from
    without: tuple[str, ...]  # languages that they would have been drawn from, too
    replaced: int  # entities
    kept: int  # entities of whose type there was no other mention


class ShotsRecord(BaseModel):
    """What few-shot fine-tuning drew a target's sentences from; which ones they are is in few_shot.parquet."""

    model_config = ConfigDict(frozen=True)

    corpus: str
    k: tuple[int, ...] = ()  # numbers of sentences that were asked for, as far as there are so many
    eligible: int = 0
    outside: int = 0  # left out: not 3 to 50 words, or nothing to see in them
    overlapping: int = 0  # left out: in the test split, too
    repeated: int = 0  # left out: the same words as one that is in
    sentences: int = 0  # of the train split
    fingerprint: str = ""  # this and what follows as in CorpusRecord
    sha256: str = ""
    origin: str = ""
    repaired: int = 0
    diverged: tuple[str, ...] = ()  # protocols that have no scores, as the loss was no number
    reason: str = ""  # why there is no train split


class EncoderRecord(BaseModel):
    """Which encoder a run started from."""

    model_config = ConfigDict(frozen=True)

    name: str  # "mini", the repository, or the folder's name
    revision: str | None  # the commit, for an encoder of the hub
    fingerprint: str  # sha256 over its configuration, weights and tokenizer
    parameters: int


class Run(BaseModel):
    """run.json: what was asked, on what, with what, and how it ended."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA
    run_id: str
    entry_id: str  # of all that is the same but the seed: one line of the leaderboard
    state: State
    settings: RunSettings
    method_origin: str  # "built in", or distribution and version
    encoder: EncoderRecord
    data: tuple[CorpusRecord, ...]
    perturbed: tuple[PerturbedRecord, ...] = ()
    few_shot: tuple[ShotsRecord, ...] = ()
    repair_policy: str = REPAIR_POLICY  # how invalid tags of the gold were read; `data` says how many
    missing: tuple[Missing, ...] = ()
    provenance: dict[str, Any]
    seconds: dict[str, float] = {}
    peak_memory: float | None = None  # MiB, resident set of the last process that carried it out
    peak_gpu_memory: float | None = None  # MiB, allocated by torch
    error: str | None = None
    resumed: tuple[str, ...] = ()  # after which epochs another process went on, and what was otherwise there
    checkpoint_kept: bool = False
    method_facts: dict[str, Any] = {}  # what the method says of the trained tagger


MEND = "`xner-bench results check --repair` sets it aside, then run the command again"
SCORES = (
    ("dataset", "string"),
    ("language", "string"),
    ("split", "string"),
    ("protocol", "string"),
    ("checkpoint", "int64"),  # epoch, from 1, or 0: the mean of all epochs
    ("profile", "string"),
    ("type", "string"),
    ("tp", "int64"),
    ("fp", "int64"),
    ("fn", "int64"),
    ("support", "int64"),
    ("sentences", "int64"),
    ("words_without_subwords", "int64"),
    ("cut_sentences", "int64"),
)
PREDICTIONS = (  # of orphans, too
    ("dataset", "string"),
    ("language", "string"),
    ("split", "string"),
    ("checkpoint", "int64"),
    ("sentence", "int64"),  # from 0, in the corpus' order
    ("start", "int64"),  # word, from 0
    ("end", "int64"),  # one past the last word
    ("type", "string"),
)
SENTENCE_COUNTS = (
    ("dataset", "string"),
    ("language", "string"),
    ("split", "string"),
    ("checkpoint", "int64"),
    ("profile", "string"),
    ("tp", "list<int32>"),  # of each sentence, all types together, in the corpus' order
    ("fp", "list<int32>"),
    ("fn", "list<int32>"),
)
SAMPLES = (
    ("dataset", "string"),
    ("language", "string"),
    ("sampling", "string"),
    ("rank", "int64"),  # from 0: the first k are the sample of k
    ("sentence", "int64"),  # of the train split, from 0
)
FEW_SHOT_PREDICTIONS = (
    ("dataset", "string"),
    ("language", "string"),
    ("split", "string"),
    ("protocol", "string"),  # few-shot-<sampling>-<k>
    *PREDICTIONS[3:],
)
HISTORY = (
    ("epoch", "int64"),
    ("step", "int64"),
    ("name", "string"),  # loss, learning_rate, f1
    ("dataset", "string"),  # of f1: the dev split it was measured on
    ("language", "string"),
    ("value", "float64"),
)


@dataclass(frozen=True)
class Store:
    """A folder of results."""

    root: Path

    def folder(self, run_id: str) -> Path:
        return self.root / "runs" / run_id

    def probe(self) -> None:
        """Make sure that results can be written, before anything is computed for them."""
        runs = self.root / "runs"
        try:
            runs.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=runs, prefix=".probe-") as probe:
                probe.write(b"x")
        except OSError as error:
            raise cannot_write(self.root, error) from error

    @contextmanager
    def lock(self, run_id: str, watch: Watch = SILENT, wait: bool = True) -> Iterator[None]:
        """Hold a run, so that two processes with the same command do its work once. Freed if the holder is killed.

        Without `wait`, Held is raised where another process has it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.lock_path(run_id))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise Held(f"another process carries out {run_id}; try again when it has ended") from None
            watch.note(f"another process carries out {run_id}; waiting for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def held(self, run_id: str) -> bool:
        """Whether some process carries a run out at this moment."""
        return files.held(self.lock_path(run_id))

    def lock_path(self, run_id: str) -> Path:
        """Locked by whoever carries a run out."""
        return self.root / "runs" / f".{run_id}.lock"

    def save_run(self, run: Run) -> None:
        text = json.dumps(run.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
        self.write(run.run_id, "run.json", (text + "\n").encode())

    def save_table(
        self, run_id: str, name: str, schema: Sequence[tuple[str, str]], rows: Iterable[tuple[object, ...]]
    ) -> None:
        """Write rows as `<run>/<name>.parquet`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = list(zip(*rows, strict=True)) or [()] * len(schema)
        arrays = [pa.array(column, arrow_type(kind)) for column, (_, kind) in zip(columns, schema, strict=True)]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(arrays, names=[column for column, _ in schema]), sink)
        self.write(run_id, f"{name}.parquet", sink.getvalue().to_pybytes())

    def sweep(self, run_id: str) -> None:
        """Delete what a killed process left half-written in a run's folder. Only for whoever holds the run."""
        for path in self.folder(run_id).glob(".*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def drop_tables(self, run_id: str, *names: str) -> None:
        """Delete tables that a run does not have, where they are."""
        for name in names:
            (self.folder(run_id) / f"{name}.parquet").unlink(missing_ok=True)

    def publish(self, run_id: str, draft: str) -> None:
        """Put files that were written into a folder of a run, all of them whole, into the places of the older ones."""
        folder = self.folder(run_id)
        try:
            for path in sorted((folder / draft).iterdir()):
                path.replace(folder / path.name)
            (folder / draft).rmdir()
            files.sync_folder(folder)
        except OSError as error:
            raise cannot_write(folder, error) from error

    def selection(self, run_id: str) -> dict[str, Any]:
        """selection.json: "dev" (epoch -> corpus -> F1 or None) and "selection" (protocol -> target -> epoch, or 0)."""
        path = self.folder(run_id) / "selection.json"
        try:
            dev, selection = parse_selection(path.read_bytes())
            return {"dev": dev, "selection": selection}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            said = error.strerror if isinstance(error, OSError) else "not what a run writes"
            raise XnerError(f"{path}: {said}; {MEND}") from error

    def write(self, run_id: str, name: str, data: bytes) -> None:
        """Write one file of a run whole; a full disk or a missing permission is one line."""
        try:
            files.write_atomically(self.folder(run_id) / name, data)
        except OSError as error:
            raise cannot_write(self.folder(run_id) / name, error) from error

    def find(self, run_id: str) -> Run | None:
        """The record of a run, or None where there is none."""
        path = self.folder(run_id) / "run.json"
        try:
            return read_run(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise XnerError(f"{path}: cannot be read: permission denied; see to the permissions there") from error

    def run(self, run_id: str) -> Run:
        found = self.find(run_id)
        if found is None:
            raise UnknownName("run", run_id, (path.parent.name for path in self._records()), f"in {self.root}")
        return found

    def runs(self) -> Iterator[Run]:
        """Every run of the store, by id."""
        for path in self._records():
            yield read_run(path)

    def table(self, run_id: str, name: str) -> pa.Table:
        """Read `<run>/<name>.parquet`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder(run_id) / f"{name}.parquet"
        try:
            return pq.read_table(path)
        except FileNotFoundError as error:
            raise XnerError(f"{path}: it is not there; `xner-bench results check` says what to do") from error
        except (OSError, pa.ArrowInvalid) as error:
            raise XnerError(f"{path}: {str(error).splitlines()[0]}; {MEND}") from error

    def _records(self) -> list[Path]:
        return sorted((self.root / "runs").glob("*/run.json"))


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of a column's kind."""
    import pyarrow as pa

    return pa.list_(pa.int32()) if kind == "list<int32>" else pa.type_for_alias(kind)


def parse_selection(data: bytes) -> tuple[dict[int, dict[str, float | None]], dict[str, dict[str, int]]]:
    """Dev scores and chosen checkpoints of a selection.json, epochs as numbers.

    Raises ValueError, TypeError, KeyError or AttributeError where it is none.
    """
    found = json.loads(data)
    dev = {int(epoch): dict(scores) for epoch, scores in found["dev"].items()}
    return dev, {name: dict(chosen) for name, chosen in found["selection"].items()}


def read_run(path: Path) -> Run:
    """Read a run.json; one that another version wrote or that is damaged is an error that names the file."""
    try:
        record: Mapping[str, Any] = json.loads(path.read_bytes())
        version = record.get("schema_version") if isinstance(record, dict) else None
        if version != SCHEMA:
            raise XnerError(
                f"{path}: written with schema {version}, this version reads {SCHEMA}; use the version that wrote it"
            )
        return Run.model_validate(record)
    except IsADirectoryError as error:
        raise XnerError(f"{path}: not a record of a run (a folder is in its place); {MEND}") from error
    except (ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise XnerError(f"{path}: not a record of a run ({first}); {MEND}") from error


def cannot_write(path: Path, error: OSError) -> XnerError:
    reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()
    return XnerError(f"cannot write {path}: {reason}; choose another folder with --results DIR")
