"""No file that somebody was made to import hangs the server's command or fills its memory: it ends in words, soon."""

import gzip
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from seed_server.reporting.intelligence_formats import MAX_INTELLIGENCE_BYTES
from tests.helpers.intelligence_texts import EPSS_DAY, kev_text
from tests.helpers.judged_patches import NOW
from tests.helpers.sources import ROOT

MOST_SECONDS = 20.0  # of a busy machine; alone, the longest takes three
MOST_BYTES = 200 << 20  # of the whole process, with its libraries
READ = f"""
import re, sys
from pathlib import Path
from p2pdist.shared.errors import UserError
from seed_server.reporting.intelligence_files import read_intelligence
try:
    found = read_intelligence(Path(sys.argv[1]), {NOW})
    print(len(found.read.rows), "rows")
except UserError as error:
    print(error.message)
print(int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) << 10)
"""
HEAD = f"#model_version:v1,score_date:{EPSS_DAY}\ncve,epss,percentile\n".encode()
ROW = b"CVE-2026-%d,0.1,0.1\n"
MIB = 1 << 20


def packed(parts: Iterable[bytes]) -> bytes:
    """Pack by gzip without ever having it whole."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([*(packer.compress(part) for part in parts), packer.flush()])


def rows(number: int) -> Iterable[bytes]:
    for start in range(10_000, 10_000 + number, 10_000):
        yield b"".join(ROW % one for one in range(start, start + 10_000))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb of zeros": (lambda: packed([HEAD, *[b"\0" * MIB] * 512]), "more than 256 bytes"),
    "bomb of line ends": (lambda: packed([HEAD, *[b"\n" * MIB] * 512]), "line 3 is no CVE"),
    "bomb before anything": (lambda: packed([b" " * MIB] * 512), "neither CISA"),
    "bomb of JSON": (lambda: packed([b'{"x":"', *[b"x" * MIB] * 512]), "more than 16 MiB"),
    "bomb in a bomb": (lambda: gzip.compress(packed([b"\0" * MIB] * 256)), "neither CISA"),
    "ten to the nine rows": (lambda: packed([HEAD, *rows(3_000_000)]), "more than 1,000,000 scores"),
    "one row, again and again": (lambda: packed([HEAD, *[b"CVE-2026-1234,0.1,0.1\n" * 50_000] * 100]), "1,000,000"),
    "as many rows as there may be": (lambda: packed([HEAD, *rows(1_000_000)]), "1000000 rows"),
    "a huge line": (lambda: HEAD + b"CVE-2026-1234,0.1,0." + b"1" * (40 * MIB), "more than 256 bytes"),
    "a huge comment": (lambda: b"#" * (40 * MIB), "more than 256 bytes"),
    "nested lists": (lambda: b'{"x":' + b"[" * (15 * MIB), "nested too deeply"),
    "nested objects": (lambda: b'{"vulnerabilities":[{"cwes":' + b'{"a":' * (3 * MIB), "nested too deeply"),
    "many small entries": (
        lambda: b'{"dateReleased":"' + EPSS_DAY.encode() + b'","vulnerabilities":['
        + b",".join([b'{"cveID":"CVE-2026-1234","dateAdded":"2027-01-10"}'] * 300_000) + b"]}",
        "length <= 20000",
    ),
    "many keys": (
        lambda: json.dumps({f"{number:x}": number for number in range(800_000)}).encode(), "dateReleased",
    ),
    "a huge number": (lambda: b'{"count":' + b"9" * (10 * MIB) + b"}", "no such JSON"),
    "a huge text": (lambda: kev_text(["CVE-2026-1234"], title="x" * (15 * MIB)), "1 rows"),
}  # fmt: skip


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="how much memory a process had is not told so elsewhere")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_soon_and_takes_little(name: str, tmp_path: Path) -> None:
    make, words = HOSTILE[name]
    path = tmp_path / "file"
    path.write_bytes(make())
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    took = time.monotonic() - begun
    said, most = done.stdout.splitlines()
    assert words in said
    figures = f"{took:.1f} s, {int(most) >> 20} MiB"
    assert took < MOST_SECONDS, figures
    assert int(most) < MOST_BYTES, figures


def test_what_is_unpacked_has_an_end_that_no_real_file_comes_near() -> None:
    assert MAX_INTELLIGENCE_BYTES > 4 * 300_000 * 35, "four times the scores of today"
