"""A publication as a commit on a branch such as gh-pages, pushed without force.

The commit is made in a repository of its own, from the branch's tip, with no files checked out: nothing on the branch
(links, attributes, hooks) has a say in what is written where. What no publication wrote stays as it is, CNAME say.
Credentials are git's own: its helpers, an ssh agent, or the address; of the repository in which the command is given
those settings are read, too (http, credential, url, user, core.sshCommand).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError
from xner_bench.leaderboard import publish
from xner_bench.leaderboard.hidden import hide, secrets_of
from xner_bench.leaderboard.publish import LISTING, NOJEKYLL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from xner_bench.leaderboard.publish import Publication

PREFIX = "git:"
# Of git's own variables those that say who and how one gets there; others (GIT_DIR, GIT_TRACE, ...) stay out.
# And GIT_CONFIG_*, which is how a workflow passes settings on.
KEPT = frozenset(
    (
        *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
        *("GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"),
    )
)
LOCAL = r"^(http|credential|url|user|author|committer)\.|^core\.sshcommand$"


class Branch(NamedTuple):
    """Where a publication goes."""

    remote: str  # an address, a folder, or the name of a remote of the repository that one is in
    name: str

    @property
    def shown(self) -> str:
        return hide(f"{self.remote}#{self.name}", secrets_of(self.remote))


def branch(text: str) -> Branch:
    """`REMOTE#BRANCH`; XnerError where it is none."""
    remote, sign, name = text.rpartition("#")
    told = hide(text, secrets_of(text))
    if not (sign and remote and name):
        raise XnerError(
            f"git:{told} does not say which branch; write git:REMOTE#BRANCH, for example git:origin#gh-pages"
        )
    if remote.startswith("-") or any(not one.isprintable() for one in text):
        raise XnerError(f"git:{told} has no address of a repository before its #; write git:REMOTE#BRANCH")
    if name.startswith(("-", "refs/")) or _git(Path.cwd(), "check-ref-format", f"refs/heads/{name}").returncode:
        raise XnerError(f"git cannot have a branch {name!r}; write git:REMOTE#BRANCH, for example git:origin#gh-pages")
    return Branch(remote, name)


def push(publication: Publication, to: Branch) -> str:
    """Publish, and say what was done. XnerError where git cannot; nothing is changed then."""
    with tempfile.TemporaryDirectory(prefix="xner-publish-") as folder:
        return _Repository(Path(folder), to).publish(publication)


class _Repository:
    """A bare repository for one commit."""

    def __init__(self, folder: Path, to: Branch) -> None:
        self.folder = folder
        self.to = to
        self.settings = dict(_local_settings())
        self.address = _address(to.remote)
        self.secrets = (*secrets_of(to.remote), *secrets_of(self.address))
        self.ref = f"refs/heads/{to.name}"

    def publish(self, publication: Publication) -> str:
        author, committer = self.identity("AUTHOR"), self.identity("COMMITTER")
        self.git("init", "--quiet", "--bare", "--template=", ".")
        tip = self.fetch()
        files = self.with_nojekyll(publication.files, tip)
        removed = self.check(files, tip)
        self.git("fast-import", "--quiet", data=_stream(files, removed, publication.message, author, committer, tip))
        made = self.tree("refs/heads/published")
        if tip and self.tree(tip) == made:
            return f"{self.to.shown} is as it would be: nothing was pushed"
        self.send()
        commit = self.git("rev-parse", "refs/heads/published").strip()
        return f"pushed {commit[:12]} to {self.to.shown}"

    def identity(self, role: str) -> str:
        """`Name <address> seconds zone`, as git has it configured."""
        done = _git(self.folder, "var", f"GIT_{role}_IDENT", settings={**self.settings, "user.useConfigOnly": "true"})
        if done.returncode:
            raise XnerError(
                "git does not know who commits; tell it: git config --global user.name NAME, and user.email ADDRESS"
            )
        return done.stdout.decode("utf-8", "replace").strip()

    def fetch(self) -> str | None:
        """The branch's last commit; None where there is no such branch."""
        if not self.git("ls-remote", "--heads", "--", self.address, self.ref, reach=True).strip():
            return None
        self.git("fetch", "--quiet", "--depth=1", "--no-tags", "--", self.address, self.ref, reach=True)
        return self.git("rev-parse", "FETCH_HEAD").strip()

    def with_nojekyll(self, files: Mapping[str, bytes], tip: str | None) -> dict[str, bytes]:
        """The files, and the mark for GitHub's pages where nobody else has put it there."""
        if tip and NOJEKYLL in self.there(tip) and NOJEKYLL not in self.owned(tip):
            return dict(files)
        others = {name: data for name, data in files.items() if name != LISTING}
        marked = {**others, NOJEKYLL: b""}
        return {**marked, LISTING: publish.listing(marked)}

    def check(self, files: Mapping[str, bytes], tip: str | None) -> list[str]:
        """Our files of before that are no more. XnerError where somebody else's lies in the place of one of ours."""
        if tip is None:
            return []
        there, owned = self.there(tip), self.owned(tip)
        if found := publish.clash(there, owned, files):
            raise publish.refuse_clash(found, self.to.shown)
        return sorted(owned.intersection(there).difference(files))

    def there(self, tip: str) -> frozenset[str]:
        return frozenset(filter(None, self.git("ls-tree", "-r", "-z", "--name-only", tip).split("\0")))

    def owned(self, tip: str) -> frozenset[str]:
        if LISTING not in self.there(tip):
            return frozenset()
        return publish.listed(self.git("show", f"{tip}:{LISTING}").encode(), f"{LISTING} in {self.to.shown}")

    def tree(self, commit: str) -> str:
        return self.git("rev-parse", f"{commit}^{{tree}}").strip()

    def send(self) -> None:
        words = ("push", "--quiet", "--no-verify", "--", self.address, f"refs/heads/published:{self.ref}")
        done = _git(self.folder, *words, settings=self.settings)
        said = done.stderr.decode("utf-8", "replace")
        if done.returncode == 0:
            return
        if "non-fast-forward" in said or "fetch first" in said or "stale info" in said or "cannot lock ref" in said:
            raise XnerError(
                f"{self.to.shown} has moved on meanwhile; run the command again, on top of what is there now"
            )
        raise self.failed("refuses the push", said)

    def git(self, *words: str, data: bytes | None = None, reach: bool = False) -> str:
        """What git prints. `reach` says that the remote is asked."""
        done = _git(self.folder, *words, settings=self.settings, data=data)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace")
            raise self.failed("cannot be reached" if reach else f"cannot be published to (git {words[0]})", said)
        return done.stdout.decode("utf-8", "surrogateescape")

    def failed(self, what: str, said: str) -> XnerError:
        told = hide(_gist(said), self.secrets)
        return XnerError(f"{self.to.shown} {what}: {told}; see to the address and to git's credentials for it")


