"""The leaderboard as Markdown. Every name is escaped: whatever a plugin is called stays text in its cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xner_bench.leaderboard import differences, legend, robustness, shots
from xner_bench.leaderboard.cells import NONE, plain
from xner_bench.leaderboard.groups import datasets
from xner_bench.sources import FEW, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line, Mean, Row, Section

_SPECIAL = re.compile(r"[\\`*_{}\[\]()#+!|~<>&$:^]")
_WWW = re.compile(r"\bwww\.", re.IGNORECASE)


def escape(text: str) -> str:
    """Any text as one line of Markdown that shows just that: no markup, link, HTML or end of a cell."""
    escaped = _SPECIAL.sub(r"\\\g<0>", plain(text))
    escaped = _WWW.sub(lambda found: found.group()[:-1] + "\\.", escaped)
    return escaped.replace("@", "@<!-- -->")  # name@host would be made a link, escaped or not


def leaderboard(sections: Sequence[Section]) -> str:
    """Means per group: leaderboard.md."""
    parts = ["# Leaderboard", legend.ABOUT, legend.COMPARE]
    for section in sections:
        parts += _head(section)
        for profile in section.profiles:
            parts += [_profile(profile), _group_table(section, _of(section, profile)), *_differences(section, profile)]
            parts += _robustness(section, profile)
            parts += _few_shot(section, profile)
        parts += _notes(section)
    return _document(parts)


def per_language(sections: Sequence[Section], catalogue: Catalogue) -> str:
    """Scores per language, a row an entry, a column a language: per_language.md."""
    parts = ["# Scores per language", legend.ABOUT, legend.COMPARE]
    for section in sections:
        parts += _head(section)
        for profile in section.profiles:
            parts += [_profile(profile), *_language_blocks(section, catalogue, _of(section, profile))]
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
    header = [*_NAMES, *(f"{escape(name)}, {title}" for name, title, _ in columns)]
    rows = [
        [
            *_names(line, line.means.values()),
            *(legend.group_cell(line, name, protocol) for name, _, protocol in columns),
        ]
        for line in lines
    ]
    return _grid(header, rows, len(_NAMES))


def _differences(section: Section, profile: str) -> list[str]:
    """What the methods change, where there is a baseline."""
    found = differences.pairs(section, profile)
    if not found:
        return []
    columns = [(group.name, title, protocol) for group in section.groups for title, protocol in legend.shown(section)]
    against = differences.several(found)
    names = (*_NAMES, *["Against"] * against)
    header = [*names, *(f"{escape(name)}, {title}" for name, title, _ in columns)]
    rows = [
        [
            *(*_names(pair.line, ()), *[escape(pair.baseline.label)] * against),
            *(differences.cell(pair, name, protocol) for name, _, protocol in columns),
        ]
        for pair in found
    ]
    return [f"{escape(differences.heading(found))}. {escape(differences.ABOUT)}", _grid(header, rows, len(names))]


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
        names = [*_NAMES, "Sampling"]
        rows = [
            [*_names(curve.line, ()), curve.sampling, *(curve.cell(section, group, k) for k in numbers)]
            for curve in found
        ]
        yield _grid([*names, *(f"k = {k:,}" for k in numbers)], rows, len(names))


_NAMES = ("Entry", "Encoder")


def _names(line: Line, shown: Iterable[Row | Mean]) -> list[str]:
    return [escape(legend.label(line, shown)), escape(line.encoder)]


def _language_blocks(section: Section, catalogue: Catalogue, lines: Sequence[Line]) -> Iterator[str]:
    """For each data set and protocol: heading, table, and why cells are empty."""
    for dataset in datasets(section.corpora):
        corpora = [corpus for corpus in section.corpora if corpus.partition(":")[0] == dataset]
        for protocol in section.protocols:
            having = [line for line in lines if any(_rows(line, corpora, protocol))]
            if having:
                heading = escape(legend.title(catalogue, dataset))
                yield f"#### {heading}, {_protocol(section, protocol)}"
                yield _language_table(having, corpora, protocol, catalogue)
                yield _remarks(having, corpora, protocol, catalogue)


def _protocol(section: Section, protocol: str) -> str:
    role = section.role(protocol).upper()
    return f"{role} ({escape(protocol)})" if role not in ("", protocol.upper()) else role or escape(protocol)


def _language_table(lines: Sequence[Line], corpora: Sequence[str], protocol: str, catalogue: Catalogue) -> str:
    languages = [escape(legend.language_name(catalogue, corpus)) for corpus in corpora]
    rows = [_language_row(line, corpora, protocol) for line in lines]
    return _grid([*_NAMES, "Seeds", *languages], rows, len(_NAMES))


def _language_row(line: Line, corpora: Sequence[str], protocol: str) -> list[str]:
    scores = [legend.language_cell(line, corpus, protocol) for corpus in corpora]
    return [*_names(line, filter(None, _rows(line, corpora, protocol))), str(line.n_seeds or NONE), *scores]


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


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]], names: int) -> str:
    """A table of cells that are Markdown already; `names` columns to the left, numbers to the right."""
    rule = ["---" if index < names else "---:" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
