"""Draws names and words of one language for the slots of a sentence.

Only `random.Random(seed).random()` decides, seeded with a hash: its numbers are the same in every Python.
"""

from __future__ import annotations

import hashlib
import random
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from xner_bench.mini.lexicon import SLOTS, Lexicon, Made, Name, Piece

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

T = TypeVar("T")

VERSION = 1  # of what is drawn; a part of every seed
HELD_OUT = 0.15  # of the names: in dev and test only
# Of the names: known everywhere (the others are the language's own); made of other names.
SHARED = {"MAN": 0.15, "WOMAN": 0.15, "CITY": 0.4}
SHARED_ORG, MADE = 0.35, 0.35
SECOND_NAME = 0.1  # of the persons, where that is usual
# Slot -> first number, how many.
NUMBERS = {
    "YEAR": (1950, 70),
    "BORN": (1850, 70),
    "DIED": (1930, 80),
    "DAY": (1, 28),
    "NUM": (2, 97),
    "GOAL": (0, 6),
}
FINER = {
    "PER": ("MAN", "WOMAN"),
    "LOC": ("CITY", "CITY", "CITY", "COUNTRY", "COUNTRY", "AREA"),
    "ORG": ("COMPANY", "CLUB", "SCHOOL", "BODY"),
    "ANY": ("MAN", "WOMAN", "SUR", "SUR", "CITY", "CITY", "AREA", "COMPANY", "CLUB", "BODY"),
}


def number(text: str) -> int:
    """64 bits that a text decides, the same everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@cache
def held_out(key: str) -> bool:
    """Whether a name occurs in dev and test only."""
    return number(f"name\t{key}") % 1000 < 1000 * HELD_OUT


class Drawn(NamedTuple):
    """A name as it stands in a sentence: its slot, the words before it that are outside, its own, the English ones."""

    slot: str
    before: tuple[str, ...]
    words: tuple[str, ...]
    english: tuple[str, ...]


class Draw:
    """A stream of names and words of one language."""

    def __init__(self, language: Lexicon, seed: str, *, every_name: bool) -> None:
        self.language = language
        self.every_name = every_name
        self.random = random.Random(number(f"{VERSION}\t{seed}")).random

    def pick(self, options: Sequence[T]) -> T:
        """One of them, each as likely."""
        return options[int(self.random() * len(options))]

    def name(self, slot: str, form: int = 0, used: Collection[tuple[str, ...]] = ()) -> Drawn:
        """A name for a slot: a date, one made of other names, or as `listed`."""
        if slot == "DATE":
            return self._filled(slot, self.pick(self.language.dates)[0])
        slot = self.pick(FINER[slot]) if slot in FINER else slot
        made = self.language.made.get(slot, ())
        if made and self.random() < MADE:
            forms = self.pick(made)
            chosen = forms[form] if form < len(forms) else forms[0]
            return self._filled(slot, chosen if chosen.pattern else forms[0])
        return self.listed(slot, form, used)

    def listed(self, slot: str, form: int = 0, used: Collection[tuple[str, ...]] = ()) -> Drawn:
        """A name of the lists whose English spelling is none of `used`."""
        while True:
            drawn = self._listed(slot, form)
            if drawn.english not in used:
                return drawn

    def _listed(self, slot: str, form: int) -> Drawn:
        language = self.language
        if slot == "SUR":
            return _drawn(slot, self._allowed(language.surnames["MAN"]), form)
        local, shared = language.local[slot], language.shared[slot]
        if shared and (not local or self.random() < SHARED.get(slot, SHARED_ORG)):
            return _drawn(slot, self._allowed(shared), form)
        if slot in language.surnames:
            return self._person(slot, form)
        return _drawn(slot, self._allowed(local), form)

    def _person(self, slot: str, form: int) -> Drawn:
        language = self.language
        given = [self.pick(language.local[slot])]
        if language.second_names and self.random() < SECOND_NAME:
            given += {self.pick(language.local[slot])} - {*given}
        names = [*given, self._allowed(language.surnames[slot])]
        if language.surname_first:
            names.reverse()
        words = [word for name in names for word in name.form(form).words]
        english = [word for name in names for word in name.key.split()]
        return Drawn(slot, given[0].form(form).before, tuple(words), tuple(english))

    def _allowed(self, names: Sequence[Name]) -> Name:
        while True:
            name = self.pick(names)
            if self.every_name or not held_out(name.key):
                return name

    def _filled(self, slot: str, made: Made) -> Drawn:
        """A name that a pattern makes, all words of the pattern inside."""
        words: list[str] = []
        for piece in made.pattern:
            if not piece.slot:
                words.append(piece.word)
            elif piece.slot in SLOTS:
                inner = self.name(piece.slot, piece.form)
                words += [*inner.before, *attached(piece, inner.words)]
            else:
                words += word(self.language, piece, self.random())
        return Drawn(slot, made.before, tuple(words), tuple(words))


def word(language: Lexicon, piece: Piece, value: float) -> tuple[str, ...]:
    """The words of a slot that is no name; `value`, 0 <= value < 1, says which."""
    if piece.slot in NUMBERS:
        first, count = NUMBERS[piece.slot]
        text = str(first + int(value * count))
        found = (text,) if language.spaced else tuple(text)
    else:
        options = language.months if piece.slot == "MONTH" else language.words[piece.slot]
        found = options[int(value * len(options))]
    return attached(piece, found)


def attached(piece: Piece, words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a slot with the letters that the pattern attaches to them."""
    if not (piece.before or piece.after):
        return words
    first = (piece.before + words[0], *words[1:])
    return (*first[:-1], first[-1] + piece.after)


def _drawn(slot: str, name: Name, form: int) -> Drawn:
    spelt = name.form(form)
    return Drawn(slot, spelt.before, spelt.words, tuple(name.key.split()))
