"""`seed_server.store.score_blocks`: what is packed is found again, and nothing else."""

import random

from hypothesis import given
from hypothesis import strategies as st

from seed_server.store.score_blocks import (
    BLOCK_SCORES,
    ExploitScore,
    blocks_of,
    cve_number,
    cve_of,
    in_both,
    packed_score,
    score_in,
    twice_in,
)

CVES = st.builds(
    lambda year, number: f"CVE-{year:04d}-{number:04d}", st.integers(0, 9_999), st.integers(0, 9_999_999_999)
)


def row(cve: str, probability: float = 0.5, percentile: float = 0.5) -> bytes:
    _, year, number = cve.split("-")
    return packed_score(int(year), int(number), probability, percentile)


@given(CVES)
def test_a_number_stands_for_its_cve(cve: str) -> None:
    assert cve_of(cve_number(cve)) == cve
    assert cve_number(cve) < 1 << 63, "it fits an integer of the database"


@given(st.sets(CVES, min_size=1, max_size=50), CVES)
def test_what_is_packed_is_found_and_nothing_else(cves: set[str], other: str) -> None:
    rows = sorted(row(cve, 0.00043, 1.0) for cve in cves)
    whole = b"".join(rows)
    assert {score_in(whole, cve_number(cve)) for cve in cves} == {ExploitScore(0.00043, 1.0)}
    assert (score_in(whole, cve_number(other)) is not None) == (other in cves)
    assert score_in(b"", cve_number(other)) is None


def test_blocks_are_in_order_and_each_begins_with_its_number() -> None:
    cves = [f"CVE-{year}-{number}" for year in (2001, 2026) for number in range(1_000, 2_234)]
    shuffled = random.Random(1).sample(cves, len(cves))
    rows = sorted(map(row, shuffled))
    blocks = list(blocks_of(rows))
    assert [first for first, _ in blocks] == sorted(first for first, _ in blocks)
    assert [len(block) // 16 for _, block in blocks] == [BLOCK_SCORES, BLOCK_SCORES, 468]
    assert all(score_in(block, first) is not None for first, block in blocks)
    assert b"".join(block for _, block in blocks) == b"".join(rows)


def test_a_cve_that_is_there_twice_is_named() -> None:
    assert twice_in(sorted([row("CVE-2026-1234"), row("CVE-2026-1235"), row("CVE-2026-1234", 0.1)])) == "CVE-2026-1234"
    assert twice_in(sorted([row("CVE-2026-1234"), row("CVE-2025-1234")])) == ""
    assert twice_in([]) == ""


@given(st.sets(CVES, max_size=40), st.sets(CVES, max_size=40), st.integers(1, 7))
def test_what_two_files_share_is_counted(before: set[str], now: set[str], size: int) -> None:
    old, new = sorted(map(row, before)), sorted(row(cve, 0.9) for cve in now)
    blocks = [b"".join(old[start : start + size]) for start in range(0, len(old), size)]
    assert in_both(blocks, new) == len(before & now)
