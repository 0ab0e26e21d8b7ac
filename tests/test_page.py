"""The page's file: what is in it, that it is the same every time, and that its numbers are those of the tables."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import paged
import pytest
from boards import Bench
from hypothesis import example, given
from hypothesis import strategies as st

from xner_bench.leaderboard import board, costs, differences, legend, page, page_data, views
from xner_bench.leaderboard.commands import command
from xner_bench.leaderboard.digits import compact
from xner_bench.sources import EACH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xner_bench.leaderboard.lines import Line

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
CSS = (page.WEB / "page.css").read_text(encoding="utf-8")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def blocks(html: bytes) -> list[Any]:
    """The JSON in a page: its core, then its blocks."""
    found = re.findall(r'<script type="application/json" id="[a-z0-9-]+">(.*?)</script>', html.decode(), re.DOTALL)
    return [json.loads(text) for text in found]


def test_scores_are_those_of_the_board(bench: Bench) -> None:
    for seed, tp in ((1, 6), (2, 9)):
        bench.add(seed=seed, scores={"one:ab": (tp, 1, 2)})
        bench.add("slicer", options=SLICER, seed=seed, scores={"two:bb": None}, missing=(("two:bb", "test"),))
    (section,) = board.build(bench.store, bench.catalogue)
    core, details, *shown = blocks(page.files([section], bench.catalogue)["index.html"])
    (told,) = core["sections"]
    assert [view["protocol"] for view in told["views"]] == ["last", "source-dev", "oracle"]
    for view, data in zip(told["views"], shown, strict=True):
        for row, at in enumerate(data["lines"]):
            line = views.every_line(section)[at]
            for corpus, column in zip(section.corpora, data["cells"], strict=True):
                there = line.rows[corpus, view["protocol"]]
                assert column["mean"][row] == compact(there.f1.mean if there.f1 else None)
                assert tuple(column[name][row] for name in ("tp", "fp", "fn")) == (there.counts or (None,) * 3)
                reason = column.get("reason", {}).get(str(row))
                assert (data["texts"][reason] if reason is not None else "") == there.reason
            for group, column in zip(section.groups, data["groups"], strict=True):
                mean = line.means[group.name, view["protocol"]]
                assert column["mean"][row] == compact(mean.f1.mean if mean.f1 else None)
                assert column.get("scored", {}).get(str(row)) == (None if mean.f1 else mean.scored)
    assert told["lines"]["label"] == ["standard", "slicer h=8"]
    assert told["lines"]["baseline"] == [None, 0]
    assert details["command"][1] == "xner-bench run --method slicer --suite toy --allow-missing --seeds 1-2"


@given(st.floats(-100, 100))
@example(31.25)
@example(0.05)
@example(57.349999)
@example(-0.049)
def test_a_score_reads_as_it_does_in_markdown(value: float) -> None:
    short = compact(value)
    assert short is not None
    shown = Decimal(short).quantize(Decimal("0.1"), ROUND_HALF_UP)  # JavaScript's toFixed(1)
    assert float(shown) == float(f"{value:.1f}")
    assert abs(short - value) < 0.06


def test_a_command_names_no_place_of_the_machine_that_made_the_runs(bench: Bench) -> None:
    bench.add(encoder="/secret/encoders/mine", seed=7)
    bench.add(suite="slicer-en", seed=42)
    texts = [
        command(section, line, bench.catalogue)
        for section in board.build(bench.store, bench.catalogue)
        for line in section.lines
    ]
    own = [text for text in texts if text]
    assert own[-1] == "xner-bench run --method standard --suite toy --encoder mine --seeds 7"
    assert "secret" not in " ".join(own)
    assert len(own) < len(texts)  # published lines have none


def test_the_runs_of_languages_on_themselves_are_one_command(bench: Bench) -> None:
    for corpus in ("one:aa", "one:ab"):
        bench.add(source=corpus, targets=(corpus,), seed=42)
    section = next(one for one in board.build(bench.store, bench.catalogue) if one.source == EACH)
    text = command(section, section.lines[0], bench.catalogue)
    assert text == "xner-bench run --method standard --suite toy --source each --targets one:aa,one:ab"


def test_a_published_line_is_held_against_the_published_standard() -> None:
    section = paged.section(3)
    lines, told = views.every_line(section), page_data.content([section], paged.known()).core["sections"][0]["lines"]
    for line, at in zip(lines, told["baseline"], strict=True):
        assert (at is None) == (line.method == differences.BASELINE)
        if at is not None:
            assert (lines[at].published, lines[at].profile) == (line.published, line.profile)
            assert line.label.partition(", lr")[2] == lines[at].label.partition(", lr")[2]


def test_every_comparison_is_in_the_view_of_its_protocol() -> None:
    section = paged.section(4)
    assert section.evidence
    found = 0
    for view in views.views(section):
        data = views.data(section, view)
        for pair in data.get("pairs", ()):
            found += sum(value is not None for value in pair["difference"])
            lines = [section.lines[view.lines[row]] for row in pair["pair"]]
            names = [line.entry_id for line in lines]
            for one in section.evidence.comparisons:
                if [one.entry, one.against] == names and one.protocol == view.protocol:
                    places = [*(group.name for group in section.groups), *section.corpora]
                    at = places.index(one.at)
                    assert pair["low"][at] == compact(one.low)
                    assert pair["supported"][at] == str(int(one.supported))
    assert found == len(section.evidence.comparisons)


def test_it_opens_on_the_section_with_most_own_entries_the_first_of_equals() -> None:
    own, few, none = (paged.section(entries, evidence=False) for entries in (4, 2, 0))
    for sections, wanted in (([few, own, own], 1), ([none, few], 1), ([none, replace(none, lines=())], 0), ([], 0)):
        assert page_data.content(sections, paged.known()).core["opens"] == wanted


def test_what_a_line_costs_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Line] = []
    monkeypatch.setattr(costs, "cost", lambda line, cost=costs.cost: asked.append(line) or cost(line))
    section = paged.section(3)
    page_data.content([section], paged.known())
    assert len(asked) == len(views.every_line(section))


def test_a_large_page_has_its_data_beside_it() -> None:
    section = paged.section(3)
    whole, parts = page.files([section], paged.known()), page.files([section], paged.known(), limit=1)
    assert list(whole) == ["index.html"]
    core, *inside = blocks(whole["index.html"])
    assert blocks(parts["index.html"]) == [core]
    beside = [parts[f"leaderboard-data-{at}.js"].decode() for at in range(len(parts) - 1)]
    assert [json.loads(text.partition(", ")[2].removesuffix(");\n")) for text in beside] == inside
    assert [b"&#39;self&#39;" in files["index.html"] for files in (whole, parts)] == [False, True]


def test_the_policy_lets_nothing_in() -> None:
    text = page.files([paged.section(1)], paged.known())["index.html"].decode()
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[0]
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"\son[a-z]+=|\sstyle=|innerHTML|eval\(|https?://[^\s\"<]+\.(?:js|css)", text)


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb or #rgb, as WCAG has it."""
    digits = colour.lstrip("#")
    parts = (
        [int(digits[at : at + 2], 16) for at in (0, 2, 4)] if len(digits) == 6 else [17 * int(d, 16) for d in digits]
    )
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in parts)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def schemes() -> Iterator[dict[str, str]]:
    """The colours of the light page and of the dark one."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", part)) for part in CSS.split("@media (prefers")[:2]
    )
    yield light
    yield light | dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_step_of_colour_and_the_steps_rise(scheme: str) -> None:
    colours = dict(zip(("light", "dark"), schemes(), strict=True))[scheme]
    steps = [name.removeprefix("on-") for name in colours if name.startswith("on-")]
    assert len(steps) == 20
    assert all(contrast(colours[name], colours[f"on-{name}"]) >= 4.5 for name in steps)
    for text, ground in (
        ("text", "page"),
        ("quiet", "page"),
        ("quiet", "raised"),
        ("text", "faint"),
        ("link", "page"),
        ("notice-text", "notice"),
    ):
        assert contrast(colours[text], colours[ground]) >= 4.5
    assert contrast(colours["focus"], colours["page"]) >= 3
    for kind in "fud":  # a reader who sees no hue still sees the order
        scale = [luminance(colours[name]) for name in steps if name[0] == kind]
        assert scale in (sorted(scale), sorted(scale, reverse=True))
        assert len(set(scale)) == len(scale)


def test_what_is_said_beside_the_tables_is_there() -> None:
    section = paged.section(2)
    text = page.files([section], paged.known())["index.html"].decode()
    assert "Runs that are not ranked: 1 diverged." in text
    assert "marked published are a paper" in text
    assert legend.COMPARE in text
    assert "leaderboard.md" in text  # for those who run no scripts
