"""The perturbed test splits of a suite: whose mentions go where.

A language draws from the test splits of the suite's targets that share something with it, and from its own: of the same
language (in whatever data set), script or family. The suite decides and not the targets of a run, so that all methods
and runs of a suite are scored on the same sentences. They are made of gold: in a run, after selection is written.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError
from xner_bench.perturb import SEED, Pool, perturb
from xner_bench.results import PerturbedRecord
from xner_bench.settings import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from xner_bench.cards import Language, Suite
    from xner_bench.catalogue import Catalogue
    from xner_bench.corpus import Corpus
    from xner_bench.places import MissingSplit
    from xner_bench.settings import Perturbation

SHARED = {"in-language": "iso639_3", "in-script": "script", "in-family": "family"}
ISOLATE = "isolate"  # the family of languages that have none, and so share none


def split(name: str) -> str:
    """What a perturbation's splits are called: test-in-script."""
    return f"test-{name}"


def lenders(known: Catalogue, suite: Suite, key: str, name: Perturbation) -> tuple[str, ...]:
    """The languages that one draws from, itself among them: wikiann:de, ..."""
    own = known.language(key)[1]
    alike = (target for target in suite.targets if _shared(known.language(target)[1], name) == _shared(own, name))
    return tuple(sorted({key, *alike}))


def _shared(language: Language, name: Perturbation) -> str:
    fact: str = getattr(language, SHARED[name])
    return language.iso639_3 if fact == ISOLATE else fact


def pool(prints: Mapping[str, str], asked: Iterable[str]) -> str:
    """sha256 of what is drawn from: of the languages asked for those that are here, with their fingerprints."""
    return digest({key: prints[key] for key in asked if key in prints})


def lacking(suite: str, missing: Sequence[MissingSplit]) -> XnerError:
    """What to say where languages that others draw from are not here."""
    others = ", ".join(f"{one.dataset}:{one.language}" for one in missing[1:])
    more = f" (nor {'have' if len(missing) > 2 else 'has'} {others})" if others else ""
    return XnerError(
        f"perturbed test splits of suite {suite} lack names to draw: {missing[0]}{more}; or make other ones without "
        "these with --allow-missing"
    )


class Made(NamedTuple):
    """A perturbed test split, and how it came to be."""

    corpus: Corpus
    record: PerturbedRecord
    drawn_from: tuple[str, ...]  # languages


class Maker:
    """Makes perturbed test splits; holds what it has read of the regular ones.

    `read` gives the test split of a language ("wikiann:de"), None where it is not here. `seed` is of the draws.
    """

    def __init__(self, known: Catalogue, suite: Suite, read: Callable[[str], Corpus | None], seed: int = SEED) -> None:
        self.known, self.suite, self.seed = known, suite, seed
        self.read = cache(read)
        self.pool = cache(self._pool)

    def make(self, key: str, name: Perturbation) -> Made:
        """The perturbed test split of a language whose regular one is here."""
        asked = lenders(self.known, self.suite, key, name)
        found = [one for one in map(self.read, asked) if one]
        corpus = next(one for one in found if one.key == key)
        here = tuple(one.key for one in found)
        done = perturb(corpus.sentences, self.pool(here), name, self.seed)
        origin = f"{name}, of {corpus.origin}"
        made = replace(corpus, split=split(name), sentences=done.sentences, origin=origin)
        record = PerturbedRecord(
            corpus=key,
            split=made.split,
            sentences=len(made.sentences),
            fingerprint=made.fingerprint,
            seed=self.seed,
            pool=pool({one.key: one.fingerprint for one in found}, asked),
            without=tuple(one for one in asked if one not in here),
            replaced=done.replaced,
            kept=done.kept,
        )
        return Made(made, record, here)

    def _pool(self, keys: tuple[str, ...]) -> Pool:
        return Pool(one.sentences for one in map(self.read, keys) if one)
