"""Archives from strangers: what `write` makes is read, and of all else only what has the same plain form."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hostile import Part, zipped
from hypothesis import given
from hypothesis import strategies as st

from xner_bench.leaderboard import archive
from xner_bench.leaderboard.archive import Refused

if TYPE_CHECKING:
    from pathlib import Path

RUN = b"standard-quick-s42-0123456789ab"
A, B = RUN + b"/run.json", RUN + b"/scores.parquet"
DEFLATED = zipfile.ZIP_DEFLATED


def read(data: bytes) -> dict[str, bytes]:
    stream = io.BytesIO(data)
    return {member.name: archive.read(stream, member) for member in archive.members(stream)}


@given(
    st.dictionaries(
        st.sampled_from([f"{run}/{name}" for run in ("a-s1", "b+c-s2") for name in ("run.json", "scores.parquet")]),
        st.binary(max_size=300),
    )
)
def test_what_is_written_is_read(files: dict[str, bytes]) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    archive.write(first, files.items())
    archive.write(second, files.items())
    assert first.getvalue() == second.getvalue()
    assert read(first.getvalue()) == files
    with zipfile.ZipFile(first) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == files


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_other_programs_zip_again_is_read(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as out:
        for name in (A, B):
            out.writestr(name.decode(), b"some contents " * 50)
    found = read((tmp_path / "x.zip").read_bytes())
    assert found == dict.fromkeys((A.decode(), B.decode()), b"some contents " * 50)


NAMES = (
    b"/etc/passwd",
    b"../run.json",
    RUN + b"/../x/run.json",
    RUN + b"/../../run.json",
    RUN + b"\\run.json",
    b"C:\\x\\run.json",
    b"c:/run.json",
    RUN + b"/",
    RUN + b"/a/run.json",
    RUN + b"//run.json",
    RUN + b"/run.json\0.parquet",
    RUN + b"/run.json\n",
    RUN.upper() + b"/run.json",
    RUN + b"/RUN.json",
    RUN + b"/run.JSON",
    RUN + b"/run.json ",
    RUN + b"/.run.json",
    RUN + b"/con",
    RUN + b"/checkpoint.pkl",
    RUN + b"/inner.zip",
    b"./run.json",
    b"~/run.json",
    b"",
    b"x" * 300 + b"/run.json",
    RUN + b"/" + b"x" * 60_000 + b".json",
    "café/run.json".encode(),
    "cafe\u0301/run.json".encode(),
    "\u202e/run.json".encode(),
    b"\xff\xfe/run.json",
    b"\x1b[31m/run.json",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_runs_files_or_refused(name: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(zipped([Part(A), Part(name)]))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "too short"),
    "no zip": (b"x" * 500, "does not end as"),
    "a tar": (b"run.json".ljust(1024, b"\0"), "does not end as"),
    "cut": (zipped([Part(A)])[:-1], "does not end as"),
    "begun elsewhere": (b"#!/bin/sh\n" + zipped([Part(A)]), "not where it says"),
    "followed by more": (zipped([Part(A)]) + b"x", "does not end as"),
    "with a comment": (zipped([Part(A)], comment=b"x" * 30), "does not end as"),
    "twice the same name": (zipped([Part(A), Part(A)]), "twice"),
    "symbolic link": (zipped([Part(A, b"/etc/passwd", mode=0o120777)]), "no plain file"),
    "folder": (zipped([Part(A, b"", mode=0o040755)]), "no plain file"),
    "device": (zipped([Part(A, b"", mode=0o020666)]), "no plain file"),
    "block device": (zipped([Part(A, b"", mode=0o060666)]), "no plain file"),
    "fifo": (zipped([Part(A, b"", mode=0o010666)]), "no plain file"),
    "socket": (zipped([Part(A, b"", mode=0o140666)]), "no plain file"),
    "encrypted": (zipped([Part(A, flags=1)]), "encrypted"),
    "strongly encrypted": (zipped([Part(A, flags=0x41)]), "encrypted"),
    "size behind": (zipped([Part(A, flags=8)]), "behind"),
    "masked directory": (zipped([Part(A, flags=0x2000)]), "in a way"),
    "bzip2": (zipped([Part(A, method=12)]), "in a way"),
    "lzma": (zipped([Part(A, method=14)]), "in a way"),
    "zip64": (zipped([Part(A, extra=struct.pack("<2HQ", 1, 8, 5))]), "extra field"),
    "name in an extra field": (zipped([Part(A, extra=struct.pack("<2H", 0x7075, 3) + b"abc")]), "extra field"),
    "other name inside": (zipped([Part(A, local=B)]), "something else"),
    "overlapping": (zipped([Part(A, b"x" * 99), Part(B, b"y", offset=0)]), "right behind"),
    "quoted": (zipped([Part(A, b"x" * 99), Part(B, b"y", offset=40)]), "right behind"),
    "bytes of nobody": (zipped([Part(A), Part(B, before=b"hidden")]), "right behind"),
    "bytes before the first": (zipped([Part(A, before=b"hidden")]), "right behind"),
    "bytes behind the last": (zipped([Part(A)], behind=b"hidden"), "between"),
    "more than it says": (zipped([Part(A), Part(B)], count=1), "more than it says"),
    "fewer than it says": (zipped([Part(A)], count=2), "cut"),
    "too many": (zipped([Part(A)], count=60_000), "at most"),
    "wrong sum": (zipped([Part(A, crc=5)]), "damaged"),
    "wrong size": (zipped([Part(A, b"x" * 50, size=40)]), "damaged"),
    "longer than it says": (zipped([Part(A, b"x" * 50, method=DEFLATED, size=40)]), "40 bytes long"),
    "shorter than it says": (zipped([Part(A, b"x" * 50, method=DEFLATED, size=60)]), "damaged"),
    "no deflate": (zipped([Part(A, b"x" * 50)]).replace(b"\x14\0\0\0\0\0", b"\x14\0\0\0\x08\0"), "damaged"),
    "huge by what it says": (zipped([Part(B, b"x", size=2**32 - 1)]), "at most"),
    "huge record": (zipped([Part(A, b" " * (archive.SIZES["json"] + 1), method=DEFLATED)]), "at most"),
    "bomb": (zipped([Part(B, bytes(1 << 24), method=DEFLATED)]), "would grow"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_is_no_plain_archive_is_refused(name: str) -> None:
    data, said = HOSTILE[name]
    with pytest.raises(Refused, match=said):
        read(data)


def test_no_byte_that_is_changed_goes_unseen() -> None:
    whole = zipped([Part(A, b"abc" * 9, method=DEFLATED), Part(B, b"some bytes")])
    before = read(whole)
    for at in range(len(whole)):
        for bit in (0x01, 0x80):
            changed = bytearray(whole)
            changed[at] ^= bit
            try:
                found: Any = read(bytes(changed))
            except Refused:
                continue
            assert found == before, at  # versions and times may be any


def test_a_member_is_not_read_beyond_what_it_says() -> None:
    """Of 64 MiB of zeros that say they are one, one is made."""
    stream = io.BytesIO(zipped([Part(B, bytes(1 << 26), method=DEFLATED, size=1 << 20)]))
    (member,) = archive.members(stream)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="1,048,576 bytes long"):
            archive.read(stream, member)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_what_all_files_hold_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped([Part(b"a%d/run.json" % n, b"x" * 100) for n in range(11)])
    assert len(read(data)) == 11
    monkeypatch.setattr(archive, "TOTAL", 1_000)
    with pytest.raises(Refused, match="together"):
        read(data)


def test_what_would_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TOTAL", 150)
    archive.write(io.BytesIO(), [("a/run.json", b"x" * 100)])
    with pytest.raises(Refused, match="pack fewer runs"):
        archive.write(io.BytesIO(), [("a/run.json", b"x" * 100), ("b/run.json", b"x" * 100)])
