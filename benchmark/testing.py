"""The stage in which test labels are read: splits are tagged, compared with their gold, and what was found is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xner_bench import building, encodings, measure, perturbed, predict, protocol
from xner_bench.corpus import seal_read
from xner_bench.plan import Part
from xner_bench.score import Spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from xner_bench.measure import Gold
    from xner_bench.settings import Profile
    from xner_bench.work import Work


def perturb(work: Work) -> None:
    """Make the test splits with other entities, and encode them. They are made of gold: after selection alone."""
    ready, names = work.ready, [(key, name) for name in work.settings.perturb for key in work.of("test")]
    if not names:
        return
    maker = perturbed.Maker(ready.catalogue, ready.suite, ready.test_split)
    encoding, cache, records = building.subwords(ready, work.encoder), ready.execution.cache / "encoded", []
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
            work.load(epoch)
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
    """One row for each protocol that this checkpoint answers, each profile and each type; and by sentence."""
    protocols = protocol.answers(work.selection, part.corpus, epoch)
    work.scores += score_rows(part, protocols, epoch, gold, tagged, profiles)
    place = (*part.corpus.split(":"), part.split, epoch)
    work.counted += [(*place, profile, *gold.per_sentence(tagged, profile).T) for profile in profiles]


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
    """What was predicted, so that anyone can score it again without training."""
    place = (*part.corpus.split(":"), part.split, epoch)
    work.predictions += [(*place, *entity) for entity in entities(gold, tagged)]
    work.orphans += [(*place, *orphan) for orphan in orphans(gold, tagged)]


def entities(gold: Gold, tagged: NDArray[np.int64]) -> Iterator[tuple[int, int, int, str]]:
    """Sentence, first word, one past the last, and type."""
    return _placed(gold, gold.spans(tagged, measure.RULES[measure.SELECTING]))


def orphans(gold: Gold, tagged: NDArray[np.int64]) -> Iterator[tuple[int, int, int, str]]:
    """The same of every I- that begins a span, with what goes on with it: beside the entities, all tags but O."""
    found = gold.spans(tagged, measure.RULES["word-lenient"])
    orphan = tagged[found.start] % 2 == 0
    return _placed(gold, Spans(*(column[orphan] for column in found)))


def _placed(gold: Gold, found: Spans) -> Iterator[tuple[int, int, int, str]]:
    offsets = gold.encoded.sentences
    sentence = np.searchsorted(offsets, found.start, side="right") - 1
    columns = (sentence, found.start - offsets[sentence], found.end - offsets[sentence], found.type)
    for at, start, end, kind in zip(*(column.tolist() for column in columns), strict=True):
        yield at, start, end, gold.types[kind]
