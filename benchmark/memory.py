"""The most memory that a run took: of its process as the system counts it, of a GPU as torch does. In MiB."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

PROCESS = Path("/proc/self")  # Linux; elsewhere nothing says what the peak was since a run began
RESET = "5"  # to clear_refs: the peak of the resident set is from now on


class Peak(NamedTuple):
    """None where nobody says."""

    resident: float | None
    gpu: float | None


class Meter:
    """The peaks from the moment that it is made."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.counts = device, False
        with suppress(OSError):
            (PROCESS / "clear_refs").write_text(RESET)
            self.counts = True
        if device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(device)

    def peak(self) -> Peak:
        """The most since then."""
        return Peak(_resident() if self.counts else None, self._gpu())

    def _gpu(self) -> float | None:
        if self.device.type != "cuda":
            return None
        import torch

        return round(torch.cuda.max_memory_allocated(self.device) / 2**20, 1)


def _resident() -> float | None:
    """Peak resident set of this process."""
    with suppress(OSError, ValueError):
        for line in (PROCESS / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)  # of KiB
    return None
