"""Corpora are encoded once, and what is kept is what would be made: whoever else is at it, and whatever happens."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
import tokenizers
from faults import files_no_larger_than
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from xner_bench import encode, encodings
from xner_bench.corpus import Sealed
from xner_bench.encode import SubwordEncoder
from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.encode import Encoded

Words = tuple[str, ...]
KINDS = tuple(tiny.TOKENIZERS)
ARRAYS = ("ids", "word", "windows", "sentences")
NOBODY = 65534
CORPORA: dict[str, list[Words]] = {
    "usual": tiny.corpus(seed=1, sentences=40),
    "empty": [],
    "an empty sentence": [()],
    "no subwords": [("Kano",), ("\u200e", ""), (), ("\ufeff",)],
    "cut": [("Kano",) * 200, tiny.NASTY],
}

# What the children below share: a corpus and a tokenizer that says, in a file, each time it is asked.
CHILD = """
import json, sys, time
from pathlib import Path
from tokenizers import Tokenizer
from xner_bench import encodings
from xner_bench.corpus import Sealed
from xner_bench.encode import SubwordEncoder

class Asked:
    def __init__(self, text, mark, seconds):
        self.tokenizer, self.mark, self.seconds = Tokenizer.from_str(text), mark, seconds
    def to_str(self):
        return self.tokenizer.to_str()
    def encode_batch(self, chunk, **how):
        with open(self.mark, "a") as stream:
            stream.write("asked\\n")
        time.sleep(self.seconds)
        return self.tokenizer.encode_batch(chunk, **how)

folder, given, seconds = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), float(sys.argv[3])
sealed = Sealed("d", "l", "train", given["sentences"], "", given["fingerprint"], "")
tokenizer = Asked(given["tokenizer"], sys.argv[2] + ".asked", seconds)
subwords = SubwordEncoder(tokenizer, tuple(given["prefix"]), tuple(given["suffix"]), given["length"])
"""
ONCE = f"""{CHILD}
print("ready", flush=True)
sys.stdin.readline()
print(encodings.encoded(sealed, subwords, folder).ids.tolist())
"""
KEY = f"{CHILD}\nprint(encodings.key(sealed, subwords))"
FOR_EVER = f"""{CHILD}
path, made = folder / (encodings.key(sealed, subwords) + ".encoded"), encodings.encoded(sealed, subwords, folder)
encodings.encode.encode = lambda *given: made  # so that nearly all of the time is spent in writing
print("ready", flush=True)
while True:
    path.unlink(missing_ok=True)
    encodings.encoded(sealed, subwords, folder)
"""


class Notes(Watch):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class Counting:
    """A tokenizer that counts how often it is asked for subwords, and for itself."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.asked = self.described = 0

    def to_str(self) -> str:
        self.described += 1
        return str(self.tokenizer.to_str())

    def encode_batch(self, *given: Any, **named: Any) -> Any:
        self.asked += 1
        return self.tokenizer.encode_batch(*given, **named)


def sealed(sentences: Sequence[Words], dataset: str = "somewhere") -> Sealed:
    """A corpus of these sentences, none of which is of interest for its tags."""
    fingerprint = hashlib.sha256(json.dumps(sentences).encode()).hexdigest()
    return Sealed(dataset, "xx", "train", list(sentences), "of the file", fingerprint, "origin")


def subword_encoder(kind: str = "unigram", length: int = tiny.LENGTH) -> SubwordEncoder:
    tokenizer = Tokenizer.from_str(tiny.trained(kind))
    return encode.subword_encoder(PreTrainedTokenizerFast(tokenizer_object=tokenizer), length)


def counting(kind: str = "unigram") -> tuple[SubwordEncoder, Counting]:
    subwords = subword_encoder(kind)
    counter: Any = Counting(subwords.tokenizer)
    return subwords._replace(tokenizer=counter), counter


def same(ours: Encoded, theirs: Encoded) -> bool:
    """Bit for bit, and of the same types."""
    pairs = [(getattr(ours, name), getattr(theirs, name)) for name in ARRAYS]
    return ours.cut_sentences == theirs.cut_sentences and all(
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        for one, other in pairs
    )


