"""Columns of words and tags in a Parquet file -> Python tuples, tag ids by their names.

The hub's files carry the names of their tag ids in the schema's metadata (key `huggingface`, a ClassLabel).
Those names decide; where the card gives other ones, the file is not the one that the card describes.
"""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from sys import intern
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Rows = list[tuple[str, ...]]


def read(path: Path, words: str, tags: str, tag_ids: Sequence[str]) -> tuple[Rows, Rows]:
    """Words and tag names of every row. Raises ValueError with the reason, OSError where there is no file."""
    table = _table(path, (words, tags))
    names = _schema_names(table.schema.metadata or {}, tags)
    if names and tag_ids and names != tuple(tag_ids):
        raise ValueError(f"tag ids are {' '.join(names)} in the file, {' '.join(tag_ids)} in the card")
    return _rows(table, words, ()), _rows(table, tags, names or tuple(tag_ids))


def _table(path: Path, columns: Sequence[str]) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with path.open("rb") as stream:
            file = parquet.ParquetFile(stream)
            known = file.schema_arrow.names
            if missing := [column for column in columns if column not in known]:
                raise ValueError(f"no column {missing[0]!r}; it has {', '.join(known)}")
            return file.read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise ValueError(f"not a readable Parquet file ({_one_line(error)}); copy or fetch it again") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _schema_names(metadata: dict[bytes, bytes], column: str) -> tuple[str, ...]:
    """The tag names that the hub keeps in the schema, () where it has none."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    except (ValueError, AttributeError):
        return ()
    return next(_class_labels(features.get(column)), ())


def _class_labels(feature: Any) -> Iterator[tuple[str, ...]]:
    """Names of the ClassLabels in a feature: every release of `datasets` has nested them another way."""
    if isinstance(feature, dict):
        names = feature.get("names")
        if isinstance(names, list):
            yield tuple(map(str, names))
        elif isinstance(names, dict):  # {"0": "O", "1": "B-PER"}, as a README has them
            yield tuple(str(names[key]) for key in sorted(names, key=int))
    for inner in feature.values() if isinstance(feature, dict) else feature if isinstance(feature, list) else ():
        yield from _class_labels(inner)


def _rows(table: Any, column: str, names: tuple[str, ...]) -> Rows:
    """One tuple a row: the strings themselves, or for integers the names they stand for."""
    import pyarrow as pa

    rows: Rows = []
    for chunk in table.column(column).chunks:
        if not (pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type)):
            raise ValueError(f"column {column!r} must hold lists, it holds {chunk.type}")
        flat = chunk.flatten()
        if chunk.null_count or flat.null_count:
            raise ValueError(f"column {column!r} holds nulls")
        ends = accumulate(chunk.value_lengths().to_pylist(), initial=0)
        strings = _strings(flat, column, names)
        rows.extend(tuple(strings[start:stop]) for start, stop in pairwise(ends))
    return rows


def _strings(flat: Any, column: str, names: tuple[str, ...]) -> list[str]:
    import pyarrow as pa

    if pa.types.is_string(flat.type) or pa.types.is_large_string(flat.type):
        return list(map(intern, flat.to_pylist()))
    if not pa.types.is_integer(flat.type):
        raise ValueError(f"column {column!r} must hold lists of strings or ids, it holds lists of {flat.type}")
    ids = flat.to_pylist()
    if ids and not (min(ids) >= 0 and max(ids) < len(names)):
        raise ValueError(f"column {column!r} holds ids {min(ids)}..{max(ids)}, {len(names)} have names")
    return list(map(names.__getitem__, ids))
