"""The suite that everybody runs first: both methods on the mini corpora, as the commands in the README do it."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

import xner_bench
from xner_bench.cli import main

if TYPE_CHECKING:
    from pathlib import Path

NEAR = ("de", "es", "fr")
DISTANT = ("ar", "hi", "zh", "amh")
METHODS = ("standard", "slicer")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of both methods with the suite's own settings."""
    folder = tmp_path_factory.mktemp("quick")
    for method in METHODS:
        done = xner_bench.carry_out(xner_bench.set_up("quick", method), folder)
        assert done.state == "done"
    return folder


@pytest.fixture(scope="module")
def true(results: Path) -> dict[str, dict[str, float]]:
    """TRUE F1 in percent, by method and language."""
    rows = [row for row in xner_bench.scores(results).to_pylist() if row["protocol"] == "last"]
    return {name: {row["language"]: row["f1"] for row in rows if row["method"] == name} for name in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_the_mini_encoder_carries_signal(true: dict[str, dict[str, float]], method: str) -> None:
    scores = true[method]
    assert len(scores) == 17
    assert scores["en"] >= 85
    assert fmean(score for language, score in scores.items() if language != "en") >= 40
    near, distant = ([scores[language] for language in some] for some in (NEAR, DISTANT))
    assert min(near) > max(distant)
    assert fmean(near) > fmean(distant) + 20


def test_the_leaderboard_has_both_with_every_target(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["leaderboard", "build", "--results", str(results)])
    assert ended.value.code == 0
    made = results / "leaderboard"
    entries = ("slicer h=8", "standard")
    rows = pq.read_table(made / "per_language.parquet").to_pylist()
    for entry in entries:
        scored = [row for row in rows if row["entry"] == entry and row["protocol"] == "last"]
        assert len(scored) == 17
        assert all(row["f1_mean"] is not None and not row["published"] for row in scored)
        for page in ("leaderboard.md", "per_language.md"):
            text = (made / page).read_text("utf-8")
            assert f"| {entry} |" in text
            assert "for learning and testing, not for papers" in text
        total = fmean(row["f1_mean"] for row in scored)
        means = pq.read_table(made / "leaderboard.parquet").to_pylist()
        (group,) = (m for m in means if m["entry"] == entry and m["group"] == "Total" and m["protocol"] == "last")
        assert group["complete"]
        assert group["f1_mean"] == pytest.approx(total)
        assert f"{total:.1f}" in (made / "leaderboard.md").read_text("utf-8")
