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
    perturbed,
    predict,
    protocol,
    provenance,
    registry,
    resume,
    samples,
    tagger,
    vocabulary,
)
from xner_bench.checkpoints import Checkpoints
from xner_bench.corpus import seal_read
from xner_bench.encoder import Encoder
from xner_bench.method import Method, Moment
from xner_bench.plan import Part
from xner_bench.results import FEW_SHOT_PREDICTIONS, HISTORY, PREDICTIONS, SAMPLES, SCORES, EncoderRecord, Run, Store
from xner_bench.score import micro
from xner_bench.train import Fit, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xner_bench.checkpoints import Checkpoint
    from xner_bench.corpus import Corpus
    from xner_bench.encode import Encoded, SubwordEncoder
    from xner_bench.measure import Gold
    from xner_bench.plan import Plan
    from xner_bench.protocol import DevScores, Selection
    from xner_bench.settings import Profile, RunSettings
    from xner_bench.tagger import Tagger
    from xner_bench.watch import Watch


T = TypeVar("T")


class Stop(Exception):
    """Whoever looks on has seen enough; says why."""


# Epoch (from 1), F1 (0..1) of the source's dev split (of several the mean), and whether later epochs are there already
# from another process: then to stop would save nothing.
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
    perturbed: dict[Part, Corpus] = field(default_factory=dict)  # test splits with other entities
    steps: list[Step] = field(default_factory=list)
    scores: list[tuple[object, ...]] = field(default_factory=list)
    predictions: list[tuple[object, ...]] = field(default_factory=list)
    tuned: list[tuple[object, ...]] = field(default_factory=list)  # predictions after few-shot fine-tuning
    end: Moment | None = None  # of training
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
        corpus = self.perturbed[part] if part in self.perturbed else self.ready.read(part)
        ids = measure.tag_ids(corpus, self.ready.tag_names)
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
        """Let whoever looks on know what the sources' dev splits say; it may raise Stop."""
        if self.after_epoch:
            self.after_epoch(epoch, protocol.mean_f1(self.dev_scores[epoch], self.settings.source), further)


def prepare(ready: Plan, store: Store, watch: Watch, after_epoch: AfterEpoch | None = None) -> Work:
    """Load the encoder, put the head on it, and encode every corpus. Nothing is recorded yet."""
    start = monotonic()
    device.make_deterministic(ready.device)
    device.use_threads(ready.execution.threads)
    encoder, built = assemble(ready, watch)
    if ready.execution.keep_checkpoint:
        export.check(encoder, built)
    encoded = encode_all(ready, encoder, watch)
    make_ready(ready, encoder, built, np.unique(training(ready, encoded).ids), watch)
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


def make_ready(ready: Plan, encoder: Encoder, built: Tagger, used: NDArray[np.int32], watch: Watch) -> None:
    """Leave the subwords that the training data does not use out of training; the rest is the method's."""
    if vocabulary.compact(encoder.transformer, used, built.layout, encoder.room) is None:
        watch.note("this encoder uses its embedding for more than looking up subwords: all of it is trained (slower)")
    tagger.prepare(built, ready.method, ready.settings.seed)
    built.to(ready.device)


def training(ready: Plan, encoded: Mapping[Part, Encoded]) -> Encoded:
    """The training splits of all sources, end to end."""
    every = [encoded[Part(name, "train")] for name in ready.settings.sources]
    return every[0] if len(every) == 1 else predict.join(every)


def encode_all(ready: Plan, encoder: Encoder, watch: Watch) -> dict[Part, Encoded]:
    """Every split that the run reads, as the encoder meets it."""
    encoding = subwords(ready, encoder)
    encoded = {}
    with watch.stage("encoding", sum(len(sealed.sentences) for sealed in ready.sealed.values())) as advance:
        for part, sealed in ready.sealed.items():
            encoded[part] = encodings.encoded(sealed, encoding, ready.execution.cache / "encoded", watch)
            advance(len(sealed.sentences), " ".join(part))
    return encoded


