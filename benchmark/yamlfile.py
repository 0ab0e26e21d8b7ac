"""YAML that means what it looks like, with the line of every value for the errors.

YAML 1.1, which PyYAML reads, turns the language code `no` into False, `1e-5` into a string, `0777` into 511,
and lets the last of two equal keys win. Here a scalar without quotes is

- `true` or `false`: a boolean (`yes`, `no`, `on`, `off`, `y`, `True` are text);
- `null`, `~` or nothing: None;
- decimal digits without leading zeros: an integer (`0777`, `0x1f`, `1_000` and `12:30` stay text, whole);
- digits with a point or an exponent (`0.1`, `1e-5`, `.inf`, `.nan`): a float;
- anything else, dates among them, and anything in quotes: text.

Keys are always text. Duplicate keys, anchors, aliases, tags (`!!python/...`), a second document and nesting
beyond DEPTH are refused; so are control characters (terminals obey them) and what is not UTF-8. A byte order mark is
skipped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

M = TypeVar("M", bound=BaseModel)
Loc = tuple[str | int, ...]

DEPTH = 20
BOOLEANS = {"true": True, "false": False}
NULLS = {"", "~", "null"}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SPECIAL = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}

# libyaml's parser where PyYAML was built with it: seven times as fast.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document(NamedTuple):
    """What a file holds: plain dicts, lists and scalars, and the line at which each of them begins."""

    path: Path
    value: Any
    lines: dict[Loc, int]

    def line(self, loc: Loc) -> int:
        """The line of the value at `loc`, or of the nearest enclosing one that is in the file."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def error(self, loc: Loc, message: str) -> XnerError:
        """An error that begins with file, line and place: `card.yaml:5: languages.am.test: ...`."""
        place = ".".join(map(str, loc))
        return XnerError(f"{self.path}:{self.line(loc)}: {place + ': ' if place else ''}{message}")


def read(path: Path) -> Document:
    """The one document of a YAML file; XnerError with file and line where it is not one."""
    document = Document(path, None, {})
    text = _text(path)
    try:
        value = _Builder(document, text).build()
    except yaml.YAMLError as error:
        raise _syntax_error(path, text, error) from None
    if value is None:
        raise XnerError(f"{path}: the file is empty")
    return document._replace(value=value)


def validate(model: type[M], document: Document, value: Any = None, at: Loc = ()) -> M:
    """The document (or `value`, made of what is at the place `at`) as a model; errors with file and line.

    Strict: text is never taken for a number, nor a number for text or a boolean.
    """
    whole = document.value if value is None else value
    try:
        # As JSON, so that strict mode still lets a list become a tuple.
        return model.model_validate_json(json.dumps(whole), strict=True)
    except ValidationError as errors:
        raise _invalid(document, errors, at) from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise XnerError(f"{path}: {error.strerror or error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise XnerError(f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8") from None


class _Builder:
    """Builds the value from the parser's events, which (unlike nodes) still tell aliases and tags."""

    def __init__(self, document: Document, text: str) -> None:
        self.document = document
        self.events: Iterator[Any] = yaml.parse(text, Loader=LOADER)

    def build(self) -> Any:
        """The value of the only document; None where there is none."""
        value = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a second document; a file holds one")
                value = self._value(next(self.events), ())
        return value

    def _value(self, event: Any, loc: Loc) -> Any:
        self._check(event, loc)
        self.document.lines.setdefault(loc, event.start_mark.line + 1)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        return self._mapping(loc) if isinstance(event, yaml.MappingStartEvent) else self._sequence(loc)

    def _check(self, event: Any, loc: Loc) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, f"the alias *{event.anchor}; write the value out")
        if event.anchor:
            self._refuse(event, f"the anchor &{event.anchor}; write the value out where it is needed")
        if event.tag:
            self._refuse(event, f"the tag {event.tag}; plain values only")
        if isinstance(event, yaml.ScalarEvent) and (found := CONTROL.search(event.value)):
            self._refuse(event, f"the control character {found.group()!r}")
        if len(loc) > DEPTH:
            self._refuse(event, f"nesting deeper than {DEPTH} levels")

    def _mapping(self, loc: Loc) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            self._check(event, loc)
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, "a list or mapping as a key; keys are text")
            if event.value in found:
                first = self.document.lines[*loc, event.value]
                raise XnerError(f"{self.document.path}:{line}: duplicate key {event.value!r}, first on line {first}")
            self.document.lines[*loc, event.value] = line
            found[event.value] = self._value(next(self.events), (*loc, event.value))
        return found

    def _sequence(self, loc: Loc) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self._value(event, (*loc, len(found))))
        return found

    def _refuse(self, event: Any, what: str) -> NoReturn:
        raise XnerError(f"{self.document.path}:{event.start_mark.line + 1}: not accepted: {what}")


def _scalar(text: str) -> str | int | float | bool | None:
    """What a scalar without quotes means."""
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    if text in SPECIAL:
        return SPECIAL[text]
    # `0777` has digits only and is no integer: text. A float shows a point or an exponent.
    if FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit():
        return float(text)
    return text


def _syntax_error(path: Path, text: str, error: yaml.YAMLError) -> XnerError:
    """PyYAML's several lines as one."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # a reader's error: a character that YAML forbids
        position = getattr(error, "position", 0)
        reason = str(error).splitlines()[0]
        return XnerError(f"{path}:{text.count(chr(10), 0, position) + 1}: {reason}")
    lines = text.splitlines()
    there = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in there[: len(there) - len(there.lstrip())]:
        return XnerError(f"{path}:{mark.line + 1}: a tab in the indentation; indent with spaces")
    problem = getattr(error, "problem", None) or "not YAML"
    context = getattr(error, "context", None)
    return XnerError(f"{path}:{mark.line + 1}: {problem}{' ' + context if context else ''}")


def _invalid(document: Document, errors: ValidationError, at: Loc) -> XnerError:
    """The first of pydantic's complaints in the order of the file, and how many more there are."""
    found = [(at + error["loc"], error["msg"], error["type"]) for error in errors.errors(include_url=False)]
    missing = [str(loc[-1]) for loc, _, kind in found if kind == "missing"]
    # A key that is missing has no line; if another is misspelt, that one is the mistake.
    loc, message, kind = min(found, key=lambda one: (one[2] == "missing", document.line(one[0])))
    if kind == "missing" and len(missing) == len(found):
        return document.error(loc, f"{message} (missing: {', '.join(missing)})" if len(missing) > 1 else message)
    if kind == "extra_forbidden":
        message = f"no such key{'; missing: ' + ', '.join(missing) if missing else ''}"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 and not missing else ""
    return document.error(loc, message.removeprefix("Value error, ") + more)
