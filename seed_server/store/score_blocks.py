"""Scores of CVEs in blocks, as the database keeps them: sorted, of one width, to be searched without unpacking. Pure.

Hundreds of thousands change every day. In a row for each, their exchange would hold the database's one writer for
seconds; some hundred blocks take as many milliseconds.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

BLOCK_SCORES = 1_000  # 16 kB: one look reads one block
MILLION = 1_000_000  # a share is kept in millionths; the files have five digits
_ROW = struct.Struct(">QII")  # in the order of bytes, so that packed rows sort as their numbers do
_YEAR = 10**10  # more than there are numbers in one


class ExploitScore(NamedTuple):
    """How likely it is that a weakness will be exploited."""

    probability: float
    """That somebody tries it within 30 days, from 0 to 1."""
    percentile: float
    """The share of all CVEs that are no more likely, from 0 to 1."""


def cve_number(cve: str) -> int:
    """Return the number that stands for a CVE number, which `is_cve`; they are in the order of years."""
    _, year, number = cve.split("-")
    return int(year) * _YEAR + int(number)


def cve_of(number: int) -> str:
    """Return the CVE number that this number stands for."""
    year, rest = divmod(number, _YEAR)
    return f"CVE-{year:04d}-{rest:04d}"


def packed_score(year: int, number: int, probability: float, percentile: float) -> bytes:
    """Return one row of a block; both shares are from 0 to 1."""
    return _ROW.pack(year * _YEAR + number, round(probability * MILLION), round(percentile * MILLION))


def twice_in(rows: Sequence[bytes]) -> str:
    """Return the first CVE that has two of these sorted rows; empty: none has."""
    before = b""
    for row in rows:
        if row[:8] == before:
            return cve_of(_ROW.unpack(row)[0])
        before = row[:8]
    return ""


def blocks_of(rows: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield sorted rows in blocks, each after the number of its first CVE."""
    for start in range(0, len(rows), BLOCK_SCORES):
        part = rows[start : start + BLOCK_SCORES]
        yield _ROW.unpack(part[0])[0], b"".join(part)


def score_in(block: bytes, number: int) -> ExploitScore | None:
    """Return the score of the CVE that ``number`` stands for; None: the block has none."""
    at = bisect_left(range(len(block) // _ROW.size), number, key=lambda place: _at(block, place)[0])
    if at * _ROW.size >= len(block):
        return None
    found, probability, percentile = _at(block, at)
    return ExploitScore(probability / MILLION, percentile / MILLION) if found == number else None


def in_both(before: Iterable[bytes], now: Iterable[bytes]) -> int:
    """Return how many CVEs are in both, each sorted rows, or blocks of them in their order."""
    first, second = _keys(before), _keys(now)
    one, other, both = next(first, None), next(second, None), 0
    while one is not None and other is not None:
        if one == other:
            both, one, other = both + 1, next(first, None), next(second, None)
        elif one < other:
            one = next(first, None)
        else:
            other = next(second, None)
    return both


def _keys(rows: Iterable[bytes]) -> Iterator[bytes]:
    for block in rows:
        for start in range(0, len(block), _ROW.size):
            yield block[start : start + 8]


def _at(block: bytes, place: int) -> tuple[int, int, int]:
    found: tuple[int, int, int] = _ROW.unpack_from(block, place * _ROW.size)
    return found
