"""`xner-bench leaderboard` and the table that `run` ends with: equal runs, equal files; nothing is cut."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boards import Bench
from click.testing import CliRunner
from rich.console import Console

from xner_bench.cli import main, tables
from xner_bench.cli.leaderboard import leaderboard
from xner_bench.errors import UnknownName, XnerError
from xner_bench.leaderboard import board, page

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.results import Run

SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
FILES = (
    *("comparisons.parquet", "index.html", "leaderboard.md"),
    *("leaderboard.parquet", "per_language.md", "per_language.parquet"),
)
COMMAND = (sys.executable, "-c", "from xner_bench.cli.leaderboard import leaderboard; leaderboard()")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def call(bench: Bench, *words: str | Path) -> str:
    arguments = [*map(str, words), "--catalogue", str(bench.cards)]
    if "--results" not in arguments:
        arguments += ["--results", str(bench.store.root)]
    result = CliRunner().invoke(leaderboard, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def fill(bench: Bench) -> None:
    """Two suites, four entries of one to three seeds, runs that are not ranked, holes."""
    for seed in (1, 2, 3):
        bench.add(seed=seed, scores={"one:ab": (3 * seed, 2, 1)})
        bench.add("slicer", options=SLICER, seed=seed, scores={"two:bb": (seed, 2, 1)})
    bench.add("slicer", options={**SLICER, "h": 2}, scores={"two:bb": None}, missing=(("two:bb", "test"),))
    bench.add(suite="slicer-en", profiles=("word-strict", "subword-lenient"))
    bench.add(seed=9, state="failed")


def contents(folder: Path) -> dict[str, bytes]:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    return {name: (folder / name).read_bytes() for name in FILES}


def test_build_writes_files_that_agree(bench: Bench) -> None:
    fill(bench)
    output = call(bench, "build")
    folder = bench.store.root / "leaderboard"
    assert all(str(folder / name) in output for name in FILES)
    assert "4 entries from 8 runs; next: xner-bench leaderboard show --results" in output
    table = pq.read_table(folder / "leaderboard.parquet").to_pylist()
    best = [row for row in table if (row["suite"], row["group"], row["role"]) == ("toy", "Total", "true")]
    assert [row["entry"] for row in best] == ["standard", "slicer h=8", "slicer h=2"]
    shown = f"{best[0]['f1_mean']:.1f} ± {best[0]['f1_std']:.1f} (3)"
    assert shown in (folder / "leaderboard.md").read_text(encoding="utf-8")
    one = pq.read_table(folder / "per_language.parquet").to_pylist()
    ab = [row for row in one if (row["entry"], row["language"], row["role"]) == ("standard", "ab", "true")]
    assert f"| {ab[0]['f1_mean']:.1f} ± {ab[0]['f1_std']:.1f} |" in (folder / "per_language.md").read_text(
        encoding="utf-8"
    )


def test_the_same_runs_in_any_order_and_place_give_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    fill(bench)
    call(bench, "build", "--out", tmp_path / "first")
    expected = contents(tmp_path / "first")
    assert not any(str(tmp_path).encode() in data or b"/secret" in data for data in expected.values())
    runs = list((bench.store.root / "runs").iterdir())
    for number in range(3):
        random.Random(number).shuffle(runs)
        results = tmp_path / f"copy {number}"
        for index, run in enumerate(runs):  # another order in the folder, other names of its members
            shutil.copytree(run, results / "runs" / run.name)
            os.utime(results / "runs" / run.name / "run.json", (index, index))
        call(bench, "build", "--results", results)
        assert contents(results / "leaderboard") == expected


def test_no_hash_seed_locale_or_time_zone_changes_a_byte(bench: Bench, tmp_path: Path) -> None:
    fill(bench)
    found = []
    for seed, locale, zone in (
        ("0", "C", "UTC"),
        ("1", "de_DE.UTF-8", "Asia/Tokyo"),
        ("77", "tr_TR.UTF-8", "America/Lima"),
    ):
        out = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone}
        where = ("--results", bench.store.root, "--catalogue", bench.cards, "--out", out)
        subprocess.run((*COMMAND, "build", *where), env=environment, check=True, capture_output=True)
        found.append(contents(out))
    assert found[0] == found[1] == found[2]


def test_building_again_changes_nothing_and_reads_no_output(bench: Bench) -> None:
    fill(bench)
    call(bench, "build")
    first = contents(bench.store.root / "leaderboard")
    call(bench, "build")
    assert contents(bench.store.root / "leaderboard") == first


def test_a_folder_that_cannot_be_written_is_one_line(bench: Bench, tmp_path: Path) -> None:
    bench.add()
    (tmp_path / "file").write_text("")
    with pytest.raises(XnerError, match=r"cannot write .*; choose another folder with --out DIR"):
        call(bench, "build", "--out", tmp_path / "file" / "below")


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_leaderboards_is_named_before_anything_is_written(bench: Bench, tmp_path: Path, name: str) -> None:
    bench.add()
    call(bench, "build")
    site, target = tmp_path / "site", bench.store.root / "leaderboard" / name
    table, mine = io.BytesIO(), site / name
    pq.write_table(pa.table({"suite": ["mine"]}), table)
    for put in (
        lambda: mine.write_text("# Leaderboard\n\nOf our chess club\n"),
        lambda: mine.write_bytes(table.getvalue()),
        lambda: mine.write_bytes(b""),
        lambda: mine.mkdir(),
        lambda: mine.symlink_to(target),
        lambda: mine.symlink_to("nowhere"),
    ):
        site.mkdir()
        put()
        before = mine.lstat()
        with pytest.raises(XnerError) as told:
            call(bench, "build", "--out", site)
        assert str(told.value) == f"{mine} is no leaderboard's; move it away, or choose another folder with --out DIR"
        assert [path.name for path in site.iterdir()] == [name]
        assert (mine.lstat().st_ino, mine.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        shutil.rmtree(site)


def test_a_file_in_the_place_of_the_folder_of_pictures_is_named(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    bench.add()
    (tmp_path / "plots").write_text("mine")
    with pytest.raises(XnerError, match="plots is no leaderboard's; move it away"):
        call(bench, "build", "--plots", "--out", tmp_path)
    assert not (tmp_path / "index.html").exists()


def test_a_board_of_the_first_version_is_replaced(bench: Bench) -> None:
    bench.add()
    folder = bench.store.root / "leaderboard"
    folder.mkdir()
    said = "F1 in percent: micro over entity types, on test splits; a group's mean is unweighted over its targets. "
    (folder / "leaderboard.md").write_text(f"# Leaderboard\n\n{said}")
    (folder / "per_language.md").write_text(f"# Scores per language\n\n{said}")
    suite = pa.field("suite", "string", metadata={"about": "the published set-up that the entry was run in"})
    for name in ("leaderboard.parquet", "per_language.parquet"):
        pq.write_table(pa.table([["toy"]], schema=pa.schema([suite])), folder / name)
    call(bench, "build")
    first = contents(folder)
    assert said.encode() not in first["leaderboard.md"]
    assert pq.read_schema(folder / "leaderboard.parquet").names[1] == "entry"


def test_no_leaderboard_is_built_among_the_runs(bench: Bench, tmp_path: Path) -> None:
    bench.add()
    runs = bench.store.root / "runs"
    before = sorted(runs.rglob("*"))
    (tmp_path / "link").symlink_to(runs)
    for out in (runs, runs / "board", bench.store.root / "leaderboard" / ".." / "runs" / "x", tmp_path / "link" / "x"):
        with pytest.raises(XnerError, match="where the runs are; choose another folder with --out DIR"):
            call(bench, "build", "--out", out)
    assert sorted(runs.rglob("*")) == before


@pytest.mark.parametrize("words", [("build", "--out"), ("publish", "--to"), ("bundle", "all", "--to")])
def test_nothing_is_put_among_the_runs_of_another_store_or_the_grids(
    bench: Bench, tmp_path: Path, words: tuple[str, ...]
) -> None:
    bench.add()
    other = Bench(tmp_path / "other")
    other.add()
    runs = other.store.root / "runs"
    for place in (runs / "x", next(runs.iterdir()) / "x", bench.store.root / "grids" / "x"):
        with pytest.raises(XnerError, match=f"where the (runs|grids) are; choose another folder with {words[-1]} "):
            CliRunner().invoke(
                leaderboard, [*words, str(place), "--results", str(bench.store.root)], catch_exceptions=False
            )
        assert not place.exists()
    (tmp_path / "runs" / "mine").mkdir(parents=True)  # only a name
    call(bench, "build", "--out", tmp_path / "runs")


def test_parts_of_a_page_of_a_former_build_go_and_nothing_else(bench: Bench) -> None:
    fill(bench)
    folder = bench.store.root / "leaderboard"
    kept = (
        *("leaderboard-data-99.js", "leaderboard-data-x.js", "leaderboard-data-1.json"),
        *("plots/my-own-word-strict-groups.svg", "plots/old-en-word-strict-gain.png", "plots/toy-word-strict-gain.pdf"),
    )
    (folder / "plots").mkdir(parents=True)
    for name in kept:
        (folder / name).write_text("leaderboardData(1, []);\n")
    (folder / "leaderboard-data-98.js").symlink_to("leaderboard-data-98")
    (folder / "leaderboard-data-98").write_text("leaderboardData(98, []);\n")
    kept += ("leaderboard-data-98.js", "leaderboard-data-98")
    parts = page.files(board.build(bench.store, bench.catalogue), bench.catalogue, limit=0)  # as of many runs
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    output = call(bench, "build")
    assert names(folder) == {*FILES, *kept}
    gone = parts.keys() - {*FILES}
    assert gone
    assert all(f"removed {folder / name}, of a former leaderboard" in output for name in gone)


def test_pictures_stay_and_those_that_are_not_of_this_build_are_counted(bench: Bench) -> None:
    pytest.importorskip("matplotlib")
    fill(bench)
    folder = bench.store.root / "leaderboard"
    said = f"pictures in {folder / 'plots'} that this build did not draw, and left there: "
    assert said not in call(bench, "build", "--plots")
    drawn = names(folder / "plots")
    (folder / "plots" / "my-own-word-strict-groups.svg").write_text("mine")
    (folder / "plots" / "notes.txt").write_text("mine")
    assert f"{said}1\n" in call(bench, "build", "--plots")
    assert f"{said}{len(drawn) + 1}\n" in call(bench, "build")
    assert names(folder / "plots") == {*drawn, "my-own-word-strict-groups.svg", "notes.txt"}


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_that_was_deleted_under_ones_feet_is_one_line(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(XnerError, match="the folder that you are in was deleted; go to another one"):
        call(bench, "build", "--out", "site")
    assert "1 entry from 1 run" in call(bench, "build", "--out", tmp_path / "site")


def test_a_link_that_leads_to_itself_is_named_and_left_out(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.add()
    (bench.store.root / "runs" / "self").symlink_to("self")
    output = call(bench, "build")
    assert "runs/self/run.json: cannot be read: too many levels of symbolic links" in output + capsys.readouterr().err
    assert "1 entry from 1 run" in output


def test_a_table_that_is_not_there_is_named_once(bench: Bench) -> None:
    run = bench.add()
    path = bench.store.folder(run.run_id) / "scores.parquet"
    path.unlink()
    with pytest.raises(XnerError) as told:
        call(bench, "build")
    assert str(told.value) == f"{path}: it is not there; `xner-bench results check` says what to do"


def test_an_empty_word_is_no_catalogue(bench: Bench) -> None:
    bench.add()
    arguments = ["build", "--results", str(bench.store.root), "--catalogue", ""]
    result = CliRunner().invoke(leaderboard, arguments)
    assert result.exit_code == 2
    assert "'--catalogue': it is empty" in result.output


@pytest.mark.parametrize("command", ["build", "show"])
def test_no_results_say_what_to_type(bench: Bench, command: str) -> None:
    with pytest.raises(XnerError, match="xner-bench run --method slicer --h 8"):
        call(bench, command)
    assert not (bench.store.root / "leaderboard").exists()


@pytest.mark.parametrize("command", ["build", "show"])
def test_the_program_answers_with_one_line_and_status_2(
    bench: Bench, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["leaderboard", command, "--results", str(bench.store.root)])
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("xner-bench: no results in ")
    assert shown.err.count("\n") == 1


def test_show_of_an_unknown_suite_offers_the_nearest(bench: Bench) -> None:
    bench.add()
    with pytest.raises(UnknownName, match="did you mean 'slicer-en'"):
        call(bench, "show", "--suite", "slicer-eng")


def test_a_piped_show_is_plain_and_whole(bench: Bench) -> None:
    fill(bench)
    output = call(bench, "show", "--per-language")
    assert "\x1b" not in output
    assert "for testing only" in output
    assert "Runs that are not ranked: 1 failed." in output
    (best,) = [row for row in output.splitlines() if row.startswith("standard") and "(3)" in row]
    assert best.count("±") == 8  # every group, TRUE and ORACLE, in one line
    assert "slicer h=8, lr 1e-5 (published, table 1)" in output
    assert "appendix" not in output.partition("Remarks")[0].partition("\nToy")[2]


def test_show_of_one_suite_leaves_the_others_out(bench: Bench) -> None:
    fill(bench)
    output = call(bench, "show", "--suite", "toy")
    assert "Toy suite" in output
    assert "published" not in output


@pytest.mark.parametrize("width", [30, 80, 200])
def test_a_terminal_of_any_width_shows_every_number(bench: Bench, width: int) -> None:
    fill(bench)
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    sections = board.build(bench.store, bench.catalogue, "toy")
    tables.board(console, sections, bench.catalogue, per_language=True)
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= width
    line = sections[0].lines[0]
    for (_, protocol), mean in line.means.items():
        if protocol != "source-dev" and mean.f1:
            assert f"{mean.f1.mean:.1f} ± {mean.f1.std:.1f} (3)" in text


def printed(bench: Bench, run: Run, width: int = 80, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=stream, width=width)
    tables.run_table(console, run, bench.store.table(run.run_id, "scores"), bench.catalogue)
    stream.flush()
    return raw.getvalue().decode(encoding)


def cells(text: str) -> dict[str, list[str]]:
    """First words of a row -> its numbers."""
    rows = [row.split("  ") for row in map(str.strip, text.splitlines())]
    return {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}


def test_a_runs_table_has_source_targets_and_means(bench: Bench) -> None:
    run = bench.add(scores={"two:bb": None, ("one:ab", "oracle"): (9, 0, 0)}, missing=(("two:bb", "test"),))
    text = printed(bench, run)
    found = cells(text)
    assert found["AA (aa)"] == ["81.8", "81.8"]  # source-dev is the same and left out
    assert found["AB (ab)"] == ["81.8", "100.0"]
    assert found["BB (bb)"] == ["–", "–"]
    assert found["One without the source"] == ["81.8", "90.9"]
    assert found["Two"] == ["1/2", "1/2"]
    assert found["Total"] == ["4/5", "4/5"]
    assert text.index("AA (aa)") < text.index("AB (ab)") < text.index("BA (ba)") < text.index("Total")
    assert text.count("AA (aa)") == 1
    assert "for testing only" in text
    assert "Without test split: two:bb" in text


def test_source_dev_is_shown_where_it_differs(bench: Bench) -> None:
    run = bench.add(scores={("one:ab", "source-dev"): (2, 2, 2)})
    text = printed(bench, run)
    assert "source-dev" in text
    assert cells(text)["AB (ab)"] == ["81.8", "60.0", "81.8"]
    other = bench.add(scores={("one:ab", "source-dev"): (2, 2, 2)}, true_protocol="source-dev")
    assert cells(printed(bench, other))["AB (ab)"] == ["60.0", "81.8"]


def test_a_run_on_some_targets_shows_no_mean_of_them(bench: Bench) -> None:
    run = bench.add(targets=("one:ab", "two:ba"))
    found = cells(printed(bench, run))
    assert found["Total"] == ["3/5", "3/5"]
    assert "BB (bb)" not in found


def test_every_profile_of_a_run_has_a_table(bench: Bench) -> None:
    run = bench.add(profiles=("word-strict", "subword-lenient"))
    text = printed(bench, run)
    assert text.index("F1 in percent, word-strict") < text.index("F1 in percent, subword-lenient")


def test_a_run_of_an_unknown_catalogue_is_shown_by_its_codes(bench: Bench) -> None:
    from xner_bench import catalogue

    run = bench.add()
    stream = io.StringIO()
    scores = bench.store.table(run.run_id, "scores")
    tables.run_table(Console(file=stream), run, scores, catalogue.load())
    assert cells(stream.getvalue())["ab"] == ["81.8", "81.8"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_without_the_signs_gets_plain_ones(bench: Bench, encoding: str) -> None:
    run = bench.add("slicer", options={**SLICER, "bias": "kapalı"}, scores={"two:bb": None})
    assert "4/5" in printed(bench, run, encoding=encoding)


def test_escape_sequences_never_reach_the_terminal(bench: Bench) -> None:
    run = bench.add("x\x1b]0;title\x07\x1b[2J[bold]")
    text = printed(bench, run)
    assert "\x1b" not in text
    assert "[bold]" in text
    assert "\x1b" not in call(bench, "show", "--per-language")


def test_listing_the_commands_imports_nothing_heavy() -> None:
    program = f"{COMMAND[2]}"
    heavy = "[name for name in ('torch', 'pyarrow', 'numpy') if name in sys.modules]"
    check = f"import sys, atexit; atexit.register(lambda: print({heavy}))"
    result = subprocess.run(
        (sys.executable, "-c", f"{check}\n{program}", "build", "--help"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[-1] == "[]"
