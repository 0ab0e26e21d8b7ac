"""The papers' numbers: complete, as printed, and adding up to the means that the papers print."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from xner_bench import catalogue, registry
from xner_bench.leaderboard.cells import group_text
from xner_bench.leaderboard.groups import groups
from xner_bench.leaderboard.lines import Section
from xner_bench.leaderboard.papers import published_lines
from xner_bench.leaderboard.published import FOLDER, PublishedRow, published, remarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


# What the other papers print, and how far a printed mean may be from the mean of what it is of.
DLFA, ZERO = published("dlfa"), published("zero-to-hero")
COMPRESSION = {name: published(name) for name in ("compression-joint", "compression-mono")}
POINTS = 0.01  # the mean and what it is of are each rounded to two digits
TARGETS = {name: catalogue.load().suite(name).targets for name in COMPRESSION}


def means_and_parts(rows: Iterable[PublishedRow]) -> Iterator[tuple[PublishedRow, list[PublishedRow]]]:
    """Each printed mean with the languages that it is of, where the paper prints them."""
    every = list(rows)
    for mean in every:
        same = [row for row in every if row.corpus and key(row) == key(mean)]
        own = [row for row in same if mean.with_source or row.corpus != mean.source]
        if mean.corpus is None and own:
            yield mean, own


def key(row: PublishedRow) -> tuple[str, str, str, str]:
    return row.entry, row.encoder, row.protocol, row.split


def test_compression_has_every_language_sparsity_and_kind_of_test() -> None:
    ways = {"standard"} | {
        f"prune sparsity={share}{scope}"
        for share in ("0.5", "0.7", "0.8", "0.9", "0.95", "0.98")
        for scope in ("", " scope=dense+embeddings")
    }
    for name, rows in COMPRESSION.items():
        assert {row.entry for row in rows} == {f"{way}, lr 7e-5" for way in ways}
        found = Counter((row.entry, row.split, row.corpus) for row in rows)
        assert set(found.values()) == {1}
        assert len(found) == 13 * 2 * (len(TARGETS[name]) + 1)
        assert {row.corpus for row in rows} == {None, *TARGETS[name]}
        assert {row.split for row in rows} == {"test", "test-in-language"}
        assert {(row.n_seeds, row.f1_std, row.profile, row.source) for row in rows} == {(3, None, "word-lenient", None)}


@pytest.mark.parametrize("name", COMPRESSION)
def test_compressions_printed_means_are_those_of_its_languages(name: str) -> None:
    found = list(means_and_parts(COMPRESSION[name]))
    assert len(found) == 13 * 2
    for mean, own in found:
        assert len(own) == mean.languages == len(TARGETS[name])
        assert fmean(row.f1_mean for row in own) == pytest.approx(mean.f1_mean, abs=POINTS)


def test_compressions_doubt_is_in_its_numbers_and_said() -> None:
    """Dense models score 2 points on replaced entities, those with pruned dense layers ten times that."""
    for name, rows in COMPRESSION.items():
        means = {row.entry: row.f1_mean for row in rows if row.split != "test" and not row.corpus}
        assert means["standard, lr 7e-5"] < 2
        assert min(f1 for entry, f1 in means.items() if "prune" in entry and "embeddings" not in entry) > 20
        assert max(f1 for entry, f1 in means.items() if "embeddings" in entry) < 4
        assert "0.02 F1" in " ".join(remarks(name))


def test_a_few_numbers_of_compression_as_the_paper_prints_them() -> None:
    def f1(name: str, entry: str, split: str, corpus: str | None) -> tuple[float, str]:
        wanted = f"{entry}, lr 7e-5", split, corpus
        (row,) = (row for row in COMPRESSION[name] if (row.entry, row.split, row.corpus) == wanted)
        return row.f1_mean, row.where

    assert f1("compression-joint", "standard", "test", "wikiann:af") == (90.14, "tables 2 and 3")
    assert f1("compression-joint", "prune sparsity=0.98", "test", None) == (76.22, "table 2")
    assert f1("compression-joint", "prune sparsity=0.5 scope=dense+embeddings", "test-in-language", "wikiann:jv") == (
        0.0,
        "table 5",
    )
    assert f1("compression-mono", "prune sparsity=0.9", "test", "wikiann:yo") == (54.39, "table 6")
    assert f1("compression-mono", "standard", "test-in-language", None) == (1.89, "tables 8 and 9")


def test_zero_to_hero_has_twelve_languages_after_each_number_of_sentences() -> None:
    random = ["true", *(f"few-shot-random-{k}" for k in (10, 50, 100, 500, 1000))]
    others = [f"few-shot-{way}-{k}" for way in ("shortest", "longest") for k in (10, 50, 100, 500, 1000)]
    found = Counter(row.protocol for row in ZERO if row.corpus)
    assert found == dict.fromkeys(random, 12) | {"true": 13}, "and English, the source"
    assert Counter(row.protocol for row in ZERO if not row.corpus) == dict.fromkeys([*random, *others], 1)
    assert {(row.profile, row.entry, row.n_seeds, row.learning_rate) for row in ZERO} == {
        ("tag-accuracy", "crf", None, None)
    }


def test_zero_to_heros_printed_means_are_those_of_its_languages_or_say_so() -> None:
    found = list(means_and_parts(ZERO))
    assert len(found) == 6
    for mean, own in found:
        assert len(own) == mean.languages == 12
        real = fmean(row.f1_mean for row in own)
        if mean.note:
            assert mean.note == f"the mean of table 5's languages is {real:.2f}"
            assert 0.15 < abs(real - mean.f1_mean) < 0.55
        else:
            assert real == pytest.approx(mean.f1_mean, abs=0.03)
    assert [mean.protocol for mean, _ in found if mean.note] == ["true", "few-shot-random-500", "few-shot-random-1000"]


def test_zero_to_heros_two_tables_of_zero_shot_scores_agree() -> None:
    """Table 1 has English and the drop from it, table 5 the score."""
    drops = {"zh": 31.5, "tr": 6.5, "ru": 9.2, "ar": 29.2, "hi": 12.8, "eu": 8.5, "fi": 0.9, "he": 9.2}
    drops |= {"it": 0.8, "ja": 51.1, "ko": 12.9, "sv": 1.9}
    scores = {row.language: row.f1_mean for row in ZERO if row.protocol == "true" and row.language}
    english = scores.pop("en")
    assert {language: pytest.approx(english - drop, abs=0.1) for language, drop in drops.items()} == scores


def test_dlfa_has_every_layer_and_the_one_branch_ablation() -> None:
    both = {row.options["layer"] for row in DLFA if row.method == "dlfa" and "branches" not in row.options}
    assert both == set(range(1, 13))
    one = {(row.options["layer"], row.options["branches"]) for row in DLFA if "branches" in row.options}
    assert one == {(layer, branch) for layer in (8, 10) for branch in ("global", "local")}
    assert len(DLFA) == 1 + 12 + 4 + 2
    assert {(row.languages, row.with_source, row.profile) for row in DLFA} == {(40, True, "word-lenient")}
    best = max(DLFA, key=lambda row: row.f1_mean)
    assert (best.options, best.f1_mean, best.where) == ({"layer": 8, "reduction": 4}, 63.3425, "tables II and V")


@pytest.mark.parametrize("suite", ["dlfa", "zero-to-hero", *COMPRESSION])
def test_options_are_those_of_our_methods(suite: str) -> None:
    for method, options in {(row.method, json.dumps(row.options)) for row in published(suite)}:
        registry.make(method, json.loads(options))


@pytest.mark.parametrize("suite", sorted(path.stem for path in FOLDER.glob("*.csv")))
def test_every_published_mean_has_its_place_on_the_leaderboard(suite: str) -> None:
    """Of the same data set, with or without the source as the paper has it; in the total, where that is the same."""
    section = section_of(suite)
    rows = [row for row in published(suite) if row.split == "test"]
    lines = published_lines(section)
    assert {line.label for line in lines} == {row.entry for row in rows}
    assert sum(len(line.rows) for line in lines) == sum(row.corpus is not None for row in rows)
    targets = {group.name: group.corpora for group in section.groups}
    for line in lines:
        own = [row for row in rows if (row.entry, row.encoder, row.corpus) == (line.label, line.encoder, None)]
        placed = {(mean.f1.mean, protocol) for (_, protocol), mean in line.means.items() if mean.f1}
        assert {row.f1_mean for row in own} == {f1 for f1, _ in placed}
        for (group, _), mean in line.means.items():
            assert mean.size == len(targets[group])


@pytest.mark.parametrize("suite", sorted(path.stem for path in FOLDER.glob("*.csv")))
def test_protocols_and_splits_have_the_names_that_runs_have(suite: str) -> None:
    for row in published(suite):
        assert re.fullmatch(r"true|oracle|few-shot-(random|shortest|longest)-(10|50|100|500|1000)", row.protocol)
        assert row.split in ("test", "test-in-language")


def test_a_number_of_runs_that_nobody_knows_is_not_shown() -> None:
    lines = published_lines(section_of("dlfa"))
    texts = {group_text(mean.f1, mean.scored, mean.size) for line in lines for mean in line.means.values()}
    assert len(lines) == 19
    assert all(re.fullmatch(r"6\d\.\d", text) for text in texts)


def section_of(suite: str) -> Section:
    """The suite's own section, without runs."""
    found = catalogue.load().suite(suite)
    grouped = groups(found.targets, found.source, str)
    return Section(found, found.source, "", grouped, (), (), (), (), {}, ())
