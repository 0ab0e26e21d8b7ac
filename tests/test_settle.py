"""From what was asked for to complete settings."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import small as worlds

from xner_bench import catalogue
from xner_bench.errors import UnknownName, XnerError
from xner_bench.settle import key, settle

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.catalogue import Catalogue

TOWNS = worlds.CARD.replace("name: villages\n", "name: towns\n", 1).replace("  sw:", "  swa:")
BOTH = (
    worlds.SUITE.replace("name: small", "name: both")
    .replace("encoder: mini", "encoder: owner/both\nencoder_revision: abc")
    .replace("[villages:en, villages:sw, villages:no]", "[villages:sw, towns:en, towns:swa]")
    .replace("types: [PER, LOC]", "types: [PER, LOC]\nharmonize: {towns: {DATE: O}}")
)


ALONE = (
    worlds.SUITE.replace("name: small", "name: alone").replace("source: villages:en", "source: each")
    + "each:\n  villages:sw: {batch_size: 4, lr: 3}\n"
)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "suites").mkdir()
    for name, text in {
        "villages.yaml": worlds.CARD,
        "towns.yaml": TOWNS,
        "suites/small.yaml": worlds.SUITE,
        "suites/both.yaml": BOTH,
        "suites/alone.yaml": ALONE,
    }.items():
        (folder / name).write_text(text, "utf-8")
    return catalogue.load([folder])


def complaint(known: Catalogue, *args: Any, **given: Any) -> str:
    with pytest.raises(XnerError) as caught:
        settle(known, *args, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_suite_alone_is_complete(known: Catalogue) -> None:
    settings, suite = settle(known, "small"), known.suite("small")
    assert settings.method == "standard"
    assert settings.options == {}
    assert (settings.source, settings.targets) == (suite.source, suite.targets)
    assert (settings.types, settings.profiles, settings.true_protocol) == (("PER", "LOC"), ("word-strict",), "last")
    assert settings.seed == 42
    assert {**settings.training.model_dump(), "seed": 42} == suite.training
    assert settings.harmonize == {"villages": {"DATE": "O"}}


@pytest.mark.parametrize("suite", ["slicer-en", "slicer-ru"])
def test_every_built_in_suite_settles(suite: str) -> None:
    settings = settle(catalogue.load(), suite, "slicer", options={"h": 2})
    assert settings.options == {"h": 2, "classifier": "trained", "bias": "per_slice"}
    assert settings.encoder_revision
    assert settings.harmonize["masakhaner"] == {"DATE": "O"}


def test_what_is_given_wins(known: Catalogue) -> None:
    given = {"lr": 1e-5, "epochs": 7, "clip": 1.0, "precision": "bf16"}
    settings = settle(
        known,
        "small",
        encoder="own",
        source="villages:no",
        targets=["villages:sw"],
        seed=0,
        profiles=["word-lenient"],
        **given,
    )
    assert {name: getattr(settings.training, name) for name in given} == given
    assert settings.training.batch_size == 16
    assert (settings.encoder, settings.source, settings.targets) == ("own", "villages:no", ("villages:sw",))
    assert settings.seed == 0
    assert settings.profiles == ("word-strict", "word-lenient")


def test_none_is_as_the_suite_says(known: Catalogue) -> None:
    given = {"lr": None, "epochs": None, "encoder": None, "seed": None, "targets": None, "source": None}
    assert settle(known, "small", clip=None).training.clip is None
    assert settle(known, "small", **given) == settle(known, "small")


def test_clipping_can_be_switched_off(tmp_path: Path) -> None:
    small = worlds.build(tmp_path)
    clipped = worlds.SUITE.replace("clip: null", "clip: 1.0")
    (small.catalogue / "suites" / "small.yaml").write_text(clipped)
    where = [str(part) for part in ("--catalogue", small.catalogue, "--data-root", small.data)]
    argv = ["run", "--dry-run", "--method", "standard", "--suite", "small", "--encoder", str(small.encoder), *where]
    assert "clip=1.0" in worlds.call(*argv).out
    assert "clip=None" in worlds.call(*argv, "--clip", "none").out
    shutil.rmtree(tmp_path)


def test_option_defaults_are_part_of_the_settings(known: Catalogue) -> None:
    implied = settle(known, "small", "slicer")
    said = settle(known, "small", "slicer", options={"h": 8, "bias": "per_slice"})
    assert implied == said
    assert implied.options == {"h": 8, "classifier": "trained", "bias": "per_slice"}


def test_languages_by_their_code_alone(known: Catalogue) -> None:
    settings = settle(known, "small", source="en", targets=["no", "sw", "villages:no"])
    assert settings.source == "villages:en"
    assert settings.targets == ("villages:no", "villages:sw"), "each once, in the order given"
    both = known.suite("both")
    assert key(known, both, "swa") == "towns:swa"
    assert key(known, both, "sw") == "villages:sw"
    assert key(known, both, "villages:no") == "villages:no"
    assert key(known, both, "wikiann:am") == "wikiann:am", "a full name may lie outside the suite's data sets"


def test_a_code_in_two_data_sets_is_ambiguous(known: Catalogue) -> None:
    said = complaint(known, "both", targets=["no"])
    assert "villages:no or towns:no" in said


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"targets": ["swe"]}, ("'swe'", "'sw'", "villages")),
        ({"targets": ["villages:swe"]}, ("'swe'", "'sw'")),
        ({"targets": ["vilages:sw"]}, ("'vilages'", "'villages'")),
        ({"targets": ["villages:"]}, ("language of villages", "''")),
        ({"source": "xx"}, ("'xx'", "villages")),
        ({"suite": "smal"}, ("suite", "'small'")),
        ({"method": "slicr"}, ("method", "'slicer'")),
        ({"epochs": 0}, ("--epochs", "0")),
        ({"lr": float("nan")}, ("--lr", "nan")),
        ({"lr": -1}, ("--lr", "-1")),
        ({"precision": "fp8"}, ("--precision", "fp8")),
        ({"batch_size": 0}, ("--batch-size",)),
        ({"sead": 1}, ("--sead",)),
        ({"seed": -1}, ("--seed", "-1")),
        ({"profiles": ["word"]}, ("--profile", "word")),
        ({"targets": []}, ("target",)),
        ({"method": "standard", "options": {"h": 8}}, ("'standard'", "--h", "none")),
        ({"method": "slicer", "options": {"h": 0}}, ("--h", "0")),
        ({"method": "slicer", "options": {"h": "eight"}}, ("--h", "eight")),
        ({"method": "slicer", "options": {"g": 1}}, ("--g", "--h, --classifier, --bias")),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_settled_is_one_line(known: Catalogue, given: dict[str, Any], parts: tuple[str, ...]) -> None:
    said = complaint(known, **{"suite": "small", **given})
    for part in parts:
        assert part in said


def test_unknown_names_offer_near_ones(known: Catalogue) -> None:
    with pytest.raises(UnknownName, match="did you mean 'slicer-en' or 'slicer-ru'"):
        settle(known, "slicer-e")


def test_a_revision_belongs_to_the_suites_own_encoder(known: Catalogue) -> None:
    assert settle(known, "both").encoder_revision == "abc"
    assert settle(known, "both", encoder="owner/both").encoder_revision == "abc"
    assert settle(known, "both", encoder="owner/other").encoder_revision is None
    assert settle(known, "both", encoder="owner/other", encoder_revision="def").encoder_revision == "def"
    assert settle(known, "both", encoder_revision="def").encoder_revision == "def"
    assert settle(known, "small").encoder_revision is None


def test_a_suite_may_train_single_languages_otherwise(known: Catalogue) -> None:
    usual = known.suite("alone").training

    def settled(language: str, **given: Any) -> tuple[int, float, dict[str, Any]]:
        found = settle(known, "alone", source=language, targets=[language], **given)
        return found.training.batch_size, found.training.lr, found.elsewhere

    assert settled("villages:en") == (usual["batch_size"], usual["lr"], {})
    assert settled("sw") == (4, 3.0, {"batch_size": usual["batch_size"], "lr": usual["lr"]})
    assert settled("sw", batch_size=8) == (8, 3.0, {"lr": usual["lr"]})  # what was asked for is no longer the suite's
    found = settle(known, "alone", source="sw", targets=["sw", "no"])  # not on itself
    assert (found.training.batch_size, found.elsewhere) == (usual["batch_size"], {})


def test_harmonization_is_of_the_data_sets_that_are_read(known: Catalogue) -> None:
    assert settle(known, "both").harmonize == {"towns": {"DATE": "O"}, "villages": {"DATE": "O"}}
    assert settle(known, "both", targets=["villages:sw"]).harmonize == {"villages": {"DATE": "O"}}
    assert set(settle(known, "both", targets=["masakhaner:hau"]).harmonize) == {"masakhaner", "villages"}