def only(folder: Path) -> Path:
    """The one file that is kept."""
    [path] = folder.glob("*.encoded")
    return path


def root(array: Any) -> Any:
    """Whose memory an array lies in."""
    while isinstance(array, np.ndarray | memoryview):
        array = array.base if isinstance(array, np.ndarray) else array.obj
    return array


def spoil(path: Path, data: bytes) -> None:
    """Another file in a file's place, as a restored backup or a broken disk leaves it."""
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CORPORA)
def test_what_is_kept_is_what_would_be_made(kind: str, name: str, tmp_path: Path) -> None:
    subwords, corpus = subword_encoder(kind), sealed(CORPORA[name])
    made = encode.encode(corpus.sentences, subwords)
    for _ in range(3):
        found = encodings.encoded(corpus, subwords, tmp_path)
        assert same(found, made)
        assert np.array_equal(found.first, made.first)
        assert np.array_equal(found.pieces, made.pieces)
    assert only(tmp_path).stat().st_size < 12 * len(made.ids) + 8 * (made.n_windows + len(corpus.sentences)) + 200


word = st.one_of(st.sampled_from(tiny.NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))


@given(st.lists(st.lists(word, max_size=8).map(tuple), max_size=5), st.integers(8, 40))
@settings(deadline=None, max_examples=40)
def test_the_same_of_any_words(corpus: list[Words], length: int) -> None:
    subwords, one = subword_encoder("byte-level", length), sealed(corpus)
    with tempfile.TemporaryDirectory() as folder:
        fresh, kept = (encodings.encoded(one, subwords, Path(folder)) for _ in range(2))
        assert same(fresh, encode.encode(corpus, subwords))
        assert same(kept, fresh)


@pytest.mark.parametrize("name", CORPORA)
def test_arrays_lie_in_the_file_and_cannot_be_written_to(name: str, tmp_path: Path) -> None:
    subwords, corpus = subword_encoder(), sealed(CORPORA[name])
    fresh, kept = (encodings.encoded(corpus, subwords, tmp_path) for _ in range(2))
    for array in (getattr(encoded, name) for encoded in (fresh, kept) for name in ARRAYS):
        assert array.flags.aligned
        assert not array.flags.writeable
    assert {type(root(getattr(kept, name))) for name in ARRAYS} == {mmap.mmap}
    assert len({id(root(getattr(kept, name))) for name in ARRAYS}) == 1


def test_the_second_call_asks_no_tokenizer(tmp_path: Path) -> None:
    (subwords, counter), corpus = counting(), sealed(CORPORA["usual"])
    first = encodings.encoded(corpus, subwords, tmp_path)
    assert counter.asked == 1
    again, second = counting()
    assert same(encodings.encoded(corpus, again, tmp_path), first)
    assert same(encodings.encoded(sealed(CORPORA["usual"], "elsewhere"), again, tmp_path), first)
    assert second.asked == 0
    assert same(encodings.encoded(corpus, again, tmp_path / "another"), first)
    assert second.asked == 1


def test_a_tokenizer_is_described_once_for_all_corpora(tmp_path: Path) -> None:
    subwords, counter = counting()
    for corpus in CORPORA.values():
        encodings.encoded(sealed(corpus), subwords, tmp_path)
    assert counter.described == 1


def test_whatever_changes_the_subwords_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    subwords, corpus = subword_encoder(), sealed(CORPORA["usual"])
    other = Tokenizer.from_str(subwords.tokenizer.to_str())
    other.add_tokens(["Kano"])
    changed = (
        subwords._replace(length=tiny.LENGTH - 1),
        subwords._replace(prefix=()),
        subwords._replace(suffix=(0, 2)),
        subwords._replace(tokenizer=other),
        *(subword_encoder(kind) for kind in KINDS if kind != "unigram"),
    )
    keys = [encodings.key(corpus, one) for one in (subwords, *changed)]
    keys += [encodings.key(sealed(CORPORA[name]), subwords) for name in CORPORA if name != "usual"]
    for place, value in ((encodings, "FORMAT"), (tokenizers, "__version__"), (sys, "byteorder")):
        with monkeypatch.context() as patch:
            patch.setattr(place, value, "another")
            keys.append(encodings.key(corpus, subwords))
    assert len(set(keys)) == len(keys)
    assert encodings.key(sealed(CORPORA["usual"], "elsewhere"), subword_encoder()) == keys[0]


