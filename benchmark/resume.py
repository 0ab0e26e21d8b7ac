"""Going on after a kill: what a run leaves at the end of every epoch, and how the next process takes it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from xner_bench import protocol
from xner_bench.checkpoints import State
from xner_bench.train import Step

if TYPE_CHECKING:
    from xner_bench.protocol import DevScores
    from xner_bench.stages import Work
    from xner_bench.train import Fit


def save(work: Work, fit: Fit) -> None:
    """Keep what this epoch's end is: the weights that some target may want, and all that training needs to go on.

    The epoch before stays whole too, with the weights that were wanted then: it is what a damaged one falls back to.
    """
    with work.timed("checkpoints"):
        work.checkpoints.save(work.tagger, fit.epoch)
        state = fit.state()
        own = {
            "steps": work.steps,
            "dev_scores": work.dev_scores,
            "seconds": work.seconds,
            "circumstances": circumstances(fit),
        }
        work.checkpoints.save_state(fit.epoch, State(state.tensors, {**state.facts, "run": own}))
        work.checkpoints.keep_only(needed(work, fit.epoch) | needed(work, fit.epoch - 1))


def go_on(work: Work, fit: Fit) -> None:
    """Take up the latest epoch that an earlier process left whole; without one, everything begins at the beginning."""
    for epoch in work.checkpoints.states():
        try:
            take_up(work, fit, epoch)
        except ValueError as error:
            work.watch.note(f"{error}; going back to what was before it")
            continue
        work.watch.note(f"going on after epoch {epoch} of {work.settings.training.epochs}")
        return


def take_up(work: Work, fit: Fit, epoch: int) -> None:
    """Be where the earlier process was at the end of an epoch; where that can't be, change nothing: ValueError."""
    state = work.checkpoints.load_state(epoch)
    own = state.facts["run"]
    scores: DevScores = {int(at): found for at, found in own["dev_scores"].items()}
    work.checkpoints.expect(needed(work, epoch, scores))
    work.checkpoints.kept[epoch].load(work.tagger)
    fit.restore(state)
    work.dev_scores = scores
    work.steps = [Step(*step) for step in own["steps"]]
    work.seconds = {**work.seconds, **{name: spent for name, spent in own["seconds"].items() if name != "preparing"}}
    tell_differences(work, own["circumstances"], circumstances(fit))


def needed(work: Work, epoch: int, scores: DevScores | None = None) -> set[int]:
    """Epochs whose weights must be there to go on after `epoch`: its own, and those that some target wants by then."""
    known = {at: found for at, found in (scores or work.dev_scores).items() if at <= epoch}
    if not known:
        return set()
    if work.finishes:  # the method will want them all
        return set(known)
    so_far = protocol.select(known, work.settings.source, work.settings.corpora)
    return {epoch} | protocol.wanted(so_far)


def circumstances(fit: Fit) -> dict[str, Any]:
    """What is in no run's id, and yet decides its last bits."""
    return {
        "device": fit.tagger.device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "subwords at once": fit.budget,
    }


def tell_differences(work: Work, before: dict[str, Any], now: dict[str, Any]) -> None:
    """A run that goes on elsewhere is the same but for rounding, and says so."""
    changed = [f"{name} {before.get(name)} before, {now[name]} now" for name in now if before.get(name) != now[name]]
    if changed:
        work.watch.note(f"the bits may differ from those of a run without interruption: {', '.join(changed)}")
