"""Files of a data set on the hub -> the cache, at one commit; the only code of the data side with a network.

The first fetch resolves the card's revision; later ones of the same data set take the same commit, even
where the revision is a branch that has moved since. $HF_ENDPOINT and $HF_HUB_OFFLINE count as they stand at
the call. Nothing from the hub is ever executed: Parquet files are all that is asked for.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from xner_bench import files, manifest
from xner_bench.errors import XnerError
from xner_bench.manifest import ChangedFile, Entry, Fetched, FileRecord

if TYPE_CHECKING:
    from xner_bench.catalogue import Card, HubSource, Split

# How the hub lays out Parquet, tried in this order after the card's own pattern.
LAYOUTS = ("{language}/{split}/*.parquet", "{language}/{split}-*.parquet", "{language}/*-{split}.parquet")
TIMEOUT = 30.0  # seconds
REMEMBERED = 60.0  # seconds


class HubUnreachable(XnerError):
    """The repository cannot be listed, or breaks off: nothing of it can be fetched now."""


class _Remote(NamedTuple):
    path: str
    size: int | None
    sha256: str | None  # the hub knows it for files in large file storage only


class _Listing(NamedTuple):
    commit: str
    files: tuple[_Remote, ...]


def offline() -> bool:
    """Whether the environment forbids the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def endpoint() -> str:
    """The hub's address."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def fetch(card: Card, language: str, split: Split, cache: Path) -> Fetched | None:
    """Bring a split into the cache, unless it is there whole. None where the repository has none such.

    Raises HubUnreachable, and XnerError where a file came other than the hub or the manifest says, or could
    not be written. Safe to call from many processes.
    """
    from filelock import FileLock

    folder = manifest.folder(card, cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            return _whole(card, language, split, cache) or _download(card, language, split, cache)
    except OSError as error:
        raise XnerError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _whole(card: Card, language: str, split: Split, cache: Path) -> Fetched | None:
    try:
        return manifest.cached(card, language, split, cache)
    except ChangedFile:
        return None


def _download(card: Card, language: str, split: Split, cache: Path) -> Fetched | None:
    """Fetch the files of a split, compare them with what is known of them, and record them."""
    source = _source(card)
    known = manifest.read(card, cache)
    before = known.entry(source, language, split)
    listing = _listing(endpoint(), source.repo, known.revision(source))
    remote = _matching(listing, source, language, split)
    if not remote:
        return None
    if before:
        manifest.remove_changed(card, cache, before)
    folder = manifest.folder(card, cache) / listing.commit
    records = tuple(_download_file(folder, source, listing.commit, file) for file in remote)
    if before and before.files != records:
        changed = f"the hub's files are not those first fetched ({source.repo}@{listing.commit})"
        raise XnerError(f"{card.key(language)} {split}: {changed}")
    entry = Entry(repo=source.repo, requested=source.revision, commit=listing.commit, files=records)
    manifest.write(card, cache, known.with_entry(language, split, entry))
    return manifest.fetched(card, cache, entry)


def _source(card: Card) -> HubSource:
    if card.hub is None:
        raise XnerError(f"{card.name} has no hub repository in its card; give its files with --data-root DIR")
    return card.hub


def _matching(listing: _Listing, source: HubSource, language: str, split: Split) -> list[_Remote]:
    """The files of a split, by the first layout that finds any."""
    name = source.splits.get(split)
    for layout in (source.files, *LAYOUTS) if name else ():
        pattern = layout.format(language=language, split=name)
        if found := [file for file in listing.files if _matches(file.path, pattern)]:
            return sorted(found)
    return []


def _matches(path: str, pattern: str) -> bool:
    pure = PurePosixPath(path)
    alike = len(pure.parts) == len(PurePosixPath(pattern).parts) and pure.match(pattern)
    return alike and ".." not in pure.parts


def _listing(address: str, repo: str, revision: str) -> _Listing:
    """All files of a repository at a revision, and its commit. Raises HubUnreachable.

    A failure is remembered for a while: a run without network asks for dozens of splits, and each would wait.
    """
    where = (address, repo, revision)
    if where in _failures and monotonic() - _failures[where][0] < REMEMBERED:
        raise HubUnreachable(_failures[where][1])
    try:
        return _ask(*where)
    except HubUnreachable as error:
        _failures[where] = (monotonic(), str(error))
        raise


_failures: dict[tuple[str, str, str], tuple[float, str]] = {}


@lru_cache(maxsize=16)
def _ask(address: str, repo: str, revision: str) -> _Listing:
    from huggingface_hub import HfApi

    try:
        api = HfApi(endpoint=address, library_name="xner-bench")
        info = api.dataset_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT)
        remote = tuple(
            _Remote(file.rfilename, file.size, file.lfs.sha256 if file.lfs else None) for file in info.siblings or ()
        )
    except Exception as error:  # whatever a network, a proxy or a hub can do: all of it is told in one line
        _unreachable(f"{repo} at {revision}", address, error)
    if not info.sha:
        _unreachable(f"{repo} at {revision}", address, ValueError("it names no commit"))
    return _Listing(info.sha, remote)


def _download_file(folder: Path, source: HubSource, commit: str, file: _Remote) -> FileRecord:
    """Fetch one file, once more if what lies there is not what the hub says it is."""
    for again in (False, True):
        path = _hub_file(folder, source, commit, file, again)
        record = FileRecord(path=file.path, size=path.stat().st_size, sha256=files.sha256(path))
        if file.sha256 in (None, record.sha256) and file.size in (None, record.size):
            return record
    path.unlink()
    came = f"came with sha256 {record.sha256}, the hub says {file.sha256}"
    raise XnerError(f"{source.repo}/{file.path}: {came}; try again, something on the way changes it")


def _hub_file(folder: Path, source: HubSource, commit: str, file: _Remote, again: bool) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        path = hf_hub_download(
            source.repo,
            file.path,
            repo_type="dataset",
            revision=commit,
            local_dir=folder,
            endpoint=endpoint(),
            force_download=again,
            library_name="xner-bench",
            tqdm_class=_silent(),
        )
    except Exception as error:  # as above, but a full disk is no fault of the network
        if isinstance(error, OSError) and error.errno and error.filename:
            raise
        _unreachable(f"{source.repo}/{file.path}", endpoint(), error)
    return Path(path)


def _silent() -> Any:
    """No bar for each file of a few 100 kB: the command line counts the files."""
    from huggingface_hub import utils

    bar: Any = utils.tqdm  # type: ignore[attr-defined]

    class Silent(bar):  # type: ignore[misc]
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **{**named, "disable": True})

    return Silent


def _unreachable(what: str, address: str, error: Exception) -> NoReturn:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": .")
    step = "try again, or give its files with --data-root DIR"
    raise HubUnreachable(f"{what} cannot be fetched from {address} ({reason}); {step}") from error