@pytest.mark.skipif(sys.byteorder != "little", reason="the file is in the machine's byte order")
def test_a_change_of_what_is_encoded_or_how_it_is_laid_out_needs_another_format() -> None:
    """If this fails, raise FORMAT, or what older versions have kept is taken for what this one makes."""
    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "Ka": 3, "##no": 4, "Rhine": 5}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    subwords = SubwordEncoder(tokenizer, (1,), (2,), 6)
    made = encode.encode([("Kano", "Rhine"), (), ("", "Chad"), ("Kano", "Rhine", "Kano", "Kano")], subwords)
    found = hashlib.sha256(encodings._packed("key", made)).hexdigest()[:16]
    assert (encodings.FORMAT, found) == (1, "96f9846a9dc2216f")


@pytest.mark.parametrize("name", ["usual", "empty"])
def test_a_flipped_bit_anywhere_is_noticed_and_mended(name: str, tmp_path: Path) -> None:
    (subwords, counter), corpus, draw = counting(), sealed(CORPORA[name]), Random(1)
    made = encodings.encoded(corpus, subwords, tmp_path)
    path = only(tmp_path)
    whole, before = path.read_bytes(), counter.asked
    places = {0, 31, *range(32, 72, 4), 72, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(30))}
    for place in sorted(place for place in places if place < len(whole)):
        damaged, notes = bytearray(whole), Notes()
        damaged[place] ^= 1 << draw.randrange(8)
        spoil(path, bytes(damaged))
        assert same(encodings.encoded(corpus, subwords, tmp_path, notes), made)
        check_mended(path, whole, bytes(damaged), notes)
        assert same(encodings.encoded(corpus, subwords, tmp_path, notes), made)
        assert len(notes.lines) == 1
    assert name == "empty" or counter.asked > before


