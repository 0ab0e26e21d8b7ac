"""Many runs stated at once: what a grid stands for, as a file and on the command line, and what becomes of its runs."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import pytest
import small as worlds
from errands import Remembering
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from small import call

from xner_bench import catalogue, drive, grid, gridfile, plan, remembered, yamlfile
from xner_bench.cli import again, board
from xner_bench.cli.again import Where
from xner_bench.cli.options import options_of
from xner_bench.errors import UnknownName, XnerError
from xner_bench.executors import InSequence
from xner_bench.fields import in_ranges, numbers
from xner_bench.grid import Grid
from xner_bench.results import Store
from xner_bench.settings import Execution, Training
from xner_bench.settle import settle
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from small import Small

    from xner_bench.jobs import Outcome
    from xner_bench.settings import RunSettings

KNOWN = catalogue.load()
TWO = ("--method", "standard,slicer", "--h", "4,8", "--epochs", 1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def done(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a grid of three runs; read only."""
    results = tmp_path_factory.mktemp("done")
    answer = call(*small.argv(results, *TWO))
    assert answer.status == 0, answer.err
    return results


def read(folder: Path, text: str) -> Grid:
    path = folder / "grid.yaml"
    path.write_text(text, "utf-8")
    return gridfile.read(yamlfile.read(path))


def stamps(results: Path) -> dict[str, int]:
    """When every file of the runs was last written."""
    return {str(path): path.stat().st_mtime_ns for path in (results / "runs").rglob("*") if path.is_file()}


def records(results: Path) -> list[drive.GridRecord]:
    paths = sorted((results / "grids").iterdir())
    return [drive.GridRecord.model_validate_json(path.read_bytes()) for path in paths]


def outline(one: RunSettings) -> tuple[str, int | None, float, int]:
    return one.method, one.options.get("h"), one.training.lr, one.seed


# What a grid stands for.


def test_options_multiply_the_methods_that_have_them() -> None:
    asked = Grid(method=("standard", "slicer"), options={"h": (1, 2)}, training={"lr": (1e-5, 2e-5)}, seed=(42, 43))
    every = [outline(one) for one in grid.expand(KNOWN, asked)]
    ways = [("standard", None), ("slicer", 1), ("slicer", 2)]
    assert every == [(*way, lr, seed) for way in ways for lr in (1e-5, 2e-5) for seed in (42, 43)]
    assert grid.size(asked) == 12


def test_the_papers_grid_is_the_runs_of_its_table_1() -> None:
    found = grid.expand(KNOWN, gridfile.find(KNOWN, "paper", "slicer-en"))
    ways = [("standard", None), *(("slicer", h) for h in (1, 2, 8))]
    rates = (5e-6, 1e-5, 2e-5)
    assert {outline(one) for one in found} == {
        (*way, lr, seed) for way in ways for lr in rates for seed in range(42, 52)
    }
    assert len(found) == 120
    assert {one.training.model_copy(update={"lr": 1e-5}) for one in found} == {settle(KNOWN, "slicer-en").training}
    assert call("suites", "slicer-en").out.count("grids          paper") == 1


def test_every_grid_of_every_suite_can_be_meant() -> None:
    named = [(suite, name) for suite in KNOWN.suites.values() for name in suite.grids]
    assert len(named) >= 3
    for suite, name in named:
        every = grid.expand(KNOWN, gridfile.of_suite(KNOWN, suite, name))
        assert {one.suite for one in every} == {suite.name}
        assert len(every) > 1


def test_equal_runs_are_one() -> None:
    asked = Grid(method=("slicer", "slicer"), options={"h": (8, 8)}, source=("en", "mini-wikiann:en"), seed=(42, 42))
    assert len(grid.expand(KNOWN, asked)) == 1
    assert grid.size(asked) == 16


def test_places_are_lists_too() -> None:
    asked = Grid(method=("standard",), encoder=("mini", "elsewhere/enc"), source=("en", "de"), targets=("tr", "ru"))
    found = [(one.encoder, one.source, one.targets) for one in grid.expand(KNOWN, asked)]
    targets = ("mini-wikiann:tr", "mini-wikiann:ru")
    sources = ("mini-wikiann:en", "mini-wikiann:de")
    assert found == [(encoder, source, targets) for encoder in ("mini", "elsewhere/enc") for source in sources]


def test_one_run_is_a_grid_and_the_same_run_again() -> None:
    one = settle(KNOWN, "slicer-ru", "slicer", options={"h": 2}, seed=7, lr=3e-5, profiles=["word-lenient"])
    assert grid.expand(KNOWN, grid.of(one)) == [one]


