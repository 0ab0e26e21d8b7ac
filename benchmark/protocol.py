"""Which checkpoint answers which target: one training run answers every protocol.

* ``last``: the last checkpoint. TRUE zero-shot.
* ``source-dev``: the best on the source's dev split, of several sources on the mean of theirs. TRUE zero-shot.
* ``average``: the mean of the weights at all epochs' ends (`mean.py`). TRUE zero-shot.
* ``oracle``: for each target the best on that target's own dev split. Not zero-shot: it needs labels in the target.
* ``few-shot-<sampling>-<k>``: what becomes of the TRUE checkpoint on k sentences of the target (`fewshot.py`).

Selection looks at dev scores only. It is written to disk before any test label is read.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Literal

from xner_bench.sources import parts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Protocol = Literal["last", "source-dev", "average", "oracle"]
PROTOCOLS: tuple[Protocol, ...] = ("last", "source-dev", "average", "oracle")
FEW_SHOT = "few-shot"
MEAN = 0  # the mean's number among the checkpoints, which are epochs, from 1, and what a method's finish() makes

# Dev scores of a run: epoch -> corpus ("wikiann:en") -> micro F1, or None where it is not defined.
DevScores = dict[int, dict[str, float | None]]
# protocol -> target -> epoch or MEAN. A target that a protocol cannot answer is left out.
Selection = dict[Protocol, dict[str, int]]


def select(dev: DevScores, source: str, targets: Sequence[str]) -> Selection:
    """Choose a checkpoint for every protocol and target, from what the dev splits say so far."""
    chosen: Selection = {"last": dict.fromkeys(targets, max(dev)), "source-dev": {}, "average": {}, "oracle": {}}
    if best := best_epoch(dev, source):
        chosen["source-dev"] = dict.fromkeys(targets, best)
    chosen["average"] = dict.fromkeys(targets, MEAN if len(dev) > 1 else max(dev))  # the mean of one epoch is that one
    chosen["oracle"] = {target: best for target in targets if (best := best_epoch(dev, target))}
    return chosen


def true(selection: Mapping[Protocol, Mapping[str, int]] | Mapping[str, Mapping[str, int]], name: str) -> int:
    """The checkpoint of a TRUE protocol, the same for all targets; of `source-dev` without a dev split the last."""
    chosen = {str(known): answers for known, answers in selection.items()}
    return next(iter((chosen.get(name) or chosen["last"]).values()))


def few_shot(sampling: str, k: int) -> str:
    """What a score after k sentences of the target is called: few-shot-random-10."""
    return f"{FEW_SHOT}-{sampling}-{k}"


def shots(name: str) -> tuple[str, int] | None:
    """Sampling and k of such a name; None for any other protocol."""
    sampling, _, k = name.removeprefix(f"{FEW_SHOT}-").partition("-")
    return (sampling, int(k)) if name.startswith(f"{FEW_SHOT}-") and k.isdecimal() else None


def best_epoch(dev: DevScores, source: str) -> int | None:
    """The epoch with the highest dev score, the earlier of two equal ones; None without any score."""
    scored = [(-score, epoch) for epoch, scores in dev.items() if (score := mean_f1(scores, source)) is not None]
    return min(scored)[1] if scored else None


def mean_f1(scores: Mapping[str, float | None], source: str) -> float | None:
    """F1 of a corpus in one epoch; of several that are joined the unweighted mean, as papers average languages.

    Those without a dev split are left out; None where one of the others has no score.
    """
    known = [scores[name] for name in parts(source) if name in scores]
    values = [score for score in known if score is not None]
    return fsum(values) / len(values) if values and len(values) == len(known) else None


def wanted(selection: Selection) -> set[int]:
    """Checkpoints that some target needs."""
    return {epoch for answers in selection.values() for epoch in answers.values()}


def targets_of(selection: Selection, epoch: int) -> list[str]:
    """Targets that some protocol answers from this epoch's checkpoint or the mean, each once."""
    return list(dict.fromkeys(t for answers in selection.values() for t, e in answers.items() if e == epoch))


def answers(selection: Mapping[Protocol, Mapping[str, int]], target: str, epoch: int) -> Collection[Protocol]:
    """Protocols that answer a target from this epoch's checkpoint or the mean."""
    return [protocol for protocol in PROTOCOLS if selection[protocol].get(target) == epoch]
