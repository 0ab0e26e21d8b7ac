"""What a whole job reads: parts of corpora as files, a card and a suite on them, an encoder.

The targets are the source itself and low-resource languages: short sentences of Wikipedia, long ones of news.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import encoders
import recipe
import sentences
import yaml
from sentences import TAGS, TYPES, Sentences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xner_bench.cards import Split

SOURCE = "en"
TESTED: tuple[Split, ...] = ("dev", "test")
TARGETS = {
    **{code: f"wikiann:{code}" for code in ("en", "am", "ig", "rw", "sw", "yo")},
    **{code: f"masakhaner:{code}" for code in ("hau", "kin", "luo", "wol")},
}
MINI_TARGETS = {
    **{code: f"mini-wikiann:{code}" for code in ("en", "ar", "hi", "tr", "zh")},
    **{code: f"mini-masakhaner:{code}" for code in ("amh", "hau", "ibo", "swa", "yor")},
}
CARD = {
    "name": "speed",
    "title": "speed",
    "about": "Parts of corpora",
    "licence": "that of the corpora",
    "homepage": "none",
    "cite": "the corpora",
    "notice": "for measuring time only",
    "types": list(TYPES),
}
SUITE = {
    "name": "job",
    "title": "job",
    "about": "English to a few targets",
    "reference": "none",
    "notice": "for measuring time only",
    "encoder": "mini",
    "source": f"speed:{SOURCE}",
    "types": list(TYPES),
}
TRAINING = {
    "epochs": 1,
    "lr": recipe.LR,
    "batch_size": recipe.BATCH,
    "weight_decay": recipe.DECAY,
    "warmup": recipe.WARMUP,
    "clip": recipe.CLIP,
    "dropout": recipe.DROPOUT,
    "max_length": encoders.LENGTH,
    "precision": "fp32",
    "subword_labels": "first",
    "seed": 42,
}
UNNAMED = {"iso639_3": "und", "script": "Zyyy", "family": "none"}


class World(NamedTuple):
    """The folders that a job reads."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue"

    def file(self, code: str, split: str) -> Path:
        return self.data / "speed" / code / f"{split}.tsv"


def build(world: World, shape: str, train: int, targets: int, each: int) -> list[str]:
    """Write data, catalogue and encoder: `train` English sentences, `targets` targets, at most `each` sentences of a
    split. Returns the lines of the settings.
    """
    known = TARGETS if sentences.real() else MINI_TARGETS
    names = {code: known[code] for code in list(known)[:targets]}
    splits = dict(_splits(names, train, each))
    for (code, split), part in splits.items():
        _write_split(world.file(code, split), part)
    sizes = {place: len(part.words) for place, part in splits.items()}
    _write_catalogue(world, sizes)
    seen = [words for (_, split), part in splits.items() if split == "dev" for words in part.words]
    encoders.write(shape, world.folder, [*sentences.english("train").words, *seen])
    tagged = sum(sizes.values()) - sizes[SOURCE, "train"]
    return [
        sentences.where(),
        f"{encoders.SHAPES[shape].about}; fp32; {recipe.ABOUT}",
        f"one epoch of {sizes[SOURCE, 'train']:,} English sentences, then dev and test of {', '.join(names.values())}",
        f"at most {each} sentences a split, as WikiANN's low-resource tests have: {tagged:,} to tag",
    ]


def _splits(names: dict[str, str], train: int, each: int) -> Iterator[tuple[tuple[str, Split], Sentences]]:
    for code, key in names.items():
        if code == SOURCE:
            yield (code, "train"), sentences.read(key, "train").first(train)
        for split in TESTED:
            yield (code, split), sentences.read(key, split).first(each)


def _write_split(path: Path, part: Sentences) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        "".join(f"{word}\t{TAGS[tag]}\n" for word, tag in zip(words, tags, strict=True))
        for words, tags in zip(*part, strict=True)
    )
    path.write_text("\n".join(lines), "utf-8")


def read(path: Path) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of a file's sentences."""
    blocks = path.read_text("utf-8").split("\n\n")
    rows = [[line.split("\t") for line in block.split("\n") if line] for block in blocks]
    return [[word for word, _ in row] for row in rows], [[tag for _, tag in row] for row in rows]


def _write_catalogue(world: World, sizes: dict[tuple[str, Split], int]) -> None:
    languages: dict[str, dict[str, Any]] = {}
    for (code, split), size in sizes.items():
        languages.setdefault(code, {**UNNAMED, "name": code})[split] = size
    targets = [f"speed:{code}" for code in languages]
    (world.catalogue / "suites").mkdir(parents=True)
    card, suite = {**CARD, "languages": languages}, {**SUITE, "targets": targets, "training": TRAINING}
    (world.catalogue / "speed.yaml").write_text(yaml.safe_dump(card), "utf-8")
    (world.catalogue / "suites" / "job.yaml").write_text(yaml.safe_dump(suite), "utf-8")
