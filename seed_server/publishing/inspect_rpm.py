"""Look into an RPM package: its header says what it is. Blocking.

`rpm` is on few servers, and `rpmfile`, the one kept library in Python, makes objects of all fields, as many as the
file says there are. Six fields are needed, all of them texts or numbers at known places.
"""

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from seed_server.publishing.contents import InspectionError, PackageContents
from seed_server.publishing.inspect_file import inspecting, length_of, read_exactly

MAX_ENTRIES = 65_536  # what rpm itself takes; a package has some 100
MAX_STORE_BYTES = 256 << 20  # likewise; a kernel has 5 MB, a package of 500 000 files some 60 MB
MAX_TEXT_BYTES = 200  # of a field that is read here

_LEAD = struct.Struct(">4s2B2h")
_LEAD_BYTES = 96
_SOURCE_TYPE = 1
_HEADER = struct.Struct(">4s4xII")
_HEADER_MAGIC = b"\x8e\xad\xe8\x01"
_ENTRY = struct.Struct(">IIII")
_INT32, _STRING = 4, 6
_NAME_TAG, _VERSION_TAG, _RELEASE_TAG, _EPOCH_TAG, _ARCH_TAG, _SOURCE_TAG = 1000, 1001, 1002, 1003, 1022, 1106
_SIZE_TAG = 1000  # of the signature: of header and payload together
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_ARCH = re.compile(r"[a-z0-9_]+")


def inspect_rpm(file: BinaryIO) -> PackageContents:
    """Return what the package says of itself. Raises `InspectionError`, nothing else."""
    with inspecting("RPM package"):
        length = length_of(file)
        magic, _major, _minor, kind, _arch = _LEAD.unpack(read_exactly(file, _LEAD_BYTES)[: _LEAD.size])
        if magic != b"\xed\xab\xee\xdb":
            raise InspectionError("it is no RPM package")
        signature = _read_header(file)
        file.seek(-file.tell() % 8, 1)
        start = file.tell()
        header = _read_header(file)
        if kind == _SOURCE_TYPE or _SOURCE_TAG in header.entries:
            raise InspectionError("it is a source package: publish the binary one that is built of it")
        if (size := signature.number(_SIZE_TAG)) is not None and start + size > length:
            raise InspectionError("it ends too early: was it copied or downloaded whole?")
        name, arch = header.text(_NAME_TAG), header.text(_ARCH_TAG)
        if not _NAME.fullmatch(name) or not _ARCH.fullmatch(arch):
            raise InspectionError("its header has no name or architecture that rpm would take")
        epoch = header.number(_EPOCH_TAG)
        version = f"{header.text(_VERSION_TAG)}-{header.text(_RELEASE_TAG)}"
        version = version if epoch is None else f"{epoch}:{version}"
        return PackageContents(Ecosystem.RPM, name, parse_version(version, Ecosystem.RPM).text, arch)


@dataclass(frozen=True)
class _Fields:
    entries: dict[int, tuple[int, int]]
    """Type and offset of each tag."""
    store: bytes

    def text(self, tag: int) -> str:
        kind, offset = self.entries.get(tag, (0, 0))
        if kind != _STRING:
            raise InspectionError("its header lacks a name, a version, a release or an architecture")
        end = self.store.index(b"\0", offset, offset + MAX_TEXT_BYTES)
        return self.store[offset:end].decode("ascii")

    def number(self, tag: int) -> int | None:
        kind, offset = self.entries.get(tag, (0, 0))
        if kind != _INT32:
            return None
        (number,) = struct.unpack_from(">I", self.store, offset)
        return int(number)


def _read_header(file: BinaryIO) -> _Fields:
    magic, count, size = _HEADER.unpack(read_exactly(file, _HEADER.size))
    if magic != _HEADER_MAGIC or not 1 <= count <= MAX_ENTRIES or size > MAX_STORE_BYTES:
        raise InspectionError("its header is damaged")
    index = read_exactly(file, count * _ENTRY.size)
    entries: dict[int, tuple[int, int]] = {}
    for tag, kind, offset, _count in _ENTRY.iter_unpack(index):
        entries.setdefault(tag, (kind, offset))
    return _Fields(entries, read_exactly(file, size))