def test_the_name_of_a_grid_is_that_of_its_lists() -> None:
    asked = Grid(method=("standard", "slicer"), options={"h": (1, 2)}, seed=(1, 2))
    same = Grid(suite=("quick",), method=("slicer", "standard"), options={"h": (2, 1)}, seed=(2, 1))
    other = asked.model_copy(update={"seed": (1, 2, 3)})
    assert grid.name(asked) == grid.name(same) != grid.name(other)
    assert grid.name(asked).isalnum()


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        (Grid(), ("no method", "--method")),
        (Grid(method=("slicr",)), ("'slicr'", "'slicer'")),
        (Grid(method=("standard", "slicer"), options={"hh": (1,)}), ("'hh'", "standard or slicer")),
        (Grid(method=("slicer",), options={"h": ()}), ("--h", "no value")),
        (Grid(method=("slicer",), options={"h": (8, 0)}), ("--h", "0")),
        (Grid(method=("slicer",), training={"lr": (1e-5, -1.0)}), ("--lr", "-1")),
        (Grid(method=("slicer",), encoder=("a", "b"), encoder_revision="c"), ("--encoder-revision c", "2")),
        (Grid(method=("slicer",), seed=tuple(range(2000)), training={"epochs": tuple(range(1, 502))}), ("1,002,000",)),
    ],
)
def test_a_grid_that_cannot_be_meant(asked: Grid, parts: tuple[str, ...]) -> None:
    with pytest.raises(XnerError) as caught:
        grid.expand(KNOWN, asked)
    for part in parts:
        assert part in str(caught.value)


def test_flags_change_a_grid() -> None:
    base = gridfile.find(KNOWN, "paper", "slicer-en")
    found = grid.changed(base, Grid(seed=(1,), training={"epochs": (3,)}, options={"h": (4,)}))
    assert (found.seed, found.method, found.options) == ((1,), ("standard", "slicer"), {"h": (4,)})
    assert found.training == {**base.training, "epochs": (3,)}
    fewer = grid.changed(base, Grid(method=("standard",)))
    assert fewer.options == {}, "nobody asked for an option of slicer"
    assert grid.changed(base, Grid()) == base
    pinned = base.model_copy(update={"encoder": ("own/enc",), "encoder_revision": "abc"})
    assert grid.changed(pinned, Grid(encoder=("other/enc",))).encoder_revision is None
    assert grid.changed(base, Grid(targets=())).targets == ()


# Grids as files.


