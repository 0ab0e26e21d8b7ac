"""The papers' numbers: complete, as printed, and adding up to the means that the papers print."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import fmean

import pytest

from xner_bench.leaderboard.published import PublishedRow, published, remarks

EN = published("slicer-en")
RU = published("slicer-ru")
ROUNDING = 0.1  # the printed mean and the scores it is of are each rounded to one digit
ENGLISH = "wikiann:en"

SetUp = tuple[str, str]  # entry, protocol


def by_set_up() -> dict[SetUp, dict[str, PublishedRow]]:
    """Scores of single languages by set-up and corpus."""
    found: dict[SetUp, dict[str, PublishedRow]] = defaultdict(dict)
    for row in EN:
        if row.corpus:
            assert row.corpus not in found[row.entry, row.protocol], "a score stands twice"
            found[row.entry, row.protocol][row.corpus] = row
    return found


LANGUAGES = by_set_up()
MEANS = [row for row in EN if row.corpus is None]


def averaged(mean: PublishedRow) -> list[PublishedRow]:
    """The languages that a printed mean is of."""
    rows = LANGUAGES[mean.entry, mean.protocol].values()
    of_group = [row for row in rows if mean.dataset in (None, row.dataset)]
    return [row for row in of_group if mean.with_source is not False or row.corpus != mean.source]


def test_every_set_up_has_all_languages_and_means() -> None:
    assert len(LANGUAGES) == 2 * 12
    assert {len(rows) for rows in LANGUAGES.values()} == {34}
    assert Counter((row.entry, row.protocol) for row in MEANS) == dict.fromkeys(LANGUAGES, 3)
    assert len(RU) == 6 * 2 * 3
    assert all(row.corpus is None for row in RU)


@pytest.mark.parametrize("mean", MEANS, ids=lambda row: f"{row.entry}-{row.protocol}-{row.dataset or 'total'}")
def test_a_printed_mean_is_the_mean_of_its_languages(mean: PublishedRow) -> None:
    rows = averaged(mean)
    assert len(rows) == mean.languages
    assert fmean(row.f1_mean for row in rows) == pytest.approx(mean.f1_mean, abs=ROUNDING)


def test_wikiann_leaves_english_out_of_true_and_has_it_in_oracle() -> None:
    for mean in MEANS:
        if mean.dataset == "wikiann":
            assert (mean.protocol == "oracle") == mean.with_source
            with_english = fmean(row.f1_mean for row in averaged(mean._replace(with_source=True)))
            assert (abs(with_english - mean.f1_mean) < ROUNDING) == mean.with_source


def test_a_printed_spread_of_a_mean_is_the_mean_of_its_languages_spreads() -> None:
    for mean in MEANS:
        rows = LANGUAGES[mean.entry, mean.protocol].values()
        of_group = [row.f1_std for row in rows if mean.dataset in (None, row.dataset)]
        without = [row.f1_std for row in averaged(mean)]
        assert min(abs(fmean(part) - mean.f1_std) for part in (of_group, without)) < ROUNDING


def test_russian_totals_weigh_all_24_wikiann_languages() -> None:
    for entry, protocol in {(row.entry, row.protocol) for row in RU}:
        mean = {row.dataset: row.f1_mean for row in RU if (row.entry, row.protocol) == (entry, protocol)}
        weighed = (24 * mean["wikiann"] + 10 * mean["masakhaner"]) / 34
        assert weighed == pytest.approx(mean[None], abs=ROUNDING)
    true = {
        row.dataset: row.f1_mean
        for row in RU
        if (row.learning_rate, row.entry[:8], row.protocol) == (1e-5, "standard", "true")
    }
    assert abs((23 * true["wikiann"] + 10 * true["masakhaner"]) / 33 - (true[None] or 0)) > ROUNDING


def test_a_few_numbers_as_the_paper_prints_them() -> None:
    rows = LANGUAGES["slicer h=8, lr 1e-5", "true"]
    assert (rows["wikiann:am"].f1_mean, rows["wikiann:am"].f1_std) == (44.4, 2.2)
    assert (rows["masakhaner:yor"].f1_mean, rows["masakhaner:yor"].f1_std) == (34.2, 6.1)
    assert rows["wikiann:am"].options == {"h": 8}
    assert LANGUAGES["standard, lr 2e-5", "oracle"][ENGLISH].f1_mean == 83.5
    total = next(
        row for row in MEANS if (row.entry, row.protocol, row.dataset) == ("slicer h=2, lr 1e-5", "oracle", None)
    )
    assert (total.f1_mean, total.f1_std, total.languages, total.where) == (52.9, 2.4, 34, "table 1")
    russian = next(
        row for row in RU if (row.entry, row.protocol, row.dataset) == ("slicer h=1, lr 2e-5", "true", "masakhaner")
    )
    assert (russian.f1_mean, russian.f1_std, russian.with_source) == (33.7, 4.2, None)


def test_restored_digits_carry_a_note_and_nothing_else_does() -> None:
    noted = [row for row in EN if row.note]
    assert {(row.corpus, row.protocol) for row in noted} == {("masakhaner:luo", "true")}
    assert len(noted) == 11
    assert all("a leading 1 restored" in row.note for row in noted)
    assert LANGUAGES["standard, lr 2e-5", "true"]["masakhaner:luo"].f1_mean == 9.7, "the one that had no leading digit"


@pytest.mark.parametrize("row", [EN[0], EN[-1], RU[0]])
def test_a_row_says_how_it_was_scored(row: PublishedRow) -> None:
    assert (row.profile, row.n_seeds, row.encoder) == ("subword-lenient", 10, "xlm-roberta-base")
    assert row.where


@pytest.mark.parametrize("suite", ["slicer-en", "slicer-ru"])
def test_remarks_say_what_to_doubt(suite: str) -> None:
    text = " ".join(remarks(suite))
    for needed in ("EMNLP 2022", "every subword", "gets no gradient", "the source language"):
        assert needed in text


def test_a_suite_without_published_numbers_has_none() -> None:
    assert published("quick") == []
    assert remarks("quick") == ()
