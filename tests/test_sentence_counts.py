"""Counts of single sentences: they add up to the scores, are checked, and can be made again from the predictions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from xner_bench import agreement, carry_out, set_up
from xner_bench.measure import tally, tally_by_sentence
from xner_bench.results import SCORES, SENTENCE_COUNTS, Store
from xner_bench.score import count, count_by_sentence, micro, spans
from xner_bench.verify import check

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.results import Run

TYPES = 3


@st.composite
def tagged(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Gold and predicted tags of some sentences, empty ones among them, and where these begin."""
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=8))
    tags = st.lists(st.integers(0, 2 * TYPES), min_size=sum(lengths), max_size=sum(lengths))
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    return np.array(draw(tags), np.int64), np.array(draw(tags), np.int64), offsets


@given(tagged(), st.sampled_from(["strict", "lenient"]))
def test_counts_of_sentences_are_those_of_each_sentence_alone(found: tuple[Any, Any, Any], reading: Any) -> None:
    gold, guess, offsets = found
    each = count_by_sentence(spans(gold, offsets, reading), spans(guess, offsets, reading), TYPES, offsets)
    for at, (start, end) in enumerate(pairwise(offsets)):
        alone = np.array([0, end - start])
        pair = (spans(tags[start:end], alone, reading) for tags in (gold, guess))
        assert tuple(each[at]) == micro(count(*pair, TYPES))


@given(tagged())
def test_tags_of_sentences_add_up(found: tuple[Any, Any, Any]) -> None:
    gold, guess, offsets = found
    assert tuple(tally_by_sentence(gold, guess, offsets).sum(axis=0)) == tally(gold, guess)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Run]:
    """A real run under every profile, with a perturbed split."""
    folder = tmp_path_factory.mktemp("results")
    settings = set_up(
        "quick",
        epochs=1,
        targets=["mini-wikiann:de", "mini-masakhaner:yor"],
        profiles=["word-strict", "word-lenient", "subword-lenient", "tag-accuracy"],
        perturb=["in-language"],
    )
    return Store(folder), carry_out(settings, folder)


def test_a_run_stores_counts_that_agree_with_its_scores(done: tuple[Store, Run]) -> None:
    store, run = done
    table, scores = (store.table(run.run_id, name) for name in ("sentence_counts", "scores"))
    assert {row["profile"] for row in table.to_pylist()} == set(run.settings.profiles)
    assert {row["split"] for row in table.to_pylist()} == {"test", "test-in-language"}
    assert not list(agreement.sentence_counts(run, table, scores))
    assert not list(check(store))


def test_a_run_says_its_peak_memory(done: tuple[Store, Run]) -> None:
    _, run = done
    assert run.peak_memory is None or run.peak_memory > 50  # MiB
    assert run.peak_gpu_memory is None


def changed(store: Store, run: Run, how: str) -> list[dict[str, Any]]:
    rows = store.table(run.run_id, "sentence_counts").to_pylist()
    if how == "other":
        rows[0]["tp"][0] += 1
    elif how == "short":
        for name in ("tp", "fp", "fn"):
            rows[0][name] = rows[0][name][:-1]
    elif how == "negative":
        rows[0]["fp"][0] = -1
    elif how == "twice":
        rows.append(rows[0])
    elif how == "gone":
        rows = [row for row in rows if row["profile"] != "word-strict" or row["language"] != "de"]
    elif how == "strange":
        rows[0]["language"] = "xx"
    return rows


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("other", "found, invented, missed; the scores count"),
        ("short", "not as many as were read"),
        ("negative", "a count is no count"),
        ("twice", "stands twice"),
        ("gone", "no sentences of mini-wikiann:de"),
        ("strange", "which was not scored"),
    ],
)
def test_counts_that_are_not_the_runs_own_are_found(
    done: tuple[Store, Run], tmp_path: Path, how: str, said: str
) -> None:
    store, run = done
    other = Store(tmp_path)
    rows = [tuple(row.values()) for row in changed(store, run, how)]
    other.save_table(run.run_id, "sentence_counts", SENTENCE_COUNTS, rows)
    table = other.table(run.run_id, "sentence_counts")
    assert any(said in problem for problem in agreement.sentence_counts(run, table, store.table(run.run_id, "scores")))


def counts(store: Store, *more: str, status: int = 0) -> str:
    from xner_bench.cli.counts import counts as command

    found = CliRunner().invoke(command, ["--results", str(store.root), *more], catch_exceptions=False)
    assert found.exit_code == status
    return found.stdout


def copied(done: tuple[Store, Run], folder: Path) -> Store:
    """The run without its counts."""
    import shutil

    shutil.copytree(done[0].root, folder, dirs_exist_ok=True)
    (Store(folder).folder(done[1].run_id) / "sentence_counts.parquet").unlink()
    return Store(folder)


@pytest.mark.parametrize("orphans", [True, False])
def test_counts_are_made_again_from_predictions(done: tuple[Store, Run], tmp_path: Path, orphans: bool) -> None:
    store, run = copied(done, tmp_path), done[1]
    if not orphans:
        store.drop_tables(run.run_id, "orphans")
    assert "counted" in counts(store)
    wanted, again = (one.table(run.run_id, "sentence_counts").to_pylist() for one in (done[0], store))
    follow = ("word-strict", "word-lenient", "tag-accuracy") if orphans else ("word-strict",)
    assert sorted(map(repr, again)) == sorted(repr(row) for row in wanted if row["profile"] in follow)
    assert not list(check(store))
    assert counts(store) == "all finished runs have counts\n"


def test_a_changed_record_makes_no_counts(done: tuple[Store, Run], tmp_path: Path) -> None:
    store, run = copied(done, tmp_path), done[1]
    data = tuple(one.model_copy(update={"fingerprint": "0" * 64}) for one in run.data)
    store.save_run(run.model_copy(update={"data": data}))
    assert "its ids are not those of what it says" in counts(store, status=2)
    assert not (store.folder(run.run_id) / "sentence_counts.parquet").exists()


def test_a_run_that_is_wrong_is_left_as_it_was(done: tuple[Store, Run], tmp_path: Path) -> None:
    store, run = copied(done, tmp_path), done[1]
    folder = store.folder(run.run_id)
    scores = store.table(run.run_id, "scores").to_pylist()
    better = next(row for row in scores if row["profile"] == "word-strict" and row["fp"] and row["fn"])
    counted = {"tp": better["tp"] + 1, "fp": better["fp"] - 1, "fn": better["fn"] - 1}
    key = ("dataset", "language", "split", "checkpoint", "profile", "type")
    for row in scores:
        if all(row[name] == better[name] for name in key):  # under every protocol
            row.update(counted)
    store.save_table(run.run_id, "scores", SCORES, [tuple(row.values()) for row in scores])
    before = folder.stat().st_mtime_ns, sorted(folder.rglob("*"))
    assert "the scores count" in counts(store, status=2)
    assert (folder.stat().st_mtime_ns, sorted(folder.rglob("*"))) == before  # nothing came and went
    (folder / "predictions.parquet").unlink()
    assert "predictions.parquet: it is not there; `xner-bench results check`" in counts(store, status=2)
