"""`p2pdist.shared.archive_members`: how much memory a packed archive may take; the rest is in `test_archive`."""

import io
import lzma
import tarfile
import zipfile
import zlib

import pytest

from p2pdist.shared.archive_members import ArchiveError, members_of, read

SMALL = 1_024
XZ_HEADER_BYTES = 12
FOUR_GIB = 40  # the byte by which xz tells the size of its dictionary


def tar(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def xz_with_dictionary(data: bytes, size_code: int) -> bytes:
    """Return ``data`` packed, with a header that asks for a dictionary of another size."""
    packed = bytearray(lzma.compress(data))
    end = XZ_HEADER_BYTES + packed[XZ_HEADER_BYTES] * 4
    assert packed[XZ_HEADER_BYTES + 2 : XZ_HEADER_BYTES + 4] == b"\x21\x01"  # LZMA2 alone
    packed[XZ_HEADER_BYTES + 4] = size_code
    packed[end : end + 4] = zlib.crc32(packed[XZ_HEADER_BYTES:end]).to_bytes(4, "little")
    return bytes(packed)


def unpacked(data: bytes) -> bytes:
    content = b""
    for member in members_of(io.BytesIO(data), 0, 10):
        while part := read(member, SMALL):
            content += part
    return content


def test_an_xz_archive_takes_no_more_memory_than_its_highest_preset_needs() -> None:
    content = bytes(range(256)) * 20
    assert unpacked(xz_with_dictionary(tar(content), 28)) == content  # 64 MiB, as xz -9 has it
    with pytest.raises(ArchiveError, match="Memory usage limit"):
        unpacked(xz_with_dictionary(tar(content), FOUR_GIB))


def test_an_xz_archive_of_several_streams_is_one_archive() -> None:
    whole = tar(b"x" * 5_000)
    streams = [lzma.compress(whole[at : at + 3_000]) for at in range(0, len(whole), 3_000)]
    assert unpacked(b"".join(streams)) == b"x" * 5_000
    assert unpacked((b"\0" * 8).join(streams) + b"\0" * 400_000) == b"x" * 5_000


@pytest.mark.parametrize("cut", [7, 40, 80, 100])
def test_an_xz_archive_that_breaks_off_is_refused(cut: int) -> None:
    with pytest.raises(ArchiveError):
        unpacked(lzma.compress(tar(b"x" * 5_000))[:cut])


def test_lzma_is_refused_where_its_memory_has_no_limit() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"content")
    with pytest.raises(ArchiveError, match="not stored, deflated or packed by bzip2"):
        unpacked(out.getvalue())
    with pytest.raises(ArchiveError, match="neither a zip"):
        unpacked(lzma.compress(tar(b"x"), format=lzma.FORMAT_ALONE))


def header(name: str, kind: bytes, size: int = 0, *, extended: bool = False) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[482] = extended  # of a sparse file: another block of its map follows
    return with_checksum(block)


def with_checksum(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


def pax(kind: bytes, records: bytes) -> bytes:
    return header("pax", kind, len(records)) + records + b"\0" * (-len(records) % 512)


MAP_BLOCK = b"00000000001\0" * 42 + b"\1" + b"\0" * 7
GLOBAL = [b"%d k%03d=v\n" % (10, number) for number in range(101)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (header("a", tarfile.GNUTYPE_SPARSE, extended=True) + MAP_BLOCK * 100, "sparse"),
        (
            pax(tarfile.XHDTYPE, b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n")
            + header("a", tarfile.REGTYPE, 512)
            + b"99999999\n"
            + b"1\n" * 5_000,
            "sparse",
        ),
        (
            b"".join(pax(tarfile.XGLTYPE, record) for record in GLOBAL) + header("a", tarfile.REGTYPE),
            "more than 100 headers",
        ),
    ],
    ids=["map of a sparse file", "map in its content", "global headers"],
)
def test_headers_do_not_fill_the_memory(data: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        unpacked(data)


def test_global_headers_up_to_the_cap_are_read() -> None:
    records = b"".join(GLOBAL[:100])
    assert unpacked(pax(tarfile.XGLTYPE, records) + tar(b"x")) == b"x"


def test_a_plain_archive_whose_first_name_looks_like_a_compression_is_plain() -> None:
    packed = bytearray(tar(b"x" * 600))
    packed[0:4] = b"BZh9"
    assert unpacked(with_checksum(packed)) == b"x" * 600
