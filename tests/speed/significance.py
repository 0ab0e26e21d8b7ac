"""Time of the evidence on one difference: 34 languages of the usual sizes, 10 seeds, 2 entries, 10,000 draws.

python tests/speed/significance.py [THREADS]
"""

from __future__ import annotations

import sys
from time import perf_counter, process_time

import numpy as np

from xner_bench.leaderboard import significance

SIZES = {10_000: 13, 1_000: 4, 100: 7, 500: 10}
SEEDS = tuple(range(42, 52))
DRAWS = 10_000


def counts(random: np.random.Generator, size: int) -> np.ndarray:
    """Ten seeds of an entry: found, invented and missed entities of every sentence."""
    return random.integers(0, [3, 2, 2], (len(SEEDS), size, 3))


def main() -> None:
    threads = int(sys.argv[1]) if sys.argv[1:] else 2
    random = np.random.default_rng(0)
    names = [f"{size}-{at}" for size, many in SIZES.items() for at in range(many)]
    entry, against = ({name: counts(random, int(name.split("-")[0])) for name in names} for _ in range(2))
    start, spent = perf_counter(), process_time()
    found = significance.compare(entry, against, SEEDS, DRAWS, threads=threads)
    total = significance.mean(list(found.values()))
    took = f"{perf_counter() - start:.1f} s, processor {process_time() - spent:.1f} s"
    print(f"{len(found)} languages, {threads} threads: {took}")
    print(f"difference {total.found:.4f}, 95 % {total.interval}, p {total.p:.4f}")


if __name__ == "__main__":
    main()
