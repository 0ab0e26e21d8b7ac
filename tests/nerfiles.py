"""The files of the real corpora as they lie there, read without the project's own readers."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A line whose word has no letter, digit or sign: separators, controls, format characters, private use.
VOID = re.compile(
    "^[\\s\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ue000-\uf8ff\ufe00-\ufe0f\ufeff]*"
    "[\t ](?:O|[BI]-[A-Z]+)$"
)
FIRST = 200  # sentences of a sample


def paths(nerdata: Path) -> list[Path]:
    """Every file of sentences."""
    return sorted((*nerdata.glob("masakhaner/*/*.txt"), *nerdata.glob("wikiann/*/*.tsv")))


def sentences(path: Path) -> list[tuple[str, ...]]:
    """The words of every sentence of a file."""
    return [words(block, path) for block in blocks(path)]


@cache
def sample(path: Path) -> list[tuple[str, ...]]:
    """The first sentences, the longest one, and all that hold a word without anything to see."""
    found = blocks(path)
    chosen = dict.fromkeys(found[:FIRST])
    chosen[max(found, key=lambda block: block.count("\n"))] = None
    chosen.update((block, None) for block in found if any(map(VOID.match, block.split("\n"))))
    return [words(block, path) for block in chosen]


def blocks(path: Path) -> list[str]:
    """The lines of every sentence. Only a line feed ends a line: words hold other separators."""
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    return [block.strip("\n") for block in re.split(r"\n\n+", text) if block.strip("\n")]


def words(block: str, path: Path) -> tuple[str, ...]:
    """The words of one sentence."""
    separator = "\t" if path.suffix == ".tsv" else " "
    return tuple(line.rpartition(separator)[0] for line in block.split("\n"))
