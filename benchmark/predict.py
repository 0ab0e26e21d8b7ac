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

SUBWORDS_A_BATCH = {"cpu": 2_048, "cuda": 65_536}  # measured: larger ones gain nothing and cost memory


@torch.inference_mode()
def tag(
    tagger: Tagger,
    corpora: Mapping[str, Encoded],
    precision: str,
    every_subword: bool = False,
    watch: Watch = SILENT,
    what: str = "tagging",
) -> dict[str, NDArray[np.int64]]:
    """Tag several corpora in one length-sorted pass.

    Returns for each corpus one tag id a word (W,), O (0) for words without subwords; with `every_subword` one tag id a
    subword that belongs to a word, in order. Windows that occur more than once go through the encoder once.
    """
    if not corpora:
        return {}
    tagger.eval()
    pool = join(list(corpora.values()))
    tagged = pool.word >= 0 if every_subword else pool.first
    rank = np.cumsum(tagged) - 1  # (T,) number of a tagged subword among all tagged ones
    out = np.zeros(int(tagged.sum()), np.int64)
    windows, twin = distinct(pool)
    budget = SUBWORDS_A_BATCH.get(tagger.device.type, SUBWORDS_A_BATCH["cuda"])
    with watch.stage(what, len(windows)) as advance, device.autocast(tagger.device, precision):
        for batch in batches.by_length(pool, windows, budget, every_subword):
            best = tagger.decode(batch.to(tagger.device)).cpu().numpy()
            out[rank[batch.place]] = best
            advance(len(batch.subwords) - 1)
    _repeat(pool, tagged, rank, twin, out)
    return _split(corpora, pool, tagged, out, every_subword)


def join(corpora: Sequence[Encoded]) -> Encoded:
    """Several corpora as one; words are numbered through."""
    words = np.cumsum([0, *(corpus.n_words for corpus in corpora)])
    subwords = np.cumsum([0, *(len(corpus.ids) for corpus in corpora)])
    return Encoded(
        ids=np.concatenate([corpus.ids for corpus in corpora]),
        word=np.concatenate([np.where(c.word < 0, -1, c.word + w) for c, w in zip(corpora, words, strict=False)]),
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


def _repeat(
    pool: Encoded,
    tagged: NDArray[np.bool_],
    rank: NDArray[np.int64],
    twin: Mapping[int, int],
    out: NDArray[np.int64],
) -> None:
    """Give repeated windows the tags of their originals."""
    for copy, original in twin.items():
        here = slice(int(pool.windows[copy]), int(pool.windows[copy + 1]))
        there = slice(int(pool.windows[original]), int(pool.windows[original + 1]))
        out[rank[here][tagged[here]]] = out[rank[there][tagged[there]]]


def _split(
    corpora: Mapping[str, Encoded],
    pool: Encoded,
    tagged: NDArray[np.bool_],
    out: NDArray[np.int64],
    every_subword: bool,
) -> dict[str, NDArray[np.int64]]:
    """Hand each corpus its tags; words that never reached the encoder keep O."""
    if every_subword:
        sizes = [int(corpus.pieces.sum()) for corpus in corpora.values()]
        return dict(zip(corpora, np.split(out, np.cumsum(sizes)[:-1]), strict=True))
    words = np.zeros(pool.n_words, np.int64)
    words[pool.word[tagged]] = out
    bounds = np.cumsum([corpus.n_words for corpus in corpora.values()])[:-1]
    return dict(zip(corpora, np.split(words, bounds), strict=True))
