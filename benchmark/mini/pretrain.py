"""Makes the mini encoder: masked-language modelling on unlabelled mini text, for learning and testing, not for papers.

    python -m xner_bench.mini.pretrain [--out DIR] [--seed N] [--steps N]

What it learns from is written by this project (`generate.plain`, `generate.comparable`), in all languages of the mini
corpora, with no sentence of a test split in it and no label. Beside plain sentences there are comparable lines, where
a name stands beside its English form or a sentence beside its English counterpart. Encoders that people use learn
across languages from text by the terabyte; a million parameters and some minutes on one core do so only if the text
helps, and these lines are that help. Languages near English have more text than distant ones (`text.SHARES`), so that
transfer is uneven, as it really is. Embeddings begin where the text's co-occurrences put them (`start`). The folder's
pretraining.json records seed, steps and text of the shipped encoder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch
from safetensors.torch import save
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import XLMRobertaConfig, XLMRobertaModel

from xner_bench import files
from xner_bench.mini import masking, start, text, tokenizer
from xner_bench.mini.tokenizer import END, LENGTH, PAD, SPECIAL, START
from xner_bench.train import groups, linear_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from xner_bench.mini.text import Line

# Shapes: R lines of a batch, L subwords of the longest of them, M masked subwords, D hidden size, V subwords known.

FOLDER = Path(__file__).parent / "encoder"
SEED = 1
STEPS = 6_000
LAYERS = 3
LAYER_RATE, OTHER_RATE = 4e-3, 3e-3  # peak learning rates: of the layers' matrices, of all else
WARMUP = 0.05  # share of the steps
FIRST_STD = 0.05  # of the first weights: at this width a wider start than the usual 0.02 learns faster
HEAD_STD = 0.02  # what the configuration tells those who put a head on the encoder
# The last states are made this much larger once the encoder is trained. Only heads read them; a head that scores
# slices of eight features would otherwise need weights far from its first ones, and so more steps than the mini
# corpora give.
LAST_SCALE = 16.0
WEIGHT_DECAY = 0.01
THREADS = 1  # with another number, sums round differently; more gain little at this size


class MaskedLanguageModel(nn.Module):
    """The encoder with the usual head: a dense layer, then the embeddings once more as output matrix."""

    def __init__(self, config: XLMRobertaConfig) -> None:
        super().__init__()
        self.encoder = XLMRobertaModel(config, add_pooling_layer=False)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def loss(self, batch: masking.Masked) -> Tensor:
        """Mean cross-entropy of the masked subwords."""
        states_RLD = self.encoder(input_ids=batch.ids, attention_mask=batch.real).last_hidden_state
        hidden_MD = nn.functional.gelu(self.dense(states_RLD.flatten(0, 1)[batch.places]))
        matrix_VD = self.encoder.embeddings.word_embeddings.weight
        return cross_entropy(self.norm(hidden_MD) @ matrix_VD.T + self.bias, batch.answers)


def configuration(vocabulary: int) -> XLMRobertaConfig:
    """The encoder's shape: XLM-R's kind, small."""
    return XLMRobertaConfig(
        architectures=["XLMRobertaModel"],
        vocab_size=vocabulary,
        hidden_size=128,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=384,
        max_position_embeddings=LENGTH + 2,  # positions count from padding's id + 1
        type_vocab_size=1,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        initializer_range=FIRST_STD,
        bos_token_id=SPECIAL.index(START),
        pad_token_id=SPECIAL.index(PAD),
        eos_token_id=SPECIAL.index(END),
    )


def fit(
    lines: Sequence[masking.Subwords], vocabulary: int, steps: int, seed: int, report: Callable[[float], None]
) -> XLMRobertaModel:
    """Train for so many steps; `report` gets each step's loss."""
    torch.manual_seed(seed)
    model = MaskedLanguageModel(configuration(vocabulary))
    begun = start.embeddings(lines, vocabulary, model.encoder.config.hidden_size, seed)
    model.encoder.embeddings.word_embeddings.weight.data.copy_(begun)
    optimizers = _optimizers(model)
    schedules = [torch.optim.lr_scheduler.LambdaLR(one, linear_schedule(steps, WARMUP)) for one in optimizers]
    for batch in masking.batches(lines, vocabulary, steps, seed):
        loss = model.loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
        report(loss.item())
    model.encoder.config.initializer_range = HEAD_STD
    for name in ("weight", "bias"):
        last = model.encoder.get_parameter(f"encoder.layer.{LAYERS - 1}.output.LayerNorm.{name}")
        last.data *= LAST_SCALE
    return model.encoder


def _optimizers(model: MaskedLanguageModel) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for the rest: half the steps of AdamW alone (measured on this text)."""
    layers = [weight for weight in model.encoder.encoder.parameters() if weight.ndim == 2]
    theirs = {id(weight) for weight in layers}
    rest = [weight for weight in model.parameters() if id(weight) not in theirs]
    return [
        torch.optim.Muon(layers, lr=LAYER_RATE, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups(rest, WEIGHT_DECAY), lr=OTHER_RATE, betas=(0.9, 0.98), fused=True),
    ]


def make(
    out: Path, seed: int, steps: int, lines: Sequence[Line], report: Callable[[float], None] = lambda _: None
) -> None:
    """Learn the tokenizer, train the encoder, write the folder; equal arguments give equal bytes on one machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        subwords = tokenizer.train(lines)
        encoder = fit(masking.encode(lines, subwords), subwords.get_vocab_size(), steps, seed, report)
    finally:
        torch.set_num_threads(threads)
    for name, data in {**tokenizer.files(subwords), **_files(encoder), **_record(seed, steps, lines)}.items():
        files.write_atomically(out / name, data)


def _files(encoder: XLMRobertaModel) -> dict[str, bytes]:
    """Configuration and weights; half precision halves the folder and costs no score."""
    weights = {name: weight.half().contiguous() for name, weight in encoder.state_dict().items()}
    config = encoder.config.to_json_string(use_diff=True)
    return {"config.json": config.encode(), "model.safetensors": save(weights, metadata={"format": "pt"})}


def _record(seed: int, steps: int, lines: Sequence[Line]) -> dict[str, bytes]:
    """How the folder was made, for whoever finds it."""
    record = {
        "command": f"python -m xner_bench.mini.pretrain --seed {seed} --steps {steps}",
        "seed": seed,
        "steps": steps,
        "text": {"lines": len(lines), "sha256": text.sha256(lines)},
    }
    return {"pretraining.json": (json.dumps(record, indent=2) + "\n").encode()}


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=FOLDER, help="where the encoder goes")
@click.option("--seed", type=click.IntRange(0), default=SEED, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True)
def main(out: Path, seed: int, steps: int) -> None:
    """Make the mini encoder again: tokenizer, then masked-language modelling."""
    from rich.progress import Progress

    with Progress() as progress:
        bar = progress.add_task("pretraining", total=steps)
        make(
            out,
            seed,
            steps,
            text.lines(seed),
            lambda loss: progress.update(bar, advance=1, description=f"loss {loss:.3f}"),
        )


if __name__ == "__main__":
    main()
