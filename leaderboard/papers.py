"""The papers' published numbers as lines of a leaderboard: their means as printed, not computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.leaderboard.cells import Stat
from xner_bench.leaderboard.lines import Line, Mean, Row
from xner_bench.leaderboard.published import TEST, published, remarks
from xner_bench.leaderboard.scores import ORACLE
from xner_bench.sources import EACH, parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.leaderboard.groups import Group
    from xner_bench.leaderboard.lines import Section
    from xner_bench.leaderboard.published import PublishedRow


def published_lines(section: Section, split: str = TEST) -> list[Line]:
    """One line for each published set-up and profile of the section's suite and source, on one test split."""
    found: dict[tuple[str, str, str], list[PublishedRow]] = {}
    for row in published(section.suite.name):
        if row.split == split and (row.source or section.suite.source) == section.source:
            found.setdefault((row.entry, row.encoder, row.profile), []).append(row)
    return [_line(section, rows) for rows in found.values()]


def published_remarks(section: Section) -> tuple[str, ...]:
    """What must be known to read them; nothing where the section has none."""
    return remarks(section.suite.name) if any(line.published for line in section.lines) else ()


def _line(section: Section, rows: list[PublishedRow]) -> Line:
    first = rows[0]
    return Line(
        label=first.entry,
        method=first.method,
        options=first.options,
        encoder=first.encoder,
        training={} if first.learning_rate is None else {"lr": first.learning_rate},
        profile=first.profile,
        rows={(row.corpus, _protocol(section, row)): _row(row) for row in rows if row.corpus},
        means={(group.name, _protocol(section, row)): _mean(row) for row in rows for group in _groups(section, row)},
        n_seeds=first.n_seeds,
        published=True,
        split=first.split,
    )


def _protocol(section: Section, row: PublishedRow) -> str:
    return {"true": section.suite.true_protocol, "oracle": ORACLE}.get(row.protocol, row.protocol)


def _row(row: PublishedRow) -> Row:
    return Row(_stat(row), reference=row.where, note=row.note)


def _mean(row: PublishedRow) -> Mean:
    return Mean(_stat(row), row.languages, row.languages, row.where)


def _stat(row: PublishedRow) -> Stat:
    return Stat(row.f1_mean, row.f1_std, row.n_seeds)


def _groups(section: Section, row: PublishedRow) -> Iterator[Group]:
    """The groups that a published mean is of: of its data set, sources in it or not, as many targets; and the total,
    where its targets are the same."""
    if row.corpus:
        return
    sources = section.suite.targets if section.source == EACH else parts(section.source)
    asked = row.dataset, bool(row.with_source), row.languages
    for group in section.groups:
        if asked == (group.dataset, any(name in group.corpora for name in sources), len(group.corpora)):
            yield from (same for same in section.groups if set(same.corpora) == set(group.corpora))
            return
