"""`differences`: whatever two files are, the newer one comes out; of a long list that has grown, little is told."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.differences import LEAST_COPY_BYTES, MAX_COPIED_PARTS, Difference, apply, difference

CAP = 1 << 20


def listed(*numbers: int) -> bytes:
    """A list as signed metadata is: each entry has digits of its own."""
    return b",".join(
        b'"patches/%d":{"sha256":"%s"}' % (n, random.Random(n).randbytes(32).hex().encode()) for n in numbers
    )


def told_bytes(change: Difference | None) -> int:
    return len(codec.encode(change))


@given(parts=st.lists(st.binary(max_size=60), max_size=8), order=st.lists(st.integers(0, 7), max_size=16))
def test_the_newer_file_comes_out_whatever_the_two_are(parts: list[bytes], order: list[int]) -> None:
    older = b"".join(parts)
    newer = b"".join(parts[n] if n < len(parts) else bytes([n]) * 40 for n in order)
    change = difference(older, newer)
    assert change is not None
    decoded: Difference = codec.decode(codec.encode(change), Difference, max_bytes=CAP)
    assert apply(decoded, older, max_bytes=len(newer)) == newer


def test_of_a_list_with_one_more_entry_the_entry_is_told() -> None:
    before, after = listed(*range(1000)), listed(*range(500), 5000, *range(500, 1000))
    assert len(after) > 80_000
    assert told_bytes(difference(before, after)) < 150


def test_an_entry_that_has_gone_costs_nothing() -> None:
    assert told_bytes(difference(listed(*range(1000)), listed(*range(300), *range(301, 1000)))) < 40


def test_where_nothing_is_the_same_all_of_it_is_told() -> None:
    change = difference(listed(1, 2), b"x" * 500)
    assert change is not None
    assert change.new == b"x" * 500
    assert change.copies == ()


def test_files_with_too_many_changes_are_not_told_as_a_difference() -> None:
    blocks = [random.Random(n).randbytes(LEAST_COPY_BYTES) for n in range(MAX_COPIED_PARTS + 200)]
    assert difference(b"".join(blocks), b"".join(reversed(blocks))) is None


def test_of_another_older_file_nothing_is_made() -> None:
    change = difference(listed(1, 2, 3), listed(1, 2, 3, 4))
    assert change is not None
    for other in (b"", listed(1, 2), listed(1, 2, 9)):
        with pytest.raises(DecodeError):
            apply(change, other, max_bytes=CAP)


def test_no_more_is_made_than_may_be() -> None:
    older, newer = listed(1, 2, 3), listed(1, 2, 3, 4)
    change = difference(older, newer)
    assert change is not None
    assert apply(change, older, max_bytes=len(newer)) == newer
    with pytest.raises(DecodeError, match="more than"):
        apply(change, older, max_bytes=len(newer) - 1)
    bomb = Difference(b"", ((0, 0, 1 << 24),) * MAX_COPIED_PARTS, 0)
    with pytest.raises(DecodeError, match="more than"):
        apply(bomb, bytes(1 << 24), max_bytes=CAP)


@pytest.mark.parametrize("copy", [(1, 0, 1), (0, 2, 2), (0, 4, 1)], ids=["new", "across the end", "after the end"])
def test_bytes_that_are_not_there_are_refused(copy: tuple[int, int, int]) -> None:
    with pytest.raises(DecodeError, match="not there"):
        apply(Difference(b"", (copy,), 0), b"abc", max_bytes=CAP)


@pytest.mark.parametrize(
    "encoded",
    [
        [b"", [[0, 0, -1]], 0],
        [b"", [[0, 0]], 0],
        [b"", [[0, 0, 1]] * (MAX_COPIED_PARTS + 1), 0],
        [b"", [], 1 << 32],
        ["text", [], 0],
    ],
    ids=["negative", "two numbers", "too many", "no checksum", "text"],
)
def test_anything_else_is_no_difference(encoded: object) -> None:
    with pytest.raises(DecodeError):
        codec.decode(codec.encode(encoded), Difference, max_bytes=CAP)
