"""xner-bench's side of the comparisons: its own engine, driven one batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xner_bench import batches, device, encode, predict, tagger, vocabulary
from xner_bench.encoder import Encoder, Pretrained
from xner_bench.methods.standard import Standard
from xner_bench.settings import Training
from xner_bench.tags import tag_names
from xner_bench.train import FILLED, SUBWORDS_AT_ONCE, Stepper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xner_bench.encode import Encoded

TAGS = tag_names(("PER", "ORG", "LOC"))


def training(precision: str, dropout: float) -> Training:
    """As the Trainer is set up, with dropout on the head's states."""
    return Training(
        epochs=1,
        lr=2e-5,
        batch_size=32,
        weight_decay=0.01,
        warmup=0.1,
        clip=1.0,
        dropout=dropout,
        max_length=512,
        precision=precision,  # type: ignore[arg-type]
        subword_labels="first",
    )


class Ours:
    """A tagger with standard fine-tuning, and a corpus to train it on."""

    def __init__(
        self,
        folder: Path,
        sentences: list[list[str]],
        tags: list[list[int]],
        *,
        precision: str = "fp32",
        steps: int,
        dropout: float | None = None,
    ) -> None:
        encoder = Encoder(Pretrained(folder.name, folder, None), TAGS)
        if dropout is not None:
            for module in encoder.transformer.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = dropout
        settings = training(precision, 0.1 if dropout is None else dropout)
        sizes = encoder.sizes(settings.dropout)
        layout = encoder.layout()
        self.tagger = tagger.build(encoder.transformer, sizes, Standard(), TAGS, seed=42, layout=layout)
        self.tagger.head.as_linear().load_state_dict(encoder.whole.classifier.state_dict())  # as the Trainer has it
        self.subword_encoder = encode.subword_encoder(encoder.tokenizer, min(settings.max_length, encoder.room))
        self.encoded = encode.encode(sentences, self.subword_encoder)
        vocabulary.compact(encoder.transformer, np.unique(self.encoded.ids), layout, encoder.room)
        self.window = _window_of_words(self.encoded)
        self.gold = torch.tensor([tag for sentence in tags for tag in sentence])
        self.precision = precision
        self.stepper = Stepper(self.tagger, Standard(), settings, steps)

    def windows(self, chosen: Sequence[int]) -> np.ndarray:
        """Windows of some sentences."""
        words = self.encoded.sentences
        found = np.unique(self.window[np.concatenate([np.arange(words[at], words[at + 1]) for at in chosen])])
        return found[found >= 0]

    def step(self, chosen: Sequence[int]) -> float:
        """One optimizer step on these sentences; returns the loss."""
        device.keep_memory()  # as a run does
        self.tagger.train()
        windows = self.windows(chosen)
        parts = batches.by_length(self.encoded, windows, SUBWORDS_AT_ONCE["cpu"], False, FILLED["cpu"])
        return self.stepper.step([(part, self.gold[part.word]) for part in parts])[0]

    def tag(self, sentences: list[list[str]]) -> list[list[int]]:
        """One tag id a word, tokenizing included."""
        device.keep_memory()
        encoded = encode.encode(sentences, self.subword_encoder)
        tags = predict.tag(self.tagger, predict.Pool({"": encoded}), self.precision)[""]
        return [part.tolist() for part in np.split(tags, encoded.sentences[1:-1])]

    def subwords(self, chosen: Sequence[int]) -> int:
        """Subwords of some sentences, special ones included."""
        return int(np.diff(self.encoded.windows)[self.windows(chosen)].sum())


def _window_of_words(encoded: Encoded) -> np.ndarray:
    """The window that each word is in; -1 for words that nobody sees."""
    found = np.full(encoded.n_words, -1)
    window = np.repeat(np.arange(encoded.n_windows), np.diff(encoded.windows))
    found[encoded.word[encoded.first]] = window[encoded.first]
    return found
