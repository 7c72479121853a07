"""`seed_server.publishing.repack_zip`: the same members with the same words, for zipfile, unzip, pip and our PCs."""

import io
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import sample_packages as packages
from seed_server.publishing.inspect_archive import inspect_archive
from seed_server.publishing.repack_zip import MAX_DIRECTORY_BYTES, plan_zip
from seed_server.publishing.stored_form import NOTHING_PACKED, LeftAlone, RepackError, StoredForm

TEXT = b"the same line again and again\n" * 3_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


class NoSeeking(io.RawIOBase):
    """A pipe: what is written into it has lengths behind its members."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


def member(name: str = "a", data: bytes = TEXT, method: int = zipfile.ZIP_DEFLATED, **facts: object) -> object:
    info = zipfile.ZipInfo(name, (2026, 11, 29, 22, 5, 8))
    info.compress_type = method
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, data


def archive(*members: object, comment: bytes = b"", to: NoSeeking | None = None) -> bytes:
    into = to or io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(into, "w") as made:
        warnings.simplefilter("ignore")  # two members of a name
        made.comment = comment
        for one in members:
            made.writestr(*one)  # type: ignore[misc]
    return into.data if isinstance(into, NoSeeking) else into.getvalue()


def repacked(data: bytes) -> bytes:
    plan = plan_zip(io.BytesIO(data))
    assert isinstance(plan, StoredForm)
    made = b"".join(plan.parts(io.BytesIO(data)))
    assert len(made) == plan.length_bytes
    return made


def told(data: bytes) -> list[object]:
    """Return everything that an archive says of itself, but for how it is packed."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        return [
            found.comment,
            *(
                (
                    info.filename, info.date_time, info.external_attr, info.internal_attr, info.create_system,
                    info.create_version, info.extract_version, info.comment, info.extra, info.flag_bits & ~0x0E,
                    info.CRC, info.file_size, found.read(info),
                )
                for info in found.infolist()
            ),
        ]  # fmt: skip


members = st.builds(
    member,
    name=st.sampled_from(["a", "b/", "b/c.txt", "更新/メモ", "x" * 300, "b/zip.zip"]),
    data=st.one_of(st.binary(max_size=500), st.sampled_from([TEXT, packages.zipped({"nested": TEXT})])),
    method=st.sampled_from(METHODS),
    external_attr=st.sampled_from([0, 0o100755 << 16, 0o120777 << 16, 0o40755 << 16 | 0x10, 0x20]),
    internal_attr=st.integers(0, 1),
    create_system=st.sampled_from([0, 3, 10]),
    comment=st.binary(max_size=20),
    extra=st.sampled_from([b"", b"UT\5\0\3abcd", b"UT\5\0\3abcdux\1\0x", b"\0\0\0"]),
)


@given(st.lists(members, max_size=5), st.binary(max_size=30).filter(lambda text: b"PK" not in text), st.booleans())
def test_members_and_their_words_stay(given: list[object], comment: bytes, piped: bool) -> None:
    data = archive(*given, member("last"), comment=comment, to=NoSeeking() if piped else None)
    made = repacked(data)
    assert told(made) == told(data)
    assert plan_zip(io.BytesIO(made)) is NOTHING_PACKED
    with zipfile.ZipFile(io.BytesIO(made)) as found:
        assert {(info.compress_type, info.compress_size == info.file_size) for info in found.infolist()} == {(0, True)}
    assert made == repacked(data)


def test_the_directory_keeps_its_own_order() -> None:
    data = archive(member("a"), member("b", b"other"))
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        start, entries = found.start_dir, data[found.start_dir : -22]
    half = len(entries) // 2
    turned = data[:start] + entries[half:] + entries[:half] + data[-22:]
    assert told(turned) == [b"", *told(data)[:0:-1]]
    assert told(repacked(turned)) == told(turned)


def test_our_pcs_unpack_it_to_the_same_tree() -> None:
    data = packages.zipped({"tool/bin/tool": TEXT, "tool/readme": b"x"}, packed=True)
    assert inspect_archive(io.BytesIO(repacked(data))) == inspect_archive(io.BytesIO(data))


@pytest.mark.skipif(shutil.which("unzip") is None, reason="there is no unzip here")
def test_unzip_takes_it(tmp_path: Path) -> None:
    data = archive(member("a", external_attr=0o100755 << 16), member("b/c", b"x"), to=NoSeeking())
    for name, content in (("a.zip", data), ("b.zip", repacked(data))):
        (tmp_path / name).write_bytes(content)
        subprocess.run(["unzip", "-q", name, "-d", name[0]], cwd=tmp_path, check=True)
    assert (tmp_path / "b/a").read_bytes() == TEXT
    assert (tmp_path / "b/a").stat().st_mode == (tmp_path / "a/a").stat().st_mode


