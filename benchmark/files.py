"""Files that are either there whole or not there: temporary file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE_VARIABLE = "XNER_CACHE"


def cache_dir() -> Path:
    """Where fetched data and everything that can be made again lie: $XNER_CACHE, or ~/.cache/xner-bench."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else Path.home() / ".cache" / "xner-bench"


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader, or a kill at any moment, meets the old file or the new one, not a part.

    Raises OSError as the system gives it (full disk, no permission); the old file and the folder are then as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def made_for_use(folder: Path) -> Iterator[None]:
    """Whoever makes a folder, and those above it, in here: they go again where nothing comes into them."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    finally:
        for one in new:
            with contextlib.suppress(OSError):  # something is in it
                one.rmdir()


def held(lock: Path) -> bool:
    """Whether some process holds a lock at this moment; the file is not made where there is none."""
    from filelock import FileLock, Timeout

    if not lock.is_file():
        return False
    own = FileLock(lock)
    try:
        own.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # somebody else's, which we may only read: nobody here can tell
        return False
    own.release()
    return False


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
