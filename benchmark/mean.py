"""The mean of the weights at the epochs' ends: what answers the protocol `average`.

Schmidt, Vulić and Glavaš, "Free Lunch: Robust Cross-Lingual Transfer via Model Checkpoint Averaging", ACL 2023,
https://arxiv.org/abs/2305.16834. Nothing is chosen, so no label is looked at: TRUE zero-shot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def grown(mean: Mapping[str, Tensor], last: Mapping[str, Tensor], epochs: int) -> dict[str, Tensor]:
    """The mean of so many epochs' weights, from the mean of all but the last, and the last: state_dicts by name.

    Floating tensors are averaged, in float32 at least, running statistics of normalization among them; others (masks,
    counters) are the last epoch's. The mean of equal weights equals them exactly. Otherwise each epoch rounds: by the
    end the error is at most (epochs + 9) / 2 times 2^-24 of the largest value (5.7e-7 of it for ten epochs).
    """
    return {name: _grown(mean[name], tensor, epochs) for name, tensor in last.items()}


def _grown(mean: Tensor, last: Tensor, epochs: int) -> Tensor:
    if not last.is_floating_point():
        return last
    before = mean.to(torch.promote_types(mean.dtype, torch.float32))
    return before + (last - before) / epochs
