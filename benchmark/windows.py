"""Attention in training on a CPU: the windows of a packed row, with as few calls as there can be.

Sentences are short, so attention is little work in many small pieces, and torch's own function with its gradient spends
most of its time on getting there. Here all windows' heads are gathered at once into one buffer, the products of a group
of windows are views of it, and the gradient is written out:

    S = scale Q K',  P = softmax(S),  O = (P * drop) V
    dV = (P * drop)' dO,  dP = (dO V') * drop,  dS = P * (dP - rowsum(dP * P)),  dQ = scale dS K,  dK = scale dS' Q
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from xner_bench.dropout import mask

if TYPE_CHECKING:
    from xner_bench.batches import Group

# Shapes: T subwords of a row, H heads, F features of a head; a group has R windows of L places; N = sum of R H L.

FAR = -1e9  # added to the score of what a place does not see; its exp is 0, and a row of nothing else is no NaN


class Span(NamedTuple):
    """Where a group lies in the buffers."""

    rows: int  # R H
    length: int  # L
    start: int  # in the N places
    score: int  # in the sum of R H L L scores
    bias: Tensor | None  # (R H, 1, L) or (R H or 1, L, L), added to scores; None: everything is seen


class Plan:
    """How a batch's windows are gathered, for one number of heads; made once for all layers."""

    def __init__(self, groups: tuple[Group, ...], heads: int, sliding_window: int | None) -> None:
        there, spans, padding = [], [], []
        start = score = subwords = 0
        for group in groups:
            token, real = _tokens(group, subwords)  # (R, L) each
            head = torch.arange(heads)[:, None]
            there.append((token[:, None] * heads + head).flatten())  # (R, H, L), flat
            seen = real[:, None].expand(-1, heads, -1)
            padding.append(start + (~seen.flatten()).nonzero().flatten())
            bias = _bias(real, heads, sliding_window)
            spans.append(Span(group.rows * heads, group.length, start, score, bias))
            start += len(there[-1])
            score += len(there[-1]) * group.length
            subwords += int(real.sum())
        self.spans = spans
        self.scores = score
        self.there = torch.cat(there)  # (N,) row of (T H, F) for each place
        self.padding = torch.cat(padding)  # places that are none
        self.back = torch.empty(subwords * heads, dtype=torch.int64)  # (T H,) place of each row
        kept = torch.ones(start, dtype=torch.bool).index_fill_(0, self.padding, False).nonzero().flatten()
        self.back[self.there[kept]] = kept


def _tokens(group: Group, first: int) -> tuple[Tensor, Tensor]:
    """Which subword of the row stands in each place (R, L), and which places are real; padding is any subword."""
    shape = (group.rows, group.length)
    if group.places is None:
        return first + torch.arange(group.rows * group.length).view(shape), torch.ones(shape, dtype=torch.bool)
    token = torch.full((group.rows * group.length,), first)
    token[group.places] = first + torch.arange(len(group.places))
    real = torch.zeros(len(token), dtype=torch.bool).index_fill_(0, group.places, True)
    return token.view(shape), real.view(shape)


def _bias(real: Tensor, heads: int, sliding_window: int | None) -> Tensor | None:
    hidden = None if real.all() else ~real.repeat_interleave(heads, 0)[:, None]  # (R H, 1, L)
    length = real.shape[1]
    if sliding_window is not None and sliding_window < length:
        place = torch.arange(length)
        far = ((place[:, None] - place).abs() >= sliding_window)[None]
        hidden = far if hidden is None else hidden | far
    return None if hidden is None else torch.zeros(hidden.shape).masked_fill_(hidden, FAR)


class Attention(torch.autograd.Function):
    """Queries, keys and values (T H, F) to outputs (T H, F), in fp32."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float, dropout: float
    ) -> Tensor:
        q, k, v = (given.index_select(0, plan.there) for given in (query, key, value))  # (N, F)
        p, out = q.new_empty(plan.scores), torch.empty_like(v)
        for span in plan.spans:
            torch.softmax(_scores(q, k, span, scale), -1, out=_square(p, span))
        drop = mask(p, dropout) if dropout else None
        weights = p if drop is None else p * drop
        for span in plan.spans:
            torch.bmm(_square(weights, span), _rows(v, span), out=_rows(out, span))
        ctx.save_for_backward(q, k, v, p, drop)
        ctx.plan, ctx.scale = plan, scale
        return out.index_select(0, plan.back)

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, p, drop = ctx.saved_tensors
        plan: Plan = ctx.plan
        d_out = grads[0].index_select(0, plan.there).index_fill_(0, plan.padding, 0.0)
        d_p, (d_q, d_k, d_v) = torch.empty_like(p), (torch.empty_like(given) for given in (q, k, v))
        weights = p if drop is None else p * drop
        for span in plan.spans:
            torch.bmm(_square(weights, span).transpose(1, 2), _rows(d_out, span), out=_rows(d_v, span))
            torch.bmm(_rows(d_out, span), _rows(v, span).transpose(1, 2), out=_square(d_p, span))
        if drop is not None:
            d_p *= drop
        for span in plan.spans:
            own = _square(p, span)
            d_s = torch.ops.aten._softmax_backward_data(_square(d_p, span), own, -1, own.dtype)
            torch.bmm(d_s, _rows(k, span), out=_rows(d_q, span))
            torch.bmm(d_s.transpose(1, 2), _rows(q, span), out=_rows(d_k, span))
        to_q, to_k = ((given * ctx.scale).index_select(0, plan.back) for given in (d_q, d_k))
        return to_q, to_k, d_v.index_select(0, plan.back), None, None, None


def _scores(q: Tensor, k: Tensor, span: Span, scale: float) -> Tensor:
    """(R H, L, L)"""
    q_, k_ = _rows(q, span), _rows(k, span).transpose(1, 2)
    if span.bias is None:
        return torch.baddbmm(q.new_empty(()), q_, k_, beta=0, alpha=scale)
    return torch.baddbmm(span.bias, q_, k_, alpha=scale)


def _rows(given: Tensor, span: Span) -> Tensor:
    """A group's part of a buffer (N, F), as (R H, L, F)."""
    part = given[span.start : span.start + span.rows * span.length]
    return part.view(span.rows, span.length, given.shape[1])


def _square(given: Tensor, span: Span) -> Tensor:
    """A group's part of a buffer of scores, as (R H, L, L)."""
    part = given[span.score : span.score + span.rows * span.length * span.length]
    return part.view(span.rows, span.length, span.length)
