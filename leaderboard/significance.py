"""How sure a difference between two entries is: an interval and a p-value, from the counts of every sentence.

The score of an entry on a corpus is the mean over seeds of its micro F1; the difference of two is taken over the seeds
that both have. On a group of corpora it is the unweighted mean of the corpora's differences.

* Interval: hierarchical bootstrap. Each draw resamples the seeds with replacement, the same for all corpora, and in
  each corpus its sentences, the same for all entries and seeds. F1 is computed again from the counts, the group's mean
  from the corpora. The interval lies between the percentiles 2.5 and 97.5. A handful of seeds resampled spreads less
  than seeds do: the part of a draw that the seeds make is stretched by sqrt(n / (n - 1)) t(n - 1) / z, as in the
  expanded percentile interval of Hesterberg, "What Teachers Should Know About the Bootstrap", The American
  Statistician 69 (4), 2015 (arXiv 1411.5279). Of one seed the sentences alone are resampled. As the noise of single
  sentences is in both levels, the interval is wider than it must be rather than too narrow (docs/evidence.md).
* p-value: paired permutation, two-sided. Each draw swaps the tags of the two entries in a random half of the sentences,
  in all matched seeds alike: a method's effect on a sentence is shared by its seeds. p is (1 + hits) / (1 + draws),
  where a hit is a difference as far from 0 as the one that was found (Phipson and Smyth, 2010).

The interval is about training again, the p-value about the taggers that were trained.

Where a resample has neither gold nor predicted entities, F1 counts as 0. Random numbers follow from the seed and the
corpus' name: other entries and other corpora change none. All sums are of integers that floats hold exactly, so that
neither the number of threads nor the order of additions changes a bit.

Shapes: S sentences of a corpus, R taggings of it, n matched seeds, D draws.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from xner_bench.leaderboard.evidence_types import DRAWS
from xner_bench.leaderboard.resampling import resamples, stream, swaps
from xner_bench.leaderboard.student import stretch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

BLOCK = 1000  # draws that share a stream of random numbers; the unit of work of a thread
EXACT = 1 << 24  # integers below it are exact in single precision
SLACK = 1e-9  # points; F1 is rounded, and a draw that swaps everything must count as equal to what was found
ENDS = (0.025, 0.975)


class Contest(NamedTuple):
    """Two entries on a corpus: which taggings are theirs, one for each matched seed."""

    entry: tuple[int, ...]
    against: tuple[int, ...]
    seeds: tuple[int, ...]


class Draws(NamedTuple):
    """What two entries have in points, and the differences that the draws gave."""

    mean: float  # F1 over the matched seeds
    against_mean: float
    resampled: NDArray[np.float64]  # (D,) seeds and sentences
    sentences: NDArray[np.float64]  # (D,) sentences alone
    swapped: NDArray[np.float64]  # (D,)

    @property
    def found(self) -> float:
        """The difference without any draw, points."""
        return self.mean - self.against_mean

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, points."""
        low, high = np.clip(np.quantile(self.resampled, ENDS), -100, 100)  # stretched, it may reach beyond
        return float(low), float(high)

    @property
    def p(self) -> float:
        """Two-sided."""
        hits = int((np.abs(self.swapped) >= abs(self.found) - SLACK).sum())
        return (1 + hits) / (1 + len(self.swapped))

    @property
    def error(self) -> float:
        """Standard error that the test sentences alone make, points."""
        return float(self.sentences.std(ddof=1))

    def plus(self, other: Draws) -> Draws:
        """The sum of two corpora."""
        return Draws(
            self.mean + other.mean,
            self.against_mean + other.against_mean,
            self.resampled + other.resampled,
            self.sentences + other.sentences,
            self.swapped + other.swapped,
        )

    def over(self, corpora: int) -> Draws:
        """The mean of a group from the sum of so many corpora."""
        return Draws(
            self.mean / corpora,
            self.against_mean / corpora,
            self.resampled / corpora,
            self.sentences / corpora,
            self.swapped / corpora,
        )


def compare(
    entry: Mapping[str, NDArray[np.integer]],
    against: Mapping[str, NDArray[np.integer]],
    seeds: Sequence[int],
    draws: int = DRAWS,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, Draws]:
    """Two entries on each corpus that they both have. Corpus -> counts (n, S, 3) of every seed and sentence."""
    found = {}
    for name in (name for name in entry if name in against):
        both = np.concatenate([entry[name], against[name]])
        n = len(seeds)
        contest = Contest(tuple(range(n)), tuple(range(n, 2 * n)), tuple(seeds))
        (found[name],) = drawn(name, halves(both), [contest], draws, seed, threads)
    return found


def mean(every: Sequence[Draws]) -> Draws:
    """The draws of a group from those of its corpora."""
    return reduce(Draws.plus, every).over(len(every))


