"""Perturbed splits on the leaderboard: beside the regular ones, never among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from boards import Bench
from click.testing import CliRunner

from xner_bench.leaderboard import board, markdown, table
from xner_bench.leaderboard.cells import Stat
from xner_bench.leaderboard.papers import published_lines
from xner_bench.leaderboard.published import published
from xner_bench.leaderboard.robustness import DRAWN_FROM, SPLITS, about, change, of, row_change
from xner_bench.results import SCORES, PerturbedRecord
from xner_bench.settings import digest

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.leaderboard.lines import Section
    from xner_bench.results import Run

THERE = "test-in-script"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def perturbed(bench: Bench, found: int, seed: int = 42, data: str = "1", **changes: Any) -> Run:
    """A run whose perturbed splits have `found` entities right and ten wrong, in every language and both types."""
    run = bench.add(seed=seed, perturb=("in-script",), **changes)
    rows = [tuple(row.values()) for row in bench.store.table(run.run_id, "scores").to_pylist()]
    tests = [row for row in rows if row[2] == "test"]
    there = [(*row[:2], THERE, *row[3:7], found, 10, 10, found + 10, *row[11:]) for row in tests]
    bench.store.save_table(run.run_id, "scores", SCORES, [*rows, *there])
    records = tuple(
        PerturbedRecord(
            corpus=corpus,
            split=THERE,
            sentences=9,
            fingerprint=digest([corpus, data]),
            seed=0,
            pool=data,
            without=(),
            replaced=1,
            kept=0,
        )
        for corpus in run.settings.corpora
    )
    bench.store.save_run(run.model_copy(update={"perturbed": records}))
    return run


def section(bench: Bench) -> Section:
    (found,) = board.build(bench.store, bench.catalogue)
    return found


def rows(bench: Bench, which: str) -> list[dict[str, Any]]:
    sections = board.build(bench.store, bench.catalogue)
    made = table.per_language(sections, bench.catalogue) if which == "languages" else table.means(sections)
    found: list[dict[str, Any]] = made.to_pylist()
    return found


def test_a_board_without_perturbed_runs_has_no_trace_of_them(bench: Bench) -> None:
    bench.add()
    assert section(bench).perturbed == ()
    assert "Robustness" not in markdown.leaderboard((section(bench),))
    assert {(row["split"], row["change"]) for row in rows(bench, "languages")} == {("test", None)}


def test_regular_lines_are_the_same_with_perturbed_ones_beside_them(bench: Bench, tmp_path: Path) -> None:
    perturbed(bench, 10)
    other = Bench(tmp_path / "other")
    other.add()
    for which in ("languages", "means"):
        assert [row for row in rows(bench, which) if row["split"] == "test"] == rows(other, which)


def test_change_is_of_the_regular_score(bench: Bench) -> None:
    for seed, found in ((1, 10), (2, 30)):
        perturbed(bench, found, seed)
    for which in ("languages", "means"):
        every = rows(bench, which)
        key = "language" if which == "languages" else "group"
        regular = {(row[key], row["protocol"]): row["f1_mean"] for row in every if row["split"] == "test"}
        there = [row for row in every if row["split"] == THERE]
        assert len(there) == len(regular)
        for row in there:
            assert row["f1_mean"] == pytest.approx((50.0 + 75.0) / 2)
            assert row["f1_std"] == pytest.approx(25 / 2**0.5)
            base = regular[row[key], row["protocol"]]
            assert row["change"] == pytest.approx(100 * (row["f1_mean"] / base - 1))


def test_tables_show_both_numbers(bench: Bench) -> None:
    perturbed(bench, 10)
    at = ("Total", "last", THERE)
    (mean,) = (row for row in rows(bench, "means") if (row["group"], row["protocol"], row["split"]) == at)
    cell = f"50.0 (1), {mean['change']:+.1f} %"
    for text in (markdown.leaderboard((section(bench),)), shown(bench)):
        assert cell in re.sub(" +", " ", text)
        assert "of the same script" in text
    assert f"50.0, {mean['change']:+.1f} %" in markdown.per_language((section(bench),), bench.catalogue)


def shown(bench: Bench) -> str:
    from xner_bench.cli.leaderboard import leaderboard

    argv = ["show", "--catalogue", str(bench.cards), "--results", str(bench.store.root)]
    return CliRunner().invoke(leaderboard, argv, catch_exceptions=False).output


def test_an_entry_of_which_only_some_seeds_were_perturbed_has_no_mean_there(bench: Bench) -> None:
    perturbed(bench, 10, seed=1)
    bench.add(seed=2)
    there = [row for row in rows(bench, "languages") if row["split"] == THERE]
    assert {(row["f1_mean"], row["change"], row["reason"]) for row in there} == {
        (None, None, "not scored in 1 of 2 seeds")
    }


def test_perturbed_splits_that_are_not_the_same_are_named(bench: Bench) -> None:
    perturbed(bench, 10, seed=1)
    perturbed(bench, 10, seed=2)
    assert section(bench).differing == ()
    perturbed(bench, 10, seed=3, data="2", training={"lr": 1.0})
    assert section(bench).differing == tuple(f"{corpus} {THERE}" for corpus in sorted(section(bench).corpora))


def test_no_score_has_no_change() -> None:
    assert change(None, Stat(1.0, None, 1)) is None
    assert change(Stat(1.0, None, 1), None) is None
    assert change(Stat(1.0, None, 1), Stat(0.0, None, 1)) is None
    assert change(Stat(30.0, None, 1), Stat(40.0, None, 3)) == pytest.approx(-25.0)


def test_every_perturbation_is_explained() -> None:
    assert all(DRAWN_FROM[name] in about(split) for split, name in SPLITS.items())


def test_published_scores_stand_beside_the_regular_ones(bench: Bench) -> None:
    bench.add(suite="compression-joint", profiles=("word-lenient",))
    joint = section(bench)
    own = [row for row in published("compression-joint") if row.split == "test-in-language"]
    assert [line.label for line in published_lines(joint)] == list(dict.fromkeys(row.entry for row in own))
    ((split, lines),) = of(joint, "word-lenient")
    assert split == "test-in-language"
    assert {line.label for line in lines} == {row.entry for row in own}
    assert all(line.published and line.regular and line.split == split for line in lines)
    dense = next(line for line in lines if line.label == "standard, lr 7e-5")
    here, there = (one.rows["wikiann:en", "last"].f1 for one in (dense.regular, dense) if one)
    assert here and there and (here.mean, there.mean) == (84.70, 1.43)
    assert row_change(dense, ("wikiann:en", "last")) == pytest.approx(-98.3, abs=0.05)
