"""BitFit: of the encoder only the biases are trained.

Ben Zaken, Goldberg and Ravfogel, "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked
Language-models", ACL 2022, https://aclanthology.org/2022.acl-short.1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xner_bench.errors import XnerError
from xner_bench.method import Method

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn
    from torch.nn import Parameter

    from xner_bench.tagger import Tagger


class Bitfit(Method):
    """BitFit: the encoder's biases and the whole head are trained, and nothing else.

    Biases are those of queries, keys, values and all other linear layers, and of layer normalisation (section 3 of the
    paper), the one after the embeddings included, as in the authors' code. The loss is the head's own.

    So few parameters want a learning rate 10 to 100 times that of standard fine-tuning: give --lr.
    """

    def prepare(self, tagger: Tagger) -> None:
        """Freeze the rest, so that no gradients are computed for it. An encoder without biases is an XnerError."""
        tagger.transformer.requires_grad_(False)
        for bias in biases(tagger.transformer):
            bias.requires_grad_(True)

    def trainable(self, tagger: Tagger) -> Iterable[Parameter]:
        head = (parameter for parameter in tagger.head.parameters() if parameter.requires_grad)
        return (*biases(tagger.transformer), *head)

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        from xner_bench.methods.share import share

        return share(tagger)


def biases(transformer: nn.Module) -> list[Parameter]:
    """An encoder's biases; some are called q_bias and the like. An encoder without any is an XnerError."""
    found = [parameter for name, parameter in transformer.named_parameters() if name.endswith("bias")]
    if not found:
        kind = type(transformer).__name__
        raise XnerError(f"method 'bitfit' trains biases, and {kind} has none; choose another --encoder or --method")
    return found
