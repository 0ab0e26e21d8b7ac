"""Whether a file of a store is whole, as far as can be told from the file alone. No torch, nothing is loaded.

PermissionError is raised as it is: whoever may not read a file cannot tell what is wrong with it.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from xner_bench.results import arrow_type, parse_selection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa


def read_table(path: Path, schema: Sequence[tuple[str, str]]) -> tuple[pa.Table | None, str]:
    """A table and nothing, or no table and what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream:
            table = pq.ParquetFile(stream).read()
    except PermissionError:
        raise
    except (OSError, pa.ArrowException) as error:
        return None, " ".join(str(error).split())
    expected = pa.schema([(name, arrow_type(kind)) for name, kind in schema])
    if not table.schema.equals(expected):
        return None, f"its columns are not {', '.join(name for name, _ in schema)} as they should be"
    return table, ""


def read_selection(path: Path) -> tuple[Any, str]:
    """Dev scores and chosen checkpoints, epochs as numbers."""
    try:
        return parse_selection(path.read_bytes()), ""
    except PermissionError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return None, f"no selection of checkpoints ({type(error).__name__}: {error})"


def checkpoint_problem(folder: Path) -> str:
    """What is wrong with a transformers folder, as far as can be told without loading it."""
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file() or not weights:
        return "no weights or no config.json"
    for path in (*weights, *sorted(folder.glob("*.json"))):
        try:
            _measure(path) if path.suffix == ".safetensors" else json.loads(path.read_bytes())
        except PermissionError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            return f"{path.name} is damaged ({error})"
    return ""


def _measure(path: Path) -> None:
    """Raises ValueError where a safetensors file is not as long as its header says."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        size = path.stat().st_size
        if length > size - 8:
            raise ValueError("it is cut")
        header = json.loads(stream.read(length))
    end = max((one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"), default=0)
    if size != 8 + length + end:
        raise ValueError(f"{size} bytes, not {8 + length + end}")


def parquet_problem(path: Path) -> str:
    """What is wrong with a Parquet file of any columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_table(path)
    except PermissionError:
        raise
    except (OSError, pa.ArrowException) as error:
        return " ".join(str(error).split())
    return ""
