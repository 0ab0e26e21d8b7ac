"""Third-party packages made on the spot: a module and what pip leaves beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METHOD = '''\
"""A stranger's module."""

from typing import Literal, Optional

from pydantic import Field

from xner_bench.head import LinearHead
from xner_bench.method import Method

'''


def install(folder: Path, name: str, points: Mapping[str, str], source: str, version: str = "1.0") -> None:
    """Put a distribution with one module, named after it, into a folder that will be on sys.path.

    `points`: method name -> what its entry point names, "module:attribute".
    """
    module = name.replace("-", "_")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    lines = "".join(f"{method} = {target}\n" for method, target in points.items())
    (info / "entry_points.txt").write_text(f"[xner_bench.methods]\n{lines}", "utf-8")
