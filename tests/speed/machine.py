"""What a script ran on. Imports no torch, so that a parent process stays small."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "seqeval")
# As they stand when this is imported: the engine sets some for itself, too late for a torch that is loaded already.
VARIABLES = {
    name: value for name, value in os.environ.items() if name.startswith(("OMP_", "MKL_", "ONEDNN_", "LD_PRE"))
}


def describe() -> list[str]:
    """Lines that name processor, cores, threads and versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS", f"{cores}, one a core")
    variables = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return [
        f"machine: {processor()}, {cores} cores, threads: {threads}",
        f"versions: Python {platform.python_version()}, {versions}",
        f"environment: {variables or 'no settings of threads or libraries'}",
    ]


def processor() -> str:
    """The processor's name."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory() -> int:
    """Peak resident memory of this process in bytes."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
