"""Records from strangers: taken as `run` writes them; a name that is none, a lie about itself or a trick is refused."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from stores import Filled

from xner_bench.identity import identity
from xner_bench.leaderboard import archive, board, outputs, unpack
from xner_bench.leaderboard.archive import Refused
from xner_bench.results import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HTML = (
    "<script>evil(1)</script>",
    "<img src=x onerror=evil(1)>",
    "<svg/onload=evil(1)>",
    "</td></tr></table><h1>evil",
    "<!-- evil",
    "<a href=javascript:evil(1)>x</a>",
    '"><iframe src=//evil.example>',
    "'onmouseover='evil(1)",
    "&lt;script&gt;evil&#40;1)",
    "<style>@import'//evil.example'</style>",
    "</script><script>evil(1)",
    "{{evil}}${evil}",
)
MARKDOWN = (
    "a|evil|b",
    "[evil](https://evil.example)",
    "![evil](https://evil.example/x.png)",
    "`evil`",
    "**evil**",
    "# evil",
    "> evil",
    "* evil",
    "evil\\",
    "<https://evil.example>",
    "[^evil]",
    "$evil$",
)
FORMULAS = ("=evil()", "+evil()", "-evil()", "@evil", "=HYPERLINK('http://evil.example')", "\tevil", "\r=evil()")
TERMINAL = (
    "\x1b[31mevil",
    "\x1b]8;;http://evil.example\x07",
    "\x9b31m",
    "evil\x08\x08",
    "\u202elive",
    "evil\0",
    "a\nevil",
)
PATHS = ("../../evil", "/etc/evil", "..", ".", "~/evil", "a/../../evil", "evil\\..\\evil", "C:evil", "", "x" * 300)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def record(bench: Filled) -> dict[str, Any]:
    """What a run of a plugin with an option of each kind writes."""
    options = {"h": 8, "rate": 0.5, "wide": True, "kind": "per_slice", "none": None}
    run = bench.complete("own-method", options=options, perturb=(), provenance={"command": ["xner-bench", "run"]})
    found: dict[str, Any] = json.loads((bench.store.folder(run.run_id) / "run.json").read_bytes())
    return found


def taken(record: dict[str, Any]) -> Run:
    """As from a bundle, in which no folder has a name that is not like a run's."""
    run_id = str(record["run_id"])
    return unpack.record(
        run_id if archive.NAME.fullmatch(f"{run_id}/run.json") else "a-run", json.dumps(record).encode()
    )


def renamed(record: dict[str, Any]) -> dict[str, Any]:
    """With the ids of what it says, as somebody writes them who knows how; of what is no record they stay."""
    try:
        run = Run.model_validate(record)
        prints = {f"{one.corpus} {one.split}": one.fingerprint for one in run.data}
        own = identity(run.settings, run.method_origin, run.encoder.fingerprint, prints)
    except ValueError:
        return record
    return {**record, **own._asdict()}


