"""A commit on a branch of a real repository on disk: ours and only ours, without force, and no secret in any line."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from publishing import call, filled, publication

from xner_bench.errors import XnerError
from xner_bench.leaderboard import publish_git
from xner_bench.leaderboard.publish_git import Branch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from boards import Bench

SECRET = "canary5ecret"
IDENTITY = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@x"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's settings but the test's, and nobody's repository around."""
    for name, value in {**IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return filled(tmp_path / "bench")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", "board.git")
    return tmp_path / "board.git"


def git(folder: Path, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=folder, check=True, capture_output=True, text=True).stdout


def there(bare: Path, branch: str = "gh-pages") -> dict[str, bytes]:
    names = git(bare, "ls-tree", "-r", "-z", "--name-only", branch).split("\0")[:-1]
    show = ("git", "show")
    return {
        name: subprocess.run((*show, f"{branch}:{name}"), cwd=bare, check=True, capture_output=True).stdout
        for name in names
    }


def commits(bare: Path, branch: str = "gh-pages") -> int:
    return int(git(bare, "rev-list", "--count", branch))


def others(
    bare: Path,
    files: dict[str, str],
    links: dict[str, str] | None = None,
    branch: str = "gh-pages",
    without: str | None = None,
) -> None:
    """Somebody else's commit on a branch."""
    clone = bare.with_name(f"clone {len(list(bare.parent.iterdir()))}")
    git(bare.parent, "clone", "--quiet", str(bare), str(clone))
    if git(bare, "branch", "--list", branch):
        git(clone, "checkout", "--quiet", branch)
    else:
        git(clone, "checkout", "--quiet", "--orphan", branch)
    if without:
        (clone / without).unlink()
    for name, text in files.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text(text, errors="surrogateescape")
    for name, target in (links or {}).items():
        (clone / name).symlink_to(target)
    git(clone, "add", "--all", "--force")
    git(clone, "commit", "--quiet", "-m", "others")
    git(clone, "push", "--quiet", "origin", branch)


def test_nothing_is_pushed_without_the_flag(bench: Bench, bare: Path) -> None:
    for words in ((), ("--dry-run",), ("--dry-run", "--push")):
        answer = call(bench, f"git:{bare}#gh-pages", *words)
        assert answer.status == 0
        assert "nothing was pushed" in answer.text
        assert ("--push" in answer.text) == (words == ())
    assert not git(bare, "branch", "--list")


def test_a_new_branch_has_the_publication_and_nothing_else(bench: Bench, bare: Path) -> None:
    others(bare, {"src.py": "x"}, branch="main")
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert answer.status == 0
    assert f"to {bare}#gh-pages" in answer.text
    found = there(bare)
    expected = publication(bench).files
    assert found.keys() == {*expected, ".nojekyll"}
    assert all(found[name] == expected[name] for name in expected if name != "published.json")
    assert commits(bare) == 1
    said = git(bare, "log", "-1", "--format=%an %ae %B", "gh-pages")
    assert said.startswith("A a@x Leaderboard: 2 entries from 4 runs\n\n- toy: ")
    assert all(run.run_id in said for run in bench.store.runs())


def test_nothing_new_is_no_commit_and_what_is_new_is_one(bench: Bench, bare: Path) -> None:
    call(bench, f"git:{bare}#gh-pages", "--push")
    assert "nothing was pushed" in call(bench, f"git:{bare}#gh-pages", "--push").text
    assert commits(bare) == 1
    more = bench.add("slicer", seed=44, options={"h": 8, "classifier": "trained", "bias": "per_slice"})
    call(bench, f"git:{bare}#gh-pages", "--push")
    assert commits(bare) == 2
    assert f"runs/{more.run_id}/run.json" in there(bare)


def test_what_is_no_more_goes_and_what_others_put_there_stays(bench: Bench, bare: Path) -> None:
    others(bare, {"CNAME": "ner.example", ".nojekyll": "theirs", "docs/a.md": "x", ".gitignore": "*.parquet\nruns"})
    call(bench, f"git:{bare}#gh-pages", "--push")
    (gone, *_) = bench.store.runs()
    (bench.store.folder(gone.run_id) / "run.json").unlink()
    call(bench, f"git:{bare}#gh-pages", "--push")
    found = there(bare)
    assert f"runs/{gone.run_id}/run.json" not in found
    kept = {name: found.pop(name) for name in ("CNAME", ".nojekyll", "docs/a.md", ".gitignore")}
    assert (kept["CNAME"], kept[".nojekyll"], kept["docs/a.md"]) == (b"ner.example", b"theirs", b"x")
    assert found == publication(bench).files
    assert commits(bare) == 3


@pytest.mark.parametrize("name", ["index.html", "runs", "README.md/x"])
def test_a_file_of_others_in_our_place_is_refused(bench: Bench, bare: Path, name: str) -> None:
    others(bare, {name: "theirs"})
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert f"{name!r} that no publication wrote" in answer.text
    assert commits(bare) == 1


@pytest.mark.parametrize("name", ["runs", "README.md"])
def test_a_link_on_the_branch_leads_nowhere(bench: Bench, bare: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    others(bare, {"published.json": json.dumps({"format": 1, "files": {name: ""}})}, {name: str(outside)})
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert f"{name!r} that was changed after it was published" in answer.text
    assert not list(outside.iterdir())


@pytest.mark.parametrize("name", ["index.html", "README.md", "leaderboard.parquet", "a record that goes"])
def test_a_file_of_ours_that_somebody_changed_is_not_lost(bench: Bench, bare: Path, name: str) -> None:
    call(bench, f"git:{bare}#gh-pages", "--push")
    (gone, *_) = bench.store.runs()
    (bench.store.folder(gone.run_id) / "run.json").unlink()
    name = name if "." in name else f"runs/{gone.run_id}/run.json"
    others(bare, {name: "mine"})
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert f"{bare}#gh-pages has a file {name!r} that was changed after it was published" in answer.text
    assert commits(bare) == 2
    others(bare, {"mine": "mine"}, without=name)
    assert call(bench, f"git:{bare}#gh-pages", "--push").status == 0
    found = there(bare)
    assert found.pop("mine") == b"mine"
    assert found.keys() == {*publication(bench).files, ".nojekyll"}


def test_a_mark_for_pages_that_somebody_wrote_into_is_theirs(bench: Bench, bare: Path) -> None:
    call(bench, f"git:{bare}#gh-pages", "--push")
    assert json.loads(there(bare)["published.json"])["files"][".nojekyll"]
    others(bare, {".nojekyll": "theirs"})
    bench.add(seed=99)
    for _ in range(2):
        assert call(bench, f"git:{bare}#gh-pages", "--push").status == 0
        assert there(bare)[".nojekyll"] == b"theirs"
    assert commits(bare) == 3


def test_a_list_that_is_no_text_is_one_line(bench: Bench, bare: Path) -> None:
    others(bare, {"published.json": "\udcff"})
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "is not a list of what was published" in answer.text


def test_a_push_that_is_overtaken_is_one_line(bench: Bench, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call(bench, f"git:{bare}#gh-pages", "--push")
    send = publish_git._Repository.send

    def overtaken(repository: publish_git._Repository) -> None:
        others(bare, {"CNAME": "x"})
        send(repository)

    monkeypatch.setattr(publish_git._Repository, "send", overtaken)
    bench.add(seed=99)
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "has moved on meanwhile; run the command again" in answer.text
    assert "CNAME" in there(bare)
    monkeypatch.undo()
    assert Path.cwd() != bare.parent or call(bench, f"git:{bare}#gh-pages", "--push").status == 0


def test_a_push_that_the_server_refuses_is_one_line(bench: Bench, bare: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    said = r"error: GH006: it is \033[1;31mprotected\033[0m\n\n  fetch first, hf_canary\033[KCanary1234\n"
    hook.write_text(f"#!/bin/sh\nprintf '{said}' >&2\nexit 1\n")
    hook.chmod(0o755)
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "refuses the push" in answer.text
    assert "pre-receive hook declined" in answer.text
    assert "it says: error: GH006: it is protected / fetch first, ***" in answer.text
    assert "do what it asks for, or publish to another branch" in answer.text
    hook.write_text("#!/bin/sh\nyes x | head -9000 >&2\nexit 1\n")
    assert len(call(bench, f"git:{bare}#gh-pages", "--push").text) < 1000


@pytest.mark.parametrize("branch", ["gh-pages/b", "b" * 300])
def test_a_branch_that_the_remote_cannot_have_is_not_one_that_has_moved_on(
    bench: Bench, bare: Path, branch: str
) -> None:
    others(bare, {"CNAME": "x"})
    answer = call(bench, f"git:{bare}#{branch}", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "refuses the push: ! [remote rejected]" in answer.text
    assert f"it says: error: cannot lock ref 'refs/heads/{branch}'" in answer.text
    assert "or publish to another branch" in answer.text


@pytest.mark.parametrize("branch", ["gh-pages", "new"])
def test_two_pushes_at_one_moment_are_one_that_was_overtaken(bench: Bench, bare: Path, branch: str) -> None:
    call(bench, f"git:{bare}#gh-pages", "--push")
    hook = bare / "hooks" / "pre-receive"  # the branch moves after git has compared it, and before it writes
    others(bare, {"CNAME": "x"}, branch="other")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\nexec git update-ref refs/heads/{branch} other\n")
    hook.chmod(0o755)
    bench.add(seed=99)
    answer = call(bench, f"git:{bare}#{branch}", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "has moved on meanwhile; run the command again" in answer.text


def test_an_address_that_is_too_long_for_a_folder_is_one_line(bench: Bench) -> None:
    answer = call(bench, f"git:{'y' * 5000}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "yyy#gh-pages cannot be reached: fatal:" in answer.text


def test_who_commits_must_be_known(bench: Bench, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in IDENTITY:
        monkeypatch.delenv(name)
    answer = call(bench, f"git:{bare}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "git config --global user.name" in answer.text
    assert not git(bare, "branch", "--list")


def test_remotes_and_identity_are_those_of_the_repository_that_one_is_in(
    bench: Bench, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in IDENTITY:
        monkeypatch.delenv(name)
    git(tmp_path, "init", "--quiet", "work")
    work = tmp_path / "work"
    git(work, "remote", "add", "origin", str(bare))
    git(work, "config", "user.name", "Local")
    git(work, "config", "user.email", "local@x")
    monkeypatch.chdir(work)
    assert "to origin#gh-pages" in call(bench, "git:origin#gh-pages", "--push").text
    assert git(bare, "log", "-1", "--format=%an", "gh-pages").strip() == "Local"
    assert git(work, "status", "--porcelain") == ""


def test_the_folder_that_one_is_in_may_be_no_more(
    bench: Bench, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for remote in (".", "../board.git", "board.git"):
        answer = call(bench, f"git:{remote}#gh-pages", "--push")
        assert (answer.status, answer.text.count("\n")) == (2, 1)
        assert f"{remote} cannot be found: the folder" in answer.text or "cannot be reached" in answer.text
    assert call(bench, f"git:{bare}#gh-pages", "--push").status == 0
    assert there(bare).keys() == {*publication(bench).files, ".nojekyll"}


def test_variables_that_lead_git_astray_and_hooks_of_others_do_nothing(
    bench: Bench, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "pre-commit", "post-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "gitconfig").write_text(f"[core]\nhooksPath = {hooks}\nautocrlf = true\nexcludesFile = {hooks}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    assert call(bench, f"git:{bare}#gh-pages", "--push").status == 0
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("text", ["", "x", "#", "x#", "#x", "-u#a", "x\n#a"])
def test_what_names_no_branch_is_one_line(text: str) -> None:
    with pytest.raises(XnerError) as told:
        publish_git.branch(text)
    assert "git:REMOTE#BRANCH" in str(told.value)


NO_BRANCHES = (
    *("a b", "-f", "a..b", "refs/heads/a", "HEAD", "@", "@{-1}", "a.lock", ".a", "a/", "/a", "a//b", "a."),
    *("a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b"),
)


@pytest.mark.parametrize("name", NO_BRANCHES)
def test_a_branch_that_git_cannot_have_is_one_line(name: str) -> None:
    with pytest.raises(XnerError, match="git cannot have a branch"):
        publish_git.branch(f"x#{name}")


def test_a_branch_is_read_as_it_is_written() -> None:
    assert publish_git.branch("https://x/y.git#a/b") == Branch("https://x/y.git", "a/b")


class _Locked(BaseHTTPRequestHandler):
    """A server that wants another password, and says which one it got."""

    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization", ""))
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def locked() -> Iterator[HTTPServer]:
    handler = type("Locked", (_Locked,), {"seen": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("login", [f"me:{SECRET}@", f"{SECRET}@", ""])
def test_no_password_is_asked_for_and_none_is_repeated(
    bench: Bench, locked: HTTPServer, login: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GIT_TRACE", "GIT_CURL_VERBOSE", "GIT_TRACE_CURL"):
        monkeypatch.setenv(name, "1")
    address = f"http://{login}127.0.0.1:{locked.server_address[1]}/x.git"
    for words in (("--push",), ("--dry-run",)):
        answer = call(bench, f"git:{address}#gh-pages", *words)
        assert SECRET not in answer.text
    assert call(bench, f"git:{address}", "--push").text.count(SECRET) == 0
    answer = call(bench, f"git:{address}#gh-pages", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "cannot be reached" in answer.text
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not kept


def test_git_that_is_not_there_is_one_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    answer = call(bench, "git:x#y", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "no program git" in answer.text
