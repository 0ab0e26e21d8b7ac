"""What was fetched of a data set, and whether it still is what it was.

`<cache>/data/<dataset>/manifest.json` says for each split which repository, requested revision and commit it
came from, and each file's path, size and sha256; the files lie in `<cache>/data/<dataset>/<commit>/<path>`.
Whoever reads a file compares it first, so that a changed or torn one is never used silently.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xner_bench import files
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.catalogue import Card, HubSource, Split


class ChangedFile(XnerError):
    """A fetched file that is no longer what the manifest says."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Record):
    """A file as it was fetched."""

    path: str
    size: int
    sha256: str


class Entry(_Record):
    """Where the files of one split came from."""

    repo: str
    requested: str
    commit: str
    files: tuple[FileRecord, ...] = Field(min_length=1)

    def came_from(self, source: HubSource | None) -> bool:
        """Whether this is what a card's source asks for; another repository or revision does not count."""
        return source is not None and (self.repo, self.requested) == (source.repo, source.revision)


class Manifest(_Record):
    """All splits of a data set that were fetched, by `language/split`."""

    version: Literal[1] = 1
    entries: dict[str, Entry] = {}

    def entry(self, source: HubSource | None, language: str, split: Split) -> Entry | None:
        """The split as fetched from this source."""
        entry = self.entries.get(f"{language}/{split}")
        return entry if entry and entry.came_from(source) else None

    def revision(self, source: HubSource) -> str:
        """The commit that the revision stood for when it was first resolved, else the revision itself."""
        commits = (entry.commit for entry in self.entries.values() if entry.came_from(source))
        return next(commits, source.revision)

    def with_entry(self, language: str, split: Split, entry: Entry) -> Manifest:
        """This manifest and one split more, in the order of their names."""
        return Manifest(entries=dict(sorted({**self.entries, f"{language}/{split}": entry}.items())))


class Fetched(NamedTuple):
    """The verified files of a split in the cache."""

    paths: tuple[Path, ...]
    sha256: str
    origin: str


def folder(card: Card, cache: Path) -> Path:
    """Where the manifest and the files of a data set lie."""
    return cache / "data" / card.name


def read(card: Card, cache: Path) -> Manifest:
    """The manifest of a data set, an empty one where nothing was fetched."""
    path = folder(card, cache) / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except (ValidationError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a manifest that this version knows"
        raise XnerError(f"{path}: {reason}; delete {path.parent} and fetch again") from error


def write(card: Card, cache: Path, manifest: Manifest) -> None:
    """Store the manifest of a data set."""
    data = manifest.model_dump_json(indent=1).encode()
    files.write_atomically(folder(card, cache) / "manifest.json", data)


def cached(card: Card, language: str, split: Split, cache: Path) -> Fetched | None:
    """The split's files in the cache, None where not fetched. ChangedFile where one has changed since."""
    entry = read(card, cache).entry(card.hub, language, split)
    if entry is None or not all(place(card, cache, entry, file).is_file() for file in entry.files):
        return None
    for file in entry.files:
        path = place(card, cache, entry, file)
        if not _is_whole(path, file):
            again = f"`xner-bench data fetch {card.key(language)}` fetches it again"
            raise ChangedFile(f"{path}: changed since it was fetched; {again}")
    return fetched(card, cache, entry)


def remove_changed(card: Card, cache: Path, entry: Entry) -> None:
    """Delete the files of a split that are no longer what the manifest says."""
    for file in entry.files:
        path = place(card, cache, entry, file)
        if path.is_file() and not _is_whole(path, file):
            path.unlink()


def place(card: Card, cache: Path, entry: Entry, file: FileRecord) -> Path:
    """Where a fetched file lies."""
    return folder(card, cache) / entry.commit / file.path


def _is_whole(path: Path, file: FileRecord) -> bool:
    return path.stat().st_size == file.size and files.sha256(path) == file.sha256


def fetched(card: Card, cache: Path, entry: Entry) -> Fetched:
    """The files of a split. The hash of one file is its own, of several that of their hashes, a line each."""
    hashes = [file.sha256 for file in entry.files]
    whole = hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    origin = f"hub:{entry.repo}@{entry.commit}/{','.join(file.path for file in entry.files)}"
    return Fetched(tuple(place(card, cache, entry, file) for file in entry.files), whole, origin)
