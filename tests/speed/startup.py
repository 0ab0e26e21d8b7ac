"""How long the command line takes to say anything: wall time of fresh processes.

The last line is a JSON object: the median seconds of `xner-bench --help` and of `xner-bench methods`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import machine
import numpy as np
import rounds

COMMANDS = {"help_s": "--help", "methods_s": "methods"}


def main() -> None:
    """Measure both commands in turn and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    print("\n".join([*machine.describe(), f"{asked.rounds} fresh processes of each command, files in the page cache"]))
    for argument in COMMANDS.values():
        start(argument)  # reads what the disk must give, once
    sides = {
        argument: lambda argument=argument: [rounds.seconds(lambda: start(argument))] for argument in COMMANDS.values()
    }
    measured = rounds.interleaved(sides, asked.rounds)
    rounds.table(
        ["command", "median s", "least", "most"],
        [
            (f"xner-bench {name}", f"{np.median(one):.3f}", f"{one.min():.3f}", f"{one.max():.3f}")
            for name, one in measured.items()
        ],
    )
    rounds.last_line({key: round(rounds.median_round(measured[name]), 3) for key, name in COMMANDS.items()})


def start(argument: str) -> None:
    """Run a command as a user does, output left aside."""
    script = Path(sys.executable).parent / "xner-bench"
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "xner_bench"]
    subprocess.run([*command, argument], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
