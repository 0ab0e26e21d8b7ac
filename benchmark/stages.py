"""The stages of a run, each a verb on the work at hand: prepare, train, select, finish. For test see `testing.py`."""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from xner_bench import building, device, export, measure, predict, protocol, resume, samples
from xner_bench.checkpoints import Checkpoints
from xner_bench.memory import Meter, Peak
from xner_bench.method import Moment
from xner_bench.plan import Part
from xner_bench.results import (
    FEW_SHOT_PREDICTIONS,
    HISTORY,
    PREDICTIONS,
    SAMPLES,
    SCORES,
    SENTENCE_COUNTS,
    Store,
)
from xner_bench.score import micro
from xner_bench.train import Fit
from xner_bench.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xner_bench.plan import Plan
    from xner_bench.watch import Watch
    from xner_bench.work import AfterEpoch


def prepare(ready: Plan, store: Store, watch: Watch, after_epoch: AfterEpoch | None = None) -> Work:
    """Load the encoder, put the head on it, and encode every corpus. Nothing is recorded yet."""
    start, memory = monotonic(), Meter(ready.device)
    device.make_deterministic(ready.device)
    device.use_threads(ready.execution.threads)
    encoder, built = building.assemble(ready, watch)
    if ready.execution.keep_checkpoint:
        export.check(encoder, built)
    encoded = building.encode_all(ready, encoder, watch)
    building.make_ready(ready, encoder, built, np.unique(building.training(ready, encoded).ids), watch)
    record = building.begin(ready, encoder)
    checkpoints = Checkpoints(store.folder(record.run_id) / "epochs")
    work = Work(ready, store, watch, encoder, built, record, encoded, checkpoints, after_epoch, memory=memory)
    work.seconds["preparing"] = round(monotonic() - start, 3)
    return work


def train(work: Work) -> None:
    """Train on the sources; after every epoch score all dev splits and keep the weights that some target may want."""
    ready, settings = work.ready, work.settings
    gold = np.concatenate([work.gold(Part(name, "train")).tags for name in settings.sources])
    work.dev_gold = {name: work.gold(Part(name, "dev")) for name in work.of("dev")}
    work.code = resume.code(work)  # once: files may change while the run trains what they said at its beginning
    fit = fitting(work, gold)
    try:
        resume.go_on(work, fit)
    except resume.Unfit as error:
        work.watch.note(f"{error}; the run begins again")
        begin_again(work)
        fit = fitting(work, gold)
    work.end = Moment(fit.steps, fit.steps, fit.sentences)
    for epoch in sorted(work.dev_scores):
        work.tell(epoch, further=epoch < fit.epoch)
    for taken in work.timed_each("training", fit):
        work.steps += taken
        score_dev(work, fit.epoch)
        resume.save(work, fit)
        work.tell(fit.epoch)
    if work.finishes:
        ready.method.finish(work.tagger, list(work.checkpoints.kept.values()))
        score_dev(work, settings.training.epochs + 1)
        work.checkpoints.save(work.tagger, settings.training.epochs + 1)
    work.record = work.record.model_copy(update={"method_facts": dict(ready.method.facts(work.tagger))})


def fitting(work: Work, gold: NDArray[np.int64]) -> Fit:
    """The training of this run's tagger, about to begin."""
    settings = work.settings
    train = building.training(work.ready, work.encoded)
    budget = work.ready.execution.subwords_at_once
    return Fit(work.tagger, work.ready.method, train, gold, settings.training, settings.seed, work.watch, budget)


def begin_again(work: Work) -> None:
    """Another tagger in the place of one whose weights are not what they should be, and no checkpoint."""
    work.checkpoints.forget()
    work.encoder, work.tagger = building.assemble(work.ready, work.watch)
    building.make_ready(
        work.ready, work.encoder, work.tagger, np.unique(building.training(work.ready, work.encoded).ids), work.watch
    )


def score_dev(work: Work, epoch: int) -> None:
    """Tag all dev splits in one pass, and score them."""
    with work.timed("dev"):
        tagged = predict.tag(
            work.tagger,
            work.dev,
            work.settings.training.precision,
            work.watch,
            f"dev, epoch {epoch}",
        )
        work.dev_scores[epoch] = {
            name: micro(gold.compare(tagged[name], measure.SELECTING)).f1 for name, gold in work.dev_gold.items()
        }


def select(work: Work) -> None:
    """Choose the checkpoints from the dev scores and write the choice down; test labels may be read from here on."""
    work.selection = protocol.select(work.dev_scores, work.settings.source, work.settings.corpora)
    record = {"dev": work.dev_scores, "selection": work.selection}
    text = json.dumps(record, indent=1, sort_keys=True)
    work.store.write(work.record.run_id, f"{work.draft}selection.json", (text + "\n").encode())


def finish(work: Work) -> None:
    """Write the tables, the checkpoint if it is to be kept, and last of all that the run is done."""
    run_id = work.record.run_id
    work.store.save_table(run_id, f"{work.draft}scores", SCORES, work.scores)
    work.store.save_table(run_id, f"{work.draft}sentence_counts", SENTENCE_COUNTS, work.counted)
    work.store.save_table(run_id, f"{work.draft}predictions", PREDICTIONS, work.predictions)
    work.store.save_table(run_id, f"{work.draft}orphans", PREDICTIONS, work.orphans)
    work.store.save_table(run_id, f"{work.draft}history", HISTORY, history(work))
    if work.ready.shots:
        work.store.save_table(run_id, f"{work.draft}few_shot", SAMPLES, samples.rows(work.ready.shots))
        work.store.save_table(run_id, f"{work.draft}few_shot_predictions", FEW_SHOT_PREDICTIONS, work.tuned)
        work.store.save_table(run_id, f"{work.draft}few_shot_orphans", FEW_SHOT_PREDICTIONS, work.tuned_orphans)
    elif not work.draft:
        names = ("few_shot", "few_shot_predictions", "few_shot_orphans")
        work.store.drop_tables(run_id, *names)  # of a completion that was killed
    if work.ready.execution.keep_checkpoint:
        keep_checkpoint(work)
    if work.draft:
        work.store.publish(run_id, work.draft)
    close(work, state="done", checkpoint_kept=work.ready.execution.keep_checkpoint)


def keep_checkpoint(work: Work) -> None:
    """Keep the checkpoint that answers the suite's TRUE protocol (without a dev split of the source: the last)."""
    work.load(protocol.true(work.selection, work.settings.true_protocol))
    work.ready.method.plain(work.tagger)
    export.write(work.encoder, work.tagger, work.store.folder(work.record.run_id) / "checkpoint")


def history(work: Work) -> Iterator[tuple[object, ...]]:
    """Loss and learning rate by step, dev scores by epoch."""
    for step in work.steps:
        yield step.epoch, step.number, "loss", None, None, step.loss
        yield step.epoch, step.number, "learning_rate", None, None, step.learning_rate
    for epoch, scores in work.dev_scores.items():
        for name, score in scores.items():
            dataset, _, language = name.partition(":")
            yield epoch, None, "f1", dataset, language, score


def close(work: Work, **changes: object) -> None:
    peak = work.memory.peak() if work.memory else Peak(None, None)
    spent = {"seconds": work.seconds, "peak_memory": peak.resident, "peak_gpu_memory": peak.gpu}
    work.record = work.record.model_copy(update=spent | changes)
    work.store.save_run(work.record)
