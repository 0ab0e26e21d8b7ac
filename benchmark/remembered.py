"""What one plan read serves the next: cards, corpora and encoders, for as long as their files stay the same.

A grid makes a plan for each of its runs, and most of them differ in what is in no file: seed, learning rate, method.
Whether a file is the same is told by its place, its size and the times of its changes, as `make` and git do it. Labels
are not remembered: a plan knows a corpus without its tags.
"""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any, TypeVar

from xner_bench import catalogue as catalogues
from xner_bench import corpus, encoder
from xner_bench.places import lying

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from xner_bench.catalogue import Card, Catalogue, Language, Split
    from xner_bench.corpus import Places, Sealed
    from xner_bench.encoder import Pretrained

    Marks = tuple[tuple[str, int, int, int, int, int], ...]

T = TypeVar("T")

KEPT = 8  # plans for which something is kept that none of them used
# Seconds: a file that was written later than that may change again without its times showing it. A copy may have the
# time of its original as that of its last writing, so that of the last change of its entry counts.
SETTLED = 2.0

_held: dict[Hashable, tuple[int, Any]] = {}  # key -> the last plan that used it, and what it is
_plan = 0


def begin_plan() -> None:
    """A further plan: forget what none of the last ones used."""
    global _plan
    _plan += 1
    for key in [key for key, (used, _) in _held.items() if used < _plan - KEPT]:
        del _held[key]


def forget() -> None:
    """Forget everything, to have the room back."""
    _held.clear()


def seal(
    card: Card,
    language: Language,
    split: Split,
    places: Places,
    *,
    types: Sequence[str],
    harmonize: Mapping[str, str],
) -> Sealed:
    """As `corpus.seal`, which reads and checks a split."""

    def read() -> Sealed:
        return corpus.seal(card, language, split, places, types=types, harmonize=harmonize)

    found = lying(card, language, split, places)
    if found is None:
        return read()
    origin, paths = found
    inside = (card.scheme, card.columns.words, card.columns.tags, card.tag_ids, card.local.prefix)
    reading = (tuple(types), tuple(sorted(harmonize.items())), language.count(split))
    return _unless_changed((card.name, language.code, split, origin, inside, reading), paths, read)


def catalogue(folders: Sequence[Path]) -> Catalogue:
    """As `catalogue.load`, with the cards and suites that were parsed before."""
    listed = catalogues.load(folders)
    return _unless_changed(("catalogue",), listed.files, lambda: listed)


def fingerprint(found: Pretrained) -> str:
    """As `Pretrained.fingerprint`, which reads all of an encoder's weights."""
    return _unless_changed(("fingerprint",), _files(found), found.fingerprint)


def configuration(found: Pretrained) -> Any:
    """As `encoder.configuration`; for reading only."""
    return _unless_changed(("configuration",), _files(found), lambda: encoder.configuration(found))


def _files(found: Pretrained) -> list[Path]:
    return sorted(path for path in found.folder.iterdir() if path.is_file())


def _unless_changed(what: tuple[Hashable, ...], paths: Iterable[Path], read: Callable[[], T]) -> T:
    """What was read of these files before, or is read now."""
    paths = tuple(paths)
    marks = _marks(paths)
    key = (what, marks)
    if key not in _held:
        made = read()
        if _marks(paths) != marks or any(time() - mark[-1] / 1e9 < SETTLED for mark in marks):
            return made
        _held[key] = (_plan, made)
    made = _held[key][1]
    _held[key] = (_plan, made)
    return made


def _marks(paths: Iterable[Path]) -> Marks:
    stats = [(str(path), path.stat()) for path in paths]
    return tuple(
        (name, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats
    )
