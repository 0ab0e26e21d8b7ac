"""The leaderboard as Markdown. Every name is escaped: whatever a plugin is called stays text in its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.leaderboard import differences, legend, robustness, shots
from xner_bench.leaderboard import evidence_markdown as shown
from xner_bench.leaderboard.cells import NONE
from xner_bench.leaderboard.groups import datasets
from xner_bench.leaderboard.marked import NAMES, bold, named
from xner_bench.leaderboard.marked import escape as escape
from xner_bench.leaderboard.marked import grid as grid
from xner_bench.leaderboard.published import TEST
from xner_bench.sources import FEW, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line, Row, Section


def leaderboard(sections: Sequence[Section]) -> str:
    """Means per group: leaderboard.md."""
    parts = ["# Leaderboard", legend.ABOUT, legend.COMPARE]
    for section in sections:
        parts += _head(section)
        for profile in section.profiles:
            parts += [_profile(profile), _group_table(section, _of(section, profile)), *shown.about(section)]
            parts += _differences(section, profile)
            parts += shown.from_best(section, profile)
            parts += shown.of_ranks(section, profile)
            parts += _robustness(section, profile)
            parts += _few_shot(section, profile)
        parts += shown.of_costs(section)
        parts += _notes(section)
    return _document(parts)


def per_language(sections: Sequence[Section], catalogue: Catalogue) -> str:
    """Scores per language, a row an entry, a column a language: per_language.md."""
    parts = ["# Scores per language", legend.ABOUT, legend.COMPARE]
    for section in sections:
        parts += _head(section)
        for profile in section.profiles:
            parts += [_profile(profile), *shown.about(section)]
            parts += [escape(text) for text in (shown.CELL, shown.SMALLEST_ABOUT) if section.evidence]
            parts += _language_blocks(section, catalogue, _of(section, profile))
            for name, lines in robustness.of(section, profile):
                parts += [escape(robustness.about(name)), *_language_blocks(section, catalogue, lines)]
        parts += _notes(section)
    return _document(parts)


def _document(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(section: Section) -> list[str]:
    suite, several = section.suite, parts(section.source)
    return [
        f"## {escape(suite.title)}",
        *(f"> **{escape(notice)}**" for notice in section.notices),
        escape(f"Suite {suite.name}, {section.trained}. {suite.reference}"),
        *([escape(f"Sources: {', '.join(several)}.")] if len(several) > FEW else []),
        legend.protocols_text(section),
    ]


def _notes(section: Section) -> list[str]:
    other = [f"- {escape(label)}: {escape(text)}" for label, text in legend.departures(section)]
    remarks = [f"- {escape(remark)}" for remark in legend.remarks(section)]
    return [
        *(("Settings other than the suite's:", "\n".join(other)) if other else ()),
        *(("Remarks:", "\n".join(remarks)) if remarks else ()),
    ]


def _profile(profile: str) -> str:
    about = legend.PROFILES.get(profile)
    return f"### {escape(profile)}" + (f"\n\n{legend.metric(profile)}, profile {profile}: {about}." if about else "")


def _of(section: Section, profile: str) -> list[Line]:
    return [line for line in section.lines if line.profile == profile]


def _group_table(section: Section, lines: Sequence[Line]) -> str:
    columns = [(group.name, title, protocol) for group in section.groups for title, protocol in legend.shown(section)]
    header = [*NAMES, *(f"{escape(name)}, {title}" for name, title, _ in columns)]
    rows = [
        [
            *named(line, line.means.values()),
            *(
                bold(legend.group_cell(line, name, protocol), shown.is_bold(section, line, protocol, name))
                for name, _, protocol in columns
            ),
        ]
        for line in lines
    ]
    return grid(header, rows, len(NAMES))


def _differences(section: Section, profile: str) -> list[str]:
    """What the methods change, where there is a baseline."""
    if section.evidence:
        return list(shown.from_baseline(section, profile))
    found = differences.pairs(section, profile)
    if not found:
        return []
    columns = [(group.name, title, protocol) for group in section.groups for title, protocol in legend.shown(section)]
    against = differences.several(found)
    names = (*NAMES, *["Against"] * against)
    header = [*names, *(f"{escape(name)}, {title}" for name, title, _ in columns)]
    rows = [
        [
            *(*named(pair.line, ()), *[escape(pair.baseline.label)] * against),
            *(differences.cell(pair, name, protocol) for name, _, protocol in columns),
        ]
        for pair in found
    ]
    return [f"{escape(differences.heading(found))}. {escape(differences.ABOUT)}", grid(header, rows, len(names))]


def _robustness(section: Section, profile: str) -> Iterator[str]:
    """A table for each perturbed split."""
    for name, lines in robustness.of(section, profile):
        yield escape(robustness.about(name))
        yield _group_table(section, lines)


def _few_shot(section: Section, profile: str) -> Iterator[str]:
    """A table for each group: a row an entry and way of drawing, a column a number of sentences."""
    found = shots.curves(_of(section, profile))
    numbers = shots.numbers(found)
    yield from [escape(shots.ABOUT)] if found else []
    for group in shots.groups(section) if found else ():
        yield f"{escape(shots.heading(group))}:"
        names = [*NAMES, "Sampling"]
        rows = [
            [*named(curve.line, ()), curve.sampling, *(curve.cell(section, group, k) for k in numbers)]
            for curve in found
        ]
        yield grid([*names, *(f"k = {k:,}" for k in numbers)], rows, len(names))


def _language_blocks(section: Section, catalogue: Catalogue, lines: Sequence[Line]) -> Iterator[str]:
    """For each data set and protocol: heading, table, and why cells are empty."""
    for dataset in datasets(section.corpora):
        corpora = [corpus for corpus in section.corpora if corpus.partition(":")[0] == dataset]
        for protocol in section.protocols:
            having = [line for line in lines if any(_rows(line, corpora, protocol))]
            if having:
                heading = escape(legend.title(catalogue, dataset))
                yield f"#### {heading}, {_protocol(section, protocol)}"
                yield _language_table(section, having, corpora, protocol, catalogue)
                yield _remarks(having, corpora, protocol, catalogue)
                if having[0].split == TEST:
                    yield from shown.by_language(section, having[0].profile, corpora, protocol, catalogue)


def _protocol(section: Section, protocol: str) -> str:
    role = section.role(protocol).upper()
    return f"{role} ({escape(protocol)})" if role not in ("", protocol.upper()) else role or escape(protocol)


def _language_table(
    section: Section, lines: Sequence[Line], corpora: Sequence[str], protocol: str, catalogue: Catalogue
) -> str:
    languages = [escape(legend.language_name(catalogue, corpus)) for corpus in corpora]
    rows = [_language_row(section, line, corpora, protocol) for line in lines]
    return grid([*NAMES, "Seeds", *languages], rows, len(NAMES))


def _language_row(section: Section, line: Line, corpora: Sequence[str], protocol: str) -> list[str]:
    scores = [
        bold(legend.language_cell(line, corpus, protocol), shown.is_bold(section, line, protocol, corpus))
        for corpus in corpora
    ]
    return [*named(line, filter(None, _rows(line, corpora, protocol))), str(line.n_seeds or NONE), *scores]


def _rows(line: Line, corpora: Iterable[str], protocol: str) -> list[Row | None]:
    return [line.rows.get((corpus, protocol)) for corpus in corpora]


def _remarks(lines: Iterable[Line], corpora: Sequence[str], protocol: str, catalogue: Catalogue) -> str:
    """Why cells of a block are empty, or what was done to a published number, a line an entry and remark."""
    found: list[str] = []
    for line in lines:
        why: dict[str, list[str]] = {}
        for corpus, row in zip(corpora, _rows(line, corpora, protocol), strict=True):
            if row and (row.reason or row.note):
                why.setdefault(row.reason or row.note, []).append(legend.language_name(catalogue, corpus))
        texts = (f"{line.label}: {', '.join(names)}: {remark}" for remark, names in why.items())
        found += [f"- {escape(text)}" for text in texts]
    return "\n".join(found)
