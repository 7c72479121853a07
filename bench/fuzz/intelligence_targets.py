"""Files of intelligence: KEV and EPSS, packed or not."""

import gzip
import json
from collections.abc import Iterator

from bench.fuzz.target import Target, must, refused_by
from p2pdist.shared.manifest.cves import is_cve
from seed_server.reporting import intelligence_files
from seed_server.reporting.intelligence_formats import IntelligenceFileError, ReadKev
from seed_server.store.score_blocks import blocks_of, cve_of, score_in, twice_in

NOW = 1.8e9
MOST_ERROR_CHARS = 400
PIECE_BYTES = 64  # lines and what is packed are cut anywhere
_ENTRY = {"cveID": "CVE-2026-1234", "dateAdded": "2027-01-10", "dueDate": "2027-01-31", "vulnerabilityName": "字"}
_KEV = json.dumps({"dateReleased": "2027-01-14T15:00:00Z", "count": 1, "vulnerabilities": [_ENTRY]}).encode()
_EPSS = (
    b"#model_version:v1,score_date:2027-01-14T12:00:00Z\ncve,epss,percentile\n"
    b"CVE-2026-1234,0.1,0.5\r\nCVE-1999-0001,9.7e-05,1\n"
)


def _intelligence(data: bytes) -> None:
    pieces = (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))
    with refused_by(IntelligenceFileError, MOST_ERROR_CHARS):
        read = intelligence_files._read(pieces, NOW)
        must(read.rows and read.version.isprintable(), "what is taken has rows, and a version to be shown")
        if isinstance(read, ReadKev):
            must(len({row.cve for row in read.rows}) == len(read.rows), "each CVE is there once")
            must(
                all(is_cve(row.cve) and f"{row.name}{row.action}".isprintable() for row in read.rows), "rows are clean"
            )
            return
        must(list(read.rows) == sorted(read.rows) and not twice_in(read.rows), "scores are in order, each once")
        for first, block in blocks_of(read.rows):
            score = score_in(block, first)
            must(score is not None and 0 <= min(score) <= max(score) <= 1, "scores are shares")
            must(is_cve(cve_of(first)), "a number stands for its CVE")


def _seeds() -> Iterator[bytes]:
    for data in (_KEV, _EPSS):
        yield data
        yield gzip.compress(data, mtime=0)


TARGETS = (Target("intelligence", _intelligence, _seeds),)
