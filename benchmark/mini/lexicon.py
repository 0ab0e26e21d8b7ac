"""The names, words and sentence patterns of one language: `datasets_cfg/mini/<code>.yaml` and `shared.yaml`, read.

How a name is written there: `outside|inside/form/form=English`, all but `inside` may be missing.

- The forms are those that the file declares (`forms: [in, of]`): `Москва/Москве/Москвы`, chosen by a slot's
  suffix (`{CITY.in}`). A form that is not given is the first one.
- Words before `|` (an article, a preposition) go with a form and lie outside the name: `στην|Αθήνα`.
- After `=` stands the English spelling; without it English spells the name alike.

How a pattern is written: words with spaces between them, the first in lower case, without the full stop; a word may
be a slot (`{CITY.in}`), with letters attached (`በ{CITY}`). Slots in capitals are names (see SLOTS), those in
lower case draw from the lists in `words`; {MONTH} and numbers ({YEAR}, {DAY}, ...) are made on the spot.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from xner_bench import yamlfile
from xner_bench.errors import XnerError

FORM = re.compile(r"(?P<before>[^{]*)\{(?P<slot>\w+)(?:\.(?P<form>\w+))?\}(?P<after>.*)")
CHARACTERS = re.compile(r"\{[^}]*\}|[^\s{}]")
KINDS = {
    "CITY": "cities",
    "COUNTRY": "countries",
    "AREA": "areas",
    "COMPANY": "companies",
    "CLUB": "clubs",
    "SCHOOL": "schools",
    "BODY": "bodies",
    "MAN": "men",
    "WOMAN": "women",
}
# Slot -> type. PER, LOC, ORG and ANY draw one of the finer kinds; SUR is a surname alone.
SLOTS = {
    **dict.fromkeys(("PER", "MAN", "WOMAN", "SUR"), "PER"),
    **dict.fromkeys(("LOC", "CITY", "COUNTRY", "AREA"), "LOC"),
    **dict.fromkeys(("ORG", "COMPANY", "CLUB", "SCHOOL", "BODY"), "ORG"),
    "DATE": "DATE",
    "ANY": "",
}


class Form(NamedTuple):
    """One spelling of a name: words outside it (an article) and its own."""

    before: tuple[str, ...]
    words: tuple[str, ...]


class Name(NamedTuple):
    """A name in its forms; `key` is the same in all languages, and is how English spells it."""

    key: str
    forms: tuple[Form, ...]

    def form(self, index: int) -> Form:
        """A form, or the first where it is not given."""
        chosen = self.forms[index] if index < len(self.forms) else self.forms[0]
        return chosen if chosen.words else self.forms[0]


class Piece(NamedTuple):
    """A word of a pattern, or a slot with letters attached before and after it."""

    word: str
    slot: str = ""
    form: int = 0
    before: str = ""
    after: str = ""


Pattern = tuple[Piece, ...]


class Made(NamedTuple):
    """One form of a name that holds names: words outside it, and the pattern of its own."""

    before: tuple[str, ...]
    pattern: Pattern


class Contact(NamedTuple):
    """A word that is written in another way before some words: English `a` before a vowel."""

    before: re.Pattern[str]
    becomes: str


class Lexicon(NamedTuple):
    """What sentences of a language are made of."""

    code: str
    shared: dict[str, tuple[Name, ...]]  # slot -> names that all languages have
    local: dict[str, tuple[Name, ...]]  # slot -> this language's own; MAN and WOMAN are given names
    surnames: dict[str, tuple[Name, ...]]  # MAN, WOMAN -> surnames
    made: dict[str, tuple[tuple[Made, ...], ...]]  # slot -> names that hold names, in their forms
    words: dict[str, tuple[tuple[str, ...], ...]]
    months: tuple[tuple[str, ...], ...]
    dates: tuple[tuple[Made, ...], ...]
    parallel: dict[str, Pattern]  # id -> pattern; the same id means the same in every language
    patterns: tuple[Pattern, ...]
    fragments: tuple[Pattern, ...]  # headings and the like: no capital, no full stop
    contact: dict[str, Contact]
    stop: str
    joiner: tuple[str, ...]
    spaced: bool  # words are separated by spaces; else every character is a word
    surname_first: bool
    second_names: bool  # some persons have two given names
    long: bool  # some sentences have more than 60 words
    invisible: str  # a character without shape that some sentences hold as a word


@cache
def read(code: str) -> Lexicon:
    """The lexicon of a language. XnerError where a file breaks the rules above."""
    source = _Source(code, _file(code), _file("shared"))
    value = source.value
    local = {slot: source.names(value.get(key, [])) for slot, key in KINDS.items()}
    men = source.names(value["surnames"])
    women = source.names(value["surnames_f"]) if "surnames_f" in value else men
    return Lexicon(
        code=code,
        shared={slot: source.shared(key) for slot, key in KINDS.items()},
        local=local,
        surnames={"MAN": men, "WOMAN": women},
        made={slot: source.made(value.get("made", {}).get(key, [])) for slot, key in KINDS.items()},
        words={kind: tuple(map(source.split, words)) for kind, words in value["words"].items()},
        months=tuple(map(source.split, value["months"])),
        dates=source.made(value["dates"]),
        parallel={key: source.pattern(text) for key, text in value["parallel"].items()},
        patterns=source.patterns(value["patterns"]),
        fragments=source.patterns([*_file("shared").value["fragments"], *value.get("fragments", [])]),
        contact={word: Contact(re.compile(rule[0]), rule[1]) for word, rule in value.get("contact", {}).items()},
        stop=value.get("stop", "."),
        joiner=tuple(value.get("joiner", ";").split()),
        spaced=value.get("spaced", True),
        surname_first=value.get("surname_first", False),
        second_names=value.get("second_names", False),
        long=value.get("long", False),
        invisible=value.get("invisible", ""),
    )


@cache
def _file(name: str) -> yamlfile.Document:
    import xner_bench.datasets_cfg

    return yamlfile.read(Path(str(xner_bench.datasets_cfg.__file__)).parent / "mini" / f"{name}.yaml")


class _Source:
    """The texts of a language's file as names and patterns."""

    def __init__(self, code: str, own: yamlfile.Document, shared: yamlfile.Document) -> None:
        self.value: dict[str, Any] = own.value
        self.path = own.path
        self.identities: dict[str, list[str]] = shared.value["names"]
        self.spelled: dict[str, str] = shared.value["spelled"].get(code, {})
        self.forms = ["", *self.value.get("forms", [])]
        self.spaced: bool = self.value.get("spaced", True)

    def split(self, text: str) -> tuple[str, ...]:
        """The words of a text; the characters, slots whole, where words are not separated."""
        return tuple(text.split() if self.spaced else CHARACTERS.findall(text))

    def name(self, text: str, key: str = "") -> Name:
        spelling, _, english = text.partition("=")
        forms = tuple(map(self._form, spelling.split("/")))
        return Name(key or english or " ".join(forms[0].words), forms)

    def names(self, texts: list[str]) -> tuple[Name, ...]:
        return tuple(self.name(text) for text in texts)

    def shared(self, kind: str) -> tuple[Name, ...]:
        return tuple(self.name(self.spelled.get(key, key), key) for key in self.identities[kind])

    def made(self, texts: list[str]) -> tuple[tuple[Made, ...], ...]:
        return tuple(tuple(map(self._made, text.split("/"))) for text in texts)

    def patterns(self, texts: list[str]) -> tuple[Pattern, ...]:
        return tuple(map(self.pattern, texts))

    def pattern(self, text: str) -> Pattern:
        return tuple(map(self._piece, self.split(text)))

    def _form(self, text: str) -> Form:
        before, _, inside = text.rpartition("|")
        return Form(self.split(before), self.split(inside))

    def _made(self, text: str) -> Made:
        before, _, inside = text.rpartition("|")
        return Made(self.split(before), self.pattern(inside))

    def _piece(self, word: str) -> Piece:
        if "{" not in word:
            return Piece(word)
        found = FORM.fullmatch(word)
        if not found or (found["form"] or "") not in self.forms:
            raise XnerError(f"{self.path}: {word!r} is no slot; its forms: {', '.join(self.forms[1:]) or 'none'}")
        index = self.forms.index(found["form"] or "")
        return Piece("", found["slot"], index, found["before"], found["after"])
