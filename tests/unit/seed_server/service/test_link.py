"""`seed_server.service.link`: what becomes of messages when the other part ends, comes back, or goes wrong."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from p2pdist.shared.channel import QUEUED_MESSAGES, ChannelEndedError, UnexpectedMessageError
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.frames import FrameDecoder, encode_frame
from seed_server.service.link import PartLink
from seed_server.service.messages import (
    MAX_LINK_MESSAGE_BYTES,
    FromOriginPart,
    Handshake,
    LinkMessage,
    NoTurn,
    Turn,
    WantTurn,
    decode_from_origin_part,
    decode_from_web_part,
)

ADDRESS = "10.0.0.1"


async def nothing(message: LinkMessage) -> None:
    raise AssertionError(message)


def question(call: int) -> WantTurn:
    return WantTurn(call, ADDRESS, "a" * 26, 0, None, 1)


async def said(sock: socket.socket) -> list[LinkMessage]:
    """Return what has been said on this end."""
    await trio.testing.wait_all_tasks_blocked()
    sock.setblocking(False)
    bodies = FrameDecoder(max_bytes=MAX_LINK_MESSAGE_BYTES).feed(sock.recv(1 << 20))
    return [decode_from_web_part(body) for body in bodies]


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[PartLink[FromOriginPart], socket.socket]]:
    """Yield a link that is connected, and the other end of its connection."""
    connect, connections = trio.open_memory_channel[socket.socket](1)
    link = PartLink[FromOriginPart](decode_from_origin_part)
    ours, theirs = socket.socketpair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run, connections, nothing)
        connect.send_nowait(ours)
        await trio.testing.wait_all_tasks_blocked()
        yield link, theirs
        nursery.cancel_scope.cancel()
    theirs.close()


async def test_each_new_connection_begins_with_what_the_other_part_needs() -> None:
    connect, connections = trio.open_memory_channel[socket.socket](2)
    ended: list[str] = []
    link = PartLink[FromOriginPart](
        decode_from_origin_part,
        at_each_start=lambda: link.tell(Handshake("10.9.9.9")),
        at_each_end=lambda: ended.append("ended"),
    )
    link.tell(Handshake(ADDRESS))  # nobody is there: it is dropped
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run, connections, nothing)
        for life in (1, 2):
            ours, theirs = socket.socketpair()
            connect.send_nowait(ours)
            await trio.testing.wait_all_tasks_blocked()
            link.tell(Handshake(ADDRESS))
            assert await said(theirs) == [Handshake("10.9.9.9"), Handshake(ADDRESS)]
            theirs.close()
            await trio.testing.wait_all_tasks_blocked()
            assert len(ended) == life
        nursery.cancel_scope.cancel()


async def test_a_question_fails_when_the_other_part_is_gone_and_when_it_goes() -> None:
    connect, connections = trio.open_memory_channel[socket.socket](1)
    link = PartLink[FromOriginPart](decode_from_origin_part)
    with pytest.raises(ChannelEndedError):
        await link.ask(question, abandon=NoTurn)
    ours, theirs = socket.socketpair()

    async def ask() -> None:
        with pytest.raises(ChannelEndedError):
            await link.ask(question, abandon=NoTurn)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run, connections, nothing)
        connect.send_nowait(ours)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask)
        assert await said(theirs) == [question(1)]
        theirs.close()


async def test_a_question_that_nobody_waits_for_is_taken_back() -> None:
    async with linked() as (link, theirs):
        with trio.move_on_after(0.01):
            await link.ask(question, abandon=NoTurn)
        assert await said(theirs) == [question(1), NoTurn(1)]


async def test_an_other_part_that_reads_nothing_costs_no_memory_and_ends_nothing() -> None:
    async with linked() as (link, _theirs):
        for _ in range(2 * QUEUED_MESSAGES):
            link.tell(Handshake(ADDRESS))
        with pytest.raises(ChannelEndedError, match="reads nothing"):
            await link.ask(question, abandon=NoTurn)


@pytest.mark.parametrize("message", [Handshake(ADDRESS), Turn(1, 0, 1)])
async def test_what_is_no_message_of_the_other_part_ends_this_one(message: LinkMessage) -> None:
    """Its parent starts it again, and both have a new connection."""
    connect, connections = trio.open_memory_channel[socket.socket](1)
    link = PartLink[FromOriginPart](decode_from_origin_part)
    ours, theirs = socket.socketpair()
    body = codec.encode(message)
    theirs.sendall(encode_frame(body if isinstance(message, Handshake) else body[:-1], max_bytes=1 << 10))
    connect.send_nowait(ours)
    with pytest.raises(UnexpectedMessageError):
        await link.run(connections, nothing)
    theirs.close()
