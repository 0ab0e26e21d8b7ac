"""Sentences to files that `readers` reads back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.errors import XnerError
from xner_bench.readers import DOCUMENT_START
from xner_bench.tags import spans, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xner_bench.corpus import Sentence
    from xner_bench.tags import Scheme


def conll(sentences: Iterable[Sentence], scheme: Scheme = "iob2") -> str:
    """CoNLL with tabs, the tags in a scheme. XnerError where a word cannot stand in such a file."""
    return "\n".join("".join(_lines(sentence, scheme)) for sentence in sentences)


def _lines(sentence: Sentence, scheme: Scheme) -> Iterator[str]:
    tags = write(spans(sentence.tags), len(sentence.words), scheme)
    for word, tag in zip(sentence.words, tags, strict=True):
        if "\t" in word or "\n" in word or word == DOCUMENT_START:
            raise XnerError(f"the word {word!r} cannot stand in a CoNLL file; mend it in the data")
        yield f"{word}\t{tag}\n"
