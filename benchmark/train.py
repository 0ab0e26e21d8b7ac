"""The one loop: batches, AdamW, warm-up and linear decay. It knows no method by name and sees no target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

from xner_bench import batches, device, vocabulary
from xner_bench.errors import XnerError
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from xner_bench.encode import Encoded
    from xner_bench.method import Method
    from xner_bench.settings import Training
    from xner_bench.tagger import Tagger
    from xner_bench.watch import Watch


# A batch with more subwords is computed in parts: enough for products to be fast, little enough for memory.
SUBWORDS_AT_ONCE = {"cpu": 4_096, "cuda": 32_768}
# Windows in a group are at least so much of the longest one's length: a few places of padding, in attention alone, are
# cheaper than more groups.
FILLED = {"cpu": 0.75, "cuda": 0.25}


class Diverged(Exception):
    """The loss is no number any more."""


class Step(NamedTuple):
    """One optimizer step."""

    epoch: int  # from 1
    number: int  # from 1, through all epochs
    loss: float
    learning_rate: float


def fit(
    tagger: Tagger,
    method: Method,
    train: Encoded,
    gold: NDArray[np.int64],
    training: Training,
    seed: int,
    watch: Watch = SILENT,
    budget: int | None = None,
) -> Iterator[list[Step]]:
    """Train epoch by epoch; yields the epoch's steps while the tagger stands at its end.

    `gold` (W,) holds the tag ids of the training corpus' words. A batch of more than `budget` subwords (by default what
    suits the device) is computed in parts, with the same loss. Raises Diverged at the first loss that is not finite,
    also where only the last step made it so.
    """
    every_subword = training.subword_labels == "all"
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    tags = torch.from_numpy(gold)
    steps = math.ceil(len(batches.with_words(train, every_subword)) / training.batch_size) * training.epochs
    budget = budget or device.of_kind(SUBWORDS_AT_ONCE, tagger.device)
    filled = device.of_kind(FILLED, tagger.device)
    stepper = Stepper(tagger, method, training, steps)
    done = 0
    with watch.stage("training", steps) as advance:
        for epoch in range(1, training.epochs + 1):
            tagger.train()
            taken = []
            for parts in batches.shuffled(train, training.batch_size, generator, every_subword, budget, filled):
                done += 1
                given = [(part.to(tagger.device), tags[part.word].to(tagger.device)) for part in parts]
                loss, rate = stepper.step(given)
                _expect_number(loss, f"of step {done} of {steps}", training)
                method.after_step(tagger, done)
                taken.append(Step(epoch, done, loss, rate))
                advance(1, f"epoch {epoch}/{training.epochs} loss {loss:.3f}")
            if done == steps and taken:
                _expect_number(stepper.loss(given), "after the last step", training)
            yield taken


def _expect_number(loss: float, which: str, training: Training) -> None:
    if not math.isfinite(loss):
        raise Diverged(f"the loss {which} is {loss}; try a lower --lr than {training.lr:g}")


Part = tuple[batches.Batch, torch.Tensor]  # with its tags (W,)


class Stepper:
    """Optimizer, schedule, clipping and loss scaling: one batch in, one update."""

    def __init__(self, tagger: Tagger, method: Method, training: Training, steps: int) -> None:
        if any(getattr(module, "gradient_checkpointing", False) for module in tagger.modules()):
            raise XnerError("gradient checkpointing and packed batches do not go together; give --subwords-at-once N")
        self.tagger = tagger
        self.training = training
        self.parameters = list(method.trainable(tagger))
        fused = all(parameter.dtype == torch.float32 for parameter in self.parameters)
        self.optimizer = torch.optim.AdamW(
            groups(self.parameters, training.weight_decay), lr=training.lr, eps=1e-8, fused=fused
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, linear_schedule(steps, training.warmup))
        self.scaler = torch.amp.GradScaler(tagger.device.type, enabled=training.precision == "fp16")
        compact = vocabulary.found(tagger)
        trained = compact is not None and any(compact.weight is parameter for parameter in self.parameters)
        self.vocabulary = compact if trained else None

    def step(self, parts: Sequence[Part]) -> tuple[float, float]:
        """Update the parameters; returns the batch's loss and the learning rate that was used."""
        loss = self._backward(parts)
        learns = self.vocabulary is not None and self.vocabulary.weight.grad is not None  # else AdamW leaves it alone
        self._clip()
        self.scaler.step(self.optimizer)
        scale = self.scaler.get_scale()
        self.scaler.update()
        rate = self.optimizer.param_groups[0]["lr"]
        if self.scaler.get_scale() >= scale:  # a smaller one: fp16 overflowed, and the optimizer skipped this step
            if self.vocabulary is not None and learns:
                self.vocabulary.decay(rate, self.training.weight_decay)
            self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss, rate

    def _backward(self, parts: Sequence[Part]) -> float:
        """Gradients of the mean loss over the words of all parts; returns that loss."""
        words = sum(len(tags) for _, tags in parts)
        total = 0.0
        for batch, tags in parts:
            with device.autocast(self.tagger.device, self.training.precision):
                loss = self.tagger.loss(batch, tags)
            share = loss if len(parts) == 1 else loss * (len(tags) / words)
            self.scaler.scale(share).backward()
            total += share.item()
        return total

    def _clip(self) -> None:
        if self.training.clip is None:
            return
        self.scaler.unscale_(self.optimizer)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if norm > self.training.clip - 1e-6:  # else the factor is 1; to multiply by it takes as long as AdamW
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.training.clip, norm)

    @torch.no_grad()
    def loss(self, parts: Sequence[Part]) -> float:
        """A batch's loss with the weights as they are, without dropout; changes nothing."""
        self.tagger.eval()
        words = sum(len(tags) for _, tags in parts)
        with device.autocast(self.tagger.device, self.training.precision):
            return sum(self.tagger.loss(batch, tags).item() * (len(tags) / words) for batch, tags in parts)


def groups(parameters: Iterable[torch.nn.Parameter], decay: float) -> list[dict[str, object]]:
    """Parameter groups of AdamW: matrices decay; biases and the vectors of LayerNorm do not."""
    matrices: list[torch.nn.Parameter] = []
    vectors: list[torch.nn.Parameter] = []
    for parameter in parameters:
        (matrices if parameter.ndim >= 2 else vectors).append(parameter)
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


class linear_schedule:
    """Factor on the learning rate: up over the first `warmup` share of the steps, then linearly down to 0."""

    def __init__(self, steps: int, warmup: float) -> None:
        self.steps = steps
        self.rise = math.ceil(steps * warmup)  # rounded up, as transformers' Trainer does

    def __call__(self, step: int) -> float:
        if step < self.rise:
            return step / max(1, self.rise)
        return max(0.0, (self.steps - step) / max(1, self.steps - self.rise))