def halves(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    """Counts (..., 3) to the two numbers (..., 2) that F1 is twice the quotient of: tp, and 2 tp + fp + fn."""
    tp, fp, fn = (counts[..., at].astype(np.int64) for at in range(3))
    return np.stack([tp, 2 * tp + fp + fn], axis=-1)


def drawn(
    name: str,
    taggings: NDArray[np.integer],
    contests: Sequence[Contest],
    draws: int,
    seed: int = 0,
    threads: int = 1,
) -> list[Draws]:
    """The draws of every contest on a corpus of this name. `taggings`: (R, S, 2), see `halves`."""
    out = np.empty((3, len(contests), draws))
    chosen = {seeds: _seeds(seeds, draws, seed) for seeds in dict.fromkeys(one.seeds for one in contests)}
    whole = _f1(*taggings.sum(axis=1, dtype=np.float64).T[:, :, None])
    work = partial(_block, name, taggings, contests, chosen, seed, out)
    # The products are small: BLAS' own threads would only wait for each other (three times the processor time).
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(0, draws, BLOCK)))
    means = [(float(_over(whole, one.entry)[0]), float(_over(whole, one.against)[0])) for one in contests]
    return [Draws(own, other, *out[:, at]) for at, (own, other) in enumerate(means)]


def _seeds(seeds: tuple[int, ...], draws: int, seed: int) -> NDArray[np.float32]:
    """How often each of the matched seeds is in a draw, (n, D)."""
    n = len(seeds)
    return np.concatenate(list(resamples(stream(seed, "seeds", *seeds), draws, n))).T.copy()


def _block(
    name: str,
    taggings: NDArray[np.integer],
    contests: Sequence[Contest],
    chosen: Mapping[tuple[int, ...], NDArray[np.float32]],
    seed: int,
    out: NDArray[np.float64],
    start: int,
) -> None:
    """Fill `out` (3, contests, D) from draw `start` on."""
    block = slice(start, min(start + BLOCK, out.shape[-1]))
    draws, size = block.stop - start, taggings.shape[1]
    f1 = _f1(*_sums(taggings, resamples(stream(seed, "sentences", name, start), draws, size)))
    series: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for at, one in enumerate(contests):
        for rows in (one.entry, one.against):
            if (rows, one.seeds) not in series:
                series[rows, one.seeds] = _stretched(f1, rows, chosen[one.seeds][:, block])
        own, other = series[one.entry, one.seeds], series[one.against, one.seeds]
        out[0, at, block], out[1, at, block] = own[0] - other[0], own[1] - other[1]
    unlike = _unlike(taggings, contests)
    whole = taggings.sum(axis=1, dtype=np.float64).T[:, :, None]
    some = (one.take(unlike, axis=1) for one in swaps(stream(seed, "swaps", name, start), draws, size))
    moved = _sums(taggings[:, unlike], some)
    for at, one in enumerate(contests):
        out[2, at, block] = _swapped(whole, moved, one)


def _sums(
    taggings: NDArray[np.integer], weights: Iterable[NDArray[np.float32] | NDArray[np.uint8]]
) -> NDArray[np.float64]:
    """Weighted sums of the sentences' numbers: (2, R, D)."""
    count, size = taggings.shape[:2]
    kind: type[np.floating] = np.float32 if size * int(taggings.max(initial=0)) < EXACT else np.float64
    columns = taggings.transpose(1, 2, 0).reshape(size, 2 * count).astype(kind)
    sums = np.concatenate([np.matmul(one.astype(kind, copy=False), columns) for one in weights])
    return np.ascontiguousarray(sums.T, np.float64).reshape(2, count, -1)


def _f1(tp: NDArray[np.float64], entities: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 in percent; 0 where there is neither gold nor prediction."""
    share: NDArray[np.float64] = np.divide(tp, entities, out=np.zeros_like(tp), where=entities > 0)
    return 200 * share


def _over(f1: NDArray[np.float64], rows: Sequence[int]) -> NDArray[np.float64]:
    """Mean over seeds: one seed added after the other."""
    total: NDArray[np.float64] = np.add.reduce(f1[list(rows)], axis=0)
    return total / len(rows)


def _stretched(
    f1: NDArray[np.float64], rows: Sequence[int], chosen: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """An entry's mean over resampled seeds, their part stretched, and over all seeds: (D,) both."""
    every = _over(f1, rows)
    some = _over(f1[list(rows)] * chosen, range(len(rows)))
    return every + stretch(len(rows)) * (some - every), every


def _unlike(taggings: NDArray[np.integer], contests: Sequence[Contest]) -> NDArray[np.intp]:
    """Sentences in which some contest's entries differ: to swap the others changes nothing."""
    found = np.zeros(taggings.shape[1], bool)
    for one in dict.fromkeys(pair for contest in contests for pair in zip(contest.entry, contest.against, strict=True)):
        found |= (taggings[one[0]] != taggings[one[1]]).any(axis=-1)
    return np.flatnonzero(found)


def _swapped(whole: NDArray[np.float64], moved: NDArray[np.float64], one: Contest) -> NDArray[np.float64]:
    """The difference after swapping, (D,). `whole`: (2, R, 1) of all sentences, `moved`: (2, R, D) of those swapped."""
    entry, against = list(one.entry), list(one.against)
    change = moved[:, against] - moved[:, entry]
    own = _f1(*(whole[:, entry] + change))
    other = _f1(*(whole[:, against] - change))
    every = range(len(entry))
    return _over(own, every) - _over(other, every)
