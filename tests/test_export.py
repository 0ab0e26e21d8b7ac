"""A kept checkpoint is an ordinary transformers folder that says what the tagger says."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
import torch
from faults import files_no_larger_than
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from xner_bench import encode, export, predict
from xner_bench.encoder import Encoder, find
from xner_bench.errors import XnerError
from xner_bench.head import Head, LinearHead
from xner_bench.method import Method
from xner_bench.methods.slicer import Slicer
from xner_bench.methods.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xner_bench.method import Sizes

METHODS: dict[str, Method] = {
    "standard": Standard(),
    "slicer": Slicer(h=4),
    "slicer-frozen": Slicer(h=2, classifier="frozen", bias="shared_out"),
}
SENTENCES = [tuple(line.split()[:7]) for line in tiny.TEXT]


class LowerLayer(Method):
    """Reads another layer than the last."""

    def layers(self, depth: int) -> tuple[int, ...]:
        return (1,)


class TwoLayers(LinearHead):
    def as_linear(self) -> None:  # type: ignore[override]
        return None


class NotLinear(Method):
    """Has a head that no linear layer replaces."""

    def head(self, sizes: Sizes, tags: Sequence[str]) -> Head:
        return TwoLayers(sizes, len(tags))


def tagged(encoder: Encoder, tagger: Any, sentences: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Our tags of each sentence."""
    encoded = encode.encode(sentences, tiny.subwords(encoder))
    found = predict.tag(tagger, predict.Pool({"all": encoded}), "fp32")["all"]
    return [[tiny.TAGS[tag] for tag in part] for part in np.split(found, encoded.sentences[1:-1])]


def by_pipeline(recognise: Any, words: tuple[str, ...]) -> list[str]:
    """What transformers' pipeline says of the first subword of each word of the running text."""
    found = recognise(" ".join(words))
    marked = "Ġ" if any(one["word"][0] == "Ġ" for one in found) else "▁"
    if not any(one["word"][0] == marked for one in found):
        return [one["entity"] for one in found if not one["word"].startswith("##")]
    return [one["entity"] for one in found if one["word"][0] == marked]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "checkpoint"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlmr", "distilbert", "electra"])
def test_transformers_loads_the_folder_and_says_the_same(
    kind: str, name: str, encoders: tiny.Folders, folder: Path
) -> None:
    encoder = encoders.load(kind)
    tagger = tiny.tagger_for(encoder, METHODS[name])
    export.check(encoder, tagger)
    export.write(encoder, tagger, folder)
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert [model.config.id2label[number] for number in range(len(tiny.TAGS))] == list(tiny.TAGS)
    ours = tagged(encoder, tagger, SENTENCES)
    for words, tags in zip(SENTENCES, ours, strict=True):
        tokens = tokenizer(list(words), is_split_into_words=True, return_tensors="pt")
        with torch.inference_mode():
            best = model(**tokens).logits[0].argmax(-1).tolist()
        places = tokens.word_ids()
        assert [model.config.id2label[best[places.index(number)]] for number in range(len(words))] == tags
    assert len({tag for tags in ours for tag in tags}) > 2


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlmr"])
def test_the_pipeline_gives_our_tags(kind: str, encoders: tiny.Folders, folder: Path) -> None:
    encoder = encoders.load(kind)
    tagger = tiny.tagger_for(encoder, Slicer(h=4))
    export.write(encoder, tagger, folder)
    recognise = pipeline("token-classification", model=str(folder), ignore_labels=[], device="cpu")
    latin = [words for words in SENTENCES if " ".join(words).isascii()]
    assert len(latin) >= 4
    assert [by_pipeline(recognise, words) for words in latin] == tagged(encoder, tagger, latin)


def test_a_kept_checkpoint_is_an_encoder_again(encoders: tiny.Folders, folder: Path) -> None:
    encoder = encoders.load("xlmr")
    tagger = tiny.tagger_for(encoder, Standard())
    export.write(encoder, tagger, folder)
    again = Encoder(find(str(folder)), tiny.TAGS)
    theirs = again.transformer.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in tagger.transformer.state_dict().items())


def test_the_folder_holds_no_pickle_and_names_its_tags(encoders: tiny.Folders, folder: Path) -> None:
    encoder = encoders.load("bert")
    export.write(encoder, tiny.tagger_for(encoder, Standard()), folder)
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["id2label"] == {str(number): tag for number, tag in enumerate(tiny.TAGS)}
    assert config["label2id"] == {tag: number for number, tag in enumerate(tiny.TAGS)}
    assert load_file(folder / "model.safetensors")["classifier.weight"].shape == (len(tiny.TAGS), tiny.HIDDEN)


def test_a_new_checkpoint_takes_the_place_of_the_old_one(encoders: tiny.Folders, folder: Path) -> None:
    encoder = encoders.load("bert")
    export.write(encoder, tiny.tagger_for(encoder, Standard(), seed=1), folder)
    (folder / "left.over").write_text("", "utf-8")
    second = tiny.tagger_for(encoder, Standard(), seed=2)
    export.write(encoder, second, folder)
    written = load_file(folder / "model.safetensors")["classifier.weight"]
    assert torch.equal(written, second.head.as_linear().weight)  # type: ignore[union-attr]
    assert [path.name for path in folder.parent.iterdir()] == ["checkpoint"]
    assert not (folder / "left.over").exists()


def test_others_may_read_it(encoders: tiny.Folders, folder: Path) -> None:
    encoder = encoders.load("bert")
    export.write(encoder, tiny.tagger_for(encoder, Standard()), folder)
    (folder.parent / "beside").mkdir()
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((folder.parent / "beside").stat().st_mode)


@pytest.mark.parametrize("method", [NotLinear(), LowerLayer()])
def test_heads_that_are_no_linear_layer_on_the_last_state_are_refused(method: Method, encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    with pytest.raises(
        XnerError, match=r"^--keep-checkpoint: .* is no linear layer on the last state; leave the flag out$"
    ):
        export.check(encoder, tiny.tagger_for(encoder, method))


def test_an_encoder_with_more_between_itself_and_its_classifier_is_refused(encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder, Standard())
    encoder.whole.dropout = torch.nn.Tanh()  # as RoBERTa-like kinds with a dense layer before their classifier
    with pytest.raises(XnerError, match=r"puts more than a linear layer on its encoder; leave the flag out$"):
        export.check(encoder, tagger)


def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(encoders: tiny.Folders, folder: Path) -> None:
    encoder = encoders.load("bert")
    tagger = tiny.tagger_for(encoder, Standard())
    export.write(encoder, tagger, folder)
    before = sorted(path.name for path in folder.iterdir())
    with (
        pytest.raises(XnerError, match=r"^cannot write checkpoint .*; free some space") as error,
        files_no_larger_than(900),
    ):
        export.write(encoder, tagger, folder)
    assert "\n" not in str(error.value)
    assert [path.name for path in folder.parent.iterdir()] == ["checkpoint"]
    assert sorted(path.name for path in folder.iterdir()) == before
