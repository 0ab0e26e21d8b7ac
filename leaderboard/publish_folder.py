"""A publication as a folder: a new one appears whole, an own one is replaced, anything else is refused.

In a folder that is there, all files are written beside their places first, so that a full disk changes nothing; then
they are renamed, each whole. The list of what is ours goes before and after: a kill at any moment leaves a folder
that the next publication knows.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench import files
from xner_bench.errors import XnerError
from xner_bench.leaderboard import ours
from xner_bench.leaderboard.ours import LISTING, NOJEKYLL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from xner_bench.leaderboard.ours import Listed


PART = ".publishing."  # files that are still to be put into their places


class Change(NamedTuple):
    """What a publication does to what is there."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    same: int

    def __str__(self) -> str:
        parts = ((len(self.new), "new"), (len(self.changed), "changed"), (len(self.removed), "removed"))
        return ", ".join([*(f"{number:,} {what}" for number, what in parts if number), f"{self.same:,} as they were"])


def plan(contents: Mapping[str, bytes], folder: Path) -> Change:
    """What `write` would do. XnerError where the folder holds something that is not ours, or cannot be read."""
    try:
        return _plan(contents, folder)
    except OSError as error:
        raise _cannot(folder, error) from error


def _cannot(folder: Path, error: OSError) -> XnerError:
    reason = (error.strerror or str(error)).lower()
    return XnerError(f"cannot publish to {folder}: {reason}; choose another folder with --to DIR")


def _plan(contents: Mapping[str, bytes], folder: Path) -> Change:
    owned = {name: hashes for name, hashes in _owned(folder).items() if name != NOJEKYLL}  # a branch's, not a folder's
    there = {*_there(folder), *(name for name in contents if (folder / name).is_dir())} if owned else set()
    found = _hashes(folder, owned.keys() & there)
    ours.check(there, found, owned, contents, str(folder))
    new = tuple(name for name in contents if name not in there)
    changed = tuple(name for name in contents if name in found and found[name] != ours.sha256(contents[name]))
    removed = tuple(sorted(found.keys() - contents.keys()))
    return Change(new, changed, removed, len(contents) - len(new) - len(changed))


def write(contents: Mapping[str, bytes], folder: Path) -> Change:
    """Make the folder hold the publication and, of what is there, what nobody published."""
    try:
        change = plan(contents, folder)
        if folder.is_dir():
            _replace(contents, folder, change)
        else:
            _make(contents, folder)
    except OSError as error:
        raise _cannot(folder, error) from error
    return change


def _owned(folder: Path) -> Listed:
    """The files that a publication wrote there; XnerError where the folder is something else."""
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise XnerError(f"{folder} is no folder; choose another with --to DIR")
        return {}
    listing = folder / LISTING
    if listing.is_file() and not listing.is_symlink():
        return ours.listed(listing.read_bytes(), str(listing))
    if first := min((path.name for path in folder.iterdir() if not path.name.startswith(PART)), default=None):
        raise XnerError(
            f"{folder} holds something else (it has {first!r} and no {LISTING}); give a folder that is new or empty"
        )
    return {}


def _there(folder: Path) -> Iterator[str]:
    """Files, and links of any kind: nothing is written through one."""
    for above, folders, names in os.walk(folder):
        place = Path(above)
        for name in (*names, *(one for one in folders if (place / one).is_symlink())):
            yield (place / name).relative_to(folder).as_posix()


def _hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: _hash(folder / name) for name in names}


def _hash(path: Path) -> str:
    return "" if path.is_symlink() or path.is_dir() else files.sha256(path)


def _make(contents: Mapping[str, bytes], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:80]}."))
    try:
        _put(contents, part)
        part.chmod(0o755)  # mkdtemp lets nobody else in
        part.replace(folder)
        files.sync_folder(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _replace(contents: Mapping[str, bytes], folder: Path, change: Change) -> None:
    if not (change.new or change.changed or change.removed):
        return
    for left in folder.glob(f"{PART}*"):  # of a publication that was killed
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=folder, prefix=PART))
    try:
        fresh = [name for name in (*change.new, *change.changed) if name != LISTING]
        _put({name: contents[name] for name in fresh}, part)
        every = {name: contents[name] for name in contents if name != LISTING}
        replaced = _hashes(folder, (*change.changed, *change.removed))
        files.write_atomically(folder / LISTING, ours.listing(every, replaced))
        for name in fresh:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).replace(folder / name)
        for name in change.removed:
            _remove(folder, name)
        files.write_atomically(folder / LISTING, contents[LISTING])
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put(contents: Mapping[str, bytes], folder: Path) -> None:
    for name, data in contents.items():
        files.write_atomically(folder / name, data)


def _remove(folder: Path, name: str) -> None:
    """Delete a file, and the folders that it leaves empty."""
    path = folder / name
    path.unlink(missing_ok=True)
    for above in path.parents:
        if above == folder or any(above.iterdir()):
            return
        above.rmdir()
