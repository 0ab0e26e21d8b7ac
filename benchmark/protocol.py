"""Which checkpoint answers which target: one training run answers every protocol.

* ``last``: the last checkpoint. TRUE zero-shot.
* ``source-dev``: the best on the source's dev split. TRUE zero-shot.
* ``oracle``: for each target the best on that target's own dev split. Not zero-shot: it needs labels in the target.

Selection looks at dev scores only. It is written to disk before any test label is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Protocol = Literal["last", "source-dev", "oracle"]
PROTOCOLS: tuple[Protocol, ...] = ("last", "source-dev", "oracle")

# Dev scores of a run: epoch -> corpus ("wikiann:en") -> micro F1, or None where it is not defined.
DevScores = dict[int, dict[str, float | None]]
# protocol -> target -> epoch. A target that a protocol cannot answer is left out.
Selection = dict[Protocol, dict[str, int]]


def select(dev: DevScores, source: str, targets: Sequence[str]) -> Selection:
    """Choose a checkpoint for every protocol and target, from what the dev splits say so far."""
    chosen: Selection = {"last": dict.fromkeys(targets, max(dev)), "source-dev": {}, "oracle": {}}
    if best := best_epoch(dev, source):
        chosen["source-dev"] = dict.fromkeys(targets, best)
    chosen["oracle"] = {target: best for target in targets if (best := best_epoch(dev, target))}
    return chosen


def best_epoch(dev: DevScores, corpus: str) -> int | None:
    """The epoch with the highest dev score, the earlier of two equal ones; None without any score."""
    scored = [(-score, epoch) for epoch, scores in dev.items() if (score := scores.get(corpus)) is not None]
    return min(scored)[1] if scored else None


def wanted(selection: Selection) -> set[int]:
    """Epochs whose checkpoint some target needs."""
    return {epoch for answers in selection.values() for epoch in answers.values()}


def targets_of(selection: Selection, epoch: int) -> list[str]:
    """Targets that some protocol answers from this epoch's checkpoint, each once."""
    return list(dict.fromkeys(t for answers in selection.values() for t, e in answers.items() if e == epoch))


def answers(selection: Mapping[Protocol, Mapping[str, int]], target: str, epoch: int) -> Collection[Protocol]:
    """Protocols that answer a target from this epoch's checkpoint."""
    return [protocol for protocol in PROTOCOLS if selection[protocol].get(target) == epoch]
