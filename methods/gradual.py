"""Gradual pruning: at which steps, and how far at each.

Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", 2017,
https://arxiv.org/abs/1710.01878, equation 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from xner_bench.method import Moment


class Timing(NamedTuple):
    """Weights are pruned after the steps begin, begin + every, begin + 2 every, ... and end."""

    begin: int
    end: int  # above begin
    every: int

    def event(self, step: int) -> bool:
        """Whether weights are pruned after this step."""
        return self.begin <= step <= self.end and ((step - self.begin) % self.every == 0 or step == self.end)

    def share(self, step: int, schedule: str) -> float:
        """Share of the final sparsity that is reached after a step from begin (0) to end (exactly 1)."""
        way = (step - self.begin) / (self.end - self.begin)
        return way if schedule == "linear" else 1 - (1 - way) ** 3


# Sentences of training data up to which a row holds, from Ogueji et al. (see prune.py), appendix A.2.
PAPER = (
    (100, Timing(10, 60, 10)),
    (1_000, Timing(100, 300, 50)),
    (10_000, Timing(500, 1_200, 100)),
    (15_000, Timing(700, 1_800, 150)),
    (20_000, Timing(1_000, 2_400, 200)),
)


def timing(moment: Moment, begin: float | None, end: float | None, every: float | None) -> Timing:
    """Steps as they were asked for (whole steps from 1, a fraction of training below 1), the paper's for None.

    XnerError where pruning would not end after its beginning, or not end in training.
    """
    default = usual(moment)
    asked = Timing(
        begin=_steps(begin, default.begin, moment),
        end=moment.steps if end == 1 else max(1, _steps(end, default.end, moment)),
        every=max(1, _steps(every, default.every, moment)),
    )
    if asked.end > moment.steps:
        raise XnerError(
            f"--end {asked.end} is beyond the {moment.steps} steps of training; give fewer, or a fraction below 1"
        )
    if asked.begin >= asked.end:
        raise XnerError(
            f"pruning would begin after step {asked.begin} of {moment.steps} ({_told(begin, '--begin')}) and end after "
            f"step {asked.end} ({_told(end, '--end')}); give an --end after --begin"
        )
    return asked


def _told(given: float | None, name: str) -> str:
    """Where a step comes from."""
    return f"the default for so much data; there is no {name}" if given is None else f"{name} {given:g}"


def usual(moment: Moment) -> Timing:
    """The paper's steps for this much data; where they go beyond half of training, in proportion until there."""
    paper = next((found for size, found in PAPER if moment.sentences <= size), PAPER[-1][1])
    half = max(1, moment.steps // 2)
    if paper.end <= half:
        return paper
    return Timing(paper.begin * half // paper.end, half, max(1, round(paper.every * half / paper.end)))


def _steps(given: float | None, default: int, moment: Moment) -> int:
    if given is None:
        return default
    return int(given) if given >= 1 else round(given * moment.steps)
