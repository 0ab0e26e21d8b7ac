"""Scores equal seqeval's, in both readings, on valid and invalid tags alike."""

from __future__ import annotations

import operator
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import nerfiles
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import seqeval_scores

from xner_bench.score import NOTHING, Counts, Spans, count, macro_f1, micro, spans
from xner_bench.tags import tag_names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from xner_bench.score import Reading

TYPES = ("PER", "ORG", "LOC", "DATE")
NAMES = tag_names(TYPES)
READINGS: tuple[Reading, ...] = ("strict", "lenient")
Tags = list[list[int]]  # one list of tag ids a sentence
Place = tuple[int, int, int]  # start, end and type of a span


def flat(sentences: Tags) -> NDArray[np.int64]:
    return np.array([tag for sentence in sentences for tag in sentence], np.int64)


def offsets(sentences: Tags) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, sentences)])


def ours(gold: Tags, predicted: Tags, reading: Reading) -> list[Counts]:
    bounds = offsets(gold)
    return count(spans(flat(gold), bounds, reading), spans(flat(predicted), bounds, reading), len(TYPES))


def found(sentences: Tags, reading: Reading) -> set[Place]:
    """Our spans as (start, end, type), positions counted through the corpus."""
    read = spans(flat(sentences), offsets(sentences), reading)
    return set(zip(*(column.tolist() for column in read), strict=True))


def named(sentences: Tags) -> list[list[str]]:
    return [[NAMES[tag] for tag in sentence] for sentence in sentences]


def theirs(sentences: Tags, reading: Reading) -> set[Place]:
    """seqeval's entities in the same form."""
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.scheme import IOB2, Entities

    bounds = offsets(sentences).tolist()
    if reading == "strict":
        entities = Entities(named(sentences), IOB2).entities
        read = [(e.tag, e.start + bounds[e.sent_id], e.end + bounds[e.sent_id]) for s in entities for e in s]
    else:
        read = [
            (kind, start + bound, end + 1 + bound)
            for names, bound in zip(named(sentences), bounds, strict=False)
            for kind, start, end in get_entities(names)
        ]
    return {(start, end, TYPES.index(kind)) for kind, start, end in read}


def random_corpus(draw: np.random.Generator, lengths: NDArray[np.int64], like: Tags | None = None) -> Tags:
    """Uniformly random tags, mostly ill-formed; with `like`, three of four words keep its tag."""
    corpus = []
    for at, length in enumerate(lengths.tolist()):
        tags = draw.integers(0, len(NAMES), length)
        kept = draw.random(length) < 0.75
        corpus.append(np.where(kept, like[at], tags).tolist() if like is not None else tags.tolist())
    return corpus


def well_formed(draw: np.random.Generator, length: int) -> list[int]:
    tags: list[int] = []
    while len(tags) < length:
        kind = int(draw.integers(0, 2 * len(TYPES)))
        more = int(draw.integers(0, 4))
        tags += [0] if kind >= len(TYPES) else [2 * kind + 1, *[2 * kind + 2] * more]
    return tags[:length]


sentence = st.lists(st.integers(0, len(NAMES) - 1), max_size=9)
Pairs = list[tuple[list[int], list[int]]]  # gold and prediction of each sentence
pairs = st.lists(
    sentence.flatmap(
        lambda tags: st.tuples(
            st.just(tags), st.lists(st.integers(0, len(NAMES) - 1), min_size=len(tags), max_size=len(tags))
        )
    ),
    max_size=5,
)


@pytest.mark.parametrize("reading", READINGS)
@given(st.lists(sentence, max_size=6))
@settings(deadline=None, max_examples=300)
def test_spans_are_those_of_seqeval(reading: Reading, sentences: Tags) -> None:
    assert found(sentences, reading) == theirs(sentences, reading)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("valid", [True, False])
def test_a_thousand_random_sentences_score_as_with_seqeval(reading: Reading, valid: bool) -> None:
    draw = np.random.default_rng(11)
    lengths = draw.integers(0, 25, 1_000)
    gold = [well_formed(draw, int(length)) for length in lengths] if valid else random_corpus(draw, lengths)
    predicted = random_corpus(draw, lengths, like=gold)
    assert found(gold, reading) == theirs(gold, reading)
    assert found(predicted, reading) == theirs(predicted, reading)
    counted = ours(gold, predicted, reading)
    total = micro(counted)
    expected = seqeval_scores(named(gold), named(predicted), reading, "micro")
    assert [total.precision, total.recall, total.f1] == pytest.approx(expected[:3])
    by_type = zip(*seqeval_scores(named(gold), named(predicted), reading, None), strict=True)
    for kind, row in zip(sorted(TYPES), by_type, strict=True):
        one = counted[TYPES.index(kind)]
        assert (one.precision, one.recall, one.f1, one.support) == pytest.approx(row)
    macro = seqeval_scores(named(gold), named(predicted), reading, "macro")[2]
    assert macro_f1(dict(zip(TYPES, counted, strict=True))) == pytest.approx(macro)


