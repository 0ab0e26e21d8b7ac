"""README.md and the documents show what the commands make of docs/first-results."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from xner_bench.leaderboard.cells import mean_text
from xner_bench.results import Store

ROOT = Path(__file__).parents[1]


@cache
def script() -> Any:
    """docs/readme.py as a module."""
    spec = importlib.util.spec_from_file_location("readme", ROOT / "docs" / "readme.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def made() -> tuple[Any, Any]:
    return script().section()


@pytest.mark.timeout(1200)  # 10,000 draws of 57,000 sentences, which takes 10 s of a processor
def test_table_and_pictures_are_current() -> None:
    pytest.importorskip("matplotlib")
    assert script().stale(*made()) == [], "make them again with: python docs/readme.py"


def test_a_changed_number_is_found() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    new = script().block(*made())
    assert script().with_block(text, new) == text
    other = text.replace("69.9 ± 0.5", "69.8 ± 0.5")
    assert other != text
    assert script().with_block(other, new) != other


def test_the_documents_table_has_the_numbers_of_the_stored_runs() -> None:
    """Every cell of first-results.md, and the means below them."""
    section, _ = made()
    lines = {line.label: line for line in section.lines if not line.published}
    text = (ROOT / "docs" / "first-results.md").read_text("utf-8")
    rows = re.findall(r"^\| (\w+:\w+) [^|]+\|[^|]+\| (.+) \|$", text, re.MULTILINE)
    assert len(rows) == 22
    for corpus, cells in rows:
        found = [
            mean_text(lines[label].rows[corpus, protocol].f1)
            for label in ("standard", "slicer h=8")
            for protocol in ("last", "oracle")
        ]
        assert cells.split(" | ") == found, corpus


def test_the_kept_runs_speak_of_no_machine() -> None:
    for run in Store(script().RUNS).runs():
        assert run.provenance["platform"] == "Linux-x86_64"
        assert all(record.origin.startswith("file:DATA/") for record in run.data)
        assert run.settings.encoder == run.encoder.name
