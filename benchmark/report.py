"""What a study found, for people: report.md beside its journal, with plots where matplotlib is installed."""

from __future__ import annotations

import warnings
from collections import Counter
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from xner_bench import files
from xner_bench.leaderboard.cells import NONE, setting
from xner_bench.leaderboard.markdown import escape
from xner_bench.results import cannot_write
from xner_bench.sources import brief
from xner_bench.space import extent
from xner_bench.studies import ORACLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from optuna.importance import BaseImportanceEvaluator

    from xner_bench.studies import Definition, Study, Trial

REPORT = "report.md"
NO_PLOTS = "Plots need matplotlib: `pip install 'xner-bench[plots]'`, then the same command again."
FEW = 5  # trials that something can be said about


def write(study: Study) -> Path:
    """Write report.md and its plots beside the study's journal; returns its path."""
    path = study.folder / REPORT
    try:
        files.write_atomically(path, text(study, _plots(study)).encode())
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def _plots(study: Study) -> dict[str, str]:
    """File name -> what it shows."""
    if find_spec("matplotlib") is None:
        return {}
    from xner_bench import plots

    return plots.write(study, importances(study))


def text(study: Study, plots: dict[str, str]) -> str:
    """The report as Markdown."""
    parts = [f"# {escape(study.name)}", *_warnings(study.definition), _about(study), "## Best settings", *_best(study)]
    if study.trials():
        parts += ["## What was tried", *(_picture(name, about) for name, about in plots.items())]
        parts += [] if plots else [NO_PLOTS]
        parts += ["## What matters", _importances(study), "## Trials", _table(headings(study), rows(study))]
    return "\n\n".join(parts) + "\n"


def importances(study: Study) -> dict[str, float]:
    """How much of the scores' differences is each field's doing, the largest first; sums to 1.

    Empty where too few trials are complete, or all have the same score.
    """
    from optuna.importance import get_param_importances

    complete = [trial for trial in study.latest() if trial.state.name == "COMPLETE"]
    if len(complete) <= FEW or len({trial.value for trial in complete}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a field that had one value only, which then has no importance
        found = get_param_importances(study.asked, evaluator=_evaluator(len(complete)))
    return {name: float(share) for name, share in found.items()}


def _evaluator(complete: int) -> BaseImportanceEvaluator:
    """What tells importances: fANOVA where scikit-learn is, which it needs; it is the fairer one with few trials."""
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    if find_spec("sklearn"):
        return FanovaImportanceEvaluator(seed=0)
    return PedAnovaImportanceEvaluator(target_quantile=max(0.1, min(0.5, FEW / complete)))


def by_what() -> str:
    """How importances are told."""
    if find_spec("sklearn"):
        return "the variance of F1 that each field explains by itself (fANOVA)"
    return "what sets the best trials apart from all (PED-ANOVA; with scikit-learn installed it is fANOVA)"


def warning(definition: Definition) -> str:
    """What everybody has to know who uses the result; nothing where it is zero-shot."""
    if definition.zero_shot:
        return ""
    target = definition.objective.removeprefix(ORACLE)
    return (
        f"Not zero-shot: settings were chosen by the labels of {target}. Neither these runs nor any run with the best "
        "settings may be called zero-shot, nor be compared with such."
    )


def _warnings(definition: Definition) -> list[str]:
    return [f"> **{escape(warning(definition))}**"] if warning(definition) else []


def _about(study: Study) -> str:
    definition = study.definition
    base = definition.base
    lines = {
        "method": base.method,
        "suite": f"{base.suite}: {brief(base.source)} to {len(base.targets)} targets",
        "encoder": f"{base.encoder}, seed {base.seed}",
        "objective": f"F1 on the dev split of {target(definition)} ({definition.objective})",
        "searched": "; ".join(f"{name} {extent(choices)}" for name, choices in definition.space.items()),
        "how": f"sampler {definition.sampler} with seed {definition.seed}, pruner {definition.pruner}",
        "trials": tally(study.trials()),
    }
    return "\n".join(f"- {name}: {escape(value)}" for name, value in lines.items())


def target(definition: Definition) -> str:
    """The corpus that the objective is measured on, or the several that it is the mean of."""
    return brief(definition.base.source) if definition.zero_shot else definition.objective.removeprefix(ORACLE)


def tally(trials: Iterable[Trial]) -> str:
    """How many there are of each state: "12 (9 complete, 3 pruned), 2 of them found done"."""
    trials = list(trials)
    states = Counter(trial.state for trial in trials)
    found = sum(bool(trial.facts.get("found")) for trial in trials)
    inside = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{len(trials)} ({inside})" * bool(trials) + f", {found} of them found done" * bool(found) or "none yet"


def _best(study: Study) -> Iterator[str]:
    best = study.best()
    if best is None:
        yield "No trial is complete yet."
        return
    chosen = ", ".join(f"{name} = {setting(value)}" for name, value in best.drawn.items())
    yield f"**{escape(chosen)}** with F1 {percent(best.value)} (trial {best.draw}, run `{best.facts.get('run_id')}`)"
    yield (
        "That is one seed, and the best of many tries: some of its score is luck. Run it with further seeds, and "
        f"compare those:\n\n    xner-bench run --from-study {study.name} --seeds {seeds(study)}"
    )


def seeds(study: Study) -> str:
    """Ten seeds to run the best settings with: the first is that of the search."""
    return f"{study.definition.base.seed}-{study.definition.base.seed + 9}"


def _importances(study: Study) -> str:
    found = importances(study)
    if not found:
        return f"Nothing can be said: that takes more than {FEW} complete trials with different scores."
    cells = [[name, f"{share:.2f}"] for name, share in found.items()]
    return f"Shares of {by_what()}.\n\n{_table(['field', 'share'], cells)}"


def headings(study: Study) -> list[str]:
    """Of the table of trials."""
    return ["trial", "F1", *study.definition.space, "state", "epochs", "seconds", "run"]


def rows(study: Study, most: int | None = None) -> list[list[str]]:
    """The table of trials: complete ones from the best, then pruned ones, then the others; the first `most` of them."""
    order = ("complete", "pruned", "running", "interrupted", "waiting", "failed")
    trials = sorted(study.trials(), key=lambda trial: (order.index(trial.state), -(trial.value or 0.0), trial.draw))
    return [_row(trial) for trial in trials[:most]]


def _row(trial: Trial) -> list[str]:
    seconds: Any = trial.facts.get("seconds")
    state = f"{trial.state}: {trial.error}" if trial.error else trial.state
    return [
        str(trial.draw),
        percent(trial.value),
        *map(setting, trial.drawn.values()),
        f"{state} (found done)" if trial.facts.get("found") else state,
        str(max(trial.epochs, default=0)),
        NONE if seconds is None else f"{seconds:.0f}",
        str(trial.facts.get("run_id", NONE)),
    ]


def percent(value: float | None) -> str:
    """A score in percent."""
    return NONE if value is None else f"{100 * value:.1f}"


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([escape(cell) for cell in row] for row in cells)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _picture(name: str, about: str) -> str:
    return f"![{escape(about)}]({name})\n\n{escape(about)}"
