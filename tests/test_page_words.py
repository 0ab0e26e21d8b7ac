"""What the page says beside its numbers: over which seeds they are, and why some of them are not there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import paged
import pytest
from boards import Bench
from browsing import opened
from counts import Counted, entries

from xner_bench.leaderboard import board, page, views
from xner_bench.leaderboard.published import TEST

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from xner_bench.leaderboard.lines import Section

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
CORPORA = ("one:aa", "one:ab", "one:ac", "two:ba", "two:bb")
ONE_SEED = "one seed supports nothing, run more"
DRAWS = 100


def contested(folder: Path, first: tuple[int, ...], second: tuple[int, ...], better: float = 1.0) -> Section:
    """A section of slicer and standard with these seeds, whose luck differs."""
    bench, random = Counted(folder), np.random.default_rng(7)
    seeds = sorted({*first, *second})
    found = {corpus: entries(random, len(seeds), 80, better, luck=0.4) for corpus in CORPORA}
    for at, seed in enumerate(seeds):
        own, others = ({corpus: pair[side][at] for corpus, pair in found.items()} for side in (0, 1))
        if seed in first:
            bench.count("slicer", seed, own, options=SLICER)
        if seed in second:
            bench.count("standard", seed, others)
    return built(bench)


def built(bench: Bench) -> Section:
    (found,) = board.build(bench.store, bench.catalogue, draws=DRAWS)
    return found


def written(section: Section, folder: Path) -> Path:
    (data,) = page.files([section], paged.known()).values()
    (folder / "index.html").write_bytes(data)
    return folder / "index.html"


def number(text: str) -> float:
    return float(text.strip("▲▼ ").replace("−", "-"))


def test_where_seeds_are_unequal_all_of_a_comparison_is_over_those_that_both_have(
    chromium: Browser, tmp_path: Path
) -> None:
    path = written(contested(tmp_path, (1, 2, 3, 4), (3, 4, 5)), tmp_path)
    with opened(chromium, path) as found:
        total = number(found.column("groups", found.header("groups", "Total"))[0].split(" ")[0])
        for _ in range(2):
            rows = found.page.eval_on_selector_all(
                "#compare tbody tr", "(all) => all.map((row) => [...row.cells].map((cell) => cell.textContent))"
            )
            assert len(rows) == len(CORPORA) + 4  # groups
            for _, own, other, difference, interval, _, _, seeds in rows:
                assert number(own) - number(other) == pytest.approx(number(difference), abs=0.11)
                assert seeds == "2"
                assert " to " in interval
            first, second = (found.page.input_value(f"#{name}") for name in ("first", "second"))
            found.page.select_option("#first", second)
            found.page.select_option("#second", first)
        assert total not in [number(cell) for cell in rows[3][1:3]]  # over all four seeds it is another
        assert "are over the seeds that both have" in found.page.inner_text("#compare-text")
        found.page.select_option("#cells", "difference")
        assert "over 2 matched seeds" in found.page.inner_text("#languages-text")
        assert found.column("groups", found.header("groups", "Total"))[0].endswith("] (2)")
        found.page.locator("#languages tbody tr", has_text="slicer").locator("td button").first.click()
        assert "over 2 matched seeds; 95 % interval" in found.page.inner_text("#facts")


def test_means_are_told_only_where_they_are_not_the_usual_ones(tmp_path: Path) -> None:
    alike, unlike = (tmp_path / name for name in ("alike", "unlike"))
    for section, wanted in ((contested(alike, (1, 2), (1, 2)), False), (contested(unlike, (1, 2), (1,)), True)):
        for view in views.views(section):
            (pair,) = views.data(section, view)["pairs"]
            assert (len(pair.get("means", ())) > 0) == wanted


def test_one_seed_supports_nothing_and_the_page_says_so(chromium: Browser, tmp_path: Path) -> None:
    path = written(contested(tmp_path, (1,), (1,), better=4.0), tmp_path)
    with opened(chromium, path, "#cells=difference") as found:
        for name in ("groups-text", "languages-text", "compare-text"):
            assert ONE_SEED in found.page.inner_text(f"#{name}")
        assert found.page.locator("#languages td.hatched").count() == len(CORPORA)
        assert "not supported by the data: one seed" in found.page.inner_text("#scale")
        found.page.locator("#languages td.hatched button").first.click()
        assert ONE_SEED in found.page.inner_text("#facts")


def test_a_group_in_which_no_entry_has_all_languages_is_named(chromium: Browser, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for method, options in (("standard", {}), ("slicer", SLICER)):
        bench.add(method, options=options, scores={"two:bb": None}, missing=(("two:bb", "test"),))
    with opened(chromium, written(built(bench), tmp_path)) as found:
        said = "No entry has a score in all languages of two or Total, so there is no mean."
        assert said.lower() in found.page.inner_text("#groups-text").lower()
        command = found.page.locator("#groups-text code").first.inner_text()
        assert command == "xner-bench leaderboard counts"  # which would make the counts that are not there


def test_one_entry_is_compared_with_nothing(chromium: Browser, tmp_path: Path) -> None:
    with opened(chromium, written(contested(tmp_path, (), (1, 2)), tmp_path)) as found:
        assert not found.page.locator("#compare-section").is_visible()
        assert "there is one entry of our own" in found.page.inner_text("#groups-text")


def test_every_view_without_intervals_says_why() -> None:
    section = paged.section(3)
    perturbed = replace(section, perturbed=(replace(section.lines[0], split="test-in-script"),))
    for made, split, profile, reason in (
        (section, TEST, paged.PROFILE, ""),
        (section, TEST, "subword-lenient", "these are papers' numbers"),
        (replace(section, evidence=None), TEST, paged.PROFILE, "was built without evidence"),
        (paged.section(3, evidence=False, protocols=("few-shot-random-10",)), TEST, paged.PROFILE, "few-shot"),
        (perturbed, "test-in-script", paged.PROFILE, "the regular test split alone"),
    ):
        shown = [view for view in views.views(made) if (view.split, view.profile) == (split, profile)]
        told = [views.data(made, view).get("unjudged", "") for view in shown]
        assert told
        assert all(reason in one if reason else one == "" for one in told)


def test_remarks_on_papers_stand_beside_papers_rows(chromium: Browser, tmp_path: Path) -> None:
    with opened(chromium, written(paged.section(2), tmp_path)) as found:
        assert not found.page.locator(".papers").is_visible()
        found.page.select_option("#profile", "subword-lenient")
        assert found.page.locator(".papers").is_visible()
        assert found.page.locator(".papers code").all_inner_texts() == ["classifier: frozen"]
        assert "`" not in found.page.inner_text(".papers")


def test_two_seeds_are_said_to_be_few_and_ranks_have_a_column(chromium: Browser, tmp_path: Path) -> None:
    with opened(chromium, written(contested(tmp_path, (1, 2), (1, 2)), tmp_path)) as found:
        assert "With so few seeds" in found.page.inner_text("#groups-text")
        assert "Rank: entries" in found.page.inner_text("#groups-text")
        assert set(found.column("groups", found.header("groups", "Rank"))) == {"=1"}


def test_without_intervals_nothing_is_coloured_and_no_rank_is_spoken_of(chromium: Browser, tmp_path: Path) -> None:
    section = paged.section(4, evidence=False)
    with opened(chromium, written(section, tmp_path), "#cells=difference") as found:
        assert found.page.locator("#languages td.hatched").count() > 0
        assert found.page.locator("#languages td[class^=u], #languages td[class^=d]").count() == 0
        assert "not supported by the data: no intervals" in found.page.inner_text("#scale")
        assert "Rank" not in found.page.inner_text("#groups thead")
        assert "Rank" not in found.page.inner_text("#groups-text")
