"""The commands as calls, for notebooks and scripts: set up a run, carry it out, read results as tables.

    import xner_bench

    settings = xner_bench.set_up(suite="quick", method="slicer", h=8, seed=42)
    done = xner_bench.carry_out(settings)
    xner_bench.scores()          # a pyarrow table: one row a run, language, protocol and profile
    xner_bench.board()           # the same over seeds, with the papers' published numbers beside

Whatever the command line would say in one line is an `XnerError` here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from xner_bench import catalogue as catalogues
from xner_bench import registry, settle
from xner_bench.errors import XnerError
from xner_bench.results import Store
from xner_bench.settings import Execution, Training
from xner_bench.sources import JOIN
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from xner_bench.results import Run
    from xner_bench.settings import RunSettings
    from xner_bench.watch import Watch

DEFAULT_RESULTS = "results"
SCORES = (  # columns of `scores`, there also where no run is
    *((name, "string") for name in ("run_id", "suite", "method", "options")),
    ("seed", "int64"),
    *((name, "string") for name in ("dataset", "language", "split", "protocol", "profile", "metric")),
    *((name, "double") for name in ("f1", "precision", "recall")),
    *((name, "int64") for name in ("tp", "fp", "fn", "support")),
)


def set_up(
    suite: str = settle.DEFAULT_SUITE,
    method: str = "standard",
    *,
    catalogue: Iterable[Path | str] = (),
    **given: Any,
) -> RunSettings:
    """Settings of a run: a suite's, with what is given in their place.

    `given` are the method's own fields (h=8), those of training (lr=2e-5), and encoder, source (several are a list),
    targets, seed, profiles, perturb, few_shot (a number or several), sampling. `catalogue` are folders with further
    cards and suites.
    """
    own = registry.load(method).model_fields
    options = {name: given.pop(name) for name in list(given) if name in own}
    for several in ("targets", "profiles", "perturb", "sampling"):
        if isinstance(given.get(several), str):
            given[several] = given[several].split(",")
    if isinstance(given.get("source"), list | tuple):
        given["source"] = JOIN.join(given["source"])
    if isinstance(given.get("few_shot"), int):
        given["few_shot"] = (given["few_shot"],)
    others = ("encoder", "encoder_revision", "source", "targets", "seed", "profiles", "perturb", "few_shot", "sampling")
    known = {*Training.model_fields, *others}
    if unknown := sorted(given.keys() - known):
        registry.make(method, {unknown[0]: given[unknown[0]]})  # says which options there are
    return settle.settle(
        catalogues.load([Path(folder) for folder in catalogue]), suite, method, options=options, **given
    )


def carry_out(
    settings: RunSettings, results: Path | str = DEFAULT_RESULTS, *, watch: Watch = SILENT, **execution: Any
) -> Run:
    """Carry out a run and store it, or find it done; returns its record.

    `execution` are fields of `Execution`: data_root, catalogue, device, subwords_at_once, allow_missing,
    keep_checkpoint. A run whose loss is no number has the state "diverged".
    """
    from xner_bench.run import run

    if isinstance(execution.get("catalogue"), str | Path):
        execution["catalogue"] = (execution["catalogue"],)
    try:
        where = Execution.model_validate({"results": Path(results), **execution})
    except ValidationError as error:
        problem = error.errors()[0]
        raise XnerError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']} (got {problem['input']!r})") from error
    return run(settings, where, watch)


def scores(results: Path | str = DEFAULT_RESULTS, *, watch: Watch = SILENT) -> pa.Table:
    """Scores of every finished run: one row a run, language, split, protocol and profile.

    f1, precision and recall are in percent; where `metric` is accuracy all three are the accuracy. An undefined score
    (no gold and no prediction) is null. Records that cannot be read are left out; `watch` hears so.
    """
    import pyarrow as pa

    from xner_bench import survey
    from xner_bench.leaderboard.legend import metric
    from xner_bench.leaderboard.published import TEST
    from xner_bench.leaderboard.scores import percent, read

    store = Store(Path(results))
    records = survey.read(store)
    if problem := survey.complaint(records.unreadable):
        watch.note(problem)
    rows = []
    for run in records.runs:
        if run.state != "done":
            continue
        table = store.table(run.run_id, "scores")
        splits = dict.fromkeys((TEST, *(one.split for one in run.perturbed)))
        every = [(split, *found) for split in splits for found in read(run, table, split).items()]
        for split, cell, scored in every:
            dataset, _, language = cell.corpus.partition(":")
            counts = scored.counts
            rows.append(
                {
                    "run_id": run.run_id,
                    "suite": run.settings.suite,
                    "method": run.settings.method,
                    "options": json.dumps(run.settings.options, sort_keys=True),
                    "seed": run.settings.seed,
                    "dataset": dataset,
                    "language": language,
                    "split": split,
                    "protocol": cell.protocol,
                    "profile": cell.profile,
                    "metric": metric(cell.profile).lower(),
                    "f1": percent(counts.f1),
                    "precision": percent(counts.precision),
                    "recall": percent(counts.recall),
                    **counts._asdict(),
                    "support": counts.support,
                }
            )
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.type_for_alias(kind)) for name, kind in SCORES]))


def board(results: Path | str = DEFAULT_RESULTS, *, catalogue: Iterable[Path | str] = ()) -> pa.Table:
    """The leaderboard by language: one row an entry, language, protocol and profile, published numbers included."""
    from xner_bench.leaderboard.board import build
    from xner_bench.leaderboard.table import per_language

    known = catalogues.load([Path(folder) for folder in catalogue])
    return per_language(build(Store(Path(results)), known), known)
