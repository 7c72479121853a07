"""Frames that are malformed, unexpected or too many: each ends its own connection, with a reason, and no other."""

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from p2pdist.shared.wire.channels import encode_message
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.data_messages import DataHello
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES
from p2pdist.shared.wire.frames import encode_frame
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, PieceRejected, PieceStored, Report, RepositoryChanged, Want
from p2pdist.shared.wire.pings import echo_frame
from tests.helpers.origin_endpoint import INSTANCE, frame, hello, packed, unknown_want
from tests.helpers.origin_harness import TEST_LIMITS, Lab, fetch, running_lab

BAD_FRAMES = {
    "corrupted": encode_frame(b"\xc1\xff\x00garbage", max_bytes=1_000),
    "empty": b"\0\0\0\0",
    "oversized": (MAX_CONTROL_FRAME_BYTES + 1).to_bytes(4, "big"),
    "as long as can be said": b"\xff\xff\xff\xff",
    "no tag": packed({"number": 1}),
    "no map": packed([1, 2, 3, 4]),
    "wrong type": packed({"t": "goodbye", "reason": 1}),
    "missing field": packed({"t": "goodbye"}),
    "over the cap of a field": packed({"t": "stored", "torrent": "ab" * 32, "piece": 1 << 40}),
    "no hash": packed({"t": "stored", "torrent": "../../etc/passwd", "piece": 1}),
    "deep nesting": encode_frame(b"\x91" * 10_000 + b"\xc0", max_bytes=1 << 20),
    "bytes after the end": encode_frame(encode_message(Report(patches=[], refuses="")) + b"\0", max_bytes=1_000),
    "of the other side": frame(RepositoryChanged(timestamp_version=1)),
    "plain HTTP": b"GET / HTTP/1.1\r\n\r\n",
}


def ended_inside_a_frame(logged: list) -> int:
    return sum(
        entry["event"] == "connection ended" and "stream ended inside a frame" in entry["reason"] for entry in logged
    )


class TestBadFrames:
    @pytest.mark.parametrize("name", BAD_FRAMES)
    async def test_after_the_hello(self, lab: Lab, name: str) -> None:
        control, _ = await lab.control(lab.identity())
        await control.send_raw(BAD_FRAMES[name])
        assert "malformed" in await control.closed()
        await lab.still_serves()

    @pytest.mark.parametrize("name", BAD_FRAMES)
    async def test_instead_of_the_hello(self, lab: Lab, name: str) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        await connection.send_raw(BAD_FRAMES[name])
        reason = await connection.closed()
        assert "malformed" in reason or "no hello" in reason
        await lab.still_serves()

    async def test_truncated_at_every_byte(self, lab: Lab) -> None:
        whole = frame(Report(patches=[], refuses=""))
        with capture_logs() as logged:
            for length in range(1, len(whole)):
                control, _ = await lab.control(lab.identity())
                await control.send_raw(whole[:length])
                await control.send_eof()
                await control.closed()
            await lab.still_serves()  # OpenSSL's alert is there before the reason is logged
        assert ended_inside_a_frame(logged) == len(whole) - 1

    async def test_hello_truncated_at_every_byte(self, lab: Lab) -> None:
        whole = frame(DataHello(protocol=PROTOCOL_VERSION, instance=INSTANCE, large_packets_lost=False))
        with capture_logs() as logged:
            for length in range(1, len(whole)):
                connection = await lab.connect(lab.own_context(lab.identity()))
                await connection.send_raw(whole[:length])
                await connection.send_eof()
                await connection.closed()
            await lab.still_serves()  # OpenSSL's alert is there before the reason is logged
        assert ended_inside_a_frame(logged) == len(whole) - 1

    @pytest.mark.parametrize(
        "message",
        [hello("127.0.8.9"), DataHello(protocol=PROTOCOL_VERSION, instance=INSTANCE, large_packets_lost=False)],
    )
    async def test_second_hello(self, lab: Lab, message: Message) -> None:
        control, _ = await lab.control(lab.identity())
        await control.send(message)
        assert "malformed" in await control.closed()

    async def test_other_message_before_the_hello(self, lab: Lab) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        await connection.send(unknown_want())
        assert "no hello" in await connection.closed()

    async def test_data_connection_before_the_control_connection(self, lab: Lab) -> None:
        data = await lab.data(lab.identity())
        assert "control connection" in await data.closed()

    async def test_anything_after_the_hello_of_a_data_connection(self, lab: Lab) -> None:
        endpoint = await lab.endpoint()
        await endpoint.data.send(Report(patches=[], refuses=""))
        assert "nothing follows" in await endpoint.data.closed()
        await lab.still_serves()

    @pytest.mark.parametrize("address", ["pc17", "127.0.8.999", "::g"])
    async def test_hello_with_what_is_no_address(self, lab: Lab, address: str) -> None:
        raw = await lab.connect(lab.own_context(lab.identity()))
        await raw.send(hello(address))
        assert "not an IP address" in await raw.closed()

    @pytest.mark.parametrize("bits", [b"", b"\0\0", b"\xff"])
    async def test_bitfield_that_does_not_fit_the_torrent(self, lab: Lab, bits: bytes) -> None:
        patch = await lab.publish(5)
        endpoint = await lab.endpoint()
        torrent = patch.torrent_hash
        await endpoint.control.send(Want(torrent=torrent, have=bits, lan_have=b"\0", lan_stalled=False, can_fetch=True))
        assert "bitfield" in await endpoint.control.closed()
        await lab.still_serves()

    async def test_answer_to_a_ping_that_was_never_sent(self, lab: Lab) -> None:
        control, _ = await lab.control(lab.identity())
        await control.send_raw(echo_frame(99))
        assert "never sent" in await control.closed()

    async def test_news_of_pieces_that_do_not_exist_are_ignored(self, lab: Lab) -> None:
        patch = await lab.publish(2)
        endpoint = await lab.endpoint()
        await endpoint.control.send(PieceStored(torrent=patch.torrent_hash, piece=60_000))
        await endpoint.control.send(PieceRejected(torrent=patch.torrent_hash, piece=60_000))
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 2) == [0, 1]

    async def test_flood(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            control, _ = await lab.control(lab.identity())
            await control.send_raw(frame(Report(patches=[], refuses="")) * 400)
            assert "too many messages" in await control.closed()
            await lab.still_serves()

    async def test_questions_without_end(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, limits=replace(TEST_LIMITS, max_unknown_torrents=50)) as lab:
            control, _ = await lab.control(lab.identity())
            await control.send_raw(b"".join(frame(unknown_want(f"{n:064x}")) for n in range(60)))
            assert "too many torrents" in await control.closed()
