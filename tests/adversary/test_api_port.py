"""The API's port: streams that are cut, and what strangers do; most of that is as at the web port."""

import contextlib
import socket
import ssl
import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from p2pdist.shared.clock import SystemClock
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.fleet.endpoint_operations import allow, deny
from seed_server.ports.listening import listen_sockets
from seed_server.ports.server_tls import ServerTls
from seed_server.service.api_part import API_CONNECTION_SECONDS, API_CONNECTIONS
from seed_server.web.api.events import LIFE_SECONDS, MAX_LISTENERS
from seed_server.web.host import WebLimits, serve_web
from tests.helpers.api_client import api_of
from tests.helpers.rollout_company import ADA, OTHERS, Company, company_at, published_home

ADDRESS = "127.0.74.1"
STREAMS = 1_000
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


AT_ONCE = trio.CapacityLimiter(API_CONNECTIONS.unproven_per_address // 2)  # more are not let in without a token


async def cut_stream(port: int, trust: ssl.SSLContext, token: str, began: trio.Event, *, reset: bool) -> None:
    """Open a stream of events, and end it without a word once ``began`` is set."""
    async with AT_ONCE:
        tcp = await trio.open_tcp_stream(ADDRESS, port)
        stream = trio.SSLStream(tcp, trust, server_hostname=ADDRESS, https_compatible=True)
        head = f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        await stream.send_all(head.encode())
        got = b""
        while b"retry: " not in got:
            more = bytes(await stream.receive_some())
            assert more, got
            got += more
        assert got.startswith(b"HTTP/1.1 200")
    await began.wait()
    if reset:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    tcp.socket.close()


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def change(company: Company) -> None:
    deny(company.context, ADA, OTHERS[0])
    allow(company.context, ADA, OTHERS[0])


@pytest.mark.slow
@pytest.mark.trio
async def test_a_thousand_streams_that_are_cut_leave_nothing(tmp_path: Path) -> None:
    company = company_at(published_home(tmp_path), tmp_path / "company")
    clock = SystemClock()
    authority = CertificateAuthority.create(tmp_path / "ca", "hq", clock.now())  # the company is of another year
    certificate = authority.issue_server_certificate([ADDRESS], clock.now())
    tls = ServerTls(authority.control_ca_pem, certificate)
    tls.web.verify_mode = ssl.CERT_NONE
    trust = ssl.create_default_context(cadata=authority.control_ca_pem)
    (sock,) = listen_sockets([ADDRESS], 0, purpose="API")
    limits = WebLimits(connections=API_CONNECTIONS, connection_seconds=API_CONNECTION_SECONDS)
    async with api_of(company.context) as api, trio.open_nursery() as nursery:
        token = api.token("eve", "viewer")
        serve: Any = partial(serve_web, api.app, [sock], tls.web, clock, limits=limits)
        await nursery.start(serve)
        before = tasks()
        for _ in range(STREAMS // MAX_LISTENERS):
            with trio.fail_after(60):
                began = trio.Event()
                async with trio.open_nursery() as clients:
                    for number in range(MAX_LISTENERS):
                        cut = partial(cut_stream, sock.getsockname()[1], trust, token, began, reset=number % 2 == 0)
                        clients.start_soon(cut)
                    while api.feed.listeners < MAX_LISTENERS:  # noqa: ASYNC110 - it tells nobody
                        await trio.sleep(0.02)
                    began.set()
                while api.feed.listeners:  # what is told to nobody is noticed when it is told
                    await trio.to_thread.run_sync(change, company)
                    await trio.sleep(0.1)
                while tasks() > before:  # noqa: ASYNC110 - as above
                    await trio.sleep(0.02)
        assert api.feed.listeners == 0
        assert tasks() == before
        nursery.cancel_scope.cancel()
    with contextlib.closing(sock):
        company.database.close()


def test_a_stream_ends_before_its_connection_does() -> None:
    assert API_CONNECTION_SECONDS > LIFE_SECONDS
    assert API_CONNECTIONS.per_address > MAX_LISTENERS
