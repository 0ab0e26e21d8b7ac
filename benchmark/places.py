"""Where a split lies: bundled with the package, under a data root, in the cache, or on the hub.

They are asked in this order. Under a data root a split is `<root>/<dataset>/<language>/<split>.*`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xner_bench import files, hub, manifest, readers
from xner_bench.errors import XnerError
from xner_bench.readers import Layout, Raw, Table

if TYPE_CHECKING:
    from xner_bench.catalogue import Card, Language, Split
    from xner_bench.manifest import Fetched


@dataclass(frozen=True)
class Places:
    """Where splits are looked for."""

    data_root: Path | None = None
    cache: Path = field(default_factory=files.cache_dir)
    offline: bool = False


class MissingSplit(XnerError):
    """A split that is in none of the places."""

    def __init__(self, dataset: str, language: str, split: str, reason: str) -> None:
        self.dataset, self.language, self.split = dataset, language, split
        super().__init__(f"{dataset}:{language} has no {split} split: {reason}")


class Found(NamedTuple):
    """The tables of a split, the hash of its file, and where it lies."""

    tables: list[Table]
    sha256: str
    origin: str


def find(card: Card, language: Language, split: Split, places: Places) -> Found:
    """The files of a split from the first place that has it. Raises MissingSplit."""
    if card.bundled:
        return _bundled(card.name, language.code, split)
    if places.data_root and (path := local_file(card, language, split, places.data_root)):
        return Found([_table(path, card, language)], files.sha256(path), f"file:{path}")
    fetched = _from_hub(card, language, split, places)
    return Found([_table(path, card, language) for path in fetched.paths], fetched.sha256, fetched.origin)


def lying(card: Card, language: Language, split: Split, places: Places) -> tuple[str, tuple[Path, ...]] | None:
    """Where `find` would read a split from, and which files, without reading them; None where it is not here yet."""
    if card.bundled:
        return "bundled", ()
    if places.data_root and (path := local_file(card, language, split, places.data_root)):
        return f"file:{path}", (path,)
    entry = manifest.read(card, places.cache).entry(card.hub, language.code, split) if card.hub else None
    if entry is None:
        return None
    fetched = manifest.fetched(card, places.cache, entry)
    return (fetched.origin, fetched.paths) if all(path.is_file() for path in fetched.paths) else None


@lru_cache(maxsize=128)  # making them takes longer than all else of a plan, and nothing can change them
def _bundled(dataset: str, language: str, split: str) -> Found:
    from xner_bench.mini import generate

    sentences = generate.sentences(dataset, language, split)
    text = "\n".join("".join(map("{}\t{}\n".format, *sentence)) for sentence in sentences)
    digest = hashlib.sha256(text.encode()).hexdigest()
    raw = [Raw(sentence.words, sentence.tags, number) for number, sentence in enumerate(sentences, 1)]
    return Found([Table(Path(dataset, language, split), raw)], digest, "bundled")


def _table(path: Path, card: Card, language: Language) -> Table:
    prefix = card.local.prefix.replace("{language}", language.code)
    return readers.read(path, Layout(card.columns.words, card.columns.tags, card.tag_ids, prefix))


def local_file(card: Card, language: Language, split: Split, root: Path) -> Path | None:
    """The one file of a split under a data root. XnerError where there are two."""
    folder = _local_folder(card, language, root)
    names = [f"{alias}{suffix}" for alias in card.local.splits.get(split, ()) for suffix in readers.FORMATS]
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        two = " and ".join(path.name for path in found[:2])
        raise XnerError(f"{folder} has two files for {split}: {two}; keep the one that is meant")
    return found[0] if found else None


def _local_folder(card: Card, language: Language, root: Path) -> Path:
    if not root.is_dir():
        raise XnerError(f"the data root {root} is no folder; it holds <dataset>/<language>/<split>.*")
    return root / (card.local.folder or card.name) / language.code


def _from_hub(card: Card, language: Language, split: Split, places: Places) -> Fetched:
    """The split from the cache, else from the hub. Raises MissingSplit."""
    forbidden = places.offline or hub.offline()
    try:
        fetched = manifest.cached(card, language.code, split, places.cache) if card.hub else None
        if card.hub and not fetched and not forbidden:
            fetched = hub.fetch(card, language.code, split, places.cache)
    except hub.HubUnreachable as error:
        raise MissingSplit(card.name, language.code, split, str(error)) from error
    if fetched is None:
        reason = _nowhere(card, language, split, places, forbidden)
        raise MissingSplit(card.name, language.code, split, reason)
    return fetched


def _nowhere(card: Card, language: Language, split: Split, places: Places, forbidden: bool) -> str:
    """Where it was looked for in vain, and the next step."""
    tried = []
    if places.data_root:
        names = " or ".join(f"{alias}.*" for alias in card.local.splits.get(split, ()))
        tried.append(f"no {names} in {_local_folder(card, language, places.data_root)}")
    if card.hub is None:
        tried.append("its card names no hub repository")
    elif forbidden:
        tried.append(f"not in the cache {places.cache}")
    else:
        tried.append(f"none in {card.hub.repo} at {card.hub.revision}")
    fetch = f", or `xner-bench data fetch {card.key(language.code)}` where there is a network"
    return f"{', '.join(tried)}; give its file with --data-root DIR{fetch if card.hub and forbidden else ''}"
