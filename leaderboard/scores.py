"""What one run scored: counts per corpus, protocol and profile, and the scores that they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

from xner_bench.errors import XnerError
from xner_bench.leaderboard.published import TEST
from xner_bench.measure import kinds, of_tags
from xner_bench.protocol import shots
from xner_bench.score import NOTHING, Counts, macro_f1, micro
from xner_bench.settings import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from xner_bench.results import Run

LAST, SOURCE_DEV, ORACLE = "last", "source-dev", "oracle"
PROTOCOLS = (LAST, SOURCE_DEV, "average", ORACLE)  # in the order in which they are shown

_COLUMNS = ("dataset", "language", "protocol", "profile", "type", "tp", "fp", "fn")


class Cell(NamedTuple):
    """What a score is a score of."""

    corpus: str  # "wikiann:am"
    protocol: str
    profile: str


class Scored(NamedTuple):
    """What one run scored in one cell, in percent."""

    counts: Counts  # of all types, or of tags (measure.tally)
    f1: float | None  # micro, or the accuracy of tags; None where there is neither gold nor prediction
    macro_f1: float | None  # mean of the types; None where it is undefined for one of them, and of tags


def percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def read(run: Run, table: pa.Table, split: str = TEST) -> dict[Cell, Scored]:
    """The test scores of a run from its `scores` table, regular or of a perturbed split.

    Two rows for one cell and type are an XnerError.
    """
    import pyarrow.compute as pc

    tests = table.filter(pc.equal(table["split"], split)).select(_COLUMNS)
    found: dict[Cell, dict[str, Counts]] = {}
    for dataset, language, protocol, profile, kind, *counts in zip(
        *(column.to_pylist() for column in tests.columns), strict=True
    ):
        cell = Cell(f"{dataset}:{language}", protocol, profile)
        types = found.setdefault(cell, {})
        if kind in types:
            raise XnerError(f"run {run.run_id}: {kind} of {cell.corpus} stands twice; delete the run and do it again")
        types[kind] = Counts(*counts)
    return {cell: _scored(types, cell.profile, run.settings.types) for cell, types in found.items()}


def _scored(found: Mapping[str, Counts], profile: str, types: Sequence[str]) -> Scored:
    wanted = {kind: found.get(kind, NOTHING) for kind in kinds(profile, types)}
    counts = micro(wanted)
    return Scored(counts, percent(counts.f1), None if of_tags(profile) else percent(macro_f1(wanted)))


def protocols(cells: Iterable[Cell], true: str) -> tuple[str, ...]:
    """Protocols in the order in which they are shown: the usual three, then whatever else was scored."""
    names = {LAST, SOURCE_DEV, ORACLE, true, *(cell.protocol for cell in cells)}
    return (*(name for name in PROTOCOLS if name in names), *sorted(names.difference(PROTOCOLS), key=_place))


def _place(protocol: str) -> tuple[int, int, str]:
    """Few-shot protocols by way of drawing and k."""
    sampling, k = shots(protocol) or ("", 0)
    return (get_args(Sampling).index(sampling) if sampling in get_args(Sampling) else -1), k, protocol


def _without_shots(run: Run, cell: Cell, k: int) -> str:
    if cell.corpus in run.settings.sources:
        return "trained on already"
    record = next((one for one in run.few_shot if one.corpus == cell.corpus), None)
    if record is None or k not in run.settings.few_shot:
        return "not scored"
    if cell.protocol in record.diverged:
        return "diverged"
    return f"no {k:,} sentences to draw, {record.eligible:,}" if record.sentences else "no train split"


def reason(run: Run, cell: Cell) -> str:
    """Why a run has no score for a cell: in words without the paths of the machine that it ran on."""
    missing = {(item.corpus, item.split) for item in run.missing}
    if (cell.corpus, "test") in missing:
        return "no test split"
    if few := shots(cell.protocol):
        return _without_shots(run, cell, few[1])
    asked = {ORACLE: (cell.corpus,), SOURCE_DEV: run.settings.sources}.get(cell.protocol, ())
    return "no dev split" if asked and {(corpus, "dev") for corpus in asked} <= missing else "not scored"
