"""Whatever is in a file, an inspector returns what it has found, or raises `InspectionError`: soon, in little memory.

`make fuzz` goes on from here (`bench/fuzz/package_targets.py`).
"""

import contextlib
import gzip
import io
import lzma
import struct
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import sample_packages as packages
from p2pdist.shared.manifest.recipe import ArchiveInstall
from seed_server.publishing.archive_contents import archive_problems
from seed_server.publishing.contents import ArchiveContents, InspectionError
from seed_server.publishing.inspect_archive import inspect_archive
from seed_server.publishing.inspect_deb import MAX_CONTROL_TAR_BYTES, inspect_deb
from seed_server.publishing.inspect_file import BoundedFile
from seed_server.publishing.inspect_msi import MAX_MSI_READ_BYTES, inspect_msi
from seed_server.publishing.inspect_rpm import inspect_rpm
from seed_server.publishing.inspect_script import inspect_script
from seed_server.publishing.recipe import Recipe

Inspect = Callable[[io.BytesIO], object]

INSPECTORS: dict[str, tuple[Inspect, list[bytes]]] = {
    "deb": (inspect_deb, [packages.deb(packed=way) for way in ("", "gz", "xz", "zst")]),
    "rpm": (inspect_rpm, [packages.rpm(), packages.rpm(epoch=1)]),
    "msi": (inspect_msi, [packages.msi()]),
    "archive": (
        inspect_archive,
        [
            packages.tar({"a/bin/b": b"x" * 9}, links={"a/l": "bin"}),
            packages.tar({"a": b"x"}, packed=""),
            packages.tar({"a": b"x"}, packed="xz"),
            packages.zipped({"a/b": b"x", "c\\d": b""}),
            packages.zipped_in("cp932", "更新"),
        ],
    ),
    "script": (lambda file: inspect_script(file, "python3"), [b"#!/bin/sh\necho\n", "#!a\n".encode("utf-16")]),
}


@st.composite
def damaged(draw: st.DrawFn, honest: list[bytes]) -> bytes:
    """An honest file, of which a few parts are replaced, left out or repeated; or any bytes at all."""
    data = draw(st.sampled_from([*honest, b""]))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from([0, 1, 2, 4, 16, 300]))
        new = draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"\xff" * 4, b"\0" * 8, data[:64]])))
        data = data[:place] + new + data[place + size :]
    return data


@pytest.mark.parametrize("kind", INSPECTORS)
def test_no_file_makes_an_inspector_raise_anything_but_its_own_error(kind: str) -> None:
    inspect, honest = INSPECTORS[kind]

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(damaged(honest))
    def run(data: bytes) -> None:
        try:
            said = str(inspect(io.BytesIO(data)))
        except InspectionError as error:
            said = str(error)
        assert said.isprintable()
        assert len(said) < 500

    run()


@pytest.mark.parametrize("kind", INSPECTORS)
def test_every_cut_of_an_honest_file_is_refused_or_read(kind: str) -> None:
    inspect, honest = INSPECTORS[kind]
    for data in honest:
        for length in range(0, len(data), max(1, len(data) // 60)):
            try:
                inspect(io.BytesIO(data[:length]))
            except InspectionError:
                continue


# --- bombs -----------------------------------------------------------------------------------------


def memory_of(inspect: Inspect, data: bytes) -> int:
    tracemalloc.start()
    try:
        with contextlib.suppress(InspectionError):
            inspect(io.BytesIO(data))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def with_control(control: bytes, suffix: str) -> bytes:
    """Return a package whose control.tar is ``control``."""
    members = (("debian-binary", b"2.0\n"), (f"control.tar{suffix}", control), ("data.tar", b""))
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data)
        parts.append(b"\n" * (len(data) % 2))
    return b"".join(parts)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", lambda data: gzip.compress(data, 9)), (".xz", lambda data: lzma.compress(data, preset=1))],
)
def test_a_control_archive_of_zeros_is_not_unpacked_without_end(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = with_control(pack(b"\0" * (3 * MAX_CONTROL_TAR_BYTES)), suffix)
    assert len(bomb) < 1 << 20
    assert memory_of(inspect_deb, bomb) < 3 * MAX_CONTROL_TAR_BYTES


def test_an_rpm_header_that_names_gigabytes_takes_no_memory() -> None:
    data = bytearray(packages.rpm())
    data[96 + 8 : 96 + 16] = struct.pack(">II", 1, 0xFFFFFFF0)
    assert memory_of(inspect_rpm, bytes(data)) < 1 << 20


def test_a_compound_file_that_leads_round_in_circles_ends() -> None:
    data = bytearray(packages.msi())
    for sector in range(128):  # each sector leads to the next, and the last to the first
        data[512 + 4 * sector : 516 + 4 * sector] = struct.pack("<I", (sector + 1) % 128)
    data[44:48] = struct.pack("<I", 109)
    data[76:512] = struct.pack("<109I", *[0] * 109)  # all of the table's parts are the same one
    assert memory_of(inspect_msi, bytes(data)) < MAX_MSI_READ_BYTES


def test_a_library_cannot_read_more_than_its_budget() -> None:
    file = BoundedFile(io.BytesIO(b"x" * 100), 10)
    assert file.read(10) == b"x" * 10
    file.seek(0)
    with pytest.raises(InspectionError, match="more data than any honest file"):
        file.read()


def test_a_tar_archive_of_thousands_of_links_in_each_other_is_read_at_once() -> None:
    links = {f"l{number}": f"l{number + 1}/x" for number in range(9_000)}
    tree = inspect_archive(io.BytesIO(packages.tar({"a": b""}, links=links)))
    assert isinstance(tree, ArchiveContents)
    recipe = Recipe(install=ArchiveInstall(directory="/opt/acme"))
    assert list(archive_problems(recipe, 1, "x", tree)) == []


def test_a_zip_archive_that_names_more_than_it_holds_is_refused() -> None:
    data = bytearray(packages.zipped({"a": b"x"}))
    data[-12:-8] = struct.pack("<HH", 60_000, 60_000)
    with pytest.raises(InspectionError):
        inspect_archive(io.BytesIO(bytes(data)))


def test_a_stream_that_says_it_has_gigabytes_takes_no_memory() -> None:
    data = packages.msi()
    entry = data.rindex("\x05SummaryInformation".encode("utf-16-le"))
    huge = data[: entry + 120] + struct.pack("<I", 0x7FFFFFFF) + data[entry + 124 :]
    assert memory_of(inspect_msi, huge) < MAX_MSI_READ_BYTES
