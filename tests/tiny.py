"""Tiny encoders made on the spot: random weights, and real tokenizers of the kinds that people use.

A kind is a folder as the hub has it: config.json, model.safetensors, tokenizer.json, tokenizer_config.json.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from xner_bench import encode, tagger
from xner_bench.encoder import Encoder, Pretrained, silenced
from xner_bench.method import Method
from xner_bench.settings import Training
from xner_bench.tags import tag_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from xner_bench.encode import Encoded, SubwordEncoder
    from xner_bench.tagger import Tagger

TYPES = ("PER", "ORG", "LOC")
TAGS = tag_names(TYPES)
LENGTH = 64  # subwords in the longest window of every tiny encoder
HIDDEN, DEPTH = 16, 2
TEXT = (
    "Amina Yusuf lives in Kano and works for Radio Kano .",
    "The river Rhine flows from Switzerland through Germany to the North Sea .",
    "In 1998 the University of Lagos opened a library near Lake Chad .",
    "Анна Петрова родилась в Москве и работает в Казанском университете .",
    "अमिता शर्मा दिल्ली में रहती हैं और विश्वविद्यालय में पढ़ाती हैं ।",
    "ولدت ليلى حسن في القاهرة وتعمل في جامعة الخرطوم .",
    "አበበ ቢቂላ በአዲስ አበባ ይኖራል ።",
    "Η Μαρία Παπαδοπούλου ζει στην Αθήνα .",
    "李 小 龙 在 北 京 大 学 读 书 。",
    "Ọlá ń gbé ní Ìbàdàn , ó sì ń ṣiṣẹ́ ní Yunifásítì Ìlọrin .",
    "Juma anaishi Dar es Salaam na anafanya kazi Benki Kuu ya Tanzania .",
)
# Words that tokenizers stumble over.
INVISIBLE = ("", " ", "\t", "\n", "\x00", "\x85", *"\u00a0\u00ad\u200b\u200d\u200e\u200f\u2028\ufeff")
MARKS = ("\u0301", "e\u0301", "\u093f", "\ufffd", "\ue000", "👍", "👩🏽\u200d🚀", "🇳🇬", "...", "'s", *"#▁ĠĊ")
SPECIAL = ("<s>", "</s>", "<pad>", "<unk>", "<mask>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "a</s>b")
SPACED = ("\u200eKano", "Kano\ufeff", "New\u00a0York", "two words", " Kano", "Kano ", "▁Kano")
LETTERS = ("Kano", "University", "é", "ﬁ", "Ⅷ", "①", "ｱ", "İ", "ß", "北京大学", "አዲስ", "x" * 70, "ab" * 150)
NASTY = (*INVISIBLE, *MARKS, *SPECIAL, *SPACED, *LETTERS)


def byte_level(text: Sequence[str] = TEXT, size: int = 400) -> Tokenizer:
    """Byte-level BPE, as RoBERTa has it: without a space before a first word unless one asks for it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def word_piece(text: Sequence[str] = TEXT, size: int = 400) -> Tokenizer:
    """WordPiece, as multilingual BERT has it: control characters are dropped, letters keep their case."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        text, trainers.WordPieceTrainer(vocab_size=size, special_tokens=names, show_progress=False)
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def unigram(text: Sequence[str] = TEXT, size: int = 300) -> Tokenizer:
    """Unigram, as XLM-R has it: a space before every word, and a normalizer that drops what is invisible."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        text,
        trainers.UnigramTrainer(vocab_size=size, special_tokens=names, unk_token="<unk>", show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


TOKENIZERS = {"byte-level": byte_level, "word-piece": word_piece, "unigram": unigram}
BERT_NAMES = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
ROBERTA_NAMES = {
    **{f"{name}_token": f"<{name}>" for name in ("pad", "unk", "mask")},
    **dict.fromkeys(("bos_token", "cls_token"), "<s>"),
    **dict.fromkeys(("eos_token", "sep_token"), "</s>"),
}
BERT_LIKE = {"do_lower_case": False, **BERT_NAMES}
# kind -> transformers' model type, tokenizer, tokenizer_config.json
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("bert", "word-piece", {"tokenizer_class": "BertTokenizer", **BERT_LIKE}),
    "roberta": ("roberta", "byte-level", {"tokenizer_class": "RobertaTokenizer", **ROBERTA_NAMES}),
    "xlmr": ("xlm-roberta", "unigram", {"tokenizer_class": "PreTrainedTokenizerFast", **ROBERTA_NAMES}),
    "distilbert": ("distilbert", "word-piece", {"tokenizer_class": "DistilBertTokenizer", **BERT_LIKE}),
    "electra": ("electra", "word-piece", {"tokenizer_class": "ElectraTokenizer", **BERT_LIKE}),
}
DISTILBERT_WORDS = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim",
}


