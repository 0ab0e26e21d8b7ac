"""Which entries a picture shows, and what each is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.leaderboard import differences, legend
from xner_bench.leaderboard.scores import ORACLE

if TYPE_CHECKING:
    from xner_bench.leaderboard.evidence_types import Comparison
    from xner_bench.leaderboard.lines import Line, Section

MOST = 40  # rows of one picture


class Pair(NamedTuple):
    """An entry and the `standard` that was trained in the same way."""

    line: Line
    baseline: Line


class Difference(NamedTuple):
    """An entry less the baseline on one language or group, in points."""

    points: float
    low: float | None  # of the 95 % interval
    high: float | None
    supported: bool


Found = Mapping[tuple[str | None, str | None, str], "Comparison"]  # (entry, another one, corpus or group)


class View(NamedTuple):
    """One profile of a section under one protocol: what one picture may show."""

    section: Section
    profile: str
    protocol: str

    @property
    def lines(self) -> list[Line]:
        """Its entries, in the leaderboard's order."""
        return [line for line in self.section.lines if line.profile == self.profile]

    @property
    def metric(self) -> str:
        """What its numbers are."""
        return legend.metric(self.profile)

    @property
    def about(self) -> str:
        """Whose numbers a picture shows."""
        suite = self.section.suite
        return f"{suite.title}; suite {suite.name}, {self.section.trained}; profile {self.profile}"

    @property
    def role(self) -> str:
        """What papers call its protocol."""
        if self.section.role(self.protocol) == "true":
            return legend.true_text(self.section.source, self.section.suite.targets)
        return self.section.role(self.protocol).upper() or self.protocol


def view(section: Section, profile: str) -> View:
    """A profile under what the suite calls TRUE; under ORACLE where no entry has a TRUE score."""
    true = View(section, profile, section.suite.true_protocol)
    zero_shot = any(row.f1 for line in true.lines for (_, protocol), row in line.rows.items() if protocol == true[2])
    means = any(mean.f1 for line in true.lines for (_, protocol), mean in line.means.items() if protocol == true[2])
    return true if zero_shot or means else true._replace(protocol=ORACLE)


def pairs(seen: View) -> list[Pair]:
    """Entries that were not trained by `standard`, each beside one that was; a paper's where there are no own ones."""
    found = [
        Pair(line, baseline)
        for line in seen.lines
        for baseline in seen.lines
        if line.method != differences.BASELINE == baseline.method
        and line.published == baseline.published
        and differences.alike(line, baseline)
    ]
    own = [pair for pair in found if not pair.line.published]
    return own or found


def few(lines: Sequence[Line], most: int = MOST) -> list[Line]:
    """The first of many, in their order; `standard` is always among them."""
    kept = {id(line) for line in lines if line.method == differences.BASELINE and not line.published}
    kept = set(list(kept)[:most])
    for line in lines:
        if len(kept) < most:
            kept.add(id(line))
    return [line for line in lines if id(line) in kept]


def both(shown: Sequence[Pair]) -> list[Line]:
    """The lines of some pairs, each once."""
    return list({id(line): line for pair in shown for line in pair}.values())


def difference(seen: View, found: Found, pair: Pair, at: str) -> Difference | None:
    """Of a pair on a language or group: over the matched seeds where the two were compared, else of the two means."""
    one = None if pair.line.published else found.get((pair.line.entry_id, pair.baseline.entry_id, at))
    if one:
        return Difference(one.difference, one.low, one.high, one.supported)
    known = [line.rows.get((at, seen.protocol)) or line.means.get((at, seen.protocol)) for line in pair]
    scores = [score.f1.mean for score in known if score and score.f1]
    return Difference(scores[0] - scores[1], None, None, supported=False) if len(scores) == len(pair) else None


def compared(seen: View) -> Found:
    """What the evidence says, both ways round."""
    evidence = seen.section.evidence
    found: dict[tuple[str | None, str | None, str], Comparison] = {}
    for one in evidence.comparisons if evidence else ():
        if (one.profile, one.protocol) == (seen.profile, seen.protocol):
            found.setdefault((one.against, one.entry, one.at), one.turned)
            found[one.entry, one.against, one.at] = one
    return found
