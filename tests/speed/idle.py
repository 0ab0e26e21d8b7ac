"""A job that does nothing but tell, in a module that every worker can import."""

from __future__ import annotations

from xner_bench.watch import SILENT, Watch

STAGES = 5  # as many as a run of one epoch has


def idle(watch: Watch = SILENT) -> None:
    """Tell of some stages."""
    for stage in range(STAGES):
        with watch.stage(str(stage), 1) as advance:
            advance(1)
