"""From a card, a language and a split to sentences, wherever they lie."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from handmade import ROWS, card, conll_text, counted, json_text, parquet_bytes

from xner_bench import catalogue, corpus
from xner_bench.corpus import MissingSplit, Places, Sentence
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.catalogue import Card

TYPES = ("PER", "ORG", "LOC")
READING: dict[str, Any] = {"types": TYPES, "harmonize": {"DATE": "O"}}
EXPECTED = [
    Sentence(("Amina", "lives", "in", "Kano"), ("B-PER", "O", "O", "B-LOC")),
    Sentence(("On", "2", "May", "Radio", "Kano", "\u200e", "closed"), ("O", "O", "O", "B-ORG", "I-ORG", "O", "O")),
    Sentence(("Nobody",), ("O",)),
]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "root", tmp_path / "cache", offline=True)


def put(places: Places, name: str, content: str | bytes, language: str = "hau", dataset: str = "tiny") -> Path:
    assert places.data_root is not None
    path = places.data_root / dataset / language / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(known: Card, places: Places, split: Any = "dev", **changed: Any) -> corpus.Corpus:
    return corpus.read(known, known.languages["hau"], split, places, **{**READING, **changed})


FILES = ["dev.txt", "dev.tsv", "dev.conll", "dev.jsonl", "valid.json", "validation.txt", "validation.parquet"]


@pytest.mark.parametrize("name", FILES)
def test_a_data_root_in_every_format_gives_the_same_sentences(places: Places, name: str) -> None:
    suffix = name.partition(".")[2]
    contents: dict[str, str | bytes] = {"jsonl": json_text(), "json": json_text(), "parquet": parquet_bytes()}
    path = put(places, name, contents.get(suffix, conll_text()))
    found = read(counted(card(), dev=3), places)
    assert found.sentences == EXPECTED
    assert found.origin == f"file:{path}"
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.key, found.split, found.repaired, found.dropped) == ("tiny:hau", "dev", 0, 0)
    assert found.fingerprint == corpus.Corpus("", "", "", EXPECTED, "", "").fingerprint


def test_a_seal_tells_everything_but_the_tags(places: Places) -> None:
    put(places, "test.txt", conll_text())
    known = card()
    sealed = corpus.seal(known, known.languages["hau"], "test", places, **READING)
    whole = read(known, places, "test")
    assert sealed.sentences == [sentence.words for sentence in EXPECTED]
    for name in (
        "dataset",
        "language",
        "split",
        "sha256",
        "fingerprint",
        "origin",
        "repaired",
        "dropped",
        "key",
    ):
        assert getattr(sealed, name) == getattr(whole, name)
    assert "B-PER" not in repr(sealed)


def test_a_seal_is_as_strict_as_reading(places: Places) -> None:
    path = put(places, "test.txt", "Kano B-TOWN\n")
    known = card()
    with pytest.raises(XnerError, match="B-TOWN"):
        corpus.seal(known, known.languages["hau"], "test", places, **READING)
    path.write_text("Kano B-LOC\n")
    known = counted(known, test=2)
    with pytest.raises(XnerError, match="has 1 sentences"):
        corpus.seal(known, known.languages["hau"], "test", places, **READING)


def test_fingerprints_tell_words_and_tags_apart(places: Places) -> None:
    sentences = [
        [Sentence(("a b",), ("O",))],
        [Sentence(("a", "b"), ("O", "O"))],
        [Sentence(("a b",), ("B-PER",))],
        [Sentence(("a",), ("O",)), Sentence(("b",), ("O",))],
        [Sentence(('a", "b',), ("O",))],
    ]
    assert len({corpus.Corpus("", "", "", one, "", "").fingerprint for one in sentences}) == len(sentences)


def test_tags_are_kept_where_the_suite_has_their_type(places: Places) -> None:
    put(places, "dev.txt", conll_text())
    assert read(card(), places, types=(*TYPES, "DATE"), harmonize={}).sentences[1].tags[1:3] == (
        "B-DATE",
        "I-DATE",
    )
    renamed = read(card(), places, types=("NAME", "DATE"), harmonize=dict.fromkeys(TYPES, "NAME"))
    assert renamed.sentences[0].tags == ("B-NAME", "O", "O", "B-NAME")


def test_a_type_that_no_suite_knows_names_file_and_line(places: Places) -> None:
    path = put(places, "dev.txt", conll_text())
    with pytest.raises(XnerError) as caught:
        read(card(), places, harmonize={})
    reason = "tag 'B-DATE' has a type that is not among LOC, ORG, PER; mend the tag, or add DATE to"
    reason += " the card's `types` and `harmonize` it (O drops it)"
    assert str(caught.value) == f"{path}:7: {reason}"


def test_an_unknown_tag_names_file_and_line(places: Places) -> None:
    path = put(places, "dev.conll", "Kano B-LOC\n\nin O\nKano Q-LOC\n")
    with pytest.raises(XnerError, match=r"dev\.conll:4: tag 'Q-LOC' is not of the scheme IOB2"):
        read(card(), places)
    path.unlink()
    put(places, "dev.jsonl", '\n{"tokens": ["in", "Kano"], "ner_tags": ["O", "LOC"]}\n')
    with pytest.raises(XnerError, match=r"dev\.jsonl:2: tag 'LOC' is not"):
        read(card(), places)


def test_repairs_and_empty_sentences_are_counted(places: Places) -> None:
    put(places, "dev.jsonl", json_text([*ROWS, ([], []), (["Kano", "Kano"], [6, 6])]))
    found = read(counted(card(), dev=4), places)
    assert found.sentences[-1].tags == ("B-LOC", "I-LOC")
    assert (found.repaired, found.dropped) == (1, 1)


def test_a_wrong_number_of_sentences_is_an_error_with_both(places: Places) -> None:
    path = put(places, "dev.txt", conll_text())
    with pytest.raises(XnerError) as caught:
        read(counted(card(), dev=2000), places)
    assert str(caught.value).startswith(f"tiny:hau dev has 3 sentences in file:{path}, its card says 2,000; use")


def test_two_files_for_one_split_are_an_error(places: Places) -> None:
    put(places, "dev.txt", conll_text())
    put(places, "validation.tsv", conll_text())
    with pytest.raises(XnerError, match=r"has two files for dev: dev\.txt and validation\.tsv; keep the one"):
        read(card(), places)


def test_norwegian_is_a_language(places: Places) -> None:
    put(places, "dev.txt", conll_text(), language="no")
    known = card()
    assert corpus.read(known, known.languages["no"], "dev", places, **READING).key == "tiny:no"


def test_another_folder_and_prefixes_by_the_card(places: Places) -> None:
    put(places, "dev.txt", "hau:Kano B-LOC\n", dataset="elsewhere")
    known = card(local={"folder": "elsewhere", "prefix": "{language}:"})
    assert read(known, places).sentences == [Sentence(("Kano",), ("B-LOC",))]


def test_a_split_that_is_nowhere_says_where_it_was_looked_for(places: Places) -> None:
    put(places, "dev.txt", conll_text())
    with pytest.raises(MissingSplit) as caught:
        read(card(), places, "test")
    assert (caught.value.dataset, caught.value.language, caught.value.split) == ("tiny", "hau", "test")
    looked = f"no test.* in {places.data_root}/tiny/hau, not in the cache {places.cache}"
    assert str(caught.value) == (
        f"tiny:hau has no test split: {looked};"
        " give its file with --data-root DIR, or `xner-bench data fetch tiny:hau` where there is a network"
    )
    with pytest.raises(MissingSplit, match=r"its card names no hub repository; give its file with --data-root DIR$"):
        read(card(hub=None), places, "test")
    assert not places.cache.exists()


def test_a_data_root_that_is_no_folder(places: Places) -> None:
    with pytest.raises(XnerError, match=r"the data root .*/root is no folder"):
        read(card(), places)


def test_bundled_corpora_need_no_place_and_are_always_the_same(tmp_path: Path) -> None:
    places = Places(None, tmp_path / "none", offline=True)
    bundled = [known for known in catalogue.load().cards.values() if known.bundled]
    assert bundled
    for known in bundled:
        language = next(iter(known.languages.values()))
        first, again = (corpus.read(known, language, "dev", places, types=known.types, harmonize={}) for _ in range(2))
        assert first == again
        assert (first.origin, first.repaired, first.dropped) == ("bundled", 0, 0)
        assert len(first.sha256) == 64


def test_all_real_files_hold_what_their_cards_say(nerdata: Path) -> None:
    known = catalogue.load().card("masakhaner")
    places = Places(nerdata, nerdata / "no-cache", offline=True)
    for language in known.languages.values():
        for split in catalogue.SPLITS:
            found = corpus.read(known, language, split, places, **READING)
            assert len(found.sentences) == language.count(split)
            assert all(len(words) == len(tags) for words, tags in found.sentences)
    assert corpus.read(known, known.languages["luo"], "train", places, **READING).sentences[0].words[0] == "Jii"


def test_repaired_gold_scores_alike_strictly_and_leniently(nerdata: Path) -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    known = catalogue.load().card("wikiann")
    places = Places(nerdata, nerdata / "no-cache", offline=True)
    raw = (nerdata / "wikiann" / "ja" / "dev.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    gold = [[line.rpartition("\t")[2] for line in block.split("\n")] for block in raw]
    found = corpus.read(known, known.languages["ja"], "dev", places, types=TYPES, harmonize={})
    assert found.repaired == 501
    assert get_entities(gold) == get_entities([list(sentence.tags) for sentence in found.sentences])
