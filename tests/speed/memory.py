"""Peak memory of fine-tuning: ours against transformers' Trainer, each in a process of its own.

The same six batches of 32 sentences at XLM-R base shape, fp32. The last line is a JSON object: our peak resident memory
over the Trainer's.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import rounds

# The torch side is imported in the children only: a child's peak begins at its parent's.
SIDES = ("Trainer", "ours")
STEPS = 6


def main() -> None:
    """Measure in alternating children, or be one of them."""
    asked = arguments()
    if asked.side:
        child(asked.side, asked.folder, asked.shape)
        return
    with tempfile.TemporaryDirectory() as scratch:
        settings = run("encoder", scratch, asked.shape)
        print("\n".join([*machine.describe(), settings]), flush=True)
        measured: dict[str, list[int]] = {side: [] for side in SIDES}
        for number in range(asked.rounds):
            for side in SIDES if number % 2 == 0 else SIDES[::-1]:
                measured[side].append(int(run(side, scratch, asked.shape)))
    report(measured)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2, help="processes of each side")
    parser.add_argument("--shape", choices=("base", "small_384", "mini"), default="base")
    parser.add_argument("--side", choices=("encoder", *SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def run(side: str, scratch: str, shape: str) -> str:
    """The last line that a child prints."""
    command = [sys.executable, __file__, "--side", side, "--folder", scratch, "--shape", shape]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    print(f"  {side}: {lines[-1]}", file=sys.stderr, flush=True)
    return lines[-1]


def child(side: str, scratch: Path, shape: str) -> None:
    """Write the encoder, or fine-tune and print the peak memory of this process in bytes."""
    import sentences
    from recipe import ABOUT, choose

    data = sentences.english("train")
    if side == "encoder":
        import encoders

        encoders.write(shape, scratch, data.words)
        about = encoders.SHAPES[shape].about
        print(f"{about}; {STEPS} steps, fp32; {ABOUT}; {sentences.where()}")
        return
    chosen = choose(data, STEPS)
    if side == "ours":
        from ours import Ours

        ours = Ours(scratch / shape, *data, precision="fp32", steps=STEPS)
        for batch in chosen.batches:
            ours.step(batch)
    else:
        from peer import Peer

        peer = Peer(scratch / shape, scratch / "trainer")
        peer.train(peer.features(*chosen.in_order()))
    print(machine.memory())


def report(measured: dict[str, list[int]]) -> None:
    """The table and the ratio of the medians."""
    rows = [(side, *(f"{peak / 2**30:.2f}" for peak in peaks)) for side, peaks in measured.items()]
    print("peak resident memory, GiB")
    rounds.table(["side", *(f"process {number + 1}" for number in range(len(rows[0]) - 1))], rows)
    trainer, ours = (statistics.median(measured[side]) for side in SIDES)
    rounds.last_line({"ratio": round(ours / trainer, 3)})


if __name__ == "__main__":
    main()
