"""Parquet from strangers: read first by a process that has only so much memory and time.

What a Parquet file says of its size need not be true, and a few bytes of it can stand for any number of long strings.
So the tables of a bundle are read once for trial by `python -m xner_bench.leaderboard.guarded < FILE`, where the kernel
sets the limits, a crash harms nobody and no types but Arrow's are known. What goes well there is read in the same way
here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from xner_bench.leaderboard import archive
from xner_bench.leaderboard.archive import Refused
from xner_bench.results import arrow_type
from xner_bench.verify import FEW_SHOT, LATER, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

SCHEMAS: Mapping[str, Sequence[tuple[str, str]]] = {**TABLES, **LATER, **FEW_SHOT}
MEMORY = 4 << 30  # bytes of the process that reads for trial
SECONDS = 300  # of its processor
LARGEST = 1 << 30  # bytes of a table in memory
ROWS = 20_000_000  # numbers in a column; of the whole of WikiANN and four checkpoints there are some 800,000 entities
FEWER = {"scores": 200_000, "history": 10_000_000, "few_shot": 1_000_000}
GROUPS = 4_096  # row groups
CODECS = ("SNAPPY", "UNCOMPRESSED")  # the one that runs are written with, and none
REFUSED, OVER = 3, 4  # exit statuses of the process
KNOWN = frozenset({b"ARROW:schema"})  # metadata that runs' tables have


def read(data: bytes, name: str) -> pa.Table:
    """A table of a run ("scores") from the bytes of its file. Raises Refused."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(
            pa.BufferReader(data),
            pre_buffer=False,
            thrift_string_size_limit=1 << 20,
            thrift_container_size_limit=1 << 20,
            arrow_extensions_enabled=False,
        ) as file:
            _check(file, name)
            table = file.read(use_threads=False)
            table.validate(full=True)  # texts are UTF-8, too
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise Refused(f"{name}.parquet cannot be read ({' '.join(str(error).split())[:200]})") from None
    if table.nbytes > LARGEST:
        raise Refused(f"{name}.parquet takes {table.nbytes:,} bytes of memory; at most {LARGEST:,} are read")
    if name != "history" and any(column.null_count for column in table.columns):
        raise Refused(f"{name}.parquet has empty cells")
    return table.cast(_schema(name))


def _check(file: pa.parquet.ParquetFile, name: str) -> None:
    """Refuse by what a file says of itself, before any column is read."""
    about = file.metadata
    if {*(about.metadata or {})} - KNOWN:
        raise Refused(f"{name}.parquet has metadata that runs' tables do not have")
    expected, columns = _schema(name), file.schema_arrow
    if any(key.startswith(b"ARROW:") for column in columns for key in column.metadata or ()):
        raise Refused(f"{name}.parquet has types of its own")  # which some program here may know, and make
    if about.num_columns > len(expected) or not columns.equals(expected):
        raise Refused(f"{name}.parquet has other columns than {', '.join(expected.names)}, or of other types")
    if about.num_row_groups > GROUPS:
        raise Refused(f"{name}.parquet has {about.num_row_groups:,} row groups; at most {GROUPS:,} are read")
    chunks = [about.row_group(group).column(at) for group in range(about.num_row_groups) for at in range(len(expected))]
    if strange := {chunk.compression for chunk in chunks}.difference(CODECS):
        raise Refused(f"{name}.parquet is compressed with {min(strange)}; runs' tables are with {CODECS[0]}")
    most = FEWER.get(name, ROWS)
    values = max(about.num_rows, sum(chunk.num_values for chunk in chunks) // len(expected))
    if values > most or any(not 0 <= chunk.num_values <= most for chunk in chunks):
        raise Refused(f"{name}.parquet has {values:,} rows; at most {most:,} are read")


def _schema(name: str) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(column, arrow_type(kind)) for column, kind in SCHEMAS[name]])


def table_name(member: str) -> str:
    """`scores` of `<run>/scores.parquet`. Raises Refused where no run has such a table."""
    name = member.rpartition("/")[2].removesuffix(".parquet")
    if name not in SCHEMAS:
        raise Refused(f"{member}: runs have no such table")
    return name


def on_trial(path: Path) -> None:
    """Have all tables of a bundle read by another process. Raises Refused where one cannot be, or takes too much."""
    own = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}
    # -P: no module comes from the folder that somebody stands in, as downloads do.
    command = [sys.executable, "-P", "-m", "xner_bench.leaderboard.guarded", str(MEMORY), str(SECONDS)]
    with path.open("rb") as stream:
        told = subprocess.run(command, stdin=stream, capture_output=True, env=own, check=False)
    if not told.returncode:
        return
    last = (told.stdout.decode("utf-8", "replace").splitlines() or ["a table"])[-1]
    if told.returncode == REFUSED:
        raise Refused(last)
    if told.returncode == 1:  # a bug, with its traceback
        raise RuntimeError(told.stderr.decode("utf-8", "replace"))
    raise Refused(f"{last} takes more than {MEMORY >> 30} GiB or {SECONDS} s to read, or crashes the reader")


def main(memory: int = MEMORY, seconds: int = SECONDS) -> int:
    """Read every table of the bundle that is the standard input, within limits; say what is read, and what is wrong."""
    import resource

    for limit, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    stream = sys.stdin.buffer
    try:
        for member in archive.members(stream):
            if member.name.endswith(".parquet"):
                _say(member.name)
                read(archive.read(stream, member), table_name(member.name))
    except Refused as error:
        _say(str(error))
        return REFUSED
    except MemoryError:
        return OVER
    return 0


def _say(text: str) -> None:
    """To the process that asked."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