def subwords(ready: Plan, encoder: Encoder) -> SubwordEncoder:
    """How words become subwords in this run."""
    return encode.subword_encoder(encoder.tokenizer, min(ready.settings.training.max_length, encoder.room))


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
        few_shot=tuple(one.record for one in ready.shots),
        missing=ready.missing,
        provenance=provenance.now(ready.device),
    )


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
    train = training(work.ready, work.encoded)
    budget = work.ready.execution.subwords_at_once
    return Fit(work.tagger, work.ready.method, train, gold, settings.training, settings.seed, work.watch, budget)


def begin_again(work: Work) -> None:
    """Another tagger in the place of one whose weights are not what they should be, and no checkpoint."""
    work.checkpoints.forget()
    work.encoder, work.tagger = assemble(work.ready, work.watch)
    make_ready(work.ready, work.encoder, work.tagger, np.unique(training(work.ready, work.encoded).ids), work.watch)


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


def load(work: Work, epoch: int) -> None:
    """Put an epoch's weights into the tagger, or the mean of all epochs'."""
    checkpoint(work, epoch).load(work.tagger)
    if epoch == protocol.MEAN:
        work.ready.method.settle(work.tagger)


def checkpoint(work: Work, epoch: int) -> Checkpoint:
    """The weights after an epoch, or the mean of all epochs'."""
    if epoch == protocol.MEAN:
        return work.checkpoints.mean(work.settings.training.epochs)
    return work.checkpoints.kept[epoch]


def perturb(work: Work) -> None:
    """Make the test splits with other entities, and encode them. They are made of gold: after selection alone."""
    ready, names = work.ready, [(key, name) for name in work.settings.perturb for key in work.of("test")]
    if not names:
        return
    maker = perturbed.Maker(ready.catalogue, ready.suite, ready.test_split)
    encoding, cache, records = subwords(ready, work.encoder), ready.execution.cache / "encoded", []
    with work.timed("perturbing"), work.watch.stage("perturbing", len(names)) as advance:
        for key, name in names:
            made, record, _ = maker.make(key, name)
            part = Part(key, made.split)
            work.perturbed[part] = made
            work.encoded[part] = encodings.encoded(seal_read(made), encoding, cache, work.watch)
            records.append(record)
            advance(1, " ".join(part))
    if without := sorted({key for record in records for key in record.without}):
        work.watch.note(f"no names of {', '.join(without)} in perturbed test splits: no test split of theirs is here")
    if same := [f"{record.corpus} {record.split}" for record in records if not record.replaced]:
        work.watch.note(f"nothing could be replaced in {', '.join(same)}: there are no other names")
    work.record = work.record.model_copy(update={"perturbed": tuple(records)})


def test(work: Work) -> None:
    """Tag the test splits, each once for every checkpoint that was chosen for it, and compare them with their gold."""
    with work.timed("test"):
        splits = ["test", *map(perturbed.split, work.settings.perturb)]
        gold = {split: {name: work.gold(Part(name, split)) for name in work.of(split)} for split in splits}
        for epoch in sorted(protocol.wanted(work.selection)):
            load(work, epoch)
            for split in splits:
                test_split(work, split, epoch, gold[split])


def test_split(work: Work, split: str, epoch: int, gold: Mapping[str, Gold]) -> None:
    """Tag the corpora of a split that some protocol answers from what is now in the tagger, and compare them."""
    names = [name for name in protocol.targets_of(work.selection, epoch) if name in gold]
    for every_subword, profiles in by_unit(work.settings.profiles):
        tagged = predict.tag(
            work.tagger,
            predict.Pool({name: work.encoded[Part(name, split)] for name in names}, every_subword),
            work.settings.training.precision,
            work.watch,
            f"{split}, mean of the epochs" if epoch == protocol.MEAN else f"{split}, checkpoint {epoch}",
        )
        for name in names:
            note_scores(work, Part(name, split), epoch, gold[name], tagged[name], profiles)
            if not every_subword:
                note_predictions(work, Part(name, split), epoch, gold[name], tagged[name])


