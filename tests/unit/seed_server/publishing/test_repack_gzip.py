"""`seed_server.publishing.repack_gzip`: gunzip gives the same, and the header still says what it said."""

import gzip
import hashlib
import io
import random
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import sample_packages as packages
from seed_server.publishing.copying import unpacked_file
from seed_server.publishing.inspect_archive import inspect_archive
from seed_server.publishing.repack_gzip import plan_gzip
from seed_server.publishing.stored_form import NOTHING_PACKED, LeftAlone, RepackError, StoredForm

DATA = b"the same line again and again\n" * 10_000


def repacked(data: bytes) -> bytes:
    plan = plan_gzip(io.BytesIO(data))
    assert isinstance(plan, StoredForm)
    made = b"".join(plan.parts(io.BytesIO(data)))
    assert len(made) == plan.length_bytes
    return made


def packed(data: bytes, *, name: bytes = b"", comment: bytes = b"", mtime: int = 0, flags: int = 0) -> bytes:
    flags |= 8 * bool(name) | 16 * bool(comment)
    texts = b"".join(text + b"\0" for text in (name, comment) if text)
    header = b"\x1f\x8b\x08" + bytes([flags]) + mtime.to_bytes(4, "little") + b"\2\3" + texts
    if flags & 2:
        header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")
    packing = zlib.compressobj(9, wbits=-15)
    body = packing.compress(data) + packing.flush()
    return header + body + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


@given(
    parts=st.lists(
        st.one_of(st.binary(max_size=99), st.sampled_from([DATA, b"x" * 65_535, b"x" * 65_536])), max_size=3
    ),
    name=st.sampled_from([b"", b"tool-2.0.tar"]),
    comment=st.sampled_from([b"", b"made by acme"]),
    mtime=st.integers(0, 2**32 - 1),
    flags=st.sampled_from([0, 1, 2]),
)
def test_content_name_time_and_comment_stay(
    parts: list[bytes], name: bytes, comment: bytes, mtime: int, flags: int
) -> None:
    content = b"".join([*parts, DATA])
    data = packed(content, name=name, comment=comment, mtime=mtime, flags=flags)
    made = repacked(data)
    assert gzip.decompress(made) == content
    texts = b"".join(text + b"\0" for text in (name, comment) if text)
    assert made.startswith(data[:3] + bytes([data[3] & ~2]) + data[4:8] + b"\0\3" + texts)
    assert plan_gzip(io.BytesIO(made)) is NOTHING_PACKED


def test_its_bytes_are_the_same_with_every_zlib() -> None:
    made = repacked(gzip.compress(b"a" * 65_535 + b"b" * 70_000, 9, mtime=7))
    lengths, place = [], 10
    for _ in range(3):
        lengths.append((made[place], int.from_bytes(made[place + 1 : place + 3], "little")))
        place += 5 + lengths[-1][1]
    assert lengths == [(0, 65_535), (0, 65_535), (1, 4_465)]
    assert made == repacked(gzip.compress(b"a" * 65_535 + b"b" * 70_000, 1, mtime=7))


@pytest.mark.skipif(shutil.which("gzip") is None, reason="there is no gzip here")
def test_gzip_takes_it(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(repacked(gzip.compress(DATA)))
    assert subprocess.run(["gzip", "-dc", tmp_path / "a.gz"], capture_output=True, check=True).stdout == DATA
    listed = subprocess.run(["gzip", "-tv", tmp_path / "a.gz"], capture_output=True, check=True, text=True).stderr
    assert "OK" in listed


def test_a_tar_archive_unpacks_to_the_same_tree() -> None:
    data = packages.tar({"tool/bin/tool": DATA}, links={"tool/l": "bin/tool"})
    assert inspect_archive(io.BytesIO(repacked(data))) == inspect_archive(io.BytesIO(data))


@pytest.mark.parametrize("between", [b"", bytes(300_000)], ids=["at once", "after zeros"])
@pytest.mark.parametrize("second", [b"end", b""], ids=["second", "empty"])
def test_several_members_are_left_alone(second: bytes, between: bytes) -> None:
    plan = plan_gzip(io.BytesIO(gzip.compress(DATA) + between + gzip.compress(second)))
    assert isinstance(plan, LeftAlone)
    assert "several parts" in plan.reason


def test_a_package_of_alpine_keeps_its_signature(tmp_path: Path) -> None:
    """An .apk is three gzip streams: the signature, over the bytes of the second; the control files; the data."""

    def segment(name: str, content: bytes, *, ends: bool) -> bytes:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            length = archive.offset
        # but for the last one, a segment has no end of an archive: tar reads all three as one
        return gzip.compress(file.getvalue() if ends else file.getvalue()[:length], mtime=0)

    control = segment(".PKGINFO", b"pkgname = tool\npkgver = 2.0-r0\n", ends=False)
    signature = segment(".SIGN.RSA.acme.rsa.pub", hashlib.sha256(control).digest(), ends=False)
    package = signature + control + segment("usr/bin/tool", DATA, ends=True)
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:  # it is one as tar sees it
        assert archive.getnames() == [".SIGN.RSA.acme.rsa.pub", ".PKGINFO", "usr/bin/tool"]
    file = tmp_path / "tool-2.0-r0.apk"
    file.write_bytes(package)
    assert isinstance(unpacked_file(file), LeftAlone)


def test_zeros_behind_its_end_are_no_part() -> None:
    assert gzip.decompress(repacked(gzip.compress(DATA * 2) + bytes(300_000))) == DATA * 2


def test_what_says_how_it_is_packed_is_left_alone() -> None:
    data = gzip.compress(DATA)
    bgzf = data[:3] + b"\x04" + data[4:10] + b"\6\0BC\2\0\1\0" + data[10:]
    assert isinstance(plan_gzip(io.BytesIO(bgzf)), LeftAlone)
    noise = random.Random(1).randbytes(100_000)
    assert plan_gzip(io.BytesIO(gzip.compress(noise, 0))) is NOTHING_PACKED


HONEST = packed(DATA, name=b"a")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1f\x8b", HONEST[:9], HONEST[:-1], HONEST[:-8] + bytes(8), HONEST + b"other", HONEST[:10] + b"a" * 70_000],
)
def test_what_is_damaged_is_said(data: bytes) -> None:
    with pytest.raises(RepackError):
        repacked(data)
