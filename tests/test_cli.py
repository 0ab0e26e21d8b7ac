"""The command line: quick to start, understands flags wherever they stand, one line for whatever a user can mend."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import small as worlds
from small import call

from xner_bench.cli import COMMANDS

if TYPE_CHECKING:
    from small import Small

HEAVY = ("torch", "transformers", "datasets", "sklearn", "scipy", "pyarrow", "pandas", "optuna", "ray", "matplotlib")
# Runs a command line in a fresh process and says on the last line of standard output which heavy packages it imported.
IMPORTS = """
import sys
from xner_bench.cli import main
try:
    main(sys.argv[2:])
except SystemExit as end:
    assert not end.code, end.code
print(sorted(set(sys.argv[1].split(",")) & set(sys.modules)))
"""
PIPE = "import sys; from xner_bench.cli import main; sys.stdin.readline(); main(sys.argv[1:])"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


def complaint(*argv: object) -> str:
    """What a command line that a user can mend is answered: one line, nothing else, exit status 2."""
    answer = call(*argv)
    assert (answer.status, answer.out) == (2, ""), answer
    assert answer.err.startswith("xner-bench: ")
    assert answer.err.endswith("\n")
    assert answer.err.count("\n") == 1, answer.err
    return answer.err


@pytest.mark.parametrize(
    "argv",
    [
        "--help",
        "--version",
        "methods",
        "datasets",
        "datasets masakhaner",
        "suites",
        "suites slicer-en",
        "run --help",
        "run --method slicer --help",
        "run --method standard,slicer --help",
        "run --suite slicer-en --grid paper --dry-run --as-yaml",
        "data --help",
        "leaderboard --help",
    ],
)
def test_what_only_lists_imports_nothing_heavy(argv: str) -> None:
    command = [sys.executable, "-W", "error", "-c", IMPORTS, ",".join(HEAVY), *argv.split()]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(done.stdout.splitlines()) > 1


def test_help_names_every_command() -> None:
    page = call("--help").out
    for name, (_, about) in COMMANDS.items():
        assert f"  {name}" in page
        assert about[:30] in page
        own = call(name, "--help")
        assert own.status == 0
        assert own.out.startswith(f"Usage: xner-bench {name}")
    nothing = call()
    assert nothing.status == 2
    assert nothing.err.startswith("Usage: xner-bench")


def test_the_help_of_run_has_the_flags_that_people_script_against() -> None:
    page = call("run", "--help").out
    for flag in (
        *("suite", "method", "encoder", "seed", "lr", "epochs", "batch-size", "source", "targets", "data-root"),
        *("catalogue", "results", "device", "profile", "allow-missing", "keep-checkpoint", "dry-run"),
        *("seeds", "grid", "from-study", "as-yaml", "overwrite", "workers", "retry", "executor", "ray-address"),
    ):
        assert f"--{flag}" in page
    assert "Options of method" not in page


@pytest.mark.parametrize(
    ("method", "flags"), [("slicer", ("--h", "--classifier", "--bias")), ("standard", ("(none)",))]
)
def test_a_method_has_its_own_heading(method: str, flags: tuple[str, ...]) -> None:
    for argv in (["run", "--method", method, "--help"], ["run", "--help", f"--method={method}"]):
        page = call(*argv).out
        own = page.partition(f"Options of method '{method}':")[2]
        for flag in flags:
            assert flag in own
        assert "Training (default: as the suite says)" in page


def test_several_methods_have_a_heading_each() -> None:
    page = call("run", "--grid", "paper", "--suite", "slicer-en", "--help").out
    assert "Options of method 'standard':\n  (none)" in page
    assert "--h INTEGER,..." in page.partition("Options of method 'slicer':")[2]


def test_methods_are_listed_with_origin_and_options() -> None:
    shown = call("methods").out
    assert "slicer  (built in)" in shown
    assert "--constrained / --no-constrained  [default: False]" in shown
    assert "    SLICER: cross-entropy on every slice" in shown
    assert "    --h INT  [default: 8]  width of a slice" in shown
    assert "    --classifier trained|frozen  [default: trained]" in shown
    listed = {one["name"]: one for one in json.loads(call("methods", "--json").out)}
    assert listed["slicer"]["options"]["h"]["default"] == 8
    assert listed["standard"] == {**listed["standard"], "origin": "built in", "options": {}, "broken": None}


@pytest.mark.parametrize(
    "argv",
    [
        "--method slicer --h 4",
        "--h 4 --method slicer",
        "--h=4 --method=slicer",
        "--method=slicer --quiet --h=4 --seed 42",
        "-m slicer --h 4",
        "--h 4 -mslicer",
        "-qm slicer --h 4",
        "--method standard --method slicer --h 4",
        "--lr 1e-2 --h 4 --targets sw,no,en --method slicer --targets villages:en,sw,no",
        "--method slicer --h 8 --h 4",
    ],
)
def test_flags_may_stand_anywhere(small: Small, argv: str) -> None:
    where = ("--catalogue", small.catalogue, "--data-root", small.data, "--encoder", small.encoder)
    for order in ((*argv.split(), *where), (*where, *argv.split())):
        answer = call("run", "--suite", "small", "--dry-run", "--device", "cpu", *order)
        assert (answer.status, answer.err) == (0, "")
        assert "method:   slicer h=4 classifier=trained bias=per_slice\n" in answer.out


def test_a_dry_run_says_what_would_be_done_and_does_nothing(small: Small, tmp_path: Path) -> None:
    results = tmp_path / "results"
    given = ("--epochs", 3, "--lr", "1e-5", "--clip", "1", "--source", "en")
    answer = call(*small.argv(results, "--dry-run", *given))
    assert (answer.status, answer.err) == (0, "")
    for part in ("not run yet", "small (for testing only)", "source:   villages:en", "3: villages:en"):
        assert part in answer.out
    for part in ("epochs=3", "lr=1e-05", "clip=1.0"):
        assert part in answer.out
    assert not results.exists()
    cleared = call(*small.argv(results, "--dry-run", "--clip", "none")).out
    assert "clip=None" in cleared


def test_the_default_suite_needs_nothing_from_outside() -> None:
    answer = call("run", "--method", "slicer", "--h", 8, "--dry-run", "--quiet", "--results", "results")
    assert (answer.status, answer.err) == (0, "")
    assert "suite:    quick (made by xner-bench for learning and testing, not for papers)" in answer.out
    assert "missing:  nothing" in answer.out
    assert "mini-wikiann:hi" in answer.out
    assert "mini-masakhaner:swa" in answer.out


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        ("run", ("no method is given", "--method", "xner-bench methods")),
        ("run --method standard --results=", ("--results", "is empty")),
        ("run --method standard --encoder=", ("--encoder", "is empty")),
        ("run --method standard --device=", ("--device", "is empty")),
        ("run --method standard --grid=", ("--grid", "is empty")),
        ("run --method standard --chosen-on=,", ("--chosen-on", "is empty")),
        ("run --method=", ("--method", "is empty")),
        ("runs --results=", ("--results", "is empty")),
        ("runs show 1 --results /dev/null", ("--results", "/dev/null is not a folder")),
        ("run --method standard --h 8", ("--h is no option of method 'standard' (it has none)", "slicer has it")),
        ("run --h 8 --method standard", ("--h is no option of method 'standard'",)),
        ("run --h 8", ("--h is an option of method slicer", "--method slicer")),
        ("run --method slicer --g 8", ("--g",)),
        ("run --method slicr", ("'slicr'", "did you mean 'slicer'?")),
        ("run --method slicr --h 8", ("'slicr'", "did you mean 'slicer'?")),
        ("run --method", ("--method",)),
        ("run --method standard --suite slicer-em", ("'slicer-em'", "'slicer-en'")),
        ("run --method standard --suite slicer-en --targets swe", ("'swe'",)),
        ("run --method standard --suite slicer-en --targets wikiann:swa", ("'swa'", "'sw'")),
        ("run --method standard --suite slicer-en --targets wikian:sw", ("'wikian'", "'wikiann'")),
        ("run --method standard --suite slicer-en --targets ,", ("target",)),
        ("run --method standard --suite slicer-en --source masakhaner:haus", ("'haus'", "'hau'")),
        ("run --method standard --epochs many", ("--epochs", "many")),
        ("run --method standard --suite slicer-en --epochs 0", ("--epochs", "0")),
        ("run --method standard --lr fast", ("--lr", "fast")),
        ("run --method standard --suite slicer-en --lr nan", ("--lr", "nan")),
        ("run --method standard --suite slicer-en --lr -1", ("--lr", "-1")),
        ("run --method standard --suite slicer-en --dropout 1", ("--dropout",)),
        ("run --method standard --seed -1", ("--seed", "-1")),
        ("run --method standard --seed 99999999999999999999", ("--seed", "99999999999999999999")),
        ("run --method standard --precision fp8", ("--precision", "fp8", "fp16")),
        ("run --method standard --clip little", ("--clip", "little")),
        ("run --method standard --profile words", ("--profile", "word-strict")),
        ("run --method slicer --h eight", ("--h", "eight")),
        ("run --method slicer --suite slicer-en --h 0", ("--h", "0")),
        ("run --method slicer --bias none", ("--bias", "per_slice")),
        ("run --method standard --no-such-flag", ("--no-such-flag",)),
        ("run --method standard extra", ("extra",)),
        ("run --method standard --catalogue /nowhere", ("/nowhere",)),
        ("rum", ("rum",)),
        ("datasets masakaner", ("'masakhaner'",)),
        ("suites slicer", ("'slicer-en'",)),
        ("data check wikian", ("'wikiann'",)),
        ("leaderboard buld", ("buld",)),
    ],
)
def test_what_a_user_can_mend_is_one_line(argv: str, parts: tuple[str, ...]) -> None:
    said = complaint(*argv.split())
    for part in parts:
        assert part in said


@pytest.mark.parametrize("widths", ["5", "5,8"])
def test_a_width_that_does_not_fit_lists_those_that_do(small: Small, tmp_path: Path, widths: str) -> None:
    argv = small.argv(tmp_path / "r", "--h", widths, method="slicer")
    said = complaint(*(word for word in argv if word != "--quiet"))
    assert "--h 5 does not divide the hidden size 32; choose one of 1, 2, 4, 8, 16, 32" in said
    assert not (tmp_path / "r").exists(), "nothing has begun"


def test_places_that_are_not_there(small: Small, tmp_path: Path) -> None:
    results = tmp_path / "results"
    nowhere = tmp_path / "nowhere"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert str(nowhere) in complaint(*small.argv(results, "--encoder", nowhere))
    assert "config.json" in complaint(*small.argv(results, "--encoder", empty))
    assert str(nowhere) in complaint(*small.argv(results, "--data-root", nowhere))
    assert str(nowhere) in complaint(*small.argv(results, "--catalogue", nowhere))
    assert "--device tpu9" in complaint(*small.argv(results, "--device", "tpu9"))


@pytest.mark.parametrize("flag", ["--data-root", "--results", "--encoder"])
def test_a_name_that_no_file_can_have_is_one_line(flag: str) -> None:
    answer = call("run", "--method", "standard", flag, 5000 * "y", "--dry-run")
    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert "yyy...: this name is too long for a file" in answer.err.splitlines()[-1]  # after how long data took


def test_an_encoder_that_is_broken(small: Small, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        worlds.write_encoder(broken)
        (broken / name).write_bytes((broken / name).read_bytes()[:40])
        assert str(broken) in complaint(*small.argv(tmp_path / "r", "--encoder", broken))


def test_an_encoder_that_nobody_has(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    said = complaint(*small.argv(tmp_path / "r", "--encoder", "xlm-roberta-bse"))
    assert "'xlm-roberta-base'" in said
    assert "--encoder DIR" in said


def test_results_that_cannot_be_written_are_said_before_anything_else(small: Small, tmp_path: Path) -> None:
    place = tmp_path / "results"
    place.write_text("a file")
    for results in (place, place / "below"):
        for more in ((), ("--dry-run",), ("--dry-run", "--seeds", "1,2")):
            said = complaint(*small.argv(results, "--encoder", tmp_path / "nowhere", *more))
            assert f"cannot write {results}" in said
            assert "--results DIR" in said
    assert place.read_text() == "a file"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """As in `xner-bench methods | head -1`: the reader is gone before the first byte."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", PIPE, "datasets", "wikiann"], text=True, **pipes)
    assert process.stdout
    assert process.stdin
    assert process.stderr
    process.stdout.close()
    process.stdin.write("go\n")
    process.stdin.close()
    assert process.wait(30) in (0, 1)
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here, the device that is always full")
def test_an_output_that_cannot_be_written_is_one_line() -> None:
    command = [sys.executable, "-m", "xner_bench", "suites"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("xner-bench: cannot write the output: no space left on device")


def test_targets_may_be_given_several_times(small: Small, tmp_path: Path) -> None:
    argv = small.argv(tmp_path, "--dry-run", "--targets", "sw", "--targets", "no,sw")
    answer = worlds.call(*argv)
    assert answer.status == 0, answer.err
    [line] = [line for line in answer.out.splitlines() if line.startswith("targets:")]
    assert line.split()[1] == "2:"


def test_an_interrupted_run_ends_tidily(small: Small, tmp_path: Path) -> None:
    process = worlds.start(*small.argv(tmp_path, "--epochs", 100_000))
    runs = tmp_path / "runs"
    while not list(runs.glob("*/epochs/state-*/complete.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    answer = worlds.end(process)
    assert answer.status == 130
    assert answer.out == ""
    assert answer.err.strip() == "xner-bench: interrupted; the same command goes on with what is missing"
    (folder,) = (path for path in runs.iterdir() if path.is_dir())
    assert sorted(path.name for path in folder.iterdir()) == ["epochs", "run.json"]
    assert json.loads((folder / "run.json").read_text("utf-8"))["state"] == "started"
