"""Attention over windows that lie end to end in one row: each window sees itself alone.

Everything else in an encoder works on one subword at a time, so a row without padding is all that it needs. Attention
alone must know where windows end. transformers lets anyone register an attention function; this one cuts the row into
groups of windows of like length, and does what its own `sdpa` does for each. No mask of the whole row is ever made, so
a row may be as long as memory allows.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from xner_bench.windows import Attention, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.batches import Group

# Shapes: T subwords of a row, H heads, F features of a head; a group has R rows of L places.

NAME = "xner_packed"
LONG = 512  # subwords; what is kept of attention written out grows with the square, torch's own keeps nothing of it


class Row:
    """The row that an encoder is given: its groups of windows, and how they are gathered."""

    def __init__(self, groups: tuple[Group, ...]) -> None:
        self.groups = groups
        self.longest = max((group.length for group in groups), default=0)
        self.plans: dict[tuple[int, int | None], Plan] = {}

    def plan(self, heads: int, sliding_window: int | None) -> Plan:
        """Made once for all layers that are alike."""
        wanted = (heads, sliding_window)
        if wanted not in self.plans:
            self.plans[wanted] = Plan(self.groups, *wanted)
        return self.plans[wanted]


ROW: ContextVar[Row | None] = ContextVar("xner_packed_row", default=None)


@contextmanager
def packed(groups: tuple[Group, ...]) -> Iterator[None]:
    """While this lasts, encoders that use NAME are given one row in which these groups follow one another."""
    token = ROW.set(Row(groups))
    try:
        yield
    finally:
        ROW.reset(token)


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it: three times (1, H, T, F) to (1, T, H, F).

    `sliding_window`: a subword sees those less than this many places away. Raises NotImplementedError for what a
    packed row cannot have, so that the comparison at the start finds it.
    """
    row = ROW.get()
    if row is None:
        out: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **rest
        )
        return out
    if rest.get("position_bias") is not None or rest.get("softcap") is not None:
        raise NotImplementedError("attention with a bias by position, or capped")
    if value.shape[-1] != query.shape[-1]:
        raise NotImplementedError("values of another size than queries")
    q, k, v = (given.squeeze(0).transpose(0, 1) for given in (query, key, value))  # (T, H, F)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.device.type == "cpu" and torch.is_grad_enabled() and row.longest <= LONG:
        return _written_out(q, k, v, row, dropout, scale, sliding_window)[None], None
    return _by_group(q, k, v, row.groups, dropout, scale, sliding_window)[None], None


def _written_out(
    query: Tensor, key: Tensor, value: Tensor, row: Row, dropout: float, scale: float, sliding_window: int | None
) -> Tensor:
    """Three times (T, H, F) to (T, H, F): see `windows`. In fp32, as products so small gain nothing in less."""
    shape, heads = query.shape, query.shape[1]
    several = heads // key.shape[1]  # queries' heads that share one of the keys' and values'
    if several > 1:
        key, value = (given.repeat_interleave(several, 1) for given in (key, value))
    flat = (given.reshape(-1, shape[-1]).float() for given in (query, key, value))
    out: Tensor = Attention.apply(*flat, row.plan(heads, sliding_window), scale, dropout)  # type: ignore[no-untyped-call]
    return out.view(shape).to(query.dtype)


def _by_group(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    groups: tuple[Group, ...],
    dropout: float,
    scale: float,
    sliding_window: int | None,
) -> Tensor:
    """Three times (T, H, F) to (T, H, F), with torch's attention for each group."""
    # Cut once, so that the gradient is put together once.
    sizes = [group.subwords for group in groups]
    parts = zip(*(given.split(sizes) for given in (query, key, value)), strict=True)
    done = [
        _group(q, k, v, group, dropout, scale, sliding_window) for group, (q, k, v) in zip(groups, parts, strict=True)
    ]
    return torch.cat(done)


def _group(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    group: Group,
    dropout: float,
    scale: float,
    sliding_window: int | None,
) -> Tensor:
    """One group's windows: three times (t, H, F) to (t, H, F), t being its real subwords."""
    out = scaled_dot_product_attention(
        _rectangle(query, group),
        _rectangle(key, group),
        _rectangle(value, group),
        attn_mask=_mask(group, sliding_window, query.device),
        dropout_p=dropout,
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    flat = out.transpose(1, 2).flatten(0, 1)  # (R, H, L, F) to (R L, H, F)
    return flat if group.places is None else flat.index_select(0, group.places)


def _rectangle(given: Tensor, group: Group) -> Tensor:
    """(t, H, F) to (R, H, L, F), where a window is shorter with zeros, which the mask hides."""
    if group.places is not None:
        room = given.new_zeros(group.rows * group.length, *given.shape[1:])
        given = room.index_copy(0, group.places, given)
    return given.view(group.rows, group.length, *given.shape[1:]).transpose(1, 2)


def _mask(group: Group, sliding_window: int | None, device: torch.device) -> Tensor | None:
    """Which places of its row a place sees, (R or 1, 1, L or 1, L) of bools; None: all of them."""
    mask = None
    if group.places is not None:
        mask = torch.zeros(group.rows * group.length, dtype=torch.bool, device=device)
        mask = mask.index_fill(0, group.places, True).view(group.rows, 1, 1, group.length)
    if sliding_window is not None and sliding_window < group.length:
        place = torch.arange(group.length, device=device)
        near = (place[:, None] - place).abs() < sliding_window
        # a place of padding sees itself, else there is nothing to take a mean of
        mask = near if mask is None else near & mask | torch.eye(group.length, dtype=torch.bool, device=device)
    return mask


def _mask_of_padding(*given: Any, **named: Any) -> Tensor | None:
    """The mask that transformers makes before the first layer: for padded rows as ever, for packed ones none."""
    mask: Tensor | None = sdpa_mask(*given, **named) if ROW.get() is None else None
    return mask


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, _mask_of_padding)
