"""Tag schemes, the repair policy and harmonization."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from xner_bench import tags
from xner_bench.tags import BadTag, Converter, Scheme, Span

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
TYPES = ("PER", "ORG", "LOC")


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans that do not overlap, and the length of their sentence."""
    pieces = draw(st.lists(st.tuples(st.sampled_from(("", *TYPES)), st.integers(1, 4)), max_size=8))
    spans, length = [], 0
    for type_, size in pieces:
        if type_:
            spans.append(Span(type_, length, length + size))
        length += size
    return spans, length


def any_tags(scheme: Scheme) -> st.SearchStrategy[list[str]]:
    """Any sequence of the scheme's tags, mostly invalid ones."""
    letters = sorted({"B", *tags.SCHEMES[scheme]})
    known = ["O", *(f"{letter}-{type_}" for letter, type_ in itertools.product(letters, TYPES[:2]))]
    return st.lists(st.sampled_from(known), max_size=9)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(sentence=sentences())
def test_spans_written_are_the_spans_read(scheme: Scheme, sentence: tuple[list[Span], int]) -> None:
    spans, length = sentence
    assert tags.spans(tags.write(spans, length, scheme), scheme) == spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(sentence=sentences())
def test_valid_tags_are_converted_without_a_repair(scheme: Scheme, sentence: tuple[list[Span], int]) -> None:
    spans, length = sentence
    converted = Converter(scheme, TYPES, {})(tuple(tags.write(spans, length, scheme)))
    assert converted == (tuple(tags.write(spans, length, "iob2")), 0)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_any_tags_become_valid_ones_that_stay_as_they_are(scheme: Scheme, data: st.DataObject) -> None:
    once = Converter(scheme, TYPES, {})(tuple(data.draw(any_tags(scheme))))
    assert Converter("iob2", TYPES, {})(once.tags) == (once.tags, 0)


@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
@given(data=st.data())
def test_invalid_tags_are_read_as_seqeval_reads_them_leniently(scheme: Scheme, data: st.DataObject) -> None:
    sequence = data.draw(any_tags(scheme))
    expected = [Span(type_, start, last + 1) for type_, start, last in get_entities(sequence)]
    assert tags.spans(sequence, scheme) == expected


@pytest.mark.parametrize(
    ("raw", "repaired", "number"),
    [
        ("O I-PER I-PER", "O B-PER I-PER", 1),
        ("B-PER I-LOC I-LOC", "B-PER B-LOC I-LOC", 1),
        ("I-PER O I-PER", "B-PER O B-PER", 2),
        ("B-PER B-PER I-PER", "B-PER B-PER I-PER", 0),
        ("", "", 0),
    ],
)
def test_an_orphan_inside_tag_opens_a_span_and_is_counted(raw: str, repaired: str, number: int) -> None:
    assert Converter("iob2", TYPES, {})(tuple(raw.split())) == (tuple(repaired.split()), number)


@pytest.mark.parametrize(
    ("scheme", "raw", "converted"),
    [
        ("iob1", "I-PER I-PER B-PER O I-LOC I-ORG", "B-PER I-PER B-PER O B-LOC B-ORG"),
        ("iobes", "S-PER B-PER E-PER O B-LOC I-LOC E-LOC", "B-PER B-PER I-PER O B-LOC I-LOC I-LOC"),
    ],
)
def test_other_schemes_are_written_in_iob2(scheme: Scheme, raw: str, converted: str) -> None:
    assert Converter(scheme, TYPES, {})(tuple(raw.split())) == (tuple(converted.split()), 0)


def test_a_dropped_type_leaves_no_trace() -> None:
    convert = Converter("iob2", TYPES, {"DATE": "O"})
    assert convert(("B-DATE", "I-DATE", "B-PER", "I-PER")).tags == ("O", "O", "B-PER", "I-PER")


def test_neighbours_that_become_one_type_stay_two_spans() -> None:
    convert = Converter("iob2", TYPES, {"GPE": "LOC"})
    assert convert(("B-GPE", "I-GPE", "B-LOC")).tags == ("B-LOC", "I-LOC", "B-LOC")
    assert convert(("B-LOC", "I-GPE")).tags == ("B-LOC", "B-LOC")


def test_a_type_of_no_suite_is_an_error_that_says_which() -> None:
    with pytest.raises(BadTag, match="'I-MISC' has a type that is not among LOC, ORG, PER") as caught:
        Converter("iob2", TYPES, {})(("O", "O", "I-MISC"))
    assert caught.value.position == 2
    with pytest.raises(BadTag, match="'B-GPE', harmonized to PLACE,"):
        Converter("iob2", TYPES, {"GPE": "PLACE"})(("B-GPE",))


@pytest.mark.parametrize("tag", ["", "PER", "X-PER", "B-", "-PER", "b-PER", "o", "E-PER", "B_PER", "B"])
def test_what_is_no_tag_of_the_scheme_is_an_error(tag: str) -> None:
    with pytest.raises(BadTag, match="is not of the scheme IOB2") as caught:
        tags.spans(["O", tag])
    assert caught.value.position == 1


def test_types_may_hold_a_dash() -> None:
    assert tags.spans(["B-EVENT-2", "I-EVENT-2"]) == [Span("EVENT-2", 0, 2)]


def test_tag_names_are_in_the_order_of_their_ids() -> None:
    assert tags.tag_names(("PER", "LOC")) == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
