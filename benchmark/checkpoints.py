"""What a run keeps on disk while it trains: weights that some target may want, and what is needed to go on.

<run>/epochs/
    epoch-3/   tagger.safetensors    the tagger's weights after epoch 3, kept as long as some target may want them
    mean-3/    tagger.safetensors    the mean of the weights after epochs 1 to 3: of the last two epochs
    state-3/   tensors.safetensors, facts.json    optimizer, random states, data order: of the last two epochs
    few-shot-random-10-wikiann-sw/    answer.json    what few-shot fine-tuning on one sample gave
    */complete.json    sizes and hashes, written last: a folder without it, or with another content, is not there
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model

from xner_bench import files, mean, whole
from xner_bench.errors import XnerError
from xner_bench.protocol import MEAN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

    from xner_bench.tagger import Tagger

FORMAT = 1  # of a state
WEIGHTS = "tagger.safetensors"
ANSWER = "answer.json"


class Checkpoint(NamedTuple):
    """A tagger's weights after an epoch (from 1), or the mean of all epochs' (`protocol.MEAN`)."""

    epoch: int
    path: Path

    @property
    def mark(self) -> str:
        """Hexadecimal sha256 that tells these weights from others."""
        return files.sha256(self.path.parent / whole.MARKER)

    def load(self, tagger: Tagger) -> None:
        """Put these weights into a tagger of the same shape."""
        try:
            load_model(tagger, self.path, device="cpu")  # from there into the tagger, wherever that is
        except (OSError, SafetensorError) as error:
            raise XnerError(f"checkpoint {self.path} cannot be read ({error}); run the command again") from error


class State(NamedTuple):
    """All that training needs to go on after an epoch, but for the weights."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]  # as JSON has them


class Checkpoints:
    """The folder of a run under way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: dict[int, Checkpoint] = {}

    def save(self, tagger: Tagger, epoch: int) -> Checkpoint:
        """Write the tagger's weights."""
        self._write(self._weights(epoch), lambda folder: save_model(tagger, str(folder / WEIGHTS)))
        return self._keep(epoch)

    def save_mean(self, epoch: int) -> None:
        """Write the mean of all epochs' weights, from that of the epoch before and the weights of this one."""
        if epoch == 1:  # that epoch is the mean
            return
        before, last = self._mean(epoch - 1) / WEIGHTS, self._weights(epoch) / WEIGHTS

        def fill(folder: Path) -> None:
            save_file(mean.grown(load_file(before), load_file(last), epoch), folder / WEIGHTS)

        self._write(self._mean(epoch), fill)

    def mean(self, epoch: int) -> Checkpoint:
        """The mean of the weights of all epochs up to this one."""
        return Checkpoint(MEAN, self._mean(epoch) / WEIGHTS)

    def save_state(self, epoch: int, state: State) -> None:
        """Write what is needed to go on after an epoch. That and the mean of the epoch before stay, older ones go."""

        def fill(folder: Path) -> None:
            save_file(
                {name: tensor.contiguous() for name, tensor in state.tensors.items()}, folder / "tensors.safetensors"
            )
            (folder / "facts.json").write_text(json.dumps({"format": FORMAT, **state.facts}), "utf-8")

        self._write(self._state(epoch), fill)
        for kind in ("state", "mean"):
            for older in self._epochs(kind):
                if older < epoch - 1:
                    shutil.rmtree(self.folder / f"{kind}-{older}")

    def keep_only(self, epochs: Collection[int]) -> None:
        """Delete the weights of all other epochs."""
        for epoch in set(self._epochs("epoch")) - set(epochs):  # also those that an earlier process left
            self.kept.pop(epoch, None)
            shutil.rmtree(self._weights(epoch))

    def states(self) -> Iterator[int]:
        """Epochs after which training might go on, the latest first."""
        yield from sorted(self._epochs("state"), reverse=True)

    def load_state(self, epoch: int) -> State:
        """What `save_state` wrote. Raises ValueError with what is wrong with it."""
        folder = self._state(epoch)
        if wrong := whole.problem(folder):
            raise ValueError(f"{folder}: {wrong}")
        facts = json.loads((folder / "facts.json").read_bytes())
        if facts.pop("format", None) != FORMAT:
            raise ValueError(f"{folder}: written by another version")
        # Copies: what is mapped from a file lies where the file has it, and is not aligned as tensors are.
        return State({name: one.clone() for name, one in load_file(folder / "tensors.safetensors").items()}, facts)

    def save_answer(self, name: str, answer: Mapping[str, Any]) -> None:
        """Keep what one piece of work after training gave, as JSON has it."""
        self._write(self.folder / name, lambda folder: _dump(folder / ANSWER, answer))

    def answer(self, name: str) -> dict[str, Any] | None:
        """What `save_answer` kept, numbers and lists; None where that is not there, or damaged."""
        if whole.problem(self.folder / name):
            return None
        found: dict[str, Any] = json.loads((self.folder / name / ANSWER).read_bytes())
        return found

    def expect(self, epochs: Collection[int]) -> None:
        """Take weights from an earlier process into `kept`. Raises ValueError where any of them is not as it was."""
        for epoch in sorted(epochs):
            _expect_whole(self._weights(epoch))
        for epoch in sorted(epochs):
            self._keep(epoch)

    def expect_mean(self, epoch: int) -> None:
        """Raises ValueError where the mean up to an epoch is not as an earlier process left it."""
        if epoch > 1 and not self._mean(epoch).is_dir():
            raise ValueError(f"{self._mean(epoch)}: is missing (versions without the protocol average kept none)")
        _expect_whole(self._mean(epoch))

    def forget(self) -> None:
        """Delete everything."""
        self.kept.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, epoch: int) -> Checkpoint:
        self.kept[epoch] = Checkpoint(epoch, self._weights(epoch) / WEIGHTS)
        return self.kept[epoch]

    def _weights(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch}"

    def _mean(self, epoch: int) -> Path:
        return self.folder / f"mean-{epoch}" if epoch > 1 else self._weights(epoch)

    def _state(self, epoch: int) -> Path:
        return self.folder / f"state-{epoch}"

    def _epochs(self, kind: str) -> list[int]:
        names = (path.name.removeprefix(f"{kind}-") for path in self.folder.glob(f"{kind}-*"))
        return [int(name) for name in names if name.isdecimal()]

    def _write(self, folder: Path, fill: Callable[[Path], None]) -> None:
        try:
            whole.write(folder, fill)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):  # where nothing else is in it
                self.folder.rmdir()
            raise XnerError(
                f"cannot write checkpoint {folder}: {error}; free some space, or choose another --results DIR"
            ) from error


def _dump(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, default=int), "utf-8")  # numpy's numbers are no int for json


def _expect_whole(folder: Path) -> None:
    if wrong := whole.problem(folder):
        raise ValueError(f"{folder}: {wrong}")
