"""The stages of a run, each a verb on the work at hand: prepare, train, select, test, store."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from xner_bench import (
    device,
    encode,
    encodings,
    export,
    measure,
    predict,
    protocol,
    provenance,
    registry,
    resume,
    tagger,
    vocabulary,
)
from xner_bench.checkpoints import Checkpoints
from xner_bench.encoder import Encoder
from xner_bench.method import Method
from xner_bench.plan import Part
from xner_bench.results import HISTORY, PREDICTIONS, SCORES, EncoderRecord, Run, Store
from xner_bench.score import micro
from xner_bench.train import Fit, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xner_bench.encode import Encoded
    from xner_bench.measure import Gold
    from xner_bench.plan import Plan
    from xner_bench.protocol import DevScores, Selection
    from xner_bench.settings import Profile, RunSettings
    from xner_bench.tagger import Tagger
    from xner_bench.watch import Watch


T = TypeVar("T")


class Stop(Exception):
    """Whoever looks on has seen enough; says why."""


# Epoch (from 1), F1 (0..1) of the source's dev split, and whether later epochs are there already from another process:
# then to stop would save nothing.
AfterEpoch = Callable[[int, float | None, bool], None]
DRAFT = ".again/"  # where the files of a run that is done again lie until all of them are there


@dataclass
class Work:
    """A run under way."""

    ready: Plan
    store: Store
    watch: Watch
    encoder: Encoder
    tagger: Tagger
    record: Run
    encoded: dict[Part, Encoded]
    checkpoints: Checkpoints
    after_epoch: AfterEpoch | None = None
    draft: str = ""  # "" or DRAFT
    code: str = ""  # a hash of what the method is written in
    dev_gold: dict[str, Gold] = field(default_factory=dict)
    dev_scores: DevScores = field(default_factory=dict)
    selection: Selection = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    scores: list[tuple[object, ...]] = field(default_factory=list)
    predictions: list[tuple[object, ...]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def settings(self) -> RunSettings:
        return self.ready.settings

    @property
    def finishes(self) -> bool:
        """Whether the method does something of its own after the last epoch."""
        return type(self.ready.method).finish is not Method.finish

    def of(self, split: str) -> dict[str, Encoded]:
        """The encoded corpora of a split."""
        return {part.corpus: encoded for part, encoded in self.encoded.items() if part.split == split}

    def gold(self, part: Part) -> Gold:
        """The labels of a split. Those of test splits are asked for only after selection is on disk."""
        ids = measure.tag_ids(self.ready.read(part), self.ready.tag_names)
        return measure.Gold(ids, self.encoded[part], self.settings.types)

    @cached_property
    def dev(self) -> predict.Pool:
        """All dev splits, to be tagged after every epoch."""
        return predict.Pool(self.of("dev"))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        start = monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + monotonic() - start, 3)

    def timed_each(self, name: str, pieces: Iterable[T]) -> Iterator[T]:
        """Pieces of work that are done as they are asked for, timed without what is done between them."""
        left = iter(pieces)
        while True:
            with self.timed(name):
                piece = next(left, None)
            if piece is None:
                return
            yield piece

    def tell(self, epoch: int, further: bool = False) -> None:
        """Let whoever looks on know what the source's dev split says; it may raise Stop."""
        if self.after_epoch:
            self.after_epoch(epoch, self.dev_scores[epoch].get(self.settings.source), further)


def prepare(ready: Plan, store: Store, watch: Watch, after_epoch: AfterEpoch | None = None) -> Work:
    """Load the encoder, put the head on it, and encode every corpus. Nothing is recorded yet."""
    start = monotonic()
    device.make_deterministic(ready.device)
    device.use_threads(ready.execution.threads)
    encoder, built = assemble(ready, watch)
    if ready.execution.keep_checkpoint:
        export.check(encoder, built)
    encoded = encode_all(ready, encoder, watch)
    make_compact(ready, encoder, built, encoded, watch)
    record = begin(ready, encoder)
    checkpoints = Checkpoints(store.folder(record.run_id) / "epochs")
    seconds = {"preparing": round(monotonic() - start, 3)}
    return Work(ready, store, watch, encoder, built, record, encoded, checkpoints, after_epoch, seconds=seconds)


