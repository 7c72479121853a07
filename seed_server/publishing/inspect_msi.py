"""Look into a Windows Installer package: its table of properties says what it is. Blocking.

`olefile` reads the compound file, the tables are read here: `python-msi`, which does so, has no release yet, and
prints to the terminal. It is Microsoft's format of 1999: https://learn.microsoft.com/windows/win32/msi
"""

import codecs
import io
import re
import struct
from typing import BinaryIO

import olefile

from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from seed_server.publishing.contents import InspectionError, MsiContents
from seed_server.publishing.inspect_file import BoundedFile, inspecting, length_of

MAX_MSI_READ_BYTES = 64 << 20  # of directory, allocation tables and the streams below; the files lie in others
MAX_STREAM_BYTES = 16 << 20  # the texts of a large product have some 3 MB
MAX_TEXTS = 500_000
MAX_PROPERTY_CHARS = 100

_TABLE = "\u4840"  # begins the name of a stream that holds a table
_SIX_BITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
_LONG_REFERENCES = 0x80000000
_PROPERTIES = ("ProductCode", "ProductName", "ProductVersion")
_CODE = re.compile(r"\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
_TEMPLATE = 7  # of the summary: "x64;1033"


def inspect_msi(file: BinaryIO) -> MsiContents:
    """Return what the package says of itself. Raises `InspectionError`, nothing else."""
    with inspecting("Windows Installer package"):
        length_of(file)
        if file.read(8) != olefile.MAGIC:
            raise InspectionError("it is no Windows Installer package")
        file.seek(0)
        with olefile.OleFileIO(BoundedFile(file, MAX_MSI_READ_BYTES)) as ole:
            found = _properties(ole)
            arch = _arch(ole)
        code, name, version = (found.get(name, "") for name in _PROPERTIES)
        if not _CODE.fullmatch(code):
            raise InspectionError("it has no product code: is it a merge module or a patch (.msp)?")
        if not name.isprintable() or not name or len(name) > MAX_PROPERTY_CHARS:
            raise InspectionError("it has no product name that can be shown")
        parsed = parse_version(version, Ecosystem.WINDOWS).text
        return MsiContents(Ecosystem.WINDOWS, name, parsed, arch, product_code=code.upper())


def _properties(ole: "olefile.OleFileIO") -> dict[str, str]:
    pool, data = _stream(ole, "_StringPool"), _stream(ole, "_StringData")
    (head,) = struct.unpack_from("<I", pool)
    wide = 3 if head & _LONG_REFERENCES else 2
    table = _stream(ole, "Property")
    count = len(table) // (2 * wide)
    # a table is stored by columns: all names, then all values
    numbers = [int.from_bytes(table[at : at + wide], "little") for at in range(0, 2 * wide * count, wide)]
    places = _places(pool)
    encoding = _encoding(head & 0xFFFF)

    def text(number: int) -> str:
        start, size = places[number]
        chunk = data[start : start + min(size, 4 * MAX_PROPERTY_CHARS)]
        return chunk.decode(encoding, "replace")

    names = {text(number): numbers[count + row] for row, number in enumerate(numbers[:count]) if number in places}
    return {name: text(names[name]) for name in _PROPERTIES if names.get(name) in places}


def _encoding(code_page: int) -> str:
    """Return Python's name of a code page of Windows; of none (0) and of unknown ones, that of UTF-8."""
    try:
        return codecs.lookup(f"cp{code_page}").name
    except LookupError:
        return "utf-8"


def _places(pool: bytes) -> dict[int, tuple[int, int]]:
    """Return where each text stands in the data, by its number from 1, and how long it is."""
    places: dict[int, tuple[int, int]] = {}
    number, at, start = 1, 4, 0
    while at + 4 <= len(pool) and number <= MAX_TEXTS:
        size, uses = struct.unpack_from("<HH", pool, at)
        at += 4
        if size == 0 and uses:  # over 64 KiB: the next entry is its length
            (size,) = struct.unpack_from("<I", pool, at)
            at += 4
        places[number] = (start, size)
        number, start = number + 1, start + size
    return places


def _stream(ole: "olefile.OleFileIO", table: str) -> bytes:
    name = _TABLE + packed_name(table)
    if not ole.exists(name):
        raise InspectionError("it is no Windows Installer package: it has no properties")
    if ole.get_size(name) > MAX_STREAM_BYTES:
        raise InspectionError("its tables are larger than those of any honest package")
    content: io.BytesIO = ole.openstream(name)
    return content.read(MAX_STREAM_BYTES)


def packed_name(name: str) -> str:
    """Return a table's name as streams have it: two letters in one sign, a last one alone."""
    values = [_SIX_BITS.index(sign) for sign in name]
    packed = [
        chr(0x3800 + first + (values[place + 1] << 6)) if place + 1 < len(values) else chr(0x4800 + first)
        for place, first in enumerate(values)
        if place % 2 == 0
    ]
    return "".join(packed)


def _arch(ole: "olefile.OleFileIO") -> str:
    summary = ole.getproperties("\x05SummaryInformation")
    template = summary.get(_TEMPLATE, b"")
    text = template.decode("ascii") if isinstance(template, bytes) else str(template)
    word = text.partition(";")[0].strip()
    if not re.fullmatch(r"[A-Za-z0-9,]{0,40}", word):
        raise InspectionError("its summary names no platform that Windows Installer knows")
    return word
