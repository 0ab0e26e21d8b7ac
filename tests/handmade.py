"""Cards made by hand, and files for them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from xner_bench.catalogue import Card

if TYPE_CHECKING:
    from collections.abc import Sequence

TAG_IDS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-DATE", "I-DATE")
ROWS = [
    (["Amina", "lives", "in", "Kano"], [1, 0, 0, 5]),
    (["On", "2", "May", "Radio", "Kano", "\u200e", "closed"], [0, 7, 8, 3, 4, 0, 0]),
    (["Nobody"], [0]),
]


def card(name: str = "tiny", **changed: Any) -> Card:
    """A card of two languages, four types and a repository on the hub."""
    language = {"iso639_3": "hau", "name": "Hausa", "script": "Latn", "family": "Afro-Asiatic"}
    facts: dict[str, Any] = {
        "name": name,
        "title": "Tiny",
        "about": "for tests",
        "licence": "CC0-1.0",
        "homepage": "https://example.org",
        "cite": "none",
        "types": ("PER", "ORG", "LOC", "DATE"),
        "tag_ids": TAG_IDS,
        "hub": {"repo": "owner/tiny", "revision": "main", "files": "{language}/{split}-*.parquet"},
        "languages": {code: {"code": code, **language} for code in ("hau", "no")},
    }
    return Card.model_validate({**facts, **changed})


def counted(known: Card, **counts: int) -> Card:
    """The same card, its first language with these counts of sentences."""
    code, language = next(iter(known.languages.items()))
    return known.model_copy(update={"languages": {**known.languages, code: language.model_copy(update=counts)}})


def parquet_bytes(rows: Sequence[tuple[list[str], list[Any]]] = ROWS, names: Sequence[str] | None = TAG_IDS) -> bytes:
    """A Parquet file as the hub has it, with the tags' names in the schema's metadata."""
    columns = {
        "id": list(map(str, range(len(rows)))),
        "tokens": [r[0] for r in rows],
        "ner_tags": [r[1] for r in rows],
    }
    table = pa.table(columns)
    if names:
        tags = {"feature": {"names": list(names), "_type": "ClassLabel"}, "_type": "List"}
        words = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
        info = {"info": {"features": {"tokens": words, "ner_tags": tags}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def conll_text(rows: Sequence[tuple[list[str], list[int]]] = ROWS, separator: str = "\t") -> str:
    """The same rows in CoNLL."""
    return "\n".join(
        "".join(f"{word}{separator}{TAG_IDS[tag]}\n" for word, tag in zip(words, tags, strict=True))
        for words, tags in rows
    )


def json_text(rows: Sequence[tuple[list[str], list[Any]]] = ROWS) -> str:
    """The same rows in JSON lines."""
    return "".join(json.dumps({"tokens": words, "ner_tags": tags}) + "\n" for words, tags in rows)
