"""Kill -9 again and again: at random moments of training, of checkpoint writing, and of a grid's driver with 4 workers.

    python tests/faults/kill.py [--kills 40] [--seed 0]

After each kill the same command must finish what is left, and every run must have the bits of one that nothing
interrupted: tables, selection, weights. Nothing is cleaned up by hand. Prints a line a kill, and ends with 1 at the
first that is not so. tests/test_resume.py does a few of these.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))

import killing
import small as worlds
from killing import differences

RUN = ("--keep-checkpoint", "--epochs", "6")
GRID = (*RUN, "--h", "2,4", "--seeds", "42-44", "--workers", "4")  # of standard and slicer: 9 runs
Kill = Callable[[random.Random, Path], str]


class Kills:
    """The three kinds of kills, on one small world."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = worlds.build(folder / "world")
        self.commands = {"run": self.argv("run", "slicer", RUN), "grid": self.argv("grid", "standard,slicer", GRID)}
        self.seconds = {name: self.reference(name) for name in self.commands}
        self.events = killing.events(self.into(self.commands["run"], folder / "counted"))

    def argv(self, name: str, method: str, more: tuple[str, ...]) -> list[str]:
        return self.world.argv(self.folder / name, *more, method=method)

    def into(self, argv: list[str], results: Path) -> list[str]:
        """The same command with other results."""
        at = argv.index("--results")
        return [*argv[: at + 1], str(results), *argv[at + 2 :]]

    def reference(self, name: str) -> float:
        """Let a command end, and return how long it took."""
        start = monotonic()
        process = killing.start(self.commands[name])
        said = process.communicate()[1]
        if process.returncode:
            sys.exit(f"{name} fails without any kill: {said}")
        return monotonic() - start

    def training(self, draw: random.Random, results: Path) -> str:
        return self.at_random("run", draw, results)

    def grid(self, draw: random.Random, results: Path) -> str:
        return self.at_random("grid", draw, results)

    def at_random(self, name: str, draw: random.Random, results: Path) -> str:
        seconds = draw.uniform(0, self.seconds[name])
        killed = killing.kill_after(self.into(self.commands[name], results), seconds)
        return f"{name} {'killed' if killed else 'had ended'} after {seconds:.1f} s"

    def checkpoint(self, draw: random.Random, results: Path) -> str:
        at = draw.randint(1, self.events)
        killing.kill_at_event(self.into(self.commands["run"], results), at)
        return f"run killed when it touched its checkpoints for the {at}. of {self.events} times"

    def check(self, name: str, results: Path) -> str:
        """What is wrong after the same command ran again; nothing, if all is well."""
        process = killing.start(self.into(self.commands[name], results))
        said = process.communicate()[1]
        return said if process.returncode else differences(results, self.folder / name)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--kills", type=int, default=40)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    draw = random.Random(given.seed)
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        kills = Kills(Path(folder))
        kinds: dict[str, Kill] = {"training": kills.training, "checkpoint": kills.checkpoint, "grid": kills.grid}
        for number in range(given.kills):
            kind = list(kinds)[number % len(kinds)]
            results = Path(folder) / f"killed-{number}"
            said = kinds[kind](draw, results)
            wrong = kills.check("grid" if kind == "grid" else "run", results)
            print(f"{number + 1}/{given.kills}: {said}: {wrong or 'as if nothing had happened'}", flush=True)
            if wrong:
                sys.exit(1)
            done[kind] += 1
            shutil.rmtree(results)
    print(", ".join(f"{count} kills of {kind}" for kind, count in done.items()), "and no difference")


if __name__ == "__main__":
    main()
