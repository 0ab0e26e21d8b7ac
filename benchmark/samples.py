"""Which sentences few-shot fine-tuning learns from: drawn from words alone, before training, and nested.

Lauscher, Ravishankar, Vulić and Glavaš, "From Zero to Hero: On the Limitations of Zero-Shot Language Transfer with
Multilingual Transformers", EMNLP 2020, section 4: k sentences of 3 to 50 words, at random, the shortest or the longest.

A sample is the same for every method and encoder: it follows from the run's seed and the target's name and words alone,
in every version of Python. The 10 sentences of k = 10 are among the 50 of k = 50. No sentence is drawn that also stands
in the target's test split.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError
from xner_bench.places import MissingSplit
from xner_bench.results import ShotsRecord
from xner_bench.settings import RunSettings
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xner_bench.corpus import Sealed
    from xner_bench.results import Run
    from xner_bench.settings import Sampling
    from xner_bench.watch import Watch

    Words = Sequence[str]

SHORTEST, LONGEST = 3, 50  # words of a sentence that may be drawn
INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")  # categories of characters that tokenizers drop or part words at


class Drawn(NamedTuple):
    """The sentences that a target offers, by their number in the train split, from 0."""

    eligible: tuple[int, ...]  # in a random order
    outside: int  # left out: not 3 to 50 words, or nothing to see in any of them
    overlapping: int  # left out: in the test split, too
    repeated: int  # left out: the same words as one that is in


class Shots(NamedTuple):
    """What one target offers to few-shot fine-tuning."""

    record: ShotsRecord
    sealed: Sealed | None  # the train split, without its tags; None where there is none
    ranked: Mapping[Sampling, tuple[int, ...]]  # the first k of them are the sample of k

    @property
    def samples(self) -> Iterator[tuple[Sampling, int, tuple[int, ...]]]:
        """Way of drawing, k and sentences of every sample."""
        for sampling, ranked in self.ranked.items():
            yield from ((sampling, k, ranked[:k]) for k in self.record.k)


def draw(train: Sequence[Words], test: Iterable[Words], corpus: str, seed: int) -> Drawn:
    """The sentences of a train split that may be learned from, in an order that follows from seed and corpus."""
    tested = {tuple(words) for words in test}
    inside = [at for at, words in enumerate(train) if SHORTEST <= len(words) <= LONGEST and _visible(words)]
    own = [at for at in inside if tuple(train[at]) not in tested]
    first = {tuple(train[at]): at for at in reversed(own)}.values()
    ordered = tuple(sorted(first, key=lambda at: _lot(seed, corpus, at)))
    return Drawn(ordered, len(train) - len(inside), len(inside) - len(own), len(own) - len(first))


def ranked(drawn: Drawn, train: Sequence[Words], sampling: Sampling) -> tuple[int, ...]:
    """The same sentences in the order in which they are taken; of equally long ones in the random order."""
    if sampling == "random":
        return drawn.eligible
    sign = 1 if sampling == "shortest" else -1
    return tuple(sorted(drawn.eligible, key=lambda at: sign * len(train[at])))


def _visible(words: Words) -> bool:
    return any(unicodedata.category(char) not in INVISIBLE for word in words for char in word)


def _lot(seed: int, corpus: str, sentence: int) -> bytes:
    """Sentences are in the order of these: random.shuffle may shuffle otherwise in another version of Python."""
    return hashlib.sha256(json.dumps([seed, corpus, sentence]).encode()).digest()


def take(
    settings: RunSettings,
    seal: Callable[[str], Sealed],
    tests: Mapping[str, Sealed],
    allow_missing: bool,
    watch: Watch = SILENT,
) -> tuple[Shots, ...]:
    """What every target but the sources offers; nothing where no few-shot fine-tuning is asked for.

    `seal` reads a target's train split. XnerError where a target has fewer sentences than were asked for, unless that
    is allowed, and where none has enough.
    """
    targets = [name for name in settings.targets if name not in settings.sources]
    if not settings.few_shot:
        return ()
    if not targets:
        raise XnerError(
            f"--few-shot {_listed(settings.few_shot)}: every target is trained on already; leave it out, or give others"
        )
    found = []
    with watch.stage("drawing samples", len(targets)) as advance:
        for name in targets:
            found.append(_of_target(settings, name, seal, tests[name]))
            advance(1, name)
    short = [one.record for one in found if one.record.k != settings.few_shot]
    if short and (not allow_missing or not any(one.record.k for one in found)):
        raise XnerError(
            f"--few-shot {_listed(settings.few_shot)}: {len(short)} of {len(targets)} targets have fewer sentences to "
            f"draw from: {', '.join(map(offer, short))}; ask for fewer or for other --targets, give their train splits "
            "with --data-root DIR, or leave out what is not there with --allow-missing"
        )
    if short:
        watch.note(f"few-shot goes on without what is not there: {', '.join(map(offer, short))}")
    return tuple(found)


def _of_target(settings: RunSettings, corpus: str, seal: Callable[[str], Sealed], test: Sealed) -> Shots:
    try:
        train = seal(corpus)
    except MissingSplit as error:
        return Shots(ShotsRecord(corpus=corpus, reason=str(error)), None, {})
    drawn = draw(train.sentences, test.sentences, corpus, settings.seed)
    most = len(drawn.eligible)
    record = ShotsRecord(
        corpus=corpus,
        k=tuple(k for k in settings.few_shot if k <= most),
        eligible=most,
        outside=drawn.outside,
        overlapping=drawn.overlapping,
        repeated=drawn.repeated,
        sentences=len(train.sentences),
        fingerprint=train.fingerprint,
        sha256=train.sha256,
        origin=train.origin,
        repaired=train.repaired,
    )
    return Shots(record, train, {way: ranked(drawn, train.sentences, way) for way in settings.sampling})


def rows(shots: Iterable[Shots]) -> Iterator[tuple[object, ...]]:
    """Data set, language, sampling, rank and sentence of all that is learned from."""
    for one in shots:
        for sampling, ranked in one.ranked.items():
            for rank, sentence in enumerate(ranked[: max(one.record.k, default=0)]):
                yield (*one.record.corpus.split(":"), sampling, rank, sentence)


def widened(settings: RunSettings, done: RunSettings) -> RunSettings:
    """Settings with all few-shot fine-tuning that a run did before, besides their own."""
    if not done.few_shot:
        return settings
    if not settings.few_shot:
        return settings.model_copy(update={"few_shot": done.few_shot, "sampling": done.sampling})
    both = {name: (*getattr(settings, name), *getattr(done, name)) for name in ("few_shot", "sampling")}
    return RunSettings.model_validate({**settings.model_dump(), **both})


def told(run: Run) -> set[tuple[str, str, str, int]]:
    """Corpus, content of its train split, way of drawing and k of all few-shot fine-tuning in a finished run."""
    return _each(run.few_shot, run.settings.sampling)


def asked(settings: RunSettings, shots: Iterable[Shots]) -> set[tuple[str, str, str, int]]:
    """The same of a run that is planned."""
    return _each((one.record for one in shots), settings.sampling)


def _each(records: Iterable[ShotsRecord], ways: Sequence[Sampling]) -> set[tuple[str, str, str, int]]:
    return {(one.corpus, one.fingerprint, way, k) for one in records for way in ways for k in one.k}


def offer(record: ShotsRecord) -> str:
    """How many sentences a target has, and why not more: "wikiann:yo 87 (of 100, 3 not of 3 to 50 words, ...)"."""
    if not record.sentences:
        return f"{record.corpus} none (no train split)"
    left = {
        f"not of {SHORTEST} to {LONGEST} words": record.outside,
        "also in its test split": record.overlapping,
        "the same as another": record.repeated,
    }
    why = "".join(f", {number:,} {what}" for what, number in left.items() if number)
    return f"{record.corpus} {record.eligible:,} (of {record.sentences:,}{why})"


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
