"""`status` and `runs`: how far everything is, all of one run, two side by side; one damaged record hides no other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from errands import Recorded
from hypothesis import given
from hypothesis import strategies as st
from stores import HOLDER, SLICER, Filled

import xner_bench
from xner_bench import compare, pick, stale, survey, undertakings
from xner_bench.cli import leaderboard as boards
from xner_bench.cli import runs as listing
from xner_bench.cli import status as overview
from xner_bench.cli.again import Where, command
from xner_bench.errors import UnknownName, XnerError
from xner_bench.pick import Listed
from xner_bench.results import Run

if TYPE_CHECKING:
    from pathlib import Path

    import click


@pytest.fixture
def bench(tmp_path: Path) -> Filled:
    return Filled(tmp_path)


class Said:
    """What a command printed."""

    def __init__(self, command: click.Command, *words: object) -> None:
        result = CliRunner().invoke(command, [*map(str, words)], catch_exceptions=False)
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr
        assert self.code == 0, result.output


def status(bench: Filled, *words: object) -> Said:
    return Said(overview.status, "--results", bench.store.root, "--catalogue", bench.cards, *words)


def runs(bench: Filled, *words: object) -> Said:
    return Said(listing.runs, "--results", bench.store.root, *words)


def told(said: Said) -> Any:
    return json.loads(said.out)


def damage(bench: Filled, run: Run) -> Path:
    path = bench.store.folder(run.run_id) / "run.json"
    path.write_bytes(path.read_bytes()[:40])
    return path


def grid(bench: Filled, name: str, run_ids: list[str], **more: object) -> None:
    folder = bench.store.root / "grids"
    folder.mkdir(exist_ok=True)
    record = {"schema_version": 1, "grid_id": name, "run_ids": run_ids, "asked": "2026-11-20T00:00:00+00:00", **more}
    (folder / f"{name}.json").write_text(json.dumps(record))


def test_an_empty_store_says_how_to_begin(bench: Filled) -> None:
    assert "xner-bench run" in status(bench).out
    assert told(status(bench, "--json"))["runs"] == {"total": 0, "phases": {}}
    assert "no runs" in runs(bench).out
    assert told(runs(bench, "--json")) == []
    assert not bench.store.root.exists(), "looking must not make folders"


def test_runs_are_counted_by_how_far_they_are(bench: Filled) -> None:
    for seed, state in enumerate(("done", "done", "failed", "diverged", "stopped", "started"), start=1):
        bench.complete(seed=seed, state=state, error="no luck" if state == "failed" else None)
    said = status(bench)
    assert "6 runs in" in said.out
    assert "2 done, 1 interrupted, 1 stopped, 1 failed, 1 diverged" in said.out
    assert "no luck" in said.out
    record = told(status(bench, "--json"))
    counts = {"done": 2, "interrupted": 1, "stopped": 1, "failed": 1, "diverged": 1}
    assert record["runs"] == {"total": 6, "phases": counts}
    assert record["suites"] == {"toy": counts}


def test_a_run_that_somebody_carries_out_is_running_until_they_are_killed(bench: Filled) -> None:
    run = bench.complete(state="started")
    holding = [sys.executable, "-c", HOLDER, str(bench.store.root), run.run_id]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert told(status(bench, "--json"))["runs"]["phases"] == {"running": 1}
        assert told(status(bench, "--json"))["stale"] == []
        holder.kill()
    record = told(status(bench, "--json"))
    assert record["runs"]["phases"] == {"interrupted": 1}
    assert [(one["kind"], one["run_ids"]) for one in record["stale"]] == [("interrupted", [run.run_id])]
    assert f"to go on with {run.run_id}: xner-bench run --method standard --suite toy" in status(bench).out


def test_grids_are_counted_by_their_own_runs(bench: Filled) -> None:
    done, failed = bench.complete(seed=1), bench.complete(seed=2, state="failed")
    lost = bench.complete(seed=3)
    damage(bench, lost)
    bench.complete(seed=4)
    command = "xner-bench run --seeds 1-9"
    grid(bench, "aaaa", [done.run_id, failed.run_id, lost.run_id, "x", "y"], command=command)
    grid(bench, "bbbb", [done.run_id], command="never shown")
    (bench.store.root / "grids" / "cccc.json").write_text("{")
    record = told(status(bench, "--json"))
    assert [one["phases"] for one in record["grids"]] == [
        {"done": 1, "failed": 1, "not begun": 2, "unreadable": 1},
        {"done": 1},
        {},
    ]
    said = status(bench)
    assert f"aaaa, to go on: {command}" in said.out
    assert "never shown" not in said.out, "nothing is left to be done"
    assert "cccc.json: not the record of a grid" in said.out
    assert "to go on with" not in said.out, "the grid's command does it"


def test_what_is_stale_is_said_with_its_reason(bench: Filled) -> None:
    known = bench.complete(seed=1)
    here = [Listed(known, "done")]
    assert stale.stale(here, (), bench.catalogue) == []
    plugin = known.model_copy(update={"method_origin": "shop 2.0"})
    gone = known.model_copy(
        update={"settings": known.settings.model_copy(update={"suite": "elsewhere", "method": "nowhere"})}
    )
    reasons = {one.kind: one.reason for one in stale.stale([Listed(gone, "interrupted")], (), bench.catalogue)}
    assert list(reasons) == ["interrupted", "suite", "method"]
    assert "'elsewhere'" in reasons["suite"]
    assert "'nowhere' is not installed" in reasons["method"]
    (one,) = stale.stale([Listed(plugin, "done")], (), bench.catalogue)
    assert "was of shop 2.0, here it is of built in" in one.reason


def test_other_schemas_and_damaged_records_are_stale(bench: Filled) -> None:
    old, torn = bench.complete(seed=1), bench.complete(seed=2)
    damage(bench, torn)
    path = bench.store.folder(old.run_id) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema_version": 0}))
    record = told(status(bench, "--json"))
    assert [(one["kind"], one["run_ids"]) for one in record["stale"]] == [
        ("damaged", [torn.run_id]),
        ("schema", [old.run_id]),
    ]
    assert len(record["unreadable"]) == 2


def test_an_earlier_arithmetic_is_stale(bench: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    run = bench.complete()
    for module in ("identity", "stale"):
        monkeypatch.setattr(f"xner_bench.{module}.NUMBERS", 99)
    (one,) = stale.stale([Listed(run, "done")], (), bench.catalogue)
    assert (one.kind, one.run_ids) == ("numbers", (run.run_id,))


@pytest.mark.parametrize(
    "words", [["status"], ["runs"], ["leaderboard", "build"], ["leaderboard", "show"]], ids=" ".join
)
def test_one_damaged_record_stops_nothing_and_is_one_line(bench: Filled, words: list[str]) -> None:
    bench.complete(seed=1)
    path = damage(bench, bench.complete(seed=2))
    first, *more = words
    of = {"status": overview.status, "runs": listing.runs, "leaderboard": boards.leaderboard}[first]
    where = ["--results", bench.store.root, *(("--catalogue", bench.cards) if first != "runs" else ())]
    said = Said(of, *more, *where)
    assert "standard" in said.out or "1 done" in said.out or "1 entry from 1 run" in said.out
    assert said.err.count("\n") == 1
    assert str(path) in said.err
    assert "results check" in said.err


def test_a_leaderboard_says_how_many_records_it_could_not_read(bench: Filled) -> None:
    from xner_bench.leaderboard import board, legend

    bench.complete(seed=1)
    for seed in (2, 3):
        damage(bench, bench.complete(seed=seed))
    (section,) = board.build(bench.store, bench.catalogue)
    assert section.unranked == {"unreadable": 2}
    assert "2 unreadable" in legend.remarks(section)[0]


def test_many_damaged_records_are_one_line(bench: Filled) -> None:
    for seed in range(5):
        damage(bench, bench.complete(seed=seed))
    assert survey.complaint(()) is None
    text = survey.complaint(survey.read(bench.store).unreadable)
    assert text is not None
    assert text.startswith("5 records are left out")
    assert "\n" not in text


@pytest.fixture
def many(bench: Filled) -> Filled:
    for seed in (1, 2, 3):
        bench.complete(seed=seed)
        bench.complete("slicer", seed=seed)
        bench.complete("slicer", seed=seed, options={**SLICER, "h": 2}, training={"lr": 2e-5})
    bench.complete(seed=9, state="failed", error="out of luck")
    return bench


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ([], 10),
        (["state=done"], 9),
        (["state=failed,diverged"], 1),
        (["method=slicer"], 6),
        (["h=8"], 3),
        (["h=2,8"], 6),
        (["seed=2-3"], 6),
        (["seed=2", "method=standard"], 1),
        (["lr=1e-5"], 7),
        (["lr=0.00002"], 3),
        (["clip=none"], 10),
        (["classifier=trained"], 6),
        (["source=aa"], 10),
        (["source=one:aa"], 10),
        (["source=ab"], 0),
        (["targets=two:ba"], 10),
        (["encoder=mini"], 10),
        (["suite=toy", "weight-decay=0.05"], 10),
        (["--h=8"], 3),
    ],
)
def test_filters_pick(many: Filled, filters: list[str], number: int) -> None:
    words = [word for one in filters for word in ("--filter", one)]
    found = told(runs(many, "--json", *words))
    assert len(found) == number
    said = runs(many, *words).out
    assert (f"{number} of 10 runs" in said) == (number > 0)
    assert all(one["run"] in said for one in found)


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        ("hh=8", "'h'"),
        ("state=finished", "state is called"),
        ("h", "key=value"),
        ("h=", "no value after"),
        ("method=slcier", "'slicer'"),
        ("seed=abc", "'abc' is no number"),
        ("seed=1,4-", "'4-' is no number"),
        ("h=x", "'x' is no number"),
    ],
)
def test_wrong_filters_are_answered(many: Filled, given: str, offered: str) -> None:
    with pytest.raises(XnerError, match=offered):
        runs(many, "--filter", given)


@pytest.mark.parametrize("given", ["seed=77", "seed=none", "suite=quick", "encoder=other", "state=running"])
def test_what_no_run_here_has_is_no_mistake(many: Filled, given: str) -> None:
    assert "none of 10 runs" in runs(many, "--filter", given).out


def test_an_option_that_no_run_has_is_a_key_all_the_same(bench: Filled) -> None:
    bench.complete()
    assert told(runs(bench, "--json", "--filter", "h=8")) == []
    assert "none of 1 runs" in runs(bench, "--filter", "h=8").out


def test_runs_are_sorted(many: Filled) -> None:
    seeds = [one["settings"]["seed"] for one in told(runs(many, "--json", "--sort", "seed"))]
    assert seeds == sorted(seeds)
    down = [one["settings"]["seed"] for one in told(runs(many, "--json", "--sort", "-seed"))]
    assert down == sorted(seeds, reverse=True)
    widths = [one["settings"].get("h") for one in told(runs(many, "--json", "--sort", "-h"))]
    assert widths == [8, 8, 8, 2, 2, 2, None, None, None, None]
    with pytest.raises(UnknownName, match="seed"):
        runs(many, "--sort", "sed")


def test_a_list_shows_in_what_the_runs_differ(many: Filled) -> None:
    head = next(line for line in runs(many).out.splitlines() if line.startswith("Run"))
    assert "lr" in head
    assert "dropout" not in head
    same = next(line for line in runs(many, "--filter", "h=8").out.splitlines() if line.startswith("Run"))
    assert "lr" not in same
    assert "slicer h=2" in runs(many).out


@given(st.integers(-(10**9), 10**9))
def test_a_number_is_itself_however_it_is_written(value: int) -> None:
    assert pick.same(value, str(value))
    assert pick.same(float(value), f"{value:e}") == (float(f"{value:e}") == value)
    assert not pick.same(value, str(value + 1))
    assert not pick.same(value, "x")


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [(True, "yes", True), (True, "1", False), (False, "no", True), (None, "none", True), (1.0, "none", False)],
)
def test_switches_and_nothing_are_words(value: object, text: str, expected: bool) -> None:
    assert pick.same(value, text) is expected


def test_the_beginning_of_an_id_or_of_its_hash_is_enough(bench: Filled) -> None:
    one, other = bench.complete(seed=1), bench.complete(seed=2)
    for run in (one, other):
        for part in (run.run_id, run.run_id[:-3], run.run_id[-12:], run.run_id[-12:-6]):
            assert survey.find(bench.store, part) == run
    with pytest.raises(XnerError, match="2 runs begin with 'standard'"):
        survey.find(bench.store, "standard")
    with pytest.raises(UnknownName, match="no run"):
        survey.find(bench.store, "zzz")
    with pytest.raises(UnknownName):
        survey.find(bench.store, "")
    for seed in range(10, 15):
        bench.complete(seed=seed)
    with pytest.raises(UnknownName, match="lists all") as caught:
        survey.find(bench.store, "zzz")
    assert str(caught.value).count("standard-toy-s") == 3, "not all of a store in one line"
    with pytest.raises(XnerError, match=r"run\.json"):
        damage(bench, one)
        survey.find(bench.store, one.run_id)
    path = damage(bench, other)
    path.unlink()
    path.mkdir()
    with pytest.raises(XnerError, match=r"run\.json: .*a folder is in its place"):
        survey.find(bench.store, other.run_id)


def test_show_says_all_of_a_run(bench: Filled) -> None:
    run = bench.complete(
        "slicer", seed=5, provenance={"packages": {"torch": "2.13.0"}, "command": ["xner-bench", "run"]}
    )
    grid(bench, "dddd", [run.run_id])
    said = runs(bench, "show", run.run_id[-12:], "--catalogue", bench.cards).out
    for part in (
        f"{run.run_id} (done)",
        run.entry_id,
        "h=8",
        "lr=1e-5",
        "torch=2.13.0",
        "grid dddd",
        "scores.parquet",
        "epoch 3",
        run.data[0].fingerprint[:12],
        "xner-bench run --method slicer --suite toy --seed 5",
        "TRUE",
    ):
        assert part in said, part
    record = told(runs(bench, "show", run.run_id, "--json"))
    assert record["phase"] == "done"
    assert Run.model_validate({name: record[name] for name in Run.model_fields}) == run
    assert record["selection"]["selection"]["last"]["one:aa"] == 3
    assert record["files"]["run.json"] > 0
    assert record["part of"] == ["grid dddd"]


@pytest.mark.parametrize("state", ["started", "failed", "diverged", "stopped"])
def test_show_says_what_there_is_of_a_run_without_results(bench: Filled, state: str) -> None:
    run = bench.complete(state=state, error="because" if state != "started" else None)
    said = runs(bench, "show", run.run_id, "--catalogue", bench.cards).out
    assert run.run_id in said
    assert ("because" in said) == (state != "started")


def test_diff_lists_every_setting_version_and_datum(bench: Filled) -> None:
    one = bench.complete(seed=1, provenance={"packages": {"torch": "2.13.0"}, "device": "cpu"})
    other = bench.complete(
        "slicer",
        seed=2,
        training={"clip": 1.0},
        targets=("one:ab", "two:ba"),
        provenance={"packages": {"torch": "2.15.0"}, "device": "cuda"},
        error="x",
    )
    changed = other.data[0].model_copy(update={"fingerprint": "0" * 64, "sentences": 8})
    other = other.model_copy(update={"data": (changed, *other.data[1:])})
    found = {(one.about, one.name): (one.one, one.other) for one in compare.differences(one, other)}
    assert found["settings", "method"] == ("standard", "slicer")
    assert found["settings", "h"] == (compare.ABSENT, 8)
    assert found["settings", "seed"] == (1, 2)
    assert found["settings", "clip"] == (None, 1.0)
    assert found["data", "one:aa train"] == (one.data[0].fingerprint, "0" * 64)
    assert found["data", "one:aa train: sentences"] == (9, 8)
    assert found["data", "two:bb test"][1] is compare.ABSENT
    assert found["versions", "torch"] == ("2.13.0", "2.15.0")
    assert found["machine", "device"] == ("cpu", "cuda")
    assert found["outcome", "error"] == (None, "x")
    assert ("settings", "lr") not in found
    assert list(dict.fromkeys(about for about, _ in found)) == ["settings", "data", "versions", "machine", "outcome"]


def test_diff_is_shown(bench: Filled) -> None:
    one, other = bench.complete(seed=1), bench.complete("slicer", seed=1, targets=("one:ab", "two:ba"))
    said = runs(bench, "diff", one.run_id[-12:], other.run_id[-12:]).out
    assert "one:aa one:ac two:bb (and 2 in both)" in said
    assert "Two entries" in said
    record = told(runs(bench, "diff", one.run_id, other.run_id, "--json"))
    widths = next(row for row in record["differences"] if row["name"] == "h")
    assert widths == {"about": "settings", "name": "h", "b": 8}
    assert "do not differ" in runs(bench, "diff", one.run_id, one.run_id).out
    seeds = runs(bench, "diff", one.run_id, bench.complete(seed=2).run_id).out
    assert "One entry of the leaderboard" in seeds


def test_every_fact_of_a_record_is_compared(bench: Filled) -> None:
    """Whatever of a record is changed, some difference says so."""
    run = bench.complete(
        "slicer", provenance={"python": "3", "packages": {"torch": "2"}, "started": "a", "command": ["b"]}
    )
    record = run.model_dump(mode="json")
    unsaid = {"schema_version"}
    for name, value in _leaves(record):
        if name[0] in ("run_id", "entry_id") or name[-1] in ("origin", *unsaid):
            continue
        changed = Run.model_construct(**{**dict(run), **_changed(run, name, value)})
        assert compare.differences(run, changed), name


def _leaves(value: Any, *path: Any) -> Any:
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, *path, key)
    elif not isinstance(value, dict | list):
        yield path, value


def _changed(run: Run, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    record = json.loads(run.model_dump_json())
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = {"state": "failed", "profiles": "word-lenient"}.get(path[0], _other(path, value))
    whole = Run.model_validate(record)
    return {path[0]: getattr(whole, path[0])}


def _other(path: tuple[Any, ...], value: Any) -> Any:
    fixed = {"precision": "bf16", "subword_labels": "all", "profiles": "word-lenient", "max_length": 64, "warmup": 0.5}
    fixed |= {"sampling": "longest"}
    for key in path:
        if key in fixed:
            return fixed[key]
    if isinstance(value, bool) or value is None:
        numbers = ("clip", "peak_memory", "peak_gpu_memory")
        return not value if isinstance(value, bool) else 2.0 if path[-1] in numbers else "x"
    return value + 1 if isinstance(value, int) else value / 2 if isinstance(value, float) else f"{value}x"


def test_scores_of_a_notebook_go_on_after_a_damaged_record(bench: Filled) -> None:
    first, second = bench.complete(seed=1), bench.complete(seed=2)
    (bench.store.folder(first.run_id) / "run.json").write_text("{")
    watch = Recorded()
    rows = xner_bench.scores(bench.store.root, watch=watch).to_pylist()
    assert {row["run_id"] for row in rows} == {second.run_id}
    ((_, said),) = watch.events
    assert said.startswith("left out: ")


def test_a_store_that_may_only_be_read_has_a_status(bench: Filled) -> None:
    run = bench.complete(state="started")
    lock = bench.store.lock_path(run.run_id)
    shutil.copy(shutil.which("sleep") or "sleep", lock)
    lock.chmod(0o755)
    with subprocess.Popen([lock, "60"]) as running:  # a program that runs cannot be written, not even by root
        try:
            assert survey.phase(bench.store, run) == "interrupted"
            assert "1 interrupted" in status(bench).out
        finally:
            running.kill()


def test_the_command_that_does_a_run_again_has_what_is_unusual_and_no_more(bench: Filled, tmp_path: Path) -> None:
    where = Where(bench.store.root, (), bench.catalogue)
    typed = ["xner-bench", "run", "--data-root=/da ta", "--catalogue", "/cards", "--seed", "1", "--device", "cuda:1"]
    run = bench.complete(
        "slicer",
        seed=7,
        options={**SLICER, "h": 2},
        training={"lr": 3e-5, "clip": 1.0},
        profiles=("word-strict", "word-lenient"),
        chosen_on=("two:ba", "two:bb"),
        provenance={"command": typed},
        checkpoint_kept=True,
    )
    words = command(run, where).split(" --")
    assert words == [
        "xner-bench run",
        "method slicer",
        "h 2",
        "suite toy",
        "seed 7",
        "lr 3e-05",
        "clip 1.0",
        "profile word-lenient",
        "chosen-on two:ba,two:bb",
        "keep-checkpoint",
        "data-root '/da ta'",
        "catalogue /cards",
        "device cuda:1",
        f"results {bench.store.root}",
    ]
    assert "/cards" not in command(run, Where(bench.store.root, (tmp_path,), bench.catalogue))


def test_a_study_without_a_definition_that_can_be_read_is_one_line(bench: Filled) -> None:
    folder = bench.store.root / "studies" / "one"
    folder.mkdir(parents=True)
    (folder / "study.json").write_text("{}")
    (study,) = undertakings.studies(bench.store.root)
    assert "study.json" in study.problem
    assert "study.json" in status(bench).out