@pytest.mark.parametrize("reading", READINGS)
def test_a_hundred_thousand_random_sequences_score_as_with_seqeval(reading: Reading) -> None:
    draw = np.random.default_rng(5)
    bounds = np.concatenate(([0], np.cumsum(draw.integers(0, 7, 100_000))))
    gold, predicted = (random_runs(draw, int(bounds[-1])) for _ in range(2))
    gold = repaired(gold, bounds, upto=75_000)
    predicted = repaired(np.where(draw.random(len(gold)) < 0.75, gold, predicted), bounds, upto=50_000)
    assert_scored_as_with_seqeval(split(gold, bounds), split(predicted, bounds), reading)


def random_runs(draw: np.random.Generator, length: int) -> NDArray[np.int64]:
    """Random tags whose types come in runs of one to three words, two in three of them I-."""
    kinds = np.repeat(draw.integers(-1, len(TYPES), length), draw.integers(1, 4, length))[:length]
    return np.where(kinds < 0, 0, 2 * kinds + 1 + (draw.random(length) < 2 / 3))


def repaired(tags: NDArray[np.int64], bounds: NDArray[np.int64], upto: int) -> NDArray[np.int64]:
    """Well-formed in the first `upto` sentences: an I- without its type before it becomes B-."""
    kinds = (tags - 1) // 2
    before = np.concatenate(([-1], kinds[:-1]))
    before[bounds[:-1][bounds[:-1] < len(tags)]] = -1
    orphan = (tags > 0) & (tags % 2 == 0) & (kinds != before)
    return tags - (orphan & (np.arange(len(tags)) < bounds[upto]))


def split(tags: NDArray[np.int64], bounds: NDArray[np.int64]) -> Tags:
    """Tags end to end as a list for each sentence."""
    whole, places = tags.tolist(), bounds.tolist()
    return [whole[start:end] for start, end in pairwise(places)]


def assert_scored_as_with_seqeval(gold: Tags, predicted: Tags, reading: Reading) -> None:
    """The same entities, and so the same counts by type."""
    true, guessed = theirs(gold, reading), theirs(predicted, reading)
    assert found(gold, reading) == true
    assert found(predicted, reading) == guessed
    counts = ours(gold, predicted, reading)
    for kind, counted in enumerate(counts):
        t, g = ({span for span in of if span[2] == kind} for of in (true, guessed))
        assert counted == (len(t & g), len(g - t), len(t - g))


# WikiANN's Japanese has hundreds of orphan I-, MasakhaNER has dates and sentences of hundreds of words.
REAL = ("wikiann/en/test.tsv", "wikiann/ja/dev.tsv", "masakhaner/pcm/dev.txt", "masakhaner/yor/test.txt")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", REAL)
def test_real_files_score_as_with_seqeval(name: str, reading: Reading, nerdata: Path) -> None:
    gold = real_tags(nerdata / name)[:3_000]
    predicted = random_corpus(np.random.default_rng(3), np.array([len(tags) for tags in gold]), like=gold)
    assert_scored_as_with_seqeval(gold, predicted, reading)


@pytest.mark.full
@pytest.mark.parametrize("reading", READINGS)
def test_every_real_file_scores_as_with_seqeval(reading: Reading, nerdata: Path) -> None:
    for path in nerfiles.paths(nerdata):
        gold = real_tags(path)
        predicted = random_corpus(np.random.default_rng(3), np.array([len(tags) for tags in gold]), like=gold)
        assert_scored_as_with_seqeval(gold, predicted, reading)


def real_tags(path: Path) -> Tags:
    """The tags of a file as they are spelt there, unrepaired."""
    ids = {name: number for number, name in enumerate(NAMES)}
    ends = (
        [line.rpartition("\t" if path.suffix == ".tsv" else " ")[2] for line in block.split("\n")]
        for block in nerfiles.blocks(path)
    )
    return [[ids[tag] for tag in tags] for tags in ends]


@pytest.mark.parametrize("reading", READINGS)
@given(pairs)
@settings(deadline=None, max_examples=150)
def test_counts_are_intersections_of_seqevals_entities(reading: Reading, corpus: Pairs) -> None:
    gold, predicted = [g for g, _ in corpus], [p for _, p in corpus]
    true, guessed = theirs(gold, reading), theirs(predicted, reading)
    for kind, counted in enumerate(ours(gold, predicted, reading)):
        t, g = ({span for span in of if span[2] == kind} for of in (true, guessed))
        assert counted == (len(t & g), len(g - t), len(t - g))


