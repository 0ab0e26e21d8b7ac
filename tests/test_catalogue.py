"""Cards and suites from YAML: what is read, what is refused and where, and a third data set from outside."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from xner_bench import catalogue
from xner_bench.cli.catalogue import datasets, suites
from xner_bench.errors import UnknownName, XnerError

if TYPE_CHECKING:
    from pathlib import Path

CARD = """\
name: tiny
title: Tiny NER
about: Two languages.
licence: CC0-1.0
homepage: https://example.org
cite: none
types: [PER, LOC, DATE]
scheme: iobes
harmonize: {DATE: O}
languages:
  no: {iso639_3: nor, train: 3, test: 2}
  qq: {iso639_3: qqq, name: Invented, script: Zyyy, family: constructed, dev: 1}
"""

SUITE = """\
name: tiny-no
title: Norwegian to Invented
about: A suite from outside the package.
reference: none
encoder: mini
source: tiny:no
targets: [tiny:qq, wikiann:no]
types: [PER, LOC]
harmonize: {wikiann: {ORG: O}}
true_protocol: source-dev
training: {epochs: 1, lr: 1e-5, batch_size: 2, weight_decay: 0, warmup: 0.1, clip: null, dropout: 0.1,
  max_length: 64, precision: fp32, subword_labels: first, seed: 1}
"""


@pytest.fixture(autouse=True)
def only_given_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(catalogue.CATALOGUE_VARIABLE, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's catalogue: one card, one suite."""
    write(tmp_path / "mine", "tiny.yaml", CARD)
    write(tmp_path / "mine", "suites/tiny-no.yaml", SUITE)
    return tmp_path / "mine"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_third_data_set_and_suite_come_from_outside(folder: Path) -> None:
    found = catalogue.load([folder])
    card, language = found.language("tiny:no")
    assert (card.name, card.scheme, card.hub, card.tag_ids) == ("tiny", "iobes", None, ())
    assert (language.code, language.name, language.script, language.family) == (
        "no",
        "Norwegian",
        "Latn",
        "Indo-European",
    )
    assert [language.count(split) for split in catalogue.SPLITS] == [3, None, 2]
    suite = found.suite("tiny-no")
    assert suite.targets == ("tiny:qq", "wikiann:no")
    assert suite.harmonization(found.card("tiny")) == {"DATE": "O"}
    assert suite.harmonization(found.card("wikiann")) == {"ORG": "O"}
    assert suite.training["lr"] == 1e-5
    assert isinstance(suite.training["weight_decay"], float)
    assert {"wikiann", "masakhaner", "tiny"} <= set(found.cards)


def test_a_folder_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catalogue.CATALOGUE_VARIABLE, str(folder))
    assert "tiny" in catalogue.load().cards
    assert "tiny" in catalogue.load([folder]).cards, "the same folder twice is no clash"


def test_names_that_exist_are_refused_with_both_files(folder: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "other", "tiny.yaml", CARD)
    with pytest.raises(XnerError, match="two files make the data set 'tiny'") as caught:
        catalogue.load([folder, tmp_path / "other"])
    assert str(folder / "tiny.yaml") in str(caught.value)
    assert str(again) in str(caught.value)
    write(tmp_path / "third", "suites/slicer-en.yaml", SUITE)
    with pytest.raises(
        XnerError, match=r"two files make the suite 'slicer-en': .*datasets_cfg/suites/slicer-en.yaml and "
    ):
        catalogue.load([tmp_path / "third"])


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_cards_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(XnerError, match=f"{name} has no .*cards"):
        catalogue.load([tmp_path / name])


def test_a_broken_file_breaks_nothing_but_itself(folder: Path) -> None:
    write(folder, "broken.yaml", "name: [\n")
    found = catalogue.load([folder])
    assert found.card("wikiann").name == "wikiann"
    with pytest.raises(XnerError, match=r"broken\.yaml:2: "):
        found.card("broken")


