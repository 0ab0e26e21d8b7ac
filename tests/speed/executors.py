"""What an executor costs a job: many jobs that do nothing but tell of five stages, by each executor.

The first job of each is left out: it pays for the start of workers, or of Ray. The last line is a JSON object:
milliseconds a job.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING

import machine
import rounds
from idle import STAGES, idle

from xner_bench import executors
from xner_bench.cli.board import Failures
from xner_bench.jobs import Job

if TYPE_CHECKING:
    from xner_bench.jobs import Executor


def main() -> None:
    """Measure each executor and print the figures."""
    asked = arguments()
    print("\n".join([*machine.describe(), f"{asked.jobs:,} jobs, {STAGES} stages each"]), flush=True)
    sides = {"in sequence": executors.choose(), "two workers": executors.choose(workers=2)}
    if find_spec("ray"):
        sides["ray"] = executors.choose("ray", cpus_per_run=1)
    found = {name: 1000 * measured(executor, asked.jobs) for name, executor in sides.items()}
    rounds.table(["executor", "ms a job"], [(name, f"{cost:.2f}") for name, cost in found.items()])
    rounds.last_line({name.replace(" ", "_"): round(cost, 3) for name, cost in found.items()})


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2000)
    return parser.parse_args()


def measured(executor: Executor, count: int) -> float:
    """Seconds a job, from the end of the first to that of the last."""
    outcomes = executor.carry_out([Job(f"idle {number}", idle) for number in range(count + 1)], Failures())
    first = next(outcomes)
    start = perf_counter()
    errors = [outcome.error for outcome in (first, *outcomes) if outcome.error]
    if errors:
        raise SystemExit(errors[0])
    return (perf_counter() - start) / count


if __name__ == "__main__":
    main()
