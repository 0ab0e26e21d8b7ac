"""A submitted run held against the reader's own copy of the data: are its scores those of its predictions?

What can be told: the data are the same, the predicted entities have just these counts, and the files of the run agree
with each other as those of any run do (`agreement`). What cannot: that this method with this seed predicted them, that
nobody had looked at the labels, and the scores on dev splits by which checkpoints were chosen. For that, do it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xner_bench import agreement, samples, spans
from xner_bench.errors import UnknownName
from xner_bench.leaderboard import rescore
from xner_bench.leaderboard.cellwise import Cells
from xner_bench.leaderboard.owndata import Absent, Here
from xner_bench.leaderboard.published import TEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from xner_bench.cards import Suite
    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.owndata import Data
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


def check(found: Submitted, data: Data, known: Catalogue) -> Verdict:
    """Hold one run against everything that is here."""
    run = found.run
    suite = known.suites.get(run.settings.suite)
    if problems := tuple(_unfit(run, suite, known)) if suite else (_no_suite(run),):
        return Verdict(run.run_id, problems)
    assert suite is not None
    here, absent, other = _splits(run, suite, data)
    cells = Cells(found, here)
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
    """The same of what counts were made of; where data are here, `Cells` says it cell by cell."""
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
            table = rescore.rows(found.tables["few_shot"], one.corpus, sampling=way)
            if tuple(table["sentence"].to_pylist()) != expected:
                yield f"{one.corpus} train, {way}: its sample is not the one that its seed draws"
