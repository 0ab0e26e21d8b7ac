"""Which device computes, in which arithmetic, and how to make it repeat itself."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What the libraries under torch read when they are loaded, hence before the import.
DEFAULTS = {
    # oneDNN keeps what it compiled for every shape of a matrix product, 1,024 of them by default; batches of
    # sentences have hundreds of shapes, and with bf16 on a CPU that grew to over 10 GB. A small cache costs no time
    # that we could measure.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32",
    "LRU_CACHE_CAPACITY": "32",
    # Threads that wait for one another by spinning stop everybody where a machine is shared: waiting passively, a
    # small run beside others took less than half the processor time.
    "OMP_WAIT_POLICY": "PASSIVE",
}
for variable, value in DEFAULTS.items():
    os.environ.setdefault(variable, value)

import torch  # noqa: E402

from xner_bench.errors import XnerError  # noqa: E402

# Bytes: blocks of this size and more are asked from the system each time; as much may lie free before it is given back.
KEPT = 2**31 - 1  # mallopt takes a C int
USUAL = (2**25, 2**26)  # what glibc's own adjusting comes to, once large blocks have been freed
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose(name: str) -> torch.device:
    """The device of a name; `auto` is a GPU where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise XnerError(
            f"--device {name} cannot be used here ({str(error).splitlines()[0]}); try --device cpu"
        ) from error
    return device


Known = TypeVar("Known")


def of_kind(known: Mapping[str, Known], device: torch.device) -> Known:
    """What suits a device: the CPU's value, or else a GPU's."""
    return known.get(device.type, known["cuda"])


def precision_for(device: torch.device, asked: str) -> str:
    """The arithmetic that a device gives: `auto` is bf16 on a GPU that has it; fp16 needs a GPU; else it is fp32."""
    if asked == "auto":
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "fp32" if asked == "fp16" and device.type == "cpu" else asked


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Context in which matrix products run in the arithmetic asked for."""
    return nullcontext() if precision == "fp32" else torch.autocast(device.type, DTYPES[precision])


def keep_memory(keep: bool = True) -> None:
    """Let the C library keep what a step frees for the next step, or give it back to the system as it does by itself.

    A step on a CPU takes and frees as much memory as all gradients and states need. Given back each time, every page of
    it is faulted in and cleared anew: a tenth of the time of a step. Nothing where the C library is not glibc.
    """
    mmap_threshold, trim_threshold = (KEPT, KEPT) if keep else USUAL
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, mmap_threshold)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, trim_threshold)  # M_TRIM_THRESHOLD


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep memory while this lasts."""
    keep_memory()
    try:
        yield
    finally:
        keep_memory(False)


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Where the random numbers of the CPU and of a device stand, for `set_random_state`."""
    found = {"random.cpu": torch.get_rng_state()}
    if device.type != "cpu":
        found["random.device"] = torch.get_device_module(device).get_rng_state(*_which(device))
    return found


def set_random_state(device: torch.device, state: Mapping[str, torch.Tensor]) -> None:
    """Let random numbers go on from there, as far as they are known: a run may have begun on another kind of device."""
    torch.set_rng_state(state["random.cpu"])
    if device.type != "cpu" and "random.device" in state:  # else the run began on a CPU
        torch.get_device_module(device).set_rng_state(state["random.device"], *_which(device))


def _which(device: torch.device) -> tuple[torch.device, ...]:
    """Of devices of which there may be several."""
    return (device,) if device.type == "cuda" else ()


def use_threads(threads: int | None) -> None:
    """Compute with so many threads on a CPU; None: with as many as now."""
    if threads is not None:
        torch.set_num_threads(threads)


def make_deterministic(device: torch.device) -> None:
    """Ask for algorithms that give the same bits twice. On the CPU all that are used here do by themselves."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
