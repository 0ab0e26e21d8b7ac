"""A section with any number of entries, for pictures: scores drawn at random from a seed, and evidence on them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from xner_bench.catalogue import Catalogue, load
from xner_bench.leaderboard import board
from xner_bench.leaderboard.cells import Stat
from xner_bench.leaderboard.evidence_types import Comparison, Evidence
from xner_bench.leaderboard.groups import groups
from xner_bench.leaderboard.legend import title
from xner_bench.leaderboard.lines import Line, Mean, Row, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

PROTOCOLS = ("last", "source-dev", "oracle")
PROFILE = "word-strict"


def section(
    labels: Sequence[str], *, suite: str = "slicer-en", tested: bool = False, holes: float = 0.0, seed: int = 1
) -> tuple[Section, Catalogue]:
    """A section of own entries; the first one is `standard`. `holes`: the share of its scores that are missing."""
    known, draw = load(), random.Random(seed)
    declared = known.suite(suite)
    corpora = tuple(dict.fromkeys((declared.source, *declared.targets)))
    made = Section(
        suite=declared,
        source=declared.source,
        trained=f"trained on {declared.source}",
        groups=groups(declared.targets, declared.source, lambda name: title(known, name)),
        protocols=PROTOCOLS,
        corpora=corpora,
        lines=(),
        notices=(),
        unranked={},
        differing=(),
    )
    base = {corpus: draw.uniform(1, 85) for corpus in corpora}
    lines = [_line(made, at, label, base, holes, draw) for at, label in enumerate(labels)]
    made = board.ranked(made, lines)
    return (replace(made, evidence=_evidence(made)) if tested else made), known


def _line(made: Section, at: int, label: str, base: dict[str, float], holes: float, draw: random.Random) -> Line:
    luck = draw.gauss(0, 1.5) if at else 0.0
    scores = {
        corpus: max(0.0, value + luck + (draw.gauss(0, 1 + 200 / (value + 20)) if at else 0))
        for corpus, value in base.items()
        if draw.random() >= holes
    }
    rows = {
        (corpus, protocol): Row(Stat(scores[corpus], draw.uniform(0.2, 3), 3) if corpus in scores else None)
        for corpus in made.corpora
        for protocol in PROTOCOLS
    }
    means = {}
    for group in made.groups:
        found = [scores[corpus] for corpus in group.corpora if corpus in scores]
        whole = Stat(sum(found) / len(found), 0.8, 3) if len(found) == len(group.corpora) else None
        means |= {(group.name, protocol): Mean(whole, len(found), len(group.corpora)) for protocol in PROTOCOLS}
    return Line(
        label=label,
        method="slicer" if at else "standard",
        options={},
        encoder="xlm-roberta-base",
        training={},
        profile=PROFILE,
        rows=rows,
        means=means,
        entry_id=f"entry-{at}",
        run_ids=("a", "b", "c"),
        n_seeds=3,
    )


def _evidence(made: Section) -> Evidence:
    """Each entry against `entry-0`: an interval of two points either way, supported where it leaves out 0."""
    standard = next(line for line in made.lines if line.entry_id == "entry-0")
    found = []
    for line in made.lines:
        places = [*((corpus, False) for corpus in made.corpora), *((group.name, True) for group in made.groups)]
        for at, is_group in places if line is not standard else ():
            for protocol in PROTOCOLS:
                scores = [(one.means if is_group else one.rows).get((at, protocol)) for one in (line, standard)]
                known = [score.f1.mean for score in scores if score and score.f1]
                if len(known) == 2:
                    gain = known[0] - known[1]
                    ends = gain - 2, gain + 2
                    supported = ends[0] > 0 or ends[1] < 0
                    entries = str(line.entry_id), "entry-0"
                    place = (PROFILE, protocol, at, is_group)
                    found.append(Comparison(*entries, *place, *known, gain, *ends, 0.01, 0.02, 3, supported))
    return Evidence(tuple(found), {PROFILE: "entry-0"}, {}, {}, {}, 10_000)
