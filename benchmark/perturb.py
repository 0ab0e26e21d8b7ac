"""Entity-mention replacement: the same sentences about other people and places.

Every entity gives way to another mention of its type, drawn from a pool; its tags follow the new length, and no other
word changes. Ogueji et al., EMNLP 2022 (https://arxiv.org/abs/2211.02738), section 3, do so with test splits, after
Dai and Adel, COLING 2020 (https://aclanthology.org/2020.coling-main.343), who replace some of a training split.

Neither says whether a mention that occurs often is drawn often. Here it is: a pool has every occurrence, so that long
and short, common and rare names are about as frequent as in the texts that are drawn from.

A draw is the sha256 of the seed, the perturbation's name, the sentence, which of its equals it is (first, second, ...)
and the entity's place in it: no generator of random numbers that another version may change, and nothing of the other
sentences or their order. It picks from the sorted pool, for which the order of the texts is as nothing, too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.corpus import Sentence
from xner_bench.settings import digest
from xner_bench.tags import Span, spans, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEED = 0  # of the draws; no run's

Words = tuple[str, ...]


class Perturbed(NamedTuple):
    """Sentences after replacement."""

    sentences: list[Sentence]
    replaced: int  # entities
    kept: int  # entities of whose type the pool has no mention in other words


class Pool:
    """Mentions to draw from, by type, each as often as it occurs."""

    def __init__(self, corpora: Iterable[Iterable[Sentence]]) -> None:
        found: dict[str, list[Words]] = defaultdict(list)
        for sentences in corpora:
            for sentence in sentences:
                for span in spans(sentence.tags):
                    found[span.type].append(sentence.words[span.start : span.stop])
        self._mentions = {kind: sorted(mentions) for kind, mentions in found.items()}

    def other(self, kind: str, words: Words, number: int) -> Words | None:
        """The mention of a type that a number (from 0) picks among those in other words; None where there is none."""
        every = self._mentions.get(kind, [])
        first, stop = bisect_left(every, words), bisect_right(every, words)
        others = len(every) - (stop - first)
        if not others:
            return None
        at = number % others
        return every[at if at < first else at + stop - first]


def perturb(sentences: Sequence[Sentence], pool: Pool, name: str, seed: int = SEED) -> Perturbed:
    """Replace every entity by another one of the pool. `name` is the perturbation's: each draws for itself."""
    copies: Counter[Sentence] = Counter()
    made: list[Sentence] = []
    total = kept = 0
    for sentence in sentences:
        copies[sentence] += 1
        draw = digest([seed, name, sentence, copies[sentence]])
        entities = spans(sentence.tags)
        others = [_other(sentence, span, pool, draw) for span in entities]
        made.append(_with(sentence, entities, others))
        total += len(entities)
        kept += others.count(None)
    return Perturbed(made, total - kept, kept)


def _other(sentence: Sentence, span: Span, pool: Pool, draw: str) -> Words | None:
    number = int(digest([draw, span.start]), 16)
    return pool.other(span.type, sentence.words[span.start : span.stop], number)


def _with(sentence: Sentence, entities: Sequence[Span], others: Sequence[Words | None]) -> Sentence:
    """The sentence with other words for its entities; None leaves one as it is."""
    words: list[str] = []
    tags: list[str] = []
    at = 0
    for span, other in zip(entities, others, strict=True):
        new = sentence.words[span.start : span.stop] if other is None else other
        words += (*sentence.words[at : span.start], *new)
        tags += (*sentence.tags[at : span.start], *write([Span(span.type, 0, len(new))], len(new)))
        at = span.stop
    return Sentence((*words, *sentence.words[at:]), (*tags, *sentence.tags[at:]))
