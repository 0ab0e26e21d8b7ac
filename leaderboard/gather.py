"""Which runs are one entry: those that differ in the seed alone; of languages on themselves, also in the language."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING

from xner_bench.errors import XnerError
from xner_bench.identity import each_id
from xner_bench.sources import EACH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xner_bench.catalogue import Suite
    from xner_bench.results import Run
    from xner_bench.settings import RunSettings

Seeds = tuple[tuple["Run", ...], ...]  # by seed: its one run, or its runs of single languages


def trained_on(settings: RunSettings, suite: Suite) -> str:
    """The section that a run belongs to: its source, or `each`."""
    return EACH if suite.of_each(settings) else settings.source


def gather(runs: Iterable[Run], suite: Suite) -> dict[str, Seeds]:
    """Entry id -> the runs of an entry. A seed that comes twice in one is an XnerError."""
    every = list(runs)
    each = [run for run in every if suite.of_each(run.settings)]
    others = _by_entry(run for run in every if not suite.of_each(run.settings))
    return {same[0].entry_id: tuple((run,) for run in same) for same in others} | _of_each(each)


def _by_entry(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Runs of the same entry id together, by seed."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.settings.seed, run.run_id)):
        same = found[run.entry_id]
        if same and same[-1].settings.seed == run.settings.seed:
            twins = f"{same[-1].run_id} and {run.run_id}"
            raise XnerError(f"runs {twins} are one set-up with one seed, {run.settings.seed}; move one of them away")
        same.append(run)
    return [tuple(found[entry]) for entry in sorted(found)]


def _of_each(runs: Iterable[Run]) -> dict[str, Seeds]:
    """The runs of all languages together. Of a language that was run on several versions of its data the one that was
    begun last counts; the others are a second entry, a third, ..., so that languages which changed together stay so.
    """
    found: dict[str, dict[str, list[tuple[Run, ...]]]] = defaultdict(lambda: defaultdict(list))
    for same in _by_entry(runs):
        found[each_id(same[0])][same[0].settings.source].append(same)
    return {
        f"{name}-{at}" if at else name: _by_seed(run for same in several for run in same)
        for name, languages in found.items()
        for at, several in enumerate(zip_longest(*map(_latest_first, languages.values()), fillvalue=()))
    }


def _latest_first(versions: list[tuple[Run, ...]]) -> list[tuple[Run, ...]]:
    return sorted(versions, key=lambda same: max(str(run.provenance.get("started")) for run in same), reverse=True)


def _by_seed(runs: Iterable[Run]) -> Seeds:
    found: dict[int, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.settings.source):
        found[run.settings.seed].append(run)
    return tuple(tuple(found[seed]) for seed in sorted(found))