def changed(record: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """With another value at a place such as settings.training.lr."""
    found = copy.deepcopy(record)
    *above, last = place.split(".")
    inner: Any = found
    for name in above:
        inner = inner[int(name) if name.isdigit() else name]
    inner[last] = value
    return renamed(found)


def test_what_run_writes_is_taken(record: dict[str, Any]) -> None:
    assert json.loads(taken(record).model_dump_json()) == record


NAMES = (
    *("settings.method", "settings.suite", "settings.source", "settings.encoder", "settings.encoder_revision"),
    *("settings.options.kind", "encoder.name", "encoder.revision", "method_origin"),
)


@pytest.mark.parametrize("place", NAMES)
def test_names_that_are_shown_are_names(record: dict[str, Any], place: str) -> None:
    for text in (*HTML, *MARKDOWN, *FORMULAS, *TERMINAL):
        hostile = changed(record, place, text)
        if place in ("settings.encoder", "encoder.name"):  # of which one would betray the other
            hostile = changed(changed(record, "settings.encoder", text), "encoder.name", text)
        with pytest.raises(Refused) as caught:
            taken(hostile)
        assert str(caught.value).isprintable()
        assert str(caught.value).isascii()


@pytest.mark.parametrize("text", PATHS)
@pytest.mark.parametrize("place", ["settings.method", "settings.suite", "settings.source", "run_id", "entry_id"])
def test_no_name_is_a_path(record: dict[str, Any], place: str, text: str) -> None:
    with pytest.raises(Refused):
        taken(changed(record, place, text) if "." in place else {**record, place: text})


@pytest.mark.parametrize("text", [*HTML, *MARKDOWN, *FORMULAS, *TERMINAL, *PATHS])
def test_names_in_lists_are_names(record: dict[str, Any], text: str) -> None:
    for place, value in (
        ("settings.targets", [*record["settings"]["targets"], text]),
        ("settings.types", [*record["settings"]["types"], text]),
        ("settings.chosen_on", [text]),
        ("settings.harmonize", {"one": {"PER": text}}),
        ("settings.options", {text: 1}),
        ("missing", [{"corpus": text, "split": "dev", "reason": "x"}]),
        ("data.0.corpus", text),
        ("data.0.split", text),
        ("data.0.fingerprint", text),
    ):
        with pytest.raises(Refused):
            taken(changed(record, place, value))


@pytest.mark.parametrize("text", [*HTML, *MARKDOWN, *FORMULAS[:5]])
def test_what_else_a_record_says_is_shown_on_no_board(bench: Filled, record: dict[str, Any], text: str) -> None:
    """Machine, reasons and origins may say anything printable, and no table has them as they are."""
    hostile = record
    for place, value in (
        ("provenance", {"gpu": text, "device": text, "packages": {text: text}, "command": [text], text: text}),
        ("missing", [{"corpus": "one:aa", "split": "dev", "reason": text}]),
        ("data.0.origin", text),
        ("method_facts", {text: text}),
        ("resumed", [text]),
        ("seconds", {text: 1.0}),
    ):
        hostile = changed(hostile, place, value)
    run = taken(hostile)
    bench.store.save_run(run)
    files = outputs.outputs(board.build(bench.store, bench.catalogue), bench.catalogue)
    for name, data in files.items():
        if not name.endswith(".md") and text.isalnum():
            continue
        assert text.encode() not in data, name


WRONG: dict[str, tuple[str, object, str]] = {
    "another schema": ("schema_version", 2, "schema"),
    "an early schema": ("schema_version", 0, "schema"),
    "a schema in words": ("schema_version", "1", "schema"),
    "a schema that is yes": ("schema_version", True, "schema"),
    "started": ("state", "started", "only finished"),
    "failed": ("state", "failed", "only finished"),
    "diverged": ("state", "diverged", "only finished"),
    "stopped": ("state", "stopped", "only finished"),
    "unheard-of state": ("state", "won", "state"),
    "an error": ("error", "x", "only finished"),
    "a seed in words": ("settings.seed", "42", "seed"),
    "a seed that is yes": ("settings.seed", True, "seed"),
    "a fractional seed": ("settings.seed", 1.5, "seed"),
    "a negative seed": ("settings.seed", -1, "seed"),
    "a rate in words": ("settings.training.lr", "1e-5", "lr"),
    "no rate": ("settings.training.lr", 0, "lr"),
    "endless epochs": ("settings.training.epochs", 999_999, "epochs"),
    "settings of its own": ("settings.own", 1, "own"),
    "a list of settings": ("settings", [], "settings"),
    "memory below nothing": ("peak_memory", -5e9, "negative or endless"),
    "memory without end": ("peak_gpu_memory", 1.7e308, "negative or endless"),
    "threads without end": ("provenance.threads", 10**15, "threads"),
    "unheard-of profile": ("settings.profiles", ["best"], "profiles"),
    "unheard-of perturbation": ("settings.perturb", ["in-dream"], "perturb"),
    "perturbed, not told": ("settings.perturb", ["in-script"], "perturbed splits"),
    "few-shot, not told": ("settings.few_shot", [5], "few-shot"),
    "options in options": ("settings.options", {"h": {"a": 1}}, "no number, switch or name"),
    "a list of options": ("settings.options", {"h": [1]}, "no number, switch or name"),
    "another encoder's name": ("encoder.name", "xlm-roberta-base", "its settings say"),
    "a list of data": ("data", {}, "data"),
    "no data": ("data", [], "is not among"),
    "negative sentences": ("data.0.sentences", -1, "number of sentences"),
    "endless sentences": ("data.0.sentences", 2**62, "number of sentences"),
    "sentences in words": ("data.0.sentences", "9", "sentences"),
    "negative seconds": ("seconds", {"training": -1.0}, "negative"),
    "seconds in words": ("seconds", {"training": "1"}, "seconds"),
    "a provenance in depth": ("provenance", {"x": {"y": {"z": 1}}}, "provenance"),
    "a command in words": ("provenance", {"command": "xner-bench run"}, "provenance"),
    "a command of numbers": ("provenance", {"command": [1]}, "provenance"),
    "packages in a list": ("provenance", {"packages": ["torch"]}, "provenance"),
    "a provenance that is none": ("provenance", [], "provenance"),
}


@pytest.mark.parametrize("name", WRONG)
def test_records_that_no_run_writes_are_refused(record: dict[str, Any], name: str) -> None:
    place, value, said = WRONG[name]
    with pytest.raises(Refused, match=said):
        taken(changed(record, place, value))


@pytest.mark.parametrize("field", ["run_id", "state", "settings", "encoder", "data", "method_origin", "provenance"])
def test_records_that_lack_something_are_refused(record: dict[str, Any], field: str) -> None:
    less = {name: value for name, value in record.items() if name != field}
    with pytest.raises(Refused):
        unpack.record(record["run_id"], json.dumps(less).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"1", b'"x"', b"{}", b"\x80\x04\x95cos\nsystem\n", b"{" * 9999])
