"""What the predictions of one finished run must agree on: where they lie, and how many are counted. Needs no data.

A run stores what it predicted as spans. Entities are those of the strict reading, which begin with a B-. An orphan is
an I- that goes on with nothing, and whatever goes on with it: nothing to the strict reading, an entity to the lenient
one. So word-strict counts (found + invented) are of the entities, and word-lenient ones of both together.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xner_bench import protocol
from xner_bench.agreement import first, incomplete, learned, place, splits, strays
from xner_bench.measure import SELECTING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from xner_bench.results import Run


def predictions(run: Run, table: pa.Table, scored: pa.Table) -> Iterator[str]:
    """What is wrong with the predicted entities of a run, also beside its word-strict counts.

    `table`: those of its checkpoints or, where it has a column for the protocol, those after few-shot fine-tuning.
    """
    if incomplete(table):
        yield "an entity has no place or no type"
        return
    yield from _strays(run, table)
    for name, sentences, (counted, found) in _parts(run, scored, table):
        yield from (f"{name}{problem}" for problem in _entities(run, sentences, counted, found))


def orphans(run: Run, table: pa.Table, entities: pa.Table, scored: pa.Table) -> Iterator[str]:
    """The same of its orphans, also beside its entities and its word-lenient counts."""
    if incomplete(entities) or incomplete(table):
        yield "an orphan or an entity has no place or no type"
        return
    yield from _strays(run, table)
    for name, sentences, (counted, found, own) in _parts(run, scored, entities, table):
        yield from (f"{name}{problem}" for problem in _orphans(run, sentences, counted, found, own))


def _strays(run: Run, table: pa.Table) -> Iterator[str]:
    """What is of another split; few-shot fine-tuning tags the regular one alone."""
    known = [name for name, _ in splits(run)]
    yield from strays(table, known[:1] if "protocol" in table.column_names else known)


def _parts(run: Run, scored: pa.Table, *tables: pa.Table) -> Iterator[tuple[str, Mapping[str, int], list[pa.Table]]]:
    """Split by split or protocol by protocol: what to call it, the sentences of each corpus, and the rows of each."""
    import pyarrow.compute as pc

    if "protocol" not in tables[0].column_names:
        scored = scored.filter(pc.invert(pc.starts_with(scored["protocol"], f"{protocol.FEW_SHOT}-")))
        for split, sentences in splits(run):
            parts = [one.filter(pc.equal(one["split"], split)) for one in (scored, *tables)]
            yield ("" if split == "test" else f"{split}: "), sentences, parts
        return
    _, sentences = next(splits(run))
    named = {name for table in tables for name in table["protocol"].to_pylist()}
    for name in sorted(map(str, {*named, *(name for _, name in learned(run))})):
        yield f"{name}: ", sentences, [one.filter(pc.equal(one["protocol"], name)) for one in (scored, *tables)]


def _entities(run: Run, sentences: Mapping[str, int], scored: pa.Table, found: pa.Table) -> Iterator[str]:
    yield from first(_misplaced(sentences, found))
    yield from first(_miscounted(run, scored, SELECTING, _counted(found)))


def _orphans(
    run: Run, sentences: Mapping[str, int], scored: pa.Table, entities: pa.Table, own: pa.Table
) -> Iterator[str]:
    yield from first(_misplaced(sentences, entities, own))
    told = {_Kind(*place(row), kind) for row in scored.to_pylist() for kind in run.settings.types}
    strange = sorted(_counted(own).keys() - told)
    yield from first(f"an orphan {at.type} of {at.corpus}, checkpoint {at.checkpoint}, not scored" for at in strange)
    yield from first(_miscounted(run, scored, "word-lenient", _counted(entities) + _counted(own)))


class _Kind(NamedTuple):
    corpus: str
    checkpoint: int
    type: str


def _counted(found: pa.Table) -> Counter[_Kind]:
    """How many spans there are."""
    groups = found.group_by(["dataset", "language", "checkpoint", "type"]).aggregate([([], "count_all")])
    return Counter({_Kind(*place(row), row["type"]): row["count_all"] for row in groups.to_pylist()})


def _miscounted(run: Run, scored: pa.Table, profile: str, found: Counter[_Kind]) -> Iterator[str]:
    """Where a profile, if the run has it, counts others than were predicted: those found and those invented."""
    if profile not in run.settings.profiles:
        return
    told: Counter[_Kind] = Counter()
    for row in scored.to_pylist():
        if row["profile"] == profile:
            told[_Kind(*place(row), row["type"])] = row["tp"] + row["fp"]  # once for each protocol: the same
    for at in sorted({*found, *told}):
        if found[at] != told[at]:
            what = f"{at.type} of {at.corpus}, checkpoint {at.checkpoint}"
            yield f"{found[at]} predicted {what}, the scores count {told[at]} ({profile})"


def _misplaced(sentences: Mapping[str, int], entities: pa.Table, orphans: pa.Table | None = None) -> Iterator[str]:
    """Entities lie in a sentence, have words, and share none; or orphans do, and none of them goes on with a span."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = entities if orphans is None else pa.concat_tables([entities, orphans])
    own = np.arange(len(found)) >= (0 if orphans is None else len(entities))  # which of them to tell of
    what, pair = ("entity", "two entities") if orphans is None else ("orphan", "an orphan and another span")
    coded = pc.binary_join_element_wise(found["dataset"], found["language"], ":").combine_chunks().dictionary_encode()
    corpora, corpus = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    kind = found["type"].combine_chunks().dictionary_encode().indices.to_numpy()
    checkpoint, sentence, start, end = (found[name].to_numpy() for name in ("checkpoint", "sentence", "start", "end"))
    ends = np.array([sentences.get(name, 0) for name in corpora], np.int64)[corpus]
    nowhere = (start < 0) | (start >= end) | (sentence < 0) | (sentence >= ends)
    for at in np.flatnonzero(nowhere & own):
        yield f"an {what} of {corpora[corpus[at]]} lies nowhere: sentence {sentence[at]}, words {start[at]}-{end[at]}"
    order = np.lexsort((start, sentence, checkpoint, corpus))
    before, after = order[:-1], order[1:]
    together = np.logical_and.reduce([one[before] == one[after] for one in (corpus, checkpoint, sentence)])
    for at in after[together & (own[before] | own[after]) & (end[before] > start[after])]:
        yield f"{pair} of {corpora[corpus[at]]} share a word of sentence {sentence[at]}"
    onward = together & own[after] & (end[before] == start[after]) & (kind[before] == kind[after])
    for at in after[onward] if orphans is not None else ():
        yield f"an orphan of {corpora[corpus[at]]} goes on with what is before it in sentence {sentence[at]}"
