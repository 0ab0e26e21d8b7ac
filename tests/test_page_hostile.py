"""Names that are HTML stay text on the page, wherever they come from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import paged
import pytest
from browsing import opened

from xner_bench.catalogue import Catalogue
from xner_bench.leaderboard import page, page_data
from xner_bench.leaderboard.cells import plain
from xner_bench.leaderboard.lines import Line, Row, Section

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

MARK = "window.hit=1"
PAYLOADS = (
    f"<script>{MARK}</script>",
    f"</script><script>{MARK}</script>",
    f"<img src=x onerror={MARK}>",
    f"<svg/onload={MARK}>",
    f'"><iframe srcdoc="<script>parent.{MARK}</script>">',
    f"<a href=javascript:{MARK}>x</a>",
    f'" autofocus onfocus="{MARK}" x="',
    f"'-({MARK})-'",
    f"<!--<script>{MARK}</script>-->",
    f"{{{{ {MARK} }}}}{{% raw %}}${{{MARK}}}",
    "</style><style>@import 'https://evil.example/x.css';</style><base href=https://evil.example/>",
    "</title></textarea></noscript></pre><meta http-equiv=refresh content=0;url=https://evil.example/>\u2028<b>",
)


def hostile(text: str) -> tuple[Section, Catalogue]:
    """A small section whose method, option, encoder, label, departures, reasons, languages and suite are called so."""
    made = paged.section(3)
    suite = made.suite.model_copy(update=dict.fromkeys(("title", "about", "notice", "reference"), text))
    lines = tuple(line if line.published else _line(line, text) for line in made.lines)
    return replace(made, suite=suite, lines=lines, notices=(text,), differing=(text,)), _named(paged.known(), text)


def _line(line: Line, text: str) -> Line:
    run = line.runs[0]
    settings = run.settings.model_copy(update={"method": text, "options": {text: text}})
    changed = run.model_copy(update={"settings": settings, "encoder": run.encoder.model_copy(update={"name": text})})
    return replace(
        line,
        label=text,
        method=text,
        options={text: text},
        encoder=text,
        departures=text,
        run_ids=(text,),
        runs=(changed,),
        rows={at: Row(None, reason=text) if at[0].endswith(":sw") else row for at, row in line.rows.items()},
    )


def _named(known: Catalogue, text: str) -> Catalogue:
    """A catalogue whose data set, Swahili, its family and script are called so."""
    card = known.cards["wikiann"]
    swahili = card.languages["sw"].model_copy(update={"name": text, "family": text, "script": text})
    changed = card.model_copy(update={"title": text, "languages": {**card.languages, "sw": swahili}})
    found = Catalogue({}, {})
    found.cards, found.suites = {**known.cards, "wikiann": changed}, known.suites
    return found


def _written(payload: str) -> tuple[str, page_data.Content]:
    section, known = hostile(payload)
    (data,) = page.files([section], known).values()
    return data.decode(), page_data.content([section], known)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_html_in_names_is_text(chromium: Browser, tmp_path: Path, payload: str) -> None:
    path = tmp_path / "index.html"
    path.write_text(_written(payload)[0], encoding="utf-8")
    shown = plain(payload)
    with opened(chromium, path) as found:
        assert shown in found.page.locator("#groups tbody th button").all_text_contents()  # the label, as it is
        found.page.locator("#groups tbody th button").first.click()
        facts = found.page.locator("#facts").text_content()
        assert facts is not None
        assert facts.count(shown) >= 5  # method, option and its value, encoder, departures, runs
        found.page.click("#close")
        found.page.locator("#languages tbody td", has_text="–").locator("button").first.click()
        assert shown in str(found.page.locator("#facts").text_content())  # language, family, script, reason
        found.page.click("#close")
        found.page.select_option("#cells", "difference")
        found.page.select_option("#family", shown)
        found.page.locator("#languages thead button").nth(1).click()
        assert shown in str(found.page.locator("#section-text").text_content())
        assert found.page.evaluate("window.hit") is None
        assert (
            found.page.locator("img, iframe, base, svg:not(.interval), b, a:not(.skip), [http-equiv=refresh]").count()
            == 0
        )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_is_in_the_file_as_it_was(payload: str) -> None:
    text, content = _written(payload)
    assert "<" not in payload or payload not in text
    assert text.count("<script") == text.count("</script") == 2 + len(content.blocks)
    assert text.count("<style") == text.count("</style") == 1
