"""A trained tagger and encoded corpora in, exactly one tag for each word of each corpus out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xner_bench import batches, device
from xner_bench.encode import Encoded
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from xner_bench.tagger import Tagger
    from xner_bench.watch import Watch

# Shapes: W words, T subwords of all windows, N windows.

# Larger ones gain nothing on a CPU, and cost memory.
SUBWORDS_A_BATCH = {"cpu": 1_024, "cuda": 65_536}
# How alike the lengths of a group are: among many windows there are enough of equal length, which need no mask.
FILLED = {"cpu": 1.0, "cuda": 0.25}


class Pool:
    """Several corpora as one, to be tagged again and again; windows that occur more than once are tagged once."""

    def __init__(self, corpora: Mapping[str, Encoded], every_subword: bool = False) -> None:
        self.corpora = corpora
        self.every_subword = every_subword
        self.joined = join(list(corpora.values()))
        self.windows, self.twin = distinct(self.joined)

    def spread(self, best: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Tags of each corpus, from those (T,) of the subwords of distinct windows."""
        bounds = self.joined.windows
        for copy, original in self.twin.items():
            best[bounds[copy] : bounds[copy + 1]] = best[bounds[original] : bounds[original + 1]]
        units = self._subwords(best) if self.every_subword else self._words(best)
        return dict(zip(self.corpora, units, strict=True))

    def _subwords(self, best: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Tags of the subwords that are part of a word."""
        ends = np.cumsum([len(corpus.ids) for corpus in self.corpora.values()])
        parts = zip(np.split(best, ends[:-1]), self.corpora.values(), strict=True)
        return [part[corpus.word >= 0] for part, corpus in parts]

    def _words(self, best: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Tags of all words; those that never reached the encoder keep O."""
        words = np.zeros(self.joined.n_words, np.int64)
        words[self.joined.word[self.joined.first]] = best[self.joined.first]
        ends = np.cumsum([corpus.n_words for corpus in self.corpora.values()])
        return np.split(words, ends[:-1])


@torch.inference_mode()
def tag(
    tagger: Tagger, pool: Pool, precision: str, watch: Watch = SILENT, what: str = "tagging"
) -> dict[str, NDArray[np.int64]]:
    """Tag the corpora of a pool in one length-sorted pass.

    Returns for each corpus one tag id a word (W,), O (0) for words without subwords; where the pool is of every
    subword, one tag id a subword that belongs to a word, in order.
    """
    if not pool.corpora:
        return {}
    tagger.eval()
    best = np.zeros(len(pool.joined.ids), np.int64)
    budget, filled = device.of_kind(SUBWORDS_A_BATCH, tagger.device), device.of_kind(FILLED, tagger.device)
    laid_out = batches.by_length(pool.joined, pool.windows, budget, pool.every_subword, filled)
    with watch.stage(what, len(pool.windows)) as advance, device.autocast(tagger.device, precision):
        for batch in laid_out:
            best[batch.place] = tagger.decode(batch.to(tagger.device)).cpu().numpy()
            advance(len(batch.subwords) - 1)
    return pool.spread(best)


def join(corpora: Sequence[Encoded]) -> Encoded:
    """Several corpora as one; words are numbered through."""
    words = np.cumsum([0, *(corpus.n_words for corpus in corpora)])
    subwords = np.cumsum([0, *(len(corpus.ids) for corpus in corpora)])
    own_words = [np.where(c.word < 0, -1, c.word + w) for c, w in zip(corpora, words, strict=False)]
    return Encoded(
        ids=np.concatenate([np.zeros(0, np.int32), *(corpus.ids for corpus in corpora)]),
        word=np.concatenate([np.zeros(0, np.int64), *own_words]),
        windows=np.concatenate([[0], *(c.windows[1:] + t for c, t in zip(corpora, subwords, strict=False))]),
        sentences=np.concatenate([[0], *(c.sentences[1:] + w for c, w in zip(corpora, words, strict=False))]),
        cut_sentences=sum(corpus.cut_sentences for corpus in corpora),
    )


def distinct(pool: Encoded) -> tuple[NDArray[np.int64], dict[int, int]]:
    """Windows that differ from all before them, and for each of the others the one that it repeats."""
    seen: dict[bytes, int] = {}
    twin: dict[int, int] = {}
    first = pool.first
    for window, (start, end) in enumerate(zip(pool.windows[:-1].tolist(), pool.windows[1:].tolist(), strict=True)):
        key = pool.ids[start:end].tobytes() + first[start:end].tobytes()
        original = seen.setdefault(key, window)
        if original != window:
            twin[window] = original
    return np.fromiter(seen.values(), np.int64, len(seen)), twin
