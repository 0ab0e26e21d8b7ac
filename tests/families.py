"""Tiny random transformers of many families, and corpora of random subwords for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import tiny
import torch
import transformers

from xner_bench import batches, layout, tagger
from xner_bench.encode import Encoded
from xner_bench.encoder import silenced
from xner_bench.method import Sizes
from xner_bench.methods.standard import Standard
from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xner_bench.batches import Batch
    from xner_bench.layout import Layout
    from xner_bench.method import Method
    from xner_bench.tagger import Tagger

VOCABULARY, ROOM, PAD, HIDDEN, DEPTH = 90, 48, 1, 32, 2
ALL = tuple(range(DEPTH + 1))  # layers
# Longer together than any of the transformers takes, the longest beyond every sliding window, the shortest one word.
LENGTHS = (3, 40, 9, 23, 5, 40, 12, 3, 30, 13)
# Each is packed by layout.choose: what differs from FACTS; the model type is the name up to a space.
PACKED: dict[str, dict[str, Any]] = {
    "xlm-roberta": {"max_position_embeddings": ROOM + PAD + 1},
    "roberta": {"max_position_embeddings": ROOM + PAD + 1},
    "camembert": {"max_position_embeddings": ROOM + PAD + 1},
    "bert": {},
    "distilbert": {},
    "electra": {"embedding_size": HIDDEN},
    "electra with small embeddings": {"embedding_size": 8},
    "albert": {"embedding_size": 8},
    "modernbert": {
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
        **dict.fromkeys(("cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id"), 2),
    },
    "nomic_bert": {},
    "eurobert": {"num_key_value_heads": 2, "mask_token_id": 4},  # heads of queries share those of keys
}
# Each is padded.
PADDED: dict[str, dict[str, Any]] = {
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False},
    "rembert": {"input_embedding_size": 8},
    "mpnet": {"max_position_embeddings": ROOM + PAD + 1},
    "llama": {},  # a decoder: a subword sees those before it alone
}
FAMILIES = {**PACKED, **PADDED}
FACTS: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": ROOM,
    "pad_token_id": PAD,
    "initializer_range": 0.2,
}
SCORES = re.compile(r"\b(query|key|query_proj|key_proj|q_lin|k_lin|q_proj|k_proj|q|k|Wqkv|qkv)\.weight$")


class Notes(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def transformer(family: str, seed: int = 0, **changed: Any) -> Any:
    """One without dropout, in evaluation mode. Its scores of attention are large, so that a wrong mask shows."""
    facts = {**FACTS, **FAMILIES[family], **changed}
    if family == "distilbert":
        facts = {tiny.DISTILBERT_WORDS.get(name, name): value for name, value in facts.items()}
    config = transformers.AutoConfig.for_model(family.partition(" ")[0], **facts)
    for name, value in list(vars(config).items()):
        if "dropout" in name and isinstance(value, float):
            setattr(config, name, changed.get(name, 0.0))
    torch.manual_seed(seed)
    with silenced():
        made = transformers.AutoModelForTokenClassification.from_config(config).base_model.eval()
    sharpen(made)
    return made


def sharpen(made: Any) -> None:
    """Give the products of queries and keys weights with which attention is far from even."""
    scores = [weight for name, weight in made.named_parameters() if SCORES.search(name)]
    assert scores
    for weight in scores:
        torch.nn.init.normal_(weight, std=2 / HIDDEN**0.5)


def chosen(made: Any, watch: Watch | None = None) -> Layout:
    """The layout that the engine finds for a transformer."""
    return layout.choose(made, PAD, ROOM, watch or Watch())


def corpus(lengths: Sequence[int] = LENGTHS, seed: int = 0, pieces: int = 3, subwords: int = VOCABULARY) -> Encoded:
    """Windows of these lengths: random words of one to `pieces` of the first `subwords`, special ones around them."""
    draw = np.random.default_rng(seed)
    ids, word, words, sentences = [], [], 0, [0]
    for length in lengths:
        new = np.cumsum(draw.integers(0, pieces, length - 2) == 0)  # one in `pieces` begins a word
        inner = words + new - new[0]
        ids += [0, *draw.integers(PAD + 4, subwords, length - 2).tolist(), 2]
        word += [-1, *inner.tolist(), -1]
        words = int(inner[-1]) + 1
        sentences.append(words)
    return Encoded(
        np.array(ids, np.int32), np.array(word, np.int64), tiny.offsets(lengths), np.array(sentences, np.int64), 0
    )


def everything(encoded: Encoded, filled: float = 1.0) -> Batch:
    """All windows of a corpus as one batch."""
    return batches.lay_out(encoded, np.arange(encoded.n_windows), every_subword=False, filled=filled)


def tagged(encoded: Encoded, batch: Batch) -> tuple[Batch, Tensor]:
    """A batch with random tags of its words."""
    return batch, torch.from_numpy(tiny.gold(encoded))[batch.word]


def tagger_for(made: Any, way: Layout, method: Method | None = None) -> Tagger:
    """A tagger without dropout whose random head says every tag now and then."""
    return tagger.build(made, Sizes(HIDDEN, DEPTH, 0.0, 0.2), method or Standard(), tiny.TAGS, 1, way)
