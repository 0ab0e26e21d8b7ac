"""A third party's package, installed by pip: listed, configured, run and ranked without a change here."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import small as worlds
from distributions import METHOD, install
from small import call

from xner_bench import conformance, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from small import Small

    from xner_bench.method import Method

PLUGIN = Path(__file__).parent / "plugin"
RAISING = """
class Raising(Method):
    '''Raising: has a bug.'''

    def trainable(self, tagger):
        return 1 / 0
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip installed the plugin in, offline, beside a second one that has a bug."""
    if not importlib.util.find_spec("pip"):
        pytest.skip("no pip in this environment to install a plugin with")
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PLUGIN, folder / "source")  # building writes beside the sources
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", folder / "site", folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    install(folder / "site", "raising-ner", {"raising": "raising_ner:Raising"}, METHOD + RAISING)
    return folder / "site"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin in this process."""
    monkeypatch.syspath_prepend(str(site))
    registry.reload()
    yield
    monkeypatch.undo()
    registry.reload()


def test_it_is_listed_and_its_options_are_flags(site: Path) -> None:
    where = {"PYTHONPATH": str(site)}
    listed = worlds.start("methods", env=where)
    page = worlds.start("run", "--method", "smooth", "--help", env=where)
    answer = worlds.end(listed)
    assert (answer.status, answer.err) == (0, "")
    assert "smooth  (xner-bench-example 0.3.1)" in answer.out
    assert "    Label smoothing: a share of each word's probability goes to all tags alike.\n" in answer.out
    assert "--smoothing FLOAT  [default: 0.1]  share s of the probability, 0 to 1" in answer.out
    help_page = worlds.end(page)
    assert (help_page.status, help_page.err) == (0, "")
    assert "--smoothing FLOAT" in help_page.out.partition("Options of method 'smooth':")[2]
    assert "smooth" not in call("methods").out, "it is installed nowhere else"


def test_it_runs_and_stands_on_the_leaderboard(small: Small, site: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    argv = small.argv(results, "--smoothing", 0.2, method="smooth")
    answer = worlds.end(worlds.start(*argv, env={"PYTHONPATH": str(site)}))
    assert (answer.status, answer.err) == (0, "")
    assert "smooth smoothing=0.2" in answer.out
    (stored,) = results.glob("runs/*/run.json")
    done = json.loads(stored.read_text("utf-8"))
    assert (done["state"], done["method_origin"]) == ("done", "xner-bench-example 0.3.1")
    assert done["settings"]["options"] == {"smoothing": 0.2}
    assert call(*small.argv(results)).status == 0
    where = ("--results", results, "--catalogue", small.catalogue)
    built = call("leaderboard", "build", *where, "--out", tmp_path / "board")
    assert built.status == 0, built.err
    ranked = pq.read_table(tmp_path / "board" / "per_language.parquet").to_pylist()
    assert {row["method"] for row in ranked} == {"smooth", "standard"}, "without the plugin being installed here"
    assert {row["language"] for row in ranked if row["method"] == "smooth"} == {"en", "sw", "no"}
    assert "smooth" in (tmp_path / "board" / "leaderboard.md").read_text("utf-8")
    assert "smooth" in call("leaderboard", "show", *where).out


def test_a_bug_keeps_its_traceback(small: Small, site: Path, tmp_path: Path) -> None:
    where = {"PYTHONPATH": str(site)}
    answer = worlds.end(worlds.start(*small.argv(tmp_path, method="raising"), env=where))
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("Traceback")
    assert answer.err.endswith("ZeroDivisionError: division by zero\n")
    (stored,) = tmp_path.glob("runs/*/run.json")
    assert json.loads(stored.read_text("utf-8"))["error"] == "ZeroDivisionError: division by zero"
    assert [path.name for path in stored.parent.iterdir()] == ["run.json"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_contract(check: Callable[[Method], None]) -> None:
    check(registry.make("smooth", {"smoothing": 0.1}))


@pytest.mark.usefixtures("installed")
def test_without_smoothing_it_is_standard(small: Small, tmp_path: Path) -> None:
    assert call(*small.argv(tmp_path, "--smoothing", 0, method="smooth")).status == 0
    assert call(*small.argv(tmp_path)).status == 0
    one, other = (path.read_bytes() for path in tmp_path.glob("runs/*/scores.parquet"))
    assert one == other
