"""One trial of a study: its run, what the study hears of it epoch by epoch, and what it makes of the end."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from xner_bench import plan, turns
from xner_bench.attempts import failure
from xner_bench.protocol import mean_f1
from xner_bench.results import Store
from xner_bench.studies import ORACLE, ZERO_SHOT
from xner_bench.taken import TIME_IS_UP, first
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from optuna.trial import Trial

    from xner_bench.protocol import DevScores
    from xner_bench.results import Run
    from xner_bench.settings import Execution
    from xner_bench.studies import Study
    from xner_bench.watch import Watch


def work(
    study: Study, execution: Execution, limit: int, retry: int, deadline: float | None, *, watch: Watch = SILENT
) -> str | None:
    """Carry out one trial of a study, the next one; returns what came of it, or None where nothing is left to do."""
    if late(deadline):
        return None
    with turns.take(study, limit) as trial:
        if trial is None:
            return None
        said = " ".join(f"{field}={value}" for field, value in trial.params.items())
        watch.note(first(trial.user_attrs["draw"] + 1, said))
        try:
            ended = _carry_out(study, trial, execution, deadline, watch)
        except Exception as error:
            turns.fail(study, trial, str(failure(error).error), retry=retry)
            raise
        watch.note(f"{said}: {ended}")
        return ended


def _carry_out(study: Study, trial: Trial, execution: Execution, deadline: float | None, watch: Watch) -> str:
    """The run of a trial, and what the study makes of it."""
    from xner_bench.run import run

    settings = study.definition.settings(trial.params)
    ready = plan.make(settings, execution, SILENT)
    trial.set_user_attr("run_id", ready.run_id)  # before it begins: a trial that is killed says which run goes on
    start, look = time.monotonic(), Look(trial, settings.training.epochs, deadline)
    done = run(settings, execution, watch, look)
    found = not look.epochs
    if found and done.state == "done":
        for epoch, scores in _dev_scores(Store(execution.results), done).items():
            look.report(epoch, mean_f1(scores, settings.source))
    for fact, value in (("found", found), ("seconds", round(time.monotonic() - start, 3))):
        trial.set_user_attr(fact, value)
    if done.state == "stopped" and not look.pruned:
        turns.put_back(study, trial)
        return TIME_IS_UP
    return _tell(study, trial, done, execution)


def _tell(study: Study, trial: Trial, done: Run, execution: Execution) -> str:
    """Write down how a run ended: with a score, pruned, or with nothing that could be the best."""
    from optuna.trial import TrialState

    store = Store(execution.results)
    if done.state == "stopped":
        if not done.resumed or _tried_before(study, trial):  # else what it went on from is somebody else's work
            _free_space(store, done)
        study.asked.tell(trial, state=TrialState.PRUNED)
        return "pruned"
    value = measure(store, done, study.definition.objective) if done.state == "done" else None
    if value is None or not math.isfinite(value):
        why = done.error or f"no score: {study.definition.objective} is not defined for this run"
        turns.fail(study, trial, f"{done.state}: {why}", final=True)
        return f"{done.state}, never the best"
    study.asked.tell(trial, value)
    return f"F1 {100 * value:.1f}"


def _tried_before(study: Study, trial: Trial) -> bool:
    """Whether an earlier trial had this draw, and was killed or interrupted."""
    draw = trial.user_attrs["draw"]
    return any(other.user_attrs["draw"] == draw for other in study.every()[: trial.number])


class Look:
    """What hears of every epoch of a trial: reports it, and stops a run that is pruned or out of time."""

    def __init__(self, trial: Trial, last: int, deadline: float | None) -> None:
        self.trial = trial
        self.last = last  # the epoch after which there is nothing to be saved
        self.deadline = deadline
        self.epochs = 0
        self.pruned = False

    def __call__(self, epoch: int, f1: float | None, further: bool) -> None:
        """`further`: later epochs are there already, from another process, and to stop now would save nothing."""
        from xner_bench.work import Stop

        self.epochs += 1
        behind = self.report(epoch, f1)
        if further or epoch >= self.last:
            return
        if behind:
            self.pruned = True
            raise Stop(f"pruned after epoch {epoch} by a search")
        if late(self.deadline):
            raise Stop("the time of a search is up")

    def report(self, epoch: int, f1: float | None) -> bool:
        """Write down what an epoch scored, for people and for the pruner; returns whether it would end the trial.

        The pruner is asked every time, whatever becomes of its answer: Hyperband remembers what it was asked about.
        """
        if f1 is not None and math.isfinite(f1):
            self.trial.report(f1, epoch)
        return self.trial.should_prune()


def measure(store: Store, done: Run, objective: str) -> float | None:
    """The objective of a finished run, 0 to 1."""
    from xner_bench.run import objective as on_source

    if objective == ZERO_SHOT:
        return on_source(store, done)
    target = objective.removeprefix(ORACLE)
    scores = [one for by_corpus in _dev_scores(store, done).values() if (one := by_corpus.get(target)) is not None]
    return max(scores, default=None)  # the oracle takes the epoch that is best on the target's own dev split


def _dev_scores(store: Store, done: Run) -> DevScores:
    """What every epoch of a finished run scored on the dev splits."""
    scores: DevScores = store.selection(done.run_id)["dev"]
    return scores


def _free_space(store: Store, stopped: Run) -> None:
    """A pruned run's weights are gigabytes that nobody will ask for; whoever does after all trains them again."""
    from xner_bench.checkpoints import Checkpoints

    if not store.held(stopped.run_id):  # by somebody who asks for it already
        with store.lock(stopped.run_id):
            Checkpoints(store.folder(stopped.run_id) / "epochs").forget()


def late(deadline: float | None) -> bool:
    """Whether a deadline (in seconds since 1970, which all machines know) is over."""
    return deadline is not None and time.time() >= deadline
