"""How the page looks in a real browser: on a desk and on a phone, in the dark, on paper, and to those who listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import browsing
import pytest
from browsing import opened

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
