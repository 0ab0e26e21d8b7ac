"""Results in the terminal: the table of one run, and the leaderboard.

In a terminal the columns that do not fit follow below; in a pipe or a file a table is written whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from xner_bench.leaderboard.cells import group_text, mean_text, plain, signed, stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from rich.console import Console

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.cells import Stat
    from xner_bench.leaderboard.groups import Group
    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.leaderboard.scores import Cell, Scored
    from xner_bench.results import Run

_WIDEST_NAME = 32  # of a column of names in a terminal; longer names are folded
_GAP = 2  # between columns
_ASCII = {"±": "+-", "–": "-", "·": ",", "─": "-"}  # where the terminal's encoding has no such sign


class Column(NamedTuple):
    """A heading and the cells below it."""

    heading: str
    cells: Sequence[str]


class RunLine(NamedTuple):
    """A line of a run's table: a language, a group's mean, or (without corpora) a heading."""

    name: str
    corpora: tuple[str, ...] = ()
    is_group: bool = False


def run_table(console: Console, run: Run, scores: pa.Table, catalogue: Catalogue | None = None) -> None:
    """Print what one finished run scored: source, targets by data set, and the suite's means.

    `scores` is the run's table of that name in the store. Titles and names are those of `catalogue`, by
    default of the built-in one; what it does not know is shown by its code.
    """
    from xner_bench import catalogue as catalogues
    from xner_bench.leaderboard import scores as reading
    from xner_bench.leaderboard.entries import own_label
    from xner_bench.leaderboard.legend import metric, profile_text
    from xner_bench.leaderboard.robustness import SPLITS, about
    from xner_bench.leaderboard.shots import ABOUT

    known = catalogues.load() if catalogue is None else catalogue
    found = reading.read(run, scores)
    settings = run.settings
    perturbed = {split: reading.read(run, scores, split) for split, name in SPLITS.items() if name in settings.perturb}
    put_text(console, f"{own_label(settings)} · {run.encoder.name} · {settings.suite} · seed {settings.seed}", "bold")
    for profile in dict.fromkeys((*settings.profiles, *sorted({cell.profile for cell in found}))):
        put_text(console, f"{metric(profile)} in percent, {profile_text(profile)}")
        lines = list(_run_lines(run, known))
        put(console, [Column("", [line.name for line in lines])], _run_columns(run, lines, found, profile))
        for split, there in perturbed.items():
            put_text(console, f"\n{about(split)}")
            columns = _perturbed_columns(run, lines, found, there, profile)
            put(console, [Column("", [line.name for line in lines])], columns)
        if settings.few_shot and settings.zero_shot:
            put_text(console, f"\n{ABOUT}")
            below = [line for line in lines[len(settings.sources) + 1 :] if not {*line.corpora} & {*settings.sources}]
            put(console, [Column("", [line.name for line in below])], _few_shot_columns(run, below, found, profile))
    for text in (*_not_zero_shot(run), *_left_out(run), *_notices(run, known)):
        put_text(console, text)


def _run_lines(run: Run, catalogue: Catalogue) -> Iterator[RunLine]:
    from xner_bench.leaderboard.groups import datasets, groups
    from xner_bench.leaderboard.legend import language_name, title

    sources, targets = run.settings.sources, run.settings.targets
    others = [target for target in targets if target not in sources]
    yield RunLine("Source" if len(sources) == 1 else "Sources")
    for source in sources:
        yield RunLine(f"  {language_name(catalogue, source)}", (source,))
    for dataset in datasets(others):
        yield RunLine(title(catalogue, dataset))
        for target in others:
            if target.partition(":")[0] == dataset:
                yield RunLine(f"  {language_name(catalogue, target)}", (target,))
    yield RunLine("Means")
    suite = catalogue.suites.get(run.settings.suite)
    every = suite.targets if suite else targets
    for group in groups(every, run.settings.source, lambda dataset: title(catalogue, dataset)):
        yield RunLine(f"  {group.name}", group.corpora, is_group=True)


def _run_columns(run: Run, lines: Sequence[RunLine], found: Mapping[Cell, Scored], profile: str) -> list[Column]:
    """TRUE, source-dev and average where they differ from TRUE, and ORACLE; ORACLE alone where a target's labels chose
    settings."""
    true = run.settings.true_protocol
    scored = {cell.protocol for cell in found}  # runs of an earlier version have no average

    def column(heading: str, protocol: str) -> Column:
        return Column(heading, [_run_cell(line, found, protocol, profile) for line in lines])

    first, last = column(f"TRUE\n({true})", true), column("ORACLE", "oracle")
    if not run.settings.zero_shot:
        return [last]
    between = (column(name, name) for name in ("source-dev", "average") if name in scored)
    return [first, *(one for one in between if one.cells != first.cells), last]


def _perturbed_columns(
    run: Run, lines: Sequence[RunLine], found: Mapping[Cell, Scored], there: Mapping[Cell, Scored], profile: str
) -> list[Column]:
    """TRUE on a perturbed split, or ORACLE where a target's labels chose settings, and the change from the regular."""
    from xner_bench.leaderboard.robustness import change

    true = run.settings.true_protocol
    heading, protocol = (f"TRUE\n({true})", true) if run.settings.zero_shot else ("ORACLE", "oracle")
    pairs = [[_run_stat(line, one, protocol, profile) for one in (there, found)] for line in lines]
    changes = [change(*pair) for pair in pairs]
    return [
        Column(heading, [_run_cell(line, there, protocol, profile) for line in lines]),
        Column("change\nin %", ["" if change is None else signed(change) for change in changes]),
    ]


