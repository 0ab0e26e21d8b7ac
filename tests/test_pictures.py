"""Pictures: equal numbers give equal bytes, whatever anything is called; nothing is cut, nothing covers anything."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from boards import Bench
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pictured import PROFILE, section

from xner_bench import catalogue
from xner_bench.cli.leaderboard import leaderboard
from xner_bench.errors import XnerError
from xner_bench.leaderboard import board, pictures, plots
from xner_bench.leaderboard.pictures import canvas, chosen, heat, place
from xner_bench.leaderboard.pictures.place import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.text import Text

    from xner_bench.leaderboard.pictures.canvas import Picture

KINDS = ("groups", "differences", "gain", "figure-3")
LONG = "a very long label " * 9
STRANGE = (
    "standard",
    r"slicer $\frac{a}{b}$ a_b^c \alpha % # & ~",
    "<script>alert(1)</script> & \"quotes\" 'x' ]]> -->",
    "\u65b9\u6cd5 \u00e9moji \U0001f389 \u202e rtl \x1b[31m",
    f"{LONG}1",
    f"{LONG}2",
)
SVG = "{http://www.w3.org/2000/svg}"


def entries(number: int) -> list[str]:
    return ["standard", *(f"method{at} h={at}" for at in range(number - 1))]


def drawn(labels: Sequence[str], **kind: Any) -> dict[str, Picture]:
    """Pictures by what they show."""
    made, known = section(labels, **kind)
    with canvas.style():
        found = {
            one.name.removeprefix(f"{made.suite.name}-{PROFILE}-"): one
            for one in pictures.pictures(made, PROFILE, known)
        }
        for one in found.values():
            one.figure.draw_without_rendering()
    return found


def texts(picture: Picture) -> list[Text]:
    """All text that is to be seen."""
    from matplotlib.text import Text

    return [one for one in picture.figure.findobj(Text) if one.get_visible() and one.get_text().strip()]


def words(picture: Picture) -> str:
    return " ".join(one.get_text() for one in texts(picture))


def test_the_same_section_gives_the_same_bytes() -> None:
    first, second = (pictures.draw([made], known) for made, known in [section(entries(2), tested=True)] * 2)
    assert first == second
    assert [*first] == [f"slicer-en-{PROFILE}-{kind}.{ending}" for kind in KINDS for ending in ("svg", "png")]


PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from pictured import section
from xner_bench.leaderboard import pictures
made, known = section(["standard", "slicer h=8"], tested=True)
print(hashlib.sha256(repr(pictures.draw([made], known)).encode()).hexdigest())
"""


