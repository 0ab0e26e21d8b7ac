"""LoRA: updates where they belong, as the formula says; nothing else changes; in the end an ordinary encoder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import families
import numpy as np
import pytest
import small as worlds
import tiny
import torch
import transformers
from families import ALL, DEPTH, HIDDEN, PAD
from peft.tuners.lora import LoraLayer
from prepared import TRAIN, changed, everything, prepared
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForTokenClassification, RobertaConfig, RobertaModel

from xner_bench import conformance, export, layout, products, registry, tagger, vocabulary
from xner_bench.dropout import FastDropout
from xner_bench.errors import XnerError
from xner_bench.methods import adapters
from xner_bench.methods.lora import Lora
from xner_bench.methods.standard import Standard
from xner_bench.products import OneDnnLinear

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.tagger import Tagger

QUERY_AND_VALUE = {
    "distilbert": ("q_lin", "v_lin"),
    "deberta-v2": ("query_proj", "value_proj"),
    "mpnet": ("q", "v"),
    **dict.fromkeys(("nomic_bert", "eurobert", "llama"), ("q_proj", "v_proj")),
    "modernbert": ("Wqkv",),
}


def updates(built: Any) -> dict[str, Any]:
    """The layers that have an update, by name."""
    return {name: module for name, module in built.named_modules() if isinstance(module, LoraLayer)}


def learn(built: Any, seed: int = 3) -> None:
    """Give every B some values, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for layer in updates(built).values():
        layer.lora_B["default"].weight.data.normal_(std=0.3, generator=generator)


def states(built: Tagger) -> tuple[Tensor, ...]:
    batch = families.everything(TRAIN)
    return layout.states(built.transformer, batch, ALL, DEPTH, built.layout)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_queries_and_values_of_every_layer_get_an_update(family: str) -> None:
    names, wanted = list(updates(prepared(family, Lora()))), QUERY_AND_VALUE.get(family, ("query", "value"))
    assert {name.rpartition(".")[2] for name in names} == {*wanted}
    layers = 1 if family == "albert" else DEPTH  # whose layers are one
    assert len(names) == layers * len(wanted)
    assert all("att" in name for name in names)


def test_older_names_are_found_too() -> None:
    config = transformers.DebertaConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=9)
    made = transformers.DebertaModel(config)
    assert list(adapters.attention(made)) == ["encoder.layer.0.attention.self.in_proj"]


@pytest.mark.parametrize("family", families.FAMILIES)
def test_all_is_every_linear_layer(family: str) -> None:
    linear = {name for name, one in families.transformer(family).named_modules() if isinstance(one, nn.Linear)}
    assert {name.removeprefix("transformer.") for name in updates(prepared(family, Lora(where="all")))} == linear


@pytest.mark.parametrize("family", families.FAMILIES)
def test_training_begins_at_the_pretrained_encoder(family: str) -> None:
    assert all(map(torch.equal, states(prepared(family, Lora())), states(prepared(family, Standard()))))


@pytest.mark.parametrize("family", families.FAMILIES)
def test_updates_and_the_head_change_and_nothing_else(family: str) -> None:
    method = Lora(where="all", rank=4)
    built = prepared(family, method)
    wanted = {name for name, _ in built.named_parameters() if "lora_" in name or name.startswith("head.")}
    assert changed(built, method) == wanted
    embedding = vocabulary.found(built)
    assert embedding is not None and float(embedding.factor) == 1


