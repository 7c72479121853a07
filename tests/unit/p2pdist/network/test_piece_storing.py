"""`p2pdist.network.piece_storing` with a real torrent engine: what becomes of each piece, and who is blamed."""

import random
from pathlib import Path
from typing import Any

import trio

from p2pdist.network.messages import MAX_ON_THE_WAY, PieceArrived
from p2pdist.network.piece_storing import PieceStoring
from p2pdist.shared.coded_pieces import encode_zstd
from p2pdist.shared.wire.data_messages import CodedPiece, Piece
from tests.helpers.swarm_endpoints import PIECE_BYTES, Payload

BASE = "a" * 64


def coded_of(payload: Payload, index: int, prefix: bytes, *, base: str = BASE, **fields: Any) -> CodedPiece:
    data = payload.piece(index)
    known: dict[str, Any] = {
        "torrent": payload.torrent_hash,
        "piece": index,
        "codec": "zstd",
        "length_bytes": len(data),
        "data": encode_zstd(data, prefix, 3),
        "base": base,
        "ranges": ((0, len(prefix)),) if base else (),
    }
    return CodedPiece(**(known | fields))


async def test_what_becomes_of_each_piece(open_endpoint: Any, payload_of: Any) -> None:
    payload = payload_of(4 * PIECE_BYTES + 100)
    async with open_endpoint() as endpoint:
        await endpoint.add(payload)
        await endpoint.checked(payload)
        storing = PieceStoring(endpoint.engine, endpoint.directory, lambda _: None)
        old = payload.piece(0)[5_000:] + random.Random(1).randbytes(100)
        (endpoint.directory / BASE).write_bytes(old)

        good = coded_of(payload, 0, old)
        arrived = await storing.arrived(good)
        assert (arrived.outcome, arrived.size_bytes, arrived.base) == ("stored", len(good.data), BASE)
        assert arrived.size_bytes + arrived.built_bytes == PIECE_BYTES
        assert arrived.size_bytes < PIECE_BYTES // 20
        (endpoint.directory / BASE).unlink()
        assert (await storing.arrived(good)).outcome == "had_already", "its base may be gone by then"

        alone = coded_of(payload, 4, b"", base="")
        arrived = await storing.arrived(alone)
        assert (arrived.outcome, arrived.built_bytes) == ("stored", 0), "it does not compress"

        missing = await storing.arrived(coded_of(payload, 1, old))
        assert (missing.outcome, missing.base, missing.built_bytes) == ("undecoded", BASE, 0)
        assert "base" in missing.problem
        (endpoint.directory / BASE).write_bytes(payload.piece(2))
        arrived = await storing.arrived(coded_of(payload, 1, payload.piece(1)))
        assert (arrived.outcome, arrived.problem) == ("undecoded", "what comes of it fails its hash check"), "changed"

        wrong = coded_of(payload, 2, b"", base="", data=encode_zstd(bytes(PIECE_BYTES), b"", 3))
        assert (await storing.arrived(wrong)).outcome == "rejected", "with no base it is the sender's fault"
        broken = coded_of(payload, 2, b"", base="", data=b"nothing")
        assert (await storing.arrived(broken)).outcome == "undecoded"
        beyond = coded_of(payload, 2, b"", base="", piece=5)
        assert (await storing.arrived(beyond)).outcome == "undecoded", "there is no such piece"
        lies = coded_of(payload, 2, b"", base="", length_bytes=PIECE_BYTES - 1)
        assert (await storing.arrived(lies)).outcome == "undecoded"
        gone = coded_of(payload, 2, b"", base="", torrent="f" * 64)
        assert (await storing.arrived(gone)).outcome == "not_stored"

        plain = Piece(payload.torrent_hash, 3, payload.piece(3))
        assert (await storing.arrived(plain)).outcome == "stored"


async def test_no_piece_is_taken_before_there_is_room_to_say_what_became_of_it(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(2 * PIECE_BYTES)
    told: list[PieceArrived] = []
    send, receive = trio.open_memory_channel[Piece | CodedPiece](2)
    room = trio.Semaphore(0, max_value=MAX_ON_THE_WAY)
    async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
        await endpoint.add(payload)
        await endpoint.checked(payload)
        storing = PieceStoring(endpoint.engine, tmp_path, told.append)
        nursery.start_soon(storing.work, receive.receive, room)
        for piece in range(2):
            await send.send(coded_of(payload, piece, b"", base=""))
        await trio.sleep(0.2)
        assert told == []
        room.release()
        with trio.fail_after(20):
            while len(told) < 1:  # noqa: ASYNC110 - a plain list
                await trio.sleep(0.01)
        await trio.sleep(0.2)
        assert [one.outcome for one in told] == ["stored"]
        nursery.cancel_scope.cancel()
