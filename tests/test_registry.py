"""Names of methods: the built-in table, other people's distributions, and what can be wrong with either."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import click
import pytest
from distributions import METHOD, install
from small import call

from xner_bench import registry
from xner_bench.cli.run import RunCommand
from xner_bench.cli.run import run as run_command
from xner_bench.errors import UnknownName, XnerError
from xner_bench.method import Method
from xner_bench.methods import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = 'class Good(Method):\n    """Good: does nothing new.\n\n    At length."""\n\n    rate: float = 0.5\n'


class Site:
    """A folder on sys.path that distributions can be installed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, points: dict[str, str], source: str, version: str = "1.0") -> None:
        install(self.folder, name, points, METHOD + source, version)
        registry.reload()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.reload()
    yield Site(tmp_path)
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    registry.reload()


def problem(name: str) -> str:
    """What loading a method complains of, which the listing repeats while the others are as ever."""
    with pytest.raises(XnerError) as caught:
        registry.load(name)
    said = str(caught.value)
    assert "\n" not in said
    listed = {one.name: one for one in registry.listing()}
    assert listed[name].method is None
    assert listed[name].problem == said
    assert all(listed[built_in].method for built_in in BUILTIN if built_in != name)
    shown = call("methods")
    assert shown.status == 0
    assert f"BROKEN: {said}" in shown.out
    assert call("methods", "--json").status == 0
    return said


def test_the_built_ins_are_there() -> None:
    assert {"standard", "slicer"} <= set(BUILTIN) <= set(registry.names())
    for name in BUILTIN:
        cls = registry.load(name)
        assert issubclass(cls, Method)
        assert cls.__module__.startswith("xner_bench.methods.")
        assert registry.origin(name) == "built in"
        assert 20 < len(registry.summary(cls)) < 120
        assert registry.make(name, {}) == cls()
        assert all(field.description for field in cls.model_fields.values())


def test_reserved_names_are_the_flags_of_run() -> None:
    """No method may take a flag of the command line, so the list of them must be complete."""
    assert isinstance(run_command, RunCommand)
    context = click.Context(run_command, info_name="run")
    flags = {
        flag.lstrip("-").replace("-", "_")
        for parameter in run_command.get_params(context)
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("--")
    }
    assert {"suite", "method", "seed", "lr", "epochs", "profile", "allow_missing", "dry_run", "help"} <= flags
    assert flags <= registry.RESERVED
    assert not registry.RESERVED & {field for name in BUILTIN for field in registry.load(name).model_fields}


def test_an_unknown_method_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownName, match="no method is called 'slicr'; did you mean 'slicer'"):
        registry.load("slicr")


def test_a_method_is_made_of_its_options() -> None:
    made = registry.make("slicer", {"h": "4", "bias": "shared_out"})
    assert made.model_dump() == {"h": 4, "classifier": "trained", "bias": "shared_out"}
    types = {"h": int, "classifier": Literal["trained", "frozen"], "bias": Literal["per_slice", "shared_out"]}
    assert registry.option_types(registry.load("slicer")) == types
    with pytest.raises(XnerError, match="'slicer' has no option --g; its options: --h, --classifier, --bias"):
        registry.make("slicer", {"g": 1})
    with pytest.raises(XnerError, match="'standard' has no option --h; its options: none"):
        registry.make("standard", {"h": 1})


def test_a_third_party_is_found(site: Site) -> None:
    site.add("good-ner", {"good": "good_ner:Good"}, GOOD, "2.5")
    cls = registry.load("good")
    assert (cls.__name__, registry.summary(cls)) == ("Good", "Good: does nothing new.")
    assert registry.origin("good") == "good-ner 2.5"
    assert "good  (good-ner 2.5)" in call("methods").out


def test_a_distribution_seen_twice_is_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("good-ner", {"good": "good_ner:Good"}, GOOD)
    monkeypatch.syspath_prepend(str(site.folder / ".." / site.folder.name))
    registry.reload()
    assert registry.load("good").__name__ == "Good"


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ('raise RuntimeError("first\\nsecond")', ("RuntimeError", "first")),
        ("raise SystemExit(3)", ("SystemExit",)),
        ("import no_such_thing", ("ModuleNotFoundError", "no_such_thing")),
        ("class Broken(Method:", ("SyntaxError",)),
        ("class Other(Method): pass", ("AttributeError", "Broken")),
        ("class Broken(Method):\n    x: Nowhere = 1", ("NameError", "Nowhere")),
        ("class Broken(Method):\n    x: int = Field(ge='a')\n", ("",)),
        ("1 / 0", ("ZeroDivisionError",)),
    ],
)
def test_one_that_cannot_be_imported_breaks_nothing_else(site: Site, source: str, parts: tuple[str, ...]) -> None:
    site.add("broken-ner", {"broken": "broken_ner:Broken"}, source, "0.3")
    said = problem("broken")
    for part in ("'broken' of broken-ner 0.3", *parts):
        assert part in said
    answer = call("run", "--method", "broken")
    assert (answer.status, answer.err.count("\n")) == (2, 1)