def test_a_file_says_what_flags_say(tmp_path: Path) -> None:
    text = "method: [standard, slicer]\nh: [1, 2]\nlr: [5e-6, 1]\nclip: [none, 1, null]\nsource: en\n"
    text += "seeds: [42-44, 50]\n"
    found = read(tmp_path, text)
    assert found == Grid(
        method=("standard", "slicer"),
        options={"h": (1, 2)},
        training={"lr": (5e-6, 1.0), "clip": (None, 1.0, None)},
        seed=(42, 43, 44, 50),
        source=("en",),
    )
    assert isinstance(found.training["lr"][1], float)
    assert read(tmp_path, "method: slicer\nseed: 3\n") == Grid(method=("slicer",), seed=(3,))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("- slicer\n", (":1:", "keys")),
        ("method: slicer\nhh: 3\n", (":2: hh", "'h'")),
        ("method: slicer\n\nepoch: 3\n", (":3: epoch", "'epochs'")),
        ("method: slicer\nlr: [1e-5, fast]\n", (":2: lr.1: value 2 of the list: ", '"fast"', "peak learning rate")),
        ("method: slicer\nlr: 1e-5, 2e-5\n", (":2: lr: ", "several values are a list: [1e-5, 2e-5]")),
        ("method: slicer\nlr: none\n", (":2: lr: ", '"none"')),
        ("method: slicer\nseed: 1\nseeds: 2-3\n", (":2: seed: ", "seed and seeds", "keep one")),
        ("method: slicer\nlr: [1e-5, -1]\n", (":2: lr.1", "greater than 0", "-1")),
        ("method: slicer\nh: '8'\n", (":2: h: ", '"8"', "leave the quotes out")),
        ("method: slicer\nh: {a: 1}\n", (":2: h", "a value or a list")),
        ("method: slicer\nh: [[1]]\n", (":2: h.0", "a value or a list")),
        ("method: slicer\nh: []\n", (":2: h", "empty")),
        ("method: 3\n", (":1: method: ", "text", "3", "in quotes")),
        ("method: slicer\nseeds: 51-42\n", (":2: seeds", "'51-42'", "lower number first")),
        ("method: slicer\nseeds: 0-999999999\n", (":2: seeds", "100,000")),
        ("method: slicer\nseeds: [1, x]\n", (":2: seeds.1", '"x"')),
        ("method: slicer\nseeds: -1\n", (":2: seeds", "-1")),
        ("method: slicer\nmethod: standard\n", (":2:", "duplicate")),
    ],
)
def test_a_file_that_is_wrong_is_told_by_its_line(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(XnerError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    for part in ("grid.yaml", *parts):
        assert part in str(caught.value)


def test_a_grid_that_a_suite_has_not(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"suite quick is called 'paper'.*one of that name: .*slicer-en, slicer-ru"):
        gridfile.find(KNOWN, "paper")
    with pytest.raises(UnknownName, match="'papr'; did you mean 'paper'"):
        gridfile.find(KNOWN, "papr", "slicer-en")
    with pytest.raises(XnerError, match=r"nowhere\.yaml"):
        gridfile.find(KNOWN, str(tmp_path / "nowhere.yaml"))


def test_a_suites_own_grid_that_is_wrong_is_told_by_its_key(tmp_path: Path) -> None:
    small = worlds.build(tmp_path)
    path = small.catalogue / "suites" / "small.yaml"
    path.write_text(worlds.SUITE + "grids:\n  own: {method: slicer, h: eight}\n", "utf-8")
    answer = call("run", "--suite", "small", "--catalogue", small.catalogue, "--grid", "own", "--dry-run")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "suite small, grids.own.h: Input should be a valid integer" in answer.err


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
NAMES = TEXT | st.sampled_from(
    ["true", "null", "no", "42-51", "1e-5", "-", "a: b", "[a]", "#x", "~", "\u2028", "\ufeff"]
)
AXES = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=2),
        "clip": st.lists(st.none() | st.floats(0.1, 1e9), min_size=1, max_size=2),
        "epochs": st.lists(st.integers(1, 99), min_size=1, max_size=2),
        "precision": st.lists(st.sampled_from(["fp32", "auto"]), min_size=1, max_size=2),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    methods=st.sampled_from([("standard",), ("slicer",), ("slicer", "standard")]),
    training=AXES,
    h=st.lists(st.integers(1, 2**40), max_size=2),
    encoders=st.lists(NAMES, max_size=2),
    revision=st.none() | NAMES,
    sources=st.lists(st.sampled_from(["en", "mini-wikiann:de"]), max_size=2),
    targets=st.none() | st.lists(st.sampled_from(["tr", "mini-masakhaner:hau"]), min_size=1, max_size=2),
    seeds=st.lists(st.integers(0, 2**63 - 1) | st.integers(1, 9), max_size=4),
    profiles=st.lists(st.sampled_from(["word-lenient", "subword-lenient"]), max_size=2, unique=True),
)
def test_a_grid_that_was_printed_is_read_back_as_the_same_runs(
    tmp_path: Path,
    methods: tuple[str, ...],
    training: dict[str, list[Any]],
    h: list[int],
    encoders: list[str],
    revision: str | None,
    sources: list[str],
    targets: list[str] | None,
    seeds: list[int],
    profiles: list[str],
) -> None:
    asked = Grid(
        method=methods,
        options={"h": tuple(h)} if h and "slicer" in methods else {},
        encoder=tuple(encoders),
        encoder_revision=revision if len(encoders) < 2 else None,
        source=tuple(sources),
        targets=None if targets is None else tuple(targets),
        training={name: tuple(values) for name, values in training.items()},
        seed=tuple(seeds),
        profiles=tuple(profiles),
    )
    back = read(tmp_path, gridfile.as_yaml(asked))
    assert grid.expand(KNOWN, back) == grid.expand(KNOWN, asked)
    assert grid.name(back) == grid.name(asked)


@given(st.lists(st.integers(0, 30), max_size=9))
def test_ranges_are_the_numbers_that_they_stand_for(values: list[int]) -> None:
    back: list[int] = []
    for shown in in_ranges(values):
        back += [shown] if isinstance(shown, int) else list(numbers(shown) or ())
    assert back == values


# On the command line.


