"""The story of one run: train on the source, tag every target without its labels, score, and say how it was done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from xner_bench import device, fewshot, plan, protocol, samples, stages, testing
from xner_bench.errors import XnerError
from xner_bench.identity import numbers_of
from xner_bench.results import Run, Store
from xner_bench.train import Diverged
from xner_bench.watch import SILENT
from xner_bench.work import DRAFT, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.plan import Plan
    from xner_bench.settings import Execution, RunSettings
    from xner_bench.watch import Watch
    from xner_bench.work import AfterEpoch, Work


def run(
    settings: RunSettings,
    execution: Execution,
    watch: Watch = SILENT,
    after_epoch: AfterEpoch | None = None,
    wait: bool = True,
) -> Run:
    """Carry out one run, or find it done. Same settings, same data, same encoder: the work is done once.

    A run that was interrupted goes on from its last epoch. `after_epoch` hears of every epoch's F1 on the sources' dev
    splits, and may raise Stop: the run is then `stopped`, and goes on from its last epoch when it is asked for again,
    if nobody deletes what there is of it. Where another process carries the run out, wait for it, or (without `wait`)
    raise Held.

    Raises XnerError for what the user can mend, before training where it can be known by then. A loss that is no number
    gives a run in the state `diverged`; any other failure is recorded as `failed` and raised.
    """
    store = Store(execution.results)
    store.probe()
    ready = plan.make(settings, execution, watch)
    with store.lock(ready.run_id, watch, wait):
        before = found(store, ready)
        if before is not None and stands(before, ready):
            watch.note(f"already {before.state}: {store.folder(before.run_id)}")
            return before
        with device.memory_kept():
            return carry_out(ready, store, watch, before, after_epoch)


def found(store: Store, ready: Plan) -> Run | None:
    """What the store has of this run. XnerError where somebody has changed it."""
    before = store.find(ready.run_id)
    if before and numbers_of(before) is None and ready.execution.overwrite != "always":
        path = store.folder(ready.run_id) / "run.json"
        raise XnerError(f"{path}: its settings are not those that its id stands for; redo it with --overwrite always")
    return before


def stands(before: Run, ready: Plan) -> bool:
    """Whether what the store has of a run is left as it is."""
    overwrite = ready.execution.overwrite
    ended = before.state in ("done", "failed", "diverged")
    return overwrite != "always" and (answers(before, ready) or (overwrite == "never" and ended))


def answers(before: Run, ready: Plan) -> bool:
    """Whether a run in the store says all that is asked for. One that diverged would diverge again."""
    told, asked = before.settings, ready.settings
    scored = {*asked.profiles} <= {*told.profiles}
    perturbed = ready.pools() <= {(one.corpus, one.split, one.pool) for one in before.perturbed}
    learned = samples.asked(asked, ready.shots) <= samples.told(before)
    complete = scored and perturbed and learned and (before.checkpoint_kept or not ready.execution.keep_checkpoint)
    return before.state == "diverged" or (before.state == "done" and complete)


def objective(store: Store, run: Run) -> float | None:
    """F1 (0 to 1) of a finished run on the sources' dev splits, at the checkpoint of the suite's TRUE protocol.

    The mean of the epochs has no score on dev: where it is TRUE, the last epoch's stands for it.
    """
    record = store.selection(run.run_id)
    epoch = record["selection"].get(run.settings.true_protocol, {}).get(run.settings.sources[0])
    if epoch == protocol.MEAN:
        epoch = run.settings.training.epochs
    return protocol.mean_f1(record["dev"].get(epoch, {}), run.settings.source)


def carry_out(
    ready: Plan, store: Store, watch: Watch, before: Run | None = None, after_epoch: AfterEpoch | None = None
) -> Run:
    """Train, select, test, go on from a few sentences, store: in this order.

    `before` is what the store has of this run. One that is done, and is done again for what it lacks (a profile,
    a perturbation, its checkpoint), keeps all that it has until the new is complete.
    """
    again = before is not None and before.state == "done"
    work = stages.prepare(plan.widened(ready, before, watch) if before and again else ready, store, watch, after_epoch)
    if ready.execution.overwrite == "always":
        work.checkpoints.forget()
    elif again:
        watch.note("done already, but without what is asked for now: the run is carried out again")
    store.sweep(ready.run_id)
    if again:
        work.draft = DRAFT
    else:
        store.save_run(work.record)
    with recorded(work, again):
        stages.train(work)
        stages.select(work)
        testing.perturb(work)
        testing.test(work)
        fewshot.learn(work)
        stages.finish(work)
    return work.record


@contextmanager
def recorded(work: Work, again: bool = False) -> Iterator[None]:
    """However a run ends, its record says so. Its epochs stay for as long as something is left to be done from them.

    `again`: the record says that the run is done, and goes on saying so.
    """
    try:
        yield
    except Diverged as error:
        work.checkpoints.forget()
        if again:  # on another machine, as the one that did it first got through
            raise XnerError(f"{error}; what {work.record.run_id} had before is kept") from error
        stages.close(work, state="diverged", error=str(error))
    except Stop as reason:
        stopped = {"state": "stopped", "error": str(reason)}
        if again:  # whoever asked hears of it; the store goes on saying that the run is done
            work.record = work.record.model_copy(update=stopped)
        else:
            stages.close(work, **stopped)
    except Exception as error:
        if not again:
            stages.close(work, state="failed", error=f"{type(error).__name__}: {error}")
        raise
    else:
        work.checkpoints.forget()
    finally:
        work.store.sweep(work.record.run_id)
