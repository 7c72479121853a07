import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.coded_pieces import MAX_PREFIX_BYTES, MAX_PREFIX_RANGES
from seed_server.deltas.alignment import MARGIN_BYTES, SAME_RUN_BYTES, WHOLE_BYTES, align
from seed_server.deltas.anchors import anchors_of

PIECE = 256 << 10


def noise(length, seed=1):
    return random.Random(seed).randbytes(length)


def alignment(base, new):
    return align(anchors_of([base]), anchors_of([new]))


def covered(ranges, start, end):
    return any(one.offset <= start and end <= one.offset + one.length for one in ranges)


def test_the_same_file_is_its_own_base():
    data = noise(4 << 20)
    (one,) = alignment(data, data).ranges(2 << 20, PIECE)
    assert covered([one], 2 << 20, (2 << 20) + PIECE)
    assert one.length <= PIECE + 2 * MARGIN_BYTES


def test_what_was_put_in_before_is_taken_into_account():
    data, more = noise(8 << 20), noise(2 << 20, seed=2)
    ranges = alignment(data, more + data).ranges(len(more) + (1 << 20), PIECE)
    assert covered(ranges, 1 << 20, (1 << 20) + PIECE)


def test_a_piece_of_two_places_gets_both():
    a, b = noise(4 << 20), noise(4 << 20, seed=2)
    start = len(b) - PIECE // 2
    ranges = alignment(a + b, b + a).ranges(start, PIECE)
    assert covered(ranges, 0, PIECE // 2)
    assert covered(ranges, len(a) + len(b) - PIECE // 2, len(a) + len(b))


def test_new_bytes_between_old_ones_get_what_is_around():
    a, b = noise(2 << 20), noise(2 << 20, seed=2)
    middle = noise(PIECE, seed=3)
    ranges = alignment(a + b, a + middle + b).ranges(len(a), PIECE)
    assert covered(ranges, len(a) - MARGIN_BYTES // 2, len(a) + MARGIN_BYTES // 2)


def test_payloads_without_anything_in_common_have_no_ranges_unless_they_are_small():
    a, b = noise(3 << 20), noise(3 << 20, seed=2)
    assert alignment(a, b).ranges(0, PIECE) == ()
    assert alignment(a[:WHOLE_BYTES], b).ranges(0, PIECE) == ((0, WHOLE_BYTES),)
    assert alignment(b"", b).ranges(0, PIECE) == ()


def test_a_lonely_anchor_says_nothing():
    a, b = noise(3 << 20), noise(3 << 20, seed=2)
    stretch = a[(2 << 20) : (2 << 20) + 8192]  # some anchors, far away from where all else points to
    mixed = a[: 1 << 20] + stretch[:700] + a[(1 << 20) + 700 :]
    assert all(one.offset < (1 << 20) + PIECE for one in alignment(a, mixed).ranges(1 << 20, PIECE // 2))
    assert SAME_RUN_BYTES < 1 << 20
    assert alignment(a, b).new_length_bytes == len(b)


def test_what_stands_twice_says_nothing():
    a = noise(1 << 20)
    assert len(alignment(a + a, a).new_places) == 0
    assert len(alignment(a, a + a).new_places) == 0


def test_a_piece_made_of_bytes_from_everywhere_keeps_the_bounds():
    base = noise(24 << 20)
    chance = random.Random(4)
    starts = [chance.randrange(0, len(base) - 8192) for _ in range(512)]
    new = b"".join(base[at : at + 8192] for at in starts)
    found = alignment(base, new)
    for start in range(0, len(new), 1 << 20):
        ranges = found.ranges(start, 1 << 20)
        assert 0 < len(ranges) <= MAX_PREFIX_RANGES
        assert sum(one.length for one in ranges) <= MAX_PREFIX_BYTES
        assert all(a.offset + a.length < b.offset for a, b in itertools.pairwise(ranges))


@given(
    cuts=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 1 << 18)), max_size=12),
    start=st.integers(0, 3 << 20),
    length=st.integers(1, 4 << 20),
)
def test_ranges_are_always_inside_the_base_and_bounded(cuts, start, length):
    base = _BASE
    new = b"".join(base[at : at + count] for at, count in cuts)
    ranges = alignment(base, new).ranges(start, length)
    assert len(ranges) <= MAX_PREFIX_RANGES
    assert sum(one.length for one in ranges) <= MAX_PREFIX_BYTES
    assert all(one.length > 0 and 0 <= one.offset <= len(base) - one.length for one in ranges)


_BASE = noise(1 << 20)
