"""What an entry costs: wall time, memory, and an estimate of the energy. Means over its runs.

Energy follows Lannelongue, Grealey and Inouye, "Green Algorithms: Quantifying the Carbon Footprint of Computation",
Advanced Science 8, 2021, without the factor for the data centre: hours x (watts of the device + 0.3725 W x GiB of
memory). A CPU is taken at 12 W for each thread of the run, their value for one that is not known; a GPU at the power of
its board by the maker's data sheet, always at full load. So it tells the order of magnitude, and which of two entries
of the same machine takes more.
"""

from __future__ import annotations

import re
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.survey import took

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.leaderboard.lines import Line
    from xner_bench.results import Run

CORE = 12.0  # watts of a thread
MEMORY = 0.3725  # watts of a GiB
# Words of a GPU's name -> watts of the board; the first that are in the name count.
GPUS = (
    ("H200 NVL", 600),
    ("H200", 700),
    ("H100 PCIe", 350),
    ("H100 NVL", 400),
    ("H100", 700),
    ("A100-PCIE", 250),
    ("A100 80GB PCIe", 300),
    ("A100", 400),
    ("L40S", 350),
    ("L40", 300),
    ("L4", 72),
    ("V100S", 250),
    ("V100-PCIE", 250),
    ("V100", 300),
    ("P100-SXM2", 300),
    ("P100", 250),
    ("T4", 70),
    ("RTX 4090", 450),
    ("RTX 3090 Ti", 450),
    ("RTX 3090", 350),
    ("RTX 2080 Ti", 250),
)
ABOUT = (
    "Wall time of a run is of all its stages together; peak memory is the process' resident set; of a GPU, what torch "
    "allocated. Energy is an estimate, in watt hours: hours x (power of the device + 0.3725 W x GiB of peak memory), "
    "with 12 W for each thread of a CPU and the board's power of a GPU (Lannelongue et al., Green Algorithms, 2021). "
    "All are means over an entry's runs."
)


class Cost(NamedTuple):
    """Means over the runs of an entry; None where one of them does not say."""

    seconds: float | None
    memory: float | None  # MiB, peak resident set
    gpu_memory: float | None  # MiB, peak allocated
    energy: float | None  # Wh
    reason: str = ""  # why there is no energy


def cost(line: Line) -> Cost:
    """What the runs of a line cost; a published line's runs are not known."""
    if not line.runs:
        return Cost(None, None, None, None, "published" if line.published else "no runs")
    reason = next(filter(None, map(_unknown, line.runs)), "")
    return Cost(
        seconds=_mean([took(run) or None for run in line.runs]),
        memory=_mean([run.peak_memory for run in line.runs]),
        gpu_memory=_mean([run.peak_gpu_memory for run in line.runs]),
        energy=None if reason else _mean([_energy(run) for run in line.runs]),
        reason=reason,
    )


def power(run: Run) -> float | None:
    """Watts of what a run computed on; None where that is not known."""
    told = run.provenance
    if gpu := told.get("gpu"):
        if re.search(r"\b(Laptop|Max-Q)\b", str(gpu)):  # of less power than the board of that name
            return None
        return next((float(watts) for name, watts in GPUS if re.search(rf"\b{re.escape(name)}\b", str(gpu))), None)
    threads = told.get("threads")
    return CORE * threads if told.get("device") == "cpu" and isinstance(threads, int) and threads > 0 else None


def _unknown(run: Run) -> str:
    """Why nothing can be said of a run's energy."""
    if not took(run):
        return "its time is not known"
    if run.peak_memory is None:
        return "its peak memory is not known"
    return "" if power(run) else f"the power of {run.provenance.get('gpu') or 'its device'} is not known"


def _energy(run: Run) -> float | None:
    watts = power(run)
    if watts is None or run.peak_memory is None:
        return None
    return took(run) / 3600 * (watts + MEMORY * run.peak_memory / 1024)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if len(known) == len(values) else None
