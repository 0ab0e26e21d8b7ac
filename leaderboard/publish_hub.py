"""A publication as a data set repository of the hub: one commit, on top of what was there when it was looked at.

The hub's address is $HF_ENDPOINT, the token that of $HF_TOKEN or of `hf auth login`: as huggingface_hub finds it. Files
that nobody published from here stay; of ours those that are no more are deleted in the same commit.
"""

from __future__ import annotations

import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench import hub
from xner_bench.errors import XnerError
from xner_bench.leaderboard import publish
from xner_bench.leaderboard.hidden import hide
from xner_bench.leaderboard.publish import LISTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import HfApi

    from xner_bench.leaderboard.publish import Publication

PREFIX = "hf:"
KIND = "dataset"


def repository(text: str) -> str:
    """`ORG/NAME`; XnerError where it is none."""
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
    return f"{hub.endpoint()}/datasets/{repo}"


def push(publication: Publication, repo: str) -> str:
    """Publish, and say what was done. XnerError where the hub refuses or is not to be reached."""
    token = _token()
    with _told(repo, token), tempfile.TemporaryDirectory(prefix="xner-publish-") as folder:
        return _push(_api(token), publication, repo, Path(folder))


def _push(api: HfApi, publication: Publication, repo: str, folder: Path) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    there, tip = _there(api, repo)
    owned = _owned(api, repo, there, tip, folder)
    if owned and (folder / LISTING).read_bytes() == publication.files[LISTING] and publication.names <= there:
        return f"{address(repo)} is as it would be: nothing was pushed"
    if found := publish.clash(there, owned, publication.files):
        raise publish.refuse_clash(found, address(repo))
    operations: list[Any] = [CommitOperationAdd(name, data) for name, data in sorted(publication.files.items())]
    operations += [
        CommitOperationDelete(name) for name in sorted(owned.intersection(there).difference(publication.names))
    ]
    subject, _, description = publication.message.partition("\n")
    done = api.create_commit(
        repo,
        operations,
        commit_message=subject,
        commit_description=description.strip(),
        repo_type=KIND,
        parent_commit=tip,
    )
    return f"pushed {done.oid[:12]} to {address(repo)}"


def _there(api: HfApi, repo: str) -> tuple[frozenset[str], str | None]:
    """The repository's files and last commit; it is made where there is none."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.dataset_info(repo, timeout=hub.TIMEOUT)
    except RepositoryNotFoundError:
        api.create_repo(repo, repo_type=KIND, exist_ok=True)
        info = api.dataset_info(repo, timeout=hub.TIMEOUT)
    return frozenset(file.rfilename for file in info.siblings or ()), info.sha


def _owned(api: HfApi, repo: str, there: frozenset[str], tip: str | None, folder: Path) -> frozenset[str]:
    if LISTING not in there:
        return frozenset()
    path = api.hf_hub_download(repo, LISTING, repo_type=KIND, revision=tip, local_dir=folder)
    return publish.listed(Path(path).read_bytes(), f"{LISTING} in {address(repo)}")


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
    return XnerError(f"{address(repo)} cannot be published to ({hide(reason, (token,))}); try again")
