"""The papers' own numbers, as facts beside ours: `published/<suite>.csv`, one file a suite.

The comment lines at the top of a file say what its numbers are and what to doubt about them. `f1_mean` and
`f1_std` are points, 0 to 100, as printed (accuracies where the profile says so); every row says how it was scored
(`profile`), over how many seeds, and where it stands. What a paper does not say is left empty: learning rate, spread,
seeds. An empty `source` is the suite's.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "published"
COMMENT = "# "
TEST = "test"  # the regular split; scores on perturbed ones are in the files too


class PublishedRow(NamedTuple):
    """One published score: of a language, or (where `language` is None) a mean over languages."""

    entry: str  # label of the set-up, the same in all its rows: "slicer h=8, lr 1e-5"
    method: str
    options: Mapping[str, Any]
    learning_rate: float | None
    encoder: str
    source: str | None  # "wikiann:en", several joined by "+", "each"; None: the suite's
    dataset: str | None  # None: a mean over all data sets
    language: str | None  # the data set's code; None: a mean
    languages: int  # how many the score is a mean of; 1 for a language
    with_source: bool | None  # of a mean: is a source language in it? None: no language of a source's data set is
    protocol: str  # "true", "oracle", or "few-shot-<sampling>-<k>" after k sentences of the target
    split: str  # "test", or a perturbed one: "test-in-language"
    profile: str
    f1_mean: float
    f1_std: float | None  # over seeds; of a mean, what the file's remarks say
    n_seeds: int | None
    where: str  # the paper's table
    note: str

    @property
    def corpus(self) -> str | None:
        """The catalogue's name of the language, `wikiann:am`; None for a mean."""
        return f"{self.dataset}:{self.language}" if self.language else None


def published(suite: str) -> list[PublishedRow]:
    """The published scores of a suite, languages first, in the order of the paper; none where it has none."""
    return [_row(row) for row in csv.DictReader(line for line in _lines(suite) if not line.startswith(COMMENT))]


def remarks(suite: str) -> tuple[str, ...]:
    """What must be known to read a suite's published scores: source, what was scored, doubts."""
    return tuple(line.removeprefix(COMMENT).strip() for line in _lines(suite) if line.startswith(COMMENT))


def _lines(suite: str) -> list[str]:
    path = FOLDER / f"{suite}.csv"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _row(row: Mapping[str, str]) -> PublishedRow:
    label = " ".join((row["method"], *row["options"].split()))
    rate = row["learning_rate"]
    return PublishedRow(
        entry=f"{label}, lr {rate}" if rate else label,
        method=row["method"],
        options=dict(_option(part) for part in row["options"].split()),
        learning_rate=_number(rate),
        encoder=row["encoder"],
        source=row["source"] or None,
        dataset=row["dataset"] or None,
        language=row["language"] or None,
        languages=int(row["languages"] or 1),
        with_source={"": None, "true": True, "false": False}[row["with_source"]],
        protocol=row["protocol"],
        split=row.get("split", TEST),
        profile=row["profile"],
        f1_mean=float(row["f1_mean"]),
        f1_std=_number(row["f1_std"]),
        n_seeds=int(row["seeds"]) if row["seeds"] else None,
        where=row["where"],
        note=row["note"],
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _option(text: str) -> tuple[str, Any]:
    """`h=8` as ("h", 8); what is no JSON value is text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
