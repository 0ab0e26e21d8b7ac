"""How a batch goes through an encoder: packed in one row, or padded group by group for encoders that cannot be packed.

Both give the same states; packed, no work is done for padding, and products are as large as they can be.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from xner_bench import attention, batches
from xner_bench.encode import Encoded
from xner_bench.errors import XnerError
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.batches import Batch, Group
    from xner_bench.watch import Watch

# Shapes: T subwords of a batch, D features of a state; a group has R rows of L places.

AGREE = 1e-4  # of the largest state; sums in another order differ by 1e-6, a wrong layout by 1e-1


class Layout(NamedTuple):
    """What an encoder wants."""

    packed: bool
    offset: int  # what the first position of a window is called; encoders of the RoBERTa kind begin at padding_idx + 1
    pad: int  # subword id of padding
    padding: bool = True  # whether padding beside it leaves a window as it is


def states(
    transformer: nn.Module, batch: Batch, layers: tuple[int, ...], depth: int, layout: Layout
) -> tuple[Tensor, ...]:
    """States of the wanted layers for the subwords of a batch, each (T, D)."""
    if layout.packed:
        with attention.packed(batch.groups):
            row = {"input_ids": batch.ids[None], "position_ids": batch.positions[None] + layout.offset}
            return _flat(transformer, row, layers, depth)
    groups = batch.groups if layout.padding else batches.alone(batch)
    sizes = [group.subwords for group in groups]
    by_group = [
        _padded(transformer, ids, group, layers, depth, layout.pad)
        for ids, group in zip(batch.ids.split(sizes), groups, strict=True)
    ]
    return by_group[0] if len(by_group) == 1 else tuple(torch.cat(parts) for parts in zip(*by_group, strict=True))


def _padded(
    transformer: nn.Module, ids: Tensor, group: Group, layers: tuple[int, ...], depth: int, pad: int
) -> tuple[Tensor, ...]:
    shape = (group.rows, group.length)
    if group.places is None:
        return _flat(transformer, {"input_ids": ids.view(shape)}, layers, depth)
    flat, mask = ids.new_full((group.rows * group.length,), pad), torch.zeros_like(ids[:1]).repeat(shape).flatten()
    flat[group.places], mask[group.places] = ids, 1
    rectangle = {"input_ids": flat.view(shape), "attention_mask": mask.view(shape)}
    return tuple(hidden.index_select(0, group.places) for hidden in _flat(transformer, rectangle, layers, depth))


def _flat(transformer: nn.Module, given: dict[str, Tensor], layers: tuple[int, ...], depth: int) -> tuple[Tensor, ...]:
    """States of the wanted layers, row after row: (R, L, D) to (R L, D)."""
    only_last = layers == (depth,)
    out: Any = transformer(**given, output_hidden_states=not only_last, return_dict=True)
    wanted = (out.last_hidden_state,) if only_last else tuple(out.hidden_states[layer] for layer in layers)
    return tuple(hidden.flatten(0, 1) for hidden in wanted)


def choose(transformer: Any, pad: int, room: int, watch: Watch = SILENT) -> Layout:
    """Pack if a few windows of different lengths, packed in one row, have the states that each of them has alone.

    `room`: subwords that the encoder takes at most. Leaves the encoder with the attention function that fits. An
    encoder that cannot be run on subwords alone is an XnerError.
    """
    kind = transformer.config.model_type
    packed = Layout(True, _first_position(transformer), pad)
    with probing(transformer):
        corpus, alone = _alone(transformer, pad, room)
        if _packs(transformer, corpus, alone, packed):
            return packed
        padded = Layout(False, 0, pad)
        if _agree(_together(transformer, corpus, padded, filled=0.0), alone):
            watch.note(
                f"encoders of type {kind!r} cannot be packed: their sentences are padded to like lengths (slower)"
            )
            return padded
    watch.note(f"encoders of type {kind!r} can be neither packed nor padded: each sentence goes alone (much slower)")
    return padded._replace(padding=False)


def _alone(transformer: Any, pad: int, room: int) -> tuple[Encoded, Tensor]:
    """A few windows, and the states that each of them has alone (T, D)."""
    try:
        corpus = _windows(transformer, pad, room)
        return corpus, _together(transformer, corpus, Layout(False, 0, pad, padding=False))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever else it may want beside subwords
        raise XnerError(
            f"encoder of type {transformer.config.model_type!r} cannot be run on subwords alone "
            f"({type(error).__name__}: {str(error).splitlines()[0]}); choose an encoder of text"
        ) from error


def _packs(transformer: Any, corpus: Encoded, alone: Tensor, packed: Layout) -> bool:
    """Whether it does, in training's way of computing too; sets the attention function if so."""
    before = transformer.config._attn_implementation
    try:
        transformer.set_attn_implementation(attention.NAME)
        with torch.enable_grad():
            in_training = _together(transformer, corpus, packed)
        if _agree(in_training, alone) and _agree(_together(transformer, corpus, packed), alone):
            return True
    except torch.OutOfMemoryError:
        raise
    except Exception:  # an encoder may take offence at a packed row in any way
        pass
    transformer.set_attn_implementation(before)
    return False


def _agree(found: Tensor, alone: Tensor) -> bool:
    return bool((found - alone).abs().max() <= AGREE * alone.abs().max())


def probe(transformer: Any, layout: Layout, room: int) -> Tensor:
    """The encoder's last states of a few windows of random subwords (T, D)."""
    with probing(transformer):
        corpus = _windows(transformer, layout.pad, room)
        return _together(transformer, corpus, layout)


def _first_position(transformer: nn.Module) -> int:
    """Encoders of the RoBERTa kind count positions from padding_idx + 1."""
    for name, module in transformer.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0


def _windows(transformer: Any, pad: int, room: int) -> Encoded:
    """Windows of random subwords, longest first; one goes beyond a sliding window, where the encoder has one."""
    config = transformer.config
    longest = min(room, 2 * (getattr(config, "sliding_window", None) or 0) + 24)
    lengths = np.array([min(longest, length) for length in (longest, 9, 5, 5, 3)])
    ids = np.random.default_rng(0).integers(0, config.vocab_size, lengths.sum()).astype(np.int32)
    ids[ids == pad] = (pad + 1) % config.vocab_size  # encoders may not count positions of padding
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    return Encoded(ids, np.arange(len(ids)), bounds, bounds, 0)


def _together(transformer: Any, corpus: Encoded, layout: Layout, filled: float = 1.0) -> Tensor:
    """Last states of all windows in one batch (T, D)."""
    batch = batches.lay_out(corpus, np.arange(corpus.n_windows), every_subword=False, filled=filled)
    return states(transformer, batch.to(transformer.device), (1,), 1, layout)[0].detach()


@contextmanager
def probing(transformer: nn.Module) -> Iterator[None]:
    """No dropout, no gradients, and nothing said by transformers about what an encoder does not support."""
    from xner_bench.encoder import silenced

    training = transformer.training
    transformer.eval()
    try:
        with silenced(), torch.no_grad():
            yield
    finally:
        transformer.train(training)