def by_unit(profiles: Sequence[Profile]) -> list[tuple[bool, list[Profile]]]:
    """Profiles that score words and those that score subwords; words are always tagged, they are what is stored."""
    words = [profile for profile in profiles if not measure.RULES[profile].every_subword]
    subwords = [profile for profile in profiles if measure.RULES[profile].every_subword]
    return [(False, words), *([(True, subwords)] if subwords else [])]


def note_scores(
    work: Work,
    part: Part,
    epoch: int,
    gold: Gold,
    tagged: NDArray[np.int64],
    profiles: Sequence[Profile],
) -> None:
    """One row for each protocol that this checkpoint answers, each profile and each type."""
    protocols = protocol.answers(work.selection, part.corpus, epoch)
    work.scores += score_rows(part, protocols, epoch, gold, tagged, profiles)


def score_rows(
    part: Part,
    protocols: Collection[str],
    epoch: int,
    gold: Gold,
    tagged: NDArray[np.int64],
    profiles: Sequence[Profile],
) -> Iterator[tuple[object, ...]]:
    """One row for each profile, protocol and type."""
    encoded = gold.encoded
    size = (len(encoded.sentences) - 1, encoded.words_without_subwords, encoded.cut_sentences)
    place = (*part.corpus.split(":"), part.split)
    for profile in profiles:
        counts = gold.compare(tagged, profile)
        for answered in protocols:
            for kind, found in counts.items():
                yield (*place, answered, epoch, profile, kind, *found, found.support, *size)


def note_predictions(work: Work, part: Part, epoch: int, gold: Gold, tagged: NDArray[np.int64]) -> None:
    """The predicted entities, so that anyone can score them again without training."""
    place = (*part.corpus.split(":"), part.split, epoch)
    work.predictions += [(*place, *entity) for entity in entities(gold, tagged)]


def entities(gold: Gold, tagged: NDArray[np.int64]) -> Iterator[tuple[int, int, int, str]]:
    """Sentence, first word, one past the last, and type."""
    found = gold.spans(tagged, measure.RULES[measure.SELECTING])
    offsets = gold.encoded.sentences
    sentence = np.searchsorted(offsets, found.start, side="right") - 1
    columns = (sentence, found.start - offsets[sentence], found.end - offsets[sentence], found.type)
    for at, start, end, kind in zip(*(column.tolist() for column in columns), strict=True):
        yield at, start, end, gold.types[kind]


def finish(work: Work) -> None:
    """Write the tables, the checkpoint if it is to be kept, and last of all that the run is done."""
    run_id = work.record.run_id
    work.store.save_table(run_id, f"{work.draft}scores", SCORES, work.scores)
    work.store.save_table(run_id, f"{work.draft}predictions", PREDICTIONS, work.predictions)
    work.store.save_table(run_id, f"{work.draft}history", HISTORY, history(work))
    if work.ready.shots:
        work.store.save_table(run_id, f"{work.draft}few_shot", SAMPLES, samples.rows(work.ready.shots))
        work.store.save_table(run_id, f"{work.draft}few_shot_predictions", FEW_SHOT_PREDICTIONS, work.tuned)
    elif not work.draft:
        work.store.drop_tables(run_id, "few_shot", "few_shot_predictions")  # of a completion that was killed
    if work.ready.execution.keep_checkpoint:
        keep_checkpoint(work)
    if work.draft:
        work.store.publish(run_id, work.draft)
    close(work, state="done", checkpoint_kept=work.ready.execution.keep_checkpoint)


def keep_checkpoint(work: Work) -> None:
    """Keep the checkpoint that answers the suite's TRUE protocol (without a dev split of the source: the last)."""
    load(work, protocol.true(work.selection, work.settings.true_protocol))
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
    work.record = work.record.model_copy(update={"seconds": work.seconds, **changes})
    work.store.save_run(work.record)
