"""The command that makes an entry again: as its runs were asked for, without the places of the machine they ran on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xner_bench.cli import again
from xner_bench.fields import in_ranges
from xner_bench.sources import EACH

if TYPE_CHECKING:
    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.results import Run


def command(section: Section, line: Line, catalogue: Catalogue) -> str:
    """As one types it, for all seeds of an own entry; nothing for a published one.

    Where data and results lie is left out, and of an encoder from a folder all but the folder's name.
    """
    if not line.runs:
        return ""
    usual = section.suite.training["seed"]
    seeds = sorted({run.settings.seed for run in line.runs})
    more = ("--seeds", ",".join(map(str, in_ranges(seeds)))) if seeds != [usual] else ()
    return again.command(_without_places(section, line, usual), again.Where(Path("results"), (), catalogue), *more)


def _without_places(section: Section, line: Line, seed: int) -> Run:
    """One run that stands for all of the entry."""
    run = line.runs[0]
    changes = {"seed": seed, "encoder": run.encoder.name}
    if section.source == EACH:
        run_on = {target for one in line.runs for target in one.settings.targets}
        changes |= {"source": EACH, "targets": tuple(name for name in section.corpora if name in run_on)}
    missing = tuple(dict.fromkeys(item for one in line.runs for item in one.missing))
    settings = run.settings.model_copy(update=changes)
    return run.model_copy(update={"settings": settings, "missing": missing, "provenance": {}, "checkpoint_kept": False})
