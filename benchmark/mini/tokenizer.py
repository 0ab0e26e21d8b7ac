"""The mini encoder's tokenizer: subwords that are learnt from the mini text of all its languages alike."""

from __future__ import annotations

import json
from itertools import cycle, islice
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.mini.text import Line

START, PAD, END, UNKNOWN, MASK = SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # ids 0 to 4
VOCABULARY = 9_000  # subwords, special ones included: most words of the mini text are one or two
LINES_A_LANGUAGE = 2_000
LENGTH = 128  # subwords of the longest window


def train(text: Sequence[Line], size: int = VOCABULARY) -> Tokenizer:
    """Learn byte-pair merges inside words; the same text gives the same tokenizer.

    A word begins with the mark of a space, whether it comes alone or in running text, so that words that are split
    already give the same subwords. Characters that the text has not are the unknown subword.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, fuse_unk=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False, max_token_length=16
    )
    tokenizer.train_from_iterator(balanced(text), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A {END} {END} $B {END}",
        special_tokens=[(name, SPECIAL.index(name)) for name in (START, END)],
    )
    return tokenizer


def balanced(text: Sequence[Line]) -> Iterator[str]:
    """As many lines of each language, those of a scarce one over again."""
    of_language: dict[str, list[str]] = {}
    for line in text:
        of_language.setdefault(line.language, []).append(" ".join(line.words))
    for own in of_language.values():
        yield from islice(cycle(own), LINES_A_LANGUAGE)


def configuration() -> dict[str, object]:
    """What tokenizer_config.json says."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": LENGTH,
        "bos_token": START,
        "cls_token": START,
        "eos_token": END,
        "sep_token": END,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "mask_token": MASK,
        "clean_up_tokenization_spaces": False,
    }


def files(tokenizer: Tokenizer) -> dict[str, bytes]:
    """The tokenizer as the files that transformers reads."""
    settings = json.dumps(configuration(), indent=2, sort_keys=True) + "\n"
    return {
        "tokenizer.json": (tokenizer.to_str() + "\n").encode(),
        "tokenizer_config.json": settings.encode(),
    }
