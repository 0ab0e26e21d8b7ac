"""Where the time of a step goes: torch's profiler, its operations summed by kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import rounds
from torch.profiler import ProfilerActivity, profile

if TYPE_CHECKING:
    from collections.abc import Callable

# The first kind whose words are in the name of an operation, or of one that called it. Multiplication is what dropout
# is on a CPU, forward and backward, where nothing else in an encoder multiplies by a tensor.
KINDS = {
    "optimizer and clipping": ("Optimizer", "adamw", "_foreach", "vector_norm", "clip_grad"),
    "attention": ("scaled_dot_product", "ScaledDotProduct", "bmm", "softmax", "Softmax", "Attention"),
    "GEMM": ("addmm", "::mm", "::linear", "mkldnn", "onednn", "matmul", "_Product"),
    "GELU": ("gelu", "Gelu"),
    "dropout": ("dropout", "Dropout", "bernoulli", "aten::ge", "aten::mul", "MulBackward"),
}
REST = "the rest"
SHOWN = 8  # operations of the rest


def report(step: Callable[[], object]) -> None:
    """Profile one step and print its time by kind, and what the rest is made of."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    events = [event for event in profiled.events() if event.self_cpu_time_total > 0]
    kinds: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for event in events:
        kinds[kind(event)] += event.self_cpu_time_total
        if kind(event) == REST:
            rest[event.name] += event.self_cpu_time_total
    total = kinds.total()
    print("profile of one of our steps, fp32 (the profiler slows it a little)")
    rounds.table(["kind", "ms", "share"], [_row(name, time, total) for name, time in kinds.most_common()])
    rounds.table([f"of {REST}", "ms", "share"], [_row(name, time, total) for name, time in rest.most_common(SHOWN)])


def kind(event: Any) -> str:
    """The kind of an operation, or of the nearest one around it that has one."""
    while event is not None:
        for name, words in KINDS.items():
            if any(word in event.name for word in words):
                return name
        event = event.cpu_parent
    return REST


def _row(name: str, microseconds: float, total: float) -> tuple[str, str, str]:
    return name, f"{microseconds / 1e3:.1f}", f"{microseconds / total:.1%}"
