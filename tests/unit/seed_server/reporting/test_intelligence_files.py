"""`seed_server.reporting.intelligence_files`: a file is what its content says, packed or not, whole or refused."""

import gzip
import hashlib
import os
import sys
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.reporting.intelligence_files import UNPACKED_AT_ONCE_BYTES, read_intelligence
from seed_server.reporting.intelligence_formats import MAX_INTELLIGENCE_BYTES, ReadEpss, ReadKev
from tests.helpers.intelligence_texts import epss_text, kev_text, many_scores, written
from tests.helpers.judged_patches import NOW

EPSS, KEV = epss_text({"CVE-2026-1234": (0.1, 0.5)}), kev_text(["CVE-2026-1234"])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("data", "kind"), [(EPSS, ReadEpss), (KEV, ReadKev), (b"\n \xef\xbb\xbf", None)])
def test_a_file_is_what_its_content_says(data: bytes, kind: type | None, packed: bool, tmp_path: Path) -> None:
    path = written(tmp_path / "download.bin", data, packed=packed)
    if kind is None:
        with pytest.raises(UserError, match="neither CISA's KEV catalogue"):
            read_intelligence(path, NOW)
        return
    found = read_intelligence(path, NOW)
    assert isinstance(found.read, kind)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(found.read.rows) == 1


def test_a_long_file_is_read_to_its_end(tmp_path: Path) -> None:
    data = many_scores(20_000)
    assert len(data) > 9 * UNPACKED_AT_ONCE_BYTES
    assert len(read_intelligence(written(tmp_path / "a.gz", data, packed=True), NOW).read.rows) == 20_000


WRONG = {
    "empty": (b"", "neither CISA"),
    "zip": (b"PK\x03\x04" + b"\0" * 100, "zip archive; unpack it"),
    "utf-16": (EPSS.decode().encode("utf-16"), "UTF-16"),
    "page": (b"<!DOCTYPE html><html>", "web page"),
    "noise": (bytes(range(1, 200)), "neither CISA"),
    "cut": (gzip.compress(EPSS)[:-9], "ends in the middle"),
    "head": (gzip.compress(EPSS)[:8], "ends in the middle"),
    "checksum": (gzip.compress(EPSS)[:-8] + b"\0" * 8, "cannot be unpacked"),
    "changed": (gzip.compress(EPSS)[:20] + b"\xff\xff\xff" + gzip.compress(EPSS)[23:], "cannot be unpacked"),
    "behind": (gzip.compress(EPSS) + b"x", "something behind the end"),
    "two": (gzip.compress(EPSS) * 2, "something behind the end"),
    "twice packed": (gzip.compress(gzip.compress(EPSS)), "neither CISA"),
    "wrong": (EPSS.replace(b"0.1", b"2.1"), "line 3"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_in_words(name: str, tmp_path: Path) -> None:
    data, words = WRONG[name]
    with pytest.raises(UserError, match=words) as caught:
        read_intelligence(written(tmp_path / "file", data), NOW)
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert "Nothing was changed" in caught.value.message
    assert caught.value.message.isprintable()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read .*missing"):
        read_intelligence(tmp_path / "missing", NOW)
    with pytest.raises(UserError, match="is no file|Is a directory"):
        read_intelligence(tmp_path, NOW)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="it is no file"):
        read_intelligence(tmp_path / "pipe", NOW)


LONG_ROW = b"CVE-2026-1%09d,0.12345678901234567890,0.12345678901234567890\n"


def epss_of(size: int) -> bytes:
    """Return scores that take exactly so many bytes."""
    head = EPSS.partition(b"percentile\n")
    start = head[0] + head[1]
    number, left = divmod(size - len(start), len(LONG_ROW % 0))
    last = b"CVE-1999-0001,0.1,0.1"
    if left < len(last):
        number, left = number - 1, left + len(LONG_ROW % 0)
    last += b"0" * min(left - len(last), 18)
    last = last.replace(b"0.1,", b"0.1" + b"0" * (left - len(last)) + b",", 1)
    return b"".join([start, *(LONG_ROW % one for one in range(number)), last])


@pytest.mark.slow
@pytest.mark.uncounted
def test_an_unpacked_file_is_as_long_as_it_may_be_and_not_a_byte_longer(tmp_path: Path) -> None:
    data = epss_of(MAX_INTELLIGENCE_BYTES)
    assert len(data) == MAX_INTELLIGENCE_BYTES
    path = written(tmp_path / "longest.gz", gzip.compress(data, compresslevel=1))
    assert path.stat().st_size < MAX_INTELLIGENCE_BYTES
    assert len(read_intelligence(path, NOW).read.rows) > 700_000
    written(path, gzip.compress(data + b"\n", compresslevel=1))
    with pytest.raises(UserError, match="more than 48 MiB when it is unpacked"):
        read_intelligence(path, NOW)


@pytest.mark.uncounted
def test_a_given_file_is_as_long_as_it_may_be_and_not_a_byte_longer(tmp_path: Path) -> None:
    named = b"\x1f\x8b\x08\x08" + b"\0" * 6  # the head of a packed file: its name follows, of any length
    path = written(tmp_path / "name.gz", named + b"n" * (MAX_INTELLIGENCE_BYTES - len(named)))
    with pytest.raises(UserError, match="ends in the middle"):
        read_intelligence(path, NOW)
    written(path, named + b"n" * (MAX_INTELLIGENCE_BYTES - len(named) + 1))
    with pytest.raises(UserError, match="it has more than 48 MiB"):
        read_intelligence(path, NOW)
