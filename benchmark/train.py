"""The one loop: batches, AdamW, warm-up and linear decay. It knows no method by name and sees no target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

from xner_bench import batches, device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from xner_bench.encode import Encoded
    from xner_bench.method import Method
    from xner_bench.settings import Training
    from xner_bench.tagger import Tagger
    from xner_bench.watch import Watch


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
    pad: int,
    watch: Watch,
) -> Iterator[list[Step]]:
    """Train epoch by epoch; yields the epoch's steps while the tagger stands at its end.

    `gold` (W,) holds the tag ids of the training corpus' words. Raises Diverged at the first loss that is not finite,
    also where only the last step made it so.
    """
    every_subword = training.subword_labels == "all"
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    tags = torch.from_numpy(gold)
    steps = math.ceil(len(batches.with_words(train, every_subword)) / training.batch_size) * training.epochs
    filled = batches.FILLED.get(tagger.device.type, batches.FILLED["cuda"])
    stepper = Stepper(tagger, method, training, steps)
    done = 0
    with watch.stage("training", steps) as advance:
        for epoch in range(1, training.epochs + 1):
            tagger.train()
            taken = []
            for batch in batches.shuffled(train, training.batch_size, generator, every_subword, pad, filled):
                done += 1
                given = batch.to(tagger.device), tags[batch.word].to(tagger.device)
                loss, rate = stepper.step(*given)
                _expect_number(loss, f"of step {done} of {steps}", training)
                method.after_step(tagger, done)
                taken.append(Step(epoch, done, loss, rate))
                advance(1, f"epoch {epoch}/{training.epochs} loss {loss:.3f}")
            if done == steps and taken:
                _expect_number(stepper.loss(*given), "after the last step", training)
            yield taken


def _expect_number(loss: float, which: str, training: Training) -> None:
    if not math.isfinite(loss):
        raise Diverged(f"the loss {which} is {loss}; try a lower --lr than {training.lr:g}")


class Stepper:
    """Optimizer, schedule, clipping and loss scaling: one batch in, one update."""

    def __init__(self, tagger: Tagger, method: Method, training: Training, steps: int) -> None:
        self.tagger = tagger
        self.training = training
        self.parameters = list(method.trainable(tagger))
        fused = all(parameter.dtype == torch.float32 for parameter in self.parameters)
        self.optimizer = torch.optim.AdamW(
            groups(self.parameters, training.weight_decay), lr=training.lr, eps=1e-8, fused=fused
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, linear_schedule(steps, training.warmup))
        self.scaler = torch.amp.GradScaler(tagger.device.type, enabled=training.precision == "fp16")

    def step(self, batch: batches.Batch, tags: torch.Tensor) -> tuple[float, float]:
        """Update the parameters; returns the batch's loss and the learning rate that was used."""
        with device.autocast(self.tagger.device, self.training.precision):
            loss = self.tagger.loss(batch, tags)
        self.scaler.scale(loss).backward()
        if self.training.clip is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.training.clip)
        self.scaler.step(self.optimizer)
        scale = self.scaler.get_scale()
        self.scaler.update()
        rate = self.optimizer.param_groups[0]["lr"]
        if self.scaler.get_scale() >= scale:  # a smaller one: fp16 overflowed, and the optimizer skipped this step
            self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), rate

    @torch.no_grad()
    def loss(self, batch: batches.Batch, tags: torch.Tensor) -> float:
        """A batch's loss with the weights as they are, without dropout; changes nothing."""
        self.tagger.eval()
        with device.autocast(self.tagger.device, self.training.precision):
            return self.tagger.loss(batch, tags).item()


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