def test_a_grid_as_a_file_makes_the_same_plan(small: Small, tmp_path: Path) -> None:
    flags = (*TWO, "--lr", "1e-2,2e-2", "--seeds", "42-43", "--clip", "none,1", "--encoder", small.encoder)
    printed = call(*small.argv(tmp_path, *flags, "--dry-run", "--as-yaml"))
    assert (printed.status, printed.err) == (0, "")
    assert "seeds: 42-43\n" in printed.out
    assert "clip: [null, 1.0]\n" in printed.out
    path = tmp_path / "grid.yaml"
    path.write_text(printed.out, "utf-8")
    where = ("--catalogue", small.catalogue, "--data-root", small.data, "--device", "cpu", "--results", tmp_path)
    plans = [call(*small.argv(tmp_path, *flags, "--dry-run")), call("run", "--grid", path, *where, "--dry-run")]
    assert [one.status for one in plans] == [0, 0], plans
    assert plans[0].out == plans[1].out
    assert plans[0].out.startswith("runs:     24 (24 to do)\n")
    assert "slicer h=4 lr=0.02 clip=1 seed 43" in plans[0].out
    again = call("run", "--grid", path, *where, "--dry-run", "--as-yaml", "--seeds", 7, "--method", "standard")
    assert "seeds: 7\n" in again.out
    assert "h:" not in again.out
    assert not (tmp_path / "runs").exists()


def test_a_plan_says_what_is_done_and_what_the_rest_may_cost(small: Small, done: Path) -> None:
    unknown = call(*small.argv(done / "new", *TWO, "--dry-run")).out
    assert "cost:     unknown" in unknown
    more = call(*small.argv(done, *TWO, "--seeds", "42-43", "--dry-run"))
    assert more.status == 0, more.err
    assert "runs:     6 (3 done, 3 to do)\n" in more.out
    assert "cost:     about " in more.out
    assert " for 3, one after the other\n" in more.out
    assert "unknown" not in more.out
    lines = more.out.splitlines()
    assert sum(line.split()[-3:-2] == ["done"] for line in lines) == 3, more.out
    assert "cost:     nothing, all is there\n" in call(*small.argv(done, *TWO, "--dry-run")).out


def test_a_grid_is_carried_out_once(small: Small, done: Path) -> None:
    before = stamps(done)
    argv = [str(part) for part in small.argv(done, *TWO)]
    answer = call(*argv)
    assert (answer.status, answer.err) == (0, "")
    assert stamps(done) == before
    assert "runs:    3 found done\n" in answer.out
    assert "next:    xner-bench leaderboard build" in answer.out
    for label in ("standard", "slicer h=4", "slicer h=8"):
        (line,) = (line for line in answer.out.splitlines() if line.startswith(f"{label}  "))
        assert "1 of 1" in line
    assert "Total" in answer.out
    (record,) = records(done)
    assert len(record.run_ids) == 3
    assert {run.run_id for run in Store(done).runs()} == set(record.run_ids)
    assert shlex.split(record.command)[:2] == ["xner-bench", "run"]
    assert record.grid is not None
    assert grid.name(record.grid) == record.grid_id


def test_seeds_are_lines_of_one_entry(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path, "--epochs", 1, "--seeds", "1-2"))
    assert answer.status == 0, answer.err
    assert "2 of 2" in answer.out
    assert "±" in answer.out


def test_a_mean_over_some_of_a_suites_targets_is_none(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path, "--epochs", 1, "--seeds", "1-2", "--targets", "sw"))
    assert answer.status == 0, answer.err
    (line,) = (line for line in answer.out.splitlines() if line.startswith("standard  "))
    assert line.split() == ["standard", "2", "of", "2", "1/2", "2/3", "2/3"]


def test_what_fails_stops_nothing_else(small: Small, tmp_path: Path) -> None:
    """A run whose folder cannot be written fails, one whose rate is absurd diverges; the others are done."""
    flags = ("--lr", "1e-2,1e30", "--seeds", "1-2", "--epochs", 1)
    changes: list[dict[str, Any]] = [{"lr": lr, "seed": seed} for lr in (1e-2, 1e30) for seed in (1, 2)]
    every = [small.settings(epochs=1, **change) for change in changes]
    planned = drive.look(every, small.execution(tmp_path))
    blocked = planned[1].run_id
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / blocked).write_text("in the way")
    answer = call(*small.argv(tmp_path, *flags))
    assert answer.status == 1
    assert "runs:    1 done, 3 failed\n" in answer.out
    assert "1 of 2" in answer.out
    failed = [line for line in answer.err.splitlines() if line.startswith("failed:")]
    assert len(failed) == 3
    assert f"standard lr=0.01 seed 2 ({blocked}): cannot write {tmp_path}" in failed[0]
    assert "diverged: " in failed[1]
    (tmp_path / "runs" / blocked).unlink()
    again = call(*small.argv(tmp_path, *flags))
    assert again.status == 1
    assert "runs:    1 done, 1 found done, 2 failed\n" in again.out, "what diverged would diverge again"


