"""Turns at a study whose trials take no time: kills, however many and whenever, change nothing that is found."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import searching
from errands import Remembering

from xner_bench import search, studies, turns
from xner_bench.errors import XnerError
from xner_bench.jobs import Job, Outcome
from xner_bench.settings import Execution
from xner_bench.taken import TIME_IS_UP, Taken, first
from xner_bench.trials import Look, work
from xner_bench.work import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xner_bench.jobs import Board
    from xner_bench.settings import RunSettings
    from xner_bench.studies import Study

EPOCHS = 9
KILLED = """
import os, signal, sys
from pathlib import Path
from xner_bench import studies, turns
with turns.take(studies.load(Path(sys.argv[1]), "widths"), 9):
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Mortal:
    """Executes jobs, the first few in processes that are killed with a trial in their hands."""

    def __init__(self, study: Study, kills: int) -> None:
        self.study = study
        self.kills = kills

    def carry_out(self, jobs: Sequence[Job], board: Board) -> Iterator[Outcome]:
        for index, _ in enumerate(jobs):
            if self.kills:
                self.kills -= 1
                line = [sys.executable, "-c", KILLED, str(self.study.folder.parent.parent)]
                assert subprocess.run(line, check=False).returncode == -signal.SIGKILL
                yield Outcome(index, error="signal 9")
            else:
                searching.carry_out(self.study, 1)
                yield Outcome(index)


@pytest.mark.parametrize("kills", [2, turns.RETRIES, turns.RETRIES + 1])
def test_the_last_trial_of_a_search_is_tried_again_as_often_as_others(tmp_path: Path, kills: int) -> None:
    study = searching.create(tmp_path)
    execution = Execution(results=tmp_path)
    failures = search.search(study, execution, Mortal(study, kills), Remembering(), limit=1)
    assert len(failures) == kills
    [trial] = study.trials()
    assert trial.state == ("complete" if kills <= turns.RETRIES else "failed")
    assert trial.facts["retries"] == min(kills, turns.RETRIES)


def test_an_executor_that_takes_no_trial_ends_the_search(tmp_path: Path) -> None:
    class Idle(Mortal):
        def carry_out(self, jobs: Sequence[Job], board: Board) -> Iterator[Outcome]:
            yield from (Outcome(index, error="no room") for index, _ in enumerate(jobs))

    study = searching.create(tmp_path)
    failures = search.search(study, Execution(results=tmp_path), Idle(study, 0), Remembering(), limit=2)
    assert [failure.error for failure in failures] == ["no room"] * 2


def test_a_board_shows_the_trials_that_were_taken_under_their_own_numbers() -> None:
    told, jobs = Remembering(), [Job("a trial", work)] * 4
    board = Taken(told, [2, 4, 5], 5)
    board.begin(jobs)
    for index, draw in enumerate((4, 2)):
        board.started(index, 1)
        with board.watch(index).stage("before it is taken", 1):
            pass
        board.watch(index).note(first(draw, "h=8"))
        board.watch(index).note("trial 9: F1 50.0")  # no more than a note
    board.ended(Outcome(0, "F1 50.0"))
    board.ended(Outcome(1, TIME_IS_UP))
    for index, outcome in ((2, Outcome(2, None)), (3, Outcome(3, error="killed"))):  # no trial was left; none was taken
        board.started(index, 1)
        board.ended(outcome)
    board.started(1, 2)
    board.watch(1).note(first(4, "h=8"))  # another one had been killed, or failed
    board.end()
    shown = [("started", 1, 1), ("started", 0, 1), ("ended", 1), ("ended", 2), ("started", 1, 2)]
    assert told.calls == [("begin", 3), *shown, ("end",)]
    assert told.watches[0].events == [("note", "h=8"), ("note", "trial 9: F1 50.0")]
    assert told.watches[1].events == [*told.watches[0].events, ("note", "h=8")]


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruning_repeats_however_often_trials_are_killed(tmp_path: Path, pruner: str) -> None:
    straight, killed = (searching.create(tmp_path / name, pruner=pruner, base=long()) for name in ("a", "b"))
    carry_out(straight, 16, kills=())
    carry_out(killed, 16, kills=(1, 2, 4, 8))
    assert len(killed.every()) >= 16 + 4  # every other draw was killed once, but for those pruned before
    ours, theirs = ([(one.drawn, one.state, one.epochs) for one in study.trials()] for study in (straight, killed))
    assert ours == theirs
    assert {state for _, state, _ in ours} == {"complete", "pruned"}


def long() -> RunSettings:
    """Settings of a run with more epochs."""
    base = searching.definition().base
    return base.model_copy(update={"training": base.training.model_copy(update={"epochs": EPOCHS})})


def carry_out(study: Study, trials: int, kills: Sequence[int]) -> None:
    """Trials whose process, for every other draw, dies at the end of one of these epochs."""
    from optuna.trial import TrialState

    done: dict[int, int] = {}  # draw -> epochs that are on the disk
    while True:
        with turns.take(study, trials) as trial:
            if trial is None:
                return
            draw, look = trial.user_attrs["draw"], Look(trial, EPOCHS, None)
            dies = kills[draw // 2 % len(kills)] if kills and draw % 2 == 0 and draw not in done else None
            there = done.setdefault(draw, 0)
            try:
                for epoch in range(1, EPOCHS + 1):
                    done[draw] = max(there, epoch)
                    if epoch == dies:  # after its epoch was kept, before anybody heard of it
                        break
                    look(epoch, searching.score(trial.params) * epoch / EPOCHS, epoch < there)
                else:
                    study.asked.tell(trial, searching.score(trial.params))
            except Stop:
                study.asked.tell(trial, state=TrialState.PRUNED)


def test_epochs_that_were_there_are_not_judged_but_the_last(tmp_path: Path) -> None:
    study = searching.create(tmp_path, base=long(), sampler="random")
    carry_out(study, 6, kills=())
    with turns.take(study, 7) as trial:
        assert trial is not None
        look = Look(trial, EPOCHS, 0.0)  # its time was over long ago
        for epoch in range(1, 6):
            look(epoch, 0.0, True)
        assert not look.pruned
        with pytest.raises(Stop, match="pruned after epoch 6"):
            look(6, 0.0, False)
        assert look.pruned
        turns.fail(study, trial, "enough")
    assert set(study.trials()[-1].epochs) == set(range(1, 7))


def test_a_study_is_the_same_wherever_its_encoder_lies(tmp_path: Path) -> None:
    base = searching.definition().base
    ours, theirs = (searching.definition(base=base.model_copy(update={"encoder": place})) for place in ("/a/x", "/b/x"))
    name = studies.usual_name(ours)
    assert studies.usual_name(theirs) == name
    assert studies.create(tmp_path, name, ours).definition == ours
    moved = studies.create(tmp_path, name, theirs)
    assert moved.definition == theirs
    searching.carry_out(moved, 1)
    assert moved.definition.settings(moved.trials()[0].drawn).encoder == "/b/x"
    assert studies.load(tmp_path, name).definition == ours
    other = theirs.model_copy(update={"inputs": "others"})
    with pytest.raises(XnerError, match="another encoder or other data; encoder is /a/x in the study, /b/x here"):
        studies.create(tmp_path, name, other)
