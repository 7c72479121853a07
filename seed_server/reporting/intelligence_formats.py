"""What files of intelligence have in common: their caps, their dates, and what is said of one that is wrong. Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from seed_server.store.intelligence_records import ExploitedCve

MAX_INTELLIGENCE_BYTES = (
    48 << 20
)  # as it lies there, and unpacked; FIRST's scores are 10 MB, 2.5 MB packed, CISA's KEV 1.5 MB
EARLIEST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp()  # there was neither of both before
DAY_AHEAD_SECONDS = 86_400.0
"""A file may be dated so far ahead of this server's clock. One from the future would bar all that follow."""

FileForm: TypeAlias = Literal["kev", "epss", "utf-16", "zip", "html", "unknown"]
_BEGINNINGS: Sequence[tuple[bytes, FileForm]] = (
    (b"{", "kev"),
    (b"#", "epss"),
    (b"cve,", "epss"),
    (b"PK\x03\x04", "zip"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<", "html"),
)
BOM = b"\xef\xbb\xbf"


class IntelligenceFileError(ValueError):
    """A file is not what it should be. The text says what is wrong, where, in one line without a full stop."""


@dataclass(frozen=True)
class ReadKev:
    """CISA's catalogue of known exploited vulnerabilities, checked."""

    dated_at: float
    """When it was made, as it says, in seconds since 1970."""
    version: str
    rows: Sequence[ExploitedCve]
    """Each CVE once."""


@dataclass(frozen=True)
class ReadEpss:
    """FIRST's exploit prediction scores of one day, checked."""

    dated_at: float
    version: str
    """The model that made them."""
    rows: Sequence[bytes]
    """As `store.score_blocks` packs them: sorted, each CVE once."""


def form_of(beginning: bytes) -> FileForm:
    """Return what a file is that begins with these bytes, unpacked."""
    start = beginning.removeprefix(BOM).lstrip()
    return next((form for begins, form in _BEGINNINGS if start.startswith(begins)), "unknown")


def day_of(text: str, what: str) -> float:
    """Return the beginning of the day ``2026-11-30`` in UTC, in seconds since 1970. Raises `IntelligenceFileError`."""
    try:
        if len(text) != len("2026-11-30"):
            raise ValueError
        return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC).timestamp()
    except ValueError as error:
        raise IntelligenceFileError(f"{what} is no day: {text[:40]!r}") from error


def moment_of(text: str, what: str, now: float) -> float:
    """Return a moment as ISO 8601 has it, of a file that was made by ``now``. Raises `IntelligenceFileError`."""
    try:
        moment = dt.datetime.fromisoformat(text[:40])
        at = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise IntelligenceFileError(f"{what} is no time: {text[:40]!r}") from error
    if at < EARLIEST:
        raise IntelligenceFileError(f"{what} is before there was any such file: {text[:40]}")
    if at > now + DAY_AHEAD_SECONDS:
        raise IntelligenceFileError(f"{what} is yet to come: {text[:40]}; check this server's clock, or the file")
    return at
