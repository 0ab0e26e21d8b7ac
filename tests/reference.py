"""seqeval, the reference of all scores."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.score import Reading


def seqeval_scores(
    gold: Sequence[list[str]], predicted: Sequence[list[str]], reading: Reading, average: str | None
) -> list[Any]:
    """Precision, recall, F1 and support; each a list over the types in alphabetical order without an average.

    seqeval gives 0 with a warning where a score has no meaning.
    """
    from seqeval.metrics import sequence_labeling, v1
    from seqeval.scheme import IOB2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if reading == "lenient":
            found = sequence_labeling.precision_recall_fscore_support(gold, predicted, average=average)
        else:
            found = v1.precision_recall_fscore_support(gold, predicted, average=average, scheme=IOB2)
    return list(found)
