"""Going on after a kill: what a run leaves at the end of every epoch, and how the next process takes it up."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench import protocol
from xner_bench.checkpoints import State
from xner_bench.errors import XnerError
from xner_bench.train import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.protocol import DevScores
    from xner_bench.train import Fit
    from xner_bench.work import Work

LIBRARIES = ("builtins", "abc", "typing", "pydantic", "torch", "transformers")  # told apart by their versions
ENGINE = "xner_bench"  # the same for all methods, and told apart by its version
CIRCUMSTANCES = ("device", "gpu", "processor", "threads")  # of provenance; packages besides


class Unfit(Exception):
    """What was saved does not fit the tagger, which now may have a part of it."""


def save(work: Work, fit: Fit) -> None:
    """Keep what this epoch's end is: its weights, the mean of all so far, and all else that training needs to go on.

    The epoch before stays whole too, with the weights that were wanted then: it is what a damaged one falls back to.
    """
    with work.timed("checkpoints"):
        work.checkpoints.save(work.tagger, fit.epoch)
        work.checkpoints.save_mean(fit.epoch)
        state = fit.state()
        own = {
            "steps": work.steps,
            "dev_scores": work.dev_scores,
            "seconds": work.seconds,
            "resumed": work.record.resumed,
            "code": work.code,
            "circumstances": circumstances(work, fit),
        }
        work.checkpoints.save_state(fit.epoch, State(state.tensors, {**state.facts, "run": own}))
        work.checkpoints.keep_only(needed(work, fit.epoch) | needed(work, fit.epoch - 1))


def go_on(work: Work, fit: Fit) -> None:
    """Take up the latest epoch that an earlier process left whole; without one, everything begins at the beginning.

    Raises Unfit where that cannot be done, and the tagger is not what it was.
    """
    passed: list[str] = []
    for epoch in work.checkpoints.states():
        try:
            take_up(work, fit, epoch, passed)
        except ValueError as error:
            passed.append(f"{error}")
            work.watch.note(f"{error}; going back to what was before it")
            continue
        work.watch.note(f"going on after epoch {epoch} of {work.settings.training.epochs}")
        return


def take_up(work: Work, fit: Fit, epoch: int, passed: list[str]) -> None:
    """Be where the earlier process was at the end of an epoch; where that can't be, change nothing: ValueError."""
    state = work.checkpoints.load_state(epoch)
    own = state.facts["run"]
    if own["code"] != work.code:
        raise ValueError(f"{work.checkpoints.folder}: epoch {epoch} was trained by other code of this method")
    scores: DevScores = {int(at): found for at, found in own["dev_scores"].items()}
    work.checkpoints.expect_mean(epoch)
    work.checkpoints.expect(needed(work, epoch, scores))
    try:
        work.checkpoints.kept[epoch].load(work.tagger)
        fit.restore(state)
    except (XnerError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise Unfit(f"{work.checkpoints.folder}: epoch {epoch} does not fit ({str(error).splitlines()[0]})") from error
    work.dev_scores = scores
    work.steps = [Step(*step) for step in own["steps"]]
    work.seconds = {**work.seconds, **{name: spent for name, spent in own["seconds"].items() if name != "preparing"}}
    changed = differences(own["circumstances"], circumstances(work, fit))
    if changed:
        work.watch.note(f"the bits may differ from those of a run without interruption: {', '.join(changed)}")
    told = "; ".join([", ".join([f"after epoch {epoch}", *changed]), *passed])
    work.record = work.record.model_copy(update={"resumed": (*own["resumed"], told)})


def needed(work: Work, epoch: int, scores: DevScores | None = None) -> set[int]:
    """Epochs whose weights must be there to go on after `epoch`: its own, and those that some target wants by then."""
    known = {at: found for at, found in (scores or work.dev_scores).items() if at <= epoch}
    if not known:
        return set()
    if work.finishes:  # the method will want them all
        return set(known)
    so_far = protocol.select(known, work.settings.source, work.settings.corpora)
    return {epoch} | (protocol.wanted(so_far) - {protocol.MEAN})


def code(work: Work) -> str:
    """Hexadecimal sha256 of the files that the method and its head are written in, but for libraries."""
    classes = {*type(work.ready.method).__mro__, *(type(module) for module in work.tagger.head.modules())}
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(set(_sources(classes))))).hexdigest()


def _sources(classes: set[type]) -> Iterator[Path]:
    """The files that classes are in, and those of the same package that these import."""
    for cls in classes:
        package = cls.__module__.rpartition(".")[0]
        if cls.__module__.partition(".")[0] in LIBRARIES or cls.__module__ not in sys.modules:
            continue
        try:
            source = inspect.getsourcefile(cls)
        except TypeError:  # made in an interactive session: there is no file
            continue
        if source and Path(source).is_file():
            yield from [Path(source)] if package in ("", ENGINE) else imported(Path(source), package)


def imported(source: Path, package: str) -> set[Path]:
    """A file of a package, and all files beside it that it imports, or that these do."""
    found, left = set[Path](), [source]
    while left:
        path = left.pop()
        found.add(path)
        names = _imports(ast.parse(path.read_bytes()), package)
        left += [there for name in names if (there := path.with_name(f"{name}.py")).is_file() and there not in found]
    return found


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Names that are imported from a package, or of modules in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name.removeprefix(f"{package}.") for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            inside = module if node.level else module.removeprefix(package).removeprefix(".")
            yield from (inside,) if inside else (one.name for one in node.names)


def circumstances(work: Work, fit: Fit) -> dict[str, Any]:
    """What is in no run's id, and yet decides its last bits."""
    told = work.record.provenance
    packages = {name: told["packages"].get(name) for name in ("torch", "transformers", "numpy")}
    return {**{name: told.get(name) for name in CIRCUMSTANCES}, **packages, "subwords at once": fit.budget}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In what two circumstances differ: "threads 1 before, 2 now"."""
    return [f"{name} {before.get(name)} before, {now[name]} now" for name in now if before.get(name) != now[name]]
