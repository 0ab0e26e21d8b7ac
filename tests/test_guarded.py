"""Parquet from strangers: tables of runs and nothing else, and none that takes the reader's memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hostile import parquet
from stores import Filled

from xner_bench.leaderboard import archive, guarded
from xner_bench.leaderboard.archive import Refused
from xner_bench.results import HISTORY, PREDICTIONS, SENTENCE_COUNTS, arrow_type

if TYPE_CHECKING:
    from pathlib import Path

ROW = ("one", "aa", "test", 1, 0, 0, 1, "PER")


def schema(kinds: Any = PREDICTIONS, **other: pa.DataType) -> pa.Schema:
    return pa.schema([(name, other.get(name, arrow_type(kind))) for name, kind in kinds])


def table(rows: int = 1, kinds: pa.Schema | None = None) -> pa.Table:
    kinds = kinds or schema()
    return pa.Table.from_pylist([dict(zip(kinds.names, ROW, strict=True))] * rows, kinds)


def trial(folder: Path, data: bytes, name: str = "predictions") -> None:
    """What becomes of a bundle with this table."""
    out = io.BytesIO()
    archive.write(out, [(f"standard-s1/{name}.parquet", data)])
    (folder / "x.zip").write_bytes(out.getvalue())
    guarded.on_trial(folder / "x.zip")


def test_tables_of_runs_are_read_as_they_are(tmp_path: Path) -> None:
    bench = Filled(tmp_path)
    run = bench.complete()
    for name in ("scores", "predictions", "history"):
        data = (bench.store.folder(run.run_id) / f"{name}.parquet").read_bytes()
        assert guarded.read(data, name).equals(bench.store.table(run.run_id, name))
        trial(tmp_path, data, name)


def test_counts_of_sentences_and_empty_tables_are_read() -> None:
    rows = [{"dataset": "one", "language": "aa", "split": "test", "checkpoint": 1, "profile": "word-strict"}]
    full = pa.Table.from_pylist([{**rows[0], "tp": [1, 0], "fp": [0, 0], "fn": []}], schema(SENTENCE_COUNTS))
    assert guarded.read(parquet(full), "sentence_counts").equals(full)
    assert guarded.read(parquet(table(0)), "predictions").num_rows == 0


WRONG: dict[str, pa.Table] = {
    "a column less": table().drop(["end"]),
    "a column more": table().append_column("extra", pa.array([1])),
    "another order": table().select(["language", "dataset", *table().column_names[2:]]),
    "other integers": table(kinds=schema(start=pa.int32())),
    "unsigned integers": table(kinds=schema(start=pa.uint64())),
    "floats": table(kinds=schema(start=pa.float64())),
    "large text": table(kinds=schema(type=pa.large_string())),
    "bytes": table(kinds=schema(type=pa.binary())),
    "dictionaries": table(kinds=schema(type=pa.dictionary(pa.int32(), pa.string()))),
    "lists": table().set_column(7, "type", pa.array([["PER"]])),
    "structs": table().set_column(7, "type", pa.array([{"a": "PER"}])),
    "nothing at all": table().set_column(7, "type", pa.nulls(1)),
    "empty cells": table().set_column(7, "type", pa.array([None], pa.string())),
    "metadata": table().replace_schema_metadata({"pandas": "{}"}),
    "pickled metadata": table().replace_schema_metadata({"pickle": b"cos\nsystem\n(S'touch /tmp/x'\ntR."}),
}


@pytest.mark.parametrize("name", WRONG)
def test_other_tables_are_refused(name: str) -> None:
    with pytest.raises(Refused):
        guarded.read(parquet(WRONG[name]), "predictions")


MADE: list[bytes] = []


class Exploding(pa.ExtensionType):  # type: ignore[misc]
    """A type that says so when it is made from a file."""

    def __init__(self) -> None:
        super().__init__(pa.int64(), "exploding")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> Exploding:
        MADE.append(serialized)
        return cls()


def test_types_that_some_program_knows_are_not_made(tmp_path: Path) -> None:
    """They are refused by the process that knows none."""
    start = pa.ExtensionArray.from_storage(Exploding(), pa.array([0]))
    data = parquet(table().set_column(5, "start", start))
    pa.register_extension_type(Exploding())
    try:
        with pytest.raises(Refused, match="types of its own"):
            trial(tmp_path, data)
        assert MADE == []
    finally:
        pa.unregister_extension_type("exploding")


@pytest.mark.parametrize("how", [{"compression": "gzip"}, {"compression": "zstd"}, {"compression": "brotli"}])
def test_only_the_usual_compression_is_undone(how: dict[str, str]) -> None:
    with pytest.raises(Refused, match="compressed with"):
        guarded.read(parquet(table(100), **how), "predictions")


NONE = (b"", b"PAR1", b"x" * 100, b"PAR1" + b"\xff" * 60 + b"PAR1", b"PARE" + b"x" * 60 + b"PARE")


@pytest.mark.parametrize("data", NONE, ids=range(len(NONE)))
def test_what_is_no_parquet_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        guarded.read(data, "predictions")
    with pytest.raises(Refused, match="cannot be read"):
        trial(tmp_path, data)


def test_a_file_with_any_byte_changed_is_refused_or_read(tmp_path: Path) -> None:
    """Never another error, and never a crash of whoever reads it here."""
    data = parquet(table(3))
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 0x55
        try:
            guarded.read(bytes(changed), "predictions")
        except Refused as error:
            assert "\n" not in str(error)


def test_too_many_rows_or_row_groups_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(table(100), row_group_size=10)
    assert guarded.read(data, "predictions").num_rows == 100
    monkeypatch.setattr(guarded, "GROUPS", 9)
    with pytest.raises(Refused, match="row groups"):
        guarded.read(data, "predictions")
    monkeypatch.setattr(guarded, "ROWS", 99)
    with pytest.raises(Refused, match="100 rows"):
        guarded.read(parquet(table(100)), "predictions")


def test_text_that_is_no_text_is_refused() -> None:
    raw = pa.array([b"\xff\xfe"], pa.binary())
    spoilt = table().set_column(7, "type", raw).cast(schema(type=pa.binary()))
    data = parquet(spoilt, store_schema=False)
    with pytest.raises(Refused):
        guarded.read(data, "predictions")


def test_unknown_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such table"):
        trial(tmp_path, parquet(table()), "weights")


def bomb(rows: int, length: int) -> bytes:
    """One long text in every row: a small file, and rows x length bytes of memory."""
    kind = pa.dictionary(pa.int32(), pa.string())
    long = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * length]))
    made = table(rows).set_column(7, "type", long)
    assert made.schema.field("type").type == kind
    return parquet(made, store_schema=False)


def test_a_small_file_of_endless_texts_is_read_by_another_process_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "MEMORY", 1 << 30)
    data = bomb(20_000, 1 << 20)
    assert len(data) < 1 << 20
    with pytest.raises(Refused):
        trial(tmp_path, data)


def test_a_table_beyond_the_limit_is_refused_where_memory_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "LARGEST", 1 << 20)
    with pytest.raises(Refused, match="bytes of memory"):
        guarded.read(bomb(3, 1 << 20), "predictions")


def test_whoever_takes_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "SECONDS", 0)
    with pytest.raises(Refused, match="0 s to read"):
        trial(tmp_path, parquet(table()))


def test_a_history_may_have_empty_cells() -> None:
    row: dict[str, Any] = {"epoch": 1, "step": None, "name": "f1", "dataset": "one", "language": "aa", "value": 0.5}
    assert guarded.read(parquet(pa.Table.from_pylist([row], schema(HISTORY))), "history").num_rows == 1


def test_no_module_comes_from_the_folder_that_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyarrow", "xner_bench", "json"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w').close()")
    monkeypatch.chdir(tmp_path)
    trial(tmp_path, parquet(table()))
    assert not (tmp_path / "executed").exists()