def test_unknown_names_come_with_the_nearest(folder: Path) -> None:
    found = catalogue.load([folder])
    for ask, message in [
        (lambda: found.card("wikian"), "no data set is called 'wikian'; did you mean 'wikiann'"),
        (lambda: found.suite("slicer-eng"), "no suite is called 'slicer-eng'; did you mean 'slicer-en'"),
        (
            lambda: found.language("masakhaner:yo"),
            "no language of masakhaner is called 'yo'; did you mean 'yor'",
        ),
        (lambda: found.language("tinny:no"), "no data set is called 'tinny'; did you mean 'tiny'"),
    ]:
        with pytest.raises(UnknownName, match=message):
            ask()
    with pytest.raises(XnerError, match="'yor' does not say which data set"):
        found.language("yor")


HUB = "hub: {repo: a/b, revision: main, files: '{language}/{split}.parquet'}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "name: tiny",
            "name: tony",
            "1: name: 'tony' is not the file's name; write 'tiny', or rename the file",
        ),
        ("name: tiny", "name: Tiny NER", "1: name: String should match pattern"),
        ("train: 3", "train: three", "11: languages.no.train: Input should be a valid integer"),
        ("train: 3", "train: -3", "11: languages.no.train: Input should be greater than or equal to 0"),
        ("test: 2}", "tset: 2}", "11: languages.no.tset: no such key"),
        (
            "iso639_3: nor",
            "iso639_3: xyz",
            "11: languages.no: nothing is known of iso639_3 'xyz'; give name, script and family too",
        ),
        ("iso639_3: nor", "iso639_3: no", "11: languages.no: nothing is known of iso639_3 'no'; give name"),
        ("script: Zyyy", "script: latin", "12: languages.qq.script: String should match pattern"),
        ("  qq:", "  no:", "12: duplicate key 'no', first on line 11"),
        ("  qq:", "  ../qq:", "12: languages.../qq"),
        ("DATE: O", "DATES: O", "9: harmonize: the card has no type 'DATES'; its types: PER, LOC, DATE"),
        ("[PER, LOC, DATE]", "[PER, LOC, DATE, PER]", "7: types: the type 'PER' stands twice"),
        ("iobes", "bio", "8: scheme: Input should be 'iob1', 'iob2' or 'iobes'"),
        ("iobes", "iob2\ntag_ids: [O, B-PER, S-PER]", "9: tag_ids: tag 'S-PER' is of none of the types"),
        ("iobes", "iob2\ntag_ids: [O, B-PER, B-PER]", "9: tag_ids: the tag 'B-PER' stands twice"),
        ("cite: none", f"cite: none\n{HUB}", "7: hub: tag_ids are needed"),
        (
            "cite: none",
            "cite: none\n" + HUB.replace("{split}", "train"),
            "7: hub.files: a path with {language} and {split}",
        ),
        (
            "cite: none",
            "cite: none\n" + HUB.replace("{split}", "{split}{x}"),
            "7: hub.files: a path with no braces but",
        ),
        (
            "cite: none",
            "cite: none\n" + HUB.replace("{split}", "../{split}"),
            "7: hub.files: a path inside the repository",
        ),
        ("languages:", "lang:", "10: lang: no such key; missing: languages"),
        (
            CARD[CARD.index("languages:") :],
            "languages: {}\n",
            "10: languages: Dictionary should have at least 1 item",
        ),
        (CARD[CARD.index("languages:") :], "languages: [en]\n", "10: languages: Input should be an object"),
        (
            CARD[CARD.index("languages:") :],
            "languages: {en: 5}\n",
            "10: languages.en: Input should be an object",
        ),
        (CARD, "- a list\n", "1: Input should be an object"),
    ],
)
def test_a_wrong_card_is_refused_at_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in CARD
    path = write(tmp_path, "tiny.yaml", CARD.replace(old, new))
    with pytest.raises(XnerError) as caught:
        catalogue.load([tmp_path]).card("tiny")
    assert str(caught.value).startswith(f"{path}:{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: tiny-no", "name: tiny", "1: name: 'tiny' is not the file's name"),
        (
            "source: tiny:no",
            "source: tiny:nn",
            "6: source: no language of tiny is called 'nn'; did you mean 'no'",
        ),
        (
            "source: tiny:no",
            "source: tinny:no",
            "6: source: no data set is called 'tinny'; did you mean 'tiny'",
        ),
        ("source: tiny:no", "source: tiny", "6: source: String should match pattern"),
        ("[tiny:qq,", "[\n  tiny:qq,\n  wikiann:xx,", "9: targets.1: no language of wikiann is called 'xx'"),
        ("[tiny:qq,", "[tiny:qq, tiny:qq,", "7: targets: the target 'tiny:qq' stands twice"),
        ("[tiny:qq, wikiann:no]", "[]", "7: targets: Tuple should have at least 1 item"),
        (
            "types: [PER, LOC]",
            "types: [PER]",
            "8: types: tiny has the type LOC too; add it, or drop it with `harmonize: {tiny: {LOC: O}}`",
        ),
        (
            "types: [PER, LOC]",
            "types: [PER, LOC, GPE]",
            "8: types.2: the source, tiny, has no type GPE; it has: PER, LOC, O",
        ),
        ("{wikiann: {ORG: O}}", "{}", "8: types: wikiann has the type ORG too"),
        (
            "{ORG: O}",
            "{ORG: O, MISC: O}",
            "9: harmonize.wikiann.MISC: wikiann has no such type; its types: PER, ORG, LOC",
        ),
        ("{wikiann:", "{masakhaner:", "9: harmonize.masakhaner: no source or target is of this data set"),
        ("source-dev", "dev", "10: true_protocol: Input should be 'last', 'source-dev' or 'average'"),
        ("lr: 1e-5", "lr: '1e-5'", "11: training.lr: Input should be a valid number"),
        ("lr: 1e-5", "lr: 0", "11: training.lr: Input should be greater than 0"),
        ("lr: 1e-5, ", "", "11: training.lr: Field required"),
        ("seed: 1}", "seed: 1, grid: [1]}", "12: training.grid: no such key"),
        ("max_length: 64", "max_length: no", "12: training.max_length: Input should be a valid integer"),
        ("encoder: mini\n", "", "1: encoder: Field required"),
        ("encoder: mini\n", "encodr: mini\n", "5: encodr: no such key; missing: encoder"),
        ("true_protocol", "profiles: [word]\ntrue_protocol", "10: profiles.0: Input should be 'word-strict'"),
        (
            "seed: 1}",
            "seed: 1}\neach: {tiny:qq: {lr: 1}}",
            "13: each: it is of languages on themselves, and the source",
        ),
    ],
)
def test_a_wrong_suite_is_refused_at_its_line(folder: Path, old: str, new: str, message: str) -> None:
    assert old in SUITE
    path = write(folder, "suites/tiny-no.yaml", SUITE.replace(old, new))
    with pytest.raises(XnerError) as caught:
        catalogue.load([folder]).suite("tiny-no")
    assert str(caught.value).startswith(f"{path}:{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("each", "message"),
    [
        ("{tiny:no: {lr: 1}}", "each: tiny:no is none of the targets"),
        ("{tiny:qq: {seed: 1}}", "each: training has no 'seed'; it has: epochs, lr"),
        ("{tiny:qq: {lr: 0}}", "each: lr cannot be 0: Input should be greater than 0"),
    ],
)
def test_wrong_training_of_a_language_on_itself_is_refused(folder: Path, each: str, message: str) -> None:
    text = SUITE.replace("source: tiny:no", "source: each") + f"each: {each}\n"
    path = write(folder, "suites/tiny-no.yaml", text)
    with pytest.raises(XnerError) as caught:
        catalogue.load([folder]).suite("tiny-no")
    assert str(caught.value).startswith(f"{path}:13: {message}")


