"""A study whose trials take no time: F1 is a formula of the settings. Run as a script, it carries out trials.

python tests/searching.py RESULTS NAME TRIALS [TOUCH]    with TOUCH, until the process has touched that many files
"""

from __future__ import annotations

import math
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench import studies, turns
from xner_bench.settings import RunSettings, Training
from xner_bench.space import Range
from xner_bench.studies import Definition, Study

if TYPE_CHECKING:
    from optuna.trial import Trial

SPACE = {"lr": Range(low=1e-4, high=1e-2, log=True), "h": (1, 2, 4, 8, 16, 32)}
TOUCHES = ("open", "os.rename", "os.mkdir", "os.remove")


def definition(**changes: Any) -> Definition:
    """Of a search over learning rates and widths."""
    training = Training(
        epochs=4,
        lr=1e-4,
        batch_size=16,
        weight_decay=0.0,
        warmup=0.1,
        clip=None,
        dropout=0.1,
        max_length=64,
        precision="fp32",
        subword_labels="first",
    )
    base = RunSettings(
        suite="small",
        method="slicer",
        options={"h": 1, "classifier": "trained", "bias": "per_slice"},
        encoder="mini",
        source="villages:en",
        targets=("villages:en", "villages:sw"),
        types=("PER", "LOC"),
        training=training,
        seed=42,
    )
    return Definition(**{"base": base, "space": SPACE, "inputs": "those of a test", "seed": 1, **changes})


def create(results: Path, name: str = "widths", **changes: Any) -> Study:
    return studies.create(results, name, definition(**changes))


def score(settings: dict[str, Any]) -> float:
    """Best at 1e-3 and 8."""
    return 1 - abs(math.log10(settings["lr"]) + 3) / 4 - abs(math.log2(settings["h"]) - 3) / 10


def carry_out(study: Study, trials: int) -> None:
    """All that is left of so many trials."""
    while True:
        with turns.take(study, trials) as trial:
            if trial is None:
                return
            end(study, trial)


def end(study: Study, trial: Trial) -> None:
    """Report four epochs and the last one's score."""
    for epoch in range(1, 5):
        trial.report(score(trial.params) * epoch / 4, epoch)
    study.asked.tell(trial, score(trial.params))


def found(study: Study) -> list[tuple[dict[str, Any], float | None]]:
    """What was drawn and what came of it, in order."""
    return [(trial.drawn, trial.value) for trial in study.trials()]


def _die_at(touch: int) -> None:
    """Be killed at the n-th file of a study that is touched."""
    count = 0

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in TOUCHES and any("/studies/" in os.fsdecode(a) for a in arguments if isinstance(a, str | bytes)):
            count += 1
            if count == touch:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


if __name__ == "__main__":
    results, name, trials, *touch = sys.argv[1:]
    if touch:
        _die_at(int(touch[0]))
    carry_out(create(Path(results), name), int(trials))
