"""`seed_server.origin.data_link`: who keeps a rate, the kernel or the meter."""

import socket
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest
import trio

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from seed_server.leasing.site_ledger import LeasedPiece
from seed_server.line.pacing import PacingResult, pacing_rate
from seed_server.line.tcp_info import read_tcp_info
from seed_server.origin import data_link
from seed_server.origin.connection import OriginConnection
from seed_server.origin.data_link import DRAIN_RATE, KERNEL_LEAST_RATE, SLICE_BYTES, DataLink
from tests.helpers.deaf_socket import deafen, hear_again

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pacing and TCP_INFO are Linux's")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket() as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1_460)
        server.bind(("127.0.0.1", 0))
        server.listen()
        receiver = socket.create_connection(server.getsockname())
        sender, _ = server.accept()
        with sender, receiver:
            sender.setblocking(False)
            yield sender, receiver


@pytest.fixture
def link(pair: tuple[socket.socket, socket.socket]) -> DataLink:
    return DataLink(cast("OriginConnection", SimpleNamespace(socket=pair[0], endpoint="a")))


async def written_in(link: DataLink, pair: tuple[socket.socket, socket.socket], seconds: float) -> int:
    sender, receiver = pair
    total = 0
    with trio.move_on_after(seconds):
        while True:
            part = await link.may_write()
            total += part
            assert sender.send(bytes(part)) == part
            receiver.recv(1 << 20)
    return total


async def test_fast_rate_is_the_kernels(link: DataLink) -> None:
    link.set_rate(BytesPerSecond(20_000_000))
    assert pacing_rate(cast("socket.socket", link.connection.socket)) == 20_000_000
    assert await link.may_write() == SLICE_BYTES
    assert not link.view().metered


@pytest.mark.parametrize("loss_blind", [False, True])
async def test_its_view_tells_whether_losses_shrink_its_window(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, loss_blind: bool
) -> None:
    asked = []

    def control(sock: socket.socket) -> bool:
        asked.append(sock)
        return loss_blind

    monkeypatch.setattr(data_link, "use_known_control", control)
    link = DataLink(cast("OriginConnection", SimpleNamespace(socket=pair[0], endpoint="a")))
    assert asked == [pair[0]]
    assert link.view().loss_blind is loss_blind


@pytest.mark.parametrize("rate", [20_000, 200_000, 1_200_000])
async def test_slow_rate_is_metered_a_few_segments_at_a_time(
    link: DataLink, pair: tuple[socket.socket, socket.socket], rate: int
) -> None:
    link.view()
    link.set_rate(BytesPerSecond(rate))
    assert link.view().metered
    assert await link.may_write() <= max(1_448, rate * 0.003)
    assert await written_in(link, pair, 0.5) == pytest.approx(rate * 0.5, rel=0.25, abs=3_000)


async def test_kernel_sends_what_we_meter_at_once(link: DataLink) -> None:
    link.view()
    link.set_rate(BytesPerSecond(4_000))
    assert pacing_rate(cast("socket.socket", link.connection.socket)) == KERNEL_LEAST_RATE


async def test_what_the_kernel_holds_when_the_rate_falls_drains_slowly_and_nothing_is_added(
    link: DataLink, pair: tuple[socket.socket, socket.socket]
) -> None:
    link.set_rate(BytesPerSecond(20_000_000))
    try:
        while True:
            pair[0].send(bytes(65_536))
    except BlockingIOError:
        pass
    link.view()
    link.set_rate(BytesPerSecond(4_000))
    assert pacing_rate(pair[0]) == DRAIN_RATE
    with trio.move_on_after(0.2) as waiting:
        await link.may_write()
    assert waiting.cancelled_caught


async def test_nothing_is_written_while_nothing_may_be_and_a_new_rate_wakes(link: DataLink) -> None:
    link.set_rate(BytesPerSecond(0))
    assert await link.may_write() == 0
    async with trio.open_nursery() as nursery:
        got: list[int] = []

        async def write() -> None:
            await link.sleep_while_stopped(60.0)
            got.append(await link.may_write())

        nursery.start_soon(write)
        await trio.sleep(0.1)
        assert got == []
        link.set_rate(BytesPerSecond(20_000_000))
    assert got == [SLICE_BYTES]


