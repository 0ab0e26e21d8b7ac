"""How often a difference is claimed where there is none: the two tables of docs/evidence.md.

python tests/speed/null.py [TABLES]

A table is two entries on 34 languages, of 300 sentences each, some hard for both. A seed shifts the log odds of finding
an entity, by another normal number in each language or by the same in all. What is left to find is counted, too: of a
true difference of some nine points, the share of languages in which it is claimed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from counts import drawn, entries

from xner_bench.leaderboard.evidence import Summary, supported
from xner_bench.leaderboard.evidence_types import LEVEL
from xner_bench.leaderboard.significance import mean

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE, DRAWS = 300, 2000
BETTER = 0.8  # log odds: nine points
LANGUAGES = tuple(f"language-{at}" for at in range(34))
GROUPS = LANGUAGES[:24], LANGUAGES[24:], LANGUAGES
SEEDS = (1, 2, 3, 5, 10)
LUCK = ((0.0, False), (0.1, False), (0.1, True), (0.4, False), (0.4, True))


class Shares(NamedTuple):
    """Of all pairs of entries on a language, and of all tables."""

    small: float  # p below 0.05
    holding: float  # intervals that hold 0
    alone: float  # supported, were the language the only one
    languages: float  # tables in which some language is supported
    groups: float  # tables in which some group is
    each: float  # languages of tables that are


def simulated(luck: float, everywhere: bool, seeds: int, tables: int, better: float = 0.0) -> Shares:
    """So many tables, without any true difference or with the same in all languages."""
    random = np.random.default_rng([seeds, round(10 * luck), everywhere])
    shifts = random.normal(0, luck, (tables, 2, seeds)) * everywhere
    here = 0.0 if everywhere else luck
    pairs = ([entries(random, seeds, SIZE, better, here, one) for one in shifts] for _ in LANGUAGES)
    every = dict(zip(LANGUAGES, map(drawn, LANGUAGES, pairs, [DRAWS] * len(LANGUAGES)), strict=True))
    languages = [[Summary.of(every[name][at]) for name in LANGUAGES] for at in range(tables)]
    groups = [[Summary.of(mean([every[name][at] for name in group])) for group in GROUPS] for at in range(tables)]
    alone = [one for family in languages for one in family]
    claimed = [supported(family, [seeds] * len(family)) for family in languages]
    return Shares(
        small=share(one.p < LEVEL for one in alone),
        holding=share(one.low <= 0 <= one.high for one in alone),
        alone=share(any(supported([one], [seeds])) for one in alone),
        languages=share(map(any, claimed)),
        groups=share(any(supported(family, [seeds] * len(family))) for family in groups),
        each=share(one for family in claimed for one in family),
    )


def share(which: Iterable[bool]) -> float:
    """Of those that are so."""
    found = list(which)
    return sum(found) / len(found)


def table(heads: Iterable[str], found: dict[tuple[float, bool, int], tuple[float, ...]]) -> str:
    """As Markdown, a row for each kind of luck and number of seeds."""
    rows = [("luck", "seeds", *heads), ("---", *["---:"] * (1 + len(next(iter(found.values())))))]
    for (luck, everywhere, seeds), shares in found.items():
        kind = f"{luck:g}{(', the same in all languages' if everywhere else '') if luck else ''}"
        rows.append((kind, str(seeds), *(f"{100 * one:.1f} %" for one in shares)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    tables = int(sys.argv[1]) if sys.argv[1:] else 200
    found = {(*luck, seeds): simulated(*luck, seeds, tables) for luck in LUCK for seeds in SEEDS}
    alone = {at: found[at] for at in found if not at[1]}
    several = {at: simulated(*at, max(1, tables // 20), BETTER) for at in found if at[2] > 1}
    heads = "p below 0.05", "interval holds 0", "supported, were it the only language"
    print(f"Of {tables * len(LANGUAGES):,} pairs of entries on one language a row:\n")
    print(table(heads, {at: (one.small, one.holding, one.alone) for at, one in alone.items()}))
    print(f"\nOf {tables:,} tables of {len(LANGUAGES)} languages and {len(GROUPS)} groups a row:\n")
    heads = "a language supported", "a group supported", "of true differences supported"
    print(table(heads, {at: (found[at].languages, found[at].groups, true.each) for at, true in several.items()}))


if __name__ == "__main__":
    main()