def _gist(said: str) -> str:
    """The line of git's that says why."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marks = ("remote: error", "! [", "fatal:", "error:", "ERROR")
    return next((line for mark in marks for line in lines if mark in line), lines[-1] if lines else "git says nothing")


def _address(remote: str) -> str:
    """What git is given: of a remote's name its address, of a folder the absolute path."""
    if not set(remote) & set("/:@\\"):
        found = _git(Path.cwd(), "remote", "get-url", "--push", "--", remote)
        if found.returncode == 0:
            return _absolute(found.stdout.decode("utf-8", "surrogateescape").strip())
    return _absolute(remote)


def _absolute(remote: str) -> str:
    path = Path(remote).expanduser() if remote.startswith("~/") else Path(remote)
    return str(path.resolve()) if "://" not in remote and path.exists() else remote


def _local_settings() -> Iterator[tuple[str, str]]:
    """Who and how, of the repository that one is in; its address rewritings and logins hold for the publication too."""
    words = ("config", "--local", "--includes", "--null", "--get-regexp", LOCAL)
    for item in _git(Path.cwd(), *words).stdout.decode("utf-8", "surrogateescape").split("\0"):
        name, _, value = item.partition("\n")
        if name:
            yield name, value


def _stream(
    files: Mapping[str, bytes],
    removed: Iterable[str],
    message: str,
    author: str,
    committer: str,
    tip: str | None,
) -> bytes:
    """The commit as `git fast-import` reads it. Names are those of `publish.safe`, which need no quotes."""
    parts = [
        b"commit refs/heads/published\n",
        f"author {author}\ncommitter {committer}\n".encode(),
        _data(message.encode("utf-8", "replace")),
        f"from {tip}\n".encode() if tip else b"",
        *(f"D {name}\n".encode() for name in removed),
    ]
    for name, data in sorted(files.items()):
        parts += [f"M 100644 inline {name}\n".encode(), _data(data)]
    return b"".join([*parts, b"done\n"])


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _git(
    folder: Path, *words: str, settings: Mapping[str, str] | None = None, data: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git there: no question is asked, no hook is run, and settings are not seen in the list of processes."""
    command = ("git", "-c", "core.hooksPath=/dev/null", *words)
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=_environment(settings or {}),
            input=data or b"",
            capture_output=True,
            check=False,
            start_new_session=True,  # without a terminal, on which ssh would ask
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise XnerError("there is no program git here; install it, or publish to a folder with --to DIR") from error


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _is_kept(name)}
    kept |= {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never", "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    given = kept.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    for at, (name, value) in enumerate(settings.items(), first):
        kept |= {f"GIT_CONFIG_KEY_{at}": name, f"GIT_CONFIG_VALUE_{at}": value}
    return {**kept, "GIT_CONFIG_COUNT": str(first + len(settings))}


def _is_kept(name: str) -> bool:
    return name in KEPT or name.startswith("GIT_CONFIG_")
