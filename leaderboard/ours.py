"""What a publication may do where it goes: which files there an earlier one wrote, and whether they still are those.

published.json lists them with their hashes. Whatever else lies there stays; a file of ours that somebody changed since
is theirs too. Where one of either kind would be overwritten or deleted, it is named, and nothing is done.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from xner_bench.errors import XnerError
from xner_bench.leaderboard.cells import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

LISTING = "published.json"
FORMAT = 1  # of the listing
NOJEKYLL = ".nojekyll"  # tells GitHub's pages to serve the files as they are
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")

Listed = Mapping[str, frozenset[str]]  # file -> the sha256 of what was published; two where a publication was killed
Hashes = Mapping[str, str]  # file -> the sha256 of what lies there; nothing of a link or a folder


def listing(files: Mapping[str, bytes], replaced: Hashes | None = None) -> bytes:
    """published.json: format, version, and the sha256 of every file beside it.

    `replaced`: of files that are there while these take their places.
    """
    hashes = {name: sha256(files[name]) for name in sorted(files)}
    told: dict[str, object] = {"format": FORMAT, "made_by": f"xner-bench {version('xner-bench')}", "files": hashes}
    return dumped(told | {"replaced": dict(replaced)} if replaced else told)


def listed(data: bytes, where: str) -> Listed:
    """The files that a published.json calls ours, itself included; names that no publication has are left out.

    Raises XnerError where it is none that this version reads.
    """
    try:
        found = json.loads(data)
        written, every = found["format"], (found["files"], found.get("replaced", {}))
        names = {**every[0], **every[1]}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise XnerError(f"{where} is not a list of what was published; publish to another place") from None
    if written != FORMAT:
        raise XnerError(
            f"{where} has format {plain(str(written))[:20]}, this version writes {FORMAT}; update xner-bench"
        )
    own = {name: frozenset(str(hashes[name]) for hashes in every if name in hashes) for name in filter(safe, names)}
    return {**own, LISTING: frozenset()}


def safe(name: str) -> bool:
    """Whether a path is one that a publication may have: inside its folder, of plain names."""
    parts = name.split("/")
    return len(parts) <= 3 and (name == NOJEKYLL or all(map(NAME.fullmatch, parts)))


def check(there: Iterable[str], found: Hashes, owned: Listed, contents: Mapping[str, bytes], where: str) -> None:
    """Make sure that nothing of somebody else's is lost. XnerError, which names a file, where something would be.

    `there` are all files of a place, `found` those of them that are ours.
    """
    if name := _clash(there, owned, contents):
        raise XnerError(
            f"{where} has a file {plain(name)!r} that no publication wrote; move it away, or publish to another place"
        )
    if name := min((name for name in found if edited(name, found, owned, contents)), default=None):
        raise XnerError(
            f"{where} has a file {name!r} that was changed after it was published; "
            "move it to another name, or delete it, then publish again"
        )


def _clash(there: Iterable[str], owned: Listed, contents: Iterable[str]) -> str | None:
    """A file that lies where one of ours would, and that no publication wrote."""
    wanted = set(contents)
    folders = {str(above) for name in wanted for above in PurePosixPath(name).parents} - {"."}
    foreign = set(there).difference(owned)
    below = (name for name in foreign if any(str(above) in wanted for above in PurePosixPath(name).parents))
    return min([*(foreign & (wanted | folders)), *below], default=None)


def edited(name: str, found: Hashes, owned: Listed, contents: Mapping[str, bytes]) -> bool:
    """Whether a file is neither what was published nor what is to be; of the listing itself nobody knows."""
    known = owned[name] | ({sha256(contents[name])} if name in contents else set())
    return name != LISTING and found[name] not in known - {""}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def dumped(value: object) -> bytes:
    """JSON as it is published: the same bytes for the same value."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "replace")
