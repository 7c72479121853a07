"""A Debian package with its two tar archives as they are: dpkg takes them since 1.17.6, of 2014. Blocking.

All else stays: the members' order, their times and owners, the version of the format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from seed_server.publishing.stored_form import (
    NOTHING_PACKED,
    LeftAlone,
    RepackError,
    Repacking,
    StoredForm,
    checked_length,
)
from seed_server.publishing.unpacked_streams import (
    PACKED_READ_BYTES,
    Packing,
    ReadPacked,
    UnpackError,
    packing_of,
    unpacked,
)

DEB_MAGIC = b"!<arch>\n"
MAX_DEB_MEMBERS = 10  # honest packages have three, or four with a signature
MAX_AR_BYTES = 10**10 - 1  # of a member: its length has ten digits

_HEADER_BYTES = 60
_TAR_NAMES = ("control.tar", "data.tar")


@dataclass(frozen=True)
class _ArMember:
    header: bytes
    name: str
    start: int
    size: int
    packing: Packing | None

    @property
    def is_tar(self) -> bool:
        return self.name.startswith(_TAR_NAMES)


def plan_deb(file: BinaryIO) -> Repacking:
    """Return the stored form of a package, or why it has none. Raises `RepackError`, `OSError`."""
    members = _members(file)
    if any(member.name.startswith("_") for member in members):
        return LeftAlone("it is signed, and its signature is over its packed bytes")
    if not any(member.is_tar and member.packing for member in members):
        strange = [member.name for member in members if member.is_tar and member.name not in _TAR_NAMES]
        return LeftAlone(f"its {strange[0]} is packed in a way that is not known here") if strange else NOTHING_PACKED
    lengths = [_stored_length(file, member) for member in members]
    if max(lengths) > MAX_AR_BYTES:
        return LeftAlone("unpacked, it has more than the 10 GB that a Debian package can have")
    total = len(DEB_MAGIC) + sum(_HEADER_BYTES + length + length % 2 for length in lengths)
    return StoredForm(checked_length(total), lambda again: _parts(again, members, lengths))


def _members(file: BinaryIO) -> list[_ArMember]:
    length = file.seek(0, 2)
    file.seek(0)
    if file.read(len(DEB_MAGIC)) != DEB_MAGIC:
        raise RepackError("it is no Debian package")
    found: list[_ArMember] = []
    while (place := file.tell()) < length:
        header = file.read(_HEADER_BYTES)
        digits = header[48:58].rstrip(b" ")
        if len(header) < _HEADER_BYTES or header[58:] != b"`\n" or not digits.isdigit():
            raise RepackError("it is no Debian package, or damaged")
        name, size = header[:16].decode("ascii", "replace").rstrip().rstrip("/"), int(digits)
        if place + _HEADER_BYTES + size > length or len(found) >= MAX_DEB_MEMBERS:
            raise RepackError("it ends too early: was it copied or downloaded whole?")
        packed = name.startswith(_TAR_NAMES) and name not in _TAR_NAMES
        packing = packing_of(file.read(min(size, 8))) if packed else None
        found.append(_ArMember(header, name, place + _HEADER_BYTES, size, packing))
        file.seek(place + _HEADER_BYTES + size + size % 2)
    names = [member.name for member in found]
    tars = [next((tar for tar in _TAR_NAMES if name.startswith(tar)), "") for name in names]
    if names[:1] != ["debian-binary"] or any(tars.count(tar) != 1 for tar in _TAR_NAMES):
        raise RepackError("it is no Debian package: it has not one control.tar and one data.tar")
    return found


def _stored_length(file: BinaryIO, member: _ArMember) -> int:
    length = 0
    for part in _content(file, member):
        length = checked_length(length + len(part))
    return length


def _parts(file: BinaryIO, members: list[_ArMember], lengths: list[int]) -> Iterator[bytes]:
    yield DEB_MAGIC
    for member, length in zip(members, lengths, strict=True):
        yield _header(member, length)
        yield from _content(file, member)
        if length % 2:
            yield b"\n"


def _header(member: _ArMember, length: int) -> bytes:
    name = member.header[:16]
    if member.packing is not None:
        plain = next(tar for tar in _TAR_NAMES if member.name.startswith(tar))
        slash = "/" if name.rstrip().endswith(b"/") else ""
        name = f"{plain}{slash}".ljust(16).encode()
    return name + member.header[16:48] + str(length).ljust(10).encode() + member.header[58:]


def _content(file: BinaryIO, member: _ArMember) -> Iterator[bytes]:
    read = member_reader(file, member.start, member.size)
    try:
        if member.packing is None:
            while part := read(PACKED_READ_BYTES):
                yield part
        else:
            yield from unpacked(read, member.packing)
    except UnpackError as error:
        raise RepackError(f"its {member.name}: {error}") from error


def member_reader(file: BinaryIO, start: int, size: int) -> ReadPacked:
    """Return what reads ``size`` bytes of a file from ``start`` on, wherever others go in it meanwhile."""
    place, end = start, start + size

    def read(most_bytes: int) -> bytes:
        nonlocal place
        file.seek(place)
        found = file.read(min(most_bytes, end - place))
        place += len(found)
        return found

    return read
