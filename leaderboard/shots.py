"""Few-shot scores: what an entry has after k sentences of each target, beside its TRUE score, which has seen none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

from xner_bench.leaderboard.cells import NONE, group_text
from xner_bench.protocol import few_shot, shots
from xner_bench.settings import Sampling
from xner_bench.sources import EACH, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xner_bench.leaderboard.groups import Group
    from xner_bench.leaderboard.lines import Line, Section

ABOUT = (
    "Few-shot: each entry goes on from its TRUE checkpoint with k sentences of a target's train split, of 3 to 50 "
    "words, drawn at random, or the shortest or the longest; k = 0 is TRUE."
)


class Curve(NamedTuple):
    """The scores of an entry as k grows, under one way of drawing."""

    line: Line
    sampling: str

    def cell(self, section: Section, group: Group, k: int) -> str:
        """The mean of a group."""
        protocol = few_shot(self.sampling, k) if k else section.suite.true_protocol
        mean = self.line.means.get((group.name, protocol))
        return group_text(mean.f1, mean.scored, mean.size) if mean else NONE


def curves(lines: Iterable[Line]) -> list[Curve]:
    """Of the entries that have such scores, one for each way of drawing."""
    return [Curve(line, way) for line in lines for way in get_args(Sampling) if way in dict(_of(line))]


def numbers(found: Iterable[Curve]) -> list[int]:
    """All k, with 0."""
    return sorted({0, *(k for curve in found for way, k in _of(curve.line) if way == curve.sampling)})


def groups(section: Section) -> Sequence[Group]:
    """Groups without a source, which learns from no sentences of its own."""
    sources = () if section.source == EACH else parts(section.source)
    return [group for group in section.groups if not {*group.corpora} & {*sources}]


def heading(group: Group) -> str:
    """What the table of a group is called."""
    return f"Few-shot, {group.name}"


def _of(line: Line) -> set[tuple[str, int]]:
    """Sampling and k of a line's scores."""
    return {found for (_, name), mean in line.means.items() if mean.scored and (found := shots(name))}
