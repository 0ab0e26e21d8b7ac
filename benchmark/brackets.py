"""Hyperband that repeats: a draw stays in its bracket, however often its trial was killed and tried again.

Optuna chooses a bracket by the trial's number, and a trial that takes the place of a killed one has another number.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from optuna.pruners import HyperbandPruner
from optuna.trial import TrialState

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

NONE = -1  # the bracket of trials that compete with no others


class Hyperband(HyperbandPruner):
    """Optuna's, with the number of the draw for that of the trial, and without trials that failed or were killed."""

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        if trial.state is TrialState.FAIL:
            return NONE
        as_drawn = copy(trial)
        as_drawn.number = trial.user_attrs["draw"]
        return super()._get_bracket_id(study, as_drawn)
