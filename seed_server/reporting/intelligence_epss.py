"""Reads FIRST's exploit prediction scores (EPSS): a comment with their day, a header, a line for each CVE. Pure.

It is read as a stream, and kept packed: what is wrong ends it at once, and no file takes more room than `MAX_SCORES`.
"""

import re
from collections.abc import Iterable, Iterator

from seed_server.reporting.intelligence_formats import BOM, IntelligenceFileError, ReadEpss, moment_of
from seed_server.store.score_blocks import packed_score, twice_in

MAX_SCORES = 1_000_000  # there are 300,000, and some 50,000 more every year
MAX_SCORE_LINE_BYTES = 256  # the comment has some 60, a score some 35
HEADER = b"cve,epss,percentile"
_COMMENT = re.compile(rb"#\s*model_version:([\x21-\x7e]{1,60}?),\s*score_date:([0-9T:+.Z-]{10,40})\s*")
_SHARE = rb"([01](?:\.[0-9]{1,20})?|[1-9](?:\.[0-9]{1,20})?[eE]-[0-9]{1,2})"
_ROW = re.compile(rb"CVE-([0-9]{4})-([0-9]{4}|[1-9][0-9]{4,9})," + _SHARE + b"," + _SHARE)


def read_epss(chunks: Iterable[bytes], now: float) -> ReadEpss:
    """Return what a file's ``chunks`` say, unpacked, in their order. Raises `IntelligenceFileError`.

    ``now``, in seconds since 1970: no file is of a later day.
    """
    lines = _lines(chunks)
    dated_at, version = _comment(next(lines, b"").removeprefix(BOM), now)
    if (header := next(lines, b"")) != HEADER:
        raise IntelligenceFileError(f"line 2 is {_shown(header)}, where {HEADER.decode()} should stand")
    rows = sorted(_rows(lines))
    if not rows:
        raise IntelligenceFileError("there is no score in it")
    if cve := twice_in(rows):
        raise IntelligenceFileError(f"{cve} is there twice")
    return ReadEpss(dated_at, version, rows)


def _comment(line: bytes, now: float) -> tuple[float, str]:
    found = _COMMENT.fullmatch(line)
    if found is None:
        text = _shown(line)
        raise IntelligenceFileError(
            f"line 1 is {text}, where #model_version:…,score_date:… should stand: of which day it is, is not known"
        )
    return moment_of(found[2].decode("ascii"), "score_date", now), found[1].decode("ascii")


def _rows(lines: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines, 3):
        found = _ROW.fullmatch(line)
        if found is None:
            text = _shown(line)
            raise IntelligenceFileError(f"line {number} is no CVE with two numbers from 0 to 1: {text}")
        probability, percentile = float(found[3]), float(found[4])
        if probability > 1.0 or percentile > 1.0:
            text = _shown(line)
            raise IntelligenceFileError(f"line {number} has a number over 1: {text}")
        if number > MAX_SCORES + 2:
            raise IntelligenceFileError(f"it has more than {MAX_SCORES:,} scores")
        yield packed_score(int(found[1]), int(found[2]), probability, percentile)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines without their ends; the last one needs none."""
    left, number = b"", 1
    for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n")
        for line in whole:
            yield _checked(line, number)
            number += 1
        _checked(left, number)
    if left:
        yield _checked(left, number)


def _checked(line: bytes, number: int) -> bytes:
    if len(line) > MAX_SCORE_LINE_BYTES:
        raise IntelligenceFileError(f"line {number} has more than {MAX_SCORE_LINE_BYTES} bytes")
    return line.removesuffix(b"\r")


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("ascii", "replace")) if line else "missing"
