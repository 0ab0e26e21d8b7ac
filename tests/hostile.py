"""Zips byte by byte, so that they can say what is not so, and bundles with a part exchanged."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from xner_bench.leaderboard import archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass
class Part:
    """A member of a zip, and what is said of it."""

    name: bytes
    data: bytes = b"{}"
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    size: int | None = None  # as said
    crc: int | None = None
    local: bytes | None = None  # the name in front of the contents
    extra: bytes = b""
    offset: int | None = None  # as said in the directory
    before: bytes = b""  # bytes of nobody in front of it

    @property
    def packed(self) -> bytes:
        if self.method == zipfile.ZIP_DEFLATED:
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            return deflate.compress(self.data) + deflate.flush()
        return self.data


def zipped(parts: Sequence[Part], *, behind: bytes = b"", count: int | None = None, comment: bytes = b"") -> bytes:
    """A zip with these members, as they say themselves."""
    body, directory = b"", b""
    for part in parts:
        body += part.before
        start = len(body) if part.offset is None else part.offset
        size = len(part.data) if part.size is None else part.size
        crc = zlib.crc32(part.data) if part.crc is None else part.crc
        told = (crc, len(part.packed), size)
        local = part.name if part.local is None else part.local
        head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, part.flags, part.method, 0, 33, *told, len(local), 0)
        body += head + local + part.packed
        entry = (b"PK\1\2", 0x314, 20, part.flags, part.method, 0, 33, *told, len(part.name), len(part.extra))
        directory += struct.pack("<4s6H3L5H2L", *entry, 0, 0, 0, part.mode << 16, start) + part.name + part.extra
    body += behind
    n = len(parts) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, n, n, len(directory), len(body), len(comment))
    return body + directory + end + comment


def members(path: Path) -> dict[str, bytes]:
    """Names and contents of a bundle, in its order."""
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def exchanged(path: Path, changes: Mapping[str, Callable[[bytes], bytes | None]], to: Path | None = None) -> Path:
    """A bundle in which some files, named by the end of their names, are others; None leaves one out."""
    found: dict[str, bytes] = {}
    for name, data in members(path).items():
        edits = [edit for end, edit in changes.items() if name.endswith(end)]
        changed = edits[0](data) if edits else data
        if changed is not None:
            found[name] = changed
    out = io.BytesIO()
    archive.write(out, found.items())
    target = to or path.with_name(f"changed-{path.name}")
    target.write_bytes(out.getvalue())
    return target


def of_json(edit: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    """A change of a JSON document in place."""

    def change(data: bytes) -> bytes:
        value = json.loads(data)
        edit(value)
        return json.dumps(value).encode()

    return change


def of_rows(edit: Callable[[list[dict[str, Any]]], object]) -> Callable[[bytes], bytes]:
    """A change of a table's rows in place."""

    def change(data: bytes) -> bytes:
        table = pq.read_table(pa.BufferReader(data))
        rows = table.to_pylist()
        edit(rows)
        return parquet(pa.Table.from_pylist(rows, table.schema))

    return change


def parquet(table: pa.Table, **how: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **how)
    data: bytes = sink.getvalue().to_pybytes()
    return data
