"""What the files of one finished run must agree on. Needs no data, no encoder and no training.

Gold is not stored. What can be held against each other without it: counts among themselves, the predicted entities
against the word-strict counts (found + invented is what was predicted), the chosen checkpoints against the dev scores
that they were chosen by.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xner_bench import protocol
from xner_bench.measure import SELECTING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from xner_bench.results import Run

Row = dict[str, Any]
COUNTS = ("tp", "fp", "fn", "support", "sentences", "words_without_subwords", "cut_sentences")


class Place(NamedTuple):
    """What was tagged, by which checkpoint."""

    corpus: str
    checkpoint: int

    def __str__(self) -> str:
        return f"{self.corpus}, checkpoint {self.checkpoint}"


def place(row: Row) -> Place:
    return Place(f"{row['dataset']}:{row['language']}", row["checkpoint"])


def scores(run: Run, table: pa.Table, selection: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """What is wrong with the counts of a run: nothing, if they are its own."""
    rows = [row for row in table.to_pylist() if row["split"] == "test"]
    yield from _first(_impossible(rows))
    seen = Counter((place(row), row["protocol"], row["profile"], row["type"]) for row in rows)
    yield from _first((f"{kind} of {at} stands twice" for (at, *_, kind), n in seen.items() if n > 1))
    wanted = _wanted(run, selection)
    yield from _first(f"no counts of {what}" for what in sorted(map(_text, wanted - seen.keys())))
    yield from _first(f"counts of {what}, which were not to be" for what in sorted(map(_text, seen.keys() - wanted)))
    yield from _first(_sizes(run, rows))
    yield from _first(_golds(rows))


def _first(problems: Iterable[str]) -> Iterator[str]:
    """The first problem of a kind, with the number of the others."""
    found = list(problems)
    if found:
        yield found[0] + (f" (and {len(found) - 1} more like this)" if len(found) > 1 else "")


def _impossible(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        if any(row[name] is None or row[name] < 0 for name in COUNTS):
            yield f"a count of {row['type']} of {place(row)} is no count"
        elif row["support"] != row["tp"] + row["fn"]:
            yield f"{row['type']} of {place(row)}: support {row['support']} is not tp {row['tp']} + fn {row['fn']}"


def _wanted(run: Run, selection: Mapping[str, Mapping[str, int]]) -> set[tuple[Place, str, str, str]]:
    """Every protocol, profile and type of every corpus that was tested."""
    tested = {record.corpus for record in run.data if record.split == "test"}
    return {
        (Place(corpus, epoch), name, profile, kind)
        for name, chosen in selection.items()
        for corpus, epoch in chosen.items()
        if corpus in tested
        for profile in run.settings.profiles
        for kind in run.settings.types
    }


def _text(cell: tuple[Place, str, str, str]) -> str:
    at, name, profile, kind = cell
    return f"{kind} for {at} under {name}, {profile}"


def _sizes(run: Run, rows: Iterable[Row]) -> Iterator[str]:
    sizes = {record.corpus: record.sentences for record in run.data if record.split == "test"}
    found = dict.fromkeys((place(row).corpus, row["sentences"]) for row in rows)
    for corpus, sentences in found:
        if corpus in sizes and sizes[corpus] != sentences:
            yield f"{sentences} sentences of {corpus} are scored, {sizes[corpus]} were read"


def _golds(rows: Iterable[Row]) -> Iterator[str]:
    """Gold is the same for every checkpoint, and one checkpoint's counts for every protocol that it answers."""
    golds: dict[Any, set[int]] = defaultdict(set)
    counts: dict[Any, set[tuple[int, int, int]]] = defaultdict(set)
    for row in rows:
        golds[place(row).corpus, row["profile"], row["type"]].add(row["support"])
        counts[place(row), row["profile"], row["type"]].add((row["tp"], row["fp"], row["fn"]))
    for (corpus, profile, kind), found in golds.items():
        if len(found) > 1:
            yield f"the gold of {corpus} has {' and '.join(map(str, sorted(found)))} {kind} ({profile})"
    for (at, profile, kind), three in counts.items():
        if len(three) > 1:
            yield f"{kind} of {at} is counted in two ways ({profile})"


