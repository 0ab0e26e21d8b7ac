"""Records for strangers: what made the numbers stays, what tells the machine goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from boards import Bench
from publishing import HOST, TOKEN, USER, secretive

from xner_bench.identity import numbers_of
from xner_bench.leaderboard import public
from xner_bench.leaderboard.hidden import hide, secrets_of
from xner_bench.results import Run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return secretive(Bench(tmp_path).add())


def test_nothing_tells_the_machine(run: Run) -> None:
    text = str(public.record(run))
    assert not [secret for secret in (USER, HOST, TOKEN, "/home", "/srv") if secret in text]


def test_what_made_the_numbers_stays(run: Run) -> None:
    shown = public.of_run(run)
    assert (shown.run_id, shown.entry_id, numbers_of(shown)) == (run.run_id, run.entry_id, numbers_of(run))
    assert numbers_of(shown) is not None
    assert shown.settings.model_copy(update={"encoder": ""}) == run.settings.model_copy(update={"encoder": ""})
    assert shown.settings.encoder == "enc/model"
    assert [one.fingerprint for one in shown.data] == [one.fingerprint for one in run.data]
    assert {one.origin for one in shown.data} == {"file:test.tsv"}
    assert [one.reason for one in shown.missing] == ["one:ac has no dev split", "not at hand"]
    assert shown.resumed == ("after epoch 2, threads 1 before, 2 now",)
    assert shown.provenance["platform"] == "Linux-6.1.0-x86_64-with-glibc2.36"
    assert shown.provenance["packages"] == run.provenance["packages"]
    assert shown.provenance.keys() == run.provenance.keys() - {"host", "user"}


def test_the_command_can_still_be_read(run: Run) -> None:
    assert " ".join(public.of_run(run).provenance["command"]) == (
        "xner-bench run --method standard --results RESULTS --data-root=DATA --encoder enc/model,xlm-roberta-base "
        "--catalogue CATALOGUE --grid PATH --ray-address ADDRESS --seed 42"
    )


def test_a_command_that_is_not_ours_is_left_out(run: Run) -> None:
    for command in (["train.py", "--user", USER], ["default_worker.py", f"--node={HOST}"]):
        other = run.model_copy(update={"provenance": {"command": command}})
        assert public.of_run(other).provenance["command"] == []


def test_a_record_is_read_again_and_says_what_is_left_out(run: Run) -> None:
    told = public.record(run)
    assert Run.model_validate(told) == public.of_run(run)
    assert {"settings.encoder", "data", "missing", "provenance.command", "provenance.platform"} <= set(told["redacted"])
    plain = public.of_run(run)
    assert public.record(plain)["redacted"] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("not in /srv/zaphod/data.", "not in PATH"),
        ("file:/srv/x/y", "file:PATH"),
        ("file:///srv/x/y", "PATH"),
        ("x=/srv/a,/srv/b", "x=PATH,PATH"),
        ("~/data and ~zaphod and ../x/y", "PATH and PATH and PATH"),
        ("'/a b'", "'PATH b'"),
        ("http://mirror.lan:80/x, then", "URL, then"),
        ("https://huggingface.co/datasets/x", "https://huggingface.co/datasets/x"),
        ("https://huggingface.co.evil.example/x", "URL"),
        ("https://me:secret@huggingface.co/x", "URL"),
        ("hf_abcdefghijkl", "TOKEN"),
        ("12/24 of wikiann:en and/or unimelb-nlp/wikiann", "12/24 of wikiann:en and/or unimelb-nlp/wikiann"),
        ("hub:unimelb-nlp/wikiann@f0a3/en/test.parquet", "hub:unimelb-nlp/wikiann@f0a3/en/test.parquet"),
        ("a / b, 1 / 2", "a / b, 1 / 2"),
    ],
)
def test_paths_addresses_and_tokens_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert public.masked(text) == shown


@pytest.mark.parametrize(
    "address",
    [
        "https://me:s3cr3tTok@host/x.git",
        "https://s3cr3tTok@host/x.git",
        "https://me:s3cr3t%54ok@host/x",
        "ssh://me:s3cr3tTok@h/x",
    ],
)
def test_what_an_address_says_in_confidence_is_never_repeated(address: str) -> None:
    as_typed = address.partition("@")[0].rpartition("/")[2].rpartition(":")[2]
    said = f"fatal: unable to access '{address}': s3cr3tTok {as_typed} rejected"
    assert "s3cr3t" not in hide(said, secrets_of(address))
    assert secrets_of("https://host/x@y") == ()


def test_what_an_address_asks_with_is_never_repeated() -> None:
    address = "https://host/x.git?private_token=s3cr3t%54ok&a=b"
    said = f"fatal: unable to access '{address}': s3cr3tTok rejected; is it there?"
    assert (
        hide(said, secrets_of(address))
        == "fatal: unable to access 'https://host/x.git?***': *** rejected; is it there?"
    )


def test_tokens_of_the_environment_are_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "plainword99")
    assert hide("refused plainword99 and ghp_abcdefgh1234") == "refused *** and ***"
