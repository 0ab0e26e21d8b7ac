"""SLICER: every slice of a state must name the tag on its own, so that the encoder has to use the context.

Schmidt, Vulić and Glavaš, "SLICER: Sliced Fine-Tuning for Low-Resource Cross-Lingual Transfer for Named Entity
Recognition", EMNLP 2022, https://aclanthology.org/2022.emnlp-main.740
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from xner_bench.errors import XnerError
from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xner_bench.head import Head
    from xner_bench.method import Sizes
    from xner_bench.space import Choices, Range


class Slicer(Method):
    """SLICER: cross-entropy on every slice of h features instead of on the whole state.

    A state x of D features is cut into K = D / h contiguous slices, slice k being the features [kh, (k+1)h); the
    classifier W (C, D) is cut alike. Training scores each slice alone,

        logits_k = W_k x_k + b        (bias: per_slice, the paper's)
        logits_k = W_k x_k + b / K    (bias: shared_out)
        loss = mean over words and slices of cross-entropy(logits_k, tag)

    and decoding uses the uncut layer, logits = W x + b. Hence logits = sum_k logits_k - (K - 1) b with per_slice, and
    logits = sum_k logits_k with shared_out; h = D is standard fine-tuning with either.

    The paper trains W. In the authors' released code W gets no gradient and keeps its random values (normal, std 0.02)
    while b is trained: that is `classifier: frozen`.
    """

    h: int = Field(8, ge=1, description="width of a slice in features; must divide the encoder's hidden size")
    classifier: Literal["trained", "frozen"] = Field(
        "trained",
        description="trained as the paper says, or frozen at its random start as the authors' code does",
    )
    bias: Literal["per_slice", "shared_out"] = Field(
        "per_slice", description="the full bias in every slice (the paper), or its K-th part"
    )

    @classmethod
    def search_space(cls, sizes: Sizes) -> Mapping[str, Range | Choices]:
        return {"h": divisors(sizes.hidden)}

    def head(self, sizes: Sizes, tags: Sequence[str]) -> Head:
        if sizes.hidden % self.h:
            fits = ", ".join(map(str, divisors(sizes.hidden)))
            raise XnerError(f"--h {self.h} does not divide the hidden size {sizes.hidden}; choose one of {fits}")
        from xner_bench.methods.sliced_head import SlicedHead

        return SlicedHead(sizes, len(tags), self)


def divisors(number: int) -> tuple[int, ...]:
    """All numbers that divide it, in order."""
    return tuple(n for n in range(1, number + 1) if number % n == 0)
