"""YAML that means what it looks like, and errors that name file and line."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from xner_bench import yamlfile
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from pathlib import Path


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    test: int = Field(ge=0)
    rate: float = 0.5
    on: bool = True


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    parts: dict[str, Part]
    tags: tuple[str, ...] = ()


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """PyYAML with and without libyaml: both must read alike."""
    if not hasattr(yaml, request.param):
        pytest.skip(f"this PyYAML has no {request.param}")
    monkeypatch.setattr(yamlfile, "LOADER", getattr(yaml, request.param))
    return str(request.param)


def read(folder: Path, text: str | bytes) -> Any:
    path = folder / "file.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return yamlfile.read(path).value


def refusal(folder: Path, text: str | bytes) -> str:
    """The message, from the file's name on; one line."""
    with pytest.raises(XnerError) as caught:
        read(folder, text)
    return one_line(folder, caught.value)


def one_line(folder: Path, error: XnerError) -> str:
    message = str(error)
    assert message.isprintable()
    return message.removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        *((text, text) for text in ("yes", "no", "on", "off", "y", "n", "True", "FALSE", "Null", "NULL")),
        ("null", None),
        ("~", None),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("5e-6", 5e-6),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.25", -0.25),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        *(
            (text, text)
            for text in (
                "0777",
                "007",
                "0o17",
                "0x1f",
                "0b1",
                "1_000",
                "12:30:45",
                "2020-01-01",
                "inf",
                "nan",
            )
        ),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("<<", "<<"),
        ("=", "="),
        ("'no'", "no"),
        ('"1"', "1"),
        ('"true"', "true"),
        ("१२", "१२"),
    ],
)
def test_a_scalar_means_what_it_looks_like(tmp_path: Path, loader: str, text: str, value: object) -> None:
    found = read(tmp_path, f"key: {text}\n")["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text(tmp_path: Path, loader: str) -> None:
    assert read(tmp_path, "no: a\n1: b\ntrue: c\nnull: d\n1e-5: e\n") == {
        "no": "a",
        "1": "b",
        "true": "c",
        "null": "d",
        "1e-5": "e",
    }


def test_empty_values_are_none(tmp_path: Path, loader: str) -> None:
    assert read(tmp_path, "a:\nb: {c: , d: ''}\n") == {"a": None, "b": {"c": None, "d": ""}}


def test_a_byte_order_mark_is_skipped(tmp_path: Path, loader: str) -> None:
    assert read(tmp_path, "\ufeffname: x\n") == {"name": "x"}


def test_windows_line_ends(tmp_path: Path, loader: str) -> None:
    assert read(tmp_path, b"a: 1\r\nb: two\r\n") == {"a": 1, "b": "two"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file.yaml: the file is empty"),
        ("# a comment only\n", "file.yaml: the file is empty"),
        ("---\n", "file.yaml: the file is empty"),
        ("a: 1\nb: 2\na: 3\n", "file.yaml:3: duplicate key 'a', first on line 1"),
        ("x:\n  - {no: 1,\n     'no': 2}\n", "file.yaml:3: duplicate key 'no', first on line 2"),
        ("a: 1\n1: 2\n'1': 3\n", "file.yaml:3: duplicate key '1', first on line 2"),
        (
            "a: 1\nb: &x 2\n",
            "file.yaml:2: not accepted: the anchor &x; write the value out where it is needed",
        ),
        ("a: 1\n\nb: *x\n", "file.yaml:3: not accepted: the alias *x; write the value out"),
        ("*x : 1\n", "file.yaml:1: not accepted: the alias *x; write the value out"),
        (
            "a: !!python/object/apply:os.system ['true']\n",
            "file.yaml:1: not accepted: the tag tag:yaml.org,2002:python/",
        ),
        ("a:\n  b: !!str 5\n", "file.yaml:2: not accepted: the tag tag:yaml.org,2002:str; plain values only"),
        ("!!python/name:os.system : 1\n", "file.yaml:1: not accepted: the tag"),
        ("a: !mine {b: 1}\n", "file.yaml:1: not accepted: the tag !mine"),
        ("a: 1\n---\nb: 2\n", "file.yaml:2: not accepted: a second document; a file holds one"),
        ("? [a, b]\n: 1\n", "file.yaml:1: not accepted: a list or mapping as a key; keys are text"),
        ('a: 1\nb: "\\e[2J"\n', "file.yaml:2: not accepted: the control character '\\x1b'"),
        ('a: 1\n"\\a": 2\n', "file.yaml:2: not accepted: the control character '\\x07'"),
        ("a:\n\tb: 1\n", "file.yaml:2: a tab in the indentation; indent with spaces"),
        ("a: 1\nb: {\n", "file.yaml:3: "),
        ("a: b: c\n", "file.yaml:1: mapping values are not allowed"),
        ("a: 'x\n", "file.yaml:2: found unexpected end of stream"),
        ("a: 1\nb: \x00\n", "file.yaml:2: unacceptable character #x0000"),
        (b"a: 1\nb: caf\xe9\n", "file.yaml:2: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("a: 1\n".encode("utf-16"), "file.yaml:1: byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_is_refused_is_named_with_its_line(tmp_path: Path, loader: str, text: str | bytes, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor(tmp_path: Path, loader: str) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    assert refusal(tmp_path, f"a0: &a0 x\n{levels}\n").startswith("file.yaml:1: not accepted: the anchor &a0")


@pytest.mark.parametrize("deep", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused(tmp_path: Path, deep: str) -> None:
    assert "file.yaml:1: not accepted: nesting deeper than 20 levels" in refusal(tmp_path, deep)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "none.yaml", "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(XnerError, match=reason):
            yamlfile.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\nparts:\n  no: {test: 1}\n  am:\n    test: many\n",
            "5: parts.am.test: Input should be a valid int",
        ),
        ("name: a\nparts: {am: {test: '1'}}\n", "2: parts.am.test: Input should be a valid int"),
        ("name: a\nparts: {am: {test: 0777}}\n", "2: parts.am.test: Input should be a valid int"),
        ("name: a\nparts: {am: {test: true}}\n", "2: parts.am.test: Input should be a valid int"),
        ("name: a\nparts: {am: {test: 1.5}}\n", "2: parts.am.test: Input should be a valid int"),
        ("name: a\nparts: {am: {test: 1, on: yes}}\n", "2: parts.am.on: Input should be a valid boolean"),
        (
            "name: a\nparts: {am: {test: 1, rate: 1e-5x}}\n",
            "2: parts.am.rate: Input should be a valid num",
        ),
        ("name: 5\nparts: {}\n", "1: name: Input should be a valid string"),
        ("name: a\nparts:\n  am: {}\n", "3: parts.am.test: Field required"),
        (
            "name: a\nparts:\n  am:\n    test: 1\n    tset: 1\n",
            "5: parts.am.tset: no such key",
        ),
        ("name: a\nparts: {}\ntags: [x,\n  y,\n  3]\n", "5: tags.2: Input should be a valid string"),
        ("\n\n- a\n", "3: Input should be"),
        ("name: a\n", "1: parts: Field required"),
        ("extra: 1\nname: 5\nparts: {}\n", "1: extra: no such key (and 1 more)"),
    ],
)
def test_a_models_errors_are_at_the_line_of_the_value(tmp_path: Path, loader: str, text: str, message: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(XnerError) as caught:
        yamlfile.validate(Whole, yamlfile.read(path))
    assert one_line(tmp_path, caught.value).startswith(f"file.yaml:{message}")


def test_strict_reading_still_takes_lists_for_tuples_and_integers_for_floats(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("name: 'no'\nparts: {no: {test: 3, rate: 1}}\ntags: [O, B-PER]\n")
    whole = yamlfile.validate(Whole, yamlfile.read(path))
    assert whole == Whole(name="no", parts={"no": Part(test=3, rate=1.0)}, tags=("O", "B-PER"))


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",), include_characters="\t\n"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=st.dictionaries(TEXT, VALUES, min_size=1, max_size=4))
def test_what_pyyaml_writes_comes_back(tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]) -> None:
    # All strings quoted, so that nobody need guess; what remains tagged are numbers, booleans and nulls.
    text = yaml.safe_dump(value, allow_unicode=True, default_style='"')
    text = re.sub(r'!!(?:int|float|bool|null) "([^"]*)"', r"\1", text)
    assert read(tmp_path_factory.mktemp("written"), text) == value
