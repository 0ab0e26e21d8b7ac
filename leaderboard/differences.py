"""What a method changes: each entry against the baseline trained in the same way, seed by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xner_bench.leaderboard.cells import NONE, signed_text, stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.leaderboard.cells import Stat
    from xner_bench.leaderboard.lines import Line, Section

BASELINE = "standard"
ALIKE = ("encoder", "fingerprint", "training", "types", "chosen_on")  # what a line shares with its baseline
UNEQUAL = (
    "(3 of 5) says that one of the two has five seeds: the difference is over the three that both have, and not that "
    "of their scores, which are over all seeds."
)
ABOUT = (
    "+1.2 ± 0.5 (3) is the mean ± sample standard deviation of the differences of three seeds that both entries have, "
    f"in points. {UNEQUAL}"
)


class Pair(NamedTuple):
    """An entry and the one that it is held against."""

    line: Line
    baseline: Line

    @property
    def most(self) -> int:
        """Seeds of the one that has more."""
        return max(line.n_seeds or 0 for line in self)

    def difference(self, group: str, protocol: str) -> Stat | None:
        """Entry less baseline on a group's mean, over the seeds that both have; None without such a seed."""
        own, base = (line.seeds.get((group, protocol), {}) for line in self)
        return stat([own[seed] - base[seed] for seed in sorted(own.keys() & base.keys())])


def pairs(section: Section, profile: str) -> list[Pair]:
    """Own entries of a profile that have a baseline, with it, in the section's order."""
    own = section.own(profile)
    baselines = [line for line in own if line.method == BASELINE]
    found = [Pair(line, base) for line in own for base in baselines if line.method != BASELINE and alike(line, base)]
    return [pair for pair in found if any(pair.difference(*at) for at in pair.line.means)]


def alike(line: Line, baseline: Line) -> bool:
    """Trained in the same way from the same encoder, on the same data as far as both read it."""
    if any(line.data[part] != baseline.data[part] for part in line.data.keys() & baseline.data.keys()):
        return False
    return all(getattr(line, name) == getattr(baseline, name) for name in ALIKE)


def several(found: Sequence[Pair]) -> bool:
    """Whether a table must say in each row which baseline it is about."""
    return len({pair.baseline.label for pair in found}) > 1


def heading(found: Sequence[Pair]) -> str:
    """What a table of differences is called: of one baseline by its label, of several by their method."""
    baseline = f"{BASELINE}, trained in the same way" if several(found) else found[0].baseline.label
    return f"Difference from {baseline}"


def cell(pair: Pair, group: str, protocol: str) -> str:
    """A difference as text."""
    found = pair.difference(group, protocol)
    return signed_text(found, pair.most) if found else NONE
