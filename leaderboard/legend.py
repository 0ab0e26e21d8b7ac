"""What must be said beside the numbers, and how things are named, in Markdown and in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.leaderboard import robustness
from xner_bench.leaderboard.cells import NONE, group_text, mean_text, signed
from xner_bench.leaderboard.papers import published_remarks
from xner_bench.leaderboard.scores import ORACLE
from xner_bench.measure import of_tags
from xner_bench.sources import EACH, parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line, Mean, Row, Section

ABOUT = (
    "Scores in percent, on test splits: F1, micro over entity types, or the accuracy of tags, as each table says. "
    "A group's mean is unweighted over its targets. "
    "57.3 ± 1.5 (10) is mean ± sample standard deviation over seeds (number of seeds); 12/24 says that only "
    "12 of a group's 24 targets have a score, so that there is no mean; – is no score."
)
COMPARE = "Numbers of two profiles are not comparable and never stand in one table."
PROFILES = {
    "word-strict": "one tag a word, that of its first subword; strict IOB2",
    "word-lenient": "one tag a word, that of its first subword; an I- without its B- opens an entity",
    "subword-lenient": "every subword is scored like a word; an I- without its B- opens an entity",
    "tag-accuracy": "the share of words whose tag is right, O included",
}


def metric(profile: str) -> str:
    """What the numbers of a profile are."""
    return "Accuracy" if of_tags(profile) else "F1"


def profile_text(profile: str) -> str:
    """A profile's name and what it counts."""
    about = PROFILES.get(profile)
    return f"{profile} ({about})" if about else profile


def true_text(source: str, targets: Iterable[str]) -> str:
    """TRUE in full: zero-shot, but where every target is trained on."""
    zero_shot = source != EACH and set(targets) - set(parts(source))
    return "TRUE zero-shot" if zero_shot else "TRUE (not zero-shot: every target is trained on)"


def _source_dev(source: str) -> str:
    """The dev splits of what is trained on."""
    if len(parts(source)) > 1:
        return "the mean of the sources' dev splits"
    return "the language's own dev split" if source == EACH else "the source's dev split"


def protocols_text(section: Section) -> str:
    """What TRUE and ORACLE are, and average where it is scored beside them."""
    average = "the mean of the weights at all epochs' ends"
    true = {
        "last": "the last checkpoint",
        "source-dev": f"the checkpoint that is best on {_source_dev(section.source)}",
        "average": average,
    }
    beside = "average" in section.protocols and section.suite.true_protocol != "average"
    return (
        f"{true_text(section.source, section.suite.targets)}: {true[section.suite.true_protocol]}. "
        + (f"average: {average}, TRUE as well. " if beside else "")
        + "ORACLE: for each target the checkpoint that is best on its dev split, which takes its labels. "
        "Dev scores are word-strict in every profile."
    )


def shown(section: Section) -> tuple[tuple[str, str], ...]:
    """The two protocols that papers report, as (heading, protocol)."""
    return ("TRUE", section.suite.true_protocol), ("ORACLE", ORACLE)


def departures(section: Section) -> list[tuple[str, str]]:
    """Entries that do something otherwise than the suite says, and what."""
    return sorted({line.label: line.departures for line in section.lines if line.departures}.items())


def remarks(section: Section) -> list[str]:
    """Runs that are not ranked, data that differ, and what must be known of published numbers."""
    return [*own_remarks(section), *paper_remarks(section)]


def own_remarks(section: Section) -> list[str]:
    """Runs that are not ranked, and data that differ."""
    found = []
    if section.unranked:
        runs = ", ".join(f"{n} {state}" for state, n in section.unranked.items())
        found.append(f"Runs that are not ranked: {runs}.")
    if section.differing:
        found.append(f"Not all runs read the same data: {', '.join(section.differing)}.")
    return found


def paper_remarks(section: Section) -> list[str]:
    """What must be known of published numbers; nothing where there are none."""
    if not any(line.published for line in section.lines):
        return []
    own = "Rows marked published are a paper's own numbers; the others were computed by xner-bench."
    return [own, *published_remarks(section)]


def title(catalogue: Catalogue, dataset: str) -> str:
    """A data set's title; its name where there is no card of it."""
    card = catalogue.cards.get(dataset)
    return card.title if card else dataset


def language_name(catalogue: Catalogue, corpus: str) -> str:
    """`Amharic (am)`; the code alone where no card has the language."""
    dataset, _, code = corpus.partition(":")
    card = catalogue.cards.get(dataset)
    known = card.languages.get(code) if card else None
    return f"{known.name} ({code})" if known else code


def group_cell(line: Line, group: str, protocol: str) -> str:
    """A line's mean of a group; on a perturbed split with its change: `31.2 ± 0.4 (3), -20.1 %`."""
    mean = line.means.get((group, protocol))
    text = group_text(mean.f1, mean.scored, mean.size) if mean else NONE
    return _with_change(text, robustness.mean_change(line, (group, protocol)))


def language_cell(line: Line, corpus: str, protocol: str) -> str:
    """A line's score of a language; on a perturbed split with its change."""
    row = line.rows.get((corpus, protocol))
    return _with_change(mean_text(row.f1) if row else NONE, robustness.row_change(line, (corpus, protocol)))


def _with_change(text: str, change: float | None) -> str:
    return text if change is None else f"{text}, {signed(change)} %"


def label(line: Line, shown_scores: Iterable[Row | Mean]) -> str:
    """A line's label; a published one is marked as such, with the tables that its numbers stand in."""
    tables = dict.fromkeys(score.reference for score in shown_scores if score.reference)
    return f"{line.label} ({', '.join(('published', *tables))})" if line.published else line.label
