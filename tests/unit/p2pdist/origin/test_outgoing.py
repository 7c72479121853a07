"""`p2pdist.origin.outgoing`: the server hears things in the order in which they were said."""

from typing import Any, cast

import pytest
import trio

from p2pdist.origin.outgoing import Outgoing
from p2pdist.shared.wire import channels
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES
from p2pdist.shared.wire.frames import FrameDecoder
from p2pdist.shared.wire.messages import FromEndpoint, Holdings, PieceStored, Report, Want
from p2pdist.shared.wire.witness import ConsistencyWanted

TORRENT = "11" * 32
STREAM, OTHER = cast("Any", object()), cast("Any", object())
EARLIER = Want(torrent=TORRENT, have=b"\0", lan_have=b"\0", lan_stalled=False, can_fetch=True)
SAID: list[FromEndpoint] = [
    EARLIER,
    PieceStored(torrent=TORRENT, piece=0),
    Holdings(torrents=bytes(8)),
    Report(patches=[], refuses=""),
    EARLIER,
]


class Sent:
    """What has been sent, in parts, and on which connection."""

    def __init__(self) -> None:
        self.parts: list[list[FromEndpoint]] = []
        self.streams: list[Any] = []

    async def send(self, stream: Any, frames: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.streams.append(stream)
        decoder = FrameDecoder(max_bytes=MAX_CONTROL_FRAME_BYTES)
        self.parts.append([cast("Any", channels.decode_from_endpoint(body)) for body in decoder.feed(frames)])

    @property
    def said(self) -> list[FromEndpoint]:
        return [message for part in self.parts for message in part]


@pytest.mark.parametrize("first", [1, -1])
async def test_messages_leave_in_the_order_in_which_they_were_put(first: int, autojump_clock: object) -> None:
    sent = Sent()
    outgoing = Outgoing(sent.send)
    outgoing.use(STREAM)
    async with trio.open_nursery() as nursery:
        for leave in [outgoing.put(message) for message in SAID][::first]:
            nursery.start_soon(leave)
    assert sent.said == SAID


async def test_what_is_here_and_the_report_of_it_leave_together(autojump_clock: object) -> None:
    sent = Sent()
    outgoing = Outgoing(sent.send)
    outgoing.use(STREAM)
    async with trio.open_nursery() as nursery:
        for message in SAID[2:4]:
            nursery.start_soon(outgoing.put(message))
    assert sent.parts == [SAID[2:4]]


async def test_a_question_about_the_log_leaves_with_what_is_wanted(autojump_clock: object) -> None:
    sent = Sent()
    outgoing = Outgoing(sent.send)
    outgoing.use(STREAM)
    question = ConsistencyWanted(3, 7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outgoing.put(question))
        await trio.sleep(0.001)
        nursery.start_soon(outgoing.put(EARLIER))
    assert sent.parts == [[question, EARLIER]]


async def test_what_has_not_left_ends_with_its_connection(autojump_clock: object) -> None:
    sent = Sent()
    outgoing = Outgoing(sent.send)
    await outgoing.put(EARLIER)()
    outgoing.use(STREAM)
    before = outgoing.put(SAID[2])
    outgoing.use(OTHER)
    await before()
    assert not sent.parts
    await outgoing.put(SAID[1])()
    assert (sent.said, sent.streams) == ([SAID[1]], [OTHER])