def _few_shot_columns(run: Run, lines: Sequence[RunLine], found: Mapping[Cell, Scored], profile: str) -> list[Column]:
    """TRUE, then the scores after k sentences, sampling by sampling."""
    from xner_bench.protocol import few_shot

    settings = run.settings
    names = {"k = 0": settings.true_protocol}
    names |= {f"{way}\n{k}": few_shot(way, k) for way in settings.sampling for k in settings.few_shot}
    return [
        Column(heading, [_run_cell(line, found, protocol, profile) for line in lines])
        for heading, protocol in names.items()
    ]


def _run_stat(line: RunLine, found: Mapping[Cell, Scored], protocol: str, profile: str) -> Stat | None:
    """The score of a line; none where some score of a group is missing."""
    from xner_bench.leaderboard.computed import scores_of, unweighted

    return stat([unweighted(scores_of(found, line.corpora, protocol, profile))])


def _run_cell(line: RunLine, found: Mapping[Cell, Scored], protocol: str, profile: str) -> str:
    from xner_bench.leaderboard.computed import scores_of

    if not line.corpora:
        return ""
    values = scores_of(found, line.corpora, protocol, profile)
    mean = _run_stat(line, found, protocol, profile)
    if mean or not line.is_group:
        return mean_text(mean)
    return group_text(None, sum(value is not None for value in values), len(values))


def _not_zero_shot(run: Run) -> Iterator[str]:
    """Why TRUE is not there."""
    from xner_bench.leaderboard.computed import not_zero_shot

    if why := not_zero_shot(run.settings, run.settings.true_protocol):
        yield f"TRUE is left out; {why}"


def _left_out(run: Run) -> Iterator[str]:
    splits: dict[str, list[str]] = {}
    for item in run.missing:
        splits.setdefault(item.split, []).append(item.corpus)
    for split, corpora in splits.items():
        yield f"Without {split} split: {', '.join(corpora)}"


def _notices(run: Run, catalogue: Catalogue) -> list[str]:
    """What the suite and its data sets want said beside their numbers."""
    from xner_bench.leaderboard.groups import datasets

    suite = catalogue.suites.get(run.settings.suite)
    cards = [catalogue.cards.get(name) for name in datasets(run.settings.corpora)]
    notices = [suite.notice if suite else "", *(card.notice for card in cards if card)]
    return list(dict.fromkeys(notice for notice in notices if notice))


