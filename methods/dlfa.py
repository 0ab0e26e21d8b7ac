"""DLFA: a word's state is mixed from a lower layer, which knows more of other languages, and the last.

Chen, Guo, Liu and Tao, "Feature Aggregation in Zero-Shot Cross-Lingual Transfer Using Multilingual BERT", 2022,
https://arxiv.org/abs/2205.08497
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from xner_bench.errors import XnerError
from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xner_bench.head import Head
    from xner_bench.method import Sizes
    from xner_bench.space import Choices, Range
    from xner_bench.tagger import Tagger


class Dlfa(Method):
    """DLFA: a linear layer on a gated mixture of a lower layer's states and the last layer's.

    With L1 the states of layer `layer`, L2 those of the last layer and M = (L1 + L2) / 2, all (T, D) for the T subwords
    of a batch (section II, equations 1 to 4):

        W_global = B(C2(ReLU(B(C1(mean of M over a window's subwords)))))    one row a window
        W_local = B(C2(ReLU(B(C1(M)))))                                      one row a subword, weights of its own
        A = sigmoid(W_global + W_local)        (gate: weight)
        A = M * sigmoid(W_global + W_local)    (gate: output)
        fused = L1 * A + L2 * (1 - A)

    Equation 4 puts the whole output of equation 3 where A stands (`output`), which may be any number; the text puts its
    weight there and says that this keeps the scale of a layer, which only `weight` does. For the ablation (section V-A)
    one branch takes the other's place: `branches: global` and `local` have two of a kind. With the last layer as the
    lower one (the paper's control D_12) fused = L2 whatever the gate says, which then is not trained.

    B is batch normalisation, in training over all subwords of the batch (special tokens too, padding never) or over its
    windows, in tagging with running statistics (momentum 0.1). A training batch of one window, as the last of an epoch
    may be, has no statistics over windows: the running ones serve there. C1 (D to D / reduction, rounded down) and C2
    (back to D) are 1x1 convolutions, that is linear layers; they have no bias, B takes it away. They are drawn from
    Kaiming's normal distribution.
    """

    layer: int | None = Field(
        None,
        ge=0,
        description="the lower layer, from 0 (the embeddings' output); none: two thirds up, 8 of 12",
    )
    branches: Literal["both", "global", "local"] = Field(
        "both", description="what the gate sees: the whole sentence and the subword, or twice one of them"
    )
    gate: Literal["weight", "output"] = Field(
        "weight", description="the sigmoid alone as the paper's text has it, or times the state as in its equation 4"
    )
    reduction: int = Field(4, ge=1, description="the gate narrows D features to D / reduction")

    @classmethod
    def search_space(cls, sizes: Sizes) -> Mapping[str, Range | Choices]:
        return {"layer": tuple(range(1, sizes.depth + 1))}

    def layers(self, depth: int) -> tuple[int, ...]:
        return (round(2 * depth / 3) if self.layer is None else self.layer, depth)

    def head(self, sizes: Sizes, tags: Sequence[str]) -> Head:
        if self.layers(sizes.depth)[0] > sizes.depth:
            raise XnerError(f"--layer {self.layer} is beyond the encoder's last; give one from 0 to {sizes.depth}")
        if self.reduction > sizes.hidden:
            raise XnerError(
                f"--reduction {self.reduction} leaves no feature of the hidden size {sizes.hidden}; give a smaller one"
            )
        from xner_bench.methods.aggregation import FusedHead

        return FusedHead(sizes, len(tags), self)

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        return {"layer": tagger.layers[0]}
