"""Makes small packages, archives and installer databases, as tools of their systems would."""

import gzip
import io
import lzma
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping

_OF_INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")  # the class of its compound files
PRODUCT_CODE = "{6A3F1C9E-52B7-4D0E-9C41-7F0B8D2E6A15}"


def deb(
    name: str = "acme", version: str = "2.1", arch: str = "amd64", *, packed: str = "xz", control: str | None = None
) -> bytes:
    """Return a Debian package without files."""
    head = f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\n"
    text = control or f"{head}Maintainer: x <x@y>\nDescription: x\n y\n"
    pack: dict[str, Callable[[bytes], bytes]] = {
        "": bytes, "gz": gzip.compress, "xz": lzma.compress, "zst": zstd_packed,
    }  # fmt: skip
    suffix = f".{packed}" if packed else ""
    members = {
        "debian-binary": b"2.0\n",
        f"control.tar{suffix}": pack[packed](tar({"./control": text.encode()}, packed="")),
        f"data.tar{suffix}": pack[packed](tar({}, packed="")),
    }
    return b"!<arch>\n" + b"".join(ar_member(*member) for member in members.items())


def zstd_packed(data: bytes) -> bytes:
    """Return it as zstd packs it."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.compress(data)


def ar_member(name: str, data: bytes) -> bytes:
    """Return a member of an `ar` archive."""
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def rpm(
    name: str = "acme", version: str = "2.1", release: str = "3.el9", arch: str = "x86_64", *, epoch: int | None = None
) -> bytes:
    """Return an RPM package whose payload is a few bytes."""
    texts = {1000: name, 1001: version, 1002: release, 1022: arch}
    header = _rpm_header(texts, {} if epoch is None else {1003: epoch})
    payload = b"payload"
    signature = _rpm_header({}, {1000: len(header) + len(payload)})
    lead = struct.pack(">4s2B2h66s2h16x", b"\xed\xab\xee\xdb", 3, 0, 0, 1, name.encode(), 1, 5)
    start = lead + signature
    return start + b"\0" * (-len(start) % 8) + header + payload


def _rpm_header(texts: Mapping[int, str], numbers: Mapping[int, int]) -> bytes:
    index, store = b"", b""
    for tag, number in numbers.items():
        index += struct.pack(">IIII", tag, 4, len(store), 1)
        store += struct.pack(">I", number)
    for tag, text in texts.items():
        index += struct.pack(">IIII", tag, 6, len(store), 1)
        store += text.encode() + b"\0"
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(texts) + len(numbers), len(store)) + index + store


def msi(
    name: str = "Acme Desktop",
    version: str = "5.3.0",
    code: str = PRODUCT_CODE,
    *,
    template: str = "x64;1033",
    code_page: int = 1252,
) -> bytes:
    """Return a Windows Installer package with its properties alone."""
    from seed_server.publishing.inspect_msi import packed_name

    texts = ["Property", "ProductCode", code, "ProductName", name, "ProductVersion", version]
    pool = struct.pack("<I", code_page) + b"".join(struct.pack("<HH", len(text.encode("cp1252")), 1) for text in texts)
    data = "".join(texts).encode("cp1252")
    rows = [(2, 3), (4, 5), (6, 7)]
    names = struct.pack("<1024H", *(row[0] for row in rows), *[0] * 1021)
    values = struct.pack("<1024H", *(row[1] for row in rows), *[0] * 1021)
    return _compound_file(
        {
            "\u4840" + packed_name("_StringPool"): pool,
            "\u4840" + packed_name("_StringData"): data,
            "\u4840" + packed_name("Property"): names + values,
            "\x05SummaryInformation": _summary(template),
        }
    )


def _summary(template: str) -> bytes:
    text = template.encode() + b"\0"
    text += b"\0" * (-len(text) % 4)
    section = struct.pack("<IIII", 16 + 8 + len(text), 1, 7, 16) + struct.pack("<II", 30, len(text)) + text
    return struct.pack("<HHI16sI16sI", 0xFFFE, 0, 2, b"", 1, b"", 48) + section


def _compound_file(streams: Mapping[str, bytes]) -> bytes:
    """Return an OLE2 file of streams that are long enough to need no short sectors: they are filled with zeros."""
    free, end = 0xFFFFFFFF, 0xFFFFFFFE
    table, body, entries = [0xFFFFFFFD], b"", []
    for name, data in streams.items():
        filled = data.ljust(max(4096, -(-len(data) // 512) * 512), b"\0")
        start, count = len(table), len(filled) // 512
        table += [*range(start + 1, start + count), end]
        body += filled
        entries.append((name, 2, start, len(filled)))
    directory_start = len(table)
    all_entries = [("Root Entry", 5, end, 0), *entries]
    directory = b""
    for number, (name, kind, start, size) in enumerate(all_entries):
        right = number + 1 if 0 < number < len(all_entries) - 1 else free
        child = 1 if number == 0 else free
        text = name.encode("utf-16-le") + b"\0\0"
        directory += text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text), kind, 1, free, right, child)
        directory += (b"" if number else _OF_INSTALLER).ljust(36, b"\0") + struct.pack("<III", start, size, 0)
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    count = len(directory) // 512
    table += [*range(directory_start + 1, directory_start + count), end]
    header = struct.pack(
        "<8s16sHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, 0, 1,
        directory_start, 0, 4096, end, 0, end, 0,
    )  # fmt: skip
    header += struct.pack("<109I", 0, *[free] * 108)
    return header + struct.pack("<128I", *table, *[free] * (128 - len(table))) + body + directory


def tar(files: Mapping[str, bytes], *, packed: str = "gz", links: Mapping[str, str] | None = None) -> bytes:
    """Return a tar archive; files below ``bin`` may be run."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packed}") as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755 if "bin/" in name else 0o644
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return out.getvalue()


def zipped(files: Mapping[str, bytes], *, system: int = 3, packed: bool = False) -> bytes:
    """Return a zip archive, made on Unix (3) or Windows (0); files below ``bin`` may be run."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # else a backslash is replaced
            info.create_system = system
            info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            if system == 3:
                info.external_attr = (0o100755 if "bin/" in name else 0o100644) << 16
            archive.writestr(info, data)
    return out.getvalue()


def zipped_in(encoding: str, name: str, data: bytes = b"x") -> bytes:
    """Return a zip archive whose member's name is in an encoding of its own, as tools of the 1990s make them."""
    raw = name.encode(encoding)
    stand_in = "".join(chr(ord("A") + number % 26) for number in range(len(raw)))
    return zipped({stand_in: data}, system=0).replace(stand_in.encode(), raw)
