"""A publication as a data set repository of the hub: one commit, on top of what was there when it was looked at.

The hub's address is $HF_ENDPOINT, the token that of $HF_TOKEN or of `hf auth login`: as huggingface_hub finds it. Files
that nobody published from here stay; of ours those that are no more are deleted in the same commit.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from xner_bench import hub
from xner_bench.errors import XnerError
from xner_bench.leaderboard import ours
from xner_bench.leaderboard.hidden import hide
from xner_bench.leaderboard.ours import LISTING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import DatasetInfo

    from xner_bench.leaderboard.publish import Publication

PREFIX = "hf:"
KIND = "dataset"
ENDPOINT = "HF_ENDPOINT"


def repository(text: str) -> str:
    """`ORG/NAME`; XnerError where it is none, and where $HF_ENDPOINT is no address of a hub."""
    _expect_address()
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(text)
        if text.count("/") == 1:
            return text
    except HFValidationError:
        pass
    raise XnerError(f"hf:{hide(text)} is no repository of the hub; write hf:ORG/NAME")


def address(repo: str) -> str:
    """Where people find it."""
    return f"{hide(hub.endpoint())}/datasets/{repo}"


def _expect_address() -> None:
    try:
        parts = urlsplit(hub.endpoint())
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right:
        told = hide(os.environ[ENDPOINT])
        raise XnerError(f"{ENDPOINT} is {told!r}, no address; unset it, or give one such as https://huggingface.co")


def push(publication: Publication, repo: str) -> str:
    """Publish, and say what was done. XnerError where the hub refuses or is not to be reached."""
    token = _token()
    with _told(repo, token), tempfile.TemporaryDirectory(prefix="xner-publish-") as folder:
        return _Repository(_api(token), repo, Path(folder)).publish(publication)


class _Repository:
    """A repository as it was when it was looked at; it is made where there is none."""

    def __init__(self, api: HfApi, name: str, folder: Path) -> None:
        self.api, self.name = api, name
        self.folder = folder  # for what is fetched
        info = self._info()
        self.tip = info.sha
        self.there = {file.rfilename: file for file in info.siblings or ()}

    def _info(self) -> DatasetInfo:
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return self.api.dataset_info(self.name, files_metadata=True, timeout=hub.TIMEOUT)
        except RepositoryNotFoundError:
            self.api.create_repo(self.name, repo_type=KIND, exist_ok=True)
            return self.api.dataset_info(self.name, files_metadata=True, timeout=hub.TIMEOUT)

    def publish(self, publication: Publication) -> str:
        files, where = publication.files, address(self.name)
        told = self.listing()
        owned = ours.listed(told, f"{LISTING} in {where}") if told else {}
        found = self.hashes(owned.keys() & self.there.keys() - {LISTING}, files)
        ours.check(self.there, found, owned, files, where)
        if told == files[LISTING] and publication.names <= self.there.keys():
            return f"{where} is as it would be: nothing was pushed"
        commit = self.commit(publication, sorted(found.keys() - publication.names))
        return f"pushed {commit[:12]} to {where}"

    def listing(self) -> bytes:
        """published.json; empty where there is none."""
        return self.fetched([LISTING])[LISTING] if LISTING in self.there else b""

    def hashes(self, names: Collection[str], files: Mapping[str, bytes]) -> dict[str, str]:
        """File -> its sha256. The hub knows it of large ones; others are fetched, unless they are as they are to be."""
        found = {}
        for name in names:
            about = self.there[name]
            if about.lfs:
                found[name] = about.lfs.sha256
            elif name in files and about.blob_id == _blob(files[name]):
                found[name] = ours.sha256(files[name])
        unknown = sorted(set(names) - found.keys())
        return found | {name: ours.sha256(data) for name, data in self.fetched(unknown).items()}

    def fetched(self, names: Sequence[str]) -> dict[str, bytes]:
        if names:
            self.api.snapshot_download(
                self.name, repo_type=KIND, revision=self.tip, local_dir=self.folder, allow_patterns=list(names)
            )
        return {name: (self.folder / name).read_bytes() for name in names}

    def commit(self, publication: Publication, removed: Iterable[str]) -> str:
        """Make the commit, on top of what was looked at; its id."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[Any] = [CommitOperationAdd(name, data) for name, data in sorted(publication.files.items())]
        operations += map(CommitOperationDelete, removed)
        subject, _, description = publication.message.partition("\n")
        done = self.api.create_commit(
            self.name,
            operations,
            commit_message=subject,
            commit_description=description.strip(),
            repo_type=KIND,
            parent_commit=self.tip,
        )
        return done.oid


def _blob(data: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def _api(token: str) -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.endpoint(), token=token, library_name="xner-bench")


def _token() -> str:
    from huggingface_hub import get_token

    if hub.offline():
        raise XnerError("HF_HUB_OFFLINE forbids the hub; unset it, or publish to a folder with --to DIR")
    token = get_token()
    if not token:
        raise XnerError("there is no token for the hub; set HF_TOKEN, or log in once with: hf auth login")
    return token


@contextmanager
def _told(repo: str, token: str) -> Iterator[None]:
    """Whatever goes wrong is one line, without the token; bars and warnings of the library are not shown."""
    from huggingface_hub import utils as library

    shown = not library.are_progress_bars_disabled()  # type: ignore[attr-defined]
    library.disable_progress_bars()  # type: ignore[attr-defined]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except XnerError:
        raise
    except Exception as error:  # whatever a network, a proxy or a hub can do: all of it is told in one line
        raise _failed(repo, token, error) from None  # its own text and requests have the token in them
    finally:
        if shown:
            library.enable_progress_bars()  # type: ignore[attr-defined]


def _failed(repo: str, token: str, error: Exception) -> XnerError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 412:
        return XnerError(f"{address(repo)} has moved on meanwhile; run the command again, on top of what is there now")
    if status in (401, 403):
        return XnerError(
            f"the hub refuses this token for {address(repo)} (status {status}); give one that may write there"
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": .")
    return XnerError(f"{address(repo)} cannot be published to ({hide(reason, (token,))}); {_step()}")


def _step() -> str:
    return f"try again, or see to {ENDPOINT}, which says where the hub is" if os.environ.get(ENDPOINT) else "try again"
