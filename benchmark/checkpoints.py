"""The tagger's weights at the end of each epoch, on disk for as long as some target may still want them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from xner_bench.tagger import Tagger


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


class Checkpoints:
    """A folder of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: dict[int, Checkpoint] = {}

    def save(self, tagger: Tagger, epoch: int) -> Checkpoint:
        """Write the tagger's weights; the file has its name only once it is whole."""
        path = self.folder / f"epoch-{epoch}.safetensors"
        part = path.with_suffix(".part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_model(tagger, str(part))
            part.replace(path)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):  # where the folder itself is what is wrong
                part.unlink()
            raise XnerError(
                f"cannot write checkpoint {path}: {error}; free some space, or choose another --results DIR"
            ) from error
        self.kept[epoch] = Checkpoint(epoch, path)
        return self.kept[epoch]

    def keep_only(self, epochs: Collection[int]) -> None:
        """Delete the checkpoints of all other epochs."""
        for epoch in [epoch for epoch in self.kept if epoch not in epochs]:
            self.kept.pop(epoch).path.unlink(missing_ok=True)
