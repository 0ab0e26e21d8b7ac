"""Iterative magnitude pruning: the encoder's smallest weights become zero while it is fine-tuned.

Ogueji, Ahia, Onilude, Gehrmann, Hooker and Kreutzer, "Intriguing Properties of Compression on Multilingual Models",
EMNLP 2022, https://arxiv.org/abs/2211.02738
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from xner_bench.method import Method
from xner_bench.methods import gradual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xner_bench.method import Moment
    from xner_bench.tagger import Tagger


class Prune(Method):
    """Iterative magnitude pruning: the encoder's smallest weights become zero while it is fine-tuned.

    After the steps t = begin, begin + every, ... and end, in each matrix of n weights the round(s_t n) of the least
    magnitude are zero and stay so, the earlier ones among equals:

        s_t = s (1 - (1 - (t - begin) / (end - begin))^3)    (schedule: cubic)
        s_t = s (t - begin) / (end - begin)                  (schedule: linear)

    with s the sparsity, which is reached exactly. Pruned weights have no gradient, neither in clipping nor else. Loss
    and everything around it are the head's own.

    Dense are the matrices of all linear layers of the encoder as it was loaded: not biases, the head, or adapters. The
    embeddings are the table of all subwords (V, D) as one matrix, also of those that the training data never uses.

    The paper gives begin, end and every by the sentences of training data (appendix A.2: 100, 1,000, 5,000, 10,000,
    15,000, 20,000; sizes between them take the next larger). It trains for 60 epochs. Where its end would lie beyond
    half of training, the three shrink alike so that it lies there. Epochs before the end are less sparse, and what is
    chosen by dev scores may be one of these: read the protocol `last`. A search leaves the sparsity as it is
    given: by its scores the least would win.
    """

    sparsity: float = Field(0.5, gt=0, lt=1, description="share of the weights in scope that are zero at the end")
    scope: Literal["dense", "dense+embeddings"] = Field(
        "dense", description="matrices of the encoder's linear layers; or the table of subwords, too"
    )
    begin: float | None = Field(
        None, ge=0, description="step where pruning begins, below 1 a fraction of training; none: the paper's"
    )
    end: float | None = Field(None, gt=0, description="step where the sparsity is reached, likewise; 1 is the last")
    every: float | None = Field(None, gt=0, description="steps from one pruning to the next, likewise")
    schedule: Literal["cubic", "linear"] = Field("cubic", description="how the sparsity rises from begin to end")

    @field_validator("begin", "end", "every")
    @classmethod
    def _whole(cls, given: float | None) -> float | None:
        if given is not None and given > 1 and not given.is_integer():
            raise ValueError("steps are whole; a fraction of training is below 1")
        return given

    @field_validator("end")
    @classmethod
    def _after_begin(cls, end: float | None, info: ValidationInfo) -> float | None:
        begin = info.data.get("begin")
        if begin is None or end in (None, 1) or (begin < 1) != (end < 1):
            return end  # training tells
        if begin >= end:
            raise ValueError(f"pruning ends after its beginning, --begin {begin:g}")
        return end

    def check(self, end: Moment) -> None:
        gradual.timing(end, self.begin, self.end, self.every)

    def prepare(self, tagger: Tagger) -> None:
        """Add the masks. An encoder without linear layers is an XnerError."""
        from xner_bench.methods.pruning import Pruning

        tagger.add_module("pruning", Pruning(tagger.transformer, embeddings=self.scope == "dense+embeddings"))

    def after_step(self, tagger: Tagger, moment: Moment) -> None:
        timing = gradual.timing(moment, self.begin, self.end, self.every)
        if moment.step <= timing.begin:  # at begin itself the sparsity is 0
            return
        from xner_bench.methods import pruning

        masks = pruning.of(tagger)
        if timing.event(moment.step):
            masks.prune(self.sparsity * timing.share(moment.step, self.schedule))
        masks.hold()

    def settle(self, tagger: Tagger) -> None:
        from xner_bench.methods import pruning

        masks = pruning.of(tagger)
        masks.hold()
        masks.take_zeros()

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        """Sparsity reached: zeros, and the weights in scope."""
        from xner_bench.methods import pruning

        zeros, weights = pruning.of(tagger).count()
        return {"sparsity": zeros / weights, "zeros": zeros, "prunable": weights}
