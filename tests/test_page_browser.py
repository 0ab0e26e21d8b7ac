"""The page in a real browser: what a reader does with it, by hand and by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import browsing
import paged
import pytest
from browsing import opened

from xner_bench.leaderboard import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browsing import Opened
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browsing.pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def twelve(chromium: Browser, folder: Path) -> Iterator[Opened]:
    with opened(chromium, folder / "twelve.html") as found:
        yield found


def numbers(texts: list[str]) -> list[float]:
    return [float(text.split(" ")[0].replace("−", "-").lstrip("▲▼")) for text in texts if text[:1].isdigit()]


def test_a_click_on_a_header_sorts_both_tables_and_the_next_one_turns_them(twelve: Opened) -> None:
    at = twelve.header("groups", "Total")
    head = twelve.page.locator("#groups thead th", has_text="Total")
    for direction in ("descending", "ascending"):
        head.locator("button").click()
        shown = twelve.column("groups", at)
        whole = numbers([text for text in shown if "/" not in text])
        assert whole == sorted(whole, reverse=direction == "descending")
        assert all("/" in text for text in shown[len(whole) :])  # n/m last, whichever way
        assert head.get_attribute("aria-sort") == direction
        assert twelve.names("languages") == twelve.names("groups")
        assert twelve.page.evaluate("document.activeElement.dataset.key") == head.locator("button").get_attribute(
            "data-key"
        )
    twelve.page.locator("#languages thead th", has_text="Swahili (sw)").locator("button").click()
    column = numbers(twelve.column("languages", twelve.header("languages", "Swahili (sw)")))
    assert column == sorted(column, reverse=True)
    assert "by Swahili (sw), falling" in twelve.status()


def test_filters_leave_what_was_asked_for_and_say_how_many(twelve: Opened) -> None:
    everything = twelve.names()
    assert len(everything) == 12
    twelve.page.select_option("#method", "standard")
    assert twelve.names() == ["standard"]
    assert twelve.status().startswith("1 of 12 entries")
    twelve.page.select_option("#method", "")
    twelve.page.select_option("#encoder", paged.ENCODERS[1])
    assert twelve.names() == ["slicer h=6"]
    twelve.page.click("#reset")
    twelve.page.fill("#search", "h=1")
    assert sorted(twelve.names()) == ["slicer h=1", "slicer h=10", "slicer h=11"]
    twelve.page.fill("#search", "nothing of that kind")
    assert twelve.names() == []
    assert "clear the filters" in twelve.status()
    twelve.page.click("#reset")
    assert twelve.names() == everything


def test_filters_of_languages_leave_columns_and_a_mean_of_what_is_left(twelve: Opened) -> None:
    twelve.page.select_option("#family", "Indo-European")
    twelve.page.select_option("#script", "Cyrl")
    head = twelve.page.locator("#languages thead tr:has(th[scope=col]) th").all_inner_texts()
    assert [text.split(" ")[0] for text in head] == ["Entry", "Mean", "Bulgarian", "Russian"]
    assert "2 of 34 languages" in twelve.status()
    for number in range(12):
        shown = [twelve.column("languages", at)[number] for at in (1, 2, 3)]
        if "–" in shown:
            assert shown[0].endswith("/2")
        else:
            mean, *parts = map(float, shown)
            assert mean == pytest.approx(sum(parts) / 2, abs=0.11)
    twelve.page.click("#reset")
    twelve.page.select_option("#size", "up to 100")
    assert twelve.page.locator("#languages thead th", has_text="Swahili (sw)").count() == 0
    assert twelve.page.locator("#languages thead th", has_text="Yoruba (yo)").count() == 1


def test_profiles_are_never_on_the_screen_together_and_published_rows_are_marked(twelve: Opened) -> None:
    assert twelve.page.locator("#groups .badge", has_text="published").count() == 0
    twelve.page.select_option("#profile", "subword-lenient")
    assert all(not name.startswith("slicer h=1,") for name in twelve.names() if "lr" not in name)
    assert twelve.page.locator("#groups .badge", has_text="published").count() == len(twelve.names()) == 12
    assert "subword-lenient" in twelve.page.inner_text("#profile-text")
    twelve.page.locator("#languages tbody td button").first.click()
    facts = twelve.page.inner_text("#facts")
    assert "published: a paper's own numbers" in facts
    assert "appendix A.3" in facts
    assert not twelve.page.locator("#command").is_visible()


def compared(found: Opened, first: str, second: str) -> list[str]:
    """The row of WikiANN's Swahili in the table that compares two entries."""
    found.page.select_option("#first", label=f"{first}, {paged.ENCODERS[0]}")
    found.page.select_option("#second", label=f"{second}, {paged.ENCODERS[0]}")
    row = found.page.locator("#compare tbody tr", has_text="Swahili (sw)")
    return [str(text).strip() for text in row.locator("th, td").all_inner_texts()]


