"""What a run keeps on disk while it trains: weights that some target may want, and what is needed to go on.

<run>/epochs/
    epoch-3/   tagger.safetensors    the tagger's weights after epoch 3, kept as long as some target may want them
    state-3/   tensors.safetensors, facts.json    optimizer, random states, data order: of the last two epochs
    */complete.json    sizes and hashes, written last: a folder without it, or with another content, is not there
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model

from xner_bench import whole
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from torch import Tensor

    from xner_bench.tagger import Tagger

FORMAT = 1  # of a state


class Checkpoint(NamedTuple):
    """A tagger's weights after an epoch (from 1)."""

    epoch: int
    path: Path

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
        self._write(self._weights(epoch), lambda folder: save_model(tagger, str(folder / "tagger.safetensors")))
        return self._keep(epoch)

    def save_state(self, epoch: int, state: State) -> None:
        """Write what is needed to go on after an epoch; that of the last but one epoch stays, older ones go."""

        def fill(folder: Path) -> None:
            save_file(
                {name: tensor.contiguous() for name, tensor in state.tensors.items()}, folder / "tensors.safetensors"
            )
            (folder / "facts.json").write_text(json.dumps({"format": FORMAT, **state.facts}), "utf-8")

        self._write(self._state(epoch), fill)
        for older in self._epochs("state"):
            if older < epoch - 1:
                shutil.rmtree(self._state(older))

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

    def expect(self, epochs: Collection[int]) -> None:
        """Take weights from an earlier process into `kept`. Raises ValueError where any of them is not as it was."""
        for epoch in sorted(epochs):
            if wrong := whole.problem(self._weights(epoch)):
                raise ValueError(f"{self._weights(epoch)}: {wrong}")
        for epoch in sorted(epochs):
            self._keep(epoch)

    def forget(self) -> None:
        """Delete everything."""
        self.kept.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, epoch: int) -> Checkpoint:
        self.kept[epoch] = Checkpoint(epoch, self._weights(epoch) / "tagger.safetensors")
        return self.kept[epoch]

    def _weights(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch}"

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