def test_pip_installs_a_wheel(tmp_path: Path) -> None:
    pytest.importorskip("pip")
    about = "acme-2.0.dist-info"
    wheel = archive(
        member("acme.py", b"SAYS = '" + b"x" * 5_000 + b"'\n"),
        member(f"{about}/METADATA", b"Metadata-Version: 2.1\nName: acme\nVersion: 2.0\n"),
        member(f"{about}/WHEEL", b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        member(f"{about}/RECORD", f"acme.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n".encode()),
    )
    (tmp_path / "acme-2.0-py3-none-any.whl").write_bytes(repacked(wheel))
    options = ["--no-index", "--no-deps", "--quiet", "--disable-pip-version-check", "--target", "to"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "acme-2.0-py3-none-any.whl"], cwd=tmp_path, check=True
    )
    assert (tmp_path / "to/acme.py").read_bytes().startswith(b"SAYS")


@pytest.mark.parametrize(
    "name",
    [
        *("META-INF/ACME.SF", "META-INF/acme.rsa", "META-INF/A.EC", "AppxSignature.p7x", "AppxBlockMap.xml"),
        *(".signature.p7s", "_xmlsignatures/sig1.xml", "package/services/digital-signature/certificate/1.cer"),
    ],
)
def test_what_is_signed_is_left_alone(name: str) -> None:
    plan = plan_zip(io.BytesIO(archive(member(), member(name, b"x"))))
    assert isinstance(plan, LeftAlone)
    assert plan.reason.startswith("it is signed")


def test_an_android_package_with_a_block_of_signatures_is_left_alone() -> None:
    data = archive(member())
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        start = found.start_dir
    block = b"x" * 40 + b"APK Sig Block 42"
    signed = data[:start] + block + data[start:-6] + (start + len(block)).to_bytes(4, "little") + data[-2:]
    plan = plan_zip(io.BytesIO(signed))
    assert isinstance(plan, LeftAlone)
    assert plan.reason.startswith("it is signed")


def changed(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


PLAIN = archive(member("a"), member("b"))
START = zipfile.ZipFile(io.BytesIO(PLAIN)).start_dir


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (archive(member(method=zipfile.ZIP_STORED)), "nothing in it is packed"),
        (archive(member(method=zipfile.ZIP_LZMA)), "packed in a way"),
        (changed(changed(PLAIN, START + 8, b"\1"), 6, b"\1"), "it is encrypted"),
        (changed(PLAIN, START + 24, b"\xff" * 4), "zip64"),
        (PLAIN[:-22] + b"PK\6\7" + bytes(16) + PLAIN[-22:], "zip64"),
        (b"#!/bin/sh\n" + PLAIN, "bytes before"),
        (PLAIN + b"more", "bytes before"),
        (changed(PLAIN, START + 20, b"\1\0\0\0"), "bytes before"),
        (changed(PLAIN, START + 24, (0xFFFF_FFF0).to_bytes(4, "little")), "4 GiB"),
    ],
)
def test_others_are_left_alone_with_the_reason(data: bytes, reason: str) -> None:
    plan = plan_zip(io.BytesIO(data))
    assert isinstance(plan, LeftAlone)
    assert reason in plan.reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-30],
        PLAIN[:300],
        changed(PLAIN, 40, b"\xff" * 8),
        changed(PLAIN, START + 16, b"\0" * 4),
        changed(PLAIN, START + 24, b"\1\0\0\0"),
        changed(PLAIN, START + 20, b"\0\0\0\1"),
        changed(PLAIN, 30, b"z"),
        changed(PLAIN, START, b"XX"),
        changed(PLAIN, len(PLAIN) - 12, b"\3"),
    ],
)
def test_what_is_damaged_is_said(data: bytes) -> None:
    with pytest.raises(RepackError):
        repacked(data)


def test_a_member_that_is_larger_than_it_says_ends_there() -> None:
    bomb = archive(member("a", bytes(20_000_000)))
    start = zipfile.ZipFile(io.BytesIO(bomb)).start_dir
    plan = plan_zip(io.BytesIO(changed(bomb, start + 24, (1_000).to_bytes(4, "little"))))
    assert isinstance(plan, StoredForm)
    given: list[bytes] = []
    with pytest.raises(RepackError, match="not what the directory says"):
        given.extend(plan.parts(io.BytesIO(bomb)))
    assert sum(map(len, given)) < 2_000


def test_a_directory_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path, size = tmp_path / "huge.zip", MAX_DIRECTORY_BYTES + 1
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(b"PK\5\6" + bytes(8) + size.to_bytes(4, "little") + bytes(4) + b"\0\0")
    with path.open("rb") as file, pytest.raises(RepackError, match="larger than that of any"):
        plan_zip(file)
