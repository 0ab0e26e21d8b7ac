"""Differences between entries: seed by seed, only against what was trained in the same way."""

from __future__ import annotations

import io
import re
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from boards import Bench
from rich.console import Console

from xner_bench.cli import tables
from xner_bench.leaderboard import board, differences, markdown

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.leaderboard.differences import Pair
    from xner_bench.leaderboard.lines import Section

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
TOTAL = ("Total", "last")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def section(bench: Bench) -> Section:
    (found,) = board.build(bench.store, bench.catalogue)
    return found


def pairs(bench: Bench) -> list[Pair]:
    return differences.pairs(section(bench), "word-strict")


def some(seed: int, better: int = 0) -> dict[str, tuple[int, int, int]]:
    """Scores that differ by seed."""
    return dict.fromkeys(("one:aa", "one:ab", "one:ac", "two:ba", "two:bb"), (8 + better, 2 + seed % 5, 2))


def test_a_difference_is_the_mean_over_the_seeds_that_both_have(bench: Bench) -> None:
    for seed in (1, 2, 3):
        bench.add(seed=seed, scores=some(seed))
    for seed in (2, 3, 4):
        bench.add("slicer", options=SLICER, seed=seed, scores=some(seed, better=3))
    (pair,) = pairs(bench)
    own, base = (line.seeds[TOTAL] for line in pair)
    wanted = [own[seed] - base[seed] for seed in (2, 3)]
    found = pair.difference(*TOTAL)
    assert found is not None
    assert (found.mean, found.n) == (pytest.approx(statistics.fmean(wanted)), 2)
    assert found.std == pytest.approx(statistics.stdev(wanted))
    assert found.mean > 0


def test_the_means_of_the_seeds_are_those_of_the_table(bench: Bench) -> None:
    for seed in (1, 2, 3):
        bench.add(seed=seed, scores=some(seed))
    (line,) = section(bench).lines
    for at, mean in line.means.items():
        assert mean.f1 is not None
        assert mean.f1.mean == pytest.approx(statistics.fmean(line.seeds[at].values()))


def test_only_what_was_trained_in_the_same_way_is_compared(bench: Bench) -> None:
    bench.add(training={"lr": 1e-5})
    bench.add(training={"lr": 2e-5})
    bench.add("slicer", options=SLICER, training={"lr": 2e-5})
    bench.add("slicer", options=SLICER, training={"lr": 3e-5})
    bench.add("slicer", options=SLICER, training={"lr": 2e-5}, encoder="other")
    (pair,) = pairs(bench)
    assert (pair.line.training["lr"], pair.baseline.training["lr"]) == (2e-5, 2e-5)
    assert pair.line.encoder == pair.baseline.encoder


def test_other_data_or_another_choice_of_settings_is_no_baseline(bench: Bench) -> None:
    bench.add(data="1")
    bench.add("slicer", options=SLICER, data="2")
    bench.add("slicer", options=SLICER, data="1", chosen_on=("two:ba",))
    assert not pairs(bench)
    bench.add("slicer", options=SLICER, data="1", targets=("two:ba", "two:bb"))  # of the same data as far as it goes
    (pair,) = pairs(bench)
    assert pair.line.label == "slicer h=8, 2 targets"
    other = replace(pair.line, fingerprint="0" * 64)  # weights that have been changed in their folder
    assert not differences.pairs(replace(section(bench), lines=(pair.baseline, other)), "word-strict")


def test_each_row_says_which_of_several_baselines_it_is_about(bench: Bench) -> None:
    for lr in (1e-5, 2e-5):
        bench.add(training={"lr": lr})
        bench.add("slicer", options=SLICER, training={"lr": lr})
    assert {pair.baseline.label for pair in pairs(bench)} == {"standard, lr 1e-5", "standard, lr 2e-5"}
    page = markdown.leaderboard([section(bench)])
    assert "| Entry | Encoder | Against |" in page
    console = Console(file=io.StringIO(), width=300)
    tables.board(console, [section(bench)], bench.catalogue)
    table = console.file.getvalue().partition("Difference from")[2]  # type: ignore[attr-defined]
    for lr in ("1e-5", "2e-5"):
        assert re.search(rf"slicer h=8, lr {lr} +standard, lr {lr}", table)


def test_seeds_without_all_scores_are_left_out(bench: Bench) -> None:
    bench.add(seed=1)
    bench.add(seed=2)
    bench.add("slicer", options=SLICER, seed=1, scores={"two:bb": None})
    bench.add("slicer", options=SLICER, seed=2)
    (pair,) = pairs(bench)
    found = pair.difference(*TOTAL)
    assert found is not None
    assert found.n == 1


def test_without_a_baseline_or_a_common_seed_nothing_is_said(bench: Bench) -> None:
    bench.add("slicer", options=SLICER, seed=1)
    assert "Difference from" not in markdown.leaderboard([section(bench)])
    bench.add(seed=2)
    assert not pairs(bench)


def test_both_outputs_say_the_same(bench: Bench) -> None:
    for seed in (1, 2):
        bench.add(seed=seed, scores=some(seed))
        bench.add("slicer", options=SLICER, seed=seed, scores=some(seed, better=-3))
    (pair,) = pairs(bench)
    cell = differences.cell(pair, *TOTAL)
    assert cell.startswith("-")
    console = Console(file=io.StringIO(), width=300)
    tables.board(console, [section(bench)], bench.catalogue)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for text in (printed, markdown.leaderboard([section(bench)])):
        assert "Difference from standard" in text
        assert cell in text
