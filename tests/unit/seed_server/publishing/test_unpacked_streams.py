"""`seed_server.publishing.unpacked_streams`: beside what the libraries pack, and for what does not end as it should."""

import bz2
import gzip
import io
import lzma
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sample_packages import zstd_packed
from seed_server.publishing.unpacked_streams import (
    UNPACKED_CHUNK_BYTES,
    Packing,
    UnpackError,
    bunzipped,
    inflated,
    packing_of,
    unpacked,
)

PACK: dict[Packing, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstd_packed,
    "bz2": bz2.compress,
}
DATA = random.Random(21).randbytes(700_000) + b"\0" * 3_000_000


def whole(packing: Packing, data: bytes) -> bytes:
    return b"".join(unpacked(io.BytesIO(data).read, packing))


def deflated(data: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(data) + packing.flush()


@pytest.mark.parametrize("packing", PACK)
def test_it_gives_what_was_packed_in_bounded_pieces(packing: Packing) -> None:
    packed = PACK[packing](DATA)
    assert packing_of(packed) == packing
    parts = list(unpacked(io.BytesIO(packed).read, packing))
    assert b"".join(parts) == DATA
    assert max(map(len, parts)) <= UNPACKED_CHUNK_BYTES


@pytest.mark.parametrize("packing", PACK)
@given(data=st.lists(st.binary(max_size=200), min_size=1, max_size=3), zeros=st.integers(0, 600_000))
def test_streams_follow_each_other_and_zeros_end_them(packing: Packing, data: list[bytes], zeros: int) -> None:
    packed = b"".join(map(PACK[packing], data))
    assert whole(packing, packed + bytes(zeros)) == b"".join(data)


@pytest.mark.parametrize("packing", PACK)
def test_what_is_cut_off_or_followed_by_other_bytes_is_damaged(packing: Packing) -> None:
    packed = PACK[packing](DATA)
    for data in (packed[:-1], packed[: len(packed) // 2], packed + b"other"):
        with pytest.raises(UnpackError):
            whole(packing, data)


@pytest.mark.parametrize("packing", PACK)
def test_a_bomb_takes_no_memory(packing: Packing) -> None:
    packed = PACK[packing](bytes(100_000_000))
    tracemalloc.start()
    total = sum(map(len, unpacked(io.BytesIO(packed).read, packing)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 100_000_000
    assert most < 24_000_000


def test_an_xz_stream_that_asks_for_gigabytes_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}]
    with pytest.raises(UnpackError, match="[Mm]emory"):
        whole("xz", lzma.compress(b"x", filters=filters))


@given(st.binary(max_size=2_000))
def test_one_stream_of_a_zip_archive_fills_its_member(data: bytes) -> None:
    assert b"".join(inflated(io.BytesIO(deflated(data)).read)) == data
    assert b"".join(bunzipped(io.BytesIO(bz2.compress(data)).read)) == data
    for read, packed in ((inflated, deflated(data)), (bunzipped, bz2.compress(data))):
        with pytest.raises(UnpackError, match="behind its end"):
            b"".join(read(io.BytesIO(packed + b"x").read))
        with pytest.raises(UnpackError, match="too early"):
            b"".join(read(io.BytesIO(packed[:-1]).read))


def test_what_is_not_packed_is_none() -> None:
    assert packing_of(b"./\0\0") is None
    assert packing_of(b"") is None