def board(console: Console, sections: Sequence[Section], catalogue: Catalogue, per_language: bool = False) -> None:
    """Print the leaderboard: means per group, and with `per_language` the score of every language."""
    from xner_bench.leaderboard import legend

    put_text(console, legend.ABOUT)
    for section in sections:
        put_text(console, f"\n{section.suite.title} (suite {section.suite.name}, {section.trained})", "bold")
        for text in (*section.notices, legend.protocols_text(section)):
            put_text(console, text)
        for profile in section.profiles:
            heading = f"{legend.metric(profile)}, {legend.profile_text(profile)}{_common(section, profile)}"
            put_text(console, f"\n{heading}", "bold")
            _put_profile(console, section, catalogue, profile, per_language)
        for label, text in legend.departures(section):
            put_text(console, f"{label}, other than the suite: {text}")
        for text in legend.remarks(section):
            put_text(console, text)


def _put_profile(console: Console, section: Section, catalogue: Catalogue, profile: str, per_language: bool) -> None:
    from xner_bench.leaderboard import robustness

    lines = [line for line in section.lines if line.profile == profile]
    put(console, _names(lines), _group_columns(section, lines))
    _put_differences(console, section, profile)
    if per_language:
        _put_languages(console, section, catalogue, lines)
    for name, there in robustness.of(section, profile):
        put_text(console, f"\n{robustness.about(name)}")
        put(console, _names(there), _group_columns(section, there))
        if per_language:
            _put_languages(console, section, catalogue, there)
    _put_few_shot(console, section, lines)


def _put_few_shot(console: Console, section: Section, lines: Sequence[Line]) -> None:
    """What a few sentences of the targets change, group by group."""
    from xner_bench.leaderboard import shots

    found = shots.curves(lines)
    numbers = shots.numbers(found)
    if found:
        put_text(console, f"\n{shots.ABOUT}")
    for group in shots.groups(section) if found else ():
        put_text(console, f"\n{shots.heading(group)}")
        names = [*_names([curve.line for curve in found]), Column("Sampling", [curve.sampling for curve in found])]
        put(console, names, [Column(f"k={k}", [curve.cell(section, group, k) for curve in found]) for k in numbers])


def _common(section: Section, profile: str) -> str:
    """The encoder, where all entries have the same: then it is no column."""
    encoders = {line.encoder for line in section.lines if line.profile == profile}
    return f", encoder {encoders.pop()}" if len(encoders) == 1 else ""


def _names(lines: Sequence[Line]) -> list[Column]:
    from xner_bench.leaderboard.legend import label

    entries = Column("Entry", [label(line, line.means.values()) for line in lines])
    encoders = Column("Encoder", [line.encoder for line in lines])
    return [entries] if len(set(encoders.cells)) == 1 else [entries, encoders]


def _group_columns(section: Section, lines: Sequence[Line]) -> list[Column]:
    from xner_bench.leaderboard.legend import group_cell, shown

    return [
        Column(f"{_heading(group)}\n{heading}", [group_cell(line, group.name, protocol) for line in lines])
        for group in section.groups
        for heading, protocol in shown(section)
    ]


def _put_differences(console: Console, section: Section, profile: str) -> None:
    """What the methods change, where there is a baseline."""
    from xner_bench.leaderboard import differences
    from xner_bench.leaderboard.legend import shown

    found = differences.pairs(section, profile)
    if not found:
        return
    put_text(console, f"\n{differences.heading(found)}. {differences.ABOUT}")
    columns = [
        Column(f"{_heading(group)}\n{heading}", [differences.cell(pair, group.name, protocol) for pair in found])
        for group in section.groups
        for heading, protocol in shown(section)
    ]
    against = [Column("Against", [pair.baseline.label for pair in found])] if differences.several(found) else []
    put(console, [*_names([pair.line for pair in found]), *against], columns)


