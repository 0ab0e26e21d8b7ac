"""The hub's metadata on top of a data card: which tables its viewer shows, languages, size, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xner_bench.catalogue import Catalogue

TITLE = "Leaderboard of cross-lingual named entity recognition"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def front(corpora: Iterable[str], catalogue: Catalogue, files: Mapping[str, bytes]) -> str:
    """The hub's metadata: which Parquet files its viewer shows, languages, size, tags.

    A leaderboard has no licence of its own; that of the data is told below.
    """
    import yaml

    found = {
        "pretty_name": TITLE,
        "license": "other",
        "license_name": "see-the-card",
        "license_link": "#licence",
        "language": languages(corpora, catalogue),
        "multilinguality": "multilingual",
        "task_categories": ["token-classification"],
        "task_ids": ["named-entity-recognition"],
        "tags": ["benchmark", "cross-lingual", "leaderboard", "named-entity-recognition", "xner-bench", "zero-shot"],
        "size_categories": [_size(files)],
        "configs": _configs(files),
    }
    return f"---\n{yaml.safe_dump(found, sort_keys=True, allow_unicode=True, width=120)}---\n\n"


def _configs(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """One for each Parquet file, the scores per language first."""
    names = sorted(tables(files), key=lambda name: (name != "per_language.parquet", name))
    return [
        {
            "config_name": name.removesuffix(".parquet"),
            "data_files": [{"split": "test", "path": name}],
            **({"default": True} if at == 0 else {}),
        }
        for at, name in enumerate(names)
    ]


def _size(files: Mapping[str, bytes]) -> str:
    rows = sum(schema(files[name])[1] for name in tables(files))
    return next((name for limit, name in SIZES if rows < limit), "n>1M")


def tables(files: Mapping[str, bytes]) -> list[str]:
    """The Parquet files among them."""
    return [name for name in files if name.endswith(".parquet")]


def languages(corpora: Iterable[str], catalogue: Catalogue) -> list[str]:
    """Codes as the hub has them: ISO 639-1 where some card of the catalogue spells a language so, else ISO 639-3."""
    cards = [catalogue.cards[name] for name in catalogue.cards]
    short = {one.iso639_3: code for card in cards for code, one in card.languages.items() if len(code) == 2}
    found = set()
    for corpus in corpora:
        dataset, _, code = corpus.partition(":")
        known = catalogue.cards.get(dataset)
        if known and code in known.languages:
            iso = known.languages[code].iso639_3
            found.add(short.get(iso, iso))
    return sorted(found)


def schema(data: bytes) -> tuple[list[tuple[str, str, str]], int]:
    """Name, type and meaning of the columns of a Parquet file, and its number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    told = ((field.metadata or {}).get(b"about", b"").decode() for field in file.schema_arrow)
    columns = [(field.name, str(field.type), about) for field, about in zip(file.schema_arrow, told, strict=True)]
    return columns, file.metadata.num_rows
