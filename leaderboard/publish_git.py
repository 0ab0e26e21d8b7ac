"""A publication as a commit on a branch such as gh-pages, pushed without force.

The commit is made in a repository of its own, from the branch's tip, with no files checked out: nothing on the branch
(links, attributes, hooks) has a say in what is written where. What no publication wrote stays as it is, CNAME say.
Credentials are git's own: its helpers, an ssh agent, or the address; of the repository in which the command is given
those settings are read, too (http, credential, url, user, core.sshCommand).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError
from xner_bench.leaderboard import git, ours
from xner_bench.leaderboard.cells import plain
from xner_bench.leaderboard.hidden import hide, secrets_of
from xner_bench.leaderboard.ours import LISTING, NOJEKYLL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.leaderboard.ours import Listed
    from xner_bench.leaderboard.publish import Publication

PREFIX = "git:"
REMOTE = "remote:"  # begins a line that the other side wrote
MARKS = ("! [", "fatal:", "error:", "ERROR")  # of git's lines the one that says why has the first of these
MOVED = ("non-fast-forward", "fetch first", "stale info", "but expected", "reference already exists")
CREDENTIALS = "see to the address and to git's credentials for it"
COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")  # and the like, for a terminal
LONGEST = 400  # characters of what a remote says that are repeated


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
    if name in ("HEAD", "@") or name.startswith(("-", "refs/")) or not _possible(name):
        raise XnerError(f"git cannot have a branch {name!r}; write git:REMOTE#BRANCH, for example git:origin#gh-pages")
    return Branch(remote, name)


def _possible(name: str) -> bool:
    return git.run(Path(), "check-ref-format", f"refs/heads/{name}").returncode == 0


def push(publication: Publication, to: Branch) -> str:
    """Publish, and say what was done. XnerError where git cannot; nothing is changed then."""
    with tempfile.TemporaryDirectory(prefix="xner-publish-") as folder:
        return _Repository(Path(folder), to).publish(publication)


class _Repository:
    """A bare repository for one commit."""

    def __init__(self, folder: Path, to: Branch) -> None:
        self.folder = folder
        self.to = to
        self.settings = dict(git.local_settings())
        self.address = _address(to.remote)
        self.secrets = (*secrets_of(to.remote), *secrets_of(self.address))
        self.ref = f"refs/heads/{to.name}"

    def publish(self, publication: Publication) -> str:
        author, committer = self.identity("AUTHOR"), self.identity("COMMITTER")
        self.git("init", "--quiet", "--bare", "--template=", ".")
        tip = self.fetch()
        files, removed = self.checked(publication.files, self.there(tip) if tip else {})
        self.git("fast-import", "--quiet", data=_stream(files, removed, publication.message, author, committer, tip))
        made = self.tree("refs/heads/published")
        if tip and self.tree(tip) == made:
            return f"{self.to.shown} is as it would be: nothing was pushed"
        self.send()
        commit = self.git("rev-parse", "refs/heads/published").strip()
        return f"pushed {commit[:12]} to {self.to.shown}"

    def identity(self, role: str) -> str:
        """`Name <address> seconds zone`, as git has it configured."""
        settings = {**self.settings, "user.useConfigOnly": "true"}
        done = git.run(self.folder, "var", f"GIT_{role}_IDENT", settings=settings)
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

    def checked(self, files: Mapping[str, bytes], there: Mapping[str, str]) -> tuple[dict[str, bytes], list[str]]:
        """The files to write, and those of ours that are no more. XnerError where something of others would be lost."""
        owned = self.owned(there)
        found = self.hashes({name: there[name] for name in owned.keys() & there.keys()})
        if NOJEKYLL in found and ours.edited(NOJEKYLL, found, owned, {}):  # it does its work whatever is in it
            owned = {name: hashes for name, hashes in owned.items() if name != NOJEKYLL}
            del found[NOJEKYLL]
        wanted = _with_nojekyll(files) if NOJEKYLL in found or NOJEKYLL not in there else dict(files)
        ours.check(there, found, owned, wanted, self.to.shown)
        return wanted, sorted(found.keys() - wanted.keys())

    def there(self, tip: str) -> dict[str, str]:
        """Path -> the id of its content; nothing of links and of other repositories."""
        found = {}
        for line in filter(None, self.git("ls-tree", "-r", "-z", tip).split("\0")):
            about, _, name = line.partition("\t")
            mode, _, blob = about.split(" ")
            found[name] = blob if mode.startswith("100") else ""
        return found

    def owned(self, there: Mapping[str, str]) -> Listed:
        if not there.get(LISTING):
            return {}
        (told,) = self.contents([there[LISTING]])
        return ours.listed(told, f"{LISTING} in {self.to.shown}")

    def hashes(self, blobs: Mapping[str, str]) -> dict[str, str]:
        """Path -> the sha256 of its content."""
        known = sorted({blob for blob in blobs.values() if blob})
        hashes = {blob: ours.sha256(data) for blob, data in zip(known, self.contents(known), strict=True)}
        return {name: hashes.get(blob, "") for name, blob in blobs.items()}

    def contents(self, blobs: Sequence[str]) -> Iterator[bytes]:
        told = self.ask("cat-file", "--batch", data="".join(f"{blob}\n" for blob in blobs).encode())
        at = 0
        for _ in blobs:
            start = told.index(b"\n", at) + 1  # behind `<id> blob <size>`
            at = start + int(told[at:start].split()[2]) + 1
            yield told[start : at - 1]

    def tree(self, commit: str) -> str:
        return self.git("rev-parse", f"{commit}^{{tree}}").strip()

    def send(self) -> None:
        words = ("push", "--quiet", "--no-verify", "--", self.address, f"refs/heads/published:{self.ref}")
        done = git.run(self.folder, *words, settings=self.settings)
        said = done.stderr.decode("utf-8", "replace")
        if done.returncode == 0:
            return
        declined = "hook declined" in said  # its words may be any
        if not declined and any(sign in said for sign in MOVED):
            raise XnerError(
                f"{self.to.shown} has moved on meanwhile; run the command again, on top of what is there now"
            )
        step = "do what it asks for, or publish to another branch" if "remote rejected" in said else CREDENTIALS
        raise self.failed("refuses the push", said, step)

    def git(self, *words: str, data: bytes | None = None, reach: bool = False) -> str:
        """What git prints. `reach` says that the remote is asked."""
        return self.ask(*words, data=data, reach=reach).decode("utf-8", "surrogateescape")

    def ask(self, *words: str, data: bytes | None = None, reach: bool = False) -> bytes:
        done = git.run(self.folder, *words, settings=self.settings, data=data)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace")
            raise self.failed("cannot be reached" if reach else f"cannot be published to (git {words[0]})", said)
        return done.stdout

    def failed(self, what: str, said: str, step: str = CREDENTIALS) -> XnerError:
        return XnerError(f"{self.to.shown} {what}: {_gist(hide(COLOURS.sub('', said), self.secrets))}; {step}")


def _with_nojekyll(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, and the mark for GitHub's pages."""
    marked = {**{name: data for name, data in files.items() if name != LISTING}, NOJEKYLL: b""}
    return {**marked, LISTING: ours.listing(marked)}


