"""`p2pdist.identity.server_change`: another address is believed where the company's server answers, at both ports."""

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import trio

from p2pdist.identity import store as identity_store
from p2pdist.identity.last_server import load_last_server, save_last_server
from p2pdist.identity.server_change import checked_address, own_address, store_address
from p2pdist.identity.server_check import check_answers
from p2pdist.identity.store import Identity
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import catalog_of
from p2pdist.shared.server_address import ServerAddress
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.ports.server_tls import ServerTls

OLD, NEW = "127.0.83.1", "127.0.83.2"


@dataclass
class Company:
    authority: CertificateAuthority
    identity: Identity


@pytest.fixture
def company(tmp_path: Path) -> Company:
    now = time.time()
    (tmp_path / "ca").mkdir(mode=0o700)
    authority = CertificateAuthority.create(tmp_path / "ca", "hq", now)
    key = identity_store.load_or_create_key(tmp_path / "pc")
    endpoint_id, made = authority.issue_endpoint_certificates(identity_store.certificate_request(key), now)
    identity = Identity(
        home=tmp_path / "pc",
        endpoint_id=endpoint_id,
        server_address=OLD,
        web_port=8443,
        origin_port=7690,
        server_name="hq",
        control_certificate=made.control_certificate,
        swarm_certificate=made.swarm_certificate,
        control_ca=made.control_ca,
        swarm_ca=made.swarm_ca,
        key=key,
        tuf_root=b"root",
        not_before=now,
        not_after=now + 60,
    )
    identity_store.save_identity(identity)
    return Company(authority, identity_store.load_identity(tmp_path / "pc"))


async def answer(stream: trio.SSLStream[trio.SocketStream]) -> None:
    try:
        await stream.receive_some(4_096)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await stream.aclose()
    except (trio.BrokenResourceError, ssl.SSLError):
        pass


@asynccontextmanager
async def serving(authority: CertificateAuthority, names: list[str], at: str = NEW) -> AsyncIterator[ServerAddress]:
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate(names, time.time()))
    async with trio.open_nursery() as nursery:
        ports = []
        for context in (tls.web, tls.origin):
            serve = partial(trio.serve_ssl_over_tcp, host=at, https_compatible=True)
            listeners = await nursery.start(serve, answer, 0, context)
            ports.append(listeners[0].transport_listener.socket.getsockname()[1])
        yield ServerAddress(at, ports[0], ports[1])
        nursery.cancel_scope.cancel()


async def refusal(identity: Identity, address: ServerAddress) -> UserError:
    with pytest.raises(UserError) as caught:
        await check_answers(identity, address, None)
    assert "Nothing was changed" in caught.value.message
    return caught.value


async def test_key_id_and_everything_else_stay(company: Company) -> None:
    last = EndpointHome(company.identity.home).last_server
    save_last_server(last, own_address(company.identity))
    async with serving(company.authority, [OLD, NEW]) as there:
        await check_answers(company.identity, there, None)
        changed = store_address(company.identity, there)
    assert own_address(changed) == there
    assert load_last_server(last) == there, "it is tried first after a restart, although the other one worked last"
    assert identity_store.load_identity(company.identity.home) == changed
    assert replace(changed, server_address=OLD, web_port=8443, origin_port=7690) == company.identity


async def test_somebody_else_s_server_is_not_followed(company: Company, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    other = CertificateAuthority.create(tmp_path / "other", "hq", time.time())
    async with serving(other, [NEW]) as there:
        error = await refusal(company.identity, there)
    assert error.kind is FaultKind.REFUSED
    assert "another authority" in error.message


async def test_a_server_whose_certificate_does_not_name_the_address_is_not_followed(company: Company) -> None:
    async with serving(company.authority, [OLD]) as there:
        error = await refusal(company.identity, there)
    assert error.kind is FaultKind.REFUSED
    assert "is for another address" in error.message


async def test_another_pc_of_the_company_is_no_server(company: Company) -> None:
    """Its certificate is of the same authority, and names its id alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = company.identity.home / "chain.pem"
    chain.write_text(company.identity.control_certificate + company.identity.key)
    context.load_cert_chain(chain)
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, host=NEW)
        listeners = await nursery.start(serve, answer, 0, context)
        port = listeners[0].transport_listener.socket.getsockname()[1]
        error = await refusal(company.identity, ServerAddress(NEW, port, 7690))
        nursery.cancel_scope.cancel()
    assert error.kind is FaultKind.REFUSED


async def test_both_ports_have_to_answer(company: Company) -> None:
    async with serving(company.authority, [NEW]) as there:
        error = await refusal(company.identity, ServerAddress(there.host, there.web_port, 1))
        assert error.kind is FaultKind.UNREACHABLE
        assert f"At {NEW}, port 1 (origin) cannot be reached: Connection refused. " in error.message
        assert translated(error).startswith(f"{NEW} のポート 1")
        error = await refusal(company.identity, ServerAddress(there.host, 1, there.origin_port))
        assert error.kind is FaultKind.UNREACHABLE
    async with serving(company.authority, [NEW]) as there, trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, hang_up, 0, host=NEW))
        error = await refusal(company.identity, there_but(there, listener))
        assert error.kind is FaultKind.REFUSED
        assert "does not speak as this PC's seed server: " in error.message
        assert "シードサーバーとして応答しません" in translated(error)
        nursery.cancel_scope.cancel()


def there_but(there: ServerAddress, listener: trio.SocketListener) -> ServerAddress:
    """Return the address with the port of ``listener`` for its origin."""
    return ServerAddress(there.host, there.web_port, listener.socket.getsockname()[1])


async def hang_up(stream: trio.SocketStream) -> None:
    await stream.aclose()


def translated(error: UserError) -> str:
    """Return the error in Japanese; of its sentences, the last one is every error's."""
    catalog = catalog_of("ja")
    assert catalog is not None
    said = catalog.finished(error.message)
    assert "何も変更していません" in said
    return said


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(UserError, match="neither an IP address nor a host name") as caught:
        checked_address(ServerAddress("https://hq", 1, 2))
    assert caught.value.kind is FaultKind.BAD_INPUT
