"""Views of a section for the page: all scores under one split, profile and protocol, column by column.

A view is what is on the screen at one time, so numbers of two profiles never meet in one.
"""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.leaderboard import ranks, robustness
from xner_bench.leaderboard.cells import plain
from xner_bench.leaderboard.digits import compact, significant
from xner_bench.leaderboard.published import TEST
from xner_bench.protocol import shots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.leaderboard.cells import Stat
    from xner_bench.leaderboard.evidence_types import Comparison, Evidence
    from xner_bench.leaderboard.lines import Line, Mean, Row, Section

Data = dict[str, Any]
Place = tuple[str, str]  # corpus or group's name, and protocol


class View(NamedTuple):
    """What a view is of, and which of a section's lines (regular ones first, then perturbed) are in it."""

    split: str
    profile: str
    protocol: str
    lines: tuple[int, ...]


def every_line(section: Section) -> tuple[Line, ...]:
    """A section's lines in the order in which views number them."""
    return (*section.lines, *section.perturbed)


def views(section: Section) -> Iterator[View]:
    """All views in which something is to be seen; what is in none of them has no scores."""
    lines = every_line(section)
    for split, profile in dict.fromkeys((line.split, line.profile) for line in lines):
        own = [at for at, line in enumerate(lines) if (line.split, line.profile) == (split, profile)]
        for protocol in section.protocols:
            shown = tuple(at for at in own if _has(lines[at], protocol))
            if shown:
                yield View(split, profile, protocol, shown)


def _has(line: Line, protocol: str) -> bool:
    return any(at[1] == protocol for scores in (line.rows, line.means) for at in scores)


def data(section: Section, view: View) -> Data:
    """The columns of a view. `texts` holds what reasons, notes and references point to by number."""
    lines = [every_line(section)[at] for at in view.lines]
    texts: dict[str, int] = {}
    found: Data = {
        "lines": view.lines,
        "groups": [_group(lines, (group.name, view.protocol), texts) for group in section.groups],
        "cells": [_cells(lines, (corpus, view.protocol), texts) for corpus in section.corpora],
    }
    if view.split == TEST:
        found |= _ranking(section, view, lines)
    if section.evidence and view.split == TEST:
        found |= _evidence(section, section.evidence, view, lines)
    unjudged = {} if found.get("pairs") else {"unjudged": _unjudged(section, view, lines)}
    return found | unjudged | {"texts": list(texts)}


def _group(lines: Sequence[Line], at: Place, texts: dict[str, int]) -> Data:
    column = [line.means.get(at) for line in lines]
    scored = {number: mean.scored for number, mean in enumerate(column) if mean and mean.f1 is None}
    found = _stats(lines, [mean.f1 if mean else None for mean in column])
    changes = _changes(robustness.mean_change(line, at) for line in lines)
    return found | _kept(scored=scored, reference=_texts(column, "reference", texts), change=changes)


def _cells(lines: Sequence[Line], at: Place, texts: dict[str, int]) -> Data | None:
    """None where nobody was scored."""
    column = [line.rows.get(at) for line in lines]
    if not any(column):
        return None
    found = _stats(lines, [row.f1 if row else None for row in column])
    counts = [row.counts if row else None for row in column]
    for name in ("tp", "fp", "fn") if any(counts) else ():
        found[name] = [getattr(one, name) if one else None for one in counts]
    macro = [compact(row.macro_f1.mean) if row and row.macro_f1 else None for row in column]
    if any(value is not None for value in macro):
        found["macro"] = macro
    remarks = {name: _texts(column, name, texts) for name in ("reason", "note", "reference")}
    return found | _kept(change=_changes(robustness.row_change(line, at) for line in lines), **remarks)


def _stats(lines: Sequence[Line], stats: Sequence[Stat | None]) -> Data:
    """Means and spreads; the number of seeds only where it is not the line's."""
    other = {
        at: stat.n for at, (line, stat) in enumerate(zip(lines, stats, strict=True)) if stat and stat.n != line.n_seeds
    }
    found: Data = {"mean": [compact(stat.mean) if stat else None for stat in stats]}
    spread = [compact(stat.std) if stat else None for stat in stats]
    return found | ({"std": spread} if any(value is not None for value in spread) else {}) | _kept(n=other)


def _texts(column: Sequence[Row | Mean | None], name: str, texts: dict[str, int]) -> dict[int, int]:
    """Position -> number of a text, which is noted where it is new."""
    given = {at: plain(getattr(score, name)) for at, score in enumerate(column) if score and getattr(score, name)}
    return {at: texts.setdefault(text, len(texts)) for at, text in given.items()}