def assemble(ready: Plan, watch: Watch) -> tuple[Encoder, Tagger]:
    """The pretrained encoder, and the tagger with the method's fresh head on it."""
    encoder = Encoder(ready.pretrained, ready.tag_names)
    sizes = encoder.sizes(ready.settings.training.dropout)
    encoder.transformer.to(ready.device)
    layout = encoder.layout(watch)
    built = tagger.build(encoder.transformer, sizes, ready.method, ready.tag_names, ready.settings.seed, layout)
    return encoder, built.to(ready.device)


def make_compact(ready: Plan, encoder: Encoder, built: Tagger, encoded: Mapping[Part, Encoded], watch: Watch) -> None:
    """Leave the subwords that the source's training data does not use out of training."""
    used = np.unique(encoded[Part(ready.settings.source, "train")].ids)
    if vocabulary.compact(encoder.transformer, used, built.layout, encoder.room) is None:
        watch.note("this encoder uses its embedding for more than looking up subwords: all of it is trained (slower)")


def encode_all(ready: Plan, encoder: Encoder, watch: Watch) -> dict[Part, Encoded]:
    """Every split that the run reads, as the encoder meets it."""
    subwords = encode.subword_encoder(encoder.tokenizer, min(ready.settings.training.max_length, encoder.room))
    encoded = {}
    with watch.stage("encoding", sum(len(sealed.sentences) for sealed in ready.sealed.values())) as advance:
        for part, sealed in ready.sealed.items():
            encoded[part] = encodings.encoded(sealed, subwords, ready.execution.cache / "encoded", watch)
            advance(len(sealed.sentences), " ".join(part))
    return encoded


def begin(ready: Plan, encoder: Encoder) -> Run:
    """The record of a run that starts."""
    return Run(
        run_id=ready.run_id,
        entry_id=ready.entry_id,
        state="started",
        settings=ready.settings,
        method_origin=registry.origin(ready.settings.method),
        encoder=EncoderRecord(
            name=ready.pretrained.name,
            revision=ready.pretrained.revision,
            fingerprint=ready.encoder_fingerprint,
            parameters=encoder.parameters,
        ),
        data=ready.data(),
        missing=ready.missing,
        provenance=provenance.now(ready.device),
    )


def train(work: Work) -> None:
    """Train on the source; after every epoch score all dev splits and keep the weights that some target may want."""
    ready, settings = work.ready, work.settings
    gold = work.gold(Part(settings.source, "train")).tags
    work.dev_gold = {name: work.gold(Part(name, "dev")) for name in work.of("dev")}
    work.code = resume.code(work)  # once: files may change while the run trains what they said at its beginning
    fit = fitting(work, gold)
    try:
        resume.go_on(work, fit)
    except resume.Unfit as error:
        work.watch.note(f"{error}; the run begins again")
        begin_again(work)
        fit = fitting(work, gold)
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


def fitting(work: Work, gold: NDArray[np.int64]) -> Fit:
    """The training of this run's tagger, about to begin."""
    settings = work.settings
    train = work.encoded[Part(settings.source, "train")]
    budget = work.ready.execution.subwords_at_once
    return Fit(work.tagger, work.ready.method, train, gold, settings.training, settings.seed, work.watch, budget)


def begin_again(work: Work) -> None:
    """Another tagger in the place of one whose weights are not what they should be, and no checkpoint."""
    work.checkpoints.forget()
    work.encoder, work.tagger = assemble(work.ready, work.watch)
    make_compact(work.ready, work.encoder, work.tagger, work.encoded, work.watch)


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


