"""The accuracy of tags from a run to the leaderboard: a table of its own, called what it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import small as worlds
import torch
from boards import Bench
from small import Small, call
from transformers import AutoModelForTokenClassification, AutoTokenizer

from xner_bench.leaderboard import board, markdown, table

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.leaderboard.lines import Section

BOTH = ("word-strict", "tag-accuracy")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def results(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of one finished run, scored in both profiles; read only."""
    store = tmp_path_factory.mktemp("finished")
    answer = call(*small.argv(store, "--profile", "tag-accuracy", "--keep-checkpoint"))
    assert answer.status == 0, answer.err
    return store


def rows(results: Path, **wanted: Any) -> list[dict[str, Any]]:
    (path,) = results.glob("runs/*/scores.parquet")
    return [row for row in pq.read_table(path).to_pylist() if all(row[key] == wanted[key] for key in wanted)]


@pytest.mark.parametrize("language", worlds.SAID)
def test_it_is_what_transformers_tags_right(results: Path, language: str) -> None:
    """Word by word, by the tag of the first subword, with the checkpoint that the run kept."""
    (folder,) = results.glob("runs/*/checkpoint")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForTokenClassification.from_pretrained(folder)
    right = words = 0
    for sentence in worlds.corpus(language, "test", worlds.SIZES["test"]):
        inputs = tokenizer([[word for word, _ in sentence]], is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            best = model(**inputs).logits[0].argmax(-1)
        first = [inputs.word_ids().index(number) for number in range(len(sentence))]
        tags = [model.config.id2label[int(best[at])] for at in first]
        gold = ["O" if tag.endswith("DATE") else tag for _, tag in sentence]
        right += sum(map(str.__eq__, tags, gold))
        words += len(sentence)
    (row,) = rows(results, profile="tag-accuracy", language=language, protocol="last")
    assert (row["type"], row["tp"], row["fp"], row["fn"], row["support"]) == (
        "tag",
        right,
        words - right,
        words - right,
        words,
    )


def test_what_is_printed_is_called_accuracy(small: Small, results: Path) -> None:
    (path,) = results.glob("runs/*/run.json")
    text = call("runs", "show", path.parent.name, "--results", results, "--catalogue", small.catalogue).out
    f1, accuracy = text.index("F1 in percent, word-strict"), text.index("Accuracy in percent, tag-accuracy")
    (row,) = rows(results, profile="tag-accuracy", language="sw", protocol="last")
    shown = next(line for line in text[accuracy:].splitlines() if "Swahili" in line)
    assert f1 < accuracy
    assert f"{100 * row['tp'] / row['support']:.1f}" in shown.split()


def test_a_run_that_has_it_is_sound_and_found_done(small: Small, results: Path) -> None:
    assert call("results", "check", "--results", results).status == 0
    again = call(*small.argv(results, "--profile", "tag-accuracy"))
    assert again.status == 0
    assert len(list(results.glob("runs/*/run.json"))) == 1


def test_a_run_may_be_scored_in_nothing_else(small: Small, results: Path) -> None:
    """Dev scores, which choose the checkpoints, are word-strict anyway."""
    (path,) = results.glob("runs/*/selection.json")
    assert set(json.loads(path.read_text())["dev"]["1"]) == {f"villages:{code}" for code in worlds.SAID}
    assert {row["type"] for row in rows(results, profile="tag-accuracy")} == {"tag"}
    assert {row["type"] for row in rows(results, profile="word-strict")} == {"PER", "LOC"}


@pytest.fixture
def section(tmp_path: Path) -> Section:
    """A section with two methods, scored in both profiles: 8 of 10 tags of each language are right."""
    bench = Bench(tmp_path)
    for method, options in (("standard", {}), ("slicer", {"h": 8, "classifier": "trained", "bias": "per_slice"})):
        bench.add(method, options=options, profiles=BOTH)
    (found,) = board.build(bench.store, bench.catalogue)
    return found


def test_it_never_stands_in_a_table_with_f1(section: Section) -> None:
    assert section.profiles == BOTH
    text = markdown.leaderboard([section])
    (_, strict), (_, accuracy) = (part.split("\n\n", 1) for part in text.split("### ")[1:])
    assert strict.startswith("F1, profile word-strict")
    assert accuracy.startswith("Accuracy, profile tag-accuracy: the share of words whose tag is right")
    assert "80.0" in accuracy
    assert "80.0" not in strict
    assert "F1" not in accuracy


def test_the_tables_say_what_their_numbers_are(section: Section) -> None:
    found = table.means([section]).to_pylist()
    assert {(row["profile"], row["metric"]) for row in found} == {("word-strict", "f1"), ("tag-accuracy", "accuracy")}
    accuracies = {row["f1_mean"] for row in found if row["metric"] == "accuracy"}
    assert accuracies == {80.0}


def test_a_mean_over_types_is_not_claimed(section: Section) -> None:
    line = next(line for line in section.lines if line.profile == "tag-accuracy")
    for row in line.rows.values():
        assert (row.f1 and row.f1.mean, row.macro_f1) == (80.0, None)
        assert row.counts == (8, 2, 2)
