"""The evidence on differences as Markdown, and what stands beside the means: ranks and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.leaderboard import costs, differences, legend, ranks
from xner_bench.leaderboard.cells import NONE, group_text, matched, signed
from xner_bench.leaderboard.differences import Pair
from xner_bench.leaderboard.groups import TOTAL
from xner_bench.leaderboard.marked import NAMES, bold, escape, grid, named
from xner_bench.leaderboard.published import TEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.evidence_types import Evidence
    from xner_bench.leaderboard.lines import Line, Section

CELL = (
    "+1.2 [+0.3, +2.1] (3), p 0.004 is the difference in points over three seeds that both entries have, its 95 % "
    "interval, and the p-value. The interval is of a bootstrap that resamples seeds and sentences (of one seed: "
    "sentences alone); p is of a permutation test that swaps the two entries' predictions sentence by sentence, "
    "corrected (Holm) over the languages, or the groups, of the two entries. Bold: the data supports a difference, as "
    "p is below 0.05, the interval leaves out 0, also when it is corrected for their number (Benjamini and Hochberg), "
    "and there are at least two seeds: one seed cannot tell a method from its luck. "
    f"{differences.UNEQUAL}"
)
BOLD = (
    "Bold scores: the best of our own entries in a column and those after it, up to the first that is shown to be "
    "worse; none where none is."
)
SMALLEST = "Smallest difference"
SMALLEST_ABOUT = (
    f"{SMALLEST}: how many points two entries must differ for this test set to show it in four of five cases (at a "
    "level of 5 %, in one language on its own). It is 2.8 times the standard error that the choice of sentences makes, "
    "the median of the pairs with the baseline: a hundred sentences show little."
)


def about(section: Section) -> list[str]:
    """What bold scores are, and which entries have no evidence."""
    if section.evidence is None:
        return []
    labels = {line.entry_id: line.label for line in section.lines}
    missing = sorted((labels.get(name, name), why) for name, why in section.evidence.reasons.items())
    return [escape(BOLD), "\n".join(f"- {escape(f'{label}: no evidence: {why}')}" for label, why in missing)]


def is_bold(section: Section, line: Line, protocol: str, at: str) -> bool:
    """Whether the data supports that a score is set in bold."""
    if section.evidence is None or line.entry_id is None or line.split != TEST:
        return False
    return line.entry_id in section.evidence.bold(line.profile, protocol, at)


def cell(evidence: Evidence, pair: Pair, protocol: str, at: str) -> str:
    """How an entry differs from another, as text."""
    own, other = (line.entry_id or "" for line in pair)
    found = evidence.between(own, other, pair.line.profile, protocol, at)
    if found is None:
        return NONE
    p = "p < 0.001" if found.p_holm < 0.001 else f"p {found.p_holm:.3f}"
    seeds = matched(found.seeds, pair.most)
    text = f"{signed(found.difference)} [{signed(found.low)}, {signed(found.high)}] ({seeds}), {p}"
    return bold(escape(text), found.supported)


def from_baseline(section: Section, profile: str) -> Iterator[str]:
    """A row an entry, a column a group and protocol: its difference from the baseline trained in the same way."""
    pairs = differences.pairs(section, profile)
    if section.evidence is None or not pairs:
        return
    several = differences.several(pairs)
    header = [*NAMES, *["Against"] * several]
    rows = [
        [
            *(*named(pair.line, ()), *[escape(pair.baseline.label)] * several),
            *(cell(section.evidence, pair, *at) for at in _columns(section)),
        ]
        for pair in pairs
    ]
    yield f"{escape(differences.heading(pairs))}. {escape(CELL)}"
    yield grid([*header, *_headings(section)], rows, len(header))


def from_best(section: Section, profile: str) -> Iterator[str]:
    """The same against the best entry of each column."""
    own = section.own(profile)
    if section.evidence is None or len(own) < 2:
        return
    rows = [
        [*named(line, ()), *(_from_best(section.evidence, own, line, *at) for at in _columns(section))] for line in own
    ]
    yield "Difference from the best entry of each column:"
    yield grid([*NAMES, *_headings(section)], rows, len(NAMES))


def _from_best(evidence: Evidence, own: Sequence[Line], line: Line, protocol: str, at: str) -> str:
    best = evidence.best.get((line.profile, protocol, at))
    if best == line.entry_id:
        return "best"
    other = next((one for one in own if one.entry_id == best), None)
    return cell(evidence, Pair(line, other), protocol, at) if other else NONE


def _columns(section: Section) -> list[tuple[str, str]]:
    return [(protocol, group.name) for group in section.groups for _, protocol in legend.shown(section)]


def _headings(section: Section) -> list[str]:
    return [f"{escape(group.name)}, {title}" for group in section.groups for title, _ in legend.shown(section)]


def by_language(
    section: Section, profile: str, corpora: Sequence[str], protocol: str, catalogue: Catalogue
) -> Iterator[str]:
    """A row an entry, a column a language: its difference from the baseline; and what each test set could show."""
    pairs = differences.pairs(section, profile)
    if section.evidence is None or not pairs:
        return
    found = [(pair, [cell(section.evidence, pair, protocol, corpus) for corpus in corpora]) for pair in pairs]
    rows = [[*named(pair.line, ()), escape(pair.baseline.label), *cells] for pair, cells in found if {*cells} != {NONE}]
    if not rows:
        return
    known = section.evidence.smallest
    least = [f"{known[corpus]:.1f}" if corpus in known else NONE for corpus in corpora]
    header = [*NAMES, "Against", *(escape(legend.language_name(catalogue, corpus)) for corpus in corpora)]
    yield f"{escape(differences.heading(pairs))}:"
    yield grid(header, [*rows, [SMALLEST, "", "", *least]], len(NAMES) + 1)


def of_ranks(section: Section, profile: str) -> Iterator[str]:
    """Mean rank and Borda count beside the mean, under the suite's TRUE protocol."""
    protocol = section.suite.true_protocol
    found = ranks.ranking(section, profile, protocol)
    lines = [line for line in section.lines if line.profile == profile and line.entry_id in found.ranks]
    if not lines:
        return
    rows = []
    for line in lines:
        mean, rank = line.means[TOTAL, protocol], found.ranks[line.entry_id or ""]
        shown = group_text(mean.f1, mean.scored, mean.size)
        rows.append([*named(line, ()), shown, f"{rank.mean:.2f}", f"{rank.borda:g}"])
    yield f"Ranks, TRUE, over {len(found.corpora)} of {found.size} languages. {escape(ranks.ABOUT)}"
    yield grid([*NAMES, TOTAL, "Mean rank", "Borda"], rows, len(NAMES))


def of_costs(section: Section) -> Iterator[str]:
    """What a run of each entry costs, where something is known of it."""
    lines = {line.entry_id: line for line in section.lines if not line.published}
    found = [(line, costs.cost(line)) for line in lines.values()]
    if not any(cost.seconds for _, cost in found):
        return
    rows = [
        [
            *named(line, ()),
            *(
                NONE if one is None else f"{one:,.{digits}f}"
                for one, digits in zip(cost[:4], (0, 0, 0, 1), strict=True)
            ),
        ]
        for line, cost in found
    ]
    yield f"Costs of a run. {escape(costs.ABOUT)}"
    yield grid([*NAMES, "Wall time, s", "Memory, MiB", "GPU memory, MiB", "Energy, Wh"], rows, len(NAMES))
    why = sorted({f"{line.label}: no energy: {cost.reason}" for line, cost in found if cost.reason})
    yield "\n".join(f"- {escape(text)}" for text in why)
