"""Taggers of many families as a run has them before its first step, and what training changes in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import families
import numpy as np
import tiny
import torch
from families import ROOM

from xner_bench import tagger, vocabulary
from xner_bench.train import Stepper

if TYPE_CHECKING:
    from torch import Tensor

    from xner_bench.method import Method
    from xner_bench.tagger import Tagger

TRAIN = families.corpus(subwords=60)  # of the vocabulary
TRAINING = tiny.training(lr=1e-2, weight_decay=0.1, warmup=0.0)


def prepared(family: str, method: Method, seed: int = 1) -> Tagger:
    """A random encoder of a family with a compact vocabulary, made ready by the method."""
    made = families.transformer(family)
    built = families.tagger_for(made, families.chosen(made), method)
    assert vocabulary.compact(made, np.unique(TRAIN.ids), built.layout, ROOM)
    tagger.prepare(built, method, seed)
    return built


def changed(built: Tagger, method: Method, steps: int = 3) -> set[str]:
    """Names of the parameters and buffers in which a bit changes in some steps on all training windows, with decay."""
    before = everything(built)
    stepper = Stepper(built.train(), method, TRAINING, steps + 1)
    for _ in range(steps):
        stepper.step([families.tagged(TRAIN, families.everything(TRAIN, 0.25))])
    built.eval()
    return {name for name, value in everything(built).items() if not torch.equal(value, before[name])}


def everything(built: Tagger) -> dict[str, Tensor]:
    """Copies of all parameters and buffers, also of those that are in no checkpoint."""
    return {name: value.detach().clone() for name, value in (*built.named_parameters(), *built.named_buffers())}