@cache
def trained(name: str) -> str:
    """A tokenizer's tokenizer.json; each is trained once."""
    return TOKENIZERS[name]().to_str()


def configuration(kind: str, vocabulary: int, **changed: Any) -> Any:
    """A transformers configuration of a tiny encoder, its special ids as the tokenizers above give them."""
    model_type = KINDS[kind][0]
    roberta = "roberta" in model_type
    facts: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": LENGTH + (2 if roberta else 0),
        "pad_token_id": 1 if roberta else 0,
        "initializer_range": 0.2,  # large, so that a random encoder's tags vary
    }
    if model_type == "distilbert":
        facts = {DISTILBERT_WORDS.get(name, name): value for name, value in facts.items()}
    if model_type == "electra":
        facts["embedding_size"] = 8
    return transformers.AutoConfig.for_model(model_type, **{**facts, **changed})


def write(kind: str, folder: Path, text: str = "", **changed: Any) -> Path:
    """Write a tiny encoder of a kind. `text` is another tokenizer.json; `changed` goes into the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    text = text or trained(KINDS[kind][1])
    config = configuration(kind, len(json.loads(text)["model"]["vocab"]), **changed)
    torch.manual_seed(0)
    with silenced():
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(text, "utf-8")
    settings = {**KINDS[kind][2], "model_max_length": LENGTH}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return folder


class Folders:
    """The tiny encoders' folders, each written when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __getitem__(self, kind: str) -> Path:
        folder = self.root / kind
        return folder if folder.is_dir() else write(kind, folder)

    def load(self, kind: str) -> Encoder:
        """A fresh copy of an encoder with a head's place for `TAGS`."""
        return Encoder(Pretrained(kind, self[kind], None), TAGS)


def subwords(encoder: Encoder, length: int = LENGTH) -> SubwordEncoder:
    """How the engine sets up an encoder's tokenizer."""
    return encode.subword_encoder(encoder.tokenizer, min(length, encoder.room))


def tagger_for(encoder: Encoder, method: Method | None = None, seed: int = 1, dropout: float = 0.1) -> Tagger:
    """A tagger whose random head says every tag now and then."""
    built = tagger.build(encoder.transformer, encoder.sizes(dropout), method or Method(), TAGS, seed, encoder.layout())
    return built.eval()


def corpus(seed: int, sentences: int, longest: int = 12) -> list[tuple[str, ...]]:
    """Random sentences from the words of `TEXT`, an empty one among them now and then."""
    words = [word for line in TEXT for word in line.split()]
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, longest + 1, sentences).tolist()
    return [tuple(words[n] for n in draw.integers(0, len(words), length)) for length in lengths]


def gold(encoded: Encoded, seed: int = 0) -> NDArray[np.int64]:
    """Random tag ids, one a word."""
    return np.random.default_rng(seed).integers(0, len(TAGS), encoded.n_words)


def offsets(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Where sentences of these lengths begin, and where the last one ends."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64)


def training(**changed: Any) -> Training:
    """Settings of the common loop, small."""
    facts: dict[str, Any] = {
        "epochs": 2,
        "lr": 1e-3,
        "batch_size": 4,
        "weight_decay": 0.05,
        "warmup": 0.1,
        "clip": 1.0,
        "dropout": 0.0,
        "max_length": LENGTH,
        "precision": "fp32",
        "subword_labels": "first",
    }
    return Training(**{**facts, **changed})
