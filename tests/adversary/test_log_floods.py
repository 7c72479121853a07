"""Strangers who knock without end: the log says so, and does not grow with them."""

import ipaddress
import socket
from typing import Any, cast

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from p2pdist.neighbours.known_peer import Announcement
from p2pdist.neighbours.service import Neighbours
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.log_limit import LOG_LINE_SECONDS, MAX_LOG_SOURCES
from p2pdist.transfer.torrent_engine import PeerRefused
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

OWN = Announcement(EndpointId("a" * 26), "127.0.68.30", 7691, "0" * 16, "")
ROGUE = "127.0.68.31"
CALLERS = 10_000
KNOCKS = 200  # real ones, quick enough for every run
HANDFUL = 5
MINUTE_BYTES = 60 * 10_000  # what may be written in a minute under a flood
LINE_BYTES = 200


def neighbours() -> Neighbours:
    return Neighbours(cast("Any", None), None, lambda: OWN)


def refused(address: str, reason: PeerReason = PeerReason.TLS_FAILED) -> PeerRefused:
    return PeerRefused(None, address, 50_000, reason)


async def test_one_caller_writes_a_line_a_minute_which_counts_the_rest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    victim = neighbours()
    with capture_logs() as logged:
        for number in range(CALLERS):
            victim.engine_event(refused(ROGUE, (PeerReason.TLS_FAILED, PeerReason.CERTIFICATE_REFUSED)[number % 2]))
        await trio.sleep(LOG_LINE_SECONDS)
        victim.engine_event(refused(ROGUE))
    assert len(logged) <= HANDFUL
    assert all(line["address"] == ROGUE for line in logged)
    assert logged[-1]["left_out"] == CALLERS // 2 - 1


@pytest.mark.parametrize("network", ["10.68.0.0/16", "2001:db8::/64"])
async def test_callers_from_everywhere_write_no_more_than_the_log_can_bear(
    autojump_clock: trio.testing.MockClock, network: str
) -> None:
    victim, first = neighbours(), ipaddress.ip_network(network)[1]
    with capture_logs() as logged:
        for number in range(CALLERS):
            victim.engine_event(refused(str(first + number)))
    assert 1 < len(logged) <= MAX_LOG_SOURCES + HANDFUL
    assert len(logged) * LINE_BYTES < MINUTE_BYTES


async def test_real_callers_at_a_real_port(open_endpoint: Any) -> None:
    def knock(address: str, port: int) -> None:
        for _ in range(KNOCKS):
            with socket.create_connection((address, port), source_address=(ROGUE, 0)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")

    victim, heard = neighbours(), 0
    with capture_logs() as logged:
        async with open_endpoint() as endpoint:
            await trio.to_thread.run_sync(knock, endpoint.address, endpoint.engine.listen_port)
            with trio.move_on_after(1.0):
                async for event in endpoint.engine.events:
                    heard += isinstance(event, PeerRefused)
                    victim.engine_event(event)
    assert heard > HANDFUL
    assert 1 <= sum(line["event"] == "a caller was refused" for line in logged) <= HANDFUL