def test_overwrite_is_obeyed(small: Small, tmp_path: Path) -> None:
    argv = small.argv(tmp_path, "--epochs", 1, "--seeds", "1-2")
    assert call(*argv).status == 0
    before = stamps(tmp_path)
    for flags, kept in ((("never",), True), (("missing",), True), (("always",), False)):
        assert call(*argv, "--overwrite", *flags).status == 0
        assert (stamps(tmp_path) == before) is kept
    assert "2 done, 2 to do" in call(*argv, "--overwrite", "always", "--dry-run").out
    assert "--overwrite" in call(*argv, "--overwrite", "sometimes").err


def test_two_workers_do_every_run_once(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path, *TWO, "--seeds", "1-2", "--workers", 2))
    assert answer.status == 0, answer.err
    assert "runs:    6 done\n" in answer.out
    alone = tmp_path / "alone"
    assert call(*small.argv(alone, *TWO, "--seeds", 1, "--threads", 1)).status == 0
    for run in Store(alone).runs():
        assert Store(tmp_path).table(run.run_id, "scores") == Store(alone).table(run.run_id, "scores")


def test_a_grid_that_was_killed_goes_on(small: Small, tmp_path: Path) -> None:
    argv = small.argv(tmp_path, "--epochs", 20, "--seeds", "1-3")
    process = worlds.start(*argv)
    while not any(run.state == "done" for run in Store(tmp_path).runs()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    worlds.end(process)
    (record,) = records(tmp_path)
    before = [run.run_id for run in Store(tmp_path).runs() if run.state == "done"]
    answer = call(*argv)
    assert answer.status == 0, answer.err
    assert f"{len(before)} found done\n" in answer.out
    assert {(run.run_id, run.state) for run in Store(tmp_path).runs()} == {(name, "done") for name in record.run_ids}


def test_a_grid_that_is_interrupted_says_so(small: Small, tmp_path: Path) -> None:
    process = worlds.start(*small.argv(tmp_path, "--epochs", 100_000, "--seeds", "1,2"))
    while not list((tmp_path / "runs").glob("*/epochs/state-*/complete.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    answer = worlds.end(process)
    assert (answer.status, answer.out) == (130, "")
    assert (
        "1 interrupted, 2 to do" in call(*small.argv(tmp_path, "--epochs", 100_000, "--seeds", "1,2", "--dry-run")).out
    )


def test_the_winner_of_a_study_is_a_grid_of_one(small: Small, tmp_path: Path) -> None:
    flags = ("--lr", "1e-2,2e-2", "--epochs", 1, "--trials", 2, "--study", "first")
    searched = call("search", *small.argv(tmp_path, *flags)[1:])
    assert searched.status == 0, searched.err
    where = ("--catalogue", small.catalogue, "--data-root", small.data, "--results", tmp_path, "--device", "cpu")
    answer = call("run", "--from-study", "first", "--seeds", "1-2", "--quiet", *where)
    assert answer.status == 0, answer.err
    assert "2 of 2" in answer.out
    assert [record.study for record in records(tmp_path)] == ["first"]


def test_one_run_of_a_grid_prints_as_one_run(small: Small, done: Path) -> None:
    one = call(*small.argv(done, "--epochs", 1))
    assert one.status == 0
    assert one.out.startswith("standard · ")
    assert "to compare, then" in one.out


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        ("--method standard,slicr", ("'slicr'", "'slicer'")),
        ("--method standard, --seed 1", ("--method", "empty place")),
        ("--method standard --lr 1e-5,fast", ("--lr", "'fast'")),
        ("--method standard --seeds 51-42", ("--seed", "'51-42'", "lower number first")),
        ("--method standard --seeds 0-999999", ("--seed", "100,000")),
        ("--method standard --seeds 42-", ("--seed", "'42-'")),
        ("--method slicer --h 1,2.5", ("--h", "'2.5'")),
        ("--method slicer --bias per_slice,none", ("--bias", "'none'", "shared_out")),
        ("--method standard,slicer --g 1", ("--g",)),
        ("--method standard --h 1", ("--h", "slicer has it")),
        ("--method standard,slicer --h 5,8 --dry-run", ("--h 5 does not divide",)),
        ("--grid papr --suite slicer-en", ("'papr'", "'paper'")),
        ("--grid nowhere.yaml", ("nowhere.yaml",)),
        ("--grid paper --suite slicer-en,slicer-ru", ("--grid paper", "one suite")),
        ("--grid compare --from-study one", ("--grid", "--from-study", "xner-bench run --help")),
        ("--from-study nothing", ("'nothing'",)),
        ("--method standard --as-yaml", ("--dry-run", "xner-bench run --help")),
        ("--method standard --dry-run --as-yaml --gpus-per-run 1", ("--gpus-per-run 1", "--executor ray")),
        ("--method standard --dry-run --data-root nowhere", ("nowhere is no folder", "--data-root DIR")),
        ("--method standard --dry-run --epochs 99999999999999999999999", ("--epochs", "1000000")),
        ("--seeds 1,2", ("no method", "--method", "xner-bench methods")),
        ("--method standard --encoder a,b --encoder-revision c", ("--encoder-revision",)),
        ("--method standard --seeds 1,2 --workers 0", ("--workers", "0")),
        ("--method standard --seeds 1,2 --ray-address here", ("--ray-address", "--executor ray")),
    ],
)
def test_what_a_user_can_mend_is_one_line(argv: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    answer = call("run", "--results", tmp_path, *argv.split())
    assert (answer.status, answer.out) == (2, ""), answer
    assert answer.err.startswith("xner-bench: ")
    assert answer.err.count("\n") == 1
    for part in parts:
        assert part in answer.err


class One(BaseModel):
    """A field of every kind."""

    switch: bool = False
    width: int | None = 8
    word: Literal["a", "b"] = "a"
    name: str = ""
    both: int = 1


class Two(BaseModel):
    """A field that is of another kind elsewhere."""

    both: str = ""


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ("", {}),
        ("--switch", {"switch": (True,)}),
        ("--switch --no-switch", {"switch": (True, False)}),
        ("--width 1-3,8,none", {"width": (1, 2, 3, 8, None)}),
        ("--width 8 --width 4", {"width": (4,)}),
        ("--word b,a,b", {"word": ("b", "a")}),
        ("--name x,1-3", {"name": ("x", "1-3")}),
        ("--both 1,x", {"both": ("1", "x")}),
    ],
)
def test_a_flag_of_any_kind_takes_a_list(argv: str, found: dict[str, Any]) -> None:
    command = click.Command("probe", params=list(options_of([One, Two], "own")))
    assert command.make_context("probe", argv.split()).meta.get("own", {}) == found


