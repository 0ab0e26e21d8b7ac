"""Entity-mention replacement: what changes, what stays, and that nothing but the texts decides it."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from xner_bench import catalogue, corpus
from xner_bench.corpus import Sentence
from xner_bench.perturb import Perturbed, Pool, perturb
from xner_bench.tags import spans

if TYPE_CHECKING:
    from pathlib import Path

TYPES = ("PER", "LOC")


def sentence(text: str) -> Sentence:
    """`Ann/B-PER Lee/I-PER sleeps` as a sentence."""
    pairs = [word.partition("/") for word in text.split()]
    return Sentence(tuple(word for word, _, _ in pairs), tuple(tag or "O" for _, _, tag in pairs))


VILLAGE = [
    sentence("Ann/B-PER Lee/I-PER left Oslo/B-LOC ."),
    sentence("Bo/B-PER Cy/B-PER slept"),
    sentence("New/B-LOC York/I-LOC City/I-LOC"),
    sentence("nobody came"),
    sentence("Bo/B-PER left Oslo/B-LOC ."),
]


def mentions(one: Sentence) -> list[tuple[str, tuple[str, ...]]]:
    return [(span.type, one.words[span.start : span.stop]) for span in spans(one.tags)]


def others(one: Sentence) -> list[str]:
    """The words outside of entities."""
    return [word for word, tag in zip(*one, strict=True) if tag == "O"]


def drawn(draw: random.Random, size: int = 60) -> list[Sentence]:
    """Sentences of random entities, touching ones and repeated ones among them."""
    made = []
    for _ in range(size):
        words: list[str] = []
        tags: list[str] = []
        for _ in range(draw.randint(0, 4)):
            kind, length = draw.choice(("O", *TYPES)), draw.randint(1, 3)
            words += draw.choices("abc", k=length)
            tags += ["O"] * length if kind == "O" else [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        made.append(Sentence((*words, "."), (*tags, "O")))
    return made


def check(before: list[Sentence], after: Perturbed, pool: list[Sentence]) -> None:
    """All that must hold of any replacement."""
    known = {mention for one in pool for mention in mentions(one)}
    kept = 0
    for old, new in zip(before, after.sentences, strict=True):
        assert len(new.words) == len(new.tags)
        assert others(old) == others(new)
        for (kind, words), (new_kind, new_words) in zip(mentions(old), mentions(new), strict=True):
            assert kind == new_kind
            kept += words == new_words
            assert words == new_words or (kind, new_words) in known
            if words == new_words:
                assert not {mention for mention in known if mention[0] == kind} - {(kind, words)}
    assert after.kept == kept
    assert after.replaced + after.kept == sum(len(mentions(one)) for one in before)


@pytest.mark.parametrize("seed", range(20))
def test_only_entities_change_each_to_another_of_its_type_and_tags_follow_the_length(seed: int) -> None:
    draw = random.Random(seed)
    texts, strangers = drawn(draw), drawn(draw)
    for pool in (texts, strangers, [*texts, *strangers]):
        check(texts, perturb(texts, Pool([pool]), "in-language"), pool)


def test_a_sentence_reads_as_one_would_write_it() -> None:
    pool = Pool([[sentence("Bo/B-PER"), sentence("New/B-LOC York/I-LOC")]])
    made = perturb(VILLAGE[:1], pool, "in-language")
    assert made == ([sentence("Bo/B-PER left New/B-LOC York/I-LOC .")], 2, 0)


def test_an_entity_stays_where_there_is_no_other_and_is_counted() -> None:
    alone = [sentence("Ann/B-PER and Ann/B-PER left Oslo/B-LOC")]
    assert perturb(alone, Pool([alone]), "in-language") == (alone, 0, 3)
    assert perturb(alone, Pool([]), "in-language") == (alone, 0, 3)


def test_the_same_texts_give_the_same_whatever_their_order() -> None:
    corpora = [drawn(random.Random(number)) for number in range(3)]
    first = perturb(corpora[0], Pool(corpora), "in-script")
    assert perturb(corpora[0], Pool(reversed(corpora)), "in-script") == first
    backwards = perturb(corpora[0][::-1], Pool([one[::-1] for one in corpora]), "in-script")
    assert Counter(backwards.sentences) == Counter(first.sentences)


def test_a_sentence_does_not_depend_on_what_stands_beside_it() -> None:
    pool = Pool([VILLAGE])
    whole = perturb(VILLAGE, pool, "in-language").sentences
    assert [perturb([one], pool, "in-language").sentences[0] for one in VILLAGE] == whole


def test_names_seeds_and_copies_draw_for_themselves() -> None:
    texts = drawn(random.Random(1), 200)
    pool = Pool([drawn(random.Random(2), 200)])
    made = [perturb(texts, pool, name, seed).sentences for name in ("in-script", "in-family") for seed in (0, 1)]
    assert all(one != other for at, one in enumerate(made) for other in made[:at])
    assert len(set(perturb(VILLAGE[:1] * 50, Pool([texts, VILLAGE]), "in-script").sentences)) > 25


def test_these_are_the_draws_of_every_version() -> None:
    made = perturb(VILLAGE, Pool([VILLAGE]), "in-language")
    assert [" ".join(one.words) for one in made.sentences] == [
        "Bo left New York City .",
        "Ann Lee Ann Lee slept",
        "Oslo",
        "nobody came",
        "Cy left New York City .",
    ]


def test_every_other_occurrence_has_one_number() -> None:
    texts = drawn(random.Random(3), 200)
    pool = Pool([texts])
    for kind in TYPES:
        every = [words for one in texts for other, words in mentions(one) if other == kind]
        for words in {*every, ("nowhere",)}:
            wanted = Counter(other for other in every if other != words)
            assert Counter(pool.other(kind, words, number) for number in range(wanted.total())) == wanted


@pytest.mark.parametrize("name", ["masakhaner:hau", "wikiann:am"])
def test_real_texts(name: str, nerdata: Path) -> None:
    card, language = catalogue.load().language(name)
    read = corpus.load(
        card, language, "test", corpus.Places(nerdata, offline=True), types=card.types, harmonize={}
    ).sentences
    made = perturb(read, Pool([read]), "in-language")
    check(read, made, read)
    assert made.replaced > 0.99 * (made.replaced + made.kept)
