"""`xner-bench data check` and `xner-bench data fetch`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from handmade import ROWS, card, conll_text, parquet_bytes
from hubserver import HubServer

from xner_bench.cli.data import data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A folder with one card, `tiny`, whose Hausa has three sentences in each split."""
    facts = card().model_dump(mode="json", exclude_none=True)
    facts["languages"]["hau"] |= {"train": 3, "dev": 3, "test": 3}
    for language in facts["languages"].values():
        del language["code"]
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "tiny.yaml").write_text(yaml.safe_dump(facts, sort_keys=False))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "tiny" / "hau"
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (folder / f"{split}.txt").write_text(conll_text())
    return tmp_path / "root"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    import huggingface_hub

    from xner_bench import hub

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("XNER_CACHE", str(tmp_path / "cache"))
    hub._ask.cache_clear()
    hub._failures.clear()
    files = {f"{code}/{name}-00000-of-00001.parquet": parquet_bytes()
             for code in ("hau", "no") for name in ("train", "validation", "test")}  # fmt: skip
    with HubServer({"datasets/owner/tiny": files}) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running
        huggingface_hub.close_session()


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(data, [str(argument) for argument in arguments])


def test_check_shows_every_split_and_its_count(catalogue: Path, root: Path) -> None:
    done = run("check", "--data-root", root, "--catalogue", catalogue, "tiny")
    assert done.exit_code == 0
    assert "train         3 ✓" in done.output
    assert "missing: no (train dev test)" in done.output


def test_check_goes_on_after_a_problem_and_exits_2(catalogue: Path, root: Path) -> None:
    (root / "tiny" / "hau" / "train.txt").write_text("Kano\n")
    (root / "tiny" / "hau" / "dev.txt").write_text(conll_text(ROWS[:2]))
    done = run("check", "--data-root", root, "--catalogue", catalogue, "tiny:hau")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[0].endswith("train.txt:1: 'Kano' has no tag; a line is WORD TAG or WORD<TAB>TAG")
    assert done.stderr.splitlines()[1].startswith("tiny:hau dev has 2 sentences in file:")
    assert len(done.stderr.splitlines()) == 2
    for text in ("2 of 3 ✗", "3 ✓", "malformed: hau (train)"):
        assert text in done.stdout


def test_check_as_json_and_from_the_environment(catalogue: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XNER_DATA_ROOT", str(root))
    monkeypatch.setenv("XNER_CATALOGUE", str(catalogue))
    done = run("check", "--json", "tiny:hau")
    found = json.loads(done.stdout)
    assert [(one["split"], one["sentences"], one["in_train"]) for one in found] == [
        ("train", 3, None), ("dev", 3, 3), ("test", 3, 3)
    ]  # fmt: skip


def test_check_in_a_terminal_without_ticks(catalogue: Path, root: Path) -> None:
    program = "from xner_bench.cli.data import data; data()"
    command = [sys.executable, "-c", program, "check", "--data-root", root, "--catalogue", catalogue, "tiny"]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)
    assert b"3 ok" in done.stdout


def test_a_data_root_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("none", "file", "y" * 300):
        told = run("check", "--data-root", tmp_path / name).stderr
        assert f"'--data-root': {tmp_path / name} is no folder; give another (--data-root DIR, $XNER_DATA_ROOT)" in told
    assert "'--data-root': it is empty; give a value, or leave the flag out" in run("check", "--data-root", "").stderr


def test_fetch_brings_everything_and_then_asks_nobody(server: HubServer, catalogue: Path) -> None:
    done = run("fetch", "--catalogue", catalogue, "tiny")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("tiny: 6 splits, 18 sentences, as their card says; hub:owner/tiny@")
    asked = len(server.requests)
    assert run("fetch", "--catalogue", catalogue, "tiny").stdout == done.stdout
    assert "3 ✓" in run("check", "--catalogue", catalogue, "tiny").stdout
    assert len(server.requests) == asked


def test_fetch_of_one_language(server: HubServer, catalogue: Path) -> None:
    assert run("fetch", "--catalogue", catalogue, "tiny:no").stdout.startswith("tiny: 3 splits, 9 sentences")
    assert not any("/hau/" in request for request in server.requests)


SUITE = """
name: small
title: Small
about: for tests
reference: none
encoder: mini
source: tiny:hau
targets: [tiny:hau]
types: [PER, ORG, LOC, DATE]
training:
  {epochs: 1, lr: 0.001, batch_size: 2, weight_decay: 0, warmup: 0, clip: null, dropout: 0, max_length: 64,
   precision: fp32, subword_labels: first, seed: 1}
"""


def test_fetch_of_a_suite(server: HubServer, catalogue: Path) -> None:
    (catalogue / "suites").mkdir()
    (catalogue / "suites" / "small.yaml").write_text(SUITE)
    done = run("fetch", "--catalogue", catalogue, "--suite", "small")
    assert done.stdout.startswith("tiny: 3 splits, 9 sentences"), done.output


def test_fetch_names_what_is_wrong_and_fetches_the_rest(server: HubServer, catalogue: Path) -> None:
    files = server.repositories["datasets/owner/tiny"]
    files["hau/train-00000-of-00001.parquet"] = parquet_bytes(ROWS[:1])
    files["hau/test-00000-of-00001.parquet"] = b"not Parquet"
    del files["hau/validation-00000-of-00001.parquet"], files["no/test-00000-of-00001.parquet"]
    done = run("fetch", "--catalogue", catalogue, "tiny")
    assert done.exit_code == 2
    train, dev, test = done.stderr.splitlines()
    assert "tiny:hau train has 1 sentences" in train
    assert dev == "tiny:hau dev is not in owner/tiny at main, though its card says 3 sentences"
    assert "not a readable Parquet file" in test
    assert "tiny:no test is not in owner/tiny at main" in done.stdout
    assert "tiny: 2 splits, 6 sentences" in done.stdout


def test_fetch_without_a_network_says_so_once(
    server: HubServer, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    done = run("fetch", "--catalogue", catalogue, "tiny")
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "; try again, or give its files with --data-root DIR" in done.stderr
