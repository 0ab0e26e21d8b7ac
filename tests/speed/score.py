"""Speed of scoring: 10,000 sentences, strict, ours against seqeval.

Gold is WikiANN's English dev split, predictions are the gold disturbed at random. Ours starts from tag ids in arrays,
which is what the engine has after prediction; seqeval starts from lists of strings, which is all it takes. The last
line is a JSON object: how many times faster we are.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import machine
import numpy as np
import rounds
import sentences
from sentences import TAGS, TYPES
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

from xner_bench import score
from xner_bench.corpus import Corpus, Sentence
from xner_bench.encode import Encoded
from xner_bench.measure import Gold, tag_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Names = list[list[str]]
CALLS = 20  # of ours in a round, so that a clock can tell them


def main() -> None:
    """Measure both sides and print the figures."""
    asked = arguments()
    data = sentences.english("dev").first(asked.sentences)
    gold = np.concatenate(data.tags)
    predicted = disturbed(gold, asked.share)
    offsets = np.cumsum([0, *map(len, data.tags)])
    names = (named(gold, offsets), named(predicted, offsets))
    lines = [
        *machine.describe(),
        sentences.where(),
        f"scoring {len(data.tags):,} sentences of {len(gold):,} words, strict IOB2",
        f"predictions: the gold with {asked.share:.0%} of the tags drawn anew",
    ]
    print("\n".join(lines), flush=True)
    ours = Gold(gold, without_subwords(offsets), TYPES)
    check(ours, predicted, names)
    measured = rounds.interleaved(sides(ours, predicted, names), asked.rounds)
    report(measured)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.15, help="of the words whose predicted tag is drawn anew")
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def disturbed(gold: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """The gold with some tags drawn anew."""
    draw = np.random.default_rng(0)
    return np.where(draw.random(len(gold)) < share, draw.integers(0, len(TAGS), len(gold)), gold)


def named(tags: NDArray[np.int64], offsets: NDArray[np.int64]) -> Names:
    """Tag ids as lists of strings, one a sentence."""
    spelt = [TAGS[tag] for tag in tags.tolist()]
    return [spelt[start:end] for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def without_subwords(offsets: NDArray[np.int64]) -> Encoded:
    """Sentences of so many words; word profiles look at nothing else of what is encoded."""
    nothing = np.zeros(0, np.int64)
    return Encoded(nothing.astype(np.int32), nothing, np.zeros(1, np.int64), offsets, 0)


def check(ours: Gold, predicted: NDArray[np.int64], names: tuple[Names, Names]) -> None:
    """Print the counts of both sides; ValueError where they differ."""
    counts, theirs = ours.compare(predicted, "word-strict"), seqeval_counts(names)
    rounds.table(
        ["type", "tp", "fp", "fn", "seqeval: tp", "fp", "fn"], [(name, *counts[name], *theirs[name]) for name in TYPES]
    )
    if counts != theirs:
        raise ValueError("our counts are not those of seqeval")


def seqeval_counts(names: tuple[Names, Names]) -> dict[str, score.Counts]:
    """Counts by type, worked out from the scores that seqeval gives; it lists types in alphabetical order."""
    columns = precision_recall_fscore_support(*names, average=None, scheme=IOB2)
    found = {}
    for name, precision, recall, _, support in zip(sorted(TYPES), *columns, strict=True):
        right = round(recall * support)
        found[name] = score.Counts(right, round(right / precision) - right, int(support) - right)
    return found


def sides(
    ours: Gold, predicted: NDArray[np.int64], names: tuple[Names, Names]
) -> dict[str, Callable[[], Sequence[float]]]:
    """What is measured."""

    def from_arrays() -> None:
        for _ in range(CALLS):
            score.micro(ours.compare(predicted, "word-strict")).f1  # noqa: B018

    def from_strings() -> None:
        for _ in range(CALLS):
            gold, guessed = (tag_ids(corpus(side), TAGS) for side in names)
            offsets = np.cumsum([0, *map(len, names[0])])
            score.micro(Gold(gold, without_subwords(offsets), TYPES).compare(guessed, "word-strict")).f1  # noqa: B018

    def seqeval() -> None:
        precision_recall_fscore_support(*names, average="micro", scheme=IOB2)

    return {
        "seqeval": lambda: [rounds.seconds(seqeval)],
        "ours, from arrays": lambda: [rounds.seconds(from_arrays) / CALLS],
        "ours, from lists of strings": lambda: [rounds.seconds(from_strings) / CALLS],
    }


def corpus(names: Names) -> Corpus:
    """Tags as the corpus of a run has them; words do not matter here."""
    return Corpus("", "", "", [Sentence((), tuple(tags)) for tags in names], "", "")


def report(measured: dict[str, NDArray[np.float64]]) -> None:
    """The table and the ratio."""
    rows = [
        (name, f"{rounds.median_round(one) * 1e3:.2f}", f"{rounds.ratio(measured['seqeval'], one):.1f}")
        for name, one in measured.items()
    ]
    rounds.table(["side", "median ms", "times faster than seqeval"], rows)
    rounds.last_line({"ratio": rounds.ratio(measured["seqeval"], measured["ours, from arrays"])})


if __name__ == "__main__":
    main()