def test_a_folder_with_a_comma_in_its_name_is_one_encoder(small: Small, tmp_path: Path) -> None:
    odd = tmp_path / "tiny,odd"
    odd.symlink_to(small.encoder)
    answer = call(*small.argv(tmp_path / "r", "--encoder", odd, "--dry-run"))
    assert answer.status == 0, answer.err
    assert "encoder:  tiny" in answer.out


# Plans remember what files say.


def test_a_second_plan_of_the_default_suite_takes_no_time(tmp_path: Path) -> None:
    execution = Execution(results=tmp_path, device="cpu")
    every = [settle(KNOWN, "quick", "slicer", options={"h": h}, seed=h) for h in (1, 2, 4, 8)]
    first = plan.make(every[0], execution, SILENT)
    seconds = []
    for one in every[1:]:
        start = time.perf_counter()
        ready = plan.make(one, execution, SILENT)
        seconds.append(time.perf_counter() - start)
        assert ready.sealed == first.sealed
        assert ready.run_id != first.run_id
    assert min(seconds) < 0.1, seconds


def test_a_file_that_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "SETTLED", 0.0)  # as if nothing had been written for a while
    small = worlds.build(tmp_path)
    execution, one = small.execution(tmp_path / "r"), small.settings()
    path = small.data / "villages" / "sw" / "test.conll"
    first = plan.make(one, execution, SILENT)
    assert (
        plan.make(one, execution, SILENT).sealed[plan.Part("villages:sw", "test")]
        is first.sealed[plan.Part("villages:sw", "test")]
    )
    text = path.read_text("utf-8")
    path.write_text(text.replace("B-PER", "B-LOC", 1), "utf-8")  # of the same length
    second = plan.make(one, execution, SILENT)
    assert second.run_id != first.run_id
    path.write_text(text, "utf-8")
    assert plan.make(one, execution, SILENT).run_id == first.run_id
    weights = small.encoder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert plan.make(one, execution, SILENT).encoder_fingerprint != first.encoder_fingerprint


