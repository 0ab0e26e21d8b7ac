"""What the files of one finished run must agree on. Needs no data, no encoder and no training.

Gold is not stored. What can be held against each other without it: counts among themselves, the predictions against
them (`spans`), the chosen checkpoints against the dev scores that they were chosen by.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench import protocol
from xner_bench.measure import SELECTING, kinds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

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


class Sizes(NamedTuple):
    """How many sentences each corpus of a split has."""

    split: str
    sentences: Mapping[str, int]


def place(row: Row) -> Place:
    return Place(f"{row['dataset']}:{row['language']}", row["checkpoint"])


def scores(run: Run, table: pa.Table, selection: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """What is wrong with the counts of a run: nothing, if they are its own."""
    yield from strays(table, [name for name, _ in splits(run)])
    for sizes in splits(run):
        yield from _of(sizes, _scores(run, sizes, table, selection))


def splits(run: Run) -> Iterator[Sizes]:
    """The regular and the perturbed test splits of a run."""
    yield Sizes("test", {one.corpus: one.sentences for one in run.data if one.split == "test"})
    for name in dict.fromkeys(one.split for one in run.perturbed):
        yield Sizes(name, {one.corpus: one.sentences for one in run.perturbed if one.split == name})


def incomplete(table: pa.Table) -> bool:
    """Whether a cell is empty."""
    return any(column.null_count for column in table.columns)


def strays(table: pa.Table, known: Collection[str]) -> Iterator[str]:
    """Rows of other splits than these, or of none: nothing that goes split by split would see them."""
    import pyarrow.compute as pc

    found = [name for name in pc.unique(table["split"]).to_pylist() if name not in known]
    yield from first(f"rows of the split {name!a:.80}, which were not to be" for name in found)


def _of(sizes: Sizes, problems: Iterable[str]) -> Iterator[str]:
    """Problems of the regular split as they are, of a perturbed one with its name."""
    return (problem if sizes.split == "test" else f"{sizes.split}: {problem}" for problem in problems)


def _scores(run: Run, sizes: Sizes, table: pa.Table, selection: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    rows = [row for row in table.to_pylist() if row["split"] == sizes.split]
    yield from first(_impossible(rows))
    seen = Counter((place(row), row["protocol"], row["profile"], row["type"]) for row in rows)
    yield from first((f"{kind} of {at} stands twice" for (at, *_, kind), n in seen.items() if n > 1))
    wanted = _wanted(run, sizes, selection)
    yield from first(f"no counts of {what}" for what in sorted(map(_text, wanted - seen.keys())))
    yield from first(f"counts of {what}, which were not to be" for what in sorted(map(_text, seen.keys() - wanted)))
    yield from first(_missized(sizes, rows))
    yield from first(_golds(rows))


def first(problems: Iterable[str]) -> Iterator[str]:
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


def _wanted(run: Run, sizes: Sizes, selection: Mapping[str, Mapping[str, int]]) -> set[tuple[Place, str, str, str]]:
    """Every protocol, profile and type of every corpus that was tested."""
    chosen = [(Place(corpus, at), name) for name, answers in selection.items() for corpus, at in answers.items()]
    if sizes.split == "test" and run.few_shot and selection.get("last"):
        at = protocol.true(selection, run.settings.true_protocol)
        chosen += [(Place(corpus, at), name) for corpus, name in learned(run)]
    return {
        (where, name, profile, kind)
        for where, name in chosen
        if where.corpus in sizes.sentences
        for profile in run.settings.profiles
        for kind in kinds(profile, run.settings.types)
    }


def learned(run: Run) -> Iterator[tuple[str, str]]:
    """Corpus and protocol of all few-shot fine-tuning that has scores."""
    for one in run.few_shot:
        names = (protocol.few_shot(sampling, k) for sampling in run.settings.sampling for k in one.k)
        yield from ((one.corpus, name) for name in names if name not in one.diverged)


def _text(cell: tuple[Place, str, str, str]) -> str:
    at, name, profile, kind = cell
    return f"{kind} for {at} under {name}, {profile}"


def _missized(sizes: Sizes, rows: Iterable[Row]) -> Iterator[str]:
    found = dict.fromkeys((place(row).corpus, row["sentences"]) for row in rows)
    for corpus, sentences in found:
        if sizes.sentences.get(corpus, sentences) != sentences:
            yield f"{sentences} sentences of {corpus} are scored, {sizes.sentences[corpus]} were read"


def _golds(rows: Iterable[Row]) -> Iterator[str]:
    """Gold is the same for every checkpoint, and one checkpoint's counts for every protocol that it answers; after
    few-shot fine-tuning it is another one."""
    golds: dict[Any, set[int]] = defaultdict(set)
    counts: dict[Any, set[tuple[int, int, int]]] = defaultdict(set)
    for row in rows:
        golds[place(row).corpus, row["profile"], row["type"]].add(row["support"])
        tuned = row["protocol"] if protocol.shots(row["protocol"]) else ""
        counts[place(row), tuned, row["profile"], row["type"]].add((row["tp"], row["fp"], row["fn"]))
    for (corpus, profile, kind), found in golds.items():
        if len(found) > 1:
            yield f"the gold of {corpus} has {' and '.join(map(str, sorted(found)))} {kind} ({profile})"
    for (at, _, profile, kind), three in counts.items():
        if len(three) > 1:
            yield f"{kind} of {at} is counted in two ways ({profile})"


def sentence_counts(run: Run, table: pa.Table, scored: pa.Table) -> Iterator[str]:
    """What is wrong with the counts of single sentences: they add up to the scores', or else one of them is wrong."""
    yield from strays(table, [name for name, _ in splits(run)])
    rows = table.to_pylist()
    for sizes in splits(run):
        told = _added(row for row in scored.to_pylist() if row["split"] == sizes.split)
        strict = {cell for cell in told if cell[1] == SELECTING}  # the others cannot always be made later
        own = [row for row in rows if row["split"] == sizes.split]
        found = Counter((place(row), row["profile"]) for row in own)
        yield from _of(sizes, first(f"{_cell(cell)} stands twice" for cell, n in found.items() if n > 1))
        yield from _of(sizes, first(f"no {_cell(cell)}" for cell in sorted(strict - found.keys())))
        yield from _of(
            sizes, first(f"{_cell(cell)}, which was not scored" for cell in sorted(found.keys() - told.keys()))
        )
        yield from _of(sizes, first(_otherwise(sizes, own, told)))


