"""The unlabelled text that the mini encoder is pretrained on, and how much of it each language has."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from xner_bench.mini import generate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Share(NamedTuple):
    """How much text a language has."""

    plain: int  # sentences
    comparable: int  # lines in which a name, or a sentence, stands beside its English counterpart


# As in real pretraining, text is plenty for languages near English and scarce for distant ones.
SHARES = {
    "en": Share(5_000, 0),
    "de": Share(2_000, 4_000),
    "es": Share(2_000, 4_000),
    "fr": Share(2_000, 4_000),
    "pcm": Share(1_500, 3_000),
    "tr": Share(1_500, 3_000),
    "ru": Share(1_500, 3_000),
    "bg": Share(1_500, 3_000),
    "el": Share(1_500, 3_000),
    "hau": Share(1_500, 2_500),
    "ibo": Share(1_500, 2_500),
    "swa": Share(1_500, 2_500),
    "yor": Share(1_500, 2_500),
    "hi": Share(1_500, 2_000),
    "ar": Share(1_500, 2_000),
    "zh": Share(1_500, 2_000),
    "amh": Share(1_500, 2_000),
}


class Line(NamedTuple):
    """One line of text, in words."""

    language: str
    words: list[str]


def lines(seed: int) -> list[Line]:
    """All the text, language after language; the same for the same seed."""
    return list(_lines(seed))


def _lines(seed: int) -> Iterator[Line]:
    for language, share in SHARES.items():
        for words in generate.plain(language, share.plain, seed):
            yield Line(language, words)
        for words in generate.comparable(language, share.comparable, seed) if share.comparable else ():
            yield Line(language, words)


def sha256(text: Sequence[Line]) -> str:
    """Hexadecimal sha256 of the text: a line per line, words parted by spaces."""
    total = hashlib.sha256()
    for line in text:
        total.update((line.language + "\t" + " ".join(line.words) + "\n").encode())
    return total.hexdigest()
