"""BitFit trains the encoder's biases and the head, and leaves every other bit as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import families
import pytest
import small as worlds
import torch
from prepared import TRAIN, changed, prepared
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from xner_bench import registry, vocabulary
from xner_bench.errors import XnerError
from xner_bench.methods.bitfit import Bitfit, biases
from xner_bench.methods.share import share

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT_BIASES = ("modernbert", "eurobert", "llama")
WITH_BIASES = [family for family in families.FAMILIES if family not in WITHOUT_BIASES]


def idle(name: str) -> bool:
    """Whether a bias moves every score of attention alike, and so nothing: keys' biases have no gradient but noise."""
    return name.endswith(("key.bias", "k_lin.bias", "key_proj.bias", "k.bias"))


@pytest.mark.parametrize("family", WITH_BIASES)
def test_biases_and_the_head_change_and_nothing_else(family: str) -> None:
    built = prepared(family, Bitfit())
    wanted = {name for name, _ in built.named_parameters() if name.endswith("bias") or name.startswith("head.")}
    assert {name for name, one in built.named_parameters() if one.requires_grad} == wanted
    found = changed(built, Bitfit())
    assert found <= wanted
    assert {name for name in wanted - found if not idle(name)} == set()
    assert {"head.linear.weight", "head.linear.bias"} < found


def test_no_row_of_the_embedding_changes_or_decays() -> None:
    built = prepared("xlm-roberta", Bitfit())
    embedding = vocabulary.found(built)
    assert embedding is not None
    before = embedding.whole().weight
    changed(built, Bitfit())
    assert torch.equal(embedding.whole().weight, before)
    assert float(embedding.factor) == 1


def test_no_gradient_is_computed_for_what_is_frozen() -> None:
    built = prepared("bert", Bitfit()).train()
    built.loss(*families.tagged(TRAIN, families.everything(TRAIN))).backward()
    trained = {id(parameter) for parameter in Bitfit().trainable(built)}
    assert all((parameter.grad is not None) == (id(parameter) in trained) for parameter in built.parameters())


def test_the_share_is_the_papers() -> None:
    """0.08 % of BERT large (Table 1)."""
    config = BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
    with torch.device("meta"):
        encoder = BertModel(config)
    part = sum(one.numel() for one in biases(encoder)) / sum(one.numel() for one in encoder.parameters())
    assert round(100 * part, 2) == 0.08


def test_a_kept_checkpoint_differs_from_the_encoder_in_biases_alone(tmp_path: Path) -> None:
    small = worlds.build(tmp_path / "world")
    answer = worlds.call(*small.argv(tmp_path / "results", "--keep-checkpoint", method="bitfit"))
    assert answer.status == 0, answer.err
    (kept,) = (tmp_path / "results").glob("runs/*/checkpoint/model.safetensors")
    ours, before = load_file(kept), load_file(small.encoder / "model.safetensors")
    assert ours.keys() == before.keys()
    differing = {name for name in ours if not torch.equal(ours[name], before[name])}
    assert {name for name in differing if not name.startswith("classifier.")} <= {n for n in ours if n.endswith("bias")}
    assert "bert.embeddings.LayerNorm.bias" in differing


def test_what_is_trained_is_counted_over_the_whole_vocabulary() -> None:
    built = prepared("bert", Bitfit())
    trained = sum(one.numel() for one in Bitfit().trainable(built))
    found = Bitfit().facts(built)
    vocabulary.expand(built.transformer)
    assert found == {"trained_parameters": trained, "parameters": sum(one.numel() for one in built.parameters())}
    assert found == share(built)


@pytest.mark.parametrize("family", WITHOUT_BIASES)
def test_an_encoder_without_biases_is_one_line(family: str) -> None:
    with pytest.raises(XnerError, match=r"^method 'bitfit' trains biases, and \w+ has none; choose another [^\n]*$"):
        prepared(family, Bitfit())


def test_a_head_that_is_frozen_in_part_stays_so() -> None:
    both = registry.make("bitfit+slicer", {"h": 8, "classifier": "frozen"})
    built: Any = prepared("bert", both)
    assert {name for name in changed(built, both) if name.startswith("head.")} == {"head.linear.bias"}


def test_another_method_that_chooses_what_is_trained_does_not_combine() -> None:
    with pytest.raises(XnerError, match="methods bitfit and lora both say what is trained"):
        registry.load("lora+bitfit")