def test_what_was_written_a_moment_ago_is_not_relied_on(tmp_path: Path) -> None:
    """It may change again within one tick of the file system's clock; the time of a copy is its original's."""
    small = worlds.build(tmp_path)
    for path in small.folder.rglob("*"):
        os.utime(path, (time.time() - 60,) * 2)
    execution, one, part = small.execution(tmp_path / "r"), small.settings(), plan.Part("villages:sw", "test")
    first = plan.make(one, execution, SILENT)
    assert plan.make(one, execution, SILENT).sealed[part] is not first.sealed[part]


def test_what_no_plan_used_for_a_while_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "SETTLED", 0.0)
    small = worlds.build(tmp_path)
    execution, part = small.execution(tmp_path / "r"), plan.Part("villages:no", "test")
    first = plan.make(small.settings(), execution, SILENT)
    for _ in range(remembered.KEPT + 1):
        plan.make(small.settings(targets=["sw"]), execution, SILENT)
    assert plan.make(small.settings(), execution, SILENT).sealed[part] is not first.sealed[part]


# Without the command line.


def test_outcomes_come_in_the_order_of_the_runs(small: Small, done: Path, tmp_path: Path) -> None:
    execution = small.execution(Path(shutil.copytree(done, tmp_path / "results")))
    every = [
        small.settings(epochs=1),
        small.settings("slicer", epochs=1, options={"h": 2}),
        small.settings("slicer", epochs=1, options={"h": 4}),
    ]
    planned = drive.look(every, execution)
    assert [one.stands for one in planned] == [True, False, True]
    assert [one.name for one in planned] == ["standard seed 42", "slicer h=2 seed 42", "slicer h=4 seed 42"]
    outcomes = drive.carry_out(planned, execution, InSequence(), board.board(quiet=True))
    assert [outcome.index for outcome in outcomes] == [0, 1, 2]
    assert [outcome.attempts for outcome in outcomes] == [0, 1, 0]
    assert [outcome.value.run_id for outcome in outcomes] == [one.run_id for one in planned]


def test_settings_that_mean_the_same_here_are_one_run(small: Small, tmp_path: Path) -> None:
    every = [small.settings(precision=precision) for precision in ("auto", "fp32")]
    assert len(drive.look(every, small.execution(tmp_path))) == 1


def test_a_grid_that_cannot_be_written_down_is_one_line(small: Small, tmp_path: Path) -> None:
    (tmp_path / "grids").write_text("in the way")
    answer = call(*small.argv(tmp_path, "--seeds", "1,2"))
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert f"cannot write {tmp_path}/grids" in answer.err


def test_places_are_named_for_anywhere(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.folder)
    found = drive.anywhere(Execution(results=tmp_path / "r", data_root=small.data.relative_to(small.folder)))
    assert found.data_root == small.data
    near = small.settings(encoder=small.encoder.name)
    assert drive.encoder_anywhere(near).encoder == str(small.encoder)
    mini = small.settings(encoder="mini")
    assert drive.encoder_anywhere(mini) == mini


def test_a_run_that_another_command_has_under_way_comes_last(small: Small, tmp_path: Path) -> None:
    execution, store = small.execution(tmp_path), Store(tmp_path)
    store.probe()
    planned = drive.look([small.settings(epochs=1, seed=seed) for seed in (1, 2)], execution)
    lock = FileLock(store.lock_path(planned[0].run_id))
    lock.acquire()

    class Releasing(Remembering):
        def ended(self, outcome: Outcome) -> None:
            super().ended(outcome)
            lock.release()

    board = Releasing()
    outcomes = drive.carry_out(planned, execution, InSequence(), board)
    assert [call for call in board.calls if call[0] == "started"] == [("started", 1, 1), ("started", 0, 1)]
    assert [(one.error, one.attempts, one.value.state) for one in outcomes] == [(None, 1, "done")] * 2
    assert board.watches[0].events[0] == ("note", "another command is at it; it comes last")