def test_a_clash_with_a_built_in_names_the_distribution(site: Site) -> None:
    site.add("greedy-ner", {"slicer": "greedy_ner:Good"}, GOOD, "4.1")
    said = problem("slicer")
    assert said == "method 'slicer' is claimed by built in and greedy-ner 4.1; uninstall or rename greedy-ner 4.1"
    assert registry.load("standard")
    assert call("run", "--method", "slicer").err == f"xner-bench: {said}\n"


def test_a_clash_of_third_parties_names_both(site: Site) -> None:
    site.add("one-ner", {"good": "one_ner:Good"}, GOOD)
    site.add("two-ner", {"good": "two_ner:Good", "better": "two_ner:Good"}, GOOD)
    said = problem("good")
    assert "one-ner 1.0" in said
    assert "two-ner 1.0" in said
    assert registry.load("better")


@pytest.mark.parametrize("field", sorted(registry.RESERVED - {"help", "version", "quiet"}))
def test_a_field_may_not_take_a_flag_of_run(site: Site, field: str) -> None:
    name = f"own_{field}"
    site.add(name, {"own": f"{name}:Own"}, f'class Own(Method):\n    """Own."""\n\n    {field}: int = 1\n')
    assert f"option --{field.replace('_', '-')} is a flag of xner-bench itself" in problem("own")


@pytest.mark.parametrize(
    "source",
    ["def Own():\n    pass", "class Own:\n    pass", "Own = 3", "class Mine(Method):\n    pass\nOwn = Mine()"],
)
def test_what_is_no_method_is_said(site: Site, source: str) -> None:
    site.add("own-ner", {"own": "own_ner:Own"}, source)
    assert "own_ner:Own is not a subclass of xner_bench.method.Method" in problem("own")


@pytest.mark.parametrize("kind", ["list[int]", "dict[str, int]", "int | str", "object", "Method", "tuple[int, ...]"])
def test_a_field_must_be_able_to_be_a_flag(site: Site, kind: str) -> None:
    site.add("own-ner", {"own": "own_ner:Own"}, f"class Own(Method):\n    size: {kind} = 1\n")
    assert "field 'size' must be bool, int, float, str or a Literal to be a flag" in problem("own")


@pytest.mark.parametrize("name", ["My-Method", "my_method", "2much"])
def test_a_name_is_lower_case(site: Site, name: str) -> None:
    site.add("own-ner", {name: "own_ner:Good"}, GOOD)
    assert "a method's name is lower-case letters, digits and hyphens" in problem(name)


FIELDS = """\
class Own(Method):
    '''Own: has a field of every kind.'''

    alpha: float
    size: Literal[8, 16] = 8
    kind: Literal["a", "b"] = "a"
    cut: Optional[int] = 3
    deep: bool = False
    word: str | None = None
    many: int = Field(default_factory=lambda: 2)
"""


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        ("", {}),
        ("--size 16 --kind b", {"size": 16, "kind": "b"}),
        ("--cut 4 --deep", {"cut": 4, "deep": True}),
        ("--cut none --no-deep", {"cut": None, "deep": False}),
        ("--word some --many 5", {"word": "some", "many": 5}),
    ],
)
def test_fields_are_flags(site: Site, argv: str, options: dict[str, Any]) -> None:
    site.add("own-ner", {"own": "own_ner:Own"}, FIELDS)
    usual = {"alpha": 0.5, "size": 8, "kind": "a", "cut": 3, "deep": False, "word": None, "many": 2}
    assert registry.make("own", {"alpha": 0.5, **options}).model_dump() == {**usual, **options}
    own = ("run", "--suite", "slicer-en", "--method", "own", "--alpha", "0.5", *argv.split())
    answer = call(*own, "--targets", "nowhere:xx")
    assert "'nowhere'" in answer.err, "the options were understood: the targets are what it complains of"


def test_fields_of_every_kind_are_listed(site: Site) -> None:
    site.add("own-ner", {"own": "own_ner:Own"}, FIELDS)
    shown = call("methods").out
    for line in (
        "FLOAT  [required]",
        "--size 8|16  [default: 8]",
        "--many INT  [default: 2]",
        "--cut INT  [default: 3]",
    ):
        assert line in shown
    assert call("methods", "--json").status == 0
    page = call("run", "--method", "own", "--help")
    assert page.status == 0
    assert "PydanticUndefined" not in shown + page.out
    assert "Options of method 'own'" in page.out


@pytest.mark.parametrize(
    ("flag", "value"), [("alpha", "nan"), ("alpha", "inf"), ("size", "9"), ("deep", None), ("many", "x")]
)
def test_values_that_do_not_fit_are_one_line(site: Site, flag: str, value: str | None) -> None:
    site.add("own-ner", {"own": "own_ner:Own"}, FIELDS.replace("deep: bool", "deep: int"))
    given = [f"--{flag}", *([value] if value else [])] + ([] if flag == "alpha" else ["--alpha", "1"])
    answer = call("run", "--suite", "slicer-en", "--method", "own", *given)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"--{flag}" in answer.err


def test_a_required_option_is_asked_for(site: Site) -> None:
    site.add("own-ner", {"own": "own_ner:Own"}, FIELDS)
    answer = call("run", "--suite", "slicer-en", "--method", "own")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "--alpha: Field required" in answer.err
