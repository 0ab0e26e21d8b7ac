"""A submitted run held against the reader's own copy of the data: are its scores those of its predictions?

What can be told: the data are the same, the predicted entities have just these counts, and the files of the run agree
with each other as those of any run do (`agreement`). What cannot: that this method with this seed predicted them, that
nobody had looked at the labels, and the scores on dev splits by which checkpoints were chosen. For that, do it again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xner_bench import agreement, protocol, samples, spans
from xner_bench.errors import UnknownName
from xner_bench.leaderboard import rescore
from xner_bench.leaderboard.owndata import Absent, Here
from xner_bench.leaderboard.published import TEST
from xner_bench.measure import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from xner_bench.cards import Suite
    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.owndata import Data
    from xner_bench.leaderboard.rescore import Answer
    from xner_bench.leaderboard.unpack import Submitted
    from xner_bench.results import Run
    from xner_bench.settings import Profile


@dataclass(frozen=True)
class Verdict:
    """What became of one run."""

    run_id: str
    problems: tuple[str, ...]  # each with the cell: "wikiann:am test, last, word-strict, PER: tp 12 in the file, ..."
    cells: int = 0  # counts that were computed again and are right
    absent: tuple[str, ...] = ()  # splits that are not here: "wikiann:am test"
    reasons: tuple[str, ...] = ()  # why
    untold: tuple[str, ...] = ()  # profiles that what is stored does not decide

    @property
    def verified(self) -> bool:
        """Whether nothing is wrong, and every test split was here to find that out."""
        untested = [part for part in self.absent if part.rpartition(" ")[2].startswith(TEST)]
        return not self.problems and not untested and self.cells > 0


class _Place(NamedTuple):
    """What one checkpoint tagged: a split, before few-shot fine-tuning (tuned is empty) or after it."""

    corpus: str
    split: str
    checkpoint: int
    tuned: str


def check(found: Submitted, data: Data, known: Catalogue) -> Verdict:
    """Hold one run against everything that is here."""
    run = found.run
    suite = known.suites.get(run.settings.suite)
    if problems := tuple(_unfit(run, suite, known)) if suite else (_no_suite(run),):
        return Verdict(run.run_id, problems)
    assert suite is not None
    here, absent, other = _splits(run, suite, data)
    cells = _Cells(found, here)
    problems = (*other, *cells.problems(), *_drawn(found, suite, data), *_disagreeing(found))
    return Verdict(
        run_id=run.run_id,
        problems=problems or tuple(_uncounted(found)),
        cells=cells.right,
        absent=tuple(absent),
        reasons=tuple(dict.fromkeys(absent.values())),
        untold=tuple(name for name in run.settings.profiles if name not in decided(found)),
    )


def decided(found: Submitted) -> tuple[Profile, ...]:
    """The profiles of a run whose counts follow from what it stored."""
    needed = ("orphans", "few_shot_orphans") if found.run.few_shot else ("orphans",)
    able = rescore.decided(all(name in found.tables for name in needed))
    return tuple(name for name in found.run.settings.profiles if name in able)


def _no_suite(run: Run) -> str:
    return f"suite {run.settings.suite!r} is not here; give the folder that declares it with --catalogue"


def _unfit(run: Run, suite: Suite, known: Catalogue) -> Iterator[str]:
    """Settings that no run of this suite has, as far as they change what is scored."""
    settings = run.settings
    try:
        cards = {name.partition(":")[0]: known.language(name)[0] for name in (*settings.corpora, *settings.chosen_on)}
    except UnknownName as error:
        yield str(error)
        return
    if settings.types != suite.types or settings.true_protocol != suite.true_protocol:
        yield f"its entity types or its TRUE protocol are not those of suite {suite.name}"
    read = {name.partition(":")[0] for name in settings.corpora}
    if settings.harmonize != {name: suite.harmonization(cards[name]) for name in read}:
        yield f"its names of entity types are mapped otherwise than in suite {suite.name}"
    if rescore.EXACT not in settings.profiles:
        yield f"it was not scored under {rescore.EXACT}, the one profile that entities decide"


def _disagreeing(found: Submitted) -> Iterator[str]:
    """Where the files of the run contradict each other, whatever the data are."""
    run, tables = found.run, found.tables
    yield from agreement.selection(run, found.dev, found.selection)
    yield from agreement.scores(run, tables["scores"], found.selection)
    yield from agreement.history(run, _thinned(tables["history"]), found.dev)
    if run.few_shot:
        yield from agreement.samples(run, tables["few_shot"])


def _thinned(history: pa.Table) -> pa.Table:
    """A history without most of its losses, which may be millions: those that are no numbers, and one of each epoch."""
    losses = np.asarray(history["name"].to_numpy() == "loss")
    values = history["value"].to_numpy().astype(np.float64)  # nulls are no numbers, too
    kept = ~losses & (history["name"].to_numpy() == "f1") | losses & ~np.isfinite(values)
    at = np.flatnonzero(losses)
    kept[at[np.unique(history["epoch"].to_numpy()[at], return_index=True)[1]]] = True
    return history.filter(kept)


def _uncounted(found: Submitted) -> Iterator[str]:
    """The same of what counts were made of; where data are here, `_Cells` says it cell by cell."""
    run, tables = found.run, found.tables
    if "sentence_counts" in tables:
        yield from agreement.sentence_counts(run, tables["sentence_counts"], tables["scores"])
    for prefix in ("", "few_shot_") if run.few_shot else ("",):
        entities, orphans = tables[f"{prefix}predictions"], tables.get(f"{prefix}orphans")
        yield from spans.predictions(run, entities, tables["scores"])
        if orphans is not None:
            yield from spans.orphans(run, orphans, entities, tables["scores"])


def _splits(run: Run, suite: Suite, data: Data) -> tuple[dict[tuple[str, str], Here], dict[str, str], tuple[str, ...]]:
    """The splits that are here and the same; those that are not here, and why; and what is wrong with the others."""
    records: list[tuple[Any, Here | Absent]] = [
        (one, data.regular(suite, one.corpus, one.split))  # type: ignore[arg-type]  # claims has seen to it
        for one in run.data
    ]
    records += [(one, data.perturbed(suite, one)) for one in run.perturbed]
    here, absent, other = {}, {}, []
    for record, own in records:
        part = f"{record.corpus} {record.split}"
        if isinstance(own, Absent):
            absent[part] = own.reason
        elif own.fingerprint != record.fingerprint or own.gold.sentences != record.sentences:
            prints = f"fingerprint {record.fingerprint[:12]} in the file, {own.fingerprint[:12]} here"
            other.append(f"{part}: not the data that are here ({prints})")
        else:
            here[record.corpus, record.split] = own
    return here, absent, tuple(other)


class _Cells:
    """All counts of a run that can be computed again."""

    def __init__(self, found: Submitted, here: Mapping[tuple[str, str], Here]) -> None:
        self.run, self.tables, self.here = found.run, found.tables, here
        self.right = 0
        self.places: dict[_Place, list[dict[str, Any]]] = defaultdict(list)
        for row in found.tables["scores"].to_pylist():
            corpus = f"{row['dataset']}:{row['language']}"
            tuned = row["protocol"] if protocol.shots(row["protocol"]) else ""
            self.places[_Place(corpus, row["split"], row["checkpoint"], tuned)].append(row)

    def problems(self) -> Iterator[str]:
        for place, rows in self.places.items():
            own = self.here.get((place.corpus, place.split))
            if own is not None:
                yield from self._of(place, rows, own)

    def _of(self, place: _Place, rows: Sequence[dict[str, Any]], own: Here) -> Iterator[str]:
        where = f"{place.corpus} {place.split}, {place.tuned or f'checkpoint {place.checkpoint}'}"
        prefix = "few_shot_" if place.tuned else ""
        predicted = self._predicted(place, f"{prefix}predictions")
        orphans = self._predicted(place, f"{prefix}orphans") if f"{prefix}orphans" in self.tables else None
        if misplaced := rescore.misplaced(own.gold, predicted, orphans):
            yield f"{where}: {misplaced}"
            return
        answer = rescore.answer(own.gold, predicted, self.run.settings.types, orphans)
        wrong = [problem for row in rows for problem in self._told(place, row, answer)]
        yield from wrong
        most = {"cut_sentences": own.gold.sentences, "words_without_subwords": len(own.gold.tags)}
        beyond = [name for name in most if any(row[name] > most[name] for row in rows)]
        yield from (f"{where}: more {name.replace('_', ' ')} than there are of them" for name in beyond)
        if not wrong and not place.tuned and "sentence_counts" in self.tables:
            yield from (f"{where}, {problem}" for problem in self._otherwise(place, answer))

    def _told(self, place: _Place, row: Mapping[str, Any], answer: Answer) -> Iterator[str]:
        """A cell whose counts are not what they must be."""
        if row["type"] not in kinds(row["profile"], self.run.settings.types):
            return  # `agreement` says so
        ranges = dict(answer.may_be(row["profile"], row["type"]))
        wrong = [name for name, may in ranges.items() if not may.low <= row[name] <= may.high]
        if wrong:
            said = "; ".join(f"{name} {row[name]} in the file, {ranges[name]} by its predictions" for name in wrong)
            yield f"{place.corpus} {place.split}, {row['protocol']}, {row['profile']}, {row['type']}: {said}"
        elif row["profile"] in answer.exact:
            self.right += 1

    def _predicted(self, place: _Place, name: str) -> rescore.Predicted:
        """What a table has of a place."""
        chosen = {"protocol": place.tuned} if place.tuned else {}
        table = _only(
            self.tables[name],
            dict(zip(("dataset", "language"), place.corpus.split(":"), strict=True)),
            {"split": place.split, "checkpoint": place.checkpoint, **chosen},
        )
        sentence, start, end = (table[name].to_numpy() for name in ("sentence", "start", "end"))
        ids = {name: at for at, name in enumerate(self.run.settings.types)}
        kinds = np.array([ids.get(name, -1) for name in table["type"].to_pylist()], np.int64)
        return rescore.Predicted(sentence, start, end, kinds)

    def _otherwise(self, place: _Place, answer: Answer) -> Iterator[str]:
        """The first sentence of a profile whose stored counts are others."""
        table = _only(
            self.tables["sentence_counts"],
            dict(zip(("dataset", "language"), place.corpus.split(":"), strict=True)),
            {"split": place.split, "checkpoint": place.checkpoint},
        )
        for row in table.select(["profile", "tp", "fp", "fn"]).to_pylist():
            profile, *told = row.values()
            if profile in answer.exact and (at := _first_other(answer.by_sentence[profile], told)) is not None:
                yield f"{profile}: sentence {at} has other counts than by its predictions"


def _first_other(right: NDArray[np.int32], told: Sequence[Sequence[int]]) -> int | None:
    """The first sentence that has other counts than these (S, 3); 0 where they are not of so many."""
    if any(len(column) != len(right) for column in told):
        return 0
    wrong = (right != np.array(told).T).any(axis=1)
    return int(np.flatnonzero(wrong)[0]) if wrong.any() else None


def _only(table: pa.Table, *wanted: Mapping[str, object]) -> pa.Table:
    """The rows with these values."""
    import pyarrow.compute as pc

    for name, value in ((name, value) for some in wanted for name, value in some.items()):
        table = table.filter(pc.equal(table[name], value))
    return table


def _drawn(found: Submitted, suite: Suite, data: Data) -> Iterator[str]:
    """Whether few-shot learned from the sentences that follow from its seed, where their splits are here."""
    run = found.run
    for one in run.few_shot:
        train, test = (data.regular(suite, one.corpus, split) for split in ("train", "test"))
        if not one.sentences or isinstance(train, Absent) or isinstance(test, Absent):
            continue
        if train.fingerprint != one.fingerprint:
            yield f"{one.corpus} train: not the data that are here"
            continue
        words = data.words(suite, one.corpus, "train")
        lots = samples.draw(words, data.words(suite, one.corpus, "test"), one.corpus, run.settings.seed)
        for way in run.settings.sampling if one.k else ():
            expected = samples.ranked(lots, words, way)[: max(one.k)]
            place = dict(zip(("dataset", "language"), one.corpus.split(":"), strict=True))
            table = _only(found.tables["few_shot"], place, {"sampling": way})
            if tuple(table["sentence"].to_pylist()) != expected:
                yield f"{one.corpus} train, {way}: its sample is not the one that its seed draws"
