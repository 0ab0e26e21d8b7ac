"""Folders that are whole or not there: a marker with every file's size and hash is written last.

The marker is what makes a folder trustworthy, not the order in which a disk happened to write: files are not synced one
by one (a checkpoint is gigabytes), and one that a crash left torn has another hash than its marker says.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from xner_bench import files

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = "complete.json"  # file -> its size in bytes and its sha256


def write(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder of what `fill` writes into the empty one that it is given; takes the place of an older one.

    Raises what `fill` raises, and OSError as the system gives it; nothing is left behind then.
    """
    part = _part(folder)
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        fill(part)
        facts = {path.name: _facts(path) for path in sorted(part.iterdir())}
        files.write_atomically(part / MARKER, (json.dumps(facts, indent=1) + "\n").encode())
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    files.sync_folder(folder.parent)


def problem(folder: Path) -> str | None:
    """What is wrong with a folder: "tagger.safetensors is damaged"; None where all is as its marker says."""
    try:
        facts = json.loads((folder / MARKER).read_bytes())
        for name, (size, sha256) in facts.items():
            if (folder / name).stat().st_size != size or files.sha256(folder / name) != sha256:
                return f"{name} is damaged"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, TypeError, AttributeError):
        return f"{MARKER} is damaged"
    return None


def _facts(path: Path) -> tuple[int, str]:
    return path.stat().st_size, files.sha256(path)


def _part(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.part")
