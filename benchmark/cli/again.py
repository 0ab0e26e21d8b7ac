"""The command line that does a run again: what its settings have otherwise than the suite and the method say."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench import registry
from xner_bench.errors import XnerError
from xner_bench.fields import flag
from xner_bench.settle import DEFAULT_SUITE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.results import Run

PLACES = ("--data-root", "--catalogue")  # told by no record but the command line that it was made with


@dataclass(frozen=True)
class Where:
    """The store and the cards that a command was given, for the commands that it proposes."""

    results: Path
    folders: tuple[Path, ...]
    known: Catalogue

    def argv(self) -> list[str]:
        given = [("--results", path) for path in (self.results,) if path != Path("results")]
        given += [("--catalogue", folder) for folder in self.folders]
        return [word for name, path in given for word in (name, str(path))]

    def flags(self) -> str:
        """The same to be put behind another command."""
        return "".join(f" {shlex.quote(word)}" for word in self.argv())


def command(run: Run, where: Where, *more: str) -> str:
    """As one types it. The data are where they were when the run was made, and so are cards if none are given."""
    places = [word for name in PLACES if name != "--catalogue" or not where.folders for word in _place(run, name)]
    return shlex.join(["xner-bench", "run", *_flags(run, where.known), *places, *where.argv(), *more])


def _flags(run: Run, known: Catalogue) -> Iterator[str]:
    settings = run.settings
    suite = known.suites.get(settings.suite)
    usual: dict[str, Any] = {"suite": DEFAULT_SUITE, **(suite.training if suite else {})}
    if suite:
        usual |= {"encoder": suite.encoder, "encoder_revision": suite.encoder_revision, "source": suite.source}
    asked = {name: getattr(settings, name) for name in ("suite", "encoder", "encoder_revision", "source", "seed")}
    yield from ("--method", settings.method)
    yield from _given(settings.options, _defaults(settings.method))
    yield from _given({**asked, **settings.training.model_dump()}, {"encoder_revision": None, **usual})
    left_out = {item.corpus for item in run.missing}
    if suite is None or {*suite.targets} - left_out != {*settings.targets} - left_out:
        yield from ("--targets", ",".join(settings.targets))
    for profile in settings.profiles:
        if suite is None or profile not in suite.profiles:
            yield from ("--profile", profile)
    if run.missing:
        yield "--allow-missing"
    if run.checkpoint_kept:
        yield "--keep-checkpoint"


def _given(values: dict[str, Any], usual: dict[str, Any]) -> Iterator[str]:
    """Flags of the values that are not the usual ones."""
    for name, value in values.items():
        if name in usual and usual[name] == value:
            continue
        if isinstance(value, bool):
            yield flag(name if value else f"no_{name}")
        else:
            yield from (flag(name), "none" if value is None else str(value))


def _defaults(method: str) -> dict[str, Any]:
    """What a method's options are by themselves; nothing where it is not installed."""
    try:
        fields = registry.load(method).model_fields
    except XnerError:
        return {}
    return {name: field.get_default(call_default_factory=True) for name, field in fields.items()}


def _place(run: Run, flag: str) -> Iterator[str]:
    """Where data or cards were, as far as the command tells that the run was made with."""
    typed: Sequence[str] = run.provenance.get("command") or ()
    for at, word in enumerate(typed):
        name, sign, value = word.partition("=")
        if name == flag and (sign or at + 1 < len(typed)):
            yield from (name, value if sign else typed[at + 1])
