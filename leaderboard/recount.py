"""The counts of single sentences of runs that were made before they were stored, from predictions and own data.

Of runs without orphans, as early ones are, only those of word-strict follow; evidence on other profiles takes the run
again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from xner_bench import agreement, survey, verify
from xner_bench.errors import XnerError
from xner_bench.leaderboard import rescore
from xner_bench.leaderboard.counted import TABLE
from xner_bench.leaderboard.owndata import Absent
from xner_bench.leaderboard.published import TEST
from xner_bench.measure import SELECTING
from xner_bench.protocol import shots
from xner_bench.results import SENTENCE_COUNTS, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.owndata import Data, Here
    from xner_bench.results import CorpusRecord, PerturbedRecord, Run, Store
    from xner_bench.watch import Watch

Rows = Iterator[tuple[object, ...]]


class Recounted(NamedTuple):
    """A run that lacked counts of single sentences, and why it still does: empty where it has them now."""

    run_id: str
    problem: str = ""


def recount(store: Store, data: Data, known: Catalogue, watch: Watch) -> list[Recounted]:
    """Write the counts of all finished runs that have none. A run of which anything is missing or other gets none.

    Raises XnerError where no run is finished.
    """
    done = [run for run in survey.read(store).runs if run.state == "done"]
    if not done:
        raise XnerError(f"no finished runs in {store.root}; give the folder that they are stored in with --results DIR")
    runs = [run for run in done if not _has(store, run, TABLE)]
    found = []
    with watch.stage("counting", len(runs)) as advance:
        for run in runs:
            try:
                _write(store, run, data, known)
                found.append(Recounted(run.run_id))
            except XnerError as error:
                found.append(Recounted(run.run_id, str(error)))
            advance(1, run.run_id)
    return found


def _has(store: Store, run: Run, table: str) -> bool:
    return (store.folder(run.run_id) / f"{table}.parquet").exists()


def _write(store: Store, run: Run, data: Data, known: Catalogue) -> None:
    """Write the counts of a run. XnerError, before anything is written, where something of it is wrong."""
    if problem := verify.unsound(store, run):
        raise XnerError(problem)
    scores = store.table(run.run_id, "scores")
    names = ("predictions", "orphans") if _has(store, run, "orphans") else ("predictions",)
    stored = [store.table(run.run_id, name) for name in names]
    rows = list(_rows(run, scores, stored, data, known))
    if not rows:
        raise XnerError(f"it has no {SELECTING} scores, and no others follow from its predictions")
    for problem in agreement.sentence_counts(run, _table(rows), scores):
        raise XnerError(problem)
    with store.lock(run.run_id, wait=False):
        store.save_table(run.run_id, TABLE, SENTENCE_COUNTS, rows)


def _table(rows: Sequence[tuple[object, ...]]) -> pa.Table:
    """The table as it will be stored."""
    import pyarrow as pa

    columns = zip(zip(*rows, strict=True), SENTENCE_COUNTS, strict=True)
    return pa.table({name: pa.array(column, arrow_type(kind)) for column, (name, kind) in columns})


def _rows(run: Run, scores: pa.Table, stored: Sequence[pa.Table], data: Data, known: Catalogue) -> Rows:
    """For each split, corpus and checkpoint that has word-strict scores one a profile that is decided.

    `stored`: entities, and orphans if there are any.
    """
    suite = known.suite(run.settings.suite)
    regular = {(one.corpus, one.split): one for one in run.data}
    perturbed = {(one.corpus, one.split): one for one in run.perturbed}
    names = ("dataset", "language", "split", "checkpoint", "protocol", "profile")
    cells = zip(*(scores[name].to_pylist() for name in names), strict=True)
    places = dict.fromkeys(cell[:4] for cell in cells if cell[5] == SELECTING and not shots(cell[4]))
    for place in places:
        dataset, language, split, checkpoint = place
        part = f"{dataset}:{language}", split
        if split == TEST:
            gold = _same(data.regular(suite, part[0], "test"), regular[part]).gold
        else:
            gold = _same(data.perturbed(suite, perturbed[part]), perturbed[part]).gold
        at = {"split": split, "checkpoint": checkpoint}
        entities, *orphans = (rescore.predicted(table, run.settings.types, part[0], **at) for table in stored)
        if wrong := rescore.misplaced(gold, entities, *orphans):
            raise XnerError(f"{dataset}:{language} {split}, checkpoint {checkpoint}: {wrong}")
        counts = rescore.answer(gold, entities, run.settings.types, *orphans).by_sentence
        yield from ((*place, name, *each.T) for name, each in counts.items() if name in run.settings.profiles)


def _same(own: Here | Absent, record: CorpusRecord | PerturbedRecord) -> Here:
    """A split that is here, and is the one that was tested."""
    if isinstance(own, Absent):
        raise XnerError(own.reason)
    if own.fingerprint != record.fingerprint:
        raise XnerError(f"{record.corpus} {record.split} is not the data that the run was tested on")
    return own
