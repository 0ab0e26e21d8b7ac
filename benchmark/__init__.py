"""xner-bench: a benchmark suite for cross-lingual named entity recognition.

Import this package as `xner_bench`. From Python: `set_up`, `carry_out`, `scores`, `board` (see xner_bench.api), and
`XnerError` for everything that the user can mend. They are loaded when they are first used, so that importing is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from xner_bench.api import board, carry_out, scores, set_up

__all__ = ["XnerError", "board", "carry_out", "scores", "set_up"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from xner_bench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
