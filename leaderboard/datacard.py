"""The data card of a published leaderboard: its README.md. On the hub it is a dataset card, with metadata on top.

It says whose data the numbers are about and under which licence, how to do it again, with what it was done, how scores
are counted, and what is missing. All of it follows from the sections and the catalogue's cards: no day, no place.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from xner_bench.leaderboard import hubcard, legend
from xner_bench.leaderboard.cells import plain, setting
from xner_bench.leaderboard.commands import command
from xner_bench.leaderboard.markdown import escape, grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.cards import Card
    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.results import Run

_ADDRESS = re.compile(r"https?://[\w.-]+(?:/[\w./%#?=&~+-]*)?", re.ASCII)
ABOUT = (
    "Scores of fine-tuning methods for named entity recognition that are trained on a source language and tag target "
    "languages. Made by `xner-bench leaderboard publish`; every row is of finished runs, or a paper's own, and marked."
)
FILES = {
    "index.html": "the leaderboard to look at: open it in any browser",
    "leaderboard.md": "means per group of targets",
    "per_language.md": "a score per entry and language",
    "leaderboard.parquet": "means per group of targets, a row an entry, group, protocol and profile",
    "per_language.parquet": "scores and counts, a row an entry, language, protocol and profile",
    "comparisons.parquet": "differences between entries, with intervals and p-values",
    "plots/": "pictures, as SVG and PNG",
    "runs/": "settings, data, versions and timings of each run that a row is made of, but for places",
    "published.json": "the sha256 of every file",
}


def card(sections: Sequence[Section], catalogue: Catalogue, files: Mapping[str, bytes], for_hub: bool) -> str:
    """The card as Markdown; names from cards, suites and methods stay text."""
    parts = [
        *_head(sections),
        *_files(files),
        *_reading(sections),
        *_data(sections, catalogue),
        *_missing(sections),
        *_remarks(sections),
        *_licence(),
        *_again(sections, catalogue),
        *_versions(sections),
        *_columns(files),
    ]
    front = hubcard.front(_read(sections), catalogue, files) if for_hub else ""
    return front + "\n\n".join(filter(None, parts)) + "\n"


def _head(sections: Sequence[Section]) -> Iterator[str]:
    yield f"# {hubcard.TITLE}"
    yield ABOUT
    notices = dict.fromkeys(notice for section in sections for notice in section.notices)
    yield from (f"> **{escape(notice)}**" for notice in notices)
    rows = [
        [
            escape(section.suite.title),
            escape(f"{section.suite.name}, {section.trained}"),
            escape(section.suite.reference),
            str(len({line.entry_id for line in own(section)})),
            str(len({run.run_id for line in own(section) for run in line.runs})),
        ]
        for section in sections
    ]
    yield grid(["Set-up", "Suite", "As in", "Entries", "Runs"], rows, 3)


def own(section: Section) -> list[Line]:
    """The lines that are not a paper's, one for each profile of an entry."""
    return [line for line in section.lines if not line.published]


def _files(files: Mapping[str, bytes]) -> Iterator[str]:
    yield "## Files"
    there = {name.partition("/")[0] + "/" * ("/" in name) for name in files} | {"runs/", "published.json"}
    known = [f"- `{name}`: {FILES[name]}" for name in FILES if name in there]
    yield "\n".join([*known, *(f"- `{name}`" for name in sorted(there.difference(FILES)))])


def _reading(sections: Sequence[Section]) -> Iterator[str]:
    yield "## How scores are counted"
    yield f"{legend.ABOUT} {legend.COMPARE}"
    profiles = dict.fromkeys(profile for section in sections for profile in section.profiles)
    yield "\n".join(f"- {escape(legend.profile_text(profile))}" for profile in profiles)
    yield (
        "Gold comes from the corpus and never through the encoder: an entity that the encoder cuts or cannot represent "
        "is a miss. Words without subwords get the tag O. A row's spread is over its seeds."
    )
    for section in sections:
        yield f"{escape(section.suite.name)}, {escape(section.trained)}: {escape(legend.protocols_text(section))}"


def _data(sections: Sequence[Section], catalogue: Catalogue) -> Iterator[str]:
    yield "## Data"
    yield "No sentence of these data is in the files here. Every run.json has the sha256 of what was read."
    corpora = _corpora(sections)
    header = ["Data set", "Licence, as its source states it", "Languages", "Read from", "Homepage"]
    yield grid(header, [_dataset(name, corpora[name], sections, catalogue) for name in corpora], 5)
    known = [catalogue.cards[name] for name in corpora if name in catalogue.cards]
    yield "\n".join(f"- {escape(one.title)}: {escape(one.about)}" for one in known)
    if known:
        yield "Whoever uses the numbers cites the data:"
        yield fenced("\n\n".join(dict.fromkeys(one.cite.strip() for one in known)), "bibtex")


def _dataset(name: str, codes: Sequence[str], sections: Sequence[Section], catalogue: Catalogue) -> list[str]:
    known: Card | None = catalogue.cards.get(name)
    origins = dict.fromkeys(sorted(_origins(sections, name)))
    return [
        escape(legend.title(catalogue, name)),
        escape(known.licence if known else "no card of it is here"),
        escape(f"{len(codes)}: {' '.join(codes)}"),
        escape("; ".join(origins)),
        link(known.homepage) if known else "",
    ]


