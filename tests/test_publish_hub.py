"""A publication on the hub, which here is a server on loopback: one commit, and no token where it does not belong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from huggingface_hub import DatasetCard, constants
from publishing import TOKEN, call, filled, publication
from uploadserver import UploadServer

from xner_bench.errors import XnerError
from xner_bench.leaderboard import publish_hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from boards import Bench

KEY = "datasets/lab/board"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[UploadServer]:
    with UploadServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        yield server


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return filled(tmp_path / "bench")


def test_nothing_is_asked_or_pushed_without_the_flag(bench: Bench, hub: UploadServer) -> None:
    for words in ((), ("--dry-run",), ("--dry-run", "--push")):
        answer = call(bench, "hf:lab/board", *words)
        assert answer.status == 0
        assert "nothing was pushed" in answer.text
    assert not hub.requests


def test_the_repository_is_made_and_gets_the_publication_in_one_commit(bench: Bench, hub: UploadServer) -> None:
    answer = call(bench, "hf:lab/board", "--push")
    assert answer.status == 0
    assert f"{hub.address}/{KEY}" in answer.text
    found = dict(hub.repositories[KEY])
    assert found.pop(".gitattributes")
    assert found == publication(bench, for_hub=True).files
    ((_, header, _),) = hub.commits_taken
    assert header["summary"] == "Leaderboard: 2 entries from 4 runs"
    assert all(run.run_id in header["description"] for run in bench.store.runs())
    assert header["parentCommit"]


def test_nothing_new_is_no_commit_and_what_is_no_more_goes(bench: Bench, hub: UploadServer) -> None:
    call(bench, "hf:lab/board", "--push")
    hub.push(KEY, {"notes.md": b"theirs"})
    assert "nothing was pushed" in call(bench, "hf:lab/board", "--push").text
    assert len(hub.commits_taken) == 1
    (gone, *_) = bench.store.runs()
    (bench.store.folder(gone.run_id) / "run.json").unlink()
    call(bench, "hf:lab/board", "--push")
    found = hub.repositories[KEY]
    assert f"runs/{gone.run_id}/run.json" not in found
    assert found["notes.md"] == b"theirs"
    assert {name: found[name] for name in found if name not in ("notes.md", ".gitattributes")} == publication(
        bench, for_hub=True
    ).files


def test_a_file_of_others_in_our_place_is_refused(bench: Bench, hub: UploadServer) -> None:
    hub.repositories[KEY] = {"README.md": b"theirs"}
    hub.commits[KEY] = "0" * 40
    answer = call(bench, "hf:lab/board", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "'README.md' that no publication wrote" in answer.text
    assert not hub.commits_taken


@pytest.mark.parametrize("name", ["index.html", "README.md", "leaderboard.parquet", "a record that goes"])
def test_a_file_of_ours_that_somebody_changed_is_not_lost(bench: Bench, hub: UploadServer, name: str) -> None:
    call(bench, "hf:lab/board", "--push")
    (gone, *_) = bench.store.runs()
    (bench.store.folder(gone.run_id) / "run.json").unlink()
    name = name if "." in name else f"runs/{gone.run_id}/run.json"
    hub.push(KEY, {name: b"mine"})
    answer = call(bench, "hf:lab/board", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert f"{KEY} has a file {name!r} that was changed after it was published" in answer.text
    assert len(hub.commits_taken) == 1
    del hub.repositories[KEY][name]
    assert call(bench, "hf:lab/board", "--push").status == 0


def test_of_what_is_there_only_what_would_change_is_fetched(bench: Bench, hub: UploadServer) -> None:
    call(bench, "hf:lab/board", "--push")
    hub.requests.clear()
    call(bench, "hf:lab/board", "--push")
    assert {path for path in hub.requests if "/resolve/" in path} == {
        f"{kind} /{KEY}/resolve/{hub.commits[KEY]}/published.json" for kind in ("HEAD", "GET")
    }
    bench.add(seed=99)
    hub.requests.clear()
    call(bench, "hf:lab/board", "--push")
    fetched = {path.rpartition("/")[2] for path in hub.requests if path.startswith("GET") and "/resolve/" in path}
    assert fetched == {"published.json", "README.md", "index.html", "leaderboard.md", "per_language.md"}


def test_large_files_go_to_the_large_store(bench: Bench, hub: UploadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    hub.large = (".parquet",)
    assert call(bench, "hf:lab/board", "--push").status == 0
    tables = {name: data for name, data in publication(bench).files.items() if name.endswith(".parquet")}
    assert set(hub.stored.values()) == set(tables.values())
    assert all(hub.repositories[KEY][name] == data for name, data in tables.items())


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "refuses this token"), (403, "refuses this token"), (412, "run the command again"), (400, "try again")],
)
def test_a_refusal_is_one_line_without_the_token(bench: Bench, hub: UploadServer, status: int, said: str) -> None:
    hub.refusal = status
    answer = call(bench, "hf:lab/board", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert said in answer.text
    assert "canary" not in answer.text


def test_the_token_goes_to_the_hub_and_nowhere_else(bench: Bench, hub: UploadServer, tmp_path: Path) -> None:
    answer = call(bench, "hf:lab/board", "--push")
    assert f"Bearer {TOKEN}" in hub.tokens
    assert TOKEN not in answer.text
    assert not [name for name, data in hub.repositories[KEY].items() if TOKEN.encode() in data]
    assert TOKEN not in str(hub.commits_taken[0][1])
    assert not [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "run.json" and TOKEN.encode() in path.read_bytes()
    ]


def test_a_token_that_was_stored_is_found(
    bench: Bench, hub: UploadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    answer = call(bench, "hf:lab/board", "--push")
    assert answer.status == 2
    assert "there is no token for the hub; set HF_TOKEN" in answer.text
    assert not hub.requests
    (tmp_path / "token").write_text("hf_storedStored99")
    assert call(bench, "hf:lab/board", "--push").status == 0
    assert "Bearer hf_storedStored99" in hub.tokens


def test_offline_is_one_line(bench: Bench, hub: UploadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    answer = call(bench, "hf:lab/board", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "HF_HUB_OFFLINE" in answer.text
    assert not hub.requests


def test_a_hub_that_is_not_there_is_one_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    answer = call(bench, "hf:lab/board", "--push")
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "cannot be published to" in answer.text
    assert "see to HF_ENDPOINT" in answer.text


@pytest.mark.parametrize("value", ["garbage", "ftp://x", "https://", "http://x:y", "https://[", "/x", "hf.co"])
def test_an_address_of_the_hub_that_is_none_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", value)
    for words in (("--push",), ()):
        answer = call(bench, "hf:lab/board", *words)
        assert (answer.status, answer.text.count("\n")) == (2, 1)
        assert f"HF_ENDPOINT is {value!r}, no address; unset it" in answer.text


def test_a_login_in_the_address_of_the_hub_is_not_repeated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://me:canary5ecret@hub.example")
    assert "canary" not in call(bench, "hf:lab/board").text


@pytest.mark.parametrize("text", ["", "board", "a/b/c", "a b/c", "../x", "-a/b", "a/b.git", "a/..b"])
def test_what_is_no_repository_is_one_line(text: str) -> None:
    with pytest.raises(XnerError, match="write hf:ORG/NAME"):
        publish_hub.repository(text)


def test_the_dataset_card_is_one_that_the_hub_reads(bench: Bench) -> None:
    files = publication(bench, for_hub=True).files
    card = DatasetCard(files["README.md"].decode())
    assert card.data.license == "other"
    assert card.data.task_categories == ["token-classification"]
    configs = card.data.to_dict()["configs"]
    assert {one["data_files"][0]["path"] for one in configs} == {name for name in files if name.endswith(".parquet")}
    assert [one["config_name"] for one in configs if one.get("default")] == ["per_language"]
    assert card.data.size_categories == ["n<1K"]
    assert card.text.lstrip().startswith("# Leaderboard")