def test_two_entries_are_compared_with_interval_and_p(twelve: Opened) -> None:
    one = compared(twelve, "slicer h=3", "standard")
    other = compared(twelve, "standard", "slicer h=3")
    difference = float(one[3].lstrip("▲▼ ").replace("−", "-"))
    low, high = (float(end.replace("−", "-")) for end in one[4].split(" to "))
    assert low == pytest.approx(difference - 2, abs=0.11)
    assert high == pytest.approx(difference + 2, abs=0.11)
    assert ("▲" in one[3] or "▼" in one[3]) == (low > 0 or high < 0)
    turned = other[4].replace("+", "#").replace("−", "+").replace("#", "−")
    assert turned == " to ".join(reversed(one[4].split(" to ")))
    compared(twelve, "slicer h=3", "slicer h=4")
    assert "this pair was not compared" in twelve.page.inner_text("#compare-text")


def test_without_evidence_there_is_no_interval_no_rank_and_nothing_bold(chromium: Browser, folder: Path) -> None:
    with opened(chromium, folder / "plain.html", "#cells=difference") as found:
        assert "built without evidence" in found.page.inner_text("#groups-text")
        assert "built without evidence" in found.page.inner_text("#compare-text")
        assert found.page.locator(".best").count() == 0
        assert found.page.locator("#groups thead th", has_text="Rank").all_inner_texts() == ["Mean rank"]
        assert "[" not in found.page.inner_text("#groups tbody")


def test_a_cell_tells_seeds_spread_counts_and_the_command(twelve: Opened) -> None:
    twelve.page.fill("#search", "h=4")
    twelve.page.locator("#languages tbody td:not(.missing) button").first.click()
    facts = twelve.page.inner_text("#facts")
    for text in (
        "mean and standard deviation, 3 seeds",
        "Precision, recall",
        "right,",
        "of 1,200",
        "Rank here",
        "95 % interval",
    ):
        assert text in facts
    command = twelve.page.inner_text("#command")
    assert command.startswith("xner-bench run --method slicer --h 4 --suite slicer-en ")
    assert command.endswith("--epochs 3 --seeds 42-44")
    twelve.page.click("#close")
    twelve.page.locator("#languages tbody td.missing button").first.click()
    assert "no test split" in twelve.page.inner_text("#facts")


def test_everything_can_be_done_with_the_keyboard(twelve: Opened) -> None:
    keys = twelve.page.keyboard
    twelve.page.focus("#languages thead th:last-child button")
    keys.press("Tab")
    focused = "document.activeElement.closest('td, th').textContent"
    first = twelve.page.evaluate(focused)
    assert first.startswith(twelve.names()[0])
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    assert twelve.page.evaluate(focused).lstrip("▲▼") == twelve.column("languages", 1)[1].lstrip("▲▼")
    keys.press("End")
    last = twelve.page.locator("#languages tbody tr").nth(1).locator("td").count()
    assert twelve.page.evaluate("document.activeElement.closest('td').cellIndex") == last
    keys.press("Home")
    keys.press("Enter")
    assert twelve.page.locator("#details").is_visible()
    assert twelve.page.evaluate("document.activeElement.id") == "close"
    keys.press("Escape")
    assert not twelve.page.locator("#details").is_visible()
    assert twelve.page.evaluate("document.activeElement.textContent") == twelve.names()[1]
    assert twelve.page.locator("#languages tbody [tabindex='0']").count() == 1  # one stop for Tab


