"""The evidence on differences as a Parquet table: a row for each pair of entries and place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xner_bench.leaderboard.legend import metric
from xner_bench.leaderboard.table import CORPUS, Column, arrow, of_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.evidence_types import Comparison, Evidence
    from xner_bench.leaderboard.lines import Section

COMPARISONS = (
    Column("suite", "string", "the published set-up that both entries were run in"),
    Column("source", "string", "what was trained on: a language, several joined by +; each: every one on itself"),
    Column("entry", "string", "label of the entry"),
    Column("entry_id", "string", "of all settings but the seed (of each: and language)"),
    Column("against", "string", "label of the entry that it is held against"),
    Column("against_id", "string", "its entry_id"),
    Column("profile", "string", "what was counted and how; numbers of two profiles are not comparable"),
    Column("metric", "string", "what differs: f1, or the accuracy of tags where the profile counts those"),
    Column("protocol", "string", "answered by: last, source-dev, average, oracle"),
    Column("role", "string", "what papers on this suite call the protocol: true, oracle, or empty"),
    Column("group", "string", "targets whose unweighted mean is compared; null where one language is"),
    *CORPUS,
    Column("mean", "double", "points: of the entry, over the seeds that both have, which may not be all of its own"),
    Column("against_mean", "double", "the same of the entry that it is held against"),
    Column("difference", "double", "points: mean less against_mean"),
    Column("low", "double", "lower end of the 95 % interval, points: bootstrap of seeds and sentences"),
    Column("high", "double", "upper end of it"),
    Column("p", "double", "two-sided, of a permutation of the two entries' predictions sentence by sentence"),
    Column("p_holm", "double", "p corrected (Holm) over the languages, or the groups, of these two entries"),
    Column(
        "supported",
        "bool",
        "p_holm below 0.05, an interval without 0, also when it is corrected for the number of languages or groups "
        "(Benjamini and Hochberg), and two seeds or more",
    ),
    Column("n_seeds", "int64", "seeds that both entries have"),
    Column("draws", "int64", "of the bootstrap, and of the permutation"),
    Column(
        "entry_rank", "int64", "of the entry there among own ones; those that the data does not tell apart share it"
    ),
    Column("against_rank", "int64", "of the entry that it is held against"),
    Column("best", "bool", "whether that one has the best mean there of all that were compared"),
    Column("smallest", "double", "points that two entries must differ for the test set to show it; null for groups"),
)


def comparisons(sections: Sequence[Section], catalogue: Catalogue) -> pa.Table:
    """One row per pair of entries, profile, protocol, and language or group; none where no evidence was asked for."""
    rows = [
        _row(section, section.evidence, catalogue, one)
        for section in sections
        if section.evidence
        for one in section.evidence.comparisons
    ]
    return arrow(rows, COMPARISONS)


def _row(section: Section, evidence: Evidence, catalogue: Catalogue, one: Comparison) -> dict[str, Any]:
    labels = {line.entry_id: line.label for line in section.lines}
    place = (one.profile, one.protocol, one.at)
    ranks = evidence.ties.get(place, {})
    at = {"group": one.at} if one.is_group else of_corpus(catalogue, one.at)
    return at | {
        "suite": section.suite.name,
        "source": section.source,
        "entry": labels[one.entry],
        "entry_id": one.entry,
        "against": labels[one.against],
        "against_id": one.against,
        "profile": one.profile,
        "metric": metric(one.profile).lower(),
        "protocol": one.protocol,
        "role": section.role(one.protocol),
        "mean": one.mean,
        "against_mean": one.against_mean,
        "difference": one.difference,
        "low": one.low,
        "high": one.high,
        "p": one.p,
        "p_holm": one.p_holm,
        "supported": one.supported,
        "n_seeds": one.seeds,
        "draws": evidence.draws,
        "entry_rank": ranks.get(one.entry),
        "against_rank": ranks.get(one.against),
        "best": evidence.best.get(place) == one.against,
        "smallest": None if one.is_group else evidence.smallest.get(one.at),
    }
