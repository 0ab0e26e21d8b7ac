"""A laboratory whose barely trained tagger leaves orphans, and the bundle that it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import hostile
import small as worlds

from xner_bench import catalogue
from xner_bench.corpus import Places
from xner_bench.leaderboard import archive, board, bundle, outputs, owndata, unpack, verify_bundle
from xner_bench.results import Run, Store
from xner_bench.run import run as carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from small import Small

WORDS = ("word-strict", "word-lenient", "tag-accuracy")
Rows = list[dict[str, Any]]


class Lab(NamedTuple):
    """Results of a barely trained run, and the file that its makers send."""

    world: Small
    store: Store
    run: Run
    path: Path

    def verify(self, path: Path) -> worlds.Answer:
        return worlds.call("leaderboard", "verify", path, *self._data)

    def problems(self, path: Path) -> str:
        """What is wrong with a bundle whose tables are known to be readable, line by line."""
        known = catalogue.load([self.world.catalogue])
        with path.open("rb") as stream:
            opened = unpack.Bundle(path, "", stream, {one.name: one for one in archive.members(stream)})
            found = opened.read(self.run.run_id)
        data = owndata.Data(known, Places(self.world.data, offline=True))
        return "\n".join(verify_bundle.check(found, data, known).problems)

    def merge(self, results: Path, *paths: Path) -> worlds.Answer:
        return worlds.call("leaderboard", "merge", *(paths or (self.path,)), "--results", results, *self._data)

    @property
    def _data(self) -> tuple[object, ...]:
        return "--data-root", self.world.data, "--catalogue", self.world.catalogue

    def board(self, results: Path) -> dict[str, bytes]:
        known = catalogue.load([self.world.catalogue])
        return outputs.outputs(board.build(Store(results), known), known)

    def changed(self, to: Path, **edits: Callable[[Rows], object]) -> Path:
        """The bundle with other rows in some tables."""
        changes = {f"/{name}.parquet": hostile.of_rows(edit) for name, edit in edits.items()}
        return hostile.exchanged(self.path, changes, to / "changed.zip")

    def without(self, to: Path, *names: str) -> Path:
        """The bundle as an earlier version would have packed it."""
        return hostile.exchanged(self.path, {f"/{name}.parquet": lambda _: None for name in names}, to / "early.zip")


def build(folder: Path, profiles: Sequence[str] = WORDS) -> Lab:
    """A run with these profiles, a perturbed split and few-shot fine-tuning, and its bundle."""
    world = worlds.build(folder / "small")
    for code in ("sw", "no"):
        worlds.write_split(world.data, code, "train", worlds.corpus(code, "train", 40))
    store = Store(folder / "results")
    more: dict[str, Any] = {
        "profiles": tuple(profiles),
        "perturb": ("in-language",),
        "few_shot": [5],
        "sampling": ["random"],
    }
    run = carry_out(world.settings(seed=1, epochs=1, lr=3e-3, **more), world.execution(store.root))
    bundle.pack(store, [run], folder / "ours.zip")
    return Lab(world, store, run, folder / "ours.zip")
