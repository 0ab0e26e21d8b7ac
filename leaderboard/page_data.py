"""What the page knows: sections as columns of plain JSON, whose names are one line of visible text each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.leaderboard import costs, differences, legend, ranks, robustness, views
from xner_bench.leaderboard.cells import plain, setting
from xner_bench.leaderboard.commands import command
from xner_bench.leaderboard.digits import compact, significant
from xner_bench.leaderboard.groups import TOTAL
from xner_bench.protocol import shots
from xner_bench.sources import EACH, parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xner_bench.catalogue import Catalogue, Language
    from xner_bench.leaderboard.costs import Cost
    from xner_bench.leaderboard.lines import Line, Section

Data = dict[str, Any]
EVIDENCE = (
    "Intervals are of 95 %, from a hierarchical bootstrap of {draws} draws: seeds, then sentences in each language. p "
    "is of a paired permutation, in which the predictions of both entries for a sentence are swapped, corrected by "
    "Holm over the languages, or over the groups, of a table. The data supports a difference where p is below 0.05, "
    "the interval leaves out 0, also when its level is corrected for their number (Benjamini and Hochberg), and two "
    "seeds or more are matched. The smallest difference that a test set could show is one that it shows in four of "
    "five cases, if it is there: 2.8 times the standard error that the choice of its sentences makes. A hundred "
    "sentences show little."
)
SIZES = (100, 1_000, 5_000, 10_000)  # upper ends of the bands of training sentences

_SIZE_NAMES = ("none", *(f"up to {size:,}" for size in SIZES), f"more than {SIZES[-1]:,}", "not known")
FACTS = (  # columns of the table of groups that are no scores
    {"name": "n", "title": "Seeds", "unit": "", "about": "runs, or seeds of the paper"},
    {"name": "seconds", "title": "Wall time", "unit": "s", "about": "of one run"},
    {"name": "memory", "title": "Memory", "unit": "MiB", "about": "peak resident set of a run"},
    {"name": "gpu_memory", "title": "GPU memory", "unit": "MiB", "about": "peak that torch allocated"},
    {"name": "energy", "title": "Energy", "unit": "Wh", "about": "estimate for one run"},
)


class Content(NamedTuple):
    """The page's data: `core` is needed at once, a block of `blocks` when something in it is looked at."""

    core: Data
    blocks: tuple[str, ...]  # JSON


def content(sections: Sequence[Section], catalogue: Catalogue) -> Content:
    """Everything that the page shows; a section's `details` and its views' `block` are numbers of blocks."""
    found: list[Data] = []
    blocks: list[str] = []
    for section in sections:
        spent = [costs.cost(line) for line in views.every_line(section)]
        one = _section(section, catalogue, spent) | {"details": len(blocks), "views": []}
        blocks.append(dumps(_details(section, catalogue, spent)))
        for view in views.views(section):
            one["views"].append(view._asdict() | {"lines": len(view.lines), "block": len(blocks)})
            blocks.append(dumps(views.data(section, view)))
        found.append(one)
    core = {
        "sections": found,
        "opens": max(range(len(sections)), key=lambda at: _entries(sections[at]), default=0),
        "facts": FACTS,
        "sizes": _SIZE_NAMES,
        "evidence": EVIDENCE,
        "costs": costs.ABOUT,
        "ranks": ranks.ABOUT,
    }
    return Content(core, tuple(blocks))


