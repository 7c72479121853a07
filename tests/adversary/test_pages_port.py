"""The pages' port, over TLS: streams that are cut, and requests of which a browser would make none."""

import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from seed_server.web.api.events import MAX_LISTENERS
from seed_server.web.frame.live import MAX_WATCHERS
from seed_server.web.frame.signed_in import SESSION_COOKIE
from seed_server.web.host import WebLimits, serve_web
from tests.helpers.pages_client import Site, pages_of
from tests.helpers.rollout_company import ADA, OTHERS, Company, company_at, published_home

ADDRESS = "127.0.74.2"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection
AT_ONCE = trio.CapacityLimiter(API_CONNECTIONS.unproven_per_address // 2)  # more are not let in before they have asked

pytestmark = pytest.mark.trio


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[tuple[Site, Company, int, ssl.SSLContext]]:
    """Give the pages at a port, and what trusts it."""
    company = company_at(published_home(tmp_path), tmp_path / "company")
    clock = SystemClock()
    authority = CertificateAuthority.create(tmp_path / "ca", "hq", clock.now())  # the company is of another year
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate([ADDRESS], clock.now()))
    tls.web.verify_mode = ssl.CERT_NONE
    trust = ssl.create_default_context(cadata=authority.control_ca_pem)
    (sock,) = listen_sockets([ADDRESS], 0, purpose="API")
    limits = WebLimits(connections=API_CONNECTIONS, connection_seconds=API_CONNECTION_SECONDS)
    async with pages_of(company.context) as site, trio.open_nursery() as nursery:
        serve: Any = partial(serve_web, site.app, [sock], tls.web, clock, limits=limits)
        await nursery.start(serve)
        yield site, company, sock.getsockname()[1], trust
        nursery.cancel_scope.cancel()
    with contextlib.closing(sock):
        company.database.close()


async def connected(port: int, trust: ssl.SSLContext) -> "trio.SSLStream[trio.SocketStream]":
    tcp = await trio.open_tcp_stream(ADDRESS, port)
    return trio.SSLStream(tcp, trust, server_hostname=ADDRESS, https_compatible=True)


async def cut_stream(port: int, trust: ssl.SSLContext, began: trio.Event, *, reset: bool) -> None:
    async with AT_ONCE:
        stream = await connected(port, trust)
        await stream.send_all(f"GET /live HTTP/1.1\r\nHost: x\r\nCookie: {SESSION_COOKIE}=eve\r\n\r\n".encode())
        got = b""
        while b"retry: " not in got:
            more = bytes(await stream.receive_some())
            assert more, got
            got += more
        assert got.startswith(b"HTTP/1.1 200")
    await began.wait()
    tcp = stream.transport_stream
    if reset:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    tcp.socket.close()


def change(company: Company) -> None:
    deny(company.context, ADA, OTHERS[0])
    allow(company.context, ADA, OTHERS[0])


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def test_pages_that_are_open_and_cut_leave_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (site, company, port, trust):
        site.browser("eve", "viewer")
        before = tasks()
        with trio.fail_after(100):
            began = trio.Event()
            async with trio.open_nursery() as clients:
                for number in range(MAX_WATCHERS):
                    clients.start_soon(partial(cut_stream, port, trust, began, reset=number % 2 == 0))
                while site.feed.watchers < MAX_WATCHERS:  # noqa: ASYNC110 - it tells nobody
                    await trio.sleep(0.02)
                began.set()
            while site.feed.listeners:  # what is told to nobody is noticed when it is told
                await trio.to_thread.run_sync(change, company)
                await trio.sleep(0.1)
            while tasks() > before:  # noqa: ASYNC110 - as above
                await trio.sleep(0.02)
        assert site.feed.listeners == site.feed.watchers == 0


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET //evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /static/..%2fpage.py HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /help HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 2_000 + b"\r\n\r\n", b"303"),
        (b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"POST /help HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", b"405"),
        (b"HEAD /help HTTP/1.1\r\nHost: x\r\n\r\n", b"303"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    ],
)
async def test_what_no_browser_sends_is_answered_and_leads_nowhere(
    tmp_path: Path, request_head: bytes, status: bytes
) -> None:  # fmt: skip
    async with served(tmp_path) as (_, _, port, trust):
        with trio.fail_after(20):
            stream = await connected(port, trust)
            await stream.send_all(request_head)
            got = bytes(await stream.receive_some())
            await trio.aclose_forcefully(stream)
    assert got.split(b" ")[1] == status, got
    assert b"Location: //" not in got
    assert b"root:" not in got


async def test_connections_are_enough_for_pages_and_programs_that_listen() -> None:
    assert API_CONNECTIONS.connections > MAX_LISTENERS + MAX_WATCHERS
    assert API_CONNECTIONS.per_address > MAX_LISTENERS + MAX_WATCHERS
