"""A payload that is damaged on the server's disk never leaves it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.messages import PieceStored, Unavailable
from seed_server.origin.state import REPAIR_HINT
from seed_server.store.content_store import DamagedPayloadError
from tests.helpers.origin_harness import TEST_LIMITS, Lab, fetch, running_lab

Damage = Callable[[Path], None]


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def remove(path: Path) -> None:
    path.unlink()


def make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def forget_hashes(path: Path) -> None:
    path.with_name(f"{path.name}.pieces").unlink()


def cut_hashes(path: Path) -> None:
    os.truncate(path.with_name(f"{path.name}.pieces"), 32)


class TestDamagedPayload:
    @pytest.mark.parametrize("damage", [flip_a_bit, cut_off, remove, make_a_directory, forget_hashes, cut_hashes])
    async def test_never_leaves_and_everybody_is_told(self, lab: Lab, damage: Damage) -> None:
        patch, other = await lab.publish(3), await lab.publish(2, sequence=2)
        damage(lab.payload(patch))
        endpoint, neighbour = await lab.endpoint(), await lab.endpoint()
        arrived, pieces = trio.open_memory_channel[Piece](10)

        async def read() -> None:  # without a reader nothing is sent, and the damage is in the last piece
            while True:
                await arrived.send(await endpoint.data.expect(Piece))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await endpoint.want(patch)
            for told in (endpoint, neighbour):
                unavailable = await told.control.expect(Unavailable)
                assert (unavailable.torrent, "damaged" in unavailable.reason) == (patch.torrent_hash, True)
            await lab.server._records.flush()
            assert REPAIR_HINT in lab.database.patches()[0].damaged
            # only good pieces may have come, and everything else is served on
            await endpoint.want(other)
            received = 0
            while received < 2:
                piece = await pieces.receive()
                if piece.torrent == other.torrent_hash:
                    assert piece.data == lab.piece(other, piece.piece)
                    await endpoint.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))
                    received += 1
                else:
                    assert piece.data == lab.piece(patch, piece.piece)
            nursery.cancel_scope.cancel()

    async def test_is_served_again_once_it_is_repaired(self, lab: Lab) -> None:
        patch = await lab.publish(3)
        flip_a_bit(lab.payload(patch))
        endpoint = await lab.endpoint()
        await endpoint.want(patch)
        await endpoint.control.expect(Unavailable)
        await lab.server._records.flush()  # else the damage may be written after the repair
        lab.payload(patch).write_bytes(lab.payloads[patch.torrent_hash])
        lab.database.mark_damaged(patch.torrent_hash, "")
        await lab.server.repository_changed(2)
        newcomer = await lab.endpoint()
        await endpoint.aclose()
        await newcomer.want(patch)
        assert await fetch(lab, newcomer, patch, 3) == [0, 1, 2]

    async def test_shortage_of_files_is_not_damage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async with running_lab(tmp_path, limits=replace(TEST_LIMITS, shortage_seconds=0.01)) as lab:
            patch = await lab.publish(1)
            endpoint = await lab.endpoint()
            opened = lab.content.open_payload
            failures = iter([24, 23, 12])  # EMFILE, ENFILE, ENOMEM

            def short_of_files(sha256: str) -> object:
                for number in failures:
                    raise DamagedPayloadError("cannot open") from OSError(number, os.strerror(number))
                return opened(sha256)  # type: ignore[arg-type]

            monkeypatch.setattr(lab.content, "open_payload", short_of_files)
            await endpoint.want(patch)
            assert await fetch(lab, endpoint, patch, 1) == [0]
            assert lab.database.patches()[0].damaged == ""
