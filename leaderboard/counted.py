"""The counts of single sentences that the runs of an entry stored: what significance is tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench.leaderboard.published import TEST
from xner_bench.leaderboard.scores import read
from xner_bench.leaderboard.significance import halves
from xner_bench.results import MEND, SENTENCE_COUNTS
from xner_bench.sound import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from xner_bench.leaderboard.entries import Entry
    from xner_bench.leaderboard.scores import Cell
    from xner_bench.results import Run, Store

TABLE = "sentence_counts"
REMEDY = "`xner-bench leaderboard counts` makes them from its predictions"
# Shapes: S sentences of a corpus.


class Tagging(NamedTuple):
    """What one checkpoint of a run did to a corpus: equal ones are one tagging, whatever protocols they answer."""

    run_id: str
    corpus: str
    checkpoint: int
    profile: str


class Counted(NamedTuple):
    """The test sentences of an entry."""

    sentences: dict[Tagging, NDArray[np.integer]]  # (S, 2), see `significance.halves`
    answers: dict[int, dict[Cell, Tagging]]  # seed -> what answers a cell
    reason: str = ""  # why there is nothing

    def size(self, seed: int, cell: Cell) -> int:
        """Sentences of what answers a cell."""
        return len(self.sentences[self.answers[seed][cell]])


def counted(store: Store, entry: Entry) -> Counted:
    """What an entry's runs stored; nothing where one of them has no counts, or others than its scores."""
    found = Counted({}, {})
    for run in entry.runs:
        path = store.folder(run.run_id) / f"{TABLE}.parquet"
        if not path.exists():
            return Counted({}, {}, f"run {run.run_id} has no counts of single sentences; {REMEDY}")
        table, problem = read_table(path, SENTENCE_COUNTS)
        if table is None or not _sound(table):
            return Counted({}, {}, f"run {run.run_id}: {path.name}: {problem or 'these are no counts'}; {MEND}")
        sentences = dict(_sentences(run, table))
        scores = store.table(run.run_id, "scores")
        answers = found.answers.setdefault(run.settings.seed, {})
        for cell, tagging in _answers(run, scores).items():
            if tagging in sentences:
                answers[cell] = tagging
        for cell, scored in read(run, scores).items():
            told = halves(np.array(scored.counts)[None])[0]
            if cell in answers and (sentences[answers[cell]].sum(axis=0, dtype=np.int64) != told).any():
                return Counted({}, {}, f"run {run.run_id}: its sentences do not add up to its scores of {cell.corpus}")
        found.sentences.update(sentences)
    return found


def _sound(table: pa.Table) -> bool:
    """Whether each row has three counts, none of them below 0, for as many sentences."""
    import pyarrow.compute as pc

    columns = [table[name].combine_chunks() for name in ("tp", "fp", "fn")]
    if table.num_rows and any(column.null_count or column.flatten().null_count for column in columns):
        return False
    lengths = [pc.list_value_length(column) for column in columns]
    least = [pc.min(column.flatten()).as_py() for column in columns]
    return lengths[0] == lengths[1] == lengths[2] and all(one is None or one >= 0 for one in least)


def _sentences(run: Run, table: pa.Table) -> Iterator[tuple[Tagging, NDArray[np.integer]]]:
    import pyarrow.compute as pc

    for row in table.filter(pc.equal(table["split"], TEST)).to_batches(1):
        (cells,) = row.select(["dataset", "language", "checkpoint", "profile"]).to_pylist()
        three = [row[name].flatten().to_numpy() for name in ("tp", "fp", "fn")]
        both = halves(np.stack(three, axis=1))
        small = np.min_scalar_type(int(both.max(initial=0)))  # nearly always a byte
        corpus = f"{cells['dataset']}:{cells['language']}"
        yield Tagging(run.run_id, corpus, cells["checkpoint"], cells["profile"]), both.astype(small)


def _answers(run: Run, scores: pa.Table) -> dict[Cell, Tagging]:
    """Which checkpoint's tags answer a cell; those after few-shot fine-tuning are of none."""
    from xner_bench.leaderboard.scores import Cell
    from xner_bench.protocol import shots

    names = ("split", "dataset", "language", "protocol", "checkpoint", "profile")
    found = {}
    for split, dataset, language, protocol, checkpoint, profile in zip(
        *(scores[name].to_pylist() for name in names), strict=True
    ):
        if split == TEST and not shots(protocol):
            corpus = f"{dataset}:{language}"
            found[Cell(corpus, protocol, profile)] = Tagging(run.run_id, corpus, checkpoint, profile)
    return found