@pytest.mark.parametrize("family", families.FAMILIES)
def test_an_update_is_what_the_formula_says(family: str) -> None:
    built = prepared(family, Lora(rank=4, alpha=6))
    learn(built)
    for layer in updates(built).values():
        a, b, base = layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.get_base_layer()
        assert (a.shape, b.shape) == ((4, base.in_features), (base.out_features, 4))
        x = torch.randn(5, base.in_features)
        bias = 0 if base.bias is None else base.bias
        torch.testing.assert_close(layer(x), x @ (base.weight + 6 / 4 * b @ a).T + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", families.PACKED)
def test_packed_and_padded_have_the_same_states(family: str) -> None:
    built = prepared(family, Lora(where="all"))
    learn(built)
    packed = states(built)
    built.layout = layout.Layout(False, 0, PAD)
    for one, other in zip(packed, states(built), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_first_weights_follow_from_the_seed_alone() -> None:
    def drawn(seed: int, before: int) -> dict[str, Tensor]:
        made = families.transformer("bert")
        built = families.tagger_for(made, families.chosen(made), Lora())
        torch.rand(before)
        tagger.prepare(built, Lora(), seed)
        return {name: value for name, value in everything(built).items() if "lora_A" in name}

    one, again, other = drawn(1, 0), drawn(1, 7), drawn(2, 0)
    assert one and all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_fast_products_stay_below_the_updates() -> None:
    if not products.available():
        pytest.skip("this torch has no oneDNN")
    made, method = families.transformer("xlm-roberta"), Lora(rank=2)
    products.install(made, large=HIDDEN**2)
    built = families.tagger_for(made, families.chosen(made), method)
    tagger.prepare(built, method, 1)
    assert {type(layer.get_base_layer()) for layer in updates(built).values()} == {OneDnnLinear}
    assert {type(layer.lora_A["default"]) for layer in updates(built).values()} == {nn.Linear}  # too small to gain
    learn(built)
    fast = states(built)
    for layer in updates(built).values():
        layer.get_base_layer().__class__ = nn.Linear
    for one, other in zip(fast, states(built), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_dropout_of_updates_is_drawn_like_the_rest() -> None:
    built = prepared("bert", Lora(adapter_dropout=0.5))
    own = [layer.lora_dropout["default"] for layer in updates(built).values()]
    assert {(type(one), one.p) for one in own} == {(FastDropout, 0.5)}
    learn(built)
    assert all(map(torch.equal, states(built), states(built)))
    built.train()
    assert not torch.equal(states(built)[-1], states(built)[-1])


@pytest.mark.parametrize("where", ["attention", "all"])
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlmr", "distilbert", "electra"])
def test_transformers_loads_what_is_kept_and_says_the_same(
    kind: str, where: Any, encoders: tiny.Folders, tmp_path: Path
) -> None:
    encoder, method = encoders.load(kind), Lora(where=where)
    names = set(encoder.whole.state_dict())
    built = tiny.tagger_for(encoder, method)
    export.check(encoder, built)
    vocabulary.compact(encoder.transformer, np.arange(50, dtype=np.int32), built.layout, encoder.room)
    tagger.prepare(built.eval(), method, 1)
    learn(built)
    ids = encoder.tokenizer("Amina Yusuf lives in Kano", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        ours = built.head.linear(built.transformer(input_ids=ids).last_hidden_state)  # type: ignore[operator]
    method.plain(built)
    export.write(encoder, built, tmp_path / "checkpoint")
    assert set(load_file(tmp_path / "checkpoint" / "model.safetensors")) == names
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "checkpoint")
    with torch.inference_mode():
        torch.testing.assert_close(model(input_ids=ids).logits, ours, rtol=1e-4, atol=1e-4)


def test_a_run_keeps_an_ordinary_checkpoint(tmp_path: Path) -> None:
    small = worlds.build(tmp_path / "world")
    answer = worlds.call(*small.argv(tmp_path / "results", "--keep-checkpoint", "--rank", 4, method="lora"))
    assert answer.status == 0, answer.err
    (kept,) = (tmp_path / "results").glob("runs/*/checkpoint/model.safetensors")
    ours, before = load_file(kept), load_file(small.encoder / "model.safetensors")
    assert ours.keys() == before.keys()
    differing = {name for name in ours if not torch.equal(ours[name], before[name])}
    attention = {f"bert.encoder.layer.0.attention.self.{name}.weight" for name in ("query", "value")}
    assert differing == {*attention, "classifier.weight", "classifier.bias"}


def test_the_kit_sees_updates_that_stay_in_what_is_written() -> None:
    class Staying(Lora):
        """Staying: undoes nothing."""

        def plain(self, tagger: Tagger) -> None:
            pass

    with pytest.raises(conformance.NotConforming, match=r"^plain\(\) leaves something of prepare\(\) behind$"):
        conformance.plain_tags_the_same(Staying())


def test_the_number_of_trained_parameters_is_the_papers() -> None:
    """0.3 million for RoBERTa base at rank 8, beside the head (Table 2)."""
    config = RobertaConfig(vocab_size=50_265, max_position_embeddings=514)
    with torch.device("meta"):
        made = RobertaModel(config, add_pooling_layer=False)
        adapters.add(made, Lora())
    assert sum(one.numel() for one in made.parameters() if one.requires_grad) == 12 * 2 * 2 * 8 * 768
    built = prepared("bert", Lora(rank=4))
    own = DEPTH * 2 * 2 * 4 * HIDDEN + len(tiny.TAGS) * (HIDDEN + 1)
    assert Lora(rank=4).facts(built)["trained_parameters"] == own


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rank": 0}, "--rank: "),
        ({"alpha": 0}, "--alpha: "),
        ({"adapter_dropout": 1}, "--adapter-dropout: "),
        ({"where": "everywhere"}, "--where: "),
    ],
)
def test_bad_values_are_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(XnerError, match=rf"^{said}[^\n]*got [^\n]*$"):
        registry.make("lora", options)


def test_a_rank_that_no_matrix_has_is_one_line() -> None:
    with pytest.raises(XnerError, match=rf"^--rank {HIDDEN + 1} is more than [^\n]*; give at most {HIDDEN}$"):
        prepared("bert", Lora(rank=HIDDEN + 1))


@pytest.mark.parametrize(("where", "said"), [("attention", "try --where all"), ("all", "choose another --encoder")])
def test_an_encoder_where_nothing_fits_is_one_line(where: Any, said: str) -> None:
    class Other(nn.Module):
        """No encoder of ours."""

        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Conv1d(3, 3, 1)

    with pytest.raises(XnerError, match=rf"^method 'lora': Other has no [^\n]*{said}[^\n]*$"):
        adapters.add(Other(), Lora(where=where))


def test_without_peft_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    answer = worlds.call("run", "--method", "lora", "--dry-run", "--results", tmp_path)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.strip().endswith("pip install 'xner-bench[lora]'") and answer.err.count("\n") == 1
    assert worlds.call("methods").status == 0
