"""The one loop: batches, AdamW, warm-up and linear decay. It knows no method by name and sees no target."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, NamedTuple

import torch

from xner_bench import batches, device, vocabulary
from xner_bench.checkpoints import State
from xner_bench.errors import XnerError
from xner_bench.method import Moment
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from xner_bench.encode import Encoded
    from xner_bench.method import Method
    from xner_bench.settings import Training
    from xner_bench.tagger import Tagger
    from xner_bench.watch import Advance, Watch


# A batch with more subwords is computed in parts: enough for products to be fast, little enough for memory.
SUBWORDS_AT_ONCE = {"cpu": 4_096, "cuda": 32_768}
# Windows in a group are at least so much of the longest one's length: a few places of padding, in attention alone, are
# cheaper than more groups.
FILLED = {"cpu": 0.75, "cuda": 0.25}


Part = tuple[batches.Batch, torch.Tensor]  # with its tags (W,)


class Diverged(Exception):
    """The loss is no number any more."""


class Step(NamedTuple):
    """One optimizer step."""

    epoch: int  # from 1
    number: int  # from 1, through all epochs
    loss: float
    learning_rate: float


class Fit:
    """Training under way: iterate over it for each epoch's steps, while the tagger stands at the epoch's end.

    `gold` (W,) holds the tag ids of the training corpus' words. A batch of more than `budget` subwords (by default what
    suits the device) is computed in parts, with the same loss. `moment` is what the method hears of after every step,
    by default how far this training is. Iterating raises Diverged at the first loss that is not finite, also where only
    the last step made it so.

    `state()` between two epochs, given to `restore()` of another Fit whose tagger has the same weights, makes that one
    go on with the same bits.
    """

    def __init__(
        self,
        tagger: Tagger,
        method: Method,
        train: Encoded,
        gold: NDArray[np.int64],
        training: Training,
        seed: int,
        watch: Watch = SILENT,
        budget: int | None = None,
        moment: Moment | None = None,
    ) -> None:
        self.moment = moment
        self.tagger, self.method, self.train, self.training, self.watch = tagger, method, train, training, watch
        self.every_subword = training.subword_labels == "all"
        self.order = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # dropout
        self.tags = torch.from_numpy(gold)
        self.sentences = len(train.sentences) - 1
        windows = len(batches.with_words(train, self.every_subword))
        self.steps = math.ceil(windows / training.batch_size) * training.epochs
        self.budget = budget or device.of_kind(SUBWORDS_AT_ONCE, tagger.device)
        if tagger.head.whole_batches:
            self.budget = sys.maxsize
        self.stepper = Stepper(tagger, method, training, self.steps)
        self.epoch = 0  # the last one that is complete
        self.step = 0  # likewise

    def __iter__(self) -> Iterator[list[Step]]:
        with self.watch.stage("training", self.steps) as advance:
            advance(self.step)
            while self.epoch < self.training.epochs:
                yield self._train(advance)

    def _train(self, advance: Advance) -> list[Step]:
        """One epoch."""
        self.tagger.train()
        taken: list[Step] = []
        epoch = self.epoch + 1
        for given in self._batches():
            self.step += 1
            loss, rate = self.stepper.step(given)
            self._expect_number(loss, f"of step {self.step} of {self.steps}")
            self.method.after_step(self.tagger, self.moment or Moment(self.step, self.steps, self.sentences))
            taken.append(Step(epoch, self.step, loss, rate))
            advance(1, f"epoch {epoch}/{self.training.epochs} loss {loss:.3f}")
        if self.step == self.steps and taken:
            self._expect_number(self.stepper.loss(given), "after the last step")
        self.epoch = epoch
        return taken

    def _batches(self) -> Iterator[list[Part]]:
        """An epoch's batches with their tags, in parts, on the device."""
        place = self.tagger.device
        filled = device.of_kind(FILLED, place)
        size = self.training.batch_size
        for parts in batches.shuffled(self.train, size, self.order, self.every_subword, self.budget, filled):
            yield [(part.to(place), self.tags[part.word].to(place)) for part in parts]

    def _expect_number(self, loss: float, which: str) -> None:
        if not math.isfinite(loss):
            raise Diverged(f"the loss {which} is {loss}; try a lower --lr than {self.training.lr:g}")

    def state(self) -> State:
        """Where training stands: optimizer, schedule, random numbers, order of the data; all but the weights."""
        tensors, facts = self.stepper.state()
        random = {"random.order": self.order.get_state(), **device.random_state(self.tagger.device)}
        return State({**tensors, **random}, {**facts, "epoch": self.epoch, "step": self.step})

    def restore(self, state: State) -> None:
        """Go on from there; the tagger must have the weights of that moment."""
        self.stepper.restore(state)
        self.order.set_state(state.tensors["random.order"])
        device.set_random_state(self.tagger.device, state.tensors)
        self.epoch, self.step = state.facts["epoch"], state.facts["step"]


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

    def state(self) -> State:
        """Optimizer, schedule and loss scale as they stand."""
        own = self.optimizer.state_dict()["state"]  # parameter, counted through the groups -> its moments and steps
        tensors = {f"optimizer.{at}.{name}": one for at, moments in own.items() for name, one in moments.items()}
        return State(tensors, {"schedule": self.schedule.state_dict(), "scaler": self.scaler.state_dict()})

    def restore(self, state: State) -> None:
        """Take on what `state` gave."""
        own: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in state.tensors.items():
            kind, _, place = key.partition(".")
            at, _, name = place.partition(".")
            if kind == "optimizer":
                own.setdefault(int(at), {})[name] = tensor
        self.schedule.load_state_dict(state.facts["schedule"])
        groups = self.optimizer.state_dict()["param_groups"]
        for group, rate in zip(groups, self.schedule.get_last_lr(), strict=True):
            group["lr"] = rate
        self.optimizer.load_state_dict({"state": own, "param_groups": groups})
        self.scaler.load_state_dict(state.facts["scaler"])

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
        # Rounded up, as transformers' Trainer does; but a training of one step is not spent on a rate of 0.
        self.rise = math.ceil(steps * warmup) if steps > 1 else 0

    def __call__(self, step: int) -> float:
        if step < self.rise:
            return step / max(1, self.rise)
        return max(0.0, (self.steps - step) / max(1, self.steps - self.rise))
