import hashlib
import random

import pytest

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.shared.merkle import piece_hash
from seed_server.deltas.proven_stretches import ProvenStretches
from seed_server.store.content_store import ContentStore, DamagedPayloadError

PIECE = 64 << 10
DATA = random.Random(1).randbytes(5 * PIECE + 1234)


def kept(directory, data, piece_length=PIECE):
    sha256 = Sha256Hex(hashlib.sha256(data).hexdigest())
    parts = [data[at : at + piece_length] for at in range(0, len(data), piece_length)]
    (directory / sha256).write_bytes(data)
    (directory / f"{sha256}.pieces").write_bytes(b"".join(piece_hash(one, piece_length, len(data)) for one in parts))
    return sha256


@pytest.mark.parametrize("piece_length", [16 << 10, PIECE, 128 << 10, 512 << 10, 4 << 20])
@pytest.mark.parametrize(
    "stretches",
    [
        [(0, 1)],
        [(PIECE - 1, 2)],
        [(10, 20), (40, 50)],
        [(100, 3 * PIECE), (4 * PIECE, PIECE + 1234)],
        [(0, len(DATA))],
        [],
    ],
)
def test_they_are_read_whatever_the_length_of_a_piece(tmp_path, piece_length, stretches):
    read = ProvenStretches(ContentStore(tmp_path)).read_stretches(kept(tmp_path, DATA, piece_length), stretches)
    assert read == b"".join(DATA[at : at + count] for at, count in stretches)


@pytest.mark.parametrize("length", [1, 16 << 10, (16 << 10) + 1, PIECE])
def test_a_payload_of_one_piece(tmp_path, length):
    sha256 = kept(tmp_path, DATA[:length], 1 << 20)
    assert ProvenStretches(ContentStore(tmp_path)).read_stretches(sha256, [(0, length)]) == DATA[:length]


def test_a_wrong_byte_is_damage_where_it_is_read_and_only_there(tmp_path):
    sha256, proven = kept(tmp_path, DATA), ProvenStretches(ContentStore(tmp_path))
    (tmp_path / sha256).write_bytes(DATA[: 2 * PIECE + 5] + b"#" + DATA[2 * PIECE + 6 :])
    assert proven.read_stretches(sha256, [(0, 2 * PIECE), (3 * PIECE, 9)]) == DATA[: 2 * PIECE] + DATA[3 * PIECE :][:9]
    with pytest.raises(DamagedPayloadError, match="piece 2 is not what was published"):
        proven.read_stretches(sha256, [(3 * PIECE - 1, 2)])


@pytest.mark.parametrize("length", [0, 1, PIECE, 4 * PIECE, 5 * PIECE + 1, len(DATA) + 1, 7 * PIECE])
def test_another_length_is_damage(tmp_path, length):
    sha256 = kept(tmp_path, DATA)
    (tmp_path / sha256).write_bytes((DATA + bytes(2 * PIECE))[:length])
    with pytest.raises(DamagedPayloadError):
        ProvenStretches(ContentStore(tmp_path)).read_stretches(sha256, [(5 * PIECE, 1234)])


def test_what_is_not_here_is_damage(tmp_path):
    sha256, proven = kept(tmp_path, DATA), ProvenStretches(ContentStore(tmp_path))
    (tmp_path / sha256).unlink()
    with pytest.raises(DamagedPayloadError, match="cannot open"):
        proven.read_stretches(sha256, [(0, 1)])
    (tmp_path / f"{sha256}.pieces").unlink()
    with pytest.raises(DamagedPayloadError, match="cannot read"):
        proven.read_stretches(sha256, [(0, 1)])
