"""A trained tagger as an ordinary transformers folder, that `transformers.pipeline("token-classification")` loads."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from torch import nn

from xner_bench import vocabulary
from xner_bench.encoder import silenced
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from xner_bench.encoder import Encoder
    from xner_bench.tagger import Tagger


def check(encoder: Encoder, tagger: Tagger) -> None:
    """Make sure before training that the tagger can be written so: that it is a linear layer on the last state."""
    linear = tagger.head.as_linear()
    classifier = getattr(encoder.whole, "classifier", None)
    if linear is None or tagger.layers != (tagger.depth,):
        raise XnerError(
            f"--keep-checkpoint: {type(tagger.head).__name__} is no linear layer on the last state; leave the flag out"
        )
    if not isinstance(classifier, nn.Linear) or not _agree(encoder, tagger, linear):
        kind = type(encoder.whole).__name__
        raise XnerError(f"--keep-checkpoint: {kind} puts more than a linear layer on its encoder; leave the flag out")


def write(encoder: Encoder, tagger: Tagger, folder: Path) -> None:
    """Write weights (safetensors), configuration with the tag names, and tokenizer; the folder appears whole."""
    linear = tagger.head.as_linear()
    assert linear is not None
    _copy(linear, encoder.whole.classifier)
    vocabulary.expand(encoder.transformer)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(encoder, folder)
    except (OSError, SafetensorError) as error:
        raise XnerError(
            f"cannot write checkpoint {folder}: {error}; free some space, or choose another --results DIR"
        ) from error


def _write_whole(encoder: Encoder, folder: Path) -> None:
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        with silenced():
            encoder.whole.save_pretrained(part)
            encoder.tokenizer.save_pretrained(part)
        part.chmod(0o755)  # mkdtemp lets nobody else in
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _copy(linear: nn.Linear, classifier: nn.Linear) -> None:
    with torch.no_grad():
        classifier.weight.copy_(linear.weight)
        classifier.bias.copy_(linear.bias)


@torch.no_grad()
def _agree(encoder: Encoder, tagger: Tagger, linear: nn.Linear) -> bool:
    """Does transformers' model with our layer say what ours says?"""
    encoder.whole.eval()
    if encoder.whole.classifier.weight.shape != linear.weight.shape:
        return False
    encoder.whole.to(tagger.device)
    _copy(linear, encoder.whole.classifier)
    ids = encoder.tokenizer("a b c", return_tensors="pt")["input_ids"].to(tagger.device)
    ours = linear(tagger.transformer(input_ids=ids).last_hidden_state)
    return torch.allclose(encoder.whole(input_ids=ids).logits, ours, atol=1e-5)
