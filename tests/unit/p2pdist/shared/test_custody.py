"""`p2pdist.shared.custody`: whatever is changed in a log of install records is found."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from p2pdist.shared.custody import (
    MAX_CUSTODY_RECORD_BYTES,
    MAX_HELD_RECORDS,
    Custody,
    CustodyHead,
    CustodyRecord,
    custody_fault,
    custody_statement,
)
from p2pdist.shared.merkle_log import EMPTY_ROOT
from p2pdist.shared.wire import codec


def record(n: int) -> CustodyRecord:
    return CustodyRecord(at=n, patch_id="acme", version="2", number=7, decision=n, outcome="installed")


def log_of(count: int, custody: Custody | None = None, first: int = 0) -> Custody:
    custody = custody or Custody()
    for n in range(first, first + count):
        custody = custody.with_record(record(n))
    return custody


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, by its words."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + tree_root(leaves[:k]) + tree_root(leaves[k:])).digest()


def proven(leaf: bytes, number: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2, from the top: an independent small verifier."""

    def climb(start: int, end: int, left: list[bytes]) -> bytes:
        if end - start == 1:
            return hashlib.sha256(b"\0" + leaf).digest()
        k = 1
        while 2 * k < end - start:
            k *= 2
        sibling = left.pop()
        if number < start + k:
            return hashlib.sha256(b"\1" + climb(start, start + k, left) + sibling).digest()
        return hashlib.sha256(b"\1" + sibling + climb(start + k, end, left)).digest()

    left = list(proof)
    return climb(0, size, left) == root and not left


def head(custody: Custody) -> CustodyHead:
    return CustodyHead(**custody_statement("e" * 64, custody, 5.9))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 13, 64])
def test_the_root_is_that_of_the_rfc(count: int) -> None:
    custody = log_of(count)
    assert custody.root() == tree_root([codec.encode(record(n)) for n in range(count)])
    assert (custody.root() == EMPTY_ROOT) == (count == 0)


def test_what_leaves_the_disk_stays_below_the_root() -> None:
    count = MAX_HELD_RECORDS + 77
    custody = log_of(count)
    assert (custody.size, custody.first, len(custody.records)) == (count, 77, MAX_HELD_RECORDS)
    leaves = [codec.encode(record(n)) for n in range(count)]
    assert custody.root() == tree_root(leaves)
    for number in (77, 78, 79, 80, 127, 128, 300, count - 1):
        proof = custody.proof(number)
        assert len(proof) <= 10
        assert proven(leaves[number], number, count, proof, custody.root())
        assert not proven(leaves[number - 1], number, count, proof, custody.root())
    with pytest.raises(ValueError, match="no record 76"):
        custody.proof(76)


def test_a_record_is_small() -> None:
    longest = replace(record(1 << 40), patch_id="p" * 64, version="v" * 64, failure="install", installed_as="語" * 100)
    assert len(codec.encode(longest)) <= MAX_CUSTODY_RECORD_BYTES
    assert len(codec.encode(record(1_900_000_000))) <= 50


@given(kept=st.integers(0, 40), more=st.integers(0, 40), asked=st.integers(0, 80), most=st.integers(0, 40))
def test_any_page_continues_what_it_overlaps(kept: int, more: int, asked: int, most: int) -> None:
    whole = log_of(kept + more)
    page = whole.since(asked, most)
    fault = custody_fault(log_of(kept), page, head(page))
    if page.size < kept:
        assert fault == "shorter"
    else:
        assert fault == ("gap" if page.first > kept else None)


@given(count=st.integers(2, 30), kept=st.integers(0, 30), data=st.data())
def test_a_changed_dropped_or_swapped_record_is_found(count: int, kept: int, data: st.DataObject) -> None:
    whole = log_of(count)
    kept = min(kept, count)
    at = data.draw(st.integers(0, count - 1))
    records = list(whole.records)
    how = data.draw(st.sampled_from(["changed", "dropped", "swapped"]))
    if how == "changed":
        records[at] = records[at][:-1] + bytes([records[at][-1] ^ 1])
    elif how == "dropped":
        del records[at]
    else:
        other = (at + 1) % count
        records[at], records[other] = records[other], records[at]
    mutated = replace(whole, records=tuple(records))
    # on the server, or on the way: the signed head is of other records
    assert custody_fault(log_of(kept), mutated, head(whole)) == "malformed"
    # on the PC, which signs what it has now: it is not what it had signed before
    assert custody_fault(whole, mutated, head(mutated)) == ("shorter" if how == "dropped" else "other_records")


def test_a_pc_that_was_restored_is_found_also_when_it_has_gone_on() -> None:
    kept = log_of(20)
    restored = log_of(12)
    assert custody_fault(kept, restored, head(restored)) == "shorter"
    gone_on = log_of(15, restored, first=100)
    assert custody_fault(kept, gone_on, head(gone_on)) == "other_records"
    assert custody_fault(kept, gone_on.since(20, 100), head(gone_on)) == "other_records"


@pytest.mark.parametrize("frontier", [(), (b"\0" * 32,), (b"\0" * 32,) * 3])
def test_a_stretch_that_cannot_be_is_refused(frontier: tuple[bytes, ...]) -> None:
    impossible = Custody(3, frontier)
    whole = log_of(3)
    assert custody_fault(Custody(), impossible, head(whole)) == "malformed"
    with pytest.raises(ValueError, match="does not tell"):
        impossible.root()