def test_a_grid_is_known_by_the_ids_that_its_runs_got(small: Small, done: Path, tmp_path: Path) -> None:
    """Other hardware computes in another arithmetic, and that is another run than was planned."""
    execution = small.execution(Path(shutil.copytree(done, tmp_path / "results")))
    (real,) = drive.look([small.settings(epochs=1)], execution)
    planned = [replace(real, run_id="standard-small-s42-0", entry_id="standard-small-0", stands=False)]
    outcomes = drive.carry_out(planned, execution, InSequence(), board.board(quiet=True))
    (found,) = drive.as_done(planned, outcomes)
    assert (found.run_id, found.entry_id) == (real.run_id, real.entry_id)
    assert drive.as_done(planned, [replace(outcomes[0], value=None, error="bad")]) == planned


def test_a_grid_may_be_looked_at_where_it_is_carried_out(small: Small, done: Path) -> None:
    every, execution = [small.settings(epochs=1)], small.execution(done)
    assert drive.look_there(every, execution, InSequence()) == drive.look(every, execution)
    lost = small.execution(done, data_root=done / "nowhere")
    with pytest.raises(XnerError, match="nowhere is no folder"):
        drive.look_there(every, lost, InSequence())


def test_labels_have_every_number() -> None:
    every = [settle(KNOWN, "quick", "slicer", options={"h": 1}, seed=seed) for seed in (1, 2)]
    assert drive.labels(every) == ["slicer h=1"] * 2


# What a target's labels chose is not zero-shot, and every command and table says so.


def test_a_run_whose_settings_a_target_chose_is_marked_for_ever(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path, "--epochs", 1, "--chosen-on", "sw"))
    assert answer.status == 0, answer.err
    assert "TRUE is left out; not zero-shot: chosen by labels of villages:sw" in answer.out
    assert "TRUE (last)" not in " ".join(answer.out.split())
    assert "--chosen-on villages:sw" in answer.out.partition("next:")[2]
    (run,) = Store(tmp_path).runs()
    assert not run.settings.zero_shot
    shown = call("runs", "--results", tmp_path, "show", run.run_id, "--catalogue", small.catalogue).out
    assert "chosen on: villages:sw: not zero-shot" in shown
    where = Where(tmp_path, (small.catalogue,), catalogue.load([small.catalogue]))
    words = shlex.split(again.command(run, where, "--data-root", str(small.data), "--device", "cpu", "--dry-run"))
    assert f"{run.run_id} (done already)" in call(*words[1:]).out
    bare = shlex.split(shlex.join(words).replace("--chosen-on villages:sw ", ""))
    assert run.run_id not in call(*bare[1:]).out


def test_a_grid_whose_settings_a_target_chose_shows_oracle_scores(small: Small, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text("suite: small\nmethod: standard\nepochs: 1\nseeds: 1-2\nchosen_on: 'no'\n", "utf-8")
    where = small.argv(tmp_path)[5:]
    argv = ("run", "--grid", path, *where, "--chosen-on", "villages:sw")
    said = "not zero-shot: chosen by labels of villages:no, villages:sw"
    assert said in call(*argv, "--dry-run").out
    assert "chosen_on: [no, villages:sw]\n" in call(*argv, "--dry-run", "--as-yaml").out, "no flag takes it back"
    answer = call(*argv)
    assert answer.status == 0, answer.err
    assert f"F1 in percent, ORACLE; {said}" in answer.out
    assert "TRUE" not in answer.out


def test_flags_for_ray_are_complained_of_with_one_run_too(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path, "--ray-address", "10.0.0.1:6379"))
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "--ray-address 10.0.0.1:6379 is for Ray; give --executor ray" in answer.err


def test_grids_are_written_down(tmp_path: Path, small: Small) -> None:
    execution = small.execution(tmp_path)
    planned = drive.look([small.settings()], execution)
    first = drive.record(planned, execution, study="one")
    second = drive.record(planned, execution, Grid(method=("standard",)), "xner-bench run")
    assert records(tmp_path) == sorted([first, second], key=lambda one: one.grid_id)
    assert (first.study, second.study) == ("one", None)
    assert drive.record(planned, execution, study="one").grid_id == first.grid_id, "one file for the same runs"
    assert len(records(tmp_path)) == 2


def test_profiles_are_a_list_too(tmp_path: Path) -> None:
    both = "profiles: [word-lenient, subword-lenient]\n"
    for flags in (("word-lenient,subword-lenient",), ("word-lenient", "--profile", "subword-lenient,word-lenient")):
        answer = call("run", "--method", "standard", "--dry-run", "--as-yaml", "--profile", *flags)
        assert both in answer.out, answer


def test_training_has_lists_for_every_field() -> None:
    page = call("run", "--help").out
    assert all(f"--{name.replace('_', '-')} " in page for name in Training.model_fields)
