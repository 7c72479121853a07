import hashlib
import random

import pytest

from p2pdist.shared.coded_pieces import PrefixRange, decode_piece
from p2pdist.shared.identifiers import Sha256Hex
from seed_server.deltas.coder import WORTH_SHARE, code_alone, code_alone_slowly, code_by_base
from seed_server.store.content_store import ContentStore, DamagedPayloadError

BASE = random.Random(1).randbytes(1 << 20)
SHA256 = Sha256Hex(hashlib.sha256(BASE).hexdigest())
WHOLE = (PrefixRange(0, len(BASE)),)


@pytest.fixture
def content(tmp_path):
    (tmp_path / SHA256).write_bytes(BASE)
    return ContentStore(tmp_path)


def decoded(coded, length):
    assert coded is not None
    prefix = b"".join(BASE[one.offset : one.offset + one.length] for one in coded.ranges)
    return decode_piece(coded.codec, coded.data, prefix, length_bytes=length)


def test_identical_bytes_are_a_frame_of_some_bytes_that_needs_just_them(content):
    piece = BASE[1000:263_000]
    coded = code_by_base(content, SHA256, WHOLE, piece, 19)
    assert coded is not None
    assert coded.ranges == (PrefixRange(1000, len(piece)),)
    assert len(coded.data) < 60
    assert decoded(coded, len(piece)) == piece


def test_bytes_from_two_stretches_come_back(content):
    piece = BASE[0:100_000] + b"new" + BASE[900_000:1_000_000]
    ranges = (PrefixRange(0, 110_000), PrefixRange(890_000, 120_000))
    coded = code_by_base(content, SHA256, ranges, piece, 9)
    assert coded is not None
    assert coded.ranges == ranges
    assert coded.base == SHA256
    assert len(coded.data) < 200
    assert decoded(coded, len(piece)) == piece


def test_bytes_across_two_stretches_are_not_taken_for_one(content):
    piece = BASE[50_000:100_000] + BASE[900_000:950_000]
    coded = code_by_base(content, SHA256, (PrefixRange(50_000, 50_000), PrefixRange(900_000, 50_000)), piece, 9)
    assert coded is not None
    assert len(coded.ranges) == 2
    assert decoded(coded, len(piece)) == piece


def test_what_the_base_does_not_help_with_is_sent_whole(content):
    piece = random.Random(2).randbytes(100_000)
    assert code_by_base(content, SHA256, WHOLE, piece, 9) is None
    assert code_by_base(content, SHA256, (), piece, 9) is None
    assert code_alone(piece, 12) is None
    assert code_alone_slowly(piece, 12) is None
    assert code_alone(b"x", 12) is None


def test_never_more_than_the_piece_and_worth_it_at_the_limit(content):
    chance = random.Random(3)
    for share in (0.0, 0.01, 0.03, 0.04, 0.5):
        same = int(100_000 * share)
        piece = BASE[:same] + chance.randbytes(100_000 - same)
        coded = code_by_base(content, SHA256, WHOLE, piece, 9)
        assert (coded is None) == (share < 0.035)
        assert coded is None or coded.line_bytes <= WORTH_SHARE * len(piece)


def test_text_is_coded_alone():
    piece = b"".join(b"line %d of a text that is not the same everywhere\n" % i for i in range(5000))
    for code in (code_alone, code_alone_slowly):
        coded = code(piece, 12)
        assert coded is not None
        assert len(coded.data) < len(piece) // 5
        assert decoded(coded, len(piece)) == piece


def test_a_base_that_is_gone_or_too_short_is_an_error(content, tmp_path):
    with pytest.raises(DamagedPayloadError, match="ends before"):
        code_by_base(content, SHA256, (PrefixRange(0, len(BASE) + 1),), b"piece", 9)
    (tmp_path / SHA256).unlink()
    with pytest.raises(DamagedPayloadError, match="cannot open"):
        code_by_base(content, SHA256, WHOLE, b"piece", 9)
