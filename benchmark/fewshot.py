"""Few-shot: from the run's chosen checkpoint on to k sentences of a target, once for each target, sampling and k.

Lauscher et al., "From Zero to Hero", EMNLP 2020, section 4. The checkpoint is that of the suite's TRUE protocol, chosen
before. Every fine-tuning begins at its weights, with the run's own training (epochs, learning rate, batch size, seed),
a new optimizer and a new schedule; the weights of its last epoch answer the target's test split. Labels of a target are
learned from here alone, after selection is on disk, and all other scores are those of a run without few-shot.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from xner_bench import building, encode, measure, predict, protocol, testing, vocabulary
from xner_bench.errors import XnerError
from xner_bench.plan import Part
from xner_bench.settings import digest
from xner_bench.train import Diverged, Fit
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from xner_bench.corpus import Corpus
    from xner_bench.encode import Encoded
    from xner_bench.measure import Gold
    from xner_bench.samples import Shots
    from xner_bench.settings import Sampling
    from xner_bench.tagger import Tagger
    from xner_bench.work import Work

# Shapes: V subwords in the vocabulary, U of them in the sample, W words of it, D features of an embedding.


class Sample(NamedTuple):
    """The k sentences of one fine-tuning."""

    corpus: str
    sampling: Sampling
    k: int
    sentences: tuple[int, ...]  # of the target's train split

    @property
    def protocol(self) -> str:
        return protocol.few_shot(self.sampling, self.k)


class Start(NamedTuple):
    """The chosen checkpoint, where every fine-tuning begins."""

    epoch: int  # or protocol.MEAN
    mark: str  # tells its weights from others
    state: dict[str, Tensor]  # parameters and buffers on the CPU, but for a compact embedding's
    embedding: str  # where that is in the tagger; "" where there is none
    table: Tensor | None  # (V, D) all of its rows as they stand
    rows: int  # that it has for the sources' training data


class Target:
    """A target's train and test split with their labels, read when the first fine-tuning asks for them."""

    def __init__(self, work: Work, shots: Shots) -> None:
        self.work, self.record = work, shots.record
        self.samples = tuple(Sample(shots.record.corpus, *one) for one in shots.samples)
        self._read: tuple[Corpus, Gold] | None = None

    def read(self) -> tuple[Corpus, Gold]:
        if self._read is None:
            train = self.work.ready.read(Part(self.record.corpus, "train"))
            self._read = train, self.work.gold(Part(self.record.corpus, "test"))
        return self._read

    def forget(self) -> None:
        """Have the room back."""
        self._read = None


def learn(work: Work) -> None:
    """Fine-tune on every sample and score the target's test split; what an earlier process did is found again."""
    targets = [Target(work, shots) for shots in work.ready.shots]
    if not targets:
        return
    with work.timed("few-shot"):
        began = start(work)
    with work.watch.stage("few-shot", sum(sample.k for target in targets for sample in target.samples)) as advance:
        for target in targets:
            for sample in target.samples:
                note(work, sample, found_or_made(work, began, target, sample))
                advance(sample.k, f"{sample.corpus} {sample.sampling} {sample.k}")
            target.forget()


def start(work: Work) -> Start:
    """The checkpoint of the TRUE protocol."""
    epoch = protocol.true(work.selection, work.settings.true_protocol)
    work.load(epoch)
    mark, state = work.checkpoint(epoch).mark, work.tagger.state_dict()
    compact = vocabulary.found(work.tagger)
    name = next((f"{name}." for name, module in work.tagger.named_modules() if module is compact), "")
    copied = {key: one.to("cpu", copy=True) for key, one in state.items() if not (name and key.startswith(name))}
    if compact is None:
        return Start(epoch, mark, copied, name, None, 0)
    return Start(epoch, mark, copied, name, compact.whole().weight.detach().cpu(), len(compact.weight))


def found_or_made(work: Work, began: Start, target: Target, sample: Sample) -> dict[str, Any]:
    """What one fine-tuning gave: rows for the tables, and the seconds that it took."""
    name = f"{sample.protocol}-{sample.corpus.replace(':', '-')}"
    key = digest([work.code, began.epoch, began.mark, target.record.fingerprint, sample, work.settings.profiles])
    kept = work.checkpoints.answer(name)
    if kept and kept["key"] == key and "orphans" in kept:  # earlier versions kept none
        return kept
    begun = monotonic()
    made = {"key": key, **made_of(work, began, sample, *target.read())}
    made["seconds"] = round(monotonic() - begun, 3)
    work.checkpoints.save_answer(name, made)
    return made


