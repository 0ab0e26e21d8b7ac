"""How the page looks in a real browser: on a desk and on a phone, in the dark, on paper, and to those who listen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import browsing
import paged
import pytest
from browsing import opened

from xner_bench.leaderboard import page

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

PHONE = {"viewport": {"width": 360, "height": 740}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browsing.pages(tmp_path_factory.mktemp("pages"))


def test_a_focused_cell_is_not_hidden_behind_names_or_headers(chromium: Browser, folder: Path) -> None:
    seen = """() => { const own = document.activeElement, box = own.getBoundingClientRect();
        return own.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)); }"""
    with opened(chromium, folder / "many.html") as found:
        found.page.locator("#languages tbody tr").nth(20).locator("td button").nth(30).focus()
        for _ in range(30):
            found.page.keyboard.press("ArrowLeft")
            found.page.keyboard.press("ArrowUp")
            assert found.page.evaluate(seen)


@pytest.mark.parametrize("name", ["twelve", "many"])
def test_on_a_phone_the_page_is_as_wide_as_the_screen_and_names_stay(
    chromium: Browser, folder: Path, name: str
) -> None:
    with opened(chromium, folder / f"{name}.html", **PHONE) as found:
        assert found.page.evaluate("document.documentElement.scrollWidth") <= 360
        for table in ("groups", "languages", "compare"):
            region = found.page.locator(f".scroll:has(#{table})")
            assert region.get_attribute("tabindex") == "0"
            assert region.get_attribute("aria-labelledby")
            region.evaluate("(element) => element.scrollBy(400, 0)")
            box = found.page.locator(f"#{table} tbody th").first.bounding_box()
            assert box
            assert 0 <= box["x"] < 20
            assert box["width"] < 180


def test_on_a_phone_two_groups_and_the_differences_are_in_sight_and_the_suite_s_name_is_whole(
    chromium: Browser, folder: Path
) -> None:
    inside = """([table, row]) => { const right = (cell) => cell.getBoundingClientRect().right;
        const edge = right(document.querySelector(`.scroll:has(#${table})`));
        return [...document.querySelectorAll(`#${table} ${row} > *`)].filter((cell) => right(cell) <= edge)
            .map((cell) => cell.textContent); }"""
    with opened(chromium, folder / "plain.html", **PHONE) as found:
        assert len(found.page.evaluate(inside, ["groups", "tbody tr:first-child"])) >= 3
        assert "Difference" in found.page.evaluate(inside, ["compare", "thead tr"])
        assert "SLICER, English to 24 WikiANN and 10 MasakhaNER languages" in found.page.inner_text("#section-text")
        length, room = found.page.eval_on_selector(
            "#section",
            """(select) => { const pen = document.createElement("canvas").getContext("2d");
            pen.font = getComputedStyle(select).font;
            return [pen.measureText(select.selectedOptions[0].text).width, select.clientWidth]; }""",
        )
        assert length < room - 30  # beside the arrow


@pytest.mark.parametrize(("height", "boxed"), [(600, False), (300, True)])
def test_a_table_that_nearly_fits_is_shown_whole(chromium: Browser, folder: Path, height: int, boxed: bool) -> None:
    from playwright.sync_api import expect

    hidden = "(boxes) => boxes.map((box) => box.scrollHeight > box.clientHeight + 1)"
    with opened(chromium, folder / "twelve.html", viewport={"width": 1400, "height": height}) as found:
        groups, languages, compare = found.page.eval_on_selector_all(".scroll", hidden)
        assert (groups, languages) == (boxed, boxed)
        assert compare  # its 38 rows are more than a screen
        found.page.set_viewport_size({"width": 1400, "height": 2000})
        expect(found.page.locator(".tall")).to_have_count(0)
        assert found.page.eval_on_selector_all(".scroll", hidden) == [False] * 3


def test_words_of_a_name_stay_whole_and_numbers_keep_off_the_border(chromium: Browser, folder: Path) -> None:
    label, words = "prune sparsity=0.98 scope=dense+embeddings", ("prune", "sparsity=", "0.98", "dense+", "embeddings")
    section = paged.section(2)
    named = [replace(line, label=label) if line.label == "slicer h=1" else line for line in section.lines]
    (data,) = page.files([replace(section, lines=tuple(named))], paged.known()).values()
    (folder / "named.html").write_bytes(data)
    lines = """([table, word]) => { const button = [...document.querySelectorAll(`#${table} tbody th button`)]
            .find((one) => one.textContent.startsWith("prune"));
        const part = [...button.childNodes].find((one) => one.textContent.includes(word));
        const start = part.textContent.indexOf(word), range = document.createRange();
        range.setStart(part, start); range.setEnd(part, start + word.length);
        return range.getClientRects().length; }"""
    room = """(button) => { button.lastChild.textContent = "−88.8"; const range = document.createRange();
        range.selectNode(button.lastChild);
        const parts = [button.parentElement, button.querySelector(".sign"), range];
        const [cell, sign, text] = parts.map((one) => one.getBoundingClientRect());
        return Math.min(sign.left - cell.left, cell.right - text.right); }"""
    for size in (PHONE, {"viewport": {"width": 1400, "height": 900}}):
        with opened(chromium, folder / "named.html", "#cells=difference", **size) as found:
            for table in ("groups", "languages"):
                assert [found.page.evaluate(lines, [table, word]) for word in words] == [1] * len(words)
            cell = found.page.locator("#languages td button:has(.sign:not(:empty))").first
            assert cell.evaluate(room) > 2


def test_dark_mode_is_dark(chromium: Browser, folder: Path) -> None:
    with opened(chromium, folder / "twelve.html", color_scheme="dark") as found:
        background = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(part) for part in background.strip("rgb()").split(", ")) < 64


def test_on_paper_there_are_no_controls_and_nothing_is_cut_off(chromium: Browser, folder: Path) -> None:
    with opened(chromium, folder / "twelve.html", viewport={"width": 1050, "height": 740}) as found:
        found.page.emulate_media(media="print")
        assert not found.page.locator("#filters").is_visible()
        assert not found.page.locator("#view").is_visible()
        assert found.page.evaluate("document.documentElement.scrollWidth") <= 1050
        assert found.page.locator("#languages tbody td").last.is_visible()
        assert len(found.page.pdf()) > 10_000


@pytest.mark.parametrize(
    ("scheme", "cells", "width"),
    [("light", "score", 1280), ("dark", "score", 360), ("light", "difference", 360), ("dark", "difference", 1280)],
)
def test_axe_finds_nothing(chromium: Browser, folder: Path, scheme: str, cells: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    size = {"width": width, "height": 900}
    with opened(chromium, folder / "twelve.html", f"#cells={cells}", color_scheme=scheme, viewport=size) as found:
        results = Axe().run(found.page)
        assert results.violations_count == 0, results.generate_report()
        found.page.locator("#languages tbody td button").first.click()
        results = Axe().run(found.page)
        assert results.violations_count == 0, results.generate_report()
