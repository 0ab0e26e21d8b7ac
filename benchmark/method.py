"""The contract of a method: frozen settings and a few hooks, each with a plain default.

A method's fields are its command-line options, its search space and its columns on the leaderboard; the first line of
its docstring is what `xner-bench methods` prints. A method is written as its difference from the common loop:
override only what changes. Methods that change different things combine without a class of their own: `crf+prune`
(`compose.py`). This module imports no torch, so that options can be listed quickly; import it inside the
hooks, or at the top of your own module if you don't mind that listing your method takes a second longer.

What training changes is kept in the tagger's parameters and buffers: a run that was interrupted goes on in another
process, which has these, the optimizer and the random numbers, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch.nn import Parameter

    from xner_bench.checkpoints import Checkpoint
    from xner_bench.head import Head
    from xner_bench.space import Choices, Range
    from xner_bench.tagger import Tagger


class Sizes(NamedTuple):
    """What a head must know of the encoder that it sits on."""

    hidden: int  # features of a state
    depth: int  # layers of the encoder; layer 0 is the embeddings' output
    dropout: float  # on the states that the head reads, in training
    init_std: float  # of the normal distribution that the encoder's own weights were drawn from


class Moment(NamedTuple):
    """How far training is."""

    step: int  # that was just taken, from 1
    steps: int  # of the whole training
    sentences: int  # of the training data


class Method(BaseModel):
    """A way to fine-tune an encoder for tagging. Subclass it, add fields with descriptions, override hooks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def search_space(cls, sizes: Sizes) -> Mapping[str, Range | Choices]:
        """Fields that `xner-bench search` chooses, each from a range or from a tuple of values; by default none."""
        return {}

    def layers(self, depth: int) -> tuple[int, ...]:
        """Layers whose states the head wants, 0 (the embeddings' output) to `depth`; by default the last."""
        return (depth,)

    def head(self, sizes: Sizes, tags: Sequence[str]) -> Head:
        """Make the module on top of the encoder; by default one linear layer with cross-entropy.

        `tags` are the names in the order of their ids: O, B-PER, I-PER, ... Settings that do not fit the encoder are an
        XnerError here, before any training.
        """
        from xner_bench.head import LinearHead

        return LinearHead(sizes, len(tags))

    def check(self, end: Moment) -> None:
        """Called while a run is planned, with the last moment of its training; by default nothing.

        The place to refuse options that don't fit how long training is, with an XnerError. Sentences that are cut into
        windows may add some steps to those that are told here.
        """

    def prepare(self, tagger: Tagger) -> None:
        """Called once on a fresh tagger, before it is trained or gets a checkpoint's weights; by default nothing.

        The place to freeze parameters, to add adapters to the encoder, or buffers for what must survive a kill. torch's
        random numbers follow from the run's seed alone here.
        """

    def trainable(self, tagger: Tagger) -> Iterable[Parameter]:
        """Parameters that the optimizer updates; by default all that ask for a gradient.

        The embedding of subwords may be a compact one: its `weight` then has the rows of the training data's subwords
        alone, in the order of their ids (see `vocabulary.CompactEmbedding`).
        """
        return (parameter for parameter in tagger.parameters() if parameter.requires_grad)

    def after_step(self, tagger: Tagger, moment: Moment) -> None:
        """Called after each optimizer step; by default nothing.

        Few-shot fine-tuning goes on after the end of training: there it is training's last moment, in every step.
        """

    def finish(self, tagger: Tagger, checkpoints: Sequence[Checkpoint]) -> None:
        """Called once after the last epoch, with every epoch's checkpoint; may change the tagger's weights.

        A mean of checkpoints is the mean of their state_dict(), which tells how far unused subwords have decayed, too.
        By default nothing: the last epoch's weights are the result. A method that overrides this has the changed
        weights scored on dev and stored as one checkpoint more, which is then the last.
        """

    def settle(self, tagger: Tagger) -> None:
        """Called where weights were put into the tagger that are not one checkpoint's, to make them agree with buffers,
        such as with the mask that prunes them; by default nothing.

        The mean of all epochs (the protocol `average`): parameters and floating buffers are means, other buffers the
        last epoch's. The beginning of few-shot fine-tuning: all is the checkpoint's, but a compact embedding has other
        rows, with their values, and a buffer that follows these rows is as `prepare` made it.
        """

    def plain(self, tagger: Tagger) -> None:
        """Called last, where the tagger is to be written as a transformers folder: make the encoder again one of its
        kind that tags as before, without what `prepare` added; by default nothing.
        """

    def facts(self, tagger: Tagger) -> Mapping[str, Any]:
        """What is worth knowing of the trained tagger, as JSON has it: recorded with the run; by default nothing."""
        return {}