def test_pages_of_many_entries_are_turned(chromium: Browser, folder: Path) -> None:
    with opened(chromium, folder / "many.html") as found:
        first = found.names()
        assert len(first) == 25
        assert found.page.get_attribute("#languages", "aria-rowcount") == str(120 + 2)
        found.page.locator(".pages").first.get_by_text("Next").click()
        second = found.names()
        assert not set(first) & set(second)
        row = found.page.locator("#languages tbody tr").first
        assert row.get_attribute("aria-rowindex") == str(25 + 2 + 1)
        found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert len(found.names()) == 120  # paper has no buttons
        found.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert found.names() == second


def test_what_was_chosen_is_in_the_address(chromium: Browser, folder: Path) -> None:
    with opened(chromium, folder / "twelve.html") as found:
        found.page.select_option("#protocol", "oracle")
        found.page.select_option("#cells", "difference")
        found.page.fill("#search", "h=1")
        found.page.locator("#groups thead th", has_text="Total").locator("button").click()
        names, texts = found.names(), found.column("groups", 2)
        fragment = str(found.page.evaluate("location.hash"))
    with opened(chromium, folder / "twelve.html", fragment) as found:
        assert (found.names(), found.column("groups", 2)) == (names, texts)
    with opened(
        chromium, folder / "twelve.html", "#section=9&protocol=x&cells=y&page=-3&first=z&sort=__proto__"
    ) as found:
        assert len(found.names()) == 12


def test_data_beside_the_page_is_read_when_it_is_looked_at(chromium: Browser, tmp_path: Path) -> None:
    whole = page.files([paged.section(12)], paged.known())
    parts = page.files([paged.section(12)], paged.known(), limit=1)
    assert len(parts) == 1 + 1 + 3 + 2  # the page, details, three protocols, two published views
    for folder, files in (("whole", whole), ("parts", parts)):
        (tmp_path / folder).mkdir()
        for name, data in files.items():
            (tmp_path / folder / name).write_bytes(data)
    with opened(chromium, tmp_path / "whole" / "index.html") as found:
        expected = found.page.inner_text("#languages")
    with opened(chromium, tmp_path / "parts" / "index.html") as found:
        assert found.page.inner_text("#languages") == expected
        assert len(found.requests) == 2  # the page and one view
        found.page.locator("#languages tbody td button").first.click()
        found.page.wait_for_selector("#details[open]")
        assert len(found.requests) == 3
        found.page.click("#close")
        (tmp_path / "parts" / "leaderboard-data-3.js").unlink()
        found.page.select_option("#protocol", "oracle")
        found.page.get_by_text("is not beside this file").wait_for()
        found.page.fill("#search", "slicer")
        assert found.page.locator("tbody").count() == 0  # no number stays under the name of another view
        found.troubles.clear()  # the browser says that the file is missing


def test_two_thousand_entries_are_sorted_and_filtered_a_page_at_a_time(chromium: Browser, tmp_path: Path) -> None:
    (data,) = page.files([paged.section(2000, evidence=False, protocols=("last",))], paged.known()).values()
    (tmp_path / "index.html").write_bytes(data)
    with opened(chromium, tmp_path / "index.html") as found:
        found.page.locator("#languages thead th", has_text="Swahili (sw)").locator("button").click()
        column = numbers(found.column("languages", found.header("languages", "Swahili (sw)")))
        assert len(column) == 25
        assert column == sorted(column, reverse=True)
        found.page.fill("#search", "h=19")
        assert found.status().startswith("111 of 2,000 entries")
        assert found.page.locator("td").count() < 10_000