def test_no_hash_seed_style_or_locale_changes_a_byte(tmp_path: Path) -> None:
    style = tmp_path / "matplotlibrc"
    style.write_text("font.family: serif\naxes.grid: True\nsvg.fonttype: none\ntext.parse_math: True\nfigure.dpi: 33\n")
    found = set()
    for changed in ({"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "7", "LC_ALL": "tr_TR", "MATPLOTLIBRC": str(style)}):
        command = (sys.executable, "-c", PROGRAM, str(Path(__file__).parent))
        found.add(subprocess.run(command, env=os.environ | changed, capture_output=True, check=True).stdout)
    assert len(found) == 1


def test_a_style_of_the_user_is_left_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn(entries(2))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("number", "tested", "holes"), [(1, True, 0.0), (2, False, 0.3), (3, True, 0.0), (12, True, 0.1)]
)
def test_nothing_is_cut_by_the_edge(number: int, tested: bool, holes: float) -> None:
    for picture in drawn(entries(number), tested=tested, holes=holes).values():
        with canvas.style():
            picture.figure.canvas.draw()
        image = np.asarray(picture.figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
        for edge in (image[:3], image[-3:], image[:, :3], image[:, -3:]):
            assert (edge == 255).all(), picture.name


@pytest.mark.parametrize("suite", ["slicer-en", "dlfa", "quick"])
def test_labels_beside_points_do_not_cover_each_other(suite: str) -> None:
    picture = drawn(entries(3), suite=suite)["gain"]
    for axes in picture.figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) > 10
        covered = sum(one.overlaps(other) for one, other in combinations(boxes, 2))
        assert covered == 0


def test_of_many_entries_the_first_are_shown_with_standard_and_it_is_said() -> None:
    made, known = section(entries(60))
    for one in (made, replace(made, lines=made.lines[::-1])):
        with canvas.style():
            found = {picture.name.rpartition("-")[2]: picture for picture in pictures.pictures(one, PROFILE, known)}
        assert "40 of 60 entries" in found["groups"].description
        assert "standard" in [tick.get_text() for tick in found["groups"].figure.axes[0].get_yticklabels()]
        assert "40 of 59 entries" in words(found["differences"])
        assert "4 of 59 entries" in words(found["gain"])
        assert len(found["groups"].figure.axes[0].get_yticks()) == chosen.MOST


@pytest.mark.filterwarnings("error")
def test_whatever_an_entry_is_called_its_picture_is_drawn_and_its_name_stays_text() -> None:
    made, known = section(STRANGE)
    files = pictures.draw([made], known)
    for name, data in files.items():
        if name.endswith(".svg"):
            root = ElementTree.fromstring(data)  # is well-formed
            assert not [one for one in root.iter() if one.tag in (f"{SVG}script", f"{SVG}foreignObject")]
            assert not [one for one in root.iter() for key in one.attrib if key.lower().startswith("on")]
    said = ElementTree.fromstring(files[f"slicer-en-{PROFILE}-differences.svg"]).findtext(f"{SVG}desc")
    assert said
    assert all(label in said for label in (STRANGE[1], STRANGE[2], f"{LONG}1:", f"{LONG}2:"))
    assert "\x1b" not in said


def test_no_name_is_read_as_a_formula() -> None:
    shown = words(drawn(STRANGE)["groups"])
    assert r"slicer $\frac{a}{b" in shown
    assert not any(text.get_parse_math() for text in texts(drawn(STRANGE)["differences"]))


def test_names_that_are_cut_alike_stay_apart() -> None:
    cut = canvas.short([f"{LONG}1 end", f"{LONG}2 end", "short"])
    assert len({*cut}) == 3
    assert max(map(len, cut)) <= canvas.LONGEST
    assert cut[2] == "short"
    assert "in full in the SVG's description" in words(drawn(STRANGE)["differences"])


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_text_becomes_one_line_that_the_font_has(text: str) -> None:
    shown = canvas.readable(text)
    assert "\n" not in shown
    assert canvas.readable(shown) == shown
    assert canvas.extent(shown) >= 0


def test_what_is_supported_is_marked_and_nothing_else() -> None:
    made, _ = section(entries(3), tested=True)
    seen = chosen.view(made, PROFILE)
    found = chosen.compared(seen)
    for pair in chosen.pairs(seen):
        known = [chosen.difference(seen, found, pair, corpus) for corpus in made.corpora]
        shown = [one for one in known if one and one.supported]
        assert shown
        assert len(shown) < len(known)
    picture = drawn(entries(3), tested=True)["differences"]
    bold = [text.get_text() for text in texts(picture) if text.get_weight() == "bold"]
    every = [
        one
        for pair in chosen.pairs(seen)
        for corpus in made.corpora
        if (one := chosen.difference(seen, found, pair, corpus)) and one.supported
    ]
    assert sorted(bold) == sorted([picture.title, *(heat.text(one) for one in every)])
    untested = drawn(entries(3))["differences"]
    assert [text.get_text() for text in texts(untested) if text.get_weight() == "bold"] == [untested.title]
    assert "No difference here is tested" in words(untested)


def test_evidence_counts_from_either_side() -> None:
    made, _ = section(entries(2), tested=True)
    assert made.evidence
    turned = replace(
        made,
        evidence=replace(
            made.evidence,
            comparisons=tuple(
                one._replace(
                    entry=one.against,
                    against=one.entry,
                    difference=-one.difference,
                    low=None if one.high is None else -one.high,
                    high=None if one.low is None else -one.low,
                )
                for one in made.evidence.comparisons
            ),
        ),
    )
    assert [*map(_differences, (made, turned))] == [_differences(made)] * 2


def _differences(made: Any) -> list[Any]:
    seen = chosen.view(made, PROFILE)
    found = chosen.compared(seen)
    return [chosen.difference(seen, found, pair, at) for pair in chosen.pairs(seen) for at in made.corpora]


def test_letters_in_cells_have_contrast() -> None:
    for points in range(-13, 14):
        lightness = heat._luminance(points, 12) + 0.05
        letters = 1.05 if lightness - 0.05 < heat.DARK else 0.05  # white, black
        assert max(letters, lightness) / min(letters, lightness) >= 4.5


@given(
    st.lists(st.tuples(st.floats(0.2, 5.8), st.floats(0.2, 3.8)), min_size=1, max_size=14),
)
@settings(max_examples=30, deadline=None)
def test_labels_are_near_their_points_and_on_the_page(places: list[tuple[float, float]]) -> None:
    points = [Box(x, y, 0.1, 0.1) for x, y in places]
    page = Box(3, 2, 6, 4)
    found = place.labels(points, [(0.25, 0.12)] * len(points), page)
    for point, box in zip(points, found, strict=True):
        assert abs(box.x - 3) + box.width / 2 <= 3
        assert abs(box.y - 2) + box.height / 2 <= 2
        assert abs(box.x - point.x) < 1
        assert abs(box.y - point.y) < 1


def test_published_rows_alone_give_the_papers_own_figure(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.add(suite="slicer-en")
    known = catalogue.load([bench.cards])
    (made,) = board.build(bench.store, known)
    with canvas.style():
        found = {one.name: one for one in pictures.pictures(made, "subword-lenient", known)}
    told = found["slicer-en-subword-lenient-figure-3"].description
    assert "standard, lr 1e-5 (published): wikiann:en 83.3, wikiann:de 71.0" in told
    assert "slicer h=8, lr 1e-5 (published)" in told
    assert "not tested" in found["slicer-en-subword-lenient-differences"].description


def test_build_writes_pictures_when_it_is_asked_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for seed in (1, 2):
        bench.add(seed=seed)
        bench.add("slicer", options={"h": 8}, seed=seed, scores={"one:ab": (3, 2, 1)})
    where = ["--results", str(bench.store.root), "--catalogue", str(bench.cards)]
    folder = bench.store.root / "leaderboard" / plots.FOLDER
    assert CliRunner().invoke(leaderboard, ["build", *where], catch_exceptions=False).exit_code == 0
    assert not folder.exists()
    assert CliRunner().invoke(leaderboard, ["build", "--plots", *where], catch_exceptions=False).exit_code == 0
    shown = {path.name for path in folder.iterdir()}
    assert shown == {
        f"toy-word-strict-{kind}.{ending}" for kind in ("groups", "differences", "gain") for ending in ("svg", "png")
    }
    said = (folder / "toy-word-strict-groups.svg").read_text("utf-8")
    assert "for testing only" in said  # the suite's notice
    assert said.startswith("<?xml")


def test_without_matplotlib_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.add()
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    with pytest.raises(XnerError, match=r"--plots needs matplotlib.*pip install 'xner-bench\[plots\]'"):
        where = ["--results", str(bench.store.root), "--catalogue", str(bench.cards)]
        CliRunner().invoke(leaderboard, ["build", "--plots", *where], catch_exceptions=False)
    assert not (bench.store.root / "leaderboard").exists()


def test_other_sources_and_many_of_them_make_names_of_files() -> None:
    made, _ = section(entries(2))
    many = "+".join(f"wikiann:{a}{b}" for a in "abcde" for b in "abcdefgh")
    sources = (made.source, "wikiann:de", "each", many, f"{many}+wikiann:zz")
    names = [pictures.file_name(replace(made, source=source), PROFILE) for source in sources]
    assert len({*names}) == len(names)
    assert all(len(name) < 120 and name.isascii() and "/" not in name and ":" not in name for name in names)