def _cell(cell: tuple[Place, str]) -> str:
    return f"sentences of {cell[0]}, {cell[1]}"


def _added(scored: Iterable[Row]) -> dict[tuple[Place, str], list[int]]:
    """tp, fp and fn of all types together."""
    types: dict[tuple[Place, str], dict[str, tuple[int, int, int]]] = defaultdict(dict)
    for row in scored:
        if not protocol.shots(row["protocol"]):
            types[place(row), row["profile"]][row["type"]] = (row["tp"], row["fp"], row["fn"])
    return {cell: [sum(counts) for counts in zip(*found.values(), strict=True)] for cell, found in types.items()}


def _otherwise(sizes: Sizes, own: Iterable[Row], told: Mapping[tuple[Place, str], list[int]]) -> Iterator[str]:
    for row in own:
        cell, columns = (place(row), row["profile"]), [row[name] for name in COUNTS[:3]]
        if any(column is None or any(n is None or n < 0 for n in column) for column in columns):
            yield f"{_cell(cell)}: a count is no count"
        elif {len(column) for column in columns} != {sizes.sentences.get(cell[0].corpus)}:
            yield f"{_cell(cell)}: not as many as were read"
        elif cell in told and (sums := [sum(column) for column in columns]) != told[cell]:
            yield f"{_cell(cell)} add up to {sums} found, invented, missed; the scores count {told[cell]}"


def samples(run: Run, table: pa.Table) -> Iterator[str]:
    """Whether each target has as many different sentences of its train split as were learned from, in order."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row in table.to_pylist():
        found[f"{row['dataset']}:{row['language']}", row["sampling"]].append((row["rank"], row["sentence"]))
    for one in run.few_shot:
        for sampling in run.settings.sampling if one.k else ():
            ranks, sentences = zip(*found.pop((one.corpus, sampling), [(-1, -1)]), strict=True)
            inside = all(sentence in range(one.sentences) for sentence in sentences)
            if ranks != tuple(range(max(one.k))) or len({*sentences}) < len(sentences) or not inside:
                yield f"{one.corpus}, {sampling}: these are not {max(one.k)} sentences of {one.sentences}"
    yield from (f"{corpus}, {sampling}: nothing was learned from these" for corpus, sampling in found)


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
        if name == "average" and name not in chosen:  # a version without this protocol wrote it
            continue
        if chosen.get(name) != answers:
            yield f"the checkpoints of {name} are not those that its dev scores choose"