def test_everything_loads_quickly() -> None:
    best = min(_seconds_to_load_all() for _ in range(3))
    assert best < 0.1


def _seconds_to_load_all() -> float:
    start = time.perf_counter()
    found = catalogue.load()
    assert list(found.cards.values())
    assert list(found.suites.values())
    return time.perf_counter() - start


HEAVY = ("torch", "transformers", "pyarrow", "datasets", "sklearn", "scipy", "huggingface_hub")


def test_the_commands_import_nothing_heavy() -> None:
    program = textwrap.dedent(f"""
        import sys
        from xner_bench.cli.catalogue import datasets, suites
        datasets(["wikiann"], standalone_mode=False)
        suites(["slicer-en"], standalone_mode=False)
        sys.exit(", ".join(name for name in {HEAVY!r} if name in sys.modules) or 0)
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def lines(command: object, *arguments: str) -> list[str]:
    found = CliRunner().invoke(command, arguments, catch_exceptions=False)  # type: ignore[arg-type]
    assert found.exit_code == 0
    return str(found.output).splitlines()


def test_datasets_are_listed_one_a_line(folder: Path) -> None:
    found = lines(datasets, "--catalogue", str(folder))
    row = next(line for line in found if line.startswith("tiny"))
    assert row.split("  ")[0] == "tiny"
    assert "Tiny NER" in row
    assert "PER LOC DATE" in row
    assert "iobes" in row
    assert "CC0-1.0" in row
    assert "a data root" in row
    assert any(line.startswith("wikiann") and "hub: unimelb-nlp/wikiann" in line for line in found)


def test_a_card_is_printed_with_a_row_a_language() -> None:
    found = lines(datasets, "masakhaner")
    rows = [line.split() for line in found]
    assert ["yor", "yor", "Yoruba", "Latn", "Niger-Congo", "2,124", "303", "608"] in rows
    assert ["pcm", "pcm", "Nigerian", "Pidgin", "Latn", "Creole", "2,100", "300", "600"] in rows
    text = "\n".join(found)
    assert "masakhane/masakhaner @ refs/convert/parquet" in text
    assert "7=B-DATE 8=I-DATE" in text
    assert "DATE -> O" in text
    assert "CC-BY-NC-4.0" in text
    assert "@article{adelani-etal-2021-masakhaner" in text


def test_a_count_that_is_not_published_is_a_dash(folder: Path) -> None:
    rows = [line.split() for line in lines(datasets, "tiny", "--catalogue", str(folder))]
    assert ["qq", "qqq", "Invented", "Zyyy", "constructed", "-", "1", "-"] in rows


def test_suites_are_listed_and_printed(folder: Path) -> None:
    found = lines(suites, "--catalogue", str(folder))
    assert any(line.split()[0:1] == ["tiny-no"] and line.split()[-2:] == ["2", "-"] for line in found)
    papers = {line.split()[0]: line.split()[-1] for line in found if "arXiv:" in line or "emnlp-main" in line}
    assert set(papers) == {"slicer-en", "slicer-ru", "dlfa", "zero-to-hero", "compression-joint", "compression-mono"}
    assert (papers["dlfa"], papers["slicer-en"]) == ("arXiv:2205.08497", "2022.emnlp-main.740")
    assert any("40 languages of wikiann" in line for line in found)
    rows = [line.split() for line in lines(suites, "slicer-en")]
    assert ["wikiann:am", "Amharic", "Ethi", "Afro-Asiatic", "100", "100"] in rows
    assert ["lr", "1e-5"] in rows
    assert ["clip", "none"] in rows
    assert ["TRUE", "last"] in rows
    assert ["harmonized", "masakhaner:", "DATE", "->", "O"] in rows


@pytest.mark.parametrize("name", sorted(catalogue.load().suites))
def test_every_suite_is_printed(name: str) -> None:
    found = lines(suites, name)
    suite = catalogue.load().suite(name)
    targets = {line.split()[0] for line in found if line.split() and ":" in line.split()[0]}
    assert set(suite.targets) <= targets
    assert found[-1].startswith(f"Run it: xner-bench run --suite {name} --method ")
    published = [line for line in found if line.startswith("published")]
    assert bool(published) == (name != "quick")
