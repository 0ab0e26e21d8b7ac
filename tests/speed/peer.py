"""The usual way: transformers' Trainer, set up as its example run_ner.py does."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from recipe import BATCH, CLIP, DECAY, LR, WARMUP
from sentences import TAGS
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from xner_bench import device
from xner_bench.encoder import silenced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IGNORED = -100

Features = list[dict[str, list[int]]]


class Clock(TrainerCallback):
    """Notes when each step begins, and when the last one ends."""

    def __init__(self) -> None:
        self.begins: list[float] = []
        self.end = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.begins.append(perf_counter())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.end = perf_counter()

    @property
    def steps(self) -> list[float]:
        """Seconds from each step's begin to the next one's."""
        ends = [*self.begins[1:], self.end]
        return [end - begin for begin, end in zip(self.begins, ends, strict=True)]


class Peer:
    """A token-classification model of transformers with its tokenizer."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        """`scratch` is a folder that the Trainer may write into."""
        names = {"id2label": dict(enumerate(TAGS)), "label2id": {tag: number for number, tag in enumerate(TAGS)}}
        with silenced():
            self.classifier = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32, **names)
            self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.scratch = scratch

    def features(self, sentences: Sequence[list[str]], tags: Sequence[list[int]]) -> Features:
        """Subword ids and labels: a word's first subword has its tag, all others are ignored."""
        return _features(self._coded(sentences), tags)

    def _coded(self, sentences: Sequence[list[str]]) -> Any:
        return self.tokenizer(list(sentences), is_split_into_words=True, truncation=True)

    def train(self, features: Features, *, shuffled: bool = False) -> list[float]:
        """One epoch in batches of `BATCH`, in the order given or shuffled; returns the seconds of each step."""
        device.keep_memory(False)  # as in a process without us
        clock = Clock()
        order = "random" if shuffled else "sequential"
        trainer = self._trainer(train_dataset=features, callbacks=[clock], train_sampling_strategy=order)
        trainer.train()
        return clock.steps

    def tag(self, sentences: Sequence[list[str]], batch: int) -> list[list[int]]:
        """From words to one tag id a word; words that the encoder never sees have O."""
        device.keep_memory(False)
        coded = self._coded(sentences)
        features = _features(coded, [[0] * len(words) for words in sentences])
        found = self._trainer(per_device_eval_batch_size=batch).predict(features)
        best = found.predictions.argmax(-1)
        tags = []
        for at, (words, row, labels) in enumerate(zip(sentences, best, found.label_ids, strict=True)):
            seen = dict.fromkeys(word for word in coded.word_ids(at) if word is not None)
            own = [0] * len(words)
            for word, tag in zip(seen, row[labels != IGNORED].tolist(), strict=True):
                own[word] = tag
            tags.append(own)
        return tags

    def fits(self, sentences: Sequence[list[str]]) -> list[bool]:
        """Which sentences reach the encoder whole; the Trainer cuts off what is beyond its length."""
        return [len(ids) < self.tokenizer.model_max_length for ids in self._coded(sentences)["input_ids"]]

    def _trainer(self, callbacks: Sequence[TrainerCallback] = (), train_dataset: Any = None, **given: Any) -> Any:
        arguments = TrainingArguments(
            output_dir=str(self.scratch),
            use_cpu=True,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=LR,
            weight_decay=DECAY,
            warmup_steps=WARMUP,  # below 1 it is a share of the steps
            lr_scheduler_type="linear",
            max_grad_norm=CLIP,
            bf16=False,
            report_to="none",
            save_strategy="no",
            eval_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            **given,
        )
        trainer = Trainer(
            model=self.classifier,
            args=arguments,
            train_dataset=train_dataset,
            data_collator=DataCollatorForTokenClassification(self.tokenizer),
            processing_class=self.tokenizer,
            callbacks=list(callbacks),
        )
        trainer.remove_callback(PrinterCallback)  # our output is a table
        return trainer


def _features(coded: Any, tags: Sequence[list[int]]) -> Features:
    rows = []
    for at, own in enumerate(tags):
        labels, before = [], None
        for word in coded.word_ids(at):
            labels.append(IGNORED if word is None or word == before else own[word])
            before = word
        rows.append({**{name: coded[name][at] for name in coded}, "labels": labels})
    return rows
