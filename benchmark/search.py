"""Search: Optuna chooses settings, and every trial is an ordinary run of the store.

A trial whose settings were run before costs nothing, and one that was interrupted goes on from its last epoch. The
objective is F1 on the source's dev split (of several their mean), which any zero-shot researcher has;
`oracle:<data set>:<language>` looks at the labels of a target, has to be asked for by name, and is never zero-shot.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from xner_bench import plan, registry, studies, turns
from xner_bench.drive import anywhere, encoder_anywhere
from xner_bench.errors import XnerError
from xner_bench.fields import plain
from xner_bench.jobs import Job
from xner_bench.plan import Part
from xner_bench.settings import RunSettings, Training, digest
from xner_bench.sources import brief, joined
from xner_bench.space import Range, Space, first, of_kind
from xner_bench.studies import ORACLE, ZERO_SHOT, Definition, with_values
from xner_bench.taken import Taken
from xner_bench.trials import late, work
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xner_bench.catalogue import Suite
    from xner_bench.jobs import Board, Executor, Outcome
    from xner_bench.method import Sizes
    from xner_bench.plan import Plan
    from xner_bench.settings import Execution
    from xner_bench.studies import Study
    from xner_bench.watch import Watch

AROUND = 4  # a suite that says nothing: learning rates from a quarter to four times its own


def define(
    base: RunSettings,
    given: Mapping[str, Sequence[Any]],
    execution: Execution,
    *,
    objective: str = ZERO_SHOT,
    sampler: Literal["tpe", "random", "grid"] = "tpe",
    pruner: Literal["none", "median", "hyperband"] | None = None,
    seed: int | None = None,
    watch: Watch = SILENT,
) -> Definition:
    """What a search is to be, with everything checked that can be before the first trial.

    `given` are fields of training or of the method with the values that they may have: one keeps a field fixed, several
    are what it is chosen from. All others are as in `base`, or searched: see `Suite.search` and `Method.search_space`.
    """
    from xner_bench import catalogue

    suite = catalogue.load(execution.catalogue).suite(base.suite)
    chosen = space_of(base, suite, given)
    if not chosen:
        raise XnerError(f"nothing is left to search for {base.method!r}: every field has one value; leave some out")
    start = with_values(encoder_anywhere(base), {name: first(choices) for name, choices in chosen.items()})
    ready = plan.make(start, execution, watch)
    _check_objective(objective, pruner, ready)
    if objective != ZERO_SHOT:
        start = start.model_copy(update={"chosen_on": (objective.removeprefix(ORACLE),)})
    return Definition(
        base=start,
        space=chosen,
        objective=objective,
        sampler=sampler,
        pruner=pruner or ("median" if objective == ZERO_SHOT else "none"),
        seed=base.seed if seed is None else seed,
        inputs=_inputs(ready),
    )


def _inputs(ready: Plan) -> str:
    """What trials are made of, besides their settings."""
    data = {" ".join(part): one.fingerprint for part, one in ready.sealed.items()}
    return digest({"encoder": ready.encoder_fingerprint, "data": data})


def space_of(base: RunSettings, suite: Suite, given: Mapping[str, Sequence[Any]]) -> Space:
    """The searched fields: the suite's and the method's but for what is given, and of that what has several values."""
    sizes, method = _sizes(base), registry.load(base.method)
    near = base.training.lr
    usual: Space = {"lr": Range(low=near / AROUND, high=near * AROUND, log=True)}
    own = dict(method.search_space(sizes))
    if unknown := [name for name in own if name not in method.model_fields]:
        raise XnerError(f"method {base.method!r} searches {unknown[0]!r}, and has no such field; mend its search_space")
    found: Space = {**(suite.search or usual), **own}
    found = {name: choices for name, choices in found.items() if name not in given}
    several = {name: tuple(dict.fromkeys(values)) for name, values in given.items()}
    found |= {name: values for name, values in several.items() if len(values) > 1}
    for name, choices in found.items():
        if name in given:
            _check_values(base, name, choices, sizes)
    fields = {**method.model_fields, **Training.model_fields}
    return {name: of_kind(choices, plain(fields[name].annotation)[0]) for name, choices in found.items()}


def _sizes(base: RunSettings) -> Sizes:
    from xner_bench import encoder

    found = encoder.find(base.encoder, base.encoder_revision)
    return encoder.sizes(encoder.configuration(found), base.training.dropout)


def _check_values(base: RunSettings, name: str, values: Any, sizes: Sizes) -> None:
    """Say now which values do not fit: training's by their bounds, the method's by what it makes of them."""
    from xner_bench.tags import tag_names

    for value in values:
        settings = with_values(base, {name: value})
        if name not in Training.model_fields:
            registry.make(base.method, settings.options).head(sizes, tag_names(base.types))


def _check_objective(objective: str, pruner: str | None, ready: Plan) -> None:
    """The objective can be measured, and what prunes measures the same."""
    corpora = ready.settings.sources if objective == ZERO_SHOT else (objective.removeprefix(ORACLE),)
    corpus = brief(joined(corpora))
    if objective != ZERO_SHOT and not objective.startswith(ORACLE):
        raise XnerError(f"--objective {objective!r} is neither {ZERO_SHOT} nor {ORACLE}DATASET:LANGUAGE; choose one")
    if not {*corpora} <= {*ready.settings.corpora}:
        raise XnerError(f"--objective {objective}: {corpus} is none of the targets; add it to --targets")
    if not any(Part(name, "dev") in ready.sealed for name in corpora):
        raise XnerError(f"--objective {objective}: {corpus} has no dev split here to measure it on; choose another one")
    if objective != ZERO_SHOT and pruner not in (None, "none"):
        raise XnerError(f"--pruner {pruner} looks at the source's dev split, not at {corpus}; take --pruner none")


def search(
    study: Study,
    execution: Execution,
    executor: Executor,
    board: Board,
    *,
    limit: int,
    timeout: float | None = None,
    retry: int = 0,
) -> list[Outcome]:
    """Carry out trials until `limit` draws have ended, or for `timeout` seconds; returns the failures of this call.

    What earlier calls did is counted. Trials that failed are tried again, but for those that diverged.
    """
    deadline = None if timeout is None else time.time() + timeout
    there = anywhere(execution)
    shared = replace(study, folder=studies.folder(there.results, study.name))
    total = int(min(limit, study.definition.room))
    failures: list[Outcome] = []
    turns.reopen(study)
    while (left := turns.ahead(study, limit)).free and not late(deadline):
        begun = turns.begun(study)
        jobs = [Job(f"a trial of {study.name}", work, (shared, there, limit, retry, deadline))] * len(left.free)
        shown = Taken(board, sorted((*left.free, *left.busy)), total)  # those under way may yet be killed, and be ours
        failures += [outcome for outcome in executor.carry_out(jobs, shown) if outcome.error]
        if turns.begun(study) == begun:  # none can be; else one may have been killed, and is to be tried again
            break
    return failures


def winner(results: Path, name: str) -> RunSettings:
    """The best settings of a study."""
    study = studies.load(results, name)
    best = study.best()
    if best is None:
        raise XnerError(f"study {name!r} has no complete trial yet; go on with the search")
    return study.definition.settings(best.drawn)