def test(work: Work) -> None:
    """Tag the test splits, each once for every checkpoint that was chosen for it, and compare them with their gold."""
    with work.timed("test"):
        gold = {name: work.gold(Part(name, "test")) for name in work.of("test")}
        for epoch in sorted(protocol.wanted(work.selection)):
            work.checkpoints.kept[epoch].load(work.tagger)
            names = [name for name in protocol.targets_of(work.selection, epoch) if name in gold]
            for every_subword, profiles in _by_unit(work.settings.profiles):
                tagged = predict.tag(
                    work.tagger,
                    predict.Pool({name: work.encoded[Part(name, "test")] for name in names}, every_subword),
                    work.settings.training.precision,
                    work.watch,
                    f"test, checkpoint {epoch}",
                )
                for name in names:
                    note_scores(work, name, epoch, gold[name], tagged[name], profiles)
                    if not every_subword:
                        note_predictions(work, name, epoch, gold[name], tagged[name])


def _by_unit(profiles: Sequence[Profile]) -> list[tuple[bool, list[Profile]]]:
    """Profiles that score words and those that score subwords; words are always tagged, they are what is stored."""
    words = [profile for profile in profiles if not measure.RULES[profile].every_subword]
    subwords = [profile for profile in profiles if measure.RULES[profile].every_subword]
    return [(False, words), *([(True, subwords)] if subwords else [])]


def note_scores(
    work: Work,
    name: str,
    epoch: int,
    gold: Gold,
    tagged: NDArray[np.int64],
    profiles: Sequence[Profile],
) -> None:
    """One row for each protocol that this checkpoint answers, each profile and each type."""
    dataset, _, language = name.partition(":")
    encoded = gold.encoded
    size = (len(encoded.sentences) - 1, encoded.words_without_subwords, encoded.cut_sentences)
    for profile in profiles:
        counts = gold.compare(tagged, profile)
        for answered in protocol.answers(work.selection, name, epoch):
            work.scores += [
                (dataset, language, "test", answered, epoch, profile, kind, *found, found.support, *size)
                for kind, found in counts.items()
            ]


def note_predictions(work: Work, name: str, epoch: int, gold: Gold, tagged: NDArray[np.int64]) -> None:
    """The predicted entities, by sentence and word, so that anyone can score them again without training."""
    dataset, _, language = name.partition(":")
    found = gold.spans(tagged, measure.RULES[measure.SELECTING])
    offsets = gold.encoded.sentences
    sentence = np.searchsorted(offsets, found.start, side="right") - 1
    columns = (sentence, found.start - offsets[sentence], found.end - offsets[sentence], found.type)
    for at, start, end, kind in zip(*(column.tolist() for column in columns), strict=True):
        work.predictions.append((dataset, language, "test", epoch, at, start, end, work.settings.types[kind]))


def finish(work: Work) -> None:
    """Write the tables, the checkpoint if it is to be kept, and last of all that the run is done."""
    run_id = work.record.run_id
    work.store.save_table(run_id, f"{work.draft}scores", SCORES, work.scores)
    work.store.save_table(run_id, f"{work.draft}predictions", PREDICTIONS, work.predictions)
    work.store.save_table(run_id, f"{work.draft}history", HISTORY, history(work))
    if work.ready.execution.keep_checkpoint:
        keep_checkpoint(work)
    if work.draft:
        work.store.publish(run_id, work.draft)
    close(work, state="done", checkpoint_kept=work.ready.execution.keep_checkpoint)


def keep_checkpoint(work: Work) -> None:
    """Keep the checkpoint that answers the suite's TRUE protocol (without a dev split of the source: the last)."""
    by_dev = work.selection["source-dev"] if work.settings.true_protocol == "source-dev" else {}
    true = by_dev or work.selection["last"]
    work.checkpoints.kept[next(iter(true.values()))].load(work.tagger)
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
    work.record = work.record.model_copy(update={"seconds": work.seconds, **changes})
    work.store.save_run(work.record)
