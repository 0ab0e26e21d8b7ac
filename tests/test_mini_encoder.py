"""The mini encoder that comes with the package: small, safe, made by the recorded command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer

from xner_bench import catalogue, encode, tags
from xner_bench.encoder import MINI, Encoder, find
from xner_bench.mini import generate, masking, pretrain, text, tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.catalogue import Split

FOLDER = pretrain.FOLDER
TAGS = tags.tag_names(("PER", "ORG", "LOC"))
MIB = 2**20
CARDS = ("mini-wikiann", "mini-masakhaner")


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((FOLDER / "pretraining.json").read_text("utf-8"))
    return recorded


@pytest.fixture(scope="module")
def lines(record: dict[str, Any]) -> list[text.Line]:
    """The text that the shipped encoder has read."""
    return text.lines(record["seed"])


@pytest.fixture(scope="module")
def short(lines: list[text.Line]) -> list[text.Line]:
    return lines[:: len(lines) // 400]


@pytest.fixture(scope="module")
def shipped() -> Encoder:
    return Encoder(find(MINI), TAGS)


def sentences(split: Split) -> list[tuple[str, tuple[str, ...]]]:
    """Language and words of every sentence of a split, in all the mini corpora."""
    cards = [catalogue.load().card(name) for name in CARDS]
    return [
        (language.code, sentence.words)
        for card in cards
        for language in card.languages.values()
        if language.count(split) is not None
        for sentence in generate.sentences(card.name, language.code, split)
    ]


def test_small(shipped: Encoder) -> None:
    assert shipped.parameters <= 3_000_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 4 * MIB
    weights = load_file(FOLDER / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    assert all(bool(weight.isfinite().all()) for weight in weights.values())


def test_plain_files() -> None:
    """Nothing in the folder can run code when it is loaded."""
    assert sorted(path.name for path in FOLDER.iterdir()) == [
        "config.json", "model.safetensors", "pretraining.json", "tokenizer.json", "tokenizer_config.json"
    ]  # fmt: skip
    config = json.loads((FOLDER / "config.json").read_text("utf-8"))
    assert "auto_map" not in config
    assert "id2label" not in config
    assert config["hidden_size"] % 8 == 0


def test_loads_as_any_encoder() -> None:
    """With plain transformers, and nothing new in it but the classifier."""
    transformer, found = AutoModelForTokenClassification.from_pretrained(
        FOLDER, use_safetensors=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
    )
    assert set(found["missing_keys"]) == {"classifier.weight", "classifier.bias"}
    assert not found["unexpected_keys"]
    assert not found["mismatched_keys"]
    assert transformer.base_model.config.hidden_dropout_prob == 0.1


def test_tokenizer() -> None:
    subwords = AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=False)
    assert subwords.is_fast
    assert subwords.model_max_length == tokenizer.LENGTH
    assert subwords.convert_ids_to_tokens(range(5)) == list(tokenizer.SPECIAL)
    stored = json.loads((FOLDER / "tokenizer.json").read_text("utf-8"))
    assert stored["truncation"] is None
    assert stored["padding"] is None
    words = ["Angela", "Merkel", "met", "Владимир", "in", "北", "京", "."]
    split = subwords(words, is_split_into_words=True)
    assert split.input_ids == subwords(" ".join(words)).input_ids
    assert sorted({word for word in split.word_ids() if word is not None}) == list(range(len(words)))


def test_room(shipped: Encoder) -> None:
    assert shipped.room == tokenizer.LENGTH
    assert shipped.pad == shipped.tokenizer.pad_token_id


def test_every_visible_word_has_subwords(shipped: Encoder) -> None:
    tested = [words for _, words in sentences("test")]
    encoded = encode.encode(tested, encode.subword_encoder(shipped.tokenizer, shipped.room))
    words = [word for sentence in tested for word in sentence]
    assert not [word for word, pieces in zip(words, encoded.pieces, strict=True) if word.isprintable() and not pieces]


def test_recorded(record: dict[str, Any], lines: list[text.Line]) -> None:
    """The folder was made from the text that the generator gives today, by the command's own defaults."""
    assert record["text"] == {"lines": len(lines), "sha256": text.sha256(lines)}
    assert (record["seed"], record["steps"]) == (pretrain.SEED, pretrain.STEPS)
    subwords = tokenizer.files(tokenizer.train(lines))
    assert {name: (FOLDER / name).read_bytes() for name in subwords} == subwords


@pytest.mark.parametrize("split", ["dev", "test"])
def test_text_holds_no_sentence_of_dev_or_test(split: Split, lines: list[text.Line]) -> None:
    """None of the same language; a heading that is a bare name may be the same word in another language's text."""
    read = {(line.language, tuple(line.words)) for line in lines}
    in_any_language = {words for _, words in read}
    held_out = sentences(split)
    assert held_out
    assert not read.intersection(held_out)
    assert all(len(words) <= 3 for _, words in held_out if words in in_any_language)


def test_made_again(short: list[text.Line], tmp_path: Path) -> None:
    """Equal arguments give equal bytes; another seed gives other weights."""
    for folder, seed in (("one", 1), ("two", 1), ("other", 2)):
        pretrain.make(tmp_path / folder, seed, 5, short)
    made = {
        folder: {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("one", "two", "other")
    }
    assert made["one"] == made["two"]
    assert made["one"]["model.safetensors"] != made["other"]["model.safetensors"]
    assert made["one"]["tokenizer.json"] == made["other"]["tokenizer.json"]
    assert Encoder(find(str(tmp_path / "one")), TAGS).room == tokenizer.LENGTH


def test_masks_whole_words(short: list[text.Line]) -> None:
    subwords = tokenizer.train(short, 600)
    encoded = masking.encode(short[:6], subwords)
    (batch,) = masking.batches(encoded, subwords.get_vocab_size(), 1, seed=3)
    before = batch.ids.clone()
    before.flatten()[batch.places] = batch.answers
    rows = [row[real.bool()].tolist() for row, real in zip(before, batch.real, strict=True)]
    assert sorted(rows) == sorted(line.ids.tolist() for line in encoded)  # the answers are what stood there
    assert 0.05 < len(batch.places) / int(batch.real.sum()) < 0.4