def _changes(values: Iterable[float | None]) -> dict[int, float | None]:
    """By how many percent a score on a perturbed split is above the regular one."""
    return {number: compact(value) for number, value in enumerate(values) if value is not None}


def _kept(**columns: Mapping[int, object]) -> Data:
    return {name: column for name, column in columns.items() if column}


def _evidence(section: Section, evidence: Evidence, view: View, lines: Sequence[Line]) -> Data:
    """Pairs of entries with a value for each group and then each corpus; ranks there, and who is bold, likewise."""
    places = {name: at for at, name in enumerate((*(group.name for group in section.groups), *section.corpora))}
    numbers = {line.entry_id: at for at, line in enumerate(lines) if line.entry_id}
    pairs: dict[tuple[int, int], list[Comparison | None]] = {}
    for one in evidence.comparisons:
        known = one.at in places and one.entry in numbers and one.against in numbers
        if known and (one.profile, one.protocol) == (view.profile, view.protocol):
            pair = pairs.setdefault((numbers[one.entry], numbers[one.against]), [None] * len(places))
            pair[places[one.at]] = one
    ties = [evidence.ties.get((view.profile, view.protocol, name), {}) for name in places]
    placed = [{numbers[entry]: rank for entry, rank in found.items() if entry in numbers} for found in ties]
    bold = [evidence.bold(view.profile, view.protocol, name) for name in places]
    usual = [_usual(line, section, view.protocol) for line in lines]
    told = [_pair(pair, found, [usual[at] for at in pair]) for pair, found in sorted(pairs.items())]
    strong = [sorted(numbers[entry] for entry in found if entry in numbers) for found in bold]
    return {"pairs": told, "ranks": placed, "bold": strong}


def _usual(line: Line, section: Section, protocol: str) -> list[float | None]:
    """An entry's means over all its seeds: of each group and then each corpus."""
    of_groups = [line.means.get((group.name, protocol)) for group in section.groups]
    of_corpora = [line.rows.get((corpus, protocol)) for corpus in section.corpora]
    return [score.f1.mean if score and score.f1 else None for score in (*of_groups, *of_corpora)]


def _unjudged(section: Section, view: View, lines: Sequence[Line]) -> str:
    """Why no two entries of a view were compared."""
    if view.split != TEST:
        return "evidence is of the regular test split alone"
    if shots(view.protocol):
        return "there is no evidence on few-shot fine-tuning"
    own = [line for line in lines if not line.published]
    if not own:
        return "these are papers' numbers, whose predictions are not there"
    if section.evidence is None:
        return "the leaderboard was built without evidence"
    if len(own) == 1:
        return "there is one entry of our own, and nothing to compare it with"
    reasons = [section.evidence.reasons.get(line.entry_id or "", "") for line in own]
    if reasons.count("") < 2:
        return plain(next(filter(None, reasons)))
    return "no two entries can be compared sentence by sentence, of the same test data and with the same seed"


def _ranking(section: Section, view: View, lines: Sequence[Line]) -> Data:
    """Mean rank and Borda count of own entries, and over how many languages; nothing where there are none."""
    found = ranks.ranking(section, view.profile, view.protocol)
    own = [found.ranks.get(line.entry_id or "") for line in lines]
    if not found.ranks:
        return {}
    return {
        "mean_rank": [significant(one.mean, 4) if one else None for one in own],
        "borda": [significant(one.borda, 8) if one else None for one in own],
        "shared": [len(found.corpora), found.size],
    }


def _pair(pair: tuple[int, int], found: Sequence[Comparison | None], usual: Sequence[Sequence[float | None]]) -> Data:
    """`means`: of both entries over the matched seeds, where they are not the usual ones."""
    seeds = sorted({one.seeds for one in found if one})
    means = {
        at: [compact(one.mean), compact(one.against_mean)]
        for at, (one, *both) in enumerate(zip(found, *usual, strict=True))
        if one and not (_same(one.mean, both[0]) and _same(one.against_mean, both[1]))
    }
    return _kept(means=means) | {
        "pair": pair,
        **{name: [compact(getattr(one, name)) if one else None for one in found] for name in _POINTS},
        **{name: [significant(getattr(one, name)) if one else None for one in found] for name in ("p", "p_holm")},
        "supported": "".join(str(int(one.supported)) if one else "-" for one in found),
        "seeds": seeds[0] if len(seeds) == 1 else [one.seeds if one else None for one in found],
    }


def _same(mean: float, usual: float | None) -> bool:
    return usual is not None and isclose(mean, usual, abs_tol=1e-6)


_POINTS = ("difference", "low", "high")
