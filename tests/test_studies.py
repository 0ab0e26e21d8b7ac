"""Studies: nothing is lost that was written, nothing is done twice, and what was killed goes on."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import searching
from faults import files_no_larger_than
from hypothesis import given
from hypothesis import strategies as st

from xner_bench import draws, report, space, studies, turns, undertakings
from xner_bench.errors import UnknownName, XnerError
from xner_bench.space import Range

if TYPE_CHECKING:
    from xner_bench.studies import Study

SCRIPT = Path(__file__).with_name("searching.py")


def process(results: Path, *more: object) -> subprocess.Popen[bytes]:
    """A process that carries out trials of the study `widths`."""
    return subprocess.Popen([sys.executable, "-W", "error", str(SCRIPT), str(results), "widths", *map(str, more)])


def states(study: Study) -> list[str]:
    return [trial.state for trial in study.trials()]


def test_a_seeded_search_repeats_exactly(tmp_path: Path) -> None:
    ours, again, other = (searching.create(tmp_path / name) for name in "abc")
    searching.carry_out(ours, 16)  # ten by chance, six by what was found
    searching.carry_out(again, 7)
    searching.carry_out(studies.load(tmp_path / "b", "widths"), 16)  # as another process goes on
    assert searching.found(ours) == searching.found(again)
    searching.carry_out(other, 5)
    assert searching.found(other) == searching.found(ours)[:5]
    changed = searching.create(tmp_path / "d", seed=2)
    searching.carry_out(changed, 5)
    assert searching.found(changed) != searching.found(other)


def test_four_processes_do_a_hundred_distinct_trials(tmp_path: Path) -> None:
    workers = [process(tmp_path, 100) for _ in range(4)]
    assert [worker.wait(120) for worker in workers] == [0] * 4
    study = studies.load(tmp_path, "widths")
    assert states(study) == ["complete"] * 100
    assert len({json.dumps(trial.drawn) for trial in study.trials()}) == 100
    assert len(study.every()) == 100
    assert len({trial.facts["process"] for trial in study.trials()}) == 4


def test_a_journal_that_is_cut_anywhere_loses_no_more_than_the_cut_lines(tmp_path: Path) -> None:
    study = searching.create(tmp_path, sampler="random")
    searching.carry_out(study, 4)
    whole = (study.folder / studies.JOURNAL).read_bytes()
    before = searching.found(study)
    for cut in (*range(1, 41), *range(43, 400, 7)):  # the last line byte by byte, then into the trial before
        path = tmp_path / f"{cut}" / "studies" / "widths"
        path.mkdir(parents=True)
        (path / studies.DEFINITION).write_bytes((study.folder / studies.DEFINITION).read_bytes())
        (path / studies.JOURNAL).write_bytes(whole[:-cut])
        torn = studies.load(tmp_path / f"{cut}", "widths")
        assert searching.found(torn)[:3] == before[:3]
        searching.carry_out(torn, 4)
        mended = studies.load(tmp_path / f"{cut}", "widths")
        assert states(mended) == ["complete"] * 4
        assert searching.found(mended)[:4] == before


def test_a_journal_that_is_cut_down_to_nothing_begins_anew(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    searching.carry_out(study, 1)
    before = searching.found(study)
    (study.folder / studies.JOURNAL).write_bytes((study.folder / studies.JOURNAL).read_bytes()[:20])
    again = studies.load(tmp_path, "widths")
    assert again.trials() == []
    searching.carry_out(again, 1)
    assert searching.found(again) == before


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    searching.carry_out(study, 1)
    journal = study.folder / studies.JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b'{"op_code": 4, {"op_code": 4}\n', *lines[3:]]))
    with pytest.raises(XnerError, match=r"journal\.jsonl:3: no line of a study's journal; move .*widths away"):
        studies.load(tmp_path, "widths").trials()


@pytest.mark.parametrize("touch", [2, 9, 17, 30, 44, 61])
def test_a_process_that_is_killed_anywhere_leaves_a_study_that_goes_on(tmp_path: Path, touch: int) -> None:
    straight = searching.create(tmp_path / "straight")
    searching.carry_out(straight, 6)
    killed = process(tmp_path / "killed", 6, touch)
    assert killed.wait(60) == -signal.SIGKILL
    study = searching.create(tmp_path / "killed")
    searching.carry_out(study, 6)
    assert states(study) == ["complete"] * 6
    assert searching.found(study) == searching.found(straight)
    assert not list(study.folder.glob(".trial-*.lock"))


def test_a_killed_trial_is_marked_and_its_draw_tried_again_three_times(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    for kill in range(1 + turns.RETRIES):
        assert turns.left(study, 1) == 1
        one = subprocess.run(
            [
                *(sys.executable, "-c"),
                "import os, signal, sys; from pathlib import Path; from xner_bench import studies, turns\n"
                "study = studies.load(Path(sys.argv[1]), 'widths')\n"
                "with turns.take(study, 1) as trial: os.kill(os.getpid(), signal.SIGKILL)",
                str(tmp_path),
            ],
            check=False,
        )
        assert one.returncode == -signal.SIGKILL
        assert states(study) == ["interrupted"], kill
    assert turns.left(study, 1) == 0
    assert [(trial.state, trial.error) for trial in study.trials()] == [("failed", "its process was killed")]
    assert len({json.dumps(trial.system_attrs["fixed_params"]) for trial in study.every()}) == 1
    turns.reopen(study)  # somebody asks for it again
    assert turns.left(study, 1) == 1
    searching.carry_out(study, 1)
    assert states(study) == ["complete"]


def test_a_trial_that_somebody_carries_out_is_left_to_them(tmp_path: Path) -> None:
    study, other = searching.create(tmp_path), studies.load(tmp_path, "widths")
    with turns.take(study, 2) as ours:
        assert ours is not None
        assert turns.left(other, 2) == 1
        searching.carry_out(other, 2)
        assert states(other) == ["running", "complete"]
        searching.end(study, ours)
    assert states(other) == ["complete", "complete"]


def test_a_study_knows_what_was_wanted_of_it(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    assert study.wanted() is None
    assert [(one.left, one.command) for one in undertakings.studies(tmp_path)] == [(0, "")]
    study.want(5, "xner-bench search --trials 5")
    searching.carry_out(study, 2)
    for final in (True, False):
        with turns.take(study, 4) as trial:
            assert trial is not None
            turns.fail(study, trial, "the disk is full", final=final)
    with turns.take(study, 5):
        (status,) = undertakings.studies(tmp_path)
        assert status.trials == {"complete": 2, "failed": 2, "running": 1}
        assert status.left == 1
    (status,) = undertakings.studies(tmp_path)  # nobody holds it any more
    assert (status.trials["interrupted"], status.left) == (1, 2)
    assert status.command == "xner-bench search --trials 5"
    study.want(9, "xner-bench search --trials 9")
    assert undertakings.studies(tmp_path)[0].left == 2 + 4
    (study.folder / studies.WANTED).write_text("{")
    assert undertakings.studies(tmp_path)[0].command == ""


def test_what_failed_is_tried_again_unless_it_would_fail_again(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    for final, retry in ((True, 0), (False, 0), (False, 1)):
        with turns.take(study, 3) as trial:
            assert trial is not None
            turns.fail(study, trial, "the disk is full", final=final, retry=retry)
    assert states(study) == ["failed", "failed", "waiting"]
    searching.carry_out(study, 3)
    assert states(study) == ["failed", "failed", "complete"]
    turns.reopen(study)
    assert states(study) == ["failed", "waiting", "complete"]
    assert [trial.error for trial in study.trials()] == ["the disk is full", "", ""]


def test_what_is_interrupted_goes_on_with_the_same_draw(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    with turns.take(study, 1) as trial:
        assert trial is not None
        drawn = trial.params
        turns.put_back(study, trial)
    with turns.take(study, 1) as again:
        assert again is not None
        assert again.params == drawn
        searching.end(study, again)
    assert states(study) == ["complete"]


def test_only_complete_trials_can_be_the_best(tmp_path: Path) -> None:
    from optuna.trial import TrialState

    study = searching.create(tmp_path)
    assert study.best() is None
    for value in (0.9, math.nan, 0.5, 0.5):
        with turns.take(study, 4) as trial:
            assert trial is not None
            trial.report(0.9, 1)
            if value == 0.9:
                study.asked.tell(trial, state=TrialState.PRUNED)
            elif math.isnan(value):
                turns.fail(study, trial, "diverged: the loss is nan", final=True)
            else:
                study.asked.tell(trial, value)
    best = study.best()
    assert best is not None
    assert (best.draw, best.value) == (3, 0.5)


def test_no_settings_are_drawn_twice_and_a_finite_space_ends(tmp_path: Path) -> None:
    for sampler in ("tpe", "random", "grid"):
        study = searching.create(tmp_path / sampler, space={"h": (1, 2, 4, 8)}, sampler=sampler)
        assert turns.left(study, 9) == 4
        while True:
            with turns.take(study, 9) as trial:
                if trial is None:
                    break
                study.asked.tell(trial, trial.params["h"] / 8)
        assert sorted(trial.drawn["h"] for trial in study.trials()) == [1, 2, 4, 8]
        assert turns.left(study, 9) == 0


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_range_with_few_numbers_in_it_ends_too(tmp_path: Path, sampler: str) -> None:
    few = {"lr": Range(low=1e-4, high=1.02e-4)}
    study = searching.create(tmp_path, space=few, sampler=sampler)
    for found in range(4):
        with turns.take(study, 9) as trial:
            assert (trial is None) == (found == 3)
            if trial:
                study.asked.tell(trial, 0.5)
    assert sorted(trial.drawn["lr"] for trial in study.trials()) == [1e-4, 1.01e-4, 1.02e-4]


def test_a_grid_tries_its_points_in_an_order_of_its_seed(tmp_path: Path) -> None:
    study = searching.create(
        tmp_path, sampler="grid", space={**searching.SPACE, "lr": Range(low=1e-5, high=1e-3, log=True)}
    )
    searching.carry_out(study, 100)
    drawn = [trial.drawn for trial in study.trials()]
    assert len(drawn) == 5 * 6
    assert {settings["lr"] for settings in drawn} == {1e-5, 3.16e-5, 1e-4, 3.16e-4, 1e-3}
    assert drawn == space.every(study.definition.space, 1, grid=True)
    assert drawn != space.every(study.definition.space, 2, grid=True)


@given(
    low=st.floats(1e-9, 1e3, allow_nan=False), factor=st.floats(1.001, 1e6), share=st.floats(0, 1), log=st.booleans()
)
def test_drawn_numbers_are_short_and_inside_their_range(low: float, factor: float, share: float, log: bool) -> None:
    choices = Range(low=low, high=low * factor, log=log)
    value = min(low + share * (choices.high - low), choices.high)
    rounded = space.rounded({"x": choices}, {"x": value})["x"]
    assert choices.low <= rounded <= choices.high
    assert rounded in (choices.low, choices.high) or len(f"{rounded:e}".split("e")[0].rstrip("0")) <= 4
    points = space.values(choices)
    assert 1 <= len(points) <= space.POINTS
    assert all(choices.low <= point <= choices.high for point in points)


def test_ranges_that_are_none_are_refused() -> None:
    for wrong in ({"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"low": 1, "high": math.inf}):
        with pytest.raises(ValueError, match="range"):
            Range.model_validate(wrong)
    with pytest.raises(ValueError, match=r"3\.0 lies outside 1 to 2"):
        Range(low=1, high=2, grid=(3.0,))


def test_a_study_is_only_gone_on_with_if_it_is_the_same(tmp_path: Path) -> None:
    searching.create(tmp_path)
    with pytest.raises(
        XnerError, match=r"there already, with other settings: sampler is tpe in the study, random here; "
    ):
        searching.create(tmp_path, sampler="random")
    with pytest.raises(XnerError, match=r"h is 1, 2, 4, 8, 16, 32 in the study, 1 here"):
        searching.create(tmp_path, space={"lr": searching.SPACE["lr"]})
    with pytest.raises(XnerError, match="another encoder or other data"):
        searching.create(tmp_path, inputs="others")
    coarse = Range(low=1e-4, high=1e-2, log=True, grid=(1e-3,))
    with pytest.raises(XnerError, match=r"0.01 \(log\) in the study, 0.0001 .*, in a grid 0.001 here;"):
        searching.create(tmp_path, space={**searching.SPACE, "lr": coarse})
    ours = searching.definition()
    slower = ours.base.model_copy(update={"training": ours.base.training.model_copy(update={"epochs": 9})})
    with pytest.raises(XnerError, match="epochs is 4 in the study, 9 here"):
        searching.create(tmp_path, base=slower)
    assert studies.usual_name(ours) != studies.usual_name(ours.model_copy(update={"seed": 9}))


def test_names_of_studies_are_checked(tmp_path: Path) -> None:
    searching.create(tmp_path)
    assert studies.names(tmp_path) == ["widths"]
    searching.create(tmp_path, "old")
    (tmp_path / "studies" / "old").rename(tmp_path / "studies" / "widths~old")
    assert studies.names(tmp_path) == ["widths"]
    with pytest.raises(UnknownName, match="no study is called 'width'; did you mean 'widths'"):
        studies.load(tmp_path, "width")
    for name in ("../widths", "a/b", "", ".x", "a b", "-x"):
        with pytest.raises(XnerError, match="is no name for a study"):
            studies.load(tmp_path, name)
    (tmp_path / "studies" / "widths" / studies.DEFINITION).write_text("{}")
    with pytest.raises(XnerError, match="written with schema None"):
        studies.load(tmp_path, "widths")
    (tmp_path / "studies" / "widths" / studies.DEFINITION).write_text('{"schema_version": 1')
    with pytest.raises(XnerError, match="not the definition of a study"):
        studies.load(tmp_path, "widths")


def test_a_full_disk_is_one_line_and_costs_nothing_that_is_there(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    searching.carry_out(study, 2)
    journal = study.folder / studies.JOURNAL
    before = searching.found(study)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with files_no_larger_than(journal.stat().st_size + 30), pytest.raises(XnerError, match=r"cannot write .*journal"):
        searching.carry_out(study, 3)
    again = studies.load(tmp_path, "widths")
    assert searching.found(again) == before
    searching.carry_out(again, 3)
    assert states(again) == ["complete"] * 3


def test_the_report_says_what_was_tried(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    assert "No trial is complete yet" in report.write(study).read_text("utf-8")
    searching.carry_out(study, 12)
    with turns.take(study, 13) as trial:
        assert trial is not None
        turns.fail(study, trial, "diverged: the | loss is nan", final=True)
    text = report.write(study).read_text("utf-8")
    best = study.best()
    assert best is not None
    assert f"**lr \\= {best.drawn['lr']:g}" in text.replace("lr = ", "lr \\= ")
    assert "13 \\(12 complete, 1 failed\\)" in text
    assert "run --from-study widths --seeds 42-51" in text
    assert "failed\\: diverged\\: the \\| loss is nan" in text
    assert sum(report.importances(study).values()) == pytest.approx(1)
    for name in ("history.png", "settings.png", "importances.png"):
        assert (study.folder / name).read_bytes().startswith(b"\x89PNG")
        assert f"]({name})" in text
    first = (study.folder / "settings.png").read_bytes()
    report.write(study)
    assert (study.folder / "settings.png").read_bytes() == first
    assert report.NO_PLOTS in report.text(study, {})


def test_a_study_with_an_oracle_is_marked(tmp_path: Path) -> None:
    study = searching.create(tmp_path, objective="oracle:villages:sw", pruner="none")
    assert not study.definition.zero_shot
    assert "Not zero\\-shot" in report.text(study, {}) or "Not zero-shot" in report.text(study, {})


def test_draws_depend_on_nothing_but_seed_number_and_what_was_found(tmp_path: Path) -> None:
    study = searching.create(tmp_path)
    searching.carry_out(study, 12)
    latest = study.latest()
    ours = draws.draw(study.definition, latest, 12)
    assert ours == draws.draw(study.definition, latest, 12)
    assert ours != draws.draw(study.definition, latest, 13)
