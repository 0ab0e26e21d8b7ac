"""The counts of single sentences of runs that were made before they were stored, from predictions and own data.

Only those of word-strict follow from the entities that are stored; evidence on other profiles takes the run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench import agreement, survey
from xner_bench.errors import XnerError
from xner_bench.leaderboard import rescore
from xner_bench.leaderboard.counted import TABLE
from xner_bench.leaderboard.owndata import Absent
from xner_bench.leaderboard.published import TEST
from xner_bench.measure import SELECTING
from xner_bench.protocol import shots
from xner_bench.results import SENTENCE_COUNTS

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
    runs = [run for run in done if not _has(store, run)]
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


def _has(store: Store, run: Run) -> bool:
    return (store.folder(run.run_id) / f"{TABLE}.parquet").exists()


def _write(store: Store, run: Run, data: Data, known: Catalogue) -> None:
    scores, predictions = (store.table(run.run_id, name) for name in ("scores", "predictions"))
    rows = list(_rows(run, scores, predictions, data, known))
    if not rows:
        raise XnerError(f"it has no {SELECTING} scores, and no others follow from its predictions")
    with store.lock(run.run_id, wait=False):
        store.save_table(run.run_id, TABLE, SENTENCE_COUNTS, rows)
        problem = next(agreement.sentence_counts(run, store.table(run.run_id, TABLE), scores), None)
        if problem:
            store.drop_tables(run.run_id, TABLE)
            raise XnerError(problem)


def _rows(run: Run, scores: pa.Table, predictions: pa.Table, data: Data, known: Catalogue) -> Rows:
    """One for each split, corpus and checkpoint that has word-strict scores."""
    suite = known.suite(run.settings.suite)
    regular = {(one.corpus, one.split): one for one in run.data}
    perturbed = {(one.corpus, one.split): one for one in run.perturbed}
    names = ("dataset", "language", "split", "checkpoint", "protocol", "profile")
    cells = zip(*(scores[name].to_pylist() for name in names), strict=True)
    places = dict.fromkeys(cell[:4] for cell in cells if cell[5] == SELECTING and not shots(cell[4]))
    tagged = _by_place(run, predictions)
    for place in places:
        dataset, language, split, checkpoint = place
        part = f"{dataset}:{language}", split
        if split == TEST:
            gold = _same(data.regular(suite, part[0], "test"), regular[part]).gold
        else:
            gold = _same(data.perturbed(suite, perturbed[part]), perturbed[part]).gold
        found = tagged.get(place, _NOTHING)
        if wrong := rescore.misplaced(gold, found):
            raise XnerError(f"{dataset}:{language} {split}, checkpoint {checkpoint}: {wrong}")
        counts = rescore.answer(gold, found, run.settings.types).by_sentence
        yield (*place, SELECTING, *counts.T)


def _same(own: Here | Absent, record: CorpusRecord | PerturbedRecord) -> Here:
    """A split that is here, and is the one that was tested."""
    if isinstance(own, Absent):
        raise XnerError(own.reason)
    if own.fingerprint != record.fingerprint:
        raise XnerError(f"{record.corpus} {record.split} is not the data that the run was tested on")
    return own


_EMPTY = np.zeros(0, np.int64)
_NOTHING = rescore.Predicted(_EMPTY, _EMPTY, _EMPTY, _EMPTY)


def _by_place(run: Run, predictions: pa.Table) -> dict[tuple[object, ...], rescore.Predicted]:
    """Data set, language, split and checkpoint -> what was predicted."""
    ids = {name: at for at, name in enumerate(run.settings.types)}
    names = ("dataset", "language", "split", "checkpoint", "sentence", "start", "end", "type")
    found: dict[tuple[object, ...], list[tuple[int, int, int, int]]] = {}
    for *place, sentence, start, end, kind in zip(*(predictions[name].to_pylist() for name in names), strict=True):
        found.setdefault(tuple(place), []).append((sentence, start, end, ids.get(kind, -1)))
    return {place: rescore.Predicted(*np.array(spans, np.int64).T) for place, spans in found.items()}
