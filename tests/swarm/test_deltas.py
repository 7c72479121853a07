"""Coded pieces with a real engine and real files; the test plays the origin: a former payload spares most of a file."""

import dataclasses
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from p2pdist.network.piece_storing import PieceStoring
from p2pdist.shared.coded_pieces import encode_zstd
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.wire.data_messages import CodedPiece, Piece
from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.messages import Bases, PieceRejected, PieceStored, PieceUndecoded
from p2pdist.transfer.states import DISK_MARGIN_BYTES
from p2pdist.trust.catalogue import CataloguePatch
from tests.helpers.small_disk import small_disk
from tests.helpers.swarm_endpoints import PIECE_BYTES, Payload, payload_with
from tests.swarm.test_transfers import Running, catalogue_of, patch_of, running

SIZE_BYTES = 6 * PIECE_BYTES + 1_000
MIB = 1 << 20
Breaks = Callable[[Path], object]


def newer_than(old: Payload, directory: Path) -> Payload:
    """Return the next version: some bytes more at its beginning, and one change in each piece."""
    data = bytearray(random.Random(1).randbytes(5_000) + old.data)
    for at in range(1_000, len(data), PIECE_BYTES):
        data[at : at + 100] = random.Random(at).randbytes(100)
    return payload_with(bytes(data), directory)


def second(payload: Payload) -> CataloguePatch:
    """Return the second version of the patch of which `patch_of` gives the first one."""
    patch = patch_of(1, payload)
    entry = replace(patch.entry, version="2", sequence=2)
    return dataclasses.replace(patch, entry=entry, manifest=replace(patch.manifest, version="2"))


def coded(new: Payload, old: Payload, index: int) -> CodedPiece:
    """Return a piece as the server codes it: by its neighbourhood in the former version."""
    first = max(0, index * PIECE_BYTES - 10_000)
    prefix = old.data[first : first + PIECE_BYTES + 20_000]
    return CodedPiece(
        torrent=new.torrent_hash,
        piece=index,
        codec="zstd",
        length_bytes=len(new.piece(index)),
        data=encode_zstd(new.piece(index), prefix, 3),
        base=old.name,
        ranges=((first, len(prefix)),),
    )


async def send(run: Running, piece: Piece | CodedPiece) -> None:
    """Store a piece and count it, as the network part and the daemon do."""
    storing = PieceStoring(run.engine, run.home.cache, lambda _: None)
    arrived = await storing.arrived(piece)
    await run.transfers.piece_arrived(
        TorrentHash(arrived.torrent),
        PieceIndex(arrived.piece),
        arrived.size_bytes,
        arrived.outcome,
        built=arrived.built_bytes,
        base=arrived.base,
        problem=arrived.problem,
    )


async def begin(run: Running, old: Payload, new: Payload) -> None:
    """Have the first version, and begin to fetch the second one."""
    run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
    await run.begin(old)
    await run.finish(old)
    await run.transfers.reconcile(catalogue_of(second(new)))
    await run.step_until(lambda: run.row.state == "fetching")


async def test_a_newer_version_is_built_of_the_former_one(open_endpoint: Any, payload_of: Any, tmp_path: Path) -> None:
    old = payload_of(SIZE_BYTES)
    new = newer_than(old, tmp_path / "made")
    async with running(open_endpoint, tmp_path / "home") as run:
        await begin(run, old, new)
        assert run.last(Bases) == Bases(payloads=bytes.fromhex(old.name)[:HELD_BYTES])
        for index in range(new.count):
            await send(run, coded(new, old, index))
        await run.step_until(lambda: run.row.state == "verified")
        stored = [message.piece for message in run.sent if isinstance(message, PieceStored)]
        assert stored[old.count :] == list(range(new.count)), "each once"
        assert run.path.read_bytes() == new.data
        assert run.row.bytes_from_origin < 0.1 * len(new.data)
        assert run.row.bytes_from_origin + run.row.bytes_built == len(new.data)
        assert (run.row.built_of, run.row.bytes_wasted) == ("1", 0)
        with trio.fail_after(20):
            while (run.home.cache / old.name).exists():
                await run.transfers.step()
                await trio.sleep(0.1)
        assert {path.name for path in run.home.cache.iterdir()} == {new.name}


