"""`seed_server.ports.tls_stream`: OpenSSL on a socket of its own, without waiting in it."""

import gc
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.identity.store import certificate_request, new_key
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.ports.server_tls import ServerTls
from seed_server.ports.tls_stream import TlsStream
from tests.helpers.web_harness import load

SERVER = "127.0.66.21"
MUCH = bytes(range(256)) * 8_192  # 2 MB: more than the kernel takes

Client = trio.SSLStream[trio.SocketStream]


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path, "hq", time.time())


def trusting(authority: CertificateAuthority, *, enrolled: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.control_ca_pem)
    if enrolled:
        key = new_key()
        _, certificates = authority.issue_endpoint_certificates(certificate_request(key), time.time())
        load(context, certificates.control_certificate, key)
    return context


@asynccontextmanager
async def pair(authority: CertificateAuthority, *, enrolled: bool = True) -> AsyncIterator[tuple[TlsStream, Client]]:
    """Yield both ends, before the handshake."""
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate([SERVER], time.time()))
    (listener,) = await trio.open_tcp_listeners(0, host=SERVER)
    async with listener:
        tcp = await trio.open_tcp_stream(SERVER, listener.socket.getsockname()[1])
        near = trio.SSLStream(
            tcp, trusting(authority, enrolled=enrolled), server_hostname=SERVER, https_compatible=True
        )
        accepted = await listener.accept()
        far = TlsStream(socket.socket(fileno=accepted.socket.detach()), tls.origin)
        try:
            yield far, near
        finally:
            far.close()
            await trio.aclose_forcefully(near)


@asynccontextmanager
async def connected(authority: CertificateAuthority) -> AsyncIterator[tuple[TlsStream, Client]]:
    async with pair(authority) as (far, near):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.do_handshake)
            await far.do_handshake()
        yield far, near


async def test_much_arrives_in_both_directions_at_the_same_time(authority: CertificateAuthority) -> None:
    async with connected(authority) as (far, near), trio.open_nursery() as nursery:
        nursery.start_soon(near.send_all, MUCH)
        nursery.start_soon(far.send_all, MUCH)
        there, here = bytearray(), bytearray()
        while len(there) < len(MUCH) or len(here) < len(MUCH):
            if len(there) < len(MUCH):
                there += await far.receive_some(65_536)
            if len(here) < len(MUCH):
                here += await near.receive_some(65_536)
        assert (bytes(there), bytes(here)) == (MUCH, MUCH)


async def test_who_shows_no_certificate_is_refused(authority: CertificateAuthority) -> None:
    async with pair(authority, enrolled=False) as (far, near), trio.open_nursery() as nursery:
        nursery.start_soon(near.do_handshake)
        with pytest.raises(trio.BrokenResourceError, match="(?i)certificate"):
            await far.do_handshake()


async def test_who_says_no_tls_is_refused(authority: CertificateAuthority) -> None:
    async with pair(authority) as (far, near):
        await near.transport_stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await far.do_handshake()


async def test_who_is_gone_before_the_handshake_is_refused(authority: CertificateAuthority) -> None:
    async with pair(authority) as (far, near):
        near.transport_stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        await trio.aclose_forcefully(near)
        with pytest.raises(trio.BrokenResourceError):
            await far.do_handshake()


@pytest.mark.parametrize("politely", [True, False])
async def test_the_end_is_empty(authority: CertificateAuthority, *, politely: bool) -> None:
    async with connected(authority) as (far, near):
        await near.send_all(b"last")
        if politely:
            await near.aclose()
        else:
            await trio.aclose_forcefully(near)
        assert await far.receive_some(100) == b"last"
        assert await far.receive_some(100) == b""


async def test_what_was_said_last_arrives_though_nobody_listens_any_more(authority: CertificateAuthority) -> None:
    async with connected(authority) as (far, near), trio.open_nursery() as nursery:
        await near.send_all(MUCH[:50_000])  # which the other end never reads
        await far.send_all(b"goodbye")
        nursery.start_soon(far.drain)
        assert await near.receive_some(100) == b"goodbye"
        assert await near.receive_some(100) == b"", "no reset"
        await trio.aclose_forcefully(near)


async def test_who_is_ended_in_the_handshake_is_told_so(authority: CertificateAuthority) -> None:
    async with pair(authority) as (far, _), trio.open_nursery() as nursery:

        async def shake_hands() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await far.do_handshake()

        nursery.start_soon(shake_hands)
        await trio.testing.wait_all_tasks_blocked()
        far.end()


async def test_of_who_is_ended_nothing_is_read_that_came_without_tls(authority: CertificateAuthority) -> None:
    async with connected(authority) as (far, near):
        await near.transport_stream.send_all(b"no TLS at all")
        await trio.sleep(0.05)
        far.end()
        with pytest.raises(trio.BrokenResourceError):
            await far.receive_some(100)


async def test_who_waits_is_told_that_it_was_closed(authority: CertificateAuthority) -> None:
    async with connected(authority) as (far, _), trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await far.receive_some(100)

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        far.close()
        far.close()


async def test_who_has_much_to_say_holds_up_nobody(authority: CertificateAuthority) -> None:
    async with connected(authority) as (far, near), trio.open_nursery() as nursery:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(others)
        await near.send_all(b"x" * 20)
        for done in range(20):
            await far.receive_some(1)  # is there already, but for the first
            await far.send_all(b"y")
            assert turns >= done
        nursery.cancel_scope.cancel()


async def test_an_idle_connection_keeps_no_error(authority: CertificateAuthority) -> None:
    async with connected(authority) as (far, _), trio.open_nursery() as nursery:
        nursery.start_soon(far.receive_some, 100)
        await trio.testing.wait_all_tasks_blocked()
        assert not [kept for kept in gc.get_objects() if isinstance(kept, ssl.SSLWantReadError)]
        nursery.cancel_scope.cancel()
