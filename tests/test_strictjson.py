"""JSON from strangers: what `run` writes is read as it is, and what some reader may take otherwise is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xner_bench.leaderboard import strictjson

TEXT = st.text(st.characters(exclude_categories=strictjson.FORBIDDEN), max_size=20)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=9
)


@given(VALUES)
def test_plain_values_are_read_as_they_are(value: object) -> None:
    assert strictjson.parse(json.dumps(value).encode()) == value
    assert strictjson.parse(json.dumps(value, ensure_ascii=False).encode()) == value


HOSTILE = {
    "nothing": b"",
    "two values": b"{} {}",
    "trailing comma": b"[1,]",
    "comment": b"[1] // x",
    "single quotes": b"{'a': 1}",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": [-Infinity]}',
    "infinite by its size": b'{"a": 1e999}',
    "huge number": b'{"a": 9223372036854775808}',
    "endless number": b'{"a": ' + b"9" * 100_000 + b"}",
    "key twice": b'{"a": 1, "b": 2, "a": 3}',
    "key twice, spelt otherwise": b'{"a": 1, "\\u0061": 3}',
    "key twice inside": b'[{"x": {"a": 1, "a": 1}}]',
    "deep": b"[" * 14 + b"]" * 14,
    "very deep": b"[" * 100_000 + b"]" * 100_000,
    "very deep, objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep and open": b"[" * 2_000_000,
    "not UTF-8": b'"\xff"',
    "UTF-16": '"a"'.encode("utf-16"),
    "half a character": b'"\\ud800"',
    "null byte": b'"a\\u0000b"',
    "escape sequence": b'"\\u001b[31mred"',
    "escape sequence in a key": b'{"\\u001b]0;x\\u0007": 1}',
    "C1 control": b'"\\u009b31m"',
    "line break": b'"a\\nb"',
    "line separator": b'"a\\u2028b"',
    "other direction": b'"a\\u202eb"',
    "isolate": b'"a\\u2066b"',
    "zero width": b'"a\\u200bb"',
    "tag characters": '"a\U000e0041"'.encode(),
    "long text": b'"' + b"a" * 5_000 + b'"',
    "byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_may_be_taken_otherwise_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        strictjson.parse(HOSTILE[name])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["café", "日本語", "نص", "क्‍ष", "👍🏽", "a b"])
def test_names_in_all_scripts_are_read(text: str) -> None:
    assert strictjson.parse(json.dumps([text]).encode()) == [text]
