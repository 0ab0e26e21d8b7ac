"""A real Chromium for the tests of the page: it notes every message, error and request of each page that it opens."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import paged
import pytest

from xner_bench.leaderboard import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

VARIABLE = "XNER_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str:
    """Where a Chromium is: $XNER_TEST_CHROMIUM, or on the path; the test is skipped where there is none."""
    found = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no Chromium here; apt-get install chromium, or say where one is in {VARIABLE}")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    path = executable()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def pages(folder: Path) -> Path:
    """A folder with pages of 12 entries with evidence and without, and of 120."""
    for name, section in (
        ("twelve", paged.section(12)),
        ("plain", paged.section(12, evidence=False)),
        ("many", paged.section(120, evidence=False)),
    ):
        (data,) = page.files([section], paged.known()).values()
        (folder / f"{name}.html").write_bytes(data)
    return folder


@dataclass
class Opened:
    """A page, and what it did that nobody may do."""

    page: Page
    requests: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)  # on the console, uncaught errors, dialogs

    def status(self) -> str:
        return self.page.inner_text("#status")

    def column(self, table: str, number: int) -> list[str]:
        """The texts of a column; 0 is that of the names."""
        cells = self.page.eval_on_selector_all(
            f"#{table} tbody tr", "(rows, at) => rows.map((row) => row.cells[at].textContent.trim())", number
        )
        return [str(cell) for cell in cells]

    def names(self, table: str = "groups") -> list[str]:
        """The labels of the entries in sight."""
        return [str(name) for name in self.page.locator(f"#{table} tbody th button").all_inner_texts()]

    def header(self, table: str, title: str) -> int:
        """The number of the column with a title."""
        titles = self.page.eval_on_selector_all(
            f"#{table} thead tr:has(th[scope=col]) th",
            "(cells) => cells.map((cell) => cell.textContent.replace(/ [▲▼]$/, ''))",
        )
        return [str(one) for one in titles].index(title)


@contextmanager
def opened(browser: Browser, path: Path, fragment: str = "", **context: Any) -> Iterator[Opened]:
    """A page from the disk in a context of its own, which must do nothing but show itself."""
    own = browser.new_context(**context)
    found = Opened(own.new_page())
    found.page.on("console", lambda message: found.troubles.append(message.text))
    found.page.on("pageerror", lambda error: found.troubles.append(str(error)))
    found.page.on("dialog", lambda dialog: (found.troubles.append(dialog.message), dialog.dismiss()))
    found.page.on("request", lambda request: found.requests.append(request.url))
    try:
        found.page.goto(path.as_uri() + fragment)
        found.page.wait_for_selector("#groups tbody tr")
        yield found
        assert found.troubles == []
        own_files = path.as_uri(), f"{path.parent.as_uri()}/leaderboard-data-"
        assert all(url == "data:," or url.partition("#")[0].startswith(own_files) for url in found.requests)
    finally:
        own.close()
