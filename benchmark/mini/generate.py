"""Sentences of the bundled mini corpora, made from sentence patterns and lists of real names.

The names are real, the sentences are invented: nothing that they say is true. A sentence's text decides to which
split it may belong (by hash), so that no sentence stands in two splits, or in a test split and in the text that
the mini encoder reads. A part of the names (by hash, too) occurs in dev and test only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from xner_bench import catalogue
from xner_bench.corpus import Sentence
from xner_bench.errors import UnknownName, XnerError
from xner_bench.mini import lexicon
from xner_bench.mini.draw import Draw, attached, number, word
from xner_bench.mini.lexicon import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xner_bench.catalogue import Card
    from xner_bench.mini.draw import Drawn
    from xner_bench.mini.lexicon import Lexicon, Pattern

SOURCE = "en"

# Tenths of all possible sentences by split; what trains an encoder may share sentences with train alone.
TENTHS = {"test": (0, 1), "dev": (2, 3), "train": (4, 5, 6, 7, 8, 9)}
FRAGMENTS, JOINED, LONG = (
    0.12,
    0.07,
    0.02,
)  # of the sentences: headings and the like, two clauses, many clauses
LONG_WORDS = 60
PARALLEL = 0.4  # of the clauses: a pattern that other languages have as well
ENDS = "?؟？;"  # besides the full stop; the semicolon is the Greek question mark
INVISIBLE = 0.04  # of the sentences of a language that has such words


class Tagged(NamedTuple):
    """A word and its tag."""

    word: str
    tag: str = "O"


def sentences(dataset: str, language: str, split: str) -> list[Sentence]:
    """One split of mini-wikiann or mini-masakhaner, the tags in IOB2 over all of its card's types.

    Raises XnerError for a data set, language or split that there is not.
    """
    card = catalogue.load().card(dataset)
    count = _count(card, language, split)
    source = _Source(language, f"{dataset}:{language}:{split}", card.types, every_name=split != "train")
    found: dict[tuple[str, ...], Sentence] = {}
    while len(found) < count:
        sentence = source.sentence()
        if _split(language, sentence.words) == split:
            found.setdefault(sentence.words, sentence)
    return list(found.values())


def plain(language: str, n: int, seed: int) -> list[list[str]]:
    """n sentences without tags, for pretraining; none that stands in a dev or test split."""
    source = _Source(language, f"plain:{language}:{seed}", (), every_name=True)
    found: list[list[str]] = []
    while len(found) < n:
        words = source.sentence().words
        if _split(language, words) == "train":
            found.append(list(words))
    return found


def comparable(language: str, n: int, seed: int) -> list[list[str]]:
    """n lines of comparable text, as in an encyclopaedia; none that holds a sentence of a dev or test split.

    By turns: a name in its own script and then, in brackets, in English; a sentence, and then the English one that
    says the same of the same names. For English itself: `plain`.
    """
    if language == SOURCE:
        return plain(language, n, seed)
    source = _Source(language, f"comparable:{language}:{seed}", (), every_name=True)
    found: list[list[str]] = []
    while len(found) < n:
        line = source.pair() if len(found) % 2 else source.gloss()
        if line:
            found.append(line)
    return found


def _count(card: Card, language: str, split: str) -> int:
    known = card.language(language)
    if split not in TENTHS:
        raise UnknownName("split", split, TENTHS)
    count = {"train": known.train, "dev": known.dev, "test": known.test}[split]
    if not card.bundled or count is None:
        raise XnerError(f"{card.key(language)} has no bundled {split} split; bundled are the data sets mini-*")
    return count


def _split(language: str, words: Iterable[str]) -> str:
    """The split to which a sentence may belong."""
    tenth = number(f"{language}\t{' '.join(words)}") % 10
    return next(split for split, tenths in TENTHS.items() if tenth in tenths)


class _Source:
    """A stream of sentences of one language; names of other types than these are tagged O."""

    def __init__(self, language: str, seed: str, types: tuple[str, ...], *, every_name: bool) -> None:
        self.language = lexicon.read(language)
        self.types = types
        self.draw = Draw(self.language, seed, every_name=every_name)

    def sentence(self) -> Sentence:
        language = self.language
        if self.draw.random() < FRAGMENTS:
            text = _touching(self._realised(self.draw.pick(language.fragments), bare=True), language)
        else:
            text = _finished(self._clauses(), language)
        if language.invisible and self.draw.random() < INVISIBLE:
            self._hide(text)
        return Sentence(tuple(word for word, _ in text), tuple(tag for _, tag in text))

    def gloss(self) -> list[str]:
        """A name, and its English spelling in brackets."""
        slot = self.draw.pick(("MAN", "WOMAN", "CITY", "CITY", "COUNTRY", "AREA", "ORG"))
        slot = self.draw.pick(("COMPANY", "CLUB", "SCHOOL", "BODY")) if slot == "ORG" else slot
        drawn = self.draw.listed(slot)
        return [*drawn.words, "(", *drawn.english, ")"]

    def pair(self) -> list[str]:
        """A sentence and its English counterpart; nothing where a dev or test split may hold one of them."""
        english = lexicon.read(SOURCE)
        key = self.draw.pick(list(self.language.parallel))
        fillers = _Fillers(self.draw)
        own = fillers.fill(self.language.parallel[key], self.language)
        other = fillers.fill(english.parallel[key], english)
        usable = _split(self.language.code, own) == _split(SOURCE, other) == "train"
        return own + other if usable else []

    def _clauses(self) -> list[Tagged]:
        chance = self.draw.random()
        text = self._clause()
        least = LONG_WORDS if self.language.long and chance < LONG else len(text) if chance > 1 - JOINED else 0
        while len(text) <= least and text[-1].word not in ENDS:
            text += [*map(Tagged, self.language.joiner), *self._clause()]
        return text

    def _clause(self) -> list[Tagged]:
        language = self.language
        parallel = self.draw.random() < PARALLEL
        return self._realised(self.draw.pick(tuple(language.parallel.values()) if parallel else language.patterns))

    def _realised(self, pattern: Pattern, *, bare: bool = False) -> list[Tagged]:
        """The words of a pattern; `bare` leaves out what goes with a name, such as its article."""
        text: list[Tagged] = []
        used: list[tuple[str, ...]] = []
        for piece in pattern:
            if not piece.slot:
                text.append(Tagged(piece.word))
            elif piece.slot in SLOTS:
                drawn = self.draw.name(piece.slot, piece.form, used)
                used.append(drawn.english)
                text += map(Tagged, () if bare else drawn.before)
                text += self._tagged(drawn.slot, attached(piece, drawn.words))
            else:
                text += map(Tagged, word(self.language, piece, self.draw.random()))
        return text

    def _tagged(self, slot: str, words: tuple[str, ...]) -> list[Tagged]:
        kind = SLOTS[slot]
        if kind not in self.types:
            return [Tagged(word) for word in words]
        return [Tagged(word, f"{'I' if place else 'B'}-{kind}") for place, word in enumerate(words)]

    def _hide(self, text: list[Tagged]) -> None:
        """Puts the invisible word between two others, never inside a name."""
        place = int(self.draw.random() * (len(text) + 1))
        while place < len(text) and text[place].tag.startswith("I-"):
            place += 1
        text.insert(place, Tagged(self.language.invisible))


class _Fillers:
    """What fills the slots of a sentence and of its English counterpart: the same names, the same words."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.names: dict[str, list[Drawn]] = {}
        self.values: dict[str, list[float]] = {}

    def fill(self, pattern: Pattern, language: Lexicon) -> list[str]:
        """The words of a pattern; the n-th slot of a kind has the same filler in every pattern."""
        text: list[str] = []
        counts: dict[str, int] = {}
        for piece in pattern:
            place = counts[piece.slot] = counts.get(piece.slot, -1) + 1
            if not piece.slot:
                text.append(piece.word)
            elif piece.slot in SLOTS:
                name = self._name(piece.slot, piece.form, place)
                own = language is self.draw.language
                text += [*name.before, *attached(piece, name.words)] if own else name.english
            else:
                text += word(language, piece, self._value(piece.slot, place))
        return [word for word, _ in _finished(list(map(Tagged, text)), language)]

    def _name(self, slot: str, form: int, place: int) -> Drawn:
        names = self.names.setdefault(slot, [])
        if place == len(names):
            names.append(self.draw.listed(slot, form, [name.english for name in names]))
        return names[place]

    def _value(self, slot: str, place: int) -> float:
        values = self.values.setdefault(slot, [])
        if place == len(values):
            values.append(self.draw.random())
        return values[place]


def _touching(text: list[Tagged], language: Lexicon) -> list[Tagged]:
    """With words in the form that the next word asks for."""
    for place, (one, (after, _)) in enumerate(pairwise(text)):
        rule = language.contact.get(one.word)
        if rule and rule.before.match(after):
            text[place] = one._replace(word=rule.becomes)
    return text


def _finished(text: list[Tagged], language: Lexicon) -> list[Tagged]:
    """With a capital at the beginning and a full stop at the end."""
    text = _touching(text, language)
    place = 1 if text[0].word == "¿" else 0
    first = text[place]
    upper = "İ" if first.word[0] == "i" and language.code == "tr" else first.word[0].upper()
    stop = [] if text[-1].word in ENDS else [Tagged(language.stop)]
    return [*text[:place], first._replace(word=upper + first.word[1:]), *text[place + 1 :], *stop]