def predictions(run: Run, table: pa.Table, scored: pa.Table) -> Iterator[str]:
    """What is wrong with the predicted entities of a run, also beside its word-strict counts."""
    import pyarrow.compute as pc

    tests = table.filter(pc.equal(table["split"], "test"))
    if any(column.null_count for column in tests.columns):
        yield "an entity has no place or no type"
        return
    yield from _first(_misplaced(run, tests))
    if SELECTING in run.settings.profiles:
        told, found = _told(scored), _counted(tests)
        yield from _first(
            f"{found[at]} predicted {at.type} of {at.corpus}, checkpoint {at.checkpoint}, the scores count {told[at]}"
            for at in sorted({*found, *told})
            if found[at] != told[at]
        )


class _Kind(NamedTuple):
    corpus: str
    checkpoint: int
    type: str


def _told(scored: pa.Table) -> Counter[_Kind]:
    """How many entities were predicted, as the word-strict counts have it: those found and those invented."""
    told: Counter[_Kind] = Counter()
    for row in scored.to_pylist():
        if row["split"] == "test" and row["profile"] == SELECTING:
            told[_Kind(*place(row), row["type"])] = row["tp"] + row["fp"]  # once for each protocol: the same
    return told


def _counted(tests: pa.Table) -> Counter[_Kind]:
    """How many predicted entities there are."""
    groups = tests.group_by(["dataset", "language", "checkpoint", "type"]).aggregate([([], "count_all")])
    return Counter({_Kind(*place(row), row["type"]): row["count_all"] for row in groups.to_pylist()})


def _misplaced(run: Run, tests: pa.Table) -> Iterator[str]:
    """Entities lie in a sentence, have words, and share none."""
    import pyarrow.compute as pc

    sizes = {record.corpus: record.sentences for record in run.data if record.split == "test"}
    coded = pc.binary_join_element_wise(tests["dataset"], tests["language"], ":").combine_chunks().dictionary_encode()
    corpora = coded.dictionary.to_pylist()
    corpus = coded.indices.to_numpy()
    checkpoint, sentence, start, end = (tests[name].to_numpy() for name in ("checkpoint", "sentence", "start", "end"))
    ends = np.array([sizes.get(name, 0) for name in corpora], np.int64)[corpus]
    nowhere = (start < 0) | (start >= end) | (sentence < 0) | (sentence >= ends)
    for at in np.flatnonzero(nowhere):
        yield f"an entity of {corpora[corpus[at]]} lies nowhere: sentence {sentence[at]}, words {start[at]}-{end[at]}"
    order = np.lexsort((start, sentence, checkpoint, corpus))
    before, after = order[:-1], order[1:]
    together = np.logical_and.reduce([one[before] == one[after] for one in (corpus, checkpoint, sentence)])
    for at in after[together & (end[before] > start[after])]:
        yield f"two entities of {corpora[corpus[at]]} share a word of sentence {sentence[at]}"


def history(run: Run, table: pa.Table, dev: protocol.DevScores) -> Iterator[str]:
    """What is wrong with a run's history: an epoch without losses, a loss that is none, other dev scores."""
    rows = table.to_pylist()
    losses = [row for row in rows if row["name"] == "loss"]
    if wrong := [row for row in losses if row["value"] is None or not math.isfinite(row["value"])]:
        yield f"the loss of step {wrong[0]['step']} is no number"
    epochs = {row["epoch"] for row in losses}
    if missing := [epoch for epoch in range(1, run.settings.training.epochs + 1) if epoch not in epochs]:
        yield f"no losses of epoch {missing[0]}"
    found: protocol.DevScores = defaultdict(dict)
    for row in rows:
        if row["name"] == "f1":
            found[row["epoch"]][f"{row['dataset']}:{row['language']}"] = row["value"]
    if {epoch: told for epoch, told in dev.items() if told} != dict(found):
        yield "its dev scores are not those of selection.json"


def selection(run: Run, dev: protocol.DevScores, chosen: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Whether the checkpoints are those that the dev scores choose."""
    expected = protocol.select(dev, run.settings.source, run.settings.corpora) if dev else {}
    for name, answers in expected.items():
        if chosen.get(name) != answers:
            yield f"the checkpoints of {name} are not those that its dev scores choose"
