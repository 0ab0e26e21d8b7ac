"""The command line that does a run again: what its settings have otherwise than the suite and the method say."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench import registry
from xner_bench.fields import flag
from xner_bench.settle import DEFAULT_SUITE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.results import Run
    from xner_bench.settings import RunSettings

# Where and how a run was made: told by no record but the command line that it was made with.
TYPED = ("--data-root", "--catalogue", "--device", "--subwords-at-once")


@dataclass(frozen=True)
class Where:
    """The store and the cards that a command was given, for the commands that it proposes."""

    results: Path
    folders: tuple[Path, ...]
    known: Catalogue

    def argv(self) -> list[str]:
        return places(self.results, self.folders)

    def flags(self) -> str:
        """The same to be put behind another command."""
        return behind(self.argv())


def places(results: Path, folders: Sequence[Path] = ()) -> list[str]:
    """The flags with which another command finds the same results and cards."""
    given = [("--results", results)] if results != Path("results") else []
    given += [("--catalogue", folder) for folder in folders]
    return [word for name, path in given for word in (name, str(path))]


def behind(words: Iterable[str]) -> str:
    """Words as a shell reads them, with a blank before each."""
    return "".join(f" {shlex.quote(word)}" for word in words)


def command(run: Run, where: Where, *more: str) -> str:
    """As one types it. The data are where they were when the run was made, and so are cards if none are given."""
    typed = [word for name in TYPED if name != "--catalogue" or not where.folders for word in _typed(run, name)]
    return shlex.join(["xner-bench", "run", *_flags(run, where.known), *typed, *where.argv(), *more])


def _flags(run: Run, known: Catalogue) -> Iterator[str]:
    yield from ("--method", run.settings.method)
    yield from _given(run.settings.options, registry.defaults(run.settings.method))
    yield from same(run.settings, known, left_out={item.corpus for item in run.missing})
    if run.missing or any(one.k != run.settings.few_shot for one in run.few_shot):
        yield "--allow-missing"
    if run.checkpoint_kept:
        yield "--keep-checkpoint"


def same(
    settings: RunSettings, known: Catalogue, *, left_out: Collection[str] = (), here: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Flags of all that a run has otherwise than its suite says, but for its method.

    `left_out` are targets that it had to do without; `here` is training that this machine makes of the suite's.
    """
    suite = known.suites.get(settings.suite)
    usual: dict[str, Any] = {"suite": DEFAULT_SUITE, "encoder_revision": None, **(suite.training if suite else {})}
    if suite:
        usual |= {"encoder": suite.encoder, "encoder_revision": suite.encoder_revision, "source": suite.source}
    asked = {name: getattr(settings, name) for name in ("suite", "encoder", "encoder_revision", "source", "seed")}
    yield from _given({**asked, **settings.training.model_dump()}, {**usual, **(here or {})})
    if suite is None or {*suite.targets}.difference(left_out) != {*settings.targets}.difference(left_out):
        yield from ("--targets", ",".join(settings.targets))
    for profile in settings.profiles:
        if suite is None or profile not in suite.profiles:
            yield from ("--profile", profile)
    if settings.perturb:
        yield from ("--perturb", ",".join(settings.perturb))
    if settings.few_shot:
        yield from ("--few-shot", ",".join(map(str, settings.few_shot)), "--sampling", ",".join(settings.sampling))
    if not settings.zero_shot:
        yield from ("--chosen-on", ",".join(settings.chosen_on))


def _given(values: Mapping[str, Any], usual: Mapping[str, Any]) -> Iterator[str]:
    """Flags of the values that are not the usual ones."""
    for name, value in values.items():
        if name in usual and usual[name] == value:
            continue
        if isinstance(value, bool):
            yield flag(name if value else f"no_{name}")
        else:
            yield from (flag(name), "none" if value is None else str(value))


def _typed(run: Run, flag: str) -> Iterator[str]:
    """A flag with its values, as far as the command tells that the run was made with."""
    typed: Sequence[str] = run.provenance.get("command") or ()
    for at, word in enumerate(typed):
        name, sign, value = word.partition("=")
        if name == flag and (sign or at + 1 < len(typed)):
            yield from (name, value if sign else typed[at + 1])