def test_what_is_no_record_is_refused(record: dict[str, Any], data: bytes) -> None:
    with pytest.raises(Refused):
        unpack.record(record["run_id"], data)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda data: data.append(dict(data[0])), "twice"),
        (lambda data: data.append({**data[0], "corpus": "two:zz"}), "such a run does not"),
        (lambda data: data.append({**data[0], "split": "validation"}), "such a run does not"),
        (lambda data: data.pop(), "is not among"),
        (lambda data: data[0].update(fingerprint="0" * 64), "ids are not those"),
    ],
)
def test_a_run_read_what_such_a_run_reads(record: dict[str, Any], edit: Callable[[Any], object], said: str) -> None:
    hostile = copy.deepcopy(record)
    edit(hostile["data"])
    with pytest.raises(Refused, match=said):
        taken(hostile if "ids" in said else renamed(hostile))


SELECTIONS = (
    b"",
    b"[]",
    b"{}",
    b'{"dev": {}, "selection": {"last": {"one:aa": 3}}}',
    b'{"dev": [], "selection": {}}',
    b'{"dev": {"1": {"one:aa": 0.5}}, "selection": {}}',
    b'{"dev": {"1": {"one:aa": 0.5}}, "selection": {"last": {}}}',
    b'{"dev": {"1": {"one:aa": 0.5}}, "selection": {"last": {"one:aa": "3"}}}',
    b'{"dev": {"1": {"one:aa": 0.5}}, "selection": {"last": {"one:aa": true}}}',
    b'{"dev": {"1": {"one:aa": 0.5}}, "selection": {"last": {"one:aa": 99}}}',
    b'{"dev": {"1": {"one:aa": 0.5}}, "selection": {"last": {"one:aa": -1}}}',
    b'{"dev": {"1": {"one:aa": 1.5}}, "selection": {"last": {"one:aa": 3}}}',
    b'{"dev": {"1": {"one:aa": "0.5"}}, "selection": {"last": {"one:aa": 3}}}',
    b'{"dev": {"99": {"one:aa": 0.5}}, "selection": {"last": {"one:aa": 3}}}',
    b'{"dev": {"x": {"one:aa": 0.5}}, "selection": {"last": {"one:aa": 3}}}',
    b'{"dev": {"1": 5}, "selection": {"last": {"one:aa": 3}}}',
    b'{"dev": {"1": {"one:aa": NaN}}, "selection": {"last": {"one:aa": 3}}}',
)


@pytest.mark.parametrize("data", SELECTIONS)
def test_selections_that_no_run_writes_are_refused(record: dict[str, Any], data: bytes) -> None:
    with pytest.raises(Refused, match=r"selection\.json"):
        unpack.selection(taken(record), data)


def test_a_selection_is_taken(bench: Filled, record: dict[str, Any], tmp_path: Path) -> None:
    run = taken(record)
    told = bench.store.selection(run.run_id)
    dev, chosen = unpack.selection(run, (bench.store.folder(run.run_id) / "selection.json").read_bytes())
    assert (dev, chosen) == (told["dev"], told["selection"])