def made_of(work: Work, began: Start, sample: Sample, train: Corpus, gold: Gold) -> dict[str, Any]:
    """Fine-tune, tag the test split and compare; no rows where the loss was no number."""
    learned = replace(train, sentences=[train.sentences[at] for at in sample.sentences])
    subwords = building.subwords(work.ready, work.encoder)
    encoded = encode.encode([sentence.words for sentence in learned.sentences], subwords)
    try:
        tuned = fine_tuned(work, began, encoded, measure.tag_ids(learned, work.ready.tag_names))
    except Diverged as error:
        work.watch.note(f"{sample.corpus} has no scores for {sample.protocol}: {error}")
        return {"diverged": True, "scores": [], "entities": [], "orphans": []}
    scores: list[Any] = []
    entities: list[Any] = []
    orphans: list[Any] = []
    part, precision = Part(sample.corpus, "test"), work.settings.training.precision
    for every_subword, profiles in testing.by_unit(work.settings.profiles):
        pool = predict.Pool({sample.corpus: gold.encoded}, every_subword)
        tagged = predict.tag(tuned, pool, precision)[sample.corpus]
        scores += testing.score_rows(part, [sample.protocol], began.epoch, gold, tagged, profiles)
        if not every_subword:
            entities += testing.entities(gold, tagged)
            orphans += testing.orphans(gold, tagged)
    return {"diverged": False, "scores": scores, "entities": entities, "orphans": orphans}


def fine_tuned(work: Work, began: Start, encoded: Encoded, tags: NDArray[np.int64]) -> Tagger:
    """The chosen checkpoint, trained on some sentences whose words have these tags (W,)."""
    settings, ready = work.settings, work.ready
    tuned = begin(work, began, encoded)
    budget = ready.execution.subwords_at_once
    fit = Fit(tuned, ready.method, encoded, tags, settings.training, settings.seed, SILENT, budget, work.end)
    for _ in fit:
        pass
    return tuned


def begin(work: Work, began: Start, encoded: Encoded) -> Tagger:
    """A tagger with the checkpoint's weights whose compact embedding has rows for a sample's subwords.

    The checkpoint's own has rows for the sources' training data. Here every row has the value that it had there,
    trained or not, before some are chosen to be trained.
    """
    encoder, tuned = building.assemble(work.ready, SILENT)
    used = np.unique(encoded.ids)
    if began.table is not None:
        with torch.no_grad():
            encoder.transformer.get_input_embeddings().weight.copy_(began.table)
        used = other_than(began.rows, used, len(began.table), encoder.pad)
    building.make_ready(work.ready, encoder, tuned, used, SILENT)
    put(tuned, began, work.settings.method)
    work.ready.method.settle(tuned)
    return tuned


def other_than(rows: int, used: NDArray[np.int32], size: int, pad: int) -> NDArray[np.int32]:
    """Subwords (U,) that with padding are not so many: one more if they were. What has a row for each of them has then
    another shape than in the checkpoint, and is not taken for it."""
    own = np.union1d(used, [pad]).astype(np.int32)
    if len(own) != rows or rows == size:
        return own
    return np.union1d(own, np.setdiff1d(np.arange(size), own)[:1]).astype(np.int32)


def put(tuned: Tagger, began: Start, method: str) -> None:
    """Put the checkpoint's weights into a fresh tagger, whose embedding has them already.

    A buffer with a row for each of the embedding's, such as a mask, stays as `prepare` made it: `settle` sees to it.
    """
    own = tuned.state_dict()
    fits = {name: one for name, one in began.state.items() if own[name].shape == one.shape}
    if lost := [name for name, one in began.state.items() if name not in fits and one.is_floating_point()]:
        raise XnerError(
            f"method {method!r} keeps {lost[0]} for the rows of the embedding, of which few-shot trains others; "
            "leave --few-shot out"
        )
    missing, _ = tuned.load_state_dict(fits, strict=False)
    if strange := [name for name in missing if name not in began.state and not _inside(name, began.embedding)]:
        raise RuntimeError(f"{strange[0]} of a fresh tagger is not in the trained one")


def _inside(name: str, embedding: str) -> bool:
    return bool(embedding) and name.startswith(embedding)


def note(work: Work, sample: Sample, found: dict[str, Any]) -> None:
    """Add what one fine-tuning gave to what the run will store."""
    epoch = protocol.true(work.selection, work.settings.true_protocol)
    place = (*sample.corpus.split(":"), "test", sample.protocol, epoch)
    work.scores += [tuple(row) for row in found["scores"]]
    work.tuned += [(*place, *entity) for entity in found["entities"]]
    work.tuned_orphans += [(*place, *orphan) for orphan in found["orphans"]]
    work.seconds["few-shot"] = round(work.seconds.get("few-shot", 0.0) + found["seconds"], 3)
    if found["diverged"]:
        records = {record.corpus: record for record in work.record.few_shot}
        diverged = (*records[sample.corpus].diverged, sample.protocol)
        records[sample.corpus] = records[sample.corpus].model_copy(update={"diverged": diverged})
        work.record = work.record.model_copy(update={"few_shot": tuple(records.values())})
