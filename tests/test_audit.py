"""What `data check` finds in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from handmade import card, counted

from xner_bench import catalogue
from xner_bench.audit import SplitAudit, audit, invisible
from xner_bench.corpus import Places

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.catalogue import Card


def look(root: Path, known: Card) -> dict[str, SplitAudit]:
    return {one.split: one for one in audit(known, known.languages["hau"], Places(root, root / "cache", True))}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tiny" / "hau").mkdir(parents=True)
    return tmp_path


def put(root: Path, split: str, *sentences: str) -> None:
    """Sentences as `word/TAG word/TAG`."""
    lines = "\n\n".join("\n".join(word.replace("/", "\t") for word in one.split(" ")) for one in sentences)
    (root / "tiny" / "hau" / f"{split}.tsv").write_text(lines, encoding="utf-8")


def test_everything_is_counted(root: Path) -> None:
    put(root, "train", "a/O", "a/O", "a/B-LOC b/O", "\u200e/O \u0301/O \u00a0/O 1\u200e/O")
    put(root, "dev", "a/B-PER", "c/I-PER c/I-PER c/I-DATE", "c/O c/O c/O", "d/O")
    found = look(root, counted(card(), train=4, dev=4))
    train, dev, test = found["train"], found["dev"], found["test"]
    assert (train.sentences, train.words, train.duplicates, train.in_train, train.longest) == (
        4,
        8,
        1,
        None,
        4,
    )
    assert (train.invisible_words, train.invalid_tags, train.problem, train.missing) == (3, 0, "", "")
    assert (dev.duplicates, dev.in_train, dev.invalid_tags, dev.invisible_words) == (1, 1, 2, 0)
    assert (test.sentences, test.problem) == (None, "")
    assert test.missing.startswith("tiny:hau has no test split: ")


def test_one_bad_file_does_not_hide_the_others(root: Path) -> None:
    put(root, "train", "a")
    put(root, "dev", "a/O", "b/O")
    put(root, "test", "a/B-WHO")
    found = look(root, counted(card(), dev=3))
    assert "train.tsv:1: 'a' has no tag" in found["train"].problem
    assert found["dev"].problem.startswith("tiny:hau dev has 2 sentences in file:")
    assert (found["dev"].sentences, found["dev"].expected, found["dev"].in_train) == (2, 3, None)
    assert "test.tsv:1: tag 'B-WHO'" in found["test"].problem


@pytest.mark.parametrize(
    "word", ["", "\u200e", "\ufeff", "\u00a0", "\ufe0f", "\u0301", "\u200b\u200d", "\x07", "\u2028"]
)
def test_invisible_words(word: str) -> None:
    assert invisible(word)


@pytest.mark.parametrize("word", ["a", "-", "\u200ea", "\u0905\u0902", "\ud55c", "\u0903", "1", "\U0001f600"])
def test_visible_words(word: str) -> None:
    assert not invisible(word)


@pytest.mark.parametrize(
    ("code", "split", "expected"),
    [
        ("ur", "dev", {"sentences": 1000, "in_train": 500}),
        ("hi", "dev", {"sentences": 1000, "in_train": 320}),
        ("en", "dev", {"sentences": 10_000, "in_train": 325}),
        ("ja", "dev", {"sentences": 10_000, "invalid_tags": 501}),
        ("ja", "train", {"longest": 1029}),
        ("zh", "dev", {"sentences": 10_000, "invalid_tags": 476}),
    ],
)
def test_the_known_oddities_of_wikiann(
    nerdata: Path, seen: dict[str, list[SplitAudit]], code: str, split: str, expected: dict[str, int]
) -> None:
    known = catalogue.load().card("wikiann")
    if code not in seen:
        seen[code] = audit(known, known.languages[code], Places(nerdata, nerdata / "no-cache", True))
    (found,) = (one for one in seen[code] if one.split == split)
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.problem == ""


@pytest.mark.parametrize(
    ("code", "split", "longest", "invisible_words"),
    [("pcm", "train", 737, 0), ("pcm", "dev", 507, 1), ("lug", "train", 234, 0), ("swa", "dev", 91, 1)],
)
def test_the_known_oddities_of_masakhaner(
    nerdata: Path, code: str, split: str, longest: int, invisible_words: int
) -> None:
    known = catalogue.load().card("masakhaner")
    found = audit(known, known.languages[code], Places(nerdata, nerdata / "no-cache", True))
    (one,) = (one for one in found if one.split == split)
    assert (one.longest, one.invisible_words, one.problem) == (longest, invisible_words, "")


@pytest.fixture(scope="module")
def seen() -> dict[str, list[SplitAudit]]:
    return {}
