"""Every card and every suite that ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xner_bench import catalogue, yamlfile
from xner_bench.catalogue import SPLITS, Card, Catalogue, Suite
from xner_bench.leaderboard.published import published
from xner_bench.settings import Training

BUILT_IN = catalogue.load()
EVERY_CARD = sorted(BUILT_IN.cards)
EVERY_SUITE = sorted(BUILT_IN.suites)

# fmt: off
SLICER = [
    "am", "ar", "ay", "bg", "de", "el", "en", "es", "fr", "he", "hi", "ig", "ja", "qu", "ru", "rw",
    "sw", "ta", "te", "tr", "ur", "vi", "yo", "zh",
]
XTREME = [
    "af", "ar", "bg", "bn", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "he", "hi", "hu",
    "id", "it", "ja", "jv", "ka", "kk", "ko", "ml", "mr", "ms", "my", "nl", "pt", "ru", "sw", "ta",
    "te", "th", "tl", "tr", "ur", "vi", "yo", "zh",
]
ZERO_TO_HERO = ["ar", "eu", "zh", "fi", "he", "hi", "it", "ja", "ko", "ru", "sv", "tr"]
MASAKHANER = [
    "amh", "hau", "ibo", "kin", "lug", "luo", "pcm", "swa", "wol", "yor",
]
# fmt: on


@pytest.fixture(params=EVERY_CARD)
def card(request: pytest.FixtureRequest) -> Card:
    return BUILT_IN.card(request.param)


@pytest.fixture(params=EVERY_SUITE)
def suite(request: pytest.FixtureRequest) -> Suite:
    return BUILT_IN.suite(request.param)


def test_a_card_says_what_it_is_and_whose(card: Card) -> None:
    for text in (card.title, card.about, card.licence, card.cite):
        assert text.strip()
    assert card.homepage.startswith("https://") or card.bundled


def test_a_cards_sentences_come_from_somewhere(card: Card) -> None:
    assert card.bundled != bool(card.hub)
    if card.hub:
        assert card.hub.path("xx", "dev").count("xx") == 1
        assert len({card.hub.path("xx", split) for split in SPLITS}) == len(SPLITS)
        assert {tag.partition("-")[2] for tag in card.tag_ids} == {"", *card.types}


def test_a_bundled_cards_notice_says_what_it_is_for(card: Card) -> None:
    assert bool(card.notice) == card.bundled


def test_a_cards_languages_are_told_apart(card: Card) -> None:
    codes = [language.iso639_3 for language in card.languages.values()]
    assert len(codes) == len(set(codes))
    assert all(language.code == code for code, language in card.languages.items())
    assert all(language.count(split) for language in card.languages.values() for split in SPLITS)


def test_cards_agree_on_a_language() -> None:
    seen: dict[str, tuple[str, str, str]] = {}
    for card in BUILT_IN.cards.values():
        for language in card.languages.values():
            facts = language.name, language.script, language.family
            assert seen.setdefault(language.iso639_3, facts) == facts, f"{card.name}:{language.code}"


def test_shared_languages_are_whole_and_used() -> None:
    shared = yamlfile.read(Path(catalogue.__file__).parent.parent / "datasets_cfg" / "languages.yaml").value
    assert all(re.fullmatch("[a-z]{3}", code) for code in shared)
    assert all(set(facts) == {"name", "script", "family"} for facts in shared.values())
    used = {language.iso639_3 for card in BUILT_IN.cards.values() for language in card.languages.values()}
    assert set(shared) <= used


def test_wikiann_has_every_language_of_the_papers() -> None:
    languages = BUILT_IN.card("wikiann").languages
    assert len(languages) == 57
    assert {*SLICER, *XTREME, *ZERO_TO_HERO} <= set(languages)
    assert languages["no"].name == "Norwegian"


def test_masakhaner_has_its_ten_languages_by_iso_code() -> None:
    card = BUILT_IN.card("masakhaner")
    assert list(card.languages) == MASAKHANER
    assert all(language.iso639_3 == code for code, language in card.languages.items())
    assert card.harmonize == {"DATE": "O"}
    assert (card.tag_ids[7], card.tag_ids[8]) == ("B-DATE", "I-DATE")


@pytest.mark.parametrize("dataset", ["wikiann", "masakhaner"])
def test_counts_hold_in_real_files(dataset: str, nerdata: Path) -> None:
    """Sentences of every file that is there: lines between blank lines."""
    checked = 0
    for language in BUILT_IN.card(dataset).languages.values():
        for split in SPLITS:
            for path in (nerdata / dataset / language.code).glob(f"{split}.t*"):
                blocks = path.read_text(encoding="utf-8-sig").split("\n\n")
                assert sum(bool(block.strip("\n")) for block in blocks) == language.count(split), path
                checked += 1
    assert checked > 20


def test_a_suite_says_what_it_is(suite: Suite) -> None:
    for text in (suite.title, suite.about, suite.reference):
        assert text.strip()
    assert not suite.encoder_revision or re.fullmatch("[0-9a-f]{40}", suite.encoder_revision)


def test_a_suites_training_makes_settings(suite: Suite) -> None:
    fields = {key: value for key, value in suite.training.items() if key != "seed"}
    assert Training(**fields).model_dump() == fields


def test_a_suites_targets_have_dev_and_test(suite: Suite) -> None:
    for key in suite.targets:
        _, language = BUILT_IN.language(key)
        assert language.dev
        assert language.test
    assert all(BUILT_IN.language(key)[1].train for key in suite.sources)


@pytest.mark.parametrize(("name", "source"), [("slicer-en", "wikiann:en"), ("slicer-ru", "wikiann:ru")])
def test_slicers_set_up_is_the_papers(name: str, source: str) -> None:
    suite = BUILT_IN.suite(name)
    assert suite.source == source
    assert suite.targets == (
        *(f"wikiann:{code}" for code in SLICER),
        *(f"masakhaner:{code}" for code in MASAKHANER),
    )
    assert suite.types == ("PER", "ORG", "LOC")
    assert harmonized(BUILT_IN, suite) == {"wikiann": {}, "masakhaner": {"DATE": "O"}}
    assert (suite.encoder, suite.true_protocol, suite.profiles) == (
        "xlm-roberta-base",
        "last",
        ("word-strict",),
    )
    assert suite.training == {
        "epochs": 10,
        "lr": 1e-5,
        "batch_size": 32,
        "weight_decay": 0.05,
        "warmup": 0.1,
        "clip": None,
        "dropout": 0.1,
        "max_length": 510,
        "precision": "fp16",
        "subword_labels": "first",
        "seed": 42,
    }


@pytest.mark.parametrize(
    ("name", "source", "targets"),
    [
        ("dlfa", "wikiann:en", XTREME),
        ("zero-to-hero", "wikiann:en", ZERO_TO_HERO),
        ("compression-joint", "+".join(f"wikiann:{code}" for code in XTREME), XTREME),
        ("compression-mono", "each", ["en", "zh", "bn", "eu", "af", "hi", "sw", "te", "jv", "yo"]),
    ],
)
def test_other_set_ups_are_their_papers(name: str, source: str, targets: list[str]) -> None:
    suite = BUILT_IN.suite(name)
    assert (suite.source, suite.targets) == (source, tuple(f"wikiann:{code}" for code in targets))
    assert suite.encoder == "google-bert/bert-base-multilingual-cased"
    keys = ("epochs", "lr", "batch_size", "max_length")
    assert tuple(suite.training[key] for key in keys) == {
        "dlfa": (5, 2e-5, 32, 128),
        "zero-to-hero": (10, 5e-5, 128, 512),
    }.get(name, (60, 7e-5, 16, 512))
    assert {row.profile for row in published(name)} <= set(suite.profiles), "ours stand in the same table"


def harmonized(found: Catalogue, suite: Suite) -> dict[str, dict[str, str]]:
    names = dict.fromkeys(key.partition(":")[0] for key in (suite.source, *suite.targets))
    return {name: suite.harmonization(found.card(name)) for name in names}


def test_published_scores_are_of_the_suites_languages_and_encoder(suite: Suite) -> None:
    for row in published(suite.name):
        assert row.source in (None, suite.source)
        assert row.encoder in (suite.encoder, *(grid.get("encoder") for grid in suite.grids.values()))
        assert row.corpus in (None, *suite.sources, *suite.targets)
