"""CoNLL, JSON lines and Parquet, with all the oddities of real files."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from handmade import ROWS, TAG_IDS, conll_text, json_text, parquet_bytes
from hypothesis import given
from hypothesis import strategies as st

from xner_bench import readers
from xner_bench.errors import XnerError
from xner_bench.readers import Layout, Table

if TYPE_CHECKING:
    from pathlib import Path

LAYOUT = Layout(tag_ids=TAG_IDS)
EXPECTED = [(tuple(words), tuple(TAG_IDS[tag] for tag in tags)) for words, tags in ROWS]


def read(folder: Path, text: str | bytes, name: str = "test.txt", layout: Layout = LAYOUT) -> Table:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return readers.read(path, layout)


def rows(table: Table) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(raw.words, raw.tags) for raw in table.sentences]


def refusal(folder: Path, text: str | bytes, name: str = "test.txt") -> str:
    """The error for a file, without the folder; one line."""
    with pytest.raises(XnerError) as caught:
        read(folder, text, name)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


@pytest.mark.parametrize("separator", [" ", "\t", "  ", "\tNNP\t", " NNP B-NP "])
def test_conll_has_the_word_first_and_its_tag_last(tmp_path: Path, separator: str) -> None:
    assert rows(read(tmp_path, conll_text(separator=separator))) == EXPECTED


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.conll", "a.TXT"])
def test_conll_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    assert rows(read(tmp_path, conll_text(), name)) == EXPECTED


def test_json_lines_give_tags_by_id_or_by_name(tmp_path: Path) -> None:
    assert rows(read(tmp_path, json_text(), "a.jsonl")) == EXPECTED
    by_name = [(words, [TAG_IDS[tag] for tag in tags]) for words, tags in ROWS]
    assert rows(read(tmp_path, json_text(by_name), "b.json")) == EXPECTED


@pytest.mark.parametrize("names", [TAG_IDS, None])
def test_parquet_names_its_ids_by_its_schema_or_the_card(tmp_path: Path, names: tuple[str, ...] | None) -> None:
    assert rows(read(tmp_path, parquet_bytes(names=names), "a.parquet")) == EXPECTED


def test_parquet_names_decide_where_the_card_has_none(tmp_path: Path) -> None:
    swapped = ("O", "B-LOC", "I-LOC", *TAG_IDS[3:5], "B-PER", "I-PER", *TAG_IDS[7:])
    table = read(tmp_path, parquet_bytes(names=swapped), "a.parquet", Layout())
    assert table.sentences[0].tags == ("B-LOC", "O", "O", "B-PER")


def test_parquet_of_strings_in_several_row_groups(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    words = [[f"w{n}"] * (n % 3) for n in range(20)]
    table = pa.table({"w": words, "t": [["O"] * len(row) for row in words]})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    read_back = readers.read(tmp_path / "a.parquet", Layout("w", "t"))
    assert [list(raw.words) for raw in read_back.sentences] == [row for row in words if row]
    assert read_back.empty == 7
    assert read_back.where(read_back.sentences[0], 0).endswith("a.parquet: row 2")


@pytest.mark.parametrize("feature", [
    {"feature": {"names": list(TAG_IDS), "_type": "ClassLabel"}, "length": -1, "_type": "Sequence"},
    [{"names": list(TAG_IDS), "_type": "ClassLabel"}],
    {"sequence": {"class_label": {"names": {str(n): tag for n, tag in enumerate(TAG_IDS)}}}},
])  # fmt: skip
def test_every_way_of_nesting_the_names(tmp_path: Path, feature: Any) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"tokens": [["Kano"]], "ner_tags": [[5]]})
    metadata = {"huggingface": json.dumps({"info": {"features": {"ner_tags": feature}}})}
    parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    assert readers.read(tmp_path / "a.parquet", Layout()).sentences[0].tags == ("B-LOC",)


@pytest.mark.parametrize("text", [
    "Kano B-LOC\n\nA O\n",
    "Kano B-LOC\n\nA O",
    "\ufeffKano B-LOC\n\nA O\n\n\n",
    "Kano B-LOC\r\n\r\nA O\r\n",
    "\n\n \t\nKano B-LOC  \n \n\nA O\t\n",
    "-DOCSTART- O\n\nKano B-LOC\n-DOCSTART- -X- -X- O\nA O\n",
    "-DOCSTART-\n\nKano B-LOC\n-DOCSTART-\nA O\n",
    "-DOCSTART-\tO\n\nKano\tB-LOC\n\nA O\n",
])  # fmt: skip
def test_line_ends_blank_lines_byte_order_mark_and_documents(tmp_path: Path, text: str) -> None:
    table = read(tmp_path, text)
    assert rows(table) == [(("Kano",), ("B-LOC",)), (("A",), ("O",))]


@pytest.mark.parametrize(
    "word", ["\u00a0", "\u200e", "\ufeff", "a\u00a0b", "\u2028", "\x85", "\x0c", "#", "", "x" * 5000]
)
def test_words_that_other_readers_lose(tmp_path: Path, word: str) -> None:
    for separator in " \t":
        text = f"{word}{separator}O\nKano{separator}B-LOC\n\nend{separator}O\n"
        assert rows(read(tmp_path, f"start O\n\n{text}"))[1:] == [
            ((word, "Kano"), ("O", "B-LOC")),
            (("end",), ("O",)),
        ]


def test_a_tab_decides_over_a_space(tmp_path: Path) -> None:
    assert read(tmp_path, "New York\tB-LOC\nsaid O\n").sentences[0].words == ("New York", "said")


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_characters=" \t\n\r", exclude_categories=["Cs"]), min_size=1),
            min_size=1,
        ),
        min_size=1,
    )
)
def test_whatever_words_there_are_they_come_back(
    tmp_path_factory: pytest.TempPathFactory, words: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("words")
    for separator in " \t":
        text = "\n".join("".join(f"{word}{separator}O\n" for word in sentence) for sentence in words)
        found = read(folder, f"first O\n\n{text}")
        kept = [tuple(word for word in sentence if word != readers.DOCUMENT_START) for sentence in words]
        assert [raw.words for raw in found.sentences][1:] == [sentence for sentence in kept if sentence]


def test_places_are_lines_of_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, "\ufeff\n-DOCSTART- O\r\nA O\n\n\nB O\nC O\n")
    assert [raw.line for raw in table.sentences] == [3, 6]
    assert table.where(table.sentences[1], 1).endswith("test.txt:7")


def test_prefixes_are_taken_off_raw_copies_only(tmp_path: Path) -> None:
    layout = Layout(prefix="en:")
    assert read(tmp_path, "en:rick B-PER\nen:: O\n", layout=layout).sentences[0].words == ("rick", ":")
    assert read(tmp_path, "rick B-PER\nen:x O\n", layout=layout).sentences[0].words == ("rick", "en:x")
    with pytest.raises(XnerError, match=r":3: 'x' lacks the 'en:'"):
        read(tmp_path, "en:rick B-PER\n\nx O\n", layout=layout)


@pytest.mark.parametrize(("text", "message"), [
    ("A O\nKano\n", "test.txt:2: 'Kano' has no tag; a line is WORD TAG or WORD<TAB>TAG"),
    ("A O\n\n\u00a0\n", "test.txt:3: '\\xa0' has no tag; a line is WORD TAG or WORD<TAB>TAG"),
    ("y" * 100_000, f"test.txt:1: '{'y' * 60}...' has no tag; a line is WORD TAG or WORD<TAB>TAG"),
    ("", "test.txt: holds no sentence; copy or fetch it again"),
    ("\n \n-DOCSTART- O\n", "test.txt: holds no sentence; copy or fetch it again"),
    (b"A O\nB O\n\xe9 O\n", "test.txt:3: not UTF-8 (byte 0xe9 at 8); save it as UTF-8"),
    ("A O\n".encode("utf-16"), "test.txt:1: not UTF-8 (byte 0xff at 0); save it as UTF-8"),
])  # fmt: skip
def test_malformed_conll_names_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize(("line", "message"), [
    ('{"tokens": ["a"]', "not JSON"),
    ('["a"]', "an object with a list 'tokens' is wanted"),
    ('{"tokens": ["a"]}', "an object with a list 'ner_tags' is wanted"),
    ('{"tokens": "a", "ner_tags": [0]}', "an object with a list 'tokens' is wanted"),
    ('{"tokens": ["a", "b"], "ner_tags": [0]}', "2 tokens but 1 ner_tags"),
    ('{"tokens": [1], "ner_tags": [0]}', "'tokens' must hold strings only"),
    ('{"tokens": ["a"], "ner_tags": [9]}', "tag 9 is neither a name nor an id of the card (0..8)"),
    ('{"tokens": ["a"], "ner_tags": [-1]}', "tag -1 is neither"),
    ('{"tokens": ["a"], "ner_tags": [true]}', "tag True is neither"),
    ('{"tokens": ["a"], "ner_tags": [null]}', "tag None is neither"),
    ('{"tokens": ["\\ud800"], "ner_tags": [0]}', "half of a surrogate pair"),
    ("[" * 100_000, "not JSON"),
])  # fmt: skip
def test_malformed_json_names_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    said = refusal(tmp_path, f'{{"tokens": [], "ner_tags": []}}\n\n{line}\n', "dev.jsonl")
    assert said.startswith("dev.jsonl:3: ")
    assert message.replace("tag ", "") in said.replace("tag '", "").replace("' is n", " is n")


def test_truncated_parquet_is_one_line(tmp_path: Path) -> None:
    whole = parquet_bytes()
    for data in (whole[:-10], whole[: len(whole) // 2], b"PAR1", b""):
        assert "a.parquet: not a readable Parquet file" in refusal(tmp_path, data, "a.parquet")


def test_damaged_parquet_is_an_error_or_read(tmp_path: Path) -> None:
    whole = parquet_bytes()
    for start in range(0, len(whole), 61):
        with contextlib.suppress(XnerError):
            read(
                tmp_path,
                whole[:start] + bytes(b ^ 0xFF for b in whole[start : start + 3]) + whole[start + 3 :],
                "a.parquet",
            )


def test_wrong_columns_and_ids_of_parquet(tmp_path: Path) -> None:
    assert "tag ids are O B-X in the file" in refusal(tmp_path, parquet_bytes(names=["O", "B-X"]), "a.parquet")
    assert "holds ids -1..5, 9 have names" in refusal(tmp_path, parquet_bytes([(["a"] * 2, [-1, 5])]), "a.parquet")
    assert "row 2: 2 tokens but 1 ner_tags" in refusal(
        tmp_path, parquet_bytes([(["a"], [0]), (["a", "b"], [0])]), "a.parquet"
    )
    assert "holds nulls" in refusal(tmp_path, parquet_bytes([(["a"], [None, 1])]), "a.parquet")
    assert "lists of double" in refusal(tmp_path, parquet_bytes([(["a"], [0.5])]), "a.parquet")
    with pytest.raises(XnerError, match="no column 'words'; it has id, tokens, ner_tags"):
        read(tmp_path, parquet_bytes(), "a.parquet", Layout(words="words"))


def test_rows_without_words_are_left_out_and_counted(tmp_path: Path) -> None:
    table = read(tmp_path, parquet_bytes([*ROWS, ([], [])]), "a.parquet")
    assert (rows(table), table.empty) == (EXPECTED, 1)
    assert read(tmp_path, json_text([*ROWS, ([], [])]), "a.jsonl").empty == 1


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    for name, message in (
        ("none.txt", "No such file"),
        ("folder.txt", "Is a directory"),
        ("none.parquet", "No such"),
    ):
        with pytest.raises(XnerError, match=message):
            readers.read(tmp_path / name, LAYOUT)
    with pytest.raises(XnerError, match="of no format that is read"):
        readers.read(tmp_path / "a.csv", LAYOUT)


def test_english_wikiann_is_read_fast(nerdata: Path) -> None:
    start = time.perf_counter()
    tables = [readers.read(nerdata / "wikiann" / "en" / f"{split}.tsv", Layout()) for split in ("train", "dev", "test")]
    taken = time.perf_counter() - start
    assert [len(table.sentences) for table in tables] == [20_000, 10_000, 10_000]
    assert sum(len(raw.words) for table in tables for raw in table.sentences) == 321_256
    assert taken < 3, "0.2 s when nothing else runs"
