"""The story of one run: train on the source, tag every target without its labels, score, and say how it was done."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xner_bench import device, plan, stages
from xner_bench.errors import XnerError
from xner_bench.results import Run, Store
from xner_bench.train import Diverged
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.plan import Plan
    from xner_bench.settings import Execution, RunSettings
    from xner_bench.stages import Work
    from xner_bench.watch import Watch


def run(settings: RunSettings, execution: Execution, watch: Watch = SILENT) -> Run:
    """Carry out one run, or find it done. Same settings, same data, same encoder: the work is done once.

    Raises XnerError for what the user can mend, before training where it can be known by then. A loss that is no number
    gives a run in the state `diverged`; any other failure is recorded as `failed` and raised.
    """
    store = Store(execution.results)
    store.probe()
    ready = plan.make(settings, execution, watch)
    with store.lock(ready.run_id, watch):
        done = store.find(ready.run_id)
        if done is not None and answers(done, ready):
            watch.note(f"already done: {store.folder(done.run_id)}")
            return done
        with device.memory_kept():
            return carry_out(ready, store, watch, done)


def answers(done: Run, ready: Plan) -> bool:
    """Whether a run in the store says all that is asked for."""
    asked = set(ready.settings.profiles) <= set(done.settings.profiles)
    return done.state == "done" and asked and (done.checkpoint_kept or not ready.execution.keep_checkpoint)


def carry_out(ready: Plan, store: Store, watch: Watch, before: Run | None = None) -> Run:
    """Train, select, test, store: in this order.

    `before` is what the store has of this run. One that is done, and is done again for a further profile or for its
    checkpoint, keeps its record until the new one is complete, and loses nothing that it had.
    """
    again = before is not None and before.state == "done"
    work = stages.prepare(plan.widened(ready, before) if before and again else ready, store, watch)
    if again:
        watch.note("done already, but without what is asked for now: the run is carried out again")
    else:
        store.save_run(work.record)
    with recorded(work, again):
        stages.train(work)
        stages.select(work)
        stages.test(work)
        stages.finish(work)
    return work.record


@contextmanager
def recorded(work: Work, again: bool = False) -> Iterator[None]:
    """Whatever happens to a run after its start is written into its record; its epochs' weights go.

    `again`: the record says that the run is done, and goes on saying so.
    """
    try:
        yield
    except Diverged as error:
        if again:  # on another machine, as the one that did it first got through
            raise XnerError(f"{error}; what {work.record.run_id} had before is kept") from error
        stages.close(work, state="diverged", error=str(error))
    except Exception as error:
        if not again:
            stages.close(work, state="failed", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        shutil.rmtree(work.checkpoints.folder, ignore_errors=True)