def _origins(sections: Iterable[Section], dataset: str) -> Iterator[str]:
    """Where runs found a data set: `hub:repository@commit`, `bundled`, or files of theirs."""
    for run in _runs(sections):
        for one in run.data:
            if one.corpus.partition(":")[0] == dataset:
                commit = re.match(r"hub:[^@]+@[^/]+", one.origin)
                yield commit[0] if commit else one.origin.partition(":")[0].replace("file", "files of who ran it")


def _corpora(sections: Iterable[Section]) -> dict[str, list[str]]:
    """Data set -> codes of the languages that runs read."""
    found: dict[str, list[str]] = defaultdict(list)
    for corpus in _read(sections):
        dataset, _, code = corpus.partition(":")
        found[dataset].append(code)
    return found


def _read(sections: Iterable[Section]) -> list[str]:
    """The corpora that runs read, in the order of the sections."""
    found: dict[str, None] = {}
    for section in sections:
        read = {one.corpus for line in own(section) for run in line.runs for one in run.data}
        found |= dict.fromkeys(corpus for corpus in section.corpora if corpus in read)
    return list(found)


def _runs(sections: Iterable[Section]) -> list[Run]:
    found = {run.run_id: run for section in sections for line in own(section) for run in line.runs}
    return [found[run_id] for run_id in sorted(found)]


def _missing(sections: Sequence[Section]) -> Iterator[str]:
    yield "## What is missing, or otherwise than the suites say"
    listed = [f"- {item}" for section in sections for item in _missing_of(section)]
    yield "\n".join(listed) if listed else "Nothing."


def _remarks(sections: Sequence[Section]) -> Iterator[str]:
    found = [f"- {escape(remark)}" for section in sections for remark in legend.remarks(section)]
    if found:
        yield "## Remarks"
        yield "\n".join(dict.fromkeys(found))


def _missing_of(section: Section) -> Iterator[str]:
    where = f"{section.suite.name}, {section.trained}"
    splits: dict[str, set[str]] = defaultdict(set)
    for line in own(section):
        for run in line.runs:
            for item in run.missing:
                splits[item.split].add(item.corpus)
    for split, corpora in sorted(splits.items()):
        told = " ".join(sorted(corpora))
        yield escape(f"{where}: runs had to do without the {split} split of {told}")
    for label, text in legend.departures(section):
        yield escape(f"{where}: {label}: otherwise than the suite: {text}")


def _again(sections: Sequence[Section], catalogue: Catalogue) -> Iterator[str]:
    yield "## How to do it again"
    packages = {_package(run) for run in _runs(sections)}
    yield fenced("\n".join(_commands(sections, catalogue)), "sh")
    yield (
        "The same settings on the same data have the same run ids, so that what was computed can be told from what was "
        f"not. Runs here were made with xner-bench {escape(', '.join(sorted(packages)))}. `--data-root DIR` names a "
        "folder of data, `--encoder DIR` an encoder that is in no repository; then `xner-bench leaderboard build`."
    )


def _commands(sections: Iterable[Section], catalogue: Catalogue) -> Iterator[str]:
    """A line for each entry, without what a terminal or a Markdown reader would take for something else."""
    lines = (plain(command(section, line, catalogue)) for section in sections for line in own(section))
    yield from dict.fromkeys(line for line in lines if line)


def _package(run: Run) -> str:
    return str((run.provenance.get("packages") or {}).get("xner-bench") or "of an unknown version")


def _versions(sections: Sequence[Section]) -> Iterator[str]:
    yield "## Versions and machines"
    found: dict[str, set[str]] = defaultdict(set)
    for run in _runs(sections):
        for name, value in _circumstances(run):
            found[name].add(setting(value))
    rows = [[escape(name), escape("; ".join(sorted(values)))] for name, values in sorted(found.items())]
    yield grid(["", "of the runs"], rows, 2) if rows else "The runs say nothing of them."
    encoders = {_encoder(run): None for run in _runs(sections)}
    yield "\n".join(["Encoders:", "", *(f"- {escape(text)}" for text in sorted(encoders))])


def _circumstances(run: Run) -> Iterator[tuple[str, object]]:
    told = run.provenance
    for name in ("python", "platform", "processor", "gpu", "threads", "device"):
        if told.get(name) is not None:
            yield name, told[name]
    for name, value in (told.get("packages") or {}).items():
        if value is not None and name != "xner-bench":
            yield name, value


def _encoder(run: Run) -> str:
    encoder = run.encoder
    at = f" at {encoder.revision}" if encoder.revision else ""
    return f"{encoder.name}{at}: {encoder.parameters:,} parameters, sha256 {encoder.fingerprint[:16]}"


def _licence() -> Iterator[str]:
    yield "## Licence"
    yield (
        "The numbers are of whoever published this folder, who says under which licence; the data have the licences "
        "that their sources state (above), and a paper's own numbers are quoted from it. No weights are here."
    )


def _columns(files: Mapping[str, bytes]) -> Iterator[str]:
    for name in hubcard.tables(files):
        columns, rows = hubcard.schema(files[name])
        yield f"## Columns of {name}"
        yield f"{rows:,} rows."
        yield grid(["Column", "Type", "What it is"], [[escape(text) for text in column] for column in columns], 3)


def link(address: str) -> str:
    """An address that one can follow; anything else as text."""
    return f"<{address}>" if _ADDRESS.fullmatch(address) else escape(address)


def fenced(text: str, language: str) -> str:
    """Text as it is, in a fence that nothing in it ends."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