def dumps(value: object) -> str:
    """JSON that may stand in HTML and in a script: no sign of it begins a tag, an entity or a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _entries(section: Section) -> tuple[int, int]:
    """How many there are: own ones, which count first, and published ones."""
    own = {line.entry_id for line in section.lines if not line.published}
    return len(own), sum(line.published for line in section.lines)


def _section(section: Section, catalogue: Catalogue, spent: Sequence[Cost]) -> Data:
    corpora = {corpus: at for at, corpus in enumerate(section.corpora)}
    evidence = section.evidence
    return {
        "suite": section.suite.name,
        "title": plain(section.suite.title),
        "trained": plain(section.trained),
        "source": section.source,
        "groups": [
            {"name": plain(group.name), "corpora": [corpora[name] for name in group.corpora]}
            for group in section.groups
        ],
        "total": next(at for at, group in enumerate(section.groups) if group.name == TOTAL),
        "corpora": [_corpus(section, catalogue, corpus) for corpus in section.corpora],
        "protocols": {name: _protocol(section, name) for name in section.protocols},
        "profiles": {name: legend.profile_text(name) for name in _profiles(section)},
        "splits": {split: _split(split) for split in dict.fromkeys(line.split for line in views.every_line(section))},
        "metrics": {name: legend.metric(name) for name in _profiles(section)},
        "true": section.suite.true_protocol,
        "lines": _lines(section, spent),
        "evidence": {"draws": evidence.draws} if evidence else None,
    }


def _profiles(section: Section) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.profile for line in views.every_line(section)))


def _split(split: str) -> str:
    """What a perturbed test split is; nothing of the regular one."""
    return robustness.about(split) if split in robustness.SPLITS else ""


def _protocol(section: Section, protocol: str) -> str:
    """`TRUE (last)`, `ORACLE`, `random, k = 10`."""
    if few := shots(protocol):
        return f"few-shot: {few[0]}, k = {few[1]:,}"
    role = section.role(protocol).upper()
    return f"{role} ({protocol})" if role not in ("", protocol.upper()) else role or protocol


def _corpus(section: Section, catalogue: Catalogue, corpus: str) -> Data:
    dataset, _, code = corpus.partition(":")
    card = catalogue.cards.get(dataset)
    language = card.languages.get(code) if card else None
    smallest = section.evidence.smallest.get(corpus) if section.evidence else None
    return {
        "id": corpus,
        "dataset": plain(legend.title(catalogue, dataset)),
        "name": plain(legend.language_name(catalogue, corpus)),
        "family": plain(language.family) if language else "not known",
        "script": language.script if language else "not known",
        "test": language.test if language else None,
        "size": _size(language),
        "source": section.source != EACH and corpus in parts(section.source),
        "smallest": compact(smallest),
    }


def _size(language: Language | None) -> str:
    """The band that a language's own training split falls into."""
    if language is None or language.train is None:
        return "not known"
    if language.train == 0:
        return "none"
    return next((f"up to {size:,}" for size in SIZES if language.train <= size), _SIZE_NAMES[-2])


def _lines(section: Section, spent: Sequence[Cost]) -> Data:
    """A list a column, of all lines in the order in which views number them."""
    lines = views.every_line(section)
    return {
        "label": [plain(line.label) for line in lines],
        "method": [plain(line.method) for line in lines],
        "encoder": [plain(line.encoder) for line in lines],
        "published": [int(line.published) for line in lines],
        "n": [line.n_seeds for line in lines],
        "departs": [int(bool(line.departures)) for line in lines],
        "baseline": _baselines(section),
        **{
            name: [significant(getattr(one, name)) for one in spent]
            for name in ("seconds", "memory", "gpu_memory", "energy")
        },
        "without": [_without(section, line) for line in lines],
    }


def _baselines(section: Section) -> list[int | None]:
    """The line of `standard` that each is held against: trained alike, else the one that the evidence names."""
    lines = views.every_line(section)
    standards = [(at, line) for at, line in enumerate(lines) if line.method == differences.BASELINE]
    named = section.evidence.baseline if section.evidence else {}
    return [_baseline(line, standards, named.get(line.profile)) for line in lines]


def _baseline(line: Line, standards: Sequence[tuple[int, Line]], named: str | None) -> int | None:
    if line.method == differences.BASELINE:
        return None
    own = line.split, line.profile, line.published
    same = [(at, one) for at, one in standards if (one.split, one.profile, one.published) == own]
    fitting = [at for at, one in same if differences.alike(line, one)]
    fitting += [at for at, one in same if named and one.entry_id == named]
    return next(iter(fitting), None)


def _without(section: Section, line: Line) -> str:
    """Why an entry has no evidence where others have."""
    if line.published:
        return "it is a paper's, whose predictions are not there"
    return plain(section.evidence.reasons.get(line.entry_id or "", "")) if section.evidence else ""


def _details(section: Section, catalogue: Catalogue, spent: Sequence[Cost]) -> Data:
    """What is read of one entry at a time."""
    lines = views.every_line(section)
    return {
        "options": [_settings(line.options) for line in lines],
        "training": [_settings(line.training) for line in lines],
        "departures": [line.departures for line in lines],
        "runs": [[plain(name) for name in line.run_ids] for line in lines],
        "no_energy": [plain(one.reason) for one in spent],
        "command": [plain(command(section, line, catalogue)) for line in lines],
    }


def _settings(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{plain(name)} {setting(value)}" for name, value in given.items())
