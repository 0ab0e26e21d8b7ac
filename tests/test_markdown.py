"""Markdown that shows names as they are, whatever they are, and says what may be compared with what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from boards import Bench
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from xner_bench.leaderboard import board, markdown
from xner_bench.leaderboard.cells import plain

if TYPE_CHECKING:
    from pathlib import Path

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
HOSTILE = (
    "a|b",
    "a\nb",
    "| --- |",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<script>alert(1)</script>",
    "<!-- -->",
    "&lt;b&gt; &amp; &#124;",
    "`code` **bold** _it_ ~~no~~",
    "https://evil.example www.evil.example",
    "trailing\\",
    "\\|",
    "# heading",
    "$x$ :smile: [^1]",
    "\u202egnol\x1b[31m",
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def tables(text: str) -> list[list[list[str]]]:
    """Every table as a reader sees it: rows of cells of plain text. Markup in a cell is an error."""
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level == 4:
            kinds = {part.type for part in token.children or ()}
            assert kinds <= {"text", "text_special"}, token.content
            found[-1][-1].append("".join(part.content for part in token.children or ()))
    return found


def leaderboard(bench: Bench) -> str:
    return markdown.leaderboard(board.build(bench.store, bench.catalogue))


def per_language(bench: Bench) -> str:
    return markdown.per_language(board.build(bench.store, bench.catalogue), bench.catalogue)


def test_the_leaderboard_is_a_row_an_entry_and_a_column_a_group_and_protocol(bench: Bench) -> None:
    for seed, tp in ((1, 6), (2, 8)):
        bench.add(seed=seed, scores={("two:bb", "oracle"): (tp, 1, 2)})
    bench.add("slicer", options=SLICER, scores={"two:bb": None})
    table, ranks = tables(leaderboard(bench))
    assert ranks[0] == ["Entry", "Encoder", "Total", "Mean rank", "Borda"]
    assert table[0] == [
        *("Entry", "Encoder", "One without the source, TRUE", "One without the source, ORACLE"),
        *("One with the source, TRUE", "One with the source, ORACLE"),
        *("Two, TRUE", "Two, ORACLE", "Total, TRUE", "Total, ORACLE"),
    ]
    assert table[1][:2] == ["standard", "mini"]
    assert table[1][6] == "81.8 ± 0.0 (2)"
    assert re.fullmatch(r"\d\d\.\d ± \d\.\d \(2\)", table[1][7])
    assert table[2][6:] == ["1/2", "1/2", "4/5", "4/5"]


def test_per_language_is_a_row_an_entry_and_a_column_a_language(bench: Bench) -> None:
    bench.add(scores={"two:bb": None}, missing=(("two:bb", "test"),))
    text = per_language(bench)
    found = tables(text)
    assert len(found) == 2 * 3  # data sets x protocols
    assert found[0] == [
        ["Entry", "Encoder", "Seeds", "AA (aa)", "AB (ab)", "AC (ac)"],
        ["standard", "mini", "1", *["81.8"] * 3],
    ]
    assert found[-1] == [
        ["Entry", "Encoder", "Seeds", "BA (ba)", "BB (bb)"],
        ["standard", "mini", "1", "81.8", "–"],
    ]
    assert "no test split" in text
    assert [row for row in text.splitlines() if row.startswith("#### ")] == [
        *("#### One, TRUE (last)", "#### One, source-dev", "#### One, ORACLE"),
        *("#### Two, TRUE (last)", "#### Two, source-dev", "#### Two, ORACLE"),
    ]


def test_notice_unranked_runs_and_departures_are_said(bench: Bench) -> None:
    bench.add(training={"epochs": 1})
    bench.add(seed=1, state="diverged")
    bench.add(seed=2, state="diverged")
    for text in (leaderboard(bench), per_language(bench)):
        assert "**for testing only**" in text
        assert "Runs that are not ranked\\: 2 diverged." in text
        assert "- standard: epochs 1" in text


def test_profiles_never_share_a_table_and_published_rows_are_marked(bench: Bench) -> None:
    bench.add(suite="slicer-en", profiles=("word-strict", "subword-lenient"))
    text = leaderboard(bench)
    strict, lenient = tables(text)
    assert [row[0] for row in strict[1:]] == ["standard"]
    marked = [row[0] for row in lenient[1:] if "published" in row[0]]
    assert len(marked) == 12
    assert "slicer h=8, lr 1e-5 (published, table 1)" in marked
    assert len(lenient) == 1 + 1 + 12
    before, _, after = text.partition("### subword-lenient")
    assert "published" not in before
    assert "a paper's own numbers" in after
    assert any("appendix A.3" in row[0] for table in tables(per_language(bench)) for row in table)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_in_their_cells(bench: Bench, name: str) -> None:
    method = name.replace("/", "|")  # as a run's folder is called by it
    bench.add(method, encoder=name, options={"mode": name, "n": 1})
    (table,) = tables(leaderboard(bench))
    assert len(table) == 2
    assert {len(row) for row in table} == {10}
    assert table[1][0] == f"{plain(method)} n=1 mode={plain(name)}"
    assert all(len(found) == 2 for found in tables(per_language(bench)))


def test_hostile_languages_and_titles_stay_text(bench: Bench) -> None:
    card = bench.cards / "two.yaml"
    card.write_text(
        card.read_text().replace("name: BA", "name: '</td>|[x](y)'").replace("title: Two", "title: 'T|<b>'")
    )
    suite = bench.cards / "suites" / "toy.yaml"
    suite.write_text(suite.read_text().replace("title: Toy suite", "title: '[t](u) <b>'"))
    bench.reload()
    bench.add()
    assert tables(per_language(bench))[-1][0][3] == "</td>|[x](y) (ba)"
    assert "T|<b>, TRUE" in tables(leaderboard(bench))[0][0]
    html = MarkdownIt("commonmark").enable("table").render(leaderboard(bench))
    assert "<b>" not in html
    assert "<a" not in html


@given(st.text(max_size=30))
def test_any_text_reads_as_itself(text: str) -> None:
    shown = "x" + plain(text) + "x"
    escaped = markdown.escape(shown)
    (table,) = tables(f"| a | b |\n| --- | --- |\n| {escaped.replace('@<!-- -->', '@')} | 1 |\n")
    assert table[1] == [shown, "1"]


def test_addresses_are_not_made_links() -> None:
    assert markdown.escape("me@host.example") == "me@<!-- -->host.example"
    assert "www." not in markdown.escape("see WWW.x www.y").lower()
    assert "https:" not in markdown.escape("https://x")
