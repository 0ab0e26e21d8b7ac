"""What a search tries next: decided by the study's seed, the number of the draw, and what was found before.

So a search that was killed and goes on draws what it would have drawn: Optuna's samplers are made anew for every draw,
and asked beside the journal, in memory. Settings that were drawn already are not drawn again.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from xner_bench import space
from xner_bench.settings import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from xner_bench.studies import Definition

ASKED = 20  # times that a sampler may come up with what was drawn before
BY_CHANCE = 500  # further times, by chance, where nobody can count what there is; then all of it was drawn
WARM_UP = 4  # trials that the median is taken of, before any is measured against it


def draw(definition: Definition, before: Sequence[FrozenTrial], number: int) -> dict[str, Any] | None:
    """Values for every searched field, none of them all alike in `before`; None where everything was drawn.

    `before` are the trials so far, in the order of their draws; `number` counts draws from 0.
    """
    drawn = [trial.system_attrs["fixed_params"] for trial in before]
    if definition.sampler != "grid":
        others = 0 if space.finite(definition.space) else BY_CHANCE
        seed = int(digest([definition.seed, number])[:8], 16)
        asked = _asked(definition, sampler(definition.sampler, seed), before, ASKED)
        for found in chain(asked, _asked(definition, sampler("random", seed + 1), (), others)):
            if found not in drawn:
                return found
        if others:
            return None
    left = space.every(definition.space, definition.seed, definition.sampler == "grid")
    return next((settings for settings in left if settings not in drawn), None)


def _asked(
    definition: Definition, sampler: BaseSampler, before: Sequence[FrozenTrial], times: int
) -> Iterator[dict[str, Any]]:
    """What the sampler comes up with, again and again."""
    import optuna
    from optuna.trial import TrialState

    beside = optuna.create_study(direction="maximize", sampler=sampler)
    known = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    beside.add_trials(trial for trial in before if trial.state in known)
    fields = space.distributions(definition.space)
    for _ in range(times):
        yield space.rounded(definition.space, beside.ask(fields).params)


def sampler(name: str, seed: int) -> BaseSampler:
    """Optuna's sampler of that name."""
    from optuna.samplers import RandomSampler, TPESampler

    return TPESampler(seed=seed) if name == "tpe" else RandomSampler(seed=seed)


def pruner(name: str, epochs: int) -> BasePruner:
    """Optuna's pruner of that name."""
    from optuna.pruners import MedianPruner, NopPruner

    if name == "median":
        # Not in the first epochs: the learning rate still rises, and all score next to nothing.
        return MedianPruner(n_startup_trials=WARM_UP, n_min_trials=WARM_UP, n_warmup_steps=max(2, epochs // 4))
    if name == "hyperband":
        from xner_bench.brackets import Hyperband

        return Hyperband(min_resource=1, max_resource=max(2, epochs), reduction_factor=3)
    return NopPruner()