@pytest.mark.parametrize("size", [0, 1, 31, 32, 71, 72, 73, 0.5, -4, -1])
def test_a_file_that_ends_early_is_noticed_and_mended(size: float, tmp_path: Path) -> None:
    subwords, corpus, notes = subword_encoder(), sealed(CORPORA["usual"]), Notes()
    made = encodings.encoded(corpus, subwords, tmp_path)
    path = only(tmp_path)
    whole = path.read_bytes()
    short = whole[: len(whole) // 2 if size == 0.5 else int(size)]
    spoil(path, short)
    assert same(encodings.encoded(corpus, subwords, tmp_path, notes), made)
    check_mended(path, whole, short, notes)


def test_files_of_something_else_are_noticed_and_mended(tmp_path: Path) -> None:
    subwords, corpus = subword_encoder(), sealed(CORPORA["usual"])
    made = encodings.encoded(corpus, subwords, tmp_path)
    path = only(tmp_path)
    encodings.encoded(sealed(CORPORA["cut"]), subwords, tmp_path)
    [another] = set(tmp_path.glob("*.encoded")) - {path}
    whole = path.read_bytes()
    for alien in (another.read_bytes(), b"PAR1 not ours PAR1" * 20, whole + b"\0", bytes(len(whole))):
        notes = Notes()
        spoil(path, alien)
        assert same(encodings.encoded(corpus, subwords, tmp_path, notes), made)
        check_mended(path, whole, alien, notes)


def check_mended(path: Path, whole: bytes, damaged: bytes, notes: Notes) -> None:
    """The file is as it was, the damaged one beside it, and one line says so."""
    assert path.read_bytes() == whole
    assert path.with_suffix(".damaged").read_bytes() == damaged
    assert len(notes.lines) == 1
    assert path.name in notes.lines[0]


def test_what_was_read_outlives_its_file(tmp_path: Path) -> None:
    subwords, corpus = subword_encoder(), sealed(CORPORA["usual"])
    made = encode.encode(corpus.sentences, subwords)
    encodings.encoded(corpus, subwords, tmp_path)
    kept = encodings.encoded(corpus, subwords, tmp_path)
    only(tmp_path).unlink()
    assert same(kept, made)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that one may read and not write; root, who may do everything, is somebody else meanwhile."""
    own = os.geteuid()
    folder.chmod(0o555)
    try:
        if own == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        if own == 0:
            os.seteuid(own)
        folder.chmod(0o755)


def test_a_read_only_folder_is_read_and_does_not_stop_a_run() -> None:
    (subwords, counter), notes = counting(), Notes()
    known, new = sealed(CORPORA["usual"]), [sealed(CORPORA[name]) for name in ("cut", "no subwords", "cut")]
    with tempfile.TemporaryDirectory() as place:  # one that others than its owner may enter
        folder = Path(place)
        encodings.encoded(known, subwords, folder)
        before = sorted(folder.iterdir())
        with read_only(folder):
            kept = encodings.encoded(known, subwords, folder, notes)
            assert (counter.asked, notes.lines) == (1, [])
            made = [encodings.encoded(corpus, subwords, folder, notes) for corpus in new]
        assert sorted(folder.iterdir()) == before
        assert same(kept, encode.encode(known.sentences, subwords))
    assert all(same(one, encode.encode(c.sentences, subwords)) for one, c in zip(made, new, strict=True))
    check_one_note(notes, folder, "permission denied")


@pytest.mark.parametrize("below", [".", "deep/er"])
def test_a_file_in_the_folders_place_does_not_stop_a_run(below: str, tmp_path: Path) -> None:
    (subwords, counter), notes, place = counting(), Notes(), tmp_path / "cache"
    place.write_text("not a folder")
    for name in ("usual", "cut", "usual"):
        found = encodings.encoded(sealed(CORPORA[name]), subwords, place / below, notes)
        assert same(found, encode.encode(CORPORA[name], subword_encoder()))
    assert counter.asked == 3
    assert place.read_text() == "not a folder"
    check_one_note(notes, place / below, "")


def test_a_full_disk_does_not_stop_a_run_nor_has_it_encode_twice(tmp_path: Path) -> None:
    (subwords, counter), notes = counting(), Notes()
    with files_no_larger_than(100):
        for name in ("usual", "cut"):
            found = encodings.encoded(sealed(CORPORA[name]), subwords, tmp_path, notes)
            assert same(found, encode.encode(CORPORA[name], subword_encoder()))
    assert counter.asked == 2
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    check_one_note(notes, tmp_path, "file too large")


def test_a_folder_in_a_files_place_does_not_stop_a_run(tmp_path: Path) -> None:
    subwords, notes, corpus = subword_encoder(), Notes(), sealed(CORPORA["usual"])
    inside = tmp_path / f"{encodings.key(corpus, subwords)}.encoded" / "inside"
    inside.mkdir(parents=True)
    found = encodings.encoded(corpus, subwords, tmp_path, notes)
    assert same(found, encode.encode(corpus.sentences, subwords))
    assert inside.is_dir()
    check_one_note(notes, tmp_path, "is a directory")


def check_one_note(notes: Notes, folder: Path, reason: str) -> None:
    assert len(notes.lines) == 1
    assert notes.lines[0].startswith(f"{folder} cannot keep encoded corpora ({reason}")


def child(script: str, folder: Path, given: Path, seconds: float = 0.0) -> subprocess.Popen[str]:
    """A process of its own with one of the scripts above."""
    command = [sys.executable, "-W", "error", "-c", script, str(folder), str(given), str(seconds)]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    assert process.stdout.readline() == "ready\n"


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    print("go", file=process.stdin, flush=True)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def written(place: Path, corpus: Sealed, subwords: SubwordEncoder) -> Path:
    """A corpus and a tokenizer for the children to read."""
    facts = {
        "sentences": corpus.sentences,
        "fingerprint": corpus.fingerprint,
        "tokenizer": subwords.tokenizer.to_str(),
        "prefix": subwords.prefix,
        "suffix": subwords.suffix,
        "length": subwords.length,
    }
    path = place / "given.json"
    path.write_text(json.dumps(facts))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_finds_it_under_the_same_key(kind: str, tmp_path: Path) -> None:
    subwords, corpus = subword_encoder(kind), sealed(CORPORA["usual"])
    process = child(KEY, tmp_path / "cache", written(tmp_path, corpus, subwords))
    assert process.communicate()[0].strip() == encodings.key(corpus, subwords)


def test_processes_at_once_encode_once(tmp_path: Path) -> None:
    subwords, corpus = subword_encoder(), sealed(CORPORA["usual"])
    given, folder = written(tmp_path, corpus, subwords), tmp_path / "cache"
    running = [child(ONCE, folder, given, seconds=0.5) for _ in range(3)]
    for process in running:
        ready(process)
    for process in running:
        go(process)
    answers = [process.communicate()[0] for process in running]
    assert answers == [f"{encode.encode(corpus.sentences, subwords).ids.tolist()}\n"] * 3
    assert asked(given) == 1
    assert same(encodings.encoded(corpus, subwords, folder), encode.encode(corpus.sentences, subwords))


def asked(given: Path) -> int:
    """How often the children asked their tokenizer."""
    mark = Path(f"{given}.asked")
    return len(mark.read_text().splitlines()) if mark.exists() else 0


def holding(folder: Path, given: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of encoding, for as long as one likes."""
    process = child(ONCE, folder, given, seconds=1_000)
    ready(process)
    go(process)
    while not asked(given):
        time.sleep(0.01)
    return process


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    (subwords, counter), corpus = counting(), sealed(CORPORA["usual"])
    given, folder = written(tmp_path, corpus, subwords), tmp_path / "cache"
    holder = holding(folder, given)
    waiter = threading.Thread(target=encodings.encoded, args=(corpus, subwords, folder))
    waiter.start()
    waiter.join(0.3)
    assert waiter.is_alive(), "the corpus is being encoded by the other process"
    encodings.encoded(sealed(CORPORA["cut"]), subwords, folder)  # another corpus is not
    kill(holder)
    waiter.join(10)
    assert not waiter.is_alive()
    assert counter.asked == 2


def test_a_holder_that_hangs_blocks_nobody_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "PATIENCE", 0.2)
    (subwords, counter), corpus, notes = counting(), sealed(CORPORA["usual"]), Notes()
    given, folder = written(tmp_path, corpus, subwords), tmp_path / "cache"
    holder = holding(folder, given)
    holder.send_signal(signal.SIGSTOP)
    made = [encodings.encoded(corpus, subwords, folder, notes) for _ in range(2)]
    kill(holder)
    assert all(same(one, encode.encode(corpus.sentences, subword_encoder())) for one in made)
    assert counter.asked == 1
    assert notes.lines == []


def test_a_kill_at_any_moment_leaves_whole_files_only(tmp_path: Path) -> None:
    subwords, draw, corpus = subword_encoder(), Random(2), sealed(tiny.corpus(seed=2, sentences=3_000))
    given, folder, notes = written(tmp_path, corpus, subwords), tmp_path / "cache", Notes()
    made = encode.encode(corpus.sentences, subwords)
    whole, found = encodings._packed(encodings.key(corpus, subwords), made), []
    for _ in range(12):
        writer = child(FOR_EVER, folder, given)
        ready(writer)
        time.sleep(draw.uniform(0.0, 0.05))
        kill(writer)
        found += [path.read_bytes() for path in folder.glob("*.encoded")]
        assert same(encodings.encoded(corpus, subwords, folder, notes), made)
    assert set(found) <= {whole}
    assert notes.lines == []
    left = [path.name for path in folder.iterdir() if path.suffix != ".encoded"]
    assert all(name.startswith(".") for name in left), "what a kill leaves behind is hidden"
