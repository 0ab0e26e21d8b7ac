"""Whole runs on a small world: done once, the same bits again, nothing peeked at, nothing lost."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import small as worlds
from distributions import METHOD, install
from small import SIZES, Small, call

from xner_bench import corpus, registry
from xner_bench.errors import XnerError
from xner_bench.results import Run, Store
from xner_bench.run import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    *("run.json", "selection.json", "history.parquet"),
    *("scores.parquet", "sentence_counts.parquet", "predictions.parquet", "orphans.parquet"),
}
RAISING = """
class Head(LinearHead):
    def loss(self, states, tags):
        raise RuntimeError("out of luck")


class Raising(Method):
    '''Raising: gives up at its first loss.'''

    def head(self, sizes, tags):
        return Head(sizes, len(tags))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def finished(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one finished run; read only."""
    results = tmp_path_factory.mktemp("finished")
    answer = call(*small.argv(results, "--keep-checkpoint", method="slicer"))
    assert answer.status == 0, answer.err
    return only(results)


@pytest.fixture
def own(small: Small, tmp_path: Path) -> Small:
    """A copy of the world that a test may damage."""
    shutil.copytree(small.folder, tmp_path / "world")
    return Small(tmp_path / "world")


def only(results: Path) -> Path:
    (folder,) = (path for path in (results / "runs").iterdir() if path.is_dir())
    return folder


def record(folder: Path) -> Run:
    return Run.model_validate_json((folder / "run.json").read_bytes())


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return found


def one_line(text: str) -> str:
    assert text.startswith("xner-bench: ")
    assert text.count("\n") == 1, text
    return text


def gold(small: Small, language: str, split: str = "test") -> set[tuple[int, int, int, str]]:
    """Entities of a split, read from its file by other means than the package's: sentence, start, end, type."""
    found = set()
    text = (small.data / "villages" / language / f"{split}.conll").read_text("utf-8")
    for number, block in enumerate(text.strip().split("\n\n")):
        tags = [line.split()[1] for line in block.splitlines()]
        for start, tag in enumerate(tags):
            if tag.startswith("B-") and tag != "B-DATE":
                end = start + 1
                while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                    end += 1
                found.add((number, start, end, tag[2:]))
    return found


def test_a_run_ends_with_all_its_files(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == {*FILES, "checkpoint"}
    done = record(finished)
    assert (done.state, done.error, done.missing) == ("done", None, ())
    assert done.settings.options == {"h": 8, "classifier": "trained", "bias": "per_slice"}
    assert done.method_origin == "built in"
    assert done.encoder.name == "tiny"
    assert {(one.corpus, one.split): one.sentences for one in done.data} == {
        ("villages:en", "train"): 64,
        **{
            (f"villages:{language}", split): SIZES[split]
            for language in ("en", "sw", "no")
            for split in ("dev", "test")
        },
    }
    assert {"started", "python", "packages", "command"} <= set(done.provenance)
    assert done.seconds["training"] > 0


def test_what_is_printed_is_what_is_stored(small: Small, finished: Path) -> None:
    answer = call(*small.argv(finished.parents[1], method="slicer"))
    assert (answer.status, answer.err) == (0, "")
    for part in (
        "for testing only",
        "invented for a test",
        "Swahili (sw)",
        "Norwegian (no)",
        "English (en)",
        str(finished),
    ):
        assert part in answer.out
    counts = [
        sum(column) for column in zip(*((r["tp"], r["fp"], r["fn"]) for r in of(finished, "sw", "last")), strict=True)
    ]
    line = next(line for line in answer.out.splitlines() if "Swahili" in line)
    assert f"{200 * counts[0] / (2 * counts[0] + counts[1] + counts[2]):.1f}" in line.split()


def of(folder: Path, language: str, protocol: str) -> list[dict[str, Any]]:
    return [r for r in rows(folder, "scores") if (r["language"], r["protocol"]) == (language, protocol)]


def test_what_to_type_next_can_be_typed(small: Small, finished: Path) -> None:
    """The commands that a run ends with are about the same suite, data and results."""
    results = finished.parents[1]
    shown = call(*small.argv(results, method="slicer")).out
    first, second, third = re.findall(r"xner-bench (.*?)(?:    to compare, then| &&|$)", shown, re.MULTILINE)
    plan = call(*shlex.split(first), "--dry-run", "--quiet")
    assert (plan.status, plan.err) == (0, "")
    for part in ("standard-small-s42-", "targets:   3: villages:en", f"results:  {results}", "encoder:  tiny"):
        assert " ".join(part.split()) in " ".join(plan.out.split())
    assert second.startswith("leaderboard build")
    answer = call(*shlex.split(third))
    assert answer.status == 0, answer.err
    assert "slicer" in answer.out


def test_what_to_type_next_compares_like_with_like(small: Small, tmp_path: Path) -> None:
    changed = ("--epochs", "1", "--clip", "2", "--seed", "7", "--targets", "villages:sw")
    shown = call(*small.argv(tmp_path, *changed)).out
    (command,) = re.findall(r"xner-bench (run .*?)    to compare", shown)
    plan = call(*shlex.split(command), "--dry-run", "--quiet")
    for part in ("slicer-small-s7-", "targets:   1: villages:sw", "epochs=1 ", "clip=2.0 ", "device:   cpu"):
        assert " ".join(part.split()) in " ".join(plan.out.split())


def test_a_done_run_that_diverges_when_it_is_done_again_stays_done(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it may on another machine."""
    assert call(*small.argv(tmp_path)).status == 0
    before = {path: path.read_bytes() for path in only(tmp_path).iterdir()}
    monkeypatch.setattr("xner_bench.train.Stepper.loss", lambda *_: float("nan"))
    answer = call(*small.argv(tmp_path, "--profile", "word-lenient"))
    assert answer.status == 2
    assert "had before is kept" in one_line(answer.err)
    assert {path: path.read_bytes() for path in only(tmp_path).iterdir()} == before


def test_the_same_command_trains_once(small: Small, finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    argv = [part for part in small.argv(finished.parents[1], method="slicer") if part != "--quiet"]
    first = call(*argv)
    assert first.status == 0
    assert f"already done: {finished}" in first.err
    assert call(*argv, "--h", 8, "--lr", "0.01").out == first.out
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_equal_settings_give_equal_bits(small: Small, finished: Path, tmp_path: Path) -> None:
    assert call(*small.argv(tmp_path, "--keep-checkpoint", "--h", 8, method="slicer")).status == 0
    again = only(tmp_path)
    assert again.name == finished.name
    for name in (*(FILES - {"run.json"}), "checkpoint/model.safetensors", "checkpoint/config.json"):
        assert (again / name).read_bytes() == (finished / name).read_bytes(), name
    other = call(*small.argv(tmp_path, "--seed", 43, "--h", 8, method="slicer"))
    assert other.status == 0
    assert len([path for path in (tmp_path / "runs").iterdir() if path.is_dir()]) == 2


def test_arithmetic_is_settled_before_the_run_has_its_id(small: Small, tmp_path: Path) -> None:
    """On a CPU `auto` is fp32, and so is fp16, which says so: one run, however it was asked for."""
    plans = {p: call(*small.argv(tmp_path, "--dry-run", "--precision", p)) for p in ("fp32", "auto", "fp16", "bf16")}
    assert plans["auto"].out == plans["fp16"].out == plans["fp32"].out != plans["bf16"].out
    assert "precision=fp32" in plans["auto"].out


def test_what_is_computed_at_once_is_no_part_of_the_id(small: Small, finished: Path, tmp_path: Path) -> None:
    parts = call(*small.argv(tmp_path, "--subwords-at-once", 40, method="slicer"))
    assert (parts.status, only(tmp_path).name) == (0, finished.name)
    other = call(*small.argv(tmp_path, "--subwords-at-once", 0))
    assert (other.status, len(other.err.strip().splitlines())) == (2, 1)


def test_a_second_run_tokenizes_nothing(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XNER_CACHE", str(tmp_path / "cache"))
    first = run(small.settings(seed=1), small.execution(tmp_path / "results"))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "encoded").glob("*.encoded")}
    assert kept
    monkeypatch.setattr("xner_bench.encode.encode", None)
    second = run(small.settings(seed=2), small.execution(tmp_path / "results"))
    assert (first.state, second.state) == ("done", "done")
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache" / "encoded").glob("*.encoded")}


def test_where_things_lie_changes_no_number(own: Small, finished: Path, tmp_path: Path) -> None:
    """Another folder, another file format, another name of the encoder's folder: the same run."""
    path = own.data / "villages" / "sw" / "test.conll"
    words = [[line.split() for line in block.splitlines()] for block in path.read_text("utf-8").strip().split("\n\n")]
    lines = [json.dumps({"tokens": [w for w, _ in one], "ner_tags": [t for _, t in one]}) for one in words]
    path.with_suffix(".jsonl").write_text("\n".join(lines), "utf-8")
    path.unlink()
    own.encoder.rename(own.folder / "other")
    results = tmp_path / "results"
    assert call(*own.argv(results, "--encoder", own.folder / "other", method="slicer")).status == 0
    assert only(results).name == finished.name
    assert (only(results) / "scores.parquet").read_bytes() == (finished / "scores.parquet").read_bytes()


def test_test_labels_are_read_after_selection_is_on_disk(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels come through corpus.read; sealing reads a split too, but gives out no tags."""
    asked: list[tuple[str, str, bool]] = []
    sealing = [False]
    read, seal = corpus.read, corpus.seal

    def recording(card: Any, language: Any, split: Any, places: Any, **how: Any) -> Any:
        if not sealing[0]:
            asked.append((language.code, split, bool(list(tmp_path.glob("runs/*/selection.json")))))
        return read(card, language, split, places, **how)

    def quietly(*args: Any, **how: Any) -> Any:
        sealing[0] = True
        try:
            sealed = seal(*args, **how)
        finally:
            sealing[0] = False
        assert not any("B-" in str(value) for value in vars(sealed).values())
        return sealed

    monkeypatch.setattr(corpus, "read", recording)
    monkeypatch.setattr(corpus, "seal", quietly)
    done = run(small.settings(), small.execution(tmp_path))
    assert done.state == "done"
    order = ("en", "sw", "no")
    assert asked[0] == ("en", "train", False)
    assert asked[1:4] == [(code, "dev", False) for code in order]
    assert asked[4:] == [(code, "test", True) for code in order], "each once, after selection"


def test_selection_follows_from_the_dev_scores(finished: Path) -> None:
    chosen = json.loads((finished / "selection.json").read_text("utf-8"))
    dev: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows(finished, "history"):
        if row["name"] == "f1":
            dev[f"{row['dataset']}:{row['language']}"][row["epoch"]] = row["value"]
    assert set(dev) == {"villages:en", "villages:sw", "villages:no"}
    for language, scores in dev.items():
        best = min(scores, key=lambda epoch: (-scores[epoch], epoch))
        assert chosen["selection"]["oracle"][language] == best
        assert chosen["selection"]["last"][language] == 4
        if language == "villages:en":
            assert set(chosen["selection"]["source-dev"].values()) == {best}
    for row in rows(finished, "scores"):
        assert chosen["selection"][row["protocol"]][f"villages:{row['language']}"] == row["checkpoint"]


def test_predictions_score_again_to_the_same_counts(small: Small, finished: Path) -> None:
    predicted: dict[tuple[str, int], set[tuple[int, int, int, str]]] = defaultdict(set)
    for row in rows(finished, "predictions"):
        predicted[row["language"], row["checkpoint"]].add((row["sentence"], row["start"], row["end"], row["type"]))
    scores = rows(finished, "scores")
    assert len(scores) == 3 * 4 * 2, "languages, protocols, types"
    assert sum(row["tp"] for row in scores) > 0, "the small world can be learnt"
    for row in scores:
        true = {one for one in gold(small, row["language"]) if one[3] == row["type"]}
        said = {one for one in predicted[row["language"], row["checkpoint"]] if one[3] == row["type"]}
        assert (row["tp"], row["fp"], row["fn"]) == (len(true & said), len(said - true), len(true - said))
        assert row["support"] == len(true)
        assert row["sentences"] == SIZES["test"]
        assert (row["split"], row["profile"], row["words_without_subwords"], row["cut_sentences"]) == (
            "test",
            "word-strict",
            0,
            0,
        )


def test_history_has_every_step(finished: Path) -> None:
    told = rows(finished, "history")
    losses = [row for row in told if row["name"] == "loss"]
    assert [row["step"] for row in losses] == list(range(1, 17))
    assert [row["epoch"] for row in losses] == [epoch for epoch in (1, 2, 3, 4) for _ in range(4)]
    rates = [row["value"] for row in told if row["name"] == "learning_rate"]
    assert max(rates) == 0.01
    assert rates[0] == 0 < rates[-1] < rates[4]


def test_a_further_profile_is_answered_beside_the_first(small: Small, tmp_path: Path) -> None:
    profiles = ("--profile", "word-lenient", "--profile", "subword-lenient")
    assert call(*small.argv(tmp_path)).status == 0
    before = rows(only(tmp_path), "scores")
    assert call(*small.argv(tmp_path, *profiles)).status == 0
    after = rows(only(tmp_path), "scores")
    assert [row for row in after if row["profile"] == "word-strict"] == before
    assert {row["profile"] for row in after} == {"word-strict", "word-lenient", "subword-lenient"}
    stamp = (only(tmp_path) / "run.json").stat().st_mtime_ns
    assert call(*small.argv(tmp_path)).status == 0
    assert call(*small.argv(tmp_path, *profiles[:2])).status == 0
    assert (only(tmp_path) / "run.json").stat().st_mtime_ns == stamp, "what is asked for is there already"


def test_what_a_done_run_has_is_not_lost_by_asking_for_more(small: Small, tmp_path: Path) -> None:
    assert call(*small.argv(tmp_path, "--profile", "subword-lenient")).status == 0
    assert call(*small.argv(tmp_path, "--profile", "word-lenient", "--keep-checkpoint")).status == 0
    assert call(*small.argv(tmp_path, "--profile", "subword-lenient")).status == 0
    done = record(only(tmp_path))
    assert set(done.settings.profiles) == {"word-strict", "word-lenient", "subword-lenient"}
    assert {row["profile"] for row in rows(only(tmp_path), "scores")} == set(done.settings.profiles)
    assert done.checkpoint_kept


def test_a_missing_split_stops_before_training(own: Small, tmp_path: Path) -> None:
    results = tmp_path / "results"
    (own.data / "villages" / "no" / "test.conll").unlink()
    (own.data / "villages" / "sw" / "dev.conll").unlink()
    answer = call(*own.argv(results))
    assert (answer.status, answer.out) == (2, "")
    said = one_line(answer.err)
    for part in (
        "2 of 7 splits are missing",
        "1 of 3 targets cannot be tested",
        "villages:sw dev",
        "villages:no test",
        "--allow-missing",
    ):
        assert part in said
    assert not list(results.glob("runs/*/*"))


def test_going_on_without_what_is_missing_is_recorded(own: Small, tmp_path: Path) -> None:
    results = tmp_path / "results"
    (own.data / "villages" / "no" / "test.conll").unlink()
    (own.data / "villages" / "sw" / "dev.conll").unlink()
    answer = call(*own.argv(results, "--allow-missing"))
    assert answer.status == 0, answer.err
    folder = only(results)
    done = record(folder)
    assert [(one.corpus, one.split) for one in done.missing] == [("villages:sw", "dev"), ("villages:no", "test")]
    assert all("data root" in one.reason or "no " in one.reason for one in done.missing)
    assert done.settings.targets == ("villages:en", "villages:sw")
    assert {(row["language"], row["protocol"]) for row in rows(folder, "scores")} == {
        *(("en", protocol) for protocol in ("last", "source-dev", "average", "oracle")),
        *(("sw", protocol) for protocol in ("last", "source-dev", "average")),  # no dev split, no oracle
    }
    assert not {one.corpus for one in done.data} & {"villages:no"}, (
        "the dev split of a target that is not tested is not used"
    )


@pytest.mark.parametrize("more", [(), ("--allow-missing",)])
def test_a_source_without_training_data_always_stops(own: Small, tmp_path: Path, more: tuple[str, ...]) -> None:
    (own.data / "villages" / "en" / "train.conll").unlink()
    answer = call(*own.argv(tmp_path / "results", *more))
    assert answer.status == 2
    assert "nothing to train on: villages:en has no train split" in one_line(answer.err)


def test_targets_without_any_test_split_always_stop(own: Small, tmp_path: Path) -> None:
    for language in ("en", "sw", "no"):
        (own.data / "villages" / language / "test.conll").unlink()
    answer = call(*own.argv(tmp_path / "results", "--allow-missing"))
    assert answer.status == 2
    assert "no target has a test split" in one_line(answer.err)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Amina B-PER\nleft O\nKano B-RIVER\n", "test.conll:3"),
        ("Amina B-PER\nleft\n", "test.conll:2"),
        ("", "test.conll"),
        ("Amina B-PER\n", "24"),
    ],
)
def test_data_that_is_not_as_its_card_says_stops_before_training(
    own: Small, tmp_path: Path, text: str, part: str
) -> None:
    (own.data / "villages" / "sw" / "test.conll").write_text(text)
    answer = call(*own.argv(tmp_path / "results", "--allow-missing"))
    assert answer.status == 2
    assert part in one_line(answer.err)
    assert not list((tmp_path / "results").glob("runs/*/*"))


def test_data_that_changes_under_a_run_is_noticed(own: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xner_bench import protocol

    select = protocol.select

    def meddling(*args: Any) -> Any:
        path = own.data / "villages" / "sw" / "test.conll"
        path.write_text(path.read_text("utf-8").replace("B-LOC", "B-PER"), "utf-8")
        return select(*args)

    monkeypatch.setattr(protocol, "select", meddling)
    with pytest.raises(XnerError, match="villages:sw test changed while the run went on"):
        run(own.settings(), own.execution(tmp_path / "results"))
    assert record(only(tmp_path / "results")).state == "failed"


def test_a_loss_that_is_no_number_is_recorded_and_never_ranked(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path, "--lr", "1e30"))
    assert (answer.status, answer.out) == (2, "")
    said = one_line(answer.err)
    assert "diverged" in said
    assert "--lr" in said
    folder = only(tmp_path)
    assert str(folder) in said
    assert {path.name for path in folder.iterdir()} == {"run.json"}
    lost = record(folder)
    assert lost.state == "diverged"
    assert lost.error is not None
    assert lost.error in said
    assert call(*small.argv(tmp_path, method="slicer")).status == 0
    where = ("--results", tmp_path, "--catalogue", small.catalogue)
    assert call("leaderboard", "build", *where, "--out", tmp_path / "board").status == 0
    ranked = pq.read_table(tmp_path / "board" / "per_language.parquet").to_pylist()
    assert {row["method"] for row in ranked if not row["published"]} == {"slicer"}


def test_weights_that_are_lost_in_the_last_step_are_no_result(small: Small, tmp_path: Path) -> None:
    """The loss of the only step is fine, and what that step leaves behind is not."""
    answer = call(*small.argv(tmp_path, "--lr", "1e38", "--warmup", 0, "--epochs", 1, "--batch-size", 64))
    assert answer.status == 2
    assert "diverged" in one_line(answer.err)
    assert record(only(tmp_path)).state == "diverged"


@pytest.fixture
def raising(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    install(tmp_path / "site", "raising-ner", {"raising": "raising_ner:Raising"}, METHOD + RAISING)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    registry.reload()
    yield
    monkeypatch.undo()
    registry.reload()


@pytest.mark.usefixtures("raising")
def test_a_run_that_fails_is_recorded_and_raised(small: Small, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with pytest.raises(RuntimeError, match="out of luck"):
        call(*small.argv(results, method="raising"))
    folder = only(results)
    assert {path.name for path in folder.iterdir()} == {"run.json"}
    lost = record(folder)
    assert (lost.state, lost.error) == ("failed", "RuntimeError: out of luck")
    assert lost.method_origin == "raising-ner 1.0"
    with pytest.raises(RuntimeError, match="out of luck"):
        call(*small.argv(results, method="raising"))


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 16 kB: what a full disk or a quota looks like, without a disk to fill."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_file_that_may_not_grow_is_one_line(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path))
    assert (answer.status, answer.out) == (2, "")
    assert f"cannot write checkpoint {only(tmp_path)}/epochs/epoch-1:" in one_line(answer.err)
    assert {path.name for path in only(tmp_path).iterdir()} == {"run.json"}
    assert record(only(tmp_path)).state == "failed"


def test_a_done_run_survives_a_failure_to_add_to_it(small: Small, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "runs" / finished.name)
    before = {path: path.read_bytes() for path in only(tmp_path).rglob("*") if path.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, hard))
    try:
        answer = call(*small.argv(tmp_path, "--profile", "word-lenient", method="slicer"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answer.status == 2
    one_line(answer.err)
    assert record(only(tmp_path)).state == "done"
    assert {path: path.read_bytes() for path in before} == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("left", [0, 4_096, 40_000, 100_000])
def test_a_full_disk_loses_nothing(small: Small, disk: Path, left: int) -> None:
    results = disk / "results"
    assert call(*small.argv(results)).status == 0
    before = {path: path.read_bytes() for path in only(results).iterdir()}
    filler = disk / "filler"
    with filler.open("wb") as stream:
        stream.truncate(0)
        free = os.statvfs(disk)
        stream.write(b"x" * max(0, free.f_bavail * free.f_bsize - left))
    answer = call(*small.argv(results, "--seed", 1, "--keep-checkpoint"))
    assert (answer.status, answer.out) == (2, "")
    said = one_line(answer.err)
    assert "cannot write" in said
    assert str(results) in said
    assert {path: path.read_bytes() for path in before} == before
    filler.unlink()
    assert call(*small.argv(results, "--seed", 1, "--keep-checkpoint")).status == 0
    assert call(*small.argv(results)).status == 0


def test_a_killed_run_is_done_by_the_next_same_command(small: Small, tmp_path: Path) -> None:
    argv = small.argv(tmp_path, "--epochs", 60)
    process = worlds.start(*argv)
    while not list(tmp_path.glob("runs/*/epochs/epoch-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    folder = only(tmp_path)
    assert record(folder).state == "started"
    assert (folder / "epochs").is_dir()
    answer = call(*argv)
    assert (answer.status, answer.err) == (0, "")
    assert record(folder).state == "done"
    assert {path.name for path in folder.iterdir()} == FILES


def test_two_at_once_train_once(small: Small, tmp_path: Path) -> None:
    argv = [part for part in small.argv(tmp_path, "--epochs", 20) if part != "--quiet"]
    answers = [worlds.end(process) for process in (worlds.start(*argv), worlds.start(*argv))]
    assert [answer.status for answer in answers] == [0, 0], answers
    assert sum("already done" in answer.err for answer in answers) == 1
    assert answers[0].out == answers[1].out
    assert {path.name for path in only(tmp_path).iterdir()} == FILES


def test_from_python(small: Small, finished: Path, tmp_path: Path) -> None:
    """What the command does is two calls, and gives the same run."""
    done = run(small.settings("slicer", options={"h": 8}), small.execution(tmp_path))
    assert done.run_id == finished.name
    assert Store(tmp_path).table(done.run_id, "scores").equals(pq.read_table(finished / "scores.parquet"))
