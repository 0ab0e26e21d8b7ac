"""Label smoothing: Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, section 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.head import Head
    from xner_bench.method import Sizes


class Smooth(Method):
    """Label smoothing: a share of each word's probability goes to all tags alike.

    loss = mean over words of cross-entropy(logits, (1 - s) onehot(tag) + s / C) for C tags; s = 0 is standard.
    """

    smoothing: float = Field(0.1, ge=0, lt=1, description="share s of the probability, 0 to 1")

    def head(self, sizes: Sizes, tags: Sequence[str]) -> Head:
        from xner_bench_example.head import SmoothHead  # imports torch, which listing methods need not wait for

        return SmoothHead(sizes, len(tags), self.smoothing)
