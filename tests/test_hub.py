"""Fetching from a hub on loopback: pinned, verified, and never asked again."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from handmade import ROWS, card, counted, parquet_bytes
from hubserver import HubServer

from xner_bench import corpus, hub, manifest
from xner_bench.corpus import MissingSplit, Places
from xner_bench.errors import XnerError
from xner_bench.hub import HubUnreachable
from xner_bench.manifest import ChangedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xner_bench.catalogue import Card, Split

REPO = "datasets/owner/tiny"
READING: dict[str, Any] = {"types": ("PER", "ORG", "LOC"), "harmonize": {"DATE": "O"}}
HUB_SPLITS = ("train", "validation", "test")


def repository(language: str = "hau") -> dict[str, bytes]:
    files = {
        f"{language}/{name}-00000-of-00001.parquet": parquet_bytes(ROWS[:n]) for n, name in enumerate(HUB_SPLITS, 1)
    }
    return {"README.md": b"# tiny\n", "tiny.py": b"raise SystemExit('never run')\n", **files}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    import huggingface_hub

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    hub._ask.cache_clear()  # the port may have been another test's
    hub._failures.clear()
    with HubServer({REPO: repository()}) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running
        huggingface_hub.close_session()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def read(known: Card, cache: Path, split: Split = "test", offline: bool = False) -> corpus.Corpus:
    return corpus.read(known, known.languages["hau"], split, Places(None, cache, offline), **READING)


def test_a_split_is_fetched_once_and_then_read_without_a_network(server: HubServer, cache: Path) -> None:
    known = counted(card(), train=1, dev=2, test=3)
    first = read(known, cache)
    assert first.origin == f"hub:owner/tiny@{server.commits[REPO]}/hau/test-00000-of-00001.parquet"
    assert [sentence.words for sentence in first.sentences] == [tuple(words) for words, _ in ROWS]
    asked = len(server.requests)
    assert read(known, cache) == first
    assert read(known, cache, offline=True) == first
    assert len(server.requests) == asked
    assert not any(".py" in request for request in server.requests)


def test_the_manifest_says_what_was_fetched(server: HubServer, cache: Path) -> None:
    known = card()
    found = read(known, cache, "dev")
    entry = manifest.read(known, cache).entries["hau/dev"]
    data = server.repositories[REPO]["hau/validation-00000-of-00001.parquet"]
    assert (entry.repo, entry.requested, entry.commit) == ("owner/tiny", "main", server.commits[REPO])
    assert [(file.path, file.size) for file in entry.files] == [("hau/validation-00000-of-00001.parquet", len(data))]
    assert entry.files[0].sha256 == found.sha256
    assert manifest.place(known, cache, entry, entry.files[0]).read_bytes() == data


def test_a_branch_that_moves_does_not_change_what_was_pinned(server: HubServer, cache: Path) -> None:
    known = card()
    commit = server.commits[REPO]
    read(known, cache, "dev")
    server.push(REPO, {"hau/test-00000-of-00001.parquet": parquet_bytes(ROWS[:1])})
    found = read(known, cache, "test")
    assert f"@{commit}/" in found.origin
    assert len(found.sentences) == 3


def test_another_revision_in_the_card_is_fetched_anew(server: HubServer, cache: Path) -> None:
    before = read(card(), cache)
    server.push(REPO, {"hau/test-00000-of-00001.parquet": parquet_bytes(ROWS[:1])})
    pinned = card(hub={"repo": "owner/tiny", "revision": server.commits[REPO], "files": "{language}/{split}-*.parquet"})
    after = read(pinned, cache)
    assert (len(before.sentences), len(after.sentences)) == (3, 1)
    assert manifest.read(pinned, cache).entries["hau/test"].requested == server.commits[REPO]


@pytest.mark.parametrize("paths", [
    {name: f"hau/{name}/0000.parquet" for name in HUB_SPLITS},
    {name: f"hau/masakhaner-{name}.parquet" for name in HUB_SPLITS},
    {name: f"hau/{name}-00000-of-00001-0af.parquet" for name in HUB_SPLITS},
])  # fmt: skip
def test_every_layout_of_the_parquet_branch(server: HubServer, cache: Path, paths: dict[str, str]) -> None:
    other = {path.replace("hau/", "yor/"): parquet_bytes(ROWS[:1]) for path in paths.values()}
    server.repositories[REPO] = {path: parquet_bytes() for path in paths.values()} | other
    source = {
        "repo": "owner/tiny",
        "revision": "refs/convert/parquet",
        "files": "{language}/{split}/*.parquet",
    }
    known = card(hub=source)
    for split in ("train", "dev", "test"):
        assert len(read(known, cache, split).sentences) == 3  # type: ignore[arg-type]


def test_a_split_in_several_files_is_read_in_their_order(server: HubServer, cache: Path) -> None:
    shards = {f"hau/test-0000{n}-of-00003.parquet": parquet_bytes([row]) for n, row in enumerate(ROWS)}
    server.repositories[REPO] = dict(reversed(shards.items()))
    found = read(card(), cache)
    assert [sentence.words for sentence in found.sentences] == [tuple(words) for words, _ in ROWS]
    assert len(found.sha256) == 64
    assert found.origin.count(".parquet") == 3


def test_a_changed_file_is_an_error_until_it_is_fetched_again(server: HubServer, cache: Path) -> None:
    known = card()
    read(known, cache)
    (path,) = manifest.cached(known, "hau", "test", cache).paths  # type: ignore[union-attr]
    whole = path.read_bytes()
    for damage in (whole[:-1] + b"x", whole[:100], b""):
        path.write_bytes(damage)
        with pytest.raises(ChangedFile, match="changed since it was fetched; `xner-bench data fetch tiny:hau` fetches"):
            read(known, cache)
        assert hub.fetch(known, "hau", "test", cache) is not None
        assert path.read_bytes() == whole
    path.unlink()
    assert len(read(known, cache).sentences) == 3


def test_a_file_that_comes_damaged_is_refused(server: HubServer, cache: Path) -> None:
    server.broken.add("hau/test-00000-of-00001.parquet")
    with pytest.raises(XnerError, match=r"came with sha256 .*, the hub says .*; try again") as caught:
        read(card(), cache)
    assert "\n" not in str(caught.value)
    server.broken.clear()
    assert len(read(card(), cache).sentences) == 3


def test_history_that_was_rewritten_is_refused(server: HubServer, cache: Path) -> None:
    known = card()
    read(known, cache)
    (path,) = manifest.cached(known, "hau", "test", cache).paths  # type: ignore[union-attr]
    path.unlink()
    server.repositories[REPO]["hau/test-00000-of-00001.parquet"] = parquet_bytes(ROWS[:1])
    hub._ask.cache_clear()  # another process would ask anew
    with pytest.raises(XnerError, match="the hub's files are not those first fetched"):
        read(known, cache)


def test_what_is_killed_between_file_and_manifest_is_finished(server: HubServer, cache: Path) -> None:
    known = card()
    read(known, cache)
    (manifest.folder(known, cache) / "manifest.json").unlink()
    (path,) = manifest.folder(known, cache).rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-3])
    assert len(read(known, cache).sentences) == 3


def test_a_split_that_the_repository_lacks_is_missing(server: HubServer, cache: Path) -> None:
    del server.repositories[REPO]["hau/test-00000-of-00001.parquet"]
    with pytest.raises(MissingSplit, match=r"none in owner/tiny at main; give its file with --data-root DIR$"):
        read(card(), cache)


@pytest.mark.parametrize(("source", "reason"), [
    ({"repo": "owner/none"}, "RepositoryNotFoundError: 404"),
    ({"revision": "v9"}, "RevisionNotFoundError: 404"),
])  # fmt: skip
def test_a_wrong_repository_or_revision_is_one_line(
    server: HubServer, cache: Path, source: dict[str, str], reason: str
) -> None:
    known = card(hub={"repo": "owner/tiny", "revision": "main", "files": "{language}/{split}.parquet", **source})
    with pytest.raises(HubUnreachable, match=reason) as caught:
        hub.fetch(known, "hau", "test", cache)
    assert "\n" not in str(caught.value)


def test_without_a_network_the_split_is_missing_and_asked_for_once(
    monkeypatch: pytest.MonkeyPatch, cache: Path, server: HubServer
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for _ in range(2):
        with pytest.raises(MissingSplit, match=r"cannot be fetched from http://127.0.0.1:9 \(ConnectError") as caught:
            read(card(), cache)
    assert str(caught.value).endswith("; try again, or give its files with --data-root DIR")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("forbid", ["argument", "environment"])
def test_offline_asks_nobody(monkeypatch: pytest.MonkeyPatch, server: HubServer, cache: Path, forbid: str) -> None:
    if forbid == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingSplit, match="not in the cache"):
        read(card(), cache, offline=forbid == "argument")
    assert server.requests == []


def test_a_manifest_that_is_none_says_what_to_do(server: HubServer, cache: Path) -> None:
    path = manifest.folder(card(), cache) / "manifest.json"
    path.parent.mkdir(parents=True)
    for text in ("", "{", '{"version": 2}', '{"entries": {"hau/test": {}}}'):
        path.write_text(text)
        with pytest.raises(XnerError, match=r"manifest\.json: not a manifest that this version knows; delete"):
            read(card(), cache)


def test_a_cache_that_cannot_be_written(server: HubServer, cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(XnerError, match="cannot be written"):
        hub.fetch(card(), "hau", "test", cache)


def test_many_processes_fetch_each_file_once(server: HubServer, cache: Path) -> None:
    program = """if True:
        import sys
        from pathlib import Path
        from handmade import card
        from xner_bench import hub
        for split in ("train", "dev", "test"):
            assert hub.fetch(card(), "hau", split, Path(sys.argv[1]))
    """
    here = os.path.dirname(__file__)  # noqa: PTH120
    environment = {**os.environ, "PYTHONPATH": here, "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", program, str(cache)]
    running = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    sent = [request for request in server.requests if request.startswith("GET") and request.endswith(".parquet")]
    assert len(sent) == len(set(sent)) == 3
    assert len(manifest.read(card(), cache).entries) == 3
