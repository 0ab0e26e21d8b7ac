"""How much of a tagger a method trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench import vocabulary

if TYPE_CHECKING:
    from xner_bench.tagger import Tagger


def share(tagger: Tagger) -> dict[str, int]:
    """Numbers of the parameters that ask for a gradient, and of all: encoder, head and whatever a method added."""
    compact = vocabulary.found(tagger)
    left_out = compact.table.numel() - compact.weight.numel() if compact else 0  # rows of subwords that are not trained
    return {
        "trained_parameters": sum(one.numel() for one in tagger.parameters() if one.requires_grad),
        "parameters": sum(one.numel() for one in tagger.parameters()) + left_out,
    }
