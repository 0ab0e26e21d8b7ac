"""CRF: the tags of a window's words are chosen together, by a linear-chain conditional random field.

Lafferty, McCallum and Pereira, "Conditional Random Fields: Probabilistic Models for Segmenting and Labeling Sequence
Data", ICML 2001. On multilingual encoders: Lauscher, Ravishankar, Vulić and Glavaš, "From Zero to Hero: On the
Limitations of Zero-Shot Language Transfer with Multilingual Transformers", EMNLP 2020, section 3.1,
https://aclanthology.org/2020.emnlp-main.363
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.head import Head
    from xner_bench.method import Sizes


class Crf(Method):
    """CRF: a linear-chain conditional random field over a window's words, instead of each word for itself.

    With x_t the state of word t (D), W (C, D), b, start and end (C) and transitions A (C, C), tags y of a window have

        score(y) = start[y_1] + sum_t (W x_t + b)[y_t] + sum_t A[y_t-1, y_t] + end[y_n]
        loss = sum over windows of (log sum_y' exp score(y') - score(y)) / words of the batch

    and decoding gives the y of the highest score. A, start and end begin at zero, where loss and tags are those of
    standard fine-tuning. W and b are drawn, and x_t is dropped out, as there.

    A sentence that is longer than the encoder's room is cut into windows, and each window is a chain of its own; with
    `constrained`, an entity that is cut begins anew in the next one. Where every subword is tagged like a word, the
    chain runs over subwords.

    A, start and end are few, small and far from where they ought to be; at rates that suit an encoder they hardly move.
    With `transition_lr_factor` f AdamW moves them f times as far a step; gradients, their clipping and the weight decay
    of A stay the same.
    """

    constrained: bool = Field(
        False, description="tag only as IOB2 allows: I- of a type just after B- or I- of that type, so never first"
    )
    transition_lr_factor: float = Field(
        1.0,
        gt=0,
        le=1e5,
        allow_inf_nan=False,
        description="learning rate of transitions, start and end: that of training, times this; decay stays the same",
        exclude_if=lambda factor: factor == 1,  # is no setting then: runs from before there was one keep their ids
    )

    def head(self, sizes: Sizes, tags: Sequence[str]) -> Head:
        from xner_bench.methods.crf_head import CrfHead

        return CrfHead(sizes, tags, self.constrained, self.transition_lr_factor)
