"""The folders at the root are one import package: all that it needs is inside, and nothing that it must not have."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
ROOTS = {
    "benchmark": "xner_bench",
    "methods": "xner_bench.methods",
    "datasets_cfg": "xner_bench.datasets_cfg",
    "leaderboard": "xner_bench.leaderboard",
}
SKIPPED = {"__pycache__", "build", "dist", "results", "node_modules", "venv", "env"}
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".csv", ".txt", ".cff", ".cfg", ".json", ".html", ".sh", ""}


@cache
def settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, but for caches, environments and what a build leaves."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name not in (".ci", ".gitignore", ".github")
        if hidden or path.name in SKIPPED or path.name.endswith(".egg-info") or (path / "pyvenv.cfg").exists():
            continue
        if path.is_dir():
            yield from walk(path)
        else:
            yield path


def package_of(folder: Path) -> str:
    """Import name of a folder of the package."""
    first, *rest = folder.relative_to(ROOT).parts
    return ".".join((ROOTS[first], *rest))


def test_every_folder_with_code_is_a_package_that_is_installed() -> None:
    found = {package_of(path.parent) for root in ROOTS for path in walk(ROOT / root) if path.name == "__init__.py"}
    assert sorted(settings()["tool"]["setuptools"]["packages"]) == sorted(found)
    with_code = {package_of(path.parent) for root in ROOTS for path in walk(ROOT / root) if path.suffix == ".py"}
    assert with_code == found
    mapped = settings()["tool"]["setuptools"]["package-dir"]
    assert mapped == {name: folder for folder, name in ROOTS.items()}


def test_every_data_file_is_installed() -> None:
    patterns = settings()["tool"]["setuptools"]["package-data"]
    left = []
    for root in ROOTS:
        for path in walk(ROOT / root):
            if path.suffix not in (".py", ".pyc") and not any(
                fnmatch(path.relative_to(ROOT / folder_of(name)).as_posix(), pattern)
                and pattern.count("/") == path.relative_to(ROOT / folder_of(name)).as_posix().count("/")
                for name, wanted in patterns.items()
                for pattern in wanted
                if path.is_relative_to(ROOT / folder_of(name))
            ):
                left.append(path.relative_to(ROOT).as_posix())
    assert left == []


def folder_of(package: str) -> str:
    """Folder of an import name, relative to the root."""
    base = max((name for name in ROOTS.values() if f"{package}.".startswith(f"{name}.")), key=len)
    folder = next(folder for folder, name in ROOTS.items() if name == base)
    return "/".join((folder, *filter(None, package.removeprefix(base).split("."))))


def test_every_pattern_of_data_files_finds_some() -> None:
    for name, patterns in settings()["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / folder_of(name)).glob(pattern)), f"{name}: {pattern}"


def test_the_typed_marker_is_there() -> None:
    assert (ROOT / "benchmark" / "py.typed").read_bytes() == b""


def imports(path: Path) -> Iterator[str]:
    """Top-level names that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def sources() -> list[Path]:
    return [path for root in ROOTS for path in walk(ROOT / root) if path.suffix == ".py"]


def test_nobody_imports_the_folders_by_their_own_names() -> None:
    """That would make a second copy of every class."""
    for path in walk(ROOT):
        if path.suffix == ".py":
            assert not set(imports(path)) & set(ROOTS), path


def test_only_the_command_line_prints() -> None:
    """But for what is a command of its own: python -m xner_bench.mini.pretrain."""
    for path in sources():
        if not path.is_relative_to(ROOT / "benchmark" / "cli") and path.name != "__main__.py":
            calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
            assert "print" not in {ast.unparse(node.func) for node in calls}, path
            if path.name != "pretrain.py":
                assert not {"click", "rich"} & set(imports(path)), path


UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"torch.load", "eval", "exec", "compile", "os.system", "yaml.unsafe_load", "yaml.full_load", "np.load"}
UNSAFE_ARGUMENTS = {"trust_remote_code=True", "allow_pickle=True", "use_safetensors=False", "shell=True"}


def test_nothing_that_could_run_strange_code_is_used() -> None:
    for path in sources():
        assert not set(imports(path)) & UNSAFE_MODULES, path
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in UNSAFE_CALLS, (path, node.lineno)
                given = {f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in node.keywords}
                assert not given & UNSAFE_ARGUMENTS, (path, node.lineno)


def test_what_is_loaded_is_loaded_safely() -> None:
    """Every from_pretrained of ours says that no code comes along, and weights only as safetensors."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "from_pretrained"
            ):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("trust_remote_code") == "False", (path, node.lineno)
                if "Model" in ast.unparse(node.func):
                    assert given.get("use_safetensors") == "True", (path, node.lineno)


# Written in parts, so that this file may be searched too.
FORBIDDEN = (
    "/wo" + "rk/",
    "/tm" + "p/w/",
    "/ro" + "ot/",
    "/ho" + r"me/\w",
    "/Us" + "ers/",
    "index" + "-url",
    "trusted" + "-host",
    "find" + "-links",
    r"\bshared/(?!nerdata)[a-z]",
    r"https?://(?!127\.0\.0\.1)\d+\.\d+\.\d+\.\d+",
)


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_the_repository_speaks_of_no_machine(pattern: str) -> None:
    for path in walk(ROOT):
        if path.suffix in TEXT:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                assert not re.search(pattern, line), f"{path.relative_to(ROOT)}:{number}: {line}"


def test_what_the_metadata_promises_is_there() -> None:
    project = settings()["project"]
    assert (ROOT / project["readme"]).stat().st_size
    assert all((ROOT / name).is_file() for name in project["license-files"])
    module, _, name = project["scripts"]["xner-bench"].partition(":")
    assert callable(getattr(__import__(module, fromlist=[name]), name))


def test_the_example_plugin_is_a_package_of_its_own() -> None:
    example = tomllib.loads((ROOT / "tests" / "plugin" / "pyproject.toml").read_text("utf-8"))
    assert example["project"]["entry-points"]["xner_bench.methods"]
    assert not (ROOT / "tests" / "plugin" / "build").exists()