BROKEN: dict[str, Breaks] = {
    "truncated": lambda base: os.truncate(base, 100),
    "changed": lambda base: base.write_bytes(os.urandom(SIZE_BYTES)),
    "gone": lambda base: base.unlink(),
    "another link": lambda base: (base.rename(base.with_name("real")), base.symlink_to("real")),
    "a pipe": lambda base: (base.unlink(), os.mkfifo(base)),
    "a directory": lambda base: (base.unlink(), base.mkdir()),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_base_that_is_broken_costs_a_piece_and_never_a_wrong_byte(
    open_endpoint: Any, payload_of: Any, tmp_path: Path, how: str
) -> None:
    old = payload_of(SIZE_BYTES)
    new = newer_than(old, tmp_path / "made")
    async with running(open_endpoint, tmp_path / "home") as run:
        await begin(run, old, new)
        await send(run, coded(new, old, 0))
        BROKEN[how](run.home.cache / old.name)
        second_piece = coded(new, old, 1)
        await send(run, second_piece)
        told = PieceUndecoded(torrent=new.torrent_hash, piece=1, base=old.name)
        assert run.last(PieceUndecoded) == told
        assert not [message for message in run.sent if isinstance(message, PieceRejected)], "nobody is blamed"
        assert run.row.bytes_wasted == len(second_piece.data)
        with trio.fail_after(20):
            while run.last(Bases).payloads:
                await run.transfers.step()
                await trio.sleep(0.1)
        for index in range(1, new.count):
            await send(run, Piece(torrent=new.torrent_hash, piece=index, data=new.piece(index)))
        await run.step_until(lambda: run.row.state == "verified")
        assert run.path.read_bytes() == new.data


async def test_frames_that_lie_make_no_wrong_byte_and_end_nothing(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    """An origin that was taken over: bombs, other lengths, other pieces, ranges out of the file, bytes of nothing."""
    old = payload_of(SIZE_BYTES)
    new = newer_than(old, tmp_path / "made")
    async with running(open_endpoint, tmp_path / "home") as run:
        await begin(run, old, new)
        good = coded(new, old, 0)
        last = new.count - 1
        lies = [
            replace(good, data=encode_zstd(bytes(64 * MIB), b"", 1), base="", ranges=()),
            replace(good, length_bytes=PIECE_BYTES + 1, data=encode_zstd(bytes(PIECE_BYTES + 1), b"", 1)),
            replace(good, piece=last),
            replace(good, piece=new.count),
            replace(good, piece=65_535),
            replace(good, ranges=((SIZE_BYTES - 1, 2),)),
            replace(good, ranges=((0, 1 << 50),)),
            replace(good, ranges=((0, 8),)),
            replace(good, base="e" * 64),
            replace(good, base=new.name),
            replace(good, data=os.urandom(5_000)),
            replace(good, data=good.data[: len(good.data) // 2]),
            replace(good, codec="lzma2_x86"),
            replace(good, codec="lzma2_x86", base="", ranges=()),
        ]
        for lie in lies:
            await send(run, lie)
        assert not [message for message in run.sent if isinstance(message, PieceStored)][old.count :]
        for index in range(new.count):
            await send(run, coded(new, old, index))
            await send(run, Piece(torrent=new.torrent_hash, piece=index, data=new.piece(index)))
        await run.step_until(lambda: run.row.state == "verified")
        assert run.path.read_bytes() == new.data


async def test_where_the_disk_has_no_room_for_both_the_former_one_leaves(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    old = payload_of(24 * MIB)
    new = payload_with(os.urandom(24 * MIB), tmp_path / "made")
    room = DISK_MARGIN_BYTES // MIB + 24 + 12
    with small_disk(tmp_path / "home", room) as home:
        async with running(open_endpoint, home) as run:
            run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
            await run.begin(old)
            await run.finish(old)
            await run.transfers.reconcile(catalogue_of(second(new)))
            with trio.fail_after(30):
                while run.row.state != "fetching":
                    await run.transfers.step()
                    await trio.sleep(0.1)
            assert not (home / "cache" / old.name).exists()
            await run.give_all(new)
            await run.step_until(lambda: run.row.state == "verified")


async def test_a_start_after_a_kill_goes_on_with_the_former_one(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    old = payload_of(SIZE_BYTES)
    new = newer_than(old, tmp_path / "made")
    async with running(open_endpoint, tmp_path / "home") as run:
        await begin(run, old, new)
        await send(run, coded(new, old, 0))
    async with running(open_endpoint, tmp_path / "home") as run:
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.reconcile(catalogue_of(second(new)))
        await run.step_until(lambda: run.row.state == "fetching")
        assert run.last(Bases).payloads == bytes.fromhex(old.name)[:HELD_BYTES]
        for index in range(new.count):
            await send(run, coded(new, old, index))
        await run.step_until(lambda: run.row.state == "verified")
        assert run.path.read_bytes() == new.data
