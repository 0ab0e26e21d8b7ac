"""Encoders to measure with, written as folders like the hub's: random weights, a tokenizer trained on the spot.

Each folder is a token-classification model with its head, so that both sides load the very same weights.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sentences import TAGS
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForTokenClassification, BertConfig, XLMRobertaConfig

from xner_bench import encoder
from xner_bench.encoder import silenced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SUBWORDS = 12_000  # of the trained tokenizer: an English sentence has about as many as XLM-R gives it
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
LENGTH = 512
NAMES = {
    **{f"{name}_token": f"<{name}>" for name in ("pad", "unk", "mask")},
    **dict.fromkeys(("bos_token", "cls_token"), "<s>"),
    **dict.fromkeys(("eos_token", "sep_token"), "</s>"),
}


class Shape(NamedTuple):
    """An encoder's measures; without a configuration it is the package's own mini encoder."""

    about: str
    config: Any = None


SHAPES = {
    "base": Shape(
        "XLM-R base shape: 12 layers x 768, vocabulary 250,002, random weights",
        XLMRobertaConfig(
            vocab_size=250_002,
            max_position_embeddings=LENGTH + 2,
            type_vocab_size=1,
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=2,
        ),
    ),
    "small_384": Shape(
        "small: 6 layers x 384, vocabulary 30,522, random weights",
        BertConfig(
            vocab_size=30_522,
            hidden_size=384,
            num_hidden_layers=6,
            num_attention_heads=12,
            intermediate_size=1_536,
            max_position_embeddings=LENGTH,
            pad_token_id=1,
        ),
    ),
    "mini": Shape("mini: the encoder of the package, 3 layers x 128, vocabulary 9,000"),
}


def write(name: str, folder: Path, words: Sequence[Sequence[str]]) -> Path:
    """Write an encoder of a shape; `words` are the sentences that its tokenizer is trained on."""
    target = folder / name
    target.mkdir(parents=True)
    labels = {"id2label": dict(enumerate(TAGS)), "label2id": {tag: number for number, tag in enumerate(TAGS)}}
    torch.manual_seed(0)
    with silenced():
        if SHAPES[name].config is None:
            source = encoder.find(encoder.MINI).folder
            whole = AutoModelForTokenClassification.from_pretrained(source, dtype=torch.float32, **labels)
            whole.save_pretrained(target)
            for path in source.glob("tokenizer*"):
                shutil.copy(path, target)
        else:
            SHAPES[name].config.update(labels)
            AutoModelForTokenClassification.from_config(SHAPES[name].config).save_pretrained(target)
            write_tokenizer(target, words)
    return target


def write_tokenizer(folder: Path, words: Sequence[Sequence[str]]) -> None:
    """Train BPE on these sentences: a space before every word, <s> and </s> around a sentence."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=SUBWORDS, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator((" ".join(sentence) for sentence in words), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": LENGTH,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **NAMES,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


def lengths(folder: Path, words: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Subwords of each sentence, special ones included, cut at the encoder's length."""
    longest = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))["model_max_length"]
    coded = Tokenizer.from_file(str(folder / "tokenizer.json")).encode_batch(
        list(map(list, words)), is_pretokenized=True
    )
    return np.array([min(len(one.ids), longest) for one in coded])


def linear_shapes(folder: Path) -> list[tuple[int, int]]:
    """(inputs, outputs) of every linear layer of an encoder, its head left out."""
    from transformers import AutoConfig

    with torch.device("meta"):
        whole = AutoModelForTokenClassification.from_config(AutoConfig.from_pretrained(folder))
    layers = (module for module in whole.base_model.modules() if isinstance(module, torch.nn.Linear))
    return [(layer.in_features, layer.out_features) for layer in layers]