@given(pairs)
@settings(deadline=None, max_examples=100)
def test_gold_and_prediction_swapped_swap_precision_and_recall(corpus: Pairs) -> None:
    gold, predicted = [g for g, _ in corpus], [p for _, p in corpus]
    for reading in READINGS:
        for there, back in zip(ours(gold, predicted, reading), ours(predicted, gold, reading), strict=True):
            assert (there.precision, there.recall, there.f1) == (back.recall, back.precision, back.f1)


@pytest.mark.parametrize(
    ("tags", "strict", "lenient"),
    [
        ([2, 2], [], [(0, 2, 0)]),  # orphan I-
        ([1, 2, 2], [(0, 3, 0)], [(0, 3, 0)]),
        ([1, 1], [(0, 1, 0), (1, 2, 0)], [(0, 1, 0), (1, 2, 0)]),  # two of a type, touching
        ([1, 4, 4], [(0, 1, 0)], [(0, 1, 0), (1, 3, 1)]),  # I- of another type
        ([2, 1, 2], [(1, 3, 0)], [(0, 1, 0), (1, 3, 0)]),
        ([1, 0, 2], [(0, 1, 0)], [(0, 1, 0), (2, 3, 0)]),
        ([0, 0], [], []),
        ([], [], []),
    ],
)
def test_the_two_readings(tags: list[int], strict: list[Place], lenient: list[Place]) -> None:
    assert sorted(found([tags], "strict")) == strict
    assert sorted(found([tags], "lenient")) == lenient


def test_nothing_goes_on_across_a_sentences_end() -> None:
    assert found([[1], [2]], "strict") == {(0, 1, 0)}
    assert found([[1], [2]], "lenient") == {(0, 1, 0), (1, 2, 0)}
    assert found([[1], [], [], [2], []], "lenient") == {(0, 1, 0), (1, 2, 0)}


@pytest.mark.parametrize("corpus", [[], [[]], [[], [], []]])
def test_an_empty_corpus_has_counts_of_nothing(corpus: Tags) -> None:
    assert ours(corpus, corpus, "strict") == [NOTHING] * len(TYPES)


def test_a_span_of_a_whole_long_sentence_is_one_span() -> None:
    long = [[0] * 5, [1, *[2] * 99_999], [0]]
    assert ours(long, long, "strict")[0] == (1, 0, 0)
    assert ours(long, [[0] * 5, [1, *[2] * 99_998, 0], [0]], "strict")[0] == (0, 1, 1)


def test_scores_without_a_meaning_are_none() -> None:
    assert (NOTHING.precision, NOTHING.recall, NOTHING.f1) == (None, None, None)
    missed = Counts(0, 0, 3)
    assert (missed.precision, missed.recall, missed.f1, missed.support) == (None, 0.0, 0.0, 3)
    invented = Counts(0, 2, 0)
    assert (invented.precision, invented.recall, invented.f1, invented.support) == (0.0, None, 0.0, 0)


def test_macro_is_over_a_fixed_list_of_types() -> None:
    whole, half = Counts(3, 0, 0), Counts(1, 1, 1)
    assert macro_f1({"PER": whole, "ORG": half}) == 0.75
    assert macro_f1({"PER": whole, "ORG": Counts(0, 0, 2)}) == 0.5
    assert macro_f1({"PER": whole, "ORG": NOTHING}) is None
    assert macro_f1({}) is None


def test_counts_add_up() -> None:
    counts = {"PER": Counts(1, 2, 3), "ORG": Counts(10, 20, 30)}
    assert micro(counts) == micro(list(counts.values())) == (11, 22, 33)
    assert micro([]) == NOTHING
    with pytest.raises(TypeError):
        operator.add(Counts(1, 2, 3), (1, 2, 3))


def test_many_types_and_positions_do_not_collide() -> None:
    far = 300_000_000  # beyond 2**24 words times types, where keys of 32 bits would meet
    one = Spans(np.array([0, far]), np.array([2, far + 1]), np.array([0, 49]))
    assert micro(count(one, one, 50)) == (2, 0, 0)
    step = np.array([0, 1])
    moved = [
        one._replace(start=one.start + step, end=one.end + step),
        one._replace(end=one.end + step),
        one._replace(type=one.type - step),
    ]
    assert [micro(count(one, other, 50)) for other in moved] == [(1, 1, 1)] * 3


def test_scoring_imports_no_torch() -> None:
    code = "import sys, xner_bench.score; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
