"""The bundled mini corpora: the same everywhere, what their cards say, and fit to test with."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import pytest

from xner_bench import catalogue
from xner_bench.errors import XnerError
from xner_bench.mini import generate, lexicon

if TYPE_CHECKING:
    from collections.abc import Callable

    from xner_bench.corpus import Sentence

DATASETS = ("mini-wikiann", "mini-masakhaner")
CARDS = {name: catalogue.load().card(name) for name in DATASETS}
LANGUAGES = [(name, code) for name in DATASETS for code in CARDS[name].languages]
CODES = [code for _, code in LANGUAGES]
LONG = ("ar", "de", "en", "es", "fr", "ru", "swa", "zh")
SCRIPTS = {
    "Arab": "ARABIC",
    "Cyrl": "CYRILLIC",
    "Deva": "DEVANAGARI",
    "Ethi": "ETHIOPIC",
    "Grek": "GREEK",
    "Hani": "CJK",
    "Latn": "LATIN",
}

# Of all splits. Whoever changes what is generated changes the numbers of the suite `quick`, and trains the mini encoder
# anew: on purpose only.
DIGEST = "8e7ad07204da0ee2e530639a12134ad1a2277fc79554e9480bec00196b430b68"
DIGEST_COMMAND = """
import hashlib
from xner_bench import catalogue
from xner_bench.mini import generate
digest = hashlib.sha256()
for name in ("mini-wikiann", "mini-masakhaner"):
    for code in catalogue.load().card(name).languages:
        for split in ("train", "dev", "test"):
            digest.update(repr([tuple(s) for s in generate.sentences(name, code, split)]).encode())