def _gist(said: str) -> str:
    """The line of git's that says why, and what the remote said: a hook's own words, say, without their colours."""
    lines = list(filter(None, map(plain, said.splitlines())))
    remote = [line.removeprefix(REMOTE).strip() for line in lines if line.startswith(REMOTE)]
    own = [line for line in lines if not line.startswith(REMOTE)]
    why = next((line for mark in MARKS for line in own if mark in line), own[-1] if own else "git says nothing")
    told = " / ".join(filter(None, remote))
    return f"{why}; it says: {told[:LONGEST]}" if told else why


def _address(remote: str) -> str:
    """What git is given: of a remote's name its address, of a folder the absolute path."""
    if not set(remote) & set("/:@\\"):
        found = git.run(Path(), "remote", "get-url", "--push", "--", remote)
        if found.returncode == 0:
            return _absolute(found.stdout.decode("utf-8", "surrogateescape").strip())
    return _absolute(remote)


def _absolute(remote: str) -> str:
    path = Path(remote).expanduser() if remote.startswith("~/") else Path(remote)
    try:
        return str(path.resolve()) if "://" not in remote and path.exists() else remote
    except FileNotFoundError as error:
        raise XnerError(f"{remote} cannot be found: the folder that you are in was deleted; go to another") from error
    except OSError:  # no path, as it is too long, say: git will tell
        return remote


def _stream(
    files: Mapping[str, bytes],
    removed: Iterable[str],
    message: str,
    author: str,
    committer: str,
    tip: str | None,
) -> bytes:
    """The commit as `git fast-import` reads it. Names are those of `ours.safe`, which need no quotes."""
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
