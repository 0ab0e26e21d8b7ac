"""LoRA: the encoder's matrices stay as they are, and products of two narrow ones beside them are trained.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, https://openreview.net/forum?id=nZeVKeeFYf9
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from xner_bench.errors import XnerError
from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from torch.nn import Parameter

    from xner_bench.method import Sizes
    from xner_bench.space import Choices, Range
    from xner_bench.tagger import Tagger


class Lora(Method):
    """LoRA: low-rank updates of the encoder's attention are trained, and the whole head; all else stays.

    With W (O, I) a matrix of the encoder, A (rank, I) and B (O, rank), equation 3 and section 4.1 of the paper,

        W x    becomes    W x + (alpha / rank) B A dropout(x)

    where A and B are trained. B begins at zero, so that training begins at the pretrained encoder; A begins as torch's
    linear layers do, as in the authors' code. The paper adapts queries and values. Encoders that have queries, keys and
    values in one matrix (ModernBERT) get one update for the three. The loss is the head's own.

    So few parameters want a learning rate 10 to 100 times that of standard fine-tuning: give --lr. With
    --keep-checkpoint the updates are added to the matrices: an ordinary model, whose matrices are dense again where
    `lora+prune` had pruned them. Needs the extra `lora` (peft).
    """

    rank: int = Field(8, ge=1, description="rank of the updates")
    alpha: float = Field(16, gt=0, description="updates are scaled by alpha / rank")
    adapter_dropout: float = Field(0.1, ge=0, lt=1, description="on what the updates are computed from")
    where: Literal["attention", "all"] = Field(
        "attention", description="query and value projections as in the paper, or all linear layers of the encoder"
    )

    @model_validator(mode="after")
    def _with_peft(self) -> Self:
        if find_spec("peft") is None:
            raise XnerError("method 'lora' needs peft, which is not here; pip install 'xner-bench[lora]'")
        return self

    @classmethod
    def search_space(cls, sizes: Sizes) -> Mapping[str, Range | Choices]:
        return {"rank": tuple(rank for rank in (1, 2, 4, 8, 64) if rank <= sizes.hidden)}  # the paper's, section 7.2

    def prepare(self, tagger: Tagger) -> None:
        """Add the updates and freeze the rest, so that no gradients are computed for it."""
        from xner_bench.methods import adapters

        adapters.add(tagger.transformer, self)

    def trainable(self, tagger: Tagger) -> Iterable[Parameter]:
        # As by default; said here all the same, so that another method that chooses is not combined with this one.
        return super().trainable(tagger)

    def plain(self, tagger: Tagger) -> None:
        from xner_bench.methods import adapters

        adapters.merge(tagger.transformer)

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        from xner_bench.methods.share import share

        return {**share(tagger), "peft": version("peft")}
