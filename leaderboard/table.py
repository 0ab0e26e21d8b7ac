"""The leaderboard as two Parquet tables. Every column says in the file's schema what it holds.

The same runs give the same bytes: rows in the leaderboard's order, nothing of the day or of the machine.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.leaderboard import robustness
from xner_bench.leaderboard.legend import metric
from xner_bench.leaderboard.scores import percent
from xner_bench.protocol import FEW_SHOT, shots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from xner_bench.catalogue import Catalogue, Language
    from xner_bench.leaderboard.lines import Line, Mean, Row, Section


class Column(NamedTuple):
    """One column: its name, Arrow type, and meaning."""

    name: str
    kind: str
    about: str


ENTRY = (
    Column("suite", "string", "the published set-up that the entry was run in"),
    Column("entry", "string", "label, unique within suite and published"),
    Column("entry_id", "string", "of all settings but the seed (of each: and language); null for published rows"),
    Column("method", "string", "name of the method"),
    Column("options", "string", "the method's options, JSON"),
    Column("encoder", "string", "pretrained encoder"),
    Column("training", "string", "settings of the training loop, JSON; of published rows the learning rate"),
    Column("departures", "string", "settings other than the suite's"),
    Column("source", "string", "what was trained on: a language, several joined by +; each: every one on itself"),
)
SCORE = (
    Column("protocol", "string", "answered by: last, source-dev, average, oracle, few-shot"),
    Column("sampling", "string", "few-shot: how sentences of the target were drawn; null for all others"),
    Column("k", "int64", "few-shot: how many; null for all others, of which the one with role true is that of k = 0"),
    Column("split", "string", "test, or with other entities: test-in-language, test-in-script, test-in-family"),
    Column("role", "string", "what papers on this suite call the protocol: true, oracle, or empty"),
    Column("profile", "string", "what was counted and how; numbers of two profiles are not comparable"),
    Column("metric", "string", "what f1_mean is: f1, or the accuracy of tags where the profile counts those"),
    Column("f1_mean", "double", "micro F1 in percent, mean over seeds; null unless every seed has a score"),
    Column("change", "double", "of f1_mean on a perturbed split, in percent of f1_mean on test; null for test"),
    Column("f1_std", "double", "sample standard deviation over seeds, null for one; published: as printed"),
)
CORPUS = (
    Column("dataset", "string", "name of the data set's card"),
    Column("language", "string", "code as the data set spells it"),
    Column("iso639_3", "string", "ISO 639-3"),
    Column("script", "string", "ISO 15924"),
    Column("family", "string", "language family"),
)
COUNTS = (
    Column("precision", "double", "micro precision in percent, from tp and fp: pooled over seeds"),
    Column("recall", "double", "micro recall in percent, from tp and fn: pooled over seeds"),
    Column("macro_f1", "double", "mean F1 of the types in percent, mean over seeds; null unless all have one"),
    Column("tp", "int64", "entities found (or tags that are right), sum over seeds"),
    Column("fp", "int64", "entities invented (or tags that are wrong), sum over seeds"),
    Column("fn", "int64", "entities missed (or tags that are wrong), sum over seeds"),
    Column("support", "int64", "entities in the gold (or words), sum over seeds"),
)
ORIGIN = (
    Column("n_seeds", "int64", "runs, or seeds of the paper"),
    Column("run_ids", "list<string>", "by seed; empty for published rows"),
    Column("published", "bool", "whether a paper's numbers and not ours"),
    Column("reference", "string", "where a published number stands"),
)
REMARKS = (
    Column("reason", "string", "why f1_mean is null, as far as known"),
    Column("note", "string", "what was done to a published number"),
)
GROUP = (
    Column("group", "string", "targets that the mean is over, unweighted"),
    Column("group_dataset", "string", "data set of the group's targets; null where they are of several"),
    Column("n_targets", "int64", "targets of the group with a score"),
    Column("m_targets", "int64", "targets of the group"),
    Column("complete", "bool", "whether all targets have a score, so that there is a mean"),
)
PER_LANGUAGE = (*ENTRY, *CORPUS, *SCORE, *COUNTS, *ORIGIN, *REMARKS)
MEANS = (*ENTRY, *GROUP, *SCORE, *ORIGIN)


def per_language(sections: Sequence[Section], catalogue: Catalogue) -> pa.Table:
    """One row per entry, split, corpus, protocol and profile."""
    rows = [
        _entry(section, line)
        | of_corpus(catalogue, corpus)
        | _score(section, line, protocol, row)
        | _counts(row)
        | {"change": robustness.row_change(line, (corpus, protocol))}
        for section, line in _lines(sections)
        for (corpus, protocol), row in line.rows.items()
    ]
    return _table(rows, PER_LANGUAGE, sections)


def means(sections: Sequence[Section]) -> pa.Table:
    """One row per entry, split, group, protocol and profile."""
    rows = [
        _entry(section, line)
        | _group(section, name, mean)
        | _score(section, line, protocol, mean)
        | {"change": robustness.mean_change(line, (name, protocol))}
        for section, line in _lines(sections)
        for (name, protocol), mean in line.means.items()
    ]
    return _table(rows, MEANS, sections)


def parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file, the same for the same table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", version="2.6", row_group_size=1 << 20)
    return bytes(sink.getvalue().to_pybytes())


def _lines(sections: Iterable[Section]) -> Iterator[tuple[Section, Line]]:
    return ((section, line) for section in sections for line in (*section.lines, *section.perturbed))


def _entry(section: Section, line: Line) -> dict[str, Any]:
    own = {f"option_{name}": value for name, value in line.options.items()}
    return own | {
        "suite": section.suite.name,
        "entry": line.label,
        "entry_id": line.entry_id,
        "method": line.method,
        "options": _json(line.options),
        "encoder": line.encoder,
        "training": _json(line.training),
        "departures": line.departures,
        "source": section.source,
    }


def of_corpus(catalogue: Catalogue, corpus: str) -> dict[str, Any]:
    """The columns of CORPUS."""
    dataset, _, code = corpus.partition(":")
    language = _language(catalogue, corpus)
    facts = {name: getattr(language, name) for name in ("iso639_3", "script", "family")} if language else {}
    return {"dataset": dataset, "language": code} | facts


def _language(catalogue: Catalogue, corpus: str) -> Language | None:
    dataset, _, code = corpus.partition(":")
    card = catalogue.cards.get(dataset)
    return card.languages.get(code) if card else None


def _score(section: Section, line: Line, protocol: str, score: Row | Mean) -> dict[str, Any]:
    f1 = score.f1
    sampling, k = shots(protocol) or (None, None)
    return {
        "protocol": FEW_SHOT if sampling else protocol,
        "sampling": sampling,
        "k": k,
        "split": line.split,
        "role": section.role(protocol),
        "profile": line.profile,
        "metric": metric(line.profile).lower(),
        "f1_mean": f1.mean if f1 else None,
        "f1_std": f1.std if f1 else None,
        "n_seeds": line.n_seeds if f1 is None else f1.n,
        "run_ids": list(line.run_ids),
        "published": line.published,
        "reference": score.reference or None,
    }


def _counts(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {"reason": row.reason or None, "note": row.note or None}
    found["macro_f1"] = row.macro_f1.mean if row.macro_f1 else None
    if row.counts is None:
        return found
    shares = {"precision": percent(row.counts.precision), "recall": percent(row.counts.recall)}
    return found | shares | row.counts._asdict() | {"support": row.counts.support}


def _group(section: Section, name: str, mean: Mean) -> dict[str, Any]:
    dataset = next((group.dataset for group in section.groups if group.name == name), None)
    return {
        "group": name,
        "group_dataset": dataset,
        "n_targets": mean.scored,
        "m_targets": mean.size,
        "complete": mean.f1 is not None,
    }


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[Column], sections: Sequence[Section]) -> pa.Table:
    return arrow(rows, (*columns, *_option_columns(sections)))


def arrow(rows: Sequence[dict[str, Any]], columns: Sequence[Column]) -> pa.Table:
    """Rows as a table with these columns; what a row does not name is null."""
    import pyarrow as pa

    arrays = [pa.array(_values(rows, column), _type(column.kind)) for column in columns]
    fields = [pa.field(column.name, _type(column.kind), metadata={"about": column.about}) for column in columns]
    return pa.table(arrays, schema=pa.schema(fields))


def _type(kind: str) -> pa.DataType:
    import pyarrow as pa

    return pa.list_(pa.string()) if kind == "list<string>" else pa.type_for_alias(kind)


def _values(rows: Iterable[dict[str, Any]], column: Column) -> list[Any]:
    convert = _CONVERT.get(column.kind) if column.name.startswith("option_") else None
    values = [row.get(column.name) for row in rows]
    return [None if value is None else convert(value) for value in values] if convert else values


def _option_columns(sections: Sequence[Section]) -> list[Column]:
    """A column `option_<name>` for each option of any entry, of the narrowest type that holds its values."""
    values: dict[str, list[Any]] = {}
    for _, line in _lines(sections):
        for name, value in line.options.items():
            values.setdefault(name, []).append(value)
    return [
        Column(f"option_{name}", _narrowest(found), f"option {name} of the method; null where it has none")
        for name, found in sorted(values.items())
    ]


def _narrowest(values: Iterable[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "bool"
    if kinds == {int}:
        return "int64"
    return "double" if kinds and kinds <= {int, float} else "string"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=dict)


_CONVERT: dict[str, Callable[[Any], Any]] = {"string": _text, "double": float}