async def test_a_stop_ends_the_wait_for_a_metered_rate(link: DataLink) -> None:
    link.set_rate(BytesPerSecond(1_000))
    async with trio.open_nursery() as nursery:
        got: list[int] = []

        async def write() -> None:
            while part := await link.may_write():
                got.append(part)
            got.append(0)

        nursery.start_soon(write)
        await trio.sleep(0.05)
        link.set_rate(BytesPerSecond(0))
    assert got[-1] == 0


async def test_unused_time_earns_little(link: DataLink, pair: tuple[socket.socket, socket.socket]) -> None:
    link.view()
    link.set_rate(BytesPerSecond(50_000))
    await trio.sleep(1.0)
    link.set_rate(BytesPerSecond(4_000))
    assert await written_in(link, pair, 0.1) <= data_link.EARNED_PARTS * 1_448


async def test_kernel_that_cannot_pace_is_said_once_and_metered(
    link: DataLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_link, "pace", lambda *_: PacingResult(taken=False, reason="not here"))
    monkeypatch.setattr(data_link, "read_tcp_info", lambda _: None)
    result = link.set_rate(BytesPerSecond(20_000_000))
    assert result is not None
    assert result.reason == "not here"
    assert link.set_rate(BytesPerSecond(10_000_000)) is None
    assert link.view().metered
    assert await link.may_write() < SLICE_BYTES + 1


def test_what_was_written_to_a_socket_that_is_closed_has_not_arrived(
    link: DataLink, pair: tuple[socket.socket, socket.socket]
) -> None:
    link.written_bytes = pair[0].send(bytes(1_000))
    assert len(pair[1].recv(1_000)) == 1_000
    look = link.view().look
    assert look
    link.written_bytes = 500_000
    pair[0].close()
    now = link.view(sending=False).look
    assert now
    assert now.arrived_bytes == look.arrived_bytes
    assert not link.look_again()


def test_a_socket_that_was_closed_before_anybody_looked_is_as_it_was_at_first(
    link: DataLink, pair: tuple[socket.socket, socket.socket]
) -> None:
    link.written_bytes = 500_000
    pair[0].close()
    first = link.view().look
    assert first
    assert first.arrived_bytes == 0


async def test_delay_of_a_piece(link: DataLink) -> None:
    piece = LeasedPiece(TorrentHash("a" * 64), PieceIndex(1))
    link.piece_stored(piece)
    assert link.view().piece_delay_seconds is None
    waits = [link.awaits_word]
    link.piece_written(piece)
    waits.append(link.awaits_word)
    await trio.sleep(0.05)
    link.piece_stored(LeasedPiece(TorrentHash("a" * 64), PieceIndex(2)))
    assert link.view().piece_delay_seconds is None
    link.piece_stored(piece)
    delay = link.view().piece_delay_seconds
    assert delay is not None
    assert 0.05 <= delay < 0.5
    assert [*waits, link.awaits_word] == [False, True, False]


async def test_a_link_on_which_no_full_packet_ever_arrives_is_told_from_one_that_stops(
    link: DataLink, pair: tuple[socket.socket, socket.socket]
) -> None:
    sender, receiver = pair

    async def until(holds: Callable[[], bool]) -> None:
        for _ in range(200):  # 10 s; the kernel waits in vain for the first time after 0.2 s
            if holds():
                return
            await trio.sleep(0.05)
        raise AssertionError("it has not happened")

    def waits_in_vain() -> bool:
        look = read_tcp_info(sender)
        return look is not None and look.timeouts_in_a_row > 0

    sender.send(bytes(100))  # as the rest of a handshake: small, and it arrives
    receiver.recv(100)
    deafen(cast("trio.socket.SocketType", receiver))
    sender.send(bytes(SLICE_BYTES))
    await until(lambda: link.view().vanishing)
    hear_again(cast("trio.socket.SocketType", receiver))
    await until(lambda: not link.view().vanishing)
    deafen(cast("trio.socket.SocketType", receiver))
    sender.send(bytes(SLICE_BYTES))
    await until(waits_in_vain)
    assert not link.view().vanishing, "full packets have arrived before"
