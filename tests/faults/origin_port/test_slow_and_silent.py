"""Endpoints that say nothing, half of something, or answer no ping."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from seed_server.origin.limits import OriginLimits
from seed_server.ports.gate import MAX_UNPROVEN
from tests.helpers.origin_endpoint import Ping, frame, hello
from tests.helpers.origin_harness import SERVER_ADDRESS, TEST_LIMITS, Lab, running_lab


class TestSlowAndSilent:
    @pytest.fixture
    def limits(self) -> OriginLimits:
        return replace(TEST_LIMITS, handshake_seconds=0.2, first_frame_seconds=0.2)

    async def test_no_handshake(self, lab: Lab) -> None:
        async with await trio.open_tcp_stream(SERVER_ADDRESS, lab.port) as tcp:
            assert await tcp.receive_some() == b""
        await lab.still_serves()

    async def test_silence_keeps_no_endpoint_of_the_same_address_out(self, tmp_path: Path) -> None:
        """A stranger in a branch behind address translation is the same address as the branch."""
        async with running_lab(tmp_path, limits=TEST_LIMITS) as lab:
            identity = lab.identity()
            silent = [
                await trio.open_tcp_stream(SERVER_ADDRESS, lab.port, local_address=identity.local_address)
                for _ in range(MAX_UNPROVEN // 10 + 20)
            ]
            await lab.endpoint(identity)
            for tcp in silent:
                await trio.aclose_forcefully(tcp)

    async def test_half_a_handshake(self, lab: Lab) -> None:
        async with await trio.open_tcp_stream(SERVER_ADDRESS, lab.port) as tcp:
            await tcp.send_all(b"\x16\x03\x01\x02\x00\x01\x00")
            assert await tcp.receive_some() == b""
        await lab.still_serves()

    @pytest.mark.parametrize("sent", [0, 1, 5])
    async def test_no_whole_hello(self, lab: Lab, sent: int) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        await connection.send_raw(frame(hello("127.0.8.9"))[:sent])
        assert "no hello within" in await connection.closed()
        await lab.still_serves()

    async def test_hello_byte_by_byte_does_not_extend_the_deadline(self, lab: Lab) -> None:
        connection = await lab.connect(lab.own_context(lab.identity()))
        async with trio.open_nursery() as nursery:

            async def trickle() -> None:
                for byte in frame(hello("127.0.8.9")):
                    await connection.send_raw(bytes([byte]))
                    await trio.sleep(0.05)

            nursery.start_soon(trickle)
            assert "no hello within" in await connection.closed()
            nursery.cancel_scope.cancel()

    async def test_pings_that_are_not_answered(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, limits=replace(TEST_LIMITS, ping_seconds=0.02, idle_ping_seconds=0.02)) as lab:
            endpoint = await lab.endpoint()
            assert "no answer" in await endpoint.control.closed()

    async def test_pings_that_are_answered(self, tmp_path: Path) -> None:
        async with running_lab(
            tmp_path, limits=replace(TEST_LIMITS, ping_seconds=0.02, idle_ping_seconds=0.02, max_missed_pings=10)
        ) as lab:
            endpoint = await lab.endpoint()
            for _ in range(20):
                ping = await endpoint.control.expect(Ping)
                await endpoint.control.echo(ping)
