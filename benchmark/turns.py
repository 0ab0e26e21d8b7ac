"""Taking turns at a study: which trial is next, and what becomes of one whose process was killed.

    .turn.lock       held by whoever takes or ends a trial: no draw is made twice, and each knows those before it
    .trial-7.lock    held by the process that carries out trial 7

Locks are the kernel's, and free as soon as their holder is dead: a running trial that nobody holds was killed. It is
marked as failed, and another one with the same draw is lined up; the run goes on from its last epoch, or is found done.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock

from xner_bench import draws, space
from xner_bench.studies import held, holder, turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from optuna.trial import FrozenTrial, Trial

    from xner_bench.studies import Study

RETRIES = 3  # of a trial whose process was killed


@contextmanager
def take(study: Study, limit: int) -> Iterator[Trial | None]:
    """Take a trial, and hold it while it is carried out; None where `limit` draws have been begun."""
    with ExitStack() as afterwards:
        trial = None
        with turn(study.folder):
            _revive(study)
            number = _next(study, limit)
            if number is not None:
                afterwards.enter_context(_hold(study, number))
                trial = _ask(study, number)
        yield trial


@contextmanager
def _hold(study: Study, number: int) -> Iterator[None]:
    """Hold a trial from before it runs until it has ended: so one that runs and that nobody holds was killed."""
    hold = FileLock(holder(study.folder, number))
    hold.acquire(timeout=0)
    try:
        yield
    finally:
        hold.release()
        if _state(study, number) != "RUNNING":
            holder(study.folder, number).unlink(missing_ok=True)


class Left(NamedTuple):
    """Draws without an end, by number from 1."""

    free: tuple[int, ...]  # to be begun, those that were killed included
    busy: tuple[int, ...]  # under way


def ahead(study: Study, limit: int) -> Left:
    """What is left to be done until there are `limit` draws."""
    with turn(study.folder):
        _revive(study)
        latest = study.latest()
    new = range(len(latest) + 1, int(min(limit, study.definition.room)) + 1)
    return Left((*_draws(latest, "WAITING"), *new), _draws(latest, "RUNNING"))


def _draws(latest: Iterable[FrozenTrial], state: str) -> tuple[int, ...]:
    return tuple(trial.user_attrs["draw"] + 1 for trial in latest if trial.state.name == state)


def left(study: Study, limit: int) -> int:
    """How many trials are to be begun until there are `limit` draws."""
    return len(ahead(study, limit).free)


def begun(study: Study) -> int:
    """How many trials have been taken so far, however they ended."""
    return sum(trial.state.name != "WAITING" for trial in study.every())


def reopen(study: Study) -> None:
    """Let draws that failed be tried again, but for those that would fail again: somebody has looked into it."""
    with turn(study.folder):
        _revive(study)
        for trial in study.latest():
            if trial.state.name == "FAIL" and not trial.user_attrs.get("final"):
                _line_up(study, trial, retries=0)


def fail(study: Study, trial: Trial, error: str, *, final: bool = False, retry: int = 0) -> None:
    """A trial failed: for good if it would fail again (`final`), else it may be tried again `retry` times."""
    with turn(study.folder):
        trial.set_user_attr("error", error)
        trial.set_user_attr("final", final)
        frozen = study.every()[trial.number]
        if not final and _retries(frozen) < retry:
            _line_up(study, frozen, _retries(frozen) + 1)
        _mark_failed(study, trial.number)


def put_back(study: Study, trial: Trial) -> None:
    """A trial was interrupted; somebody will go on with it."""
    with turn(study.folder):
        frozen = study.every()[trial.number]
        trial.set_user_attr("error", "interrupted")
        _line_up(study, frozen, _retries(frozen))
        _mark_failed(study, trial.number)


def _next(study: Study, limit: int) -> int | None:
    """The number of a trial that was lined up, or of one with a new draw."""
    latest = study.latest()
    if not any(trial.state.name == "WAITING" for trial in latest):
        drawn = draws.draw(study.definition, latest, len(latest)) if len(latest) < limit else None
        if drawn is None:
            return None
        study.asked.enqueue_trial(drawn, user_attrs={"draw": len(latest)})
    return min(trial.number for trial in study.every() if trial.state.name == "WAITING")


def _ask(study: Study, number: int) -> Trial:
    """Have Optuna begin the trial: it takes the first one that waits."""
    trial = study.asked.ask(space.distributions(study.definition.space))
    assert trial.number == number
    trial.set_user_attr("process", f"{socket.gethostname()}:{os.getpid()}")
    return trial


def _revive(study: Study) -> None:
    """Mark trials whose process was killed, and line up their successors."""
    latest = {trial.number for trial in study.latest()}
    for trial in study.every():
        if trial.state.name == "RUNNING" and _abandoned(study, trial.number):
            # First the successor: a kill between the two leaves two trials of a draw, which is one too many to count
            # but not to go on with, instead of none.
            if trial.number in latest and _retries(trial) < RETRIES:
                _line_up(study, trial, _retries(trial) + 1)
            _mark_failed(study, trial.number)
            holder(study.folder, trial.number).unlink(missing_ok=True)


def _abandoned(study: Study, number: int) -> bool:
    """Whether nobody holds a running trial. Whoever holds one ends it before they let it go."""
    return not held(study.folder, number) and _state(study, number) == "RUNNING"


def _line_up(study: Study, trial: FrozenTrial, retries: int) -> None:
    """Have another trial of the same draw wait for its turn."""
    attrs = {"draw": trial.user_attrs["draw"], "retries": retries}
    attrs |= {fact: trial.user_attrs[fact] for fact in ("run_id",) if fact in trial.user_attrs}
    study.asked.enqueue_trial(trial.system_attrs["fixed_params"], user_attrs=attrs)


def _mark_failed(study: Study, number: int) -> None:
    from optuna.trial import TrialState

    study.asked.tell(number, state=TrialState.FAIL)


def _retries(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get("retries", 0))


def _state(study: Study, number: int) -> str:
    return study.every()[number].state.name
