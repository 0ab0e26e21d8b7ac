"""A small world: a data set from outside the package, a suite on it, a tiny random encoder. A run takes a second."""

from __future__ import annotations

import contextlib
import io
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from xner_bench import catalogue, cli
from xner_bench.encoder import silenced
from xner_bench.settings import Execution
from xner_bench.settle import settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xner_bench.settings import RunSettings

CARD = """\
name: villages
title: Villages, invented
about: Sentences about people who move between villages
licence: CC0-1.0
homepage: https://example.org
cite: nobody
notice: invented for a test
types: [PER, LOC, DATE]
harmonize: {DATE: O}
languages:
  en: {iso639_3: eng, train: 64, dev: 16, test: 24}
  sw: {iso639_3: swa, dev: 16, test: 24}
  no: {iso639_3: nor, name: Norwegian, script: Latn, family: Indo-European, dev: 16, test: 24}
"""
SUITE = """\
name: small
title: Small
about: English to two languages
reference: nobody
notice: for testing only
encoder: mini
source: villages:en
targets: [villages:en, villages:sw, villages:no]
types: [PER, LOC]
training: {epochs: 4, lr: 1e-2, batch_size: 16, weight_decay: 0.05, warmup: 0.1, clip: null, dropout: 0.1,
  max_length: 64, precision: fp32, subword_labels: first, seed: 42}
"""
NAMES = ("Amina", "Bisi", "Chidi", "Dada")
FAMILY_NAMES = ("Okoro", "Diallo")
PLACES = ("Kano", "Lagos", "Moshi", "Narok")
SAID = {"en": ("lives in", "left"), "sw": ("anaishi", "ametoka"), "no": ("bor i", "forlot")}
SIZES = {"train": 64, "dev": 16, "test": 24}
PIECES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789."


torch.set_num_threads(1)  # on tensors this small more threads only wait for each other


class Answer(NamedTuple):
    """What a command said and how it ended."""

    status: int
    out: str
    err: str


def call(*argv: object) -> Answer:
    """Run a command line in this process. Bugs come through as they are."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(part) for part in argv])
            status: object = 0
        except SystemExit as end:
            status = end.code
    return Answer(int(status or 0) if not isinstance(status, str) else 1, out.getvalue(), err.getvalue())


def start(*argv: object, env: Mapping[str, str] | None = None, **how: Any) -> subprocess.Popen[str]:
    """The same in a process of its own, with one thread and no network but the one that is here anyway."""
    own = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **(env or {})}
    command = [sys.executable, "-W", "error", "-m", "xner_bench", *map(str, argv)]
    return subprocess.Popen(
        command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **how
    )


def end(process: subprocess.Popen[str]) -> Answer:
    """Wait for a process."""
    out, err = process.communicate(timeout=120)
    return Answer(process.returncode, out, err)


@dataclass(frozen=True)
class Small:
    """The folders of the small world."""

    folder: Path

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def encoder(self) -> Path:
        return self.folder / "tiny"

    def argv(self, results: Path, *more: object, method: str = "standard") -> list[str]:
        """A command line that runs the suite `small`."""
        where = ("--catalogue", self.catalogue, "--data-root", self.data, "--encoder", self.encoder)
        usual = ("run", "--suite", "small", "--method", method, *where, "--results", results, "--device", "cpu")
        return [str(part) for part in (*usual, "--quiet", *more)]

    def settings(self, method: str = "standard", **changes: Any) -> RunSettings:
        """The same as settings."""
        known = catalogue.load([self.catalogue])
        return settle(known, "small", method, **{"encoder": str(self.encoder), **changes})

    def execution(self, results: Path, **changes: Any) -> Execution:
        """Where such a run is carried out."""
        base = {"results": results, "data_root": self.data, "catalogue": (self.catalogue,), "device": "cpu"}
        return Execution(**{**base, **changes})


def build(folder: Path) -> Small:
    """Write card, suite, corpora and encoder."""
    small = Small(folder)
    (small.catalogue / "suites").mkdir(parents=True)
    (small.catalogue / "villages.yaml").write_text(CARD, "utf-8")
    (small.catalogue / "suites" / "small.yaml").write_text(SUITE, "utf-8")
    for language in SAID:
        for split, size in SIZES.items():
            if split != "train" or language == "en":
                write_split(small.data, language, split, corpus(language, split, size))
    write_encoder(small.encoder)
    return small


def write_split(root: Path, language: str, split: str, sentences: Sequence[Sequence[tuple[str, str]]]) -> None:
    """One split as CoNLL in a data root's layout."""
    path = root / "villages" / language / f"{split}.conll"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("".join(f"{w} {t}\n" for w, t in one) for one in sentences), "utf-8")


def corpus(language: str, split: str, size: int) -> list[list[tuple[str, str]]]:
    """Sentences of a split: the same for the same arguments."""
    draw = random.Random(f"{language} {split}")
    return [_sentence(draw, language) for _ in range(size)]


def _sentence(draw: random.Random, language: str) -> list[tuple[str, str]]:
    person = [(draw.choice(NAMES), "B-PER")]
    if draw.random() < 0.5:
        person.append((draw.choice(FAMILY_NAMES), "I-PER"))
    verb = [(word, "O") for word in draw.choice(SAID[language]).split()]
    date = [(str(draw.randint(1990, 2020)), "B-DATE")] if draw.random() < 0.3 else []
    return [*person, *verb, (draw.choice(PLACES), "B-LOC"), *date, (".", "O")]


def write_encoder(folder: Path, *, hidden: int = 32, layers: int = 1) -> None:
    """A random BERT whose WordPiece tokenizer knows names as wholes and other words by their letters."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*PIECES, *(f"##{letter}" for letter in PIECES)]
    words = {word: at for at, word in enumerate([*specials, *letters, *NAMES, *PLACES])}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = [("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.1,
    )
    with silenced():
        BertForTokenClassification(config).save_pretrained(folder)