def _heading(group: Group) -> str:
    return group.name.replace(" with", "\nwith") if group.dataset else group.name


def _put_languages(console: Console, section: Section, catalogue: Catalogue, lines: Sequence[Line]) -> None:
    """A table a protocol, a row a language, a column an entry."""
    from xner_bench.leaderboard.legend import language_name, shown, true_text

    names = [
        Column("Data set", [corpus.partition(":")[0] for corpus in section.corpora]),
        Column("Language", [language_name(catalogue, corpus) for corpus in section.corpora]),
    ]
    for heading, protocol in shown(section):
        put_text(console, true_text(section.source, section.suite.targets) if heading == "TRUE" else heading)
        put(console, names, [_language_column(section, line, protocol) for line in lines])


def _language_column(section: Section, line: Line, protocol: str) -> Column:
    from xner_bench.leaderboard.legend import language_cell

    heading = f"{line.label}\npublished" if line.published else line.label
    return Column(heading, [language_cell(line, corpus, protocol) for corpus in section.corpora])


def put_text(console: Console, text: str, style: str = "") -> None:
    """Print a line of text; outside a terminal it stays one line."""
    if text.startswith("\n"):
        console.print()
    console.print(_text(console, text.strip("\n"), style), soft_wrap=not console.is_terminal, highlight=False)


def put(console: Console, names: Sequence[Column], numbers: Sequence[Column]) -> None:
    """Print a table: names to the left, then numbers; those that do not fit a terminal follow below.

    Outside a terminal nothing is folded or cut.
    """
    if console.is_terminal:
        widest = min(_WIDEST_NAME, console.width // 2)
        for number, part in enumerate(_parts(console.width, widest, names, numbers)):
            console.print(*[""] * (number > 0), _table(console, names, part, widest), sep="\n", highlight=False)
        return
    table, before = _table(console, names, numbers, None), console.width
    console.width = max(before, console.measure(table, options=console.options.update(max_width=1 << 20)).maximum)
    console.print(table, highlight=False)
    console.width = before


def _parts(width: int, widest: int, names: Sequence[Column], numbers: Sequence[Column]) -> Iterator[list[Column]]:
    """The columns of numbers, as many at a time as fit beside the names, at least one."""
    left = width - sum(min(_width(column), widest) + _GAP for column in names)
    part: list[Column] = []
    for column in numbers:
        if part and sum(_width(other) + _GAP for other in (*part, column)) > left:
            yield part
            part = []
        part.append(column)
    if part:
        yield part


def _width(column: Column) -> int:
    """Cells of the terminal that a column needs: its cells unbroken, its heading broken at blanks."""
    return max((cell_len(text) for text in (*column.heading.split(), *column.cells)), default=0)


def _table(console: Console, names: Sequence[Column], numbers: Sequence[Column], widest: int | None) -> Table:
    from rich.box import SIMPLE_HEAD

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in names:
        table.add_column(_text(console, column.heading), overflow="fold", max_width=widest)
    for column in numbers:
        width = _width(column) if widest else None
        table.add_column(_text(console, column.heading), justify="right", overflow="fold", width=width)
    for cells in zip(*(column.cells for column in (*names, *numbers)), strict=True):
        table.add_row(*_texts(console, cells))
    return table


def _texts(console: Console, cells: Iterable[str]) -> Iterator[Text]:
    return (_text(console, cell) for cell in cells)


def _text(console: Console, text: str, style: str = "") -> Text:
    """Text without control characters, in signs that the encoding has; indents and lines are kept."""
    lines = (line[: len(line) - len(line.lstrip(" "))] + plain(line) for line in text.split("\n"))
    return Text(_fit("\n".join(lines), console.encoding), style)


def _fit(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = "".join(_ASCII.get(sign, sign) for sign in text)
        return text.encode(encoding, "replace").decode(encoding)
    return text