print(digest.hexdigest())
"""


@cache
def split(name: str, code: str, which: str) -> list[Sentence]:
    return generate.sentences(name, code, which)


def test_everything_is_pinned() -> None:
    """In another process, with other hashes of strings."""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    found = subprocess.run(
        [sys.executable, "-c", DIGEST_COMMAND], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == DIGEST


def test_one_split_does_not_depend_on_others() -> None:
    first = hashlib.sha256(repr(generate.sentences("mini-wikiann", "tr", "dev")).encode()).hexdigest()
    generate.plain("tr", 20, 1)
    generate.sentences("mini-wikiann", "tr", "test")
    again = hashlib.sha256(repr(generate.sentences("mini-wikiann", "tr", "dev")).encode()).hexdigest()
    assert first == again


@pytest.mark.parametrize(("name", "code"), LANGUAGES)
class TestLanguage:
    def test_sizes_are_the_cards(self, name: str, code: str) -> None:
        language = CARDS[name].language(code)
        counts = {which: len(split(name, code, which)) for which in catalogue.SPLITS}
        assert counts == {"train": language.train, "dev": language.dev, "test": language.test}

    def test_tags_are_iob2_of_the_cards_types(self, name: str, code: str) -> None:
        types = CARDS[name].types
        for which in catalogue.SPLITS:
            for words, tags in split(name, code, which):
                assert len(words) == len(tags) > 0
                assert all(words)
                for before, tag in zip(("O", *tags), tags, strict=False):
                    assert tag == "O" or (tag[:2] in ("B-", "I-") and tag[2:] in types)
                    assert not tag.startswith("I-") or before[2:] == tag[2:]

    def test_every_type_occurs_in_dev_and_test(self, name: str, code: str) -> None:
        for which in ("dev", "test"):
            found = {tag[2:] for sentence in split(name, code, which) for tag in sentence.tags}
            assert found == {"", *CARDS[name].types}

    def test_no_sentence_twice(self, name: str, code: str) -> None:
        words = [sentence.words for which in catalogue.SPLITS for sentence in split(name, code, which)]
        assert len(words) == len(set(words))

    def test_letters_are_of_the_declared_script(self, name: str, code: str) -> None:
        script = SCRIPTS[CARDS[name].language(code).script]
        letters = Counter(
            unicodedata.name(letter, "").split()[0]
            for sentence in split(name, code, "test")
            for word in sentence.words
            for letter in word
            if letter.isalpha()
        )
        assert letters[script] >= 0.95 * letters.total()

    def test_text_is_normalized(self, name: str, code: str) -> None:
        words = {word for sentence in split(name, code, "test") for word in sentence.words}
        assert all(unicodedata.is_normalized("NFC", word) and not any(map(str.isspace, word)) for word in words)

    def test_encoders_do_not_read_dev_and_test(self, name: str, code: str) -> None:
        held_out = {sentence.words for which in ("dev", "test") for sentence in split(name, code, which)}
        read = {tuple(words) for seed in (0, 1) for words in generate.plain(code, 300, seed)}
        assert not read & held_out
        english = {sentence.words for which in ("dev", "test") for sentence in split("mini-wikiann", "en", which)}
        stop = lexicon.read(code).stop
        for line in map(tuple, generate.comparable(code, 300, 0)):
            ends = [place for place, word in enumerate(line, 1) if word == stop]
            assert not held_out & {line, *(line[:end] for end in ends)}
            assert not english & {line[end:] for end in ends}

    def test_some_sentences_have_no_name(self, name: str, code: str) -> None:
        assert any(set(sentence.tags) == {"O"} for sentence in split(name, code, "test"))

    def test_parallel_patterns_agree(self, name: str, code: str) -> None:
        own, english = lexicon.read(code).parallel, lexicon.read("en").parallel
        assert own.keys() == english.keys()
        for key, pattern in own.items():
            assert slots(pattern) == slots(english[key]), key

    def test_word_lists_of_parallel_patterns_agree(self, name: str, code: str) -> None:
        own, english = lexicon.read(code).words, lexicon.read("en").words
        used = {slot for pattern in lexicon.read("en").parallel.values() for slot in slots(pattern)}
        for slot in used & english.keys():
            assert len(own[slot]) == len(english[slot]), slot

    def test_every_shared_name_is_spelled_in_the_script(self, name: str, code: str) -> None:
        """Latin script may take the English spelling; others take it for companies only."""
        script = SCRIPTS[CARDS[name].language(code).script]
        for slot, names in lexicon.read(code).shared.items():
            for shared in names:
                letters = [letter for word in shared.forms[0].words for letter in word if letter.isalpha()]
                fits = all(unicodedata.name(letter).startswith(script) for letter in letters)
                assert fits or slot in ("COMPANY", "BODY"), shared


def slots(pattern: lexicon.Pattern) -> Counter[str]:
    return Counter(piece.slot for piece in pattern if piece.slot)


def test_dates_are_in_mini_masakhaner_only() -> None:
    assert "DATE" not in CARDS["mini-wikiann"].types
    assert CARDS["mini-masakhaner"].harmonize == {"DATE": "O"}


def test_names_of_dev_and_test_only() -> None:
    def surfaces(which: str) -> list[tuple[str, ...]]:
        return [name for sentence in split("mini-wikiann", "en", which) for name in names(sentence)]

    known = set(surfaces("train"))
    unknown = [name for name in surfaces("test") if name not in known]
    assert 0.2 < len(unknown) / len(surfaces("test")) < 0.6
    words = {word for name in known for word in name}
    assert 0.03 < sum(not words & set(name) for name in unknown) / len(surfaces("test")) < 0.25


def names(sentence: Sentence) -> list[tuple[str, ...]]:
    found: list[list[str]] = []
    for word, tag in zip(*sentence, strict=True):
        if tag.startswith("B-"):
            found.append([word])
        elif tag.startswith("I-"):
            found[-1].append(word)
    return list(map(tuple, found))


def test_names_of_two_types() -> None:
    kinds: dict[str, set[str]] = {}
    for words, tags in split("mini-wikiann", "en", "train"):
        for word, tag in zip(words, tags, strict=True):
            kinds.setdefault(word, set()).add(tag[2:])
    assert {"PER", "LOC"} <= kinds["Jordan"] & kinds["Washington"]
    assert {"LOC", "ORG"} <= kinds["Liverpool"]


@pytest.mark.parametrize("code", LONG)
def test_long_sentences(code: str) -> None:
    name = {code: name for name, code in LANGUAGES}[code]
    everything = [sentence for which in catalogue.SPLITS for sentence in split(name, code, which)]
    assert max(len(sentence.words) for sentence in everything) > 60


def test_invisible_words() -> None:
    words = [
        (word, tag) for sentence in split("mini-wikiann", "ar", "test") for word, tag in zip(*sentence, strict=True)
    ]
    assert {tag for word, tag in words if word == "\u200e"} == {"O"}


def test_chinese_words_are_characters() -> None:
    assert {len(word) for sentence in split("mini-wikiann", "zh", "test") for word in sentence.words} == {1}


def test_comparable_lines_hold_english_names() -> None:
    lines = [" ".join(line) for line in generate.comparable("ru", 2000, 3)]
    assert "Москва ( Moscow )" in lines[::2]
    assert any("was born in" in line for line in lines[1::2])


def test_seeds_differ() -> None:
    assert generate.plain("swa", 50, 1) == generate.plain("swa", 50, 1) != generate.plain("swa", 50, 2)
    assert generate.comparable("el", 50, 1) != generate.comparable("el", 50, 2)


@pytest.mark.parametrize(
    ("name", "code", "which", "message"),
    [
        ("mini-wikian", "en", "dev", "mini-wikiann"),
        ("mini-wikiann", "xx", "dev", "no language of mini-wikiann"),
        ("mini-masakhaner", "en", "dev", "no language of mini-masakhaner"),
        ("mini-wikiann", "en", "validation", "train"),
        ("wikiann", "en", "dev", "bundled"),
    ],
)
def test_what_there_is_not(name: str, code: str, which: str, message: str) -> None:
    with pytest.raises(XnerError, match=message):
        generate.sentences(name, code, which)


@pytest.mark.parametrize("make", [generate.plain, generate.comparable])
def test_unknown_language_of_text(make: Callable[[str, int, int], list[list[str]]]) -> None:
    with pytest.raises(XnerError, match="xx"):
        make("xx", 1, 0)
