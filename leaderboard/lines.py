"""The plain types of a leaderboard: sections of lines, lines of scores and means, in percent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.leaderboard.groups import TOTAL
from xner_bench.leaderboard.scores import ORACLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xner_bench.catalogue import Suite
    from xner_bench.leaderboard.cells import Stat
    from xner_bench.leaderboard.evidence_types import Evidence
    from xner_bench.leaderboard.groups import Group
    from xner_bench.results import Run
    from xner_bench.score import Counts


class Row(NamedTuple):
    """The score of one entry on one corpus under one protocol."""

    f1: Stat | None
    macro_f1: Stat | None = None
    counts: Counts | None = None  # added up over the seeds
    reason: str = ""  # why there is no score, as far as known
    reference: str = ""  # of a published score: where it stands
    note: str = ""  # of a published score: what was done to it


class Mean(NamedTuple):
    """The score of one entry on a group of targets under one protocol."""

    f1: Stat | None
    scored: int  # targets with a score
    size: int  # targets of the group
    reference: str = ""


@dataclass(frozen=True)
class Line:
    """One entry under one profile: what becomes a row of a table."""

    label: str
    method: str
    options: Mapping[str, Any]
    encoder: str
    training: Mapping[str, Any]
    profile: str
    rows: Mapping[tuple[str, str], Row]  # (corpus, protocol)
    means: Mapping[tuple[str, str], Mean]  # (group, protocol)
    departures: str = ""
    entry_id: str | None = None
    run_ids: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()  # the records of these; none of a published line
    n_seeds: int | None = None
    published: bool = False
    types: tuple[str, ...] = ()
    fingerprint: str = ""  # of the encoder
    data: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (corpus, split) -> fingerprint
    chosen_on: tuple[str, ...] = ()
    seeds: Mapping[tuple[str, str], Mapping[int, float]] = field(
        default_factory=dict
    )  # (corpus or group, protocol) -> seed -> score
    split: str = "test"  # or a perturbed one, "test-in-script"
    regular: Line | None = None  # of a line of a perturbed split: the same entry's on the regular one

    def total(self, protocol: str) -> Stat | None:
        mean = self.means.get((TOTAL, protocol))
        return mean.f1 if mean else None


@dataclass(frozen=True)
class Section:
    """The entries of one suite and source: what may stand in one table, profile by profile."""

    suite: Suite
    source: str  # "wikiann:en", several joined by +, or "each"
    trained: str  # the same in words
    groups: tuple[Group, ...]
    protocols: tuple[str, ...]
    corpora: tuple[str, ...]  # the sources, the suite's targets, then whatever else somebody ran
    lines: tuple[Line, ...]  # in the order in which they are shown
    notices: tuple[str, ...]  # of the suite and its data sets
    unranked: Mapping[str, int]  # state -> runs
    differing: tuple[str, ...]  # splits of which the entries did not read the same data: "wikiann:am test"
    perturbed: tuple[Line, ...] = ()  # lines of perturbed splits, one split after the other
    evidence: Evidence | None = None  # on the differences between own entries, where it was asked for

    @property
    def profiles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.profile for line in self.lines))

    def own(self, profile: str) -> list[Line]:
        """The lines of a profile that are not published."""
        return [line for line in self.lines if line.profile == profile and not line.published]

    def role(self, protocol: str) -> str:
        """What a protocol is called in papers on this suite: true, oracle, or nothing."""
        return {ORACLE: "oracle", self.suite.true_protocol: "true"}.get(protocol, "")
