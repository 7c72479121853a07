"""A zip archive, or a wheel, whose members are stored: what it unpacks to, and says of it, stays as it was. Blocking.

Order, names, times, modes, comments and extra fields are copied byte for byte. What says how a member is packed is
written anew, and members are proven by their checksums on the way.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from seed_server.publishing.repack_deb import member_reader
from seed_server.publishing.stored_form import NOTHING_PACKED, LeftAlone, RepackError, Repacking, StoredForm
from seed_server.publishing.unpacked_streams import PACKED_READ_BYTES, ReadPacked, UnpackError, bunzipped, inflated

ZIP_MAGIC = b"PK\3\4"
MAX_DIRECTORY_BYTES = 64 << 20  # of 65,535 members, which is the most without zip64: 1,000 bytes for each

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_ZIP64_LOCATOR, _ZIP64_LOCATOR_BYTES = b"PK\6\7", 20
_MOST_32 = 0xFFFF_FFFF
_STORED, _DEFLATED, _BZIP2 = 0, 8, 12
_ENCRYPTED = 0x0001 | 0x0020 | 0x0040 | 0x2000  # or patches of other data, which nobody unpacks either
_OF_PACKING = 0x0002 | 0x0004 | 0x0008  # flags: how well it is packed, and that lengths stand behind it
_LENGTHS_BEHIND = 0x0008
_DESCRIPTOR = b"PK\7\x08"
_ZIP64_FIELD = 1
_APK_SIGNATURE = b"APK Sig Block 42"
_SIGNATURES = (
    (".signature.p7s", "appxsignature.p7x", "appxblockmap.xml"),
    ("_xmlsignatures/", "package/services/digital-signature/"),
    (".sf", ".rsa", ".dsa", ".ec"),
)
"""Names in lower case: whole ones, beginnings, and ends below META-INF."""


@dataclass(frozen=True)
class _ZipMember:
    """One entry of the central directory."""

    central: tuple[int, ...]
    """All of its header but the signature."""
    name: bytes
    extra: bytes
    comment: bytes

    @property
    def flags(self) -> int:
        return self.central[2]

    @property
    def method(self) -> int:
        return self.central[3]

    @property
    def checksum(self) -> int:
        return self.central[6]

    @property
    def packed_bytes(self) -> int:
        return self.central[7]

    @property
    def length_bytes(self) -> int:
        return self.central[8]

    @property
    def offset(self) -> int:
        return self.central[15]


@dataclass(frozen=True)
class _Placed:
    """A member with its local header."""

    member: _ZipMember
    local: bytes
    """As it will be."""
    start: int
    """Of its packed bytes."""


@dataclass(frozen=True)
class _Directory:
    members: tuple[_ZipMember, ...]
    start: int
    comment: bytes


def plan_zip(file: BinaryIO) -> Repacking:
    """Return the stored form of an archive, or why it has none. Raises `RepackError`, `OSError`."""
    directory = _directory(file)
    if isinstance(directory, LeftAlone):
        return directory
    if reason := _reason(file, directory):
        return LeftAlone(reason)
    if all(member.method == _STORED for member in directory.members):
        return NOTHING_PACKED
    placed = _placed(file, directory)
    if isinstance(placed, LeftAlone):
        return placed
    content = sum(len(one.local) + one.member.length_bytes for one in placed)
    names = sum(len(_central(member, 0)) for member in directory.members)
    total = content + names + _END.size + len(directory.comment)
    if content + names > _MOST_32:
        return LeftAlone("unpacked, it has more than the 4 GiB of a plain zip archive")
    return StoredForm(total, lambda again: _parts(again, directory, placed))


def _directory(file: BinaryIO) -> _Directory | LeftAlone:
    length = file.seek(0, 2)
    tail_start = max(0, length - _END.size - 0xFFFF - _ZIP64_LOCATOR_BYTES)
    file.seek(tail_start)
    tail = file.read(length - tail_start)
    place = tail.rfind(_END.pack(b"PK\5\6", 0, 0, 0, 0, 0, 0, 0)[:8])  # of one part, as all are today
    if place < 0 or len(tail) - place < _END.size:
        raise RepackError("it has no end of a zip archive: was it copied or downloaded whole?")
    _, _, _, _, count, size, start, comment_bytes = _END.unpack_from(tail, place)
    comment = tail[place + _END.size :]
    if tail[max(0, place - _ZIP64_LOCATOR_BYTES) : place].startswith(_ZIP64_LOCATOR):
        return LeftAlone("it is a zip64 archive")
    if len(comment) != comment_bytes or start + size != tail_start + place:
        return LeftAlone("it has bytes before, behind or between what belongs to the archive")
    if size > MAX_DIRECTORY_BYTES:
        raise RepackError("its directory is larger than that of any honest archive")
    file.seek(start)
    return _Directory(tuple(_members(file.read(size), count)), start, comment)


def _members(data: bytes, count: int) -> Iterator[_ZipMember]:
    place, found = 0, 0
    while place < len(data):
        if len(data) - place < _CENTRAL.size or not data.startswith(b"PK\1\2", place):
            raise RepackError("its directory is damaged")
        header: tuple[int, ...] = _CENTRAL.unpack_from(data, place)[1:]
        ends = [place + _CENTRAL.size]
        for length in header[9:12]:
            ends.append(ends[-1] + length)
        if ends[-1] > len(data):
            raise RepackError("its directory is damaged")
        name, extra, comment = (data[begin:end] for begin, end in itertools.pairwise(ends))
        yield _ZipMember(header, name, extra, comment)
        place, found = ends[-1], found + 1
    if found != count:
        raise RepackError("its directory is damaged")


def _reason(file: BinaryIO, directory: _Directory) -> str:
    """Return why it is left alone, as far as its directory says; empty: for nothing."""
    whole, beginnings, ends = _SIGNATURES
    for member in directory.members:
        name = member.name.decode("latin-1").lower()
        below = name.startswith("meta-inf/") and name.endswith(ends)
        if name in whole or name.startswith(beginnings) or below:
            return "it is signed, and what is signed is not changed"
        if member.flags & _ENCRYPTED:
            return "it is encrypted"
        if _MOST_32 in (member.packed_bytes, member.length_bytes, member.offset):
            return "it is a zip64 archive"
        if member.method not in (_STORED, _DEFLATED, _BZIP2):
            return "its members are packed in a way that PCs do not unpack"
    file.seek(max(0, directory.start - len(_APK_SIGNATURE)))
    if file.read(len(_APK_SIGNATURE)) == _APK_SIGNATURE:
        return "it is signed, and what is signed is not changed"
    return ""


def _placed(file: BinaryIO, directory: _Directory) -> tuple[_Placed, ...] | LeftAlone:
    """Return the members as they follow each other, which they must do without a gap."""
    found, place = [], 0
    for member in sorted(directory.members, key=lambda one: one.offset):
        if member.offset != place:
            return LeftAlone("it has bytes before, behind or between what belongs to the archive")
        one = _local(file, member)
        end = one.start + member.packed_bytes
        if end > directory.start:
            raise RepackError("its members reach into each other")
        place = end + _descriptor_bytes(file, end, directory.start, member)
        found.append(one)
    if place != directory.start:
        return LeftAlone("it has bytes before, behind or between what belongs to the archive")
    return tuple(found)


def _local(file: BinaryIO, member: _ZipMember) -> _Placed:
    file.seek(member.offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(ZIP_MAGIC):
        raise RepackError(f"{_shown(member)} is damaged: there is no header of it")
    _, version, flags, _, time, date, _, _, _, name_bytes, extra_bytes = _LOCAL.unpack(header)
    name, extra = file.read(name_bytes), file.read(extra_bytes)
    if name != member.name or len(extra) != extra_bytes or (flags ^ member.flags) & ~_OF_PACKING:
        raise RepackError(f"{_shown(member)} is damaged: its two headers differ")
    extra = _without_zip64(extra)
    local = _LOCAL.pack(
        ZIP_MAGIC, version, flags & ~_OF_PACKING, _STORED, time, date, member.checksum, member.length_bytes,
        member.length_bytes, name_bytes, len(extra),
    )  # fmt: skip
    return _Placed(member, local + name + extra, member.offset + _LOCAL.size + name_bytes + extra_bytes)


def _descriptor_bytes(file: BinaryIO, end: int, directory_start: int, member: _ZipMember) -> int:
    """Return how many bytes stand behind a member that say its lengths, where its flags announce them."""
    if not member.flags & _LENGTHS_BEHIND:
        return 0
    file.seek(end)
    found = file.read(min(24, directory_start - end))
    for signature in (_DESCRIPTOR, b""):
        for lengths in ("<III", "<IQQ"):
            form = signature + struct.pack(lengths, member.checksum, member.packed_bytes, member.length_bytes)
            if found.startswith(form):
                return len(form)
    return 0


def _central(member: _ZipMember, offset: int) -> bytes:
    header, extra = member.central, _without_zip64(member.extra)
    length = member.length_bytes
    return b"".join((
        _CENTRAL.pack(
            b"PK\1\2", *header[:2], member.flags & ~_OF_PACKING, _STORED, *header[4:7], length, length, header[9],
            len(extra), *header[11:15], offset,
        ),
        member.name, extra, member.comment,
    ))  # fmt: skip


def _without_zip64(extra: bytes) -> bytes:
    """Return extra fields without the one of zip64, of which a member of under 4 GiB has no need."""
    kept, place = b"", 0
    while len(extra) - place >= 4:
        number, size = struct.unpack_from("<HH", extra, place)
        field = extra[place : place + 4 + size]
        if number != _ZIP64_FIELD or len(field) < 4 + size:
            kept += field
        place += 4 + size
    return kept + extra[place:]


def _parts(file: BinaryIO, directory: _Directory, placed: Sequence[_Placed]) -> Iterator[bytes]:
    offsets, place = {}, 0
    for one in placed:
        offsets[one.member.offset] = place
        yield one.local
        yield from _content(file, one)
        place += len(one.local) + one.member.length_bytes
    size = 0
    for member in directory.members:
        entry = _central(member, offsets[member.offset])
        size += len(entry)
        yield entry
    count = len(directory.members)
    yield _END.pack(b"PK\5\6", 0, 0, count, count, size, place, len(directory.comment)) + directory.comment


def _content(file: BinaryIO, one: _Placed) -> Iterator[bytes]:
    member = one.member
    read = member_reader(file, one.start, member.packed_bytes)
    length, checksum = 0, 0
    try:
        for part in _unpacked(read, member.method):
            length, checksum = length + len(part), zlib.crc32(part, checksum)
            if length > member.length_bytes:
                break
            yield part
    except UnpackError as error:
        raise RepackError(f"{_shown(member)}: {error}") from error
    if length != member.length_bytes or checksum != member.checksum:
        raise RepackError(f"{_shown(member)} is damaged: it is not what the directory says")


def _unpacked(read: ReadPacked, method: int) -> Iterator[bytes]:
    if method == _STORED:
        return iter(lambda: read(PACKED_READ_BYTES), b"")
    return inflated(read) if method == _DEFLATED else bunzipped(read)


def _shown(member: _ZipMember) -> str:
    return f"the member {member.name.decode(errors='replace')[:80]!r}"
