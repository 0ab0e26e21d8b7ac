"""A run under way: its plan, its tagger, and what the stages have found so far."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from xner_bench import measure, predict, protocol
from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xner_bench.checkpoints import Checkpoint, Checkpoints
    from xner_bench.corpus import Corpus
    from xner_bench.encode import Encoded
    from xner_bench.encoder import Encoder
    from xner_bench.measure import Gold
    from xner_bench.memory import Meter
    from xner_bench.method import Moment
    from xner_bench.plan import Part, Plan
    from xner_bench.protocol import DevScores, Selection
    from xner_bench.results import Run, Store
    from xner_bench.settings import RunSettings
    from xner_bench.tagger import Tagger
    from xner_bench.train import Step
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
    counted: list[tuple[object, ...]] = field(default_factory=list)  # sentence by sentence
    predictions: list[tuple[object, ...]] = field(default_factory=list)
    orphans: list[tuple[object, ...]] = field(default_factory=list)
    tuned: list[tuple[object, ...]] = field(default_factory=list)  # predictions after few-shot fine-tuning
    tuned_orphans: list[tuple[object, ...]] = field(default_factory=list)
    end: Moment | None = None  # of training
    seconds: dict[str, float] = field(default_factory=dict)
    memory: Meter | None = None

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

    def checkpoint(self, epoch: int) -> Checkpoint:
        """The weights after an epoch, or the mean of all epochs'."""
        if epoch == protocol.MEAN:
            return self.checkpoints.mean(self.settings.training.epochs)
        return self.checkpoints.kept[epoch]

    def load(self, epoch: int) -> None:
        """Put an epoch's weights into the tagger, or the mean of all epochs'."""
        self.checkpoint(epoch).load(self.tagger)
        if epoch == protocol.MEAN:
            self.ready.method.settle(self.tagger)
