"""Files in one file: a plain zip of a strict kind, which any unzip reads; read with distrust.

Read are members that lie end to end from the first byte, each with its true size before it and a name of the one form
that a run's files have, then the directory that names them in this order, then the end record. So no byte belongs to
two members (bombs that overlap) or to none, and no two programs can see two contents in one file. Links, folders,
devices, encryption, zip64 and names that are paths are refused. Nothing is ever written under a name that a file gives.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from typing import IO, TYPE_CHECKING, NamedTuple

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterable

# One folder, one file: lower-case ASCII alone, so that no file system takes two names for one.
NAME = re.compile(r"bundle\.json|[a-z0-9][a-z0-9_+-]{0,180}/[a-z_]{1,40}\.(?:json|parquet)")
MEMBERS = 20_000
SIZES = {"json": 1 << 23, "parquet": 1 << 28}  # bytes of one member, by the end of its name
TOTAL = 0xF0000000  # bytes of all members; a zip of 32 bits has room for them and their names
RATIO = 100  # a member's size to what it takes in the file; Parquet and JSON of runs are below 10
SLACK = 1 << 16  # bytes; a smaller member may have any ratio

END = struct.Struct("<4s4H2LH")
ENTRY = struct.Struct("<4s6H3L5H2L")
HEAD = struct.Struct("<4s5H3L2H")
ENCRYPTED, SIZE_BEHIND, TOLERATED = 0x1, 0x8, 0x806  # flags; tolerated are how hard it was compressed, and UTF-8
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MEANING = (0x0001, 0x7075)  # extra fields that would change a member's size or its name
DATE = (1980, 1, 1, 0, 0, 0)


class Refused(XnerError):
    """A file that is not taken, or a part of it."""


class Member(NamedTuple):
    """One file in the archive."""

    name: str
    size: int
    packed: int  # bytes that it takes
    method: int
    crc: int
    start: int  # of its bytes


def write(stream: IO[bytes], members: Iterable[tuple[str, bytes]]) -> None:
    """Write names and contents, in this order: the same bytes for the same ones. Raises Refused where it is too much.

    Nothing is compressed: Parquet is so inside already, and other versions of zlib would give other bytes.
    """
    total = 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for number, (name, data) in enumerate(members, 1):
            total += len(data)
            if number > MEMBERS or total > TOTAL or len(data) > SIZES[name.rpartition(".")[2]]:
                raise Refused(f"{name} is more than a file holds that is read again; pack fewer runs into one")
            info = zipfile.ZipInfo(name, DATE)
            info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)


def members(stream: IO[bytes]) -> list[Member]:
    """What is in an archive. Raises Refused where it is none of this kind."""
    size = stream.seek(0, 2)
    if size < END.size:
        raise Refused("not a bundle (too short)")
    stream.seek(size - END.size)
    mark, disk, first_disk, here, count, length, offset, comment = END.unpack(stream.read(END.size))
    if mark != b"PK\5\6" or disk or first_disk or comment or here != count:
        raise Refused("not a bundle (it does not end as a plain zip without a comment does)")
    if offset + length != size - END.size:
        raise Refused("not a bundle (its directory is not where it says, or zip64)")
    if count > MEMBERS or length > MEMBERS * 512:
        raise Refused(f"{count:,} files; a bundle has at most {MEMBERS:,}")
    stream.seek(offset)
    found = _listed(stream.read(length), count)
    _end_to_end(stream, found, offset)
    return [member for member, _ in found]


def _listed(directory: bytes, count: int) -> list[tuple[Member, int]]:
    """Members in the directory's order, each with where it says that it begins."""
    found: list[tuple[Member, int]] = []
    at = 0
    for _ in range(count):
        if at + ENTRY.size > len(directory):
            raise Refused("its directory is cut")
        (mark, _, _, flags, method, _, _, crc, packed, size, *lengths, _, _, mode, start) = ENTRY.unpack_from(
            directory, at
        )
        named = at + ENTRY.size + lengths[0]
        if mark != b"PK\1\2" or named + lengths[1] + lengths[2] > len(directory):
            raise Refused("its directory is damaged")
        name = _name(directory[at + ENTRY.size : named])
        _check(name, flags, method, mode >> 16, directory[named : named + lengths[1]])
        found.append((Member(name, size, packed, method, crc, 0), start))
        at = named + lengths[1] + lengths[2]
    if at != len(directory):
        raise Refused("its directory holds more than it says")
    _bounded([member for member, _ in found])
    return found


