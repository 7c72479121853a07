import hashlib
import os
import random

import pytest

from p2pdist.shared.coded_pieces import decode_piece
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex
from p2pdist.shared.merkle import piece_hash
from seed_server.deltas.beside import MAX_BESIDE_BYTES
from seed_server.deltas.coded_cache import MAX_CODED_BYTES, NO_BASE, CodedCache
from seed_server.deltas.piece_coding import (
    ALIGNMENT_BYTES,
    BEST_LEVEL,
    MAX_ALIGNED_BYTES,
    QUICK_LEVEL,
    NotAlignedError,
    PieceCoding,
    piece_coding,
)
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore, DamagedPayloadError
from seed_server.store.rows import ServedPayload
from tests.helpers.aligning import aligned_here
from tests.helpers.stored_payloads import TEXT

PIECE = 64 << 10
OLD = random.Random(1).randbytes(20 * PIECE)
NEW = OLD[: 7 * PIECE] + b"something new" + OLD[7 * PIECE :]


def sha256(data: bytes) -> Sha256Hex:
    return Sha256Hex(hashlib.sha256(data).hexdigest())


def payload(data: bytes) -> ServedPayload:
    count, name = -(-len(data) // PIECE), sha256(data)
    return ServedPayload("app", "2.0", "", "high", None, "app.deb", name, len(data), name, PIECE, count, 1, 0.0)


def piece_of(data: bytes, at: int) -> bytes:
    return data[at * PIECE : (at + 1) * PIECE]


@pytest.fixture
def coding(tmp_path):
    (tmp_path / "content").mkdir()
    for data in (OLD, NEW, TEXT):
        (tmp_path / "content" / sha256(data)).write_bytes(data)
        hashes = [piece_hash(piece_of(data, at), PIECE, len(data)) for at in range(-(-len(data) // PIECE))]
        (tmp_path / "content" / f"{sha256(data)}.pieces").write_bytes(b"".join(hashes))
    content = ContentStore(tmp_path / "content")
    cache = CodedCache(tmp_path / "coded", min_free_bytes=0)
    cache.load()
    return PieceCoding(content, aligned_here(content, tmp_path / "coded"), cache)


def made(coding, at, data=NEW, base=None, level=QUICK_LEVEL):
    return coding.make(payload(data), PieceIndex(at), piece_of(data, at), base or sha256(OLD), level)


async def test_a_piece_is_made_by_the_former_version_and_found_again(coding):
    with pytest.raises(NotAlignedError):
        made(coding, 8)
    assert not coding.is_aligned(sha256(OLD), sha256(NEW))
    await coding.align(sha256(OLD), sha256(NEW))
    assert coding.is_aligned(sha256(OLD), sha256(NEW))
    assert coding.helps(sha256(OLD), sha256(NEW))
    coded = made(coding, 8)
    prefix = b"".join(OLD[at : at + length] for at, length in coded.ranges)
    assert decode_piece(coded.codec, coded.data, prefix, length_bytes=PIECE) == piece_of(NEW, 8)
    assert len(coded.data) < 100
    look = coding.look(payload(NEW), PieceIndex(7), sha256(OLD), ahead=3)
    assert (look.kept, look.lacking) == (None, [9, 10])
    look = coding.look(payload(NEW), PieceIndex(8), sha256(OLD), ahead=100)
    assert look.kept.coded == coded
    assert look.lacking == list(range(9, 21))


async def test_nothing_is_made_of_a_former_version_that_is_damaged_and_nothing_kept(coding, tmp_path):
    await coding.align(sha256(OLD), sha256(NEW))
    (tmp_path / "content" / sha256(OLD)).write_bytes(OLD[: 8 * PIECE] + b"#" + OLD[8 * PIECE + 1 :])
    with pytest.raises(DamagedPayloadError, match="piece 8 is not what was published"):
        made(coding, 8)
    assert coding.look(payload(NEW), PieceIndex(8), sha256(OLD), ahead=0).kept is None
    (tmp_path / "content" / sha256(OLD)).write_bytes(OLD)
    assert made(coding, 8) is not None


def test_alone_the_best_level_tries_both_codecs(coding):
    quick, best = made(coding, 1, TEXT, NO_BASE), made(coding, 1, TEXT, NO_BASE, BEST_LEVEL)
    assert len(best.data) < len(quick.data)
    assert coding.look(payload(TEXT), PieceIndex(1), NO_BASE, ahead=0).kept == (best, BEST_LEVEL)


def test_random_bytes_are_seen_for_what_they_are_and_cost_nothing(coding):
    assert not coding.is_compressible(payload(NEW))
    assert coding.is_compressible(payload(TEXT))
    look = coding.look(payload(NEW), PieceIndex(1), NO_BASE, ahead=9)
    assert (look.kept.coded, look.lacking) == (None, [])


async def test_payloads_without_anything_in_common_are_of_no_use(coding, tmp_path):
    other = os.urandom(len(OLD))
    (tmp_path / "content" / sha256(other)).write_bytes(other)
    await coding.align(sha256(other), sha256(NEW))
    assert not coding.helps(sha256(other), sha256(NEW))
    assert not coding.helps(sha256(TEXT), sha256(NEW))


async def test_a_missing_payload_is_an_error(coding, tmp_path):
    (tmp_path / "content" / sha256(OLD)).unlink()
    with pytest.raises(DamagedPayloadError):
        await coding.align(sha256(OLD), sha256(NEW))
    (tmp_path / "content" / sha256(TEXT)).unlink()
    with pytest.raises(DamagedPayloadError):
        coding.look(payload(TEXT), PieceIndex(0), NO_BASE, ahead=0)


async def test_many_pairs_stay_aligned_and_the_oldest_go_where_memory_is_bounded(coding, tmp_path):
    others = [OLD[at * PIECE :] for at in range(1, 13)]
    for data in others:
        (tmp_path / "content" / sha256(data)).write_bytes(data)
        await coding.align(sha256(data), sha256(NEW))
    assert all(coding.is_aligned(sha256(data), sha256(NEW)) for data in others)
    (one,) = {len(each.new_places) for pair, each in coding._alignments.items() if pair[0] == sha256(others[0])}
    alike = coding._aligned(sha256(others[0]), sha256(NEW))
    for number in range(MAX_ALIGNED_BYTES // (16 * one + ALIGNMENT_BYTES) + 1):
        coding._alignments[str(number), ""] = alike
    await coding.align(sha256(OLD), sha256(NEW))
    assert coding.is_aligned(sha256(OLD), sha256(NEW))
    assert not coding.is_aligned(sha256(others[1]), sha256(NEW))
    assert coding._aligned_bytes() <= MAX_ALIGNED_BYTES


def of_home(root):
    return piece_coding(ServerHome(root), aligned_here(ContentStore(root), root))


def test_that_of_a_home_reads_nothing_yet(tmp_path):
    assert of_home(tmp_path).cache.directory == tmp_path / "coded"


def test_all_that_is_kept_in_the_folder_is_within_one_bound(tmp_path):
    assert of_home(tmp_path).cache.max_bytes + MAX_BESIDE_BYTES == MAX_CODED_BYTES
