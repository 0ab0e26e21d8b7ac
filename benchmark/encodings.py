"""Corpora encoded once: what `encode.encode` makes is kept in a folder, one file for a corpus and a tokenizer.

A file is a digest, five numbers and the arrays end to end, so that these are used where they lie in the mapped file.
Where the folder is full, read-only or no folder, corpora are encoded as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import sys
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import tokenizers

from xner_bench import encode, files
from xner_bench.encode import Encoded
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xner_bench.corpus import Sealed
    from xner_bench.encode import SubwordEncoder
    from xner_bench.watch import Watch

FORMAT = 1  # one more whenever files are laid out anew, or `encode.encode` makes something else of the same corpus
PATIENCE = 60.0  # seconds; whoever holds a corpus for longer hangs, and to encode it twice is better than to wait
DIGEST = 32  # bytes of a sha256
NUMBERS = np.dtype(np.int64)  # cut sentences, and the length of each array
# In the order of the file: the wider first, so that every array is aligned.
ARRAYS = {"word": np.int64, "windows": np.int64, "sentences": np.int64, "ids": np.int32}


def encoded(sealed: Sealed, subwords: SubwordEncoder, folder: Path, watch: Watch = SILENT) -> Encoded:
    """What `encode.encode` makes of a corpus: read from `folder`, or made and written there.

    Its arrays cannot be written to. A damaged file is set aside and made again; a folder that cannot be used is noted,
    and is no error. Many processes may call this at once: one encodes, the others wait for it.
    """
    path = folder / f"{key(sealed, subwords)}.encoded"
    with suppress(OSError, ValueError):  # told below, by the one process that mends it
        return _read(path)
    found = None
    try:
        with _alone(path):
            found = _undamaged(path, watch)
            if found is None:
                found = _encode(sealed, subwords)
                files.write_atomically(path, _packed(path.stem, found))
    except (OSError, NotImplementedError) as error:  # the latter is filelock's, for a file system without locks
        _note_once(watch, folder, str(getattr(error, "strerror", None) or error))
    return found or _encode(sealed, subwords)


def key(sealed: Sealed, subwords: SubwordEncoder) -> str:
    """Hexadecimal sha256 of all that decides what a corpus is encoded to."""
    facts = (FORMAT, sys.byteorder, tokenizers.__version__, sealed.fingerprint, _fingerprint(subwords))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@lru_cache(maxsize=1)
def _fingerprint(subwords: SubwordEncoder) -> str:
    """Hexadecimal sha256 of a tokenizer as set up. Remembered: it is megabytes, and a run has many corpora."""
    facts = (subwords.tokenizer.to_str(), subwords.prefix, subwords.suffix, subwords.length)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Be the only process that makes a file. The lock only spares work: without it files are whole all the same."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.stem}.lock"))
    with suppress(Timeout):
        lock.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        lock.release()


def _undamaged(path: Path, watch: Watch) -> Encoded | None:
    """What a file holds. None where there is none, or where it was damaged, and now is set aside."""
    try:
        return _read(path)
    except FileNotFoundError:
        return None
    except ValueError:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        watch.note(f"{path} is damaged: it is now {aside.name}, and its corpus is encoded again")
        return None


def _encode(sealed: Sealed, subwords: SubwordEncoder) -> Encoded:
    """Encode a corpus, its arrays locked like those of a file: what writes to them fails the first time already."""
    made = encode.encode(sealed.sentences, subwords)
    for name in ARRAYS:
        getattr(made, name).setflags(write=False)
    return made


def _packed(name: str, made: Encoded) -> bytes:
    """The bytes of the file for a key."""
    arrays = [np.asarray(getattr(made, array), kind) for array, kind in ARRAYS.items()]
    numbers = np.array([made.cut_sentences, *map(len, arrays)], NUMBERS)
    body = b"".join(array.tobytes() for array in (numbers, *arrays))
    return _digest(name, body) + body


def _read(path: Path) -> Encoded:
    """Map a file. Raises ValueError where it is not what was once written under its name."""
    with path.open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    if data[:DIGEST] != _digest(path.stem, memoryview(data)[DIGEST:]):
        raise ValueError(f"{path} is damaged")
    cut, *lengths = np.frombuffer(data, NUMBERS, 1 + len(ARRAYS), DIGEST).tolist()
    at = DIGEST + NUMBERS.itemsize * (1 + len(ARRAYS))
    arrays: dict[str, Any] = {}
    for (name, kind), length in zip(ARRAYS.items(), lengths, strict=True):
        arrays[name] = np.frombuffer(data, kind, length, at)
        at += arrays[name].nbytes
    return Encoded(**arrays, cut_sentences=cut)


def _digest(name: str, body: bytes | memoryview) -> bytes:
    """Of a file's content and of its key, so that a file under another's name is noticed."""
    digest = hashlib.sha256(name.encode())
    digest.update(body)
    return digest.digest()


@lru_cache(maxsize=8)
def _note_once(watch: Watch, folder: Path, reason: str) -> None:
    """A run has many corpora, and the folder is the same for all."""
    watch.note(f"{folder} cannot keep encoded corpora ({reason.lower()}); they are encoded again by every run")
