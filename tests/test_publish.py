"""A published folder: all that is needed and nothing private, the same for the same runs, whole or as it was before."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import publishing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boards import Bench
from faults import files_no_larger_than
from publishing import HOST, TOKEN, USER, call, filled, outside_fences, publication, tree

from xner_bench import files
from xner_bench.errors import XnerError
from xner_bench.leaderboard import ours, publish, publish_folder, publish_git

PROGRAM = (sys.executable, "-m", "xner_bench", "leaderboard", "publish")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return filled(tmp_path_factory.mktemp("publish"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return filled(tmp_path / "bench")


def test_the_folder_has_the_tables_the_page_a_card_and_every_record(shared: Bench, tmp_path: Path) -> None:
    answer = call(shared, tmp_path / "site")
    assert answer.status == 0
    assert "2 entries from 4 runs" in answer.text
    files = tree(tmp_path / "site")
    assert {
        "README.md",
        "leaderboard.md",
        "leaderboard.parquet",
        "per_language.parquet",
        "published.json",
    } <= files.keys()
    records = {json.loads(data)["run_id"] for name, data in files.items() if name.endswith("/run.json")}
    in_rows = pq.read_table(tmp_path / "site" / "leaderboard.parquet")["run_ids"].to_pylist()
    assert records == {run_id for ids in in_rows for run_id in ids} == {run.run_id for run in shared.store.runs()}
    told = json.loads(files.pop("published.json"))
    assert told["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


@pytest.mark.parametrize("for_hub", [False, True])
def test_nothing_private_is_in_any_file(shared: Bench, for_hub: bool) -> None:
    found = publication(shared, for_hub)
    for name, data in found.files.items():
        text = publish._text(data) if name.endswith(".parquet") else data.decode()
        for secret in (USER, HOST, TOKEN, "/secret", str(shared.folder), "/home/", "/srv/"):
            assert secret not in text, (name, secret)
    assert USER not in found.message


def test_the_same_runs_in_any_order_give_the_same_bytes_with_any_hash_seed(shared: Bench, tmp_path: Path) -> None:
    found = []
    runs = list((shared.store.root / "runs").iterdir())
    for seed, zone in (("0", "UTC"), ("1", "Asia/Tokyo"), ("77", "America/Lima")):
        random.Random(seed).shuffle(runs)
        results = tmp_path / f"results {seed}"
        for run in runs:
            shutil.copytree(run, results / "runs" / run.name)
        words = ("--to", tmp_path / seed, "--results", results, "--catalogue", shared.cards, "--draws", "0")
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone}
        subprocess.run((*PROGRAM, *words), env=environment, check=True, capture_output=True)
        found.append(tree(tmp_path / seed))
    assert found[0] == found[1] == found[2]


def test_an_own_folder_is_replaced_and_what_is_not_ours_stays(bench: Bench, tmp_path: Path) -> None:
    site = tmp_path / "site"
    call(bench, site)
    (site / "CNAME").write_text("ner.example")
    (site / "runs" / "notes.txt").write_text("mine")
    gone = next(run for run in bench.store.runs() if run.settings.method == "slicer" and run.settings.seed == 43)
    shutil.rmtree(bench.store.folder(gone.run_id))
    answer = call(bench, site)
    assert "1 removed" in answer.text
    assert not (site / "runs" / gone.run_id).exists()
    left = tree(site)
    assert (left.pop("CNAME"), left.pop("runs/notes.txt")) == (b"ner.example", b"mine")
    assert left == publication(bench).files
    assert "as they were" in call(bench, site).text
    assert not list(site.glob(".*"))


@pytest.mark.parametrize("name", ["index.html", "README.md", "leaderboard.parquet", "a record that goes"])
def test_a_file_of_ours_that_somebody_changed_is_not_lost(bench: Bench, tmp_path: Path, name: str) -> None:
    site = tmp_path / "site"
    call(bench, site)
    gone = next(run for run in bench.store.runs() if run.settings.seed == 43)
    shutil.rmtree(bench.store.folder(gone.run_id))
    name = name if "." in name else publish.record_name(gone.run_id)
    published = (site / name).read_bytes()
    (site / name).write_bytes(published + b"mine")
    before = tree(site)
    for words in ((), ("--dry-run",)):
        answer = call(bench, site, *words)
        assert (answer.status, answer.text.count("\n")) == (2, 1)
        assert f"{name!r} that was changed after it was published; move it to another name, or delete it" in answer.text
        assert tree(site) == before
    (site / name).rename(site / "mine")
    assert call(bench, site).status == 0
    assert (site / "mine").read_bytes() == published + b"mine"
    assert tree(site) == publication(bench).files | {"mine": published + b"mine"}


@pytest.mark.parametrize("name", ["index.html", "README.md", "leaderboard.parquet"])
@pytest.mark.parametrize("within", ["", "notes"])
def test_a_folder_where_a_file_of_ours_was_is_named(bench: Bench, tmp_path: Path, name: str, within: str) -> None:
    site = tmp_path / "site"
    call(bench, site)
    (site / name).unlink()
    (site / name / within).mkdir(parents=True)
    bench.add(seed=99)
    before = tree(site)
    for words in ((), ("--dry-run",)):
        answer = call(bench, site, *words)
        assert (answer.status, answer.text.count("\n")) == (2, 1)
        assert f"{site} has a file {name!r} that was changed after it was published; move it" in answer.text
        assert tree(site) == before
    (site / name).rename(site / "mine")
    assert call(bench, site).status == 0
    assert tree(site) == publication(bench).files
    assert (site / "mine").is_dir()


@pytest.mark.parametrize("content", ["", "theirs"])
def test_the_mark_for_pages_that_a_branch_got_stays(bench: Bench, tmp_path: Path, content: str) -> None:
    site = tmp_path / "site"
    publish_folder.write(publish_git._with_nojekyll(publication(bench).files), site)  # a checkout of the branch
    (site / ".nojekyll").write_text(content)
    assert "removed" not in call(bench, site).text
    assert tree(site) == publication(bench).files | {".nojekyll": content.encode()}


def test_a_file_that_already_is_what_it_is_to_be_is_no_obstacle(bench: Bench, tmp_path: Path) -> None:
    site = tmp_path / "site"
    call(bench, site)
    bench.add("slicer", seed=99, options={"h": 2, "classifier": "trained", "bias": "per_slice"})
    for name in ("leaderboard.md", "index.html"):  # somebody copied them
        (site / name).write_bytes(publication(bench).files[name])
    assert call(bench, site).status == 0
    assert tree(site) == publication(bench).files


def test_a_list_that_claims_what_is_of_others_has_nothing_deleted(bench: Bench, tmp_path: Path) -> None:
    site = tmp_path / "site"
    call(bench, site)
    listing = json.loads((site / "published.json").read_text())
    listing["files"]["CNAME"] = "0" * 64
    (site / "published.json").write_text(json.dumps(listing))
    (site / "CNAME").write_text("ner.example")
    answer = call(bench, site)
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "'CNAME' that was changed" in answer.text
    assert (site / "CNAME").read_text() == "ner.example"


def test_a_dry_run_writes_nothing_and_says_what_it_would(bench: Bench, tmp_path: Path) -> None:
    answer = call(bench, tmp_path / "site", "--dry-run", "--push")
    assert "README.md" in answer.text
    assert "nothing was written" in answer.text
    assert not (tmp_path / "site").exists()


def test_an_empty_folder_is_taken(shared: Bench, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    assert call(shared, tmp_path / "site").status == 0
    assert tree(tmp_path / "site") == publication(shared).files


def test_a_folder_that_holds_something_else_is_refused(shared: Bench, tmp_path: Path) -> None:
    for name in ("index.html", ".git", "thesis.tex"):
        folder = tmp_path / name.strip(".")
        folder.mkdir()
        (folder / name).write_text("mine")
        answer = call(shared, folder)
        assert (answer.status, answer.text.count("\n")) == (2, 1)
        assert f"holds something else (it has '{name}'" in answer.text
        assert tree(folder) == {name: b"mine"}


@pytest.mark.parametrize(
    "listing",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 2, "files": {}}',
        b'{"files": 1, "format": 1}',
        b'{"files": ["x"], "format": 1}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_list_that_is_none_is_one_line(shared: Bench, tmp_path: Path, listing: bytes) -> None:
    (tmp_path / "published.json").write_bytes(listing)
    answer = call(shared, tmp_path)
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "published.json" in answer.text


def test_a_list_cannot_have_files_elsewhere_deleted(shared: Bench, tmp_path: Path) -> None:
    names = ("../precious", "/etc/x", "CNAME/../../precious", "a/b/c/d", "..", ".git/config", "runs\\x")
    (tmp_path / "precious").write_text("mine")
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    (site / ".git" / "config").write_text("mine")
    (site / "published.json").write_text(json.dumps({"format": 1, "files": dict.fromkeys(names, "")}))
    assert call(shared, site).status == 0
    assert (tmp_path / "precious").read_text() == (site / ".git" / "config").read_text() == "mine"


@pytest.mark.parametrize(
    "place", ["s3:foo", "GIT:origin#x", "git@host.example:me/x#gh-pages", "https://me:canary5ecret@host.example/x"]
)
def test_a_place_of_an_unknown_kind_is_one_line_and_no_folder(
    shared: Bench, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call(shared, place)
    assert (answer.status, answer.text.count("\n")) == (2, 1)
    assert "write DIR (one with a colon as ./DIR), git:REMOTE#BRANCH or hf:ORG/NAME" in answer.text
    assert "canary" not in answer.text
    assert not list(tmp_path.iterdir())
    assert call(shared, "./s3:foo").status == 0
    assert (tmp_path / "s3:foo" / "index.html").exists()


def test_no_leaderboard_is_put_among_the_runs(shared: Bench, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shared.store.root / "runs")
    for place in (shared.store.root / "runs" / "board", tmp_path / "link" / "board"):
        answer = call(shared, place)
        assert (answer.status, answer.text.count("\n")) == (2, 1)
        assert "where the runs are; choose another folder with --to DIR" in answer.text
        assert not place.exists()


@pytest.mark.parametrize("name", ["runs", "README.md"])
def test_nothing_is_written_through_a_link(shared: Bench, tmp_path: Path, name: str) -> None:
    outside, site = tmp_path / "outside", tmp_path / "site"
    outside.mkdir()
    site.mkdir()
    (site / "published.json").write_text('{"format": 1, "files": {}}')
    (site / name).symlink_to(outside if name == "runs" else outside / "file")
    answer = call(shared, site)
    assert answer.status == 2
    assert f"{name!r} that no publication wrote" in answer.text
    assert not list(outside.iterdir())


def test_a_full_disk_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    call(bench, tmp_path / "site")
    before = tree(tmp_path / "site")
    bench.add("slicer", seed=99, options={"h": 2, "classifier": "trained", "bias": "per_slice"})
    for site in (tmp_path / "site", tmp_path / "new"):
        with files_no_larger_than(4096), pytest.raises(XnerError, match="cannot publish to"):
            publish_folder.write(publication(bench).files, site)
    assert tree(tmp_path / "site") == before
    assert not (tmp_path / "new").exists()
    assert not {*tmp_path.glob(".*"), *(tmp_path / "site").glob(".*")}


def test_a_kill_at_any_rename_leaves_a_folder_that_the_next_publication_knows(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publication(bench).files
    bench.add("slicer", seed=99, options={"h": 2, "classifier": "trained", "bias": "per_slice"})
    (gone,) = (run for run in bench.store.runs() if run.settings.seed == 43 and run.settings.method == "slicer")
    shutil.rmtree(bench.store.folder(gone.run_id))
    second = publication(bench).files
    rename, left, site = Path.replace, [0], tmp_path / "site"

    def killed(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    monkeypatch.setattr(files, "sync_folder", lambda folder: None)  # which takes most of the time
    for step in range(1, 60):
        shutil.rmtree(site, ignore_errors=True)
        left[0] = -1
        publish_folder.write(first, site)
        left[0] = step
        try:
            publish_folder.write(second, site)
        except KeyboardInterrupt:
            shutil.copytree(site, site / ".publishing.left", dirs_exist_ok=True)  # a kill leaves that, too
        else:
            break
        left[0] = -1
        publish_folder.write(second, site)
        assert tree(site) == second
    assert 10 < step < 59


HOSTILE = (
    "---\nlicense: mit\n---",
    "<script>alert(1)</script>",
    "x | y |\n| z",
    "[a](javascript:alert(1))",
    "```\n# heading",
    "![i](http://evil.example/x)",
    "\x1b[31mred\u202e",
    "=cmd|' /C calc'!A0",
    "{{ 7*7 }}{% include x %}",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(tmp_path: Path, name: str) -> None:
    bench = Bench(tmp_path)
    bench.add(options={"odd": name})
    found = publication(bench, for_hub=True)
    text = found.files["README.md"].decode()
    assert text.startswith("---\nconfigs:")
    assert text.count("\n---\n") == 1
    plain = outside_fences(text)
    assert not any(bad in plain for bad in ("<script", "](", "![", "\x1b", "\u202e", "\n# heading", "license: mit"))
    assert len([line for line in found.message.splitlines() if line.startswith("- ")]) == 1


def test_a_place_in_a_card_is_not_published(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.store.save_run(publishing.secretive(bench.add()))
    card = bench.cards / "one.yaml"
    card.write_text(card.read_text().replace("about: Invented", f"about: from /home/{USER}/corpus"))
    bench.reload()
    with pytest.raises(XnerError, match=rf"README.md would say '/home/{USER}/corpus"):
        publication(bench)


def test_an_option_that_is_a_place_is_masked_wherever_it_is_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for name in ("a", "b"):
        bench.add(options={"lexicon": f"/home/{USER}/{name}"})
    found = publication(bench).files
    entries = pq.read_table(pa.BufferReader(found["leaderboard.parquet"]))["entry"].to_pylist()
    assert len(set(entries)) == 2
    assert all(name.startswith("standard lexicon=PATH, ") for name in entries)
    assert not any(USER.encode() in data for name, data in found.items() if not name.endswith(".parquet"))


def test_names_of_records_are_plain_and_differ() -> None:
    names = [
        "slicer-quick-s42-0123456789ab",
        "../../x",
        "x/../y",
        "..",
        "",
        "a b",
        "a\nb",
        "é" * 300,
        ".hidden",
        "x" * 300,
    ]
    found = [publish.record_name(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(ours.safe(name) for name in found)
    assert found[0] == "runs/slicer-quick-s42-0123456789ab/run.json"