def _name(raw: bytes) -> str:
    name = raw.decode("ascii", "backslashreplace")
    if not NAME.fullmatch(name):
        raise Refused(f"{name[:80]!r} is not the name of a file of a run")
    return name


def _check(name: str, flags: int, method: int, mode: int, extra: bytes) -> None:
    """Refuse all that is not a plain file in plain sight."""
    if flags & ENCRYPTED:
        raise Refused(f"{name} is encrypted")
    if flags & SIZE_BEHIND:
        raise Refused(f"{name} has its size behind it; write the zip to a file, not to a pipe")
    if flags & ~TOLERATED or method not in METHODS:
        raise Refused(f"{name} is packed in a way that bundles are not (method {method}, flags {flags:#x})")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Refused(f"{name} is no plain file but a link, a folder or a device")
    if any(kind in MEANING for kind in _extras(extra)):
        raise Refused(f"{name} has another size or name in an extra field")


def _extras(extra: bytes) -> list[int]:
    """The kinds of the extra fields."""
    kinds, at = [], 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        kinds.append(kind)
        at += 4 + length
    return kinds


def _bounded(found: list[Member]) -> None:
    """Refuse what would grow beyond all bounds, before anything of it is read."""
    for member in found:
        most = SIZES[member.name.rpartition(".")[2]]
        if max(member.size, member.packed) > most:
            raise Refused(f"{member.name} has {max(member.size, member.packed):,} bytes; at most {most:,} are read")
        if member.size > SLACK + RATIO * member.packed:
            raise Refused(f"{member.name} would grow from {member.packed:,} bytes to {member.size:,}")
    if (total := sum(member.size for member in found)) > TOTAL:
        raise Refused(f"its files have {total:,} bytes together; at most {TOTAL:,} are read")
    if twice := [name for name, number in Counter(member.name for member in found).items() if number > 1]:
        raise Refused(f"{twice[0]} is in it twice")


def _end_to_end(stream: IO[bytes], found: list[tuple[Member, int]], end: int) -> None:
    """Give each member the place of its bytes: right behind the one before, to where the directory begins."""
    at = 0
    for index, (member, start) in enumerate(found):
        stream.seek(at)
        head = stream.read(HEAD.size)
        if start != at or len(head) < HEAD.size:
            raise Refused(f"{member.name} is not right behind the file before it")
        mark, _, flags, method, _, _, crc, packed, size, length, more = HEAD.unpack(head)
        name, extra = stream.read(length), stream.read(more)
        told = (member.name.encode(), member.method, member.crc, member.packed, member.size)
        if mark != b"PK\3\4" or (name, method, crc, packed, size) != told or flags & ~TOLERATED:
            raise Refused(f"{member.name} is something else than the directory says")
        if any(kind in MEANING for kind in _extras(extra)):
            raise Refused(f"{member.name} has another size or name in an extra field")
        begin = at + HEAD.size + length + more
        found[index] = (member._replace(start=begin), start)
        at = begin + packed
    if at != end:
        raise Refused("there are bytes between its files and its directory")


def read(stream: IO[bytes], member: Member) -> bytes:
    """The contents of a member, never more than it says. Raises Refused where they are not what was packed."""
    stream.seek(member.start)
    packed = stream.read(member.packed)
    data = packed if member.method == zipfile.ZIP_STORED else _inflated(packed, member)
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise Refused(f"{member.name} is damaged")
    return data


def _inflated(packed: bytes, member: Member) -> bytes:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflate.decompress(packed, member.size + 1)  # one more shows that there is more
    except zlib.error:
        raise Refused(f"{member.name} is damaged") from None
    if not inflate.eof or inflate.unused_data:
        raise Refused(f"{member.name} is not {member.size:,} bytes long, as it says")
    return data
