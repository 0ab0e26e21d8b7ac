"""Files of sentences -> words and tags as they are spelt there: CoNLL, JSON lines, Parquet.

CoNLL: a word a line, the word first and its tag last, tabs between them where the line has one, else
spaces; a blank line ends a sentence. Only ASCII spaces and tabs separate, because real words hold U+00A0
or are nothing but an invisible character. `-DOCSTART-` lines are boundaries. There are no comments: `#` is
a word like any other. A BOM and CRLF are taken off. Words of any length, also empty ones, are kept.

Every error says file and line (Parquet: row), on one line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DOCUMENT_START = "-DOCSTART-"
SHOWN = 60  # characters of a word or line that a message quotes


class Raw(NamedTuple):
    """A sentence as the file has it; `line` is its first line, or its row in a Parquet file, from 1."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Table:
    """All sentences of a file. `empty` counts the rows without a word, which are left out."""

    path: Path
    sentences: list[Raw]
    empty: int = 0

    def where(self, sentence: Raw, position: int) -> str:
        """The place of a word, as errors name it."""
        suffix = self.path.suffix.lower()
        if suffix == ".parquet":
            return f"{self.path}: row {sentence.line}"
        return f"{self.path}:{sentence.line + (position if suffix in CONLL else 0)}"


class Layout(NamedTuple):
    """What a card says of the inside of its files."""

    words: str = "tokens"
    tags: str = "ner_tags"
    tag_ids: tuple[str, ...] = ()
    prefix: str = ""  # of every word of a raw CoNLL copy, such as en:


def read(path: Path, layout: Layout) -> Table:
    """Read a file by its extension. Raises XnerError where it is malformed, empty or unreadable."""
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise XnerError(f"{path}: of no format that is read ({' '.join(FORMATS)})")
    try:
        table = reader(path, layout)
    except OSError as error:
        raise XnerError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not table.sentences:
        raise XnerError(f"{path}: holds no sentence; copy or fetch it again")
    return table


def conll(path: Path, layout: Layout) -> Table:
    """Read a CoNLL file."""
    text = _text(path)
    separator = "\t" if "\t" in text else " "
    known: dict[str, str] = {}  # a tag seen before needs no second look at its line
    found: list[Raw] = []
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(f"{text}\n\n".split("\n"), 1):
        word, _, rest = line.partition(separator)
        tag = known.get(rest)
        if tag is None and (fields := _fields(path, number, line)):
            word, tag = fields
            known[tag] = tag
        if tag is not None and word != DOCUMENT_START:
            words.append(intern(word))
            tags.append(tag)
        elif words:
            found.append(Raw(tuple(words), tuple(tags), number - len(words)))
            words, tags = [], []
    return Table(path, _without_prefix(path, found, layout.prefix) if layout.prefix else found)


def _fields(path: Path, number: int, line: str) -> tuple[str, str] | None:
    """Word and tag of a line, None for a blank one."""
    line = line.rstrip(" \t")
    if not line or line == DOCUMENT_START:
        return None
    separator = "\t" if "\t" in line else " "
    word, found, rest = line.partition(separator)
    if not found:
        raise XnerError(f"{path}:{number}: {_quoted(line)} has no tag; a line is WORD TAG or WORD<TAB>TAG")
    return word, intern(rest.rpartition(separator)[2])


def _without_prefix(path: Path, sentences: list[Raw], prefix: str) -> list[Raw]:
    """Take the prefix off every word, if the file is one of those that have it: its first sentence tells."""
    if not sentences or not all(word.startswith(prefix) for word in sentences[0].words):
        return sentences
    for sentence in sentences:
        for position, word in enumerate(sentence.words):
            if not word.startswith(prefix):
                place = f"{path}:{sentence.line + position}"
                raise XnerError(f"{place}: {_quoted(word)} lacks the {prefix!r} that the words before it have")
    cut = len(prefix)
    return [s._replace(words=tuple(intern(word[cut:]) for word in s.words)) for s in sentences]


def json_lines(path: Path, layout: Layout) -> Table:
    """Read a file with one JSON object a line: a list of words and a list of tag names or ids."""
    found: list[Raw] = []
    empty = 0
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            sentence = _from_json(line, number, layout)
        except ValueError as error:
            raise XnerError(f"{path}:{number}: {error}") from None
        if sentence.words:
            found.append(sentence)
        else:
            empty += 1
    return Table(path, found, empty)


def _from_json(line: str, number: int, layout: Layout) -> Raw:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error}); one object a line") from None
    words, tags = _column(row, layout.words), _column(row, layout.tags)
    if not all(isinstance(word, str) for word in words):
        raise ValueError(f"{layout.words!r} must hold strings only")
    try:
        " ".join(words).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{layout.words!r} holds half of a surrogate pair, which is no character") from None
    named = tuple(_name(tag, layout.tag_ids) for tag in tags)
    _equally_long(words, named, layout)
    return Raw(tuple(map(intern, words)), named, number)


def _column(row: Any, name: str) -> list[Any]:
    if not isinstance(row, dict) or not isinstance(row.get(name), list):
        raise ValueError(f"an object with a list {name!r} is wanted, this is {_quoted(json.dumps(row))}")
    return list(row[name])


def _name(tag: Any, tag_ids: Sequence[str]) -> str:
    """The name of a tag that is given by name or by id."""
    if isinstance(tag, str):
        return intern(tag)
    if isinstance(tag, int) and not isinstance(tag, bool) and 0 <= tag < len(tag_ids):
        return tag_ids[tag]
    raise ValueError(f"tag {_quoted(str(tag))} is neither a name nor an id of the card (0..{len(tag_ids) - 1})")


def _equally_long(words: Sequence[str], tags: Sequence[str], layout: Layout) -> None:
    if len(words) != len(tags):
        raise ValueError(f"{len(words)} {layout.words} but {len(tags)} {layout.tags}")


def parquet(path: Path, layout: Layout) -> Table:
    """Read a Parquet file. Tag ids are named by the ClassLabel of its schema, else by the card's ids."""
    from xner_bench import parquet as columns

    try:
        words, tags = columns.read(path, layout.words, layout.tags, layout.tag_ids)
    except ValueError as error:
        raise XnerError(f"{path}: {error}") from None
    found: list[Raw] = []
    for number, (row_words, row_tags) in enumerate(zip(words, tags, strict=True), 1):
        if len(row_words) != len(row_tags):
            counts = f"{len(row_words)} {layout.words} but {len(row_tags)} {layout.tags}"
            raise XnerError(f"{path}: row {number}: {counts}")
        if row_words:
            found.append(Raw(row_words, row_tags, number))
    return Table(path, found, empty=len(words) - len(found))


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x} at {error.start}"
        raise XnerError(f"{path}:{line}: not UTF-8 ({byte}); save it as UTF-8") from None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


CONLL = (".txt", ".tsv", ".conll")
FORMATS: dict[str, Callable[[Path, Layout], Table]] = {
    **dict.fromkeys(CONLL, conll),
    ".jsonl": json_lines,
    ".json": json_lines,
    ".parquet": parquet,
}
