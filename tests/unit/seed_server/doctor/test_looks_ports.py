"""What is seen of the server's ports, by real connections."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.named_memory import named_memory
from p2pdist.shared.server_address import ServerAddress
from seed_server.doctor.looks_ports import (
    LookSeconds,
    look_at_api,
    look_at_listed,
    look_at_port,
    look_at_provider,
    shown,
)
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import OidcGroup, OidcSettings
from seed_server.settings.server_toml import ServerSettings
from tests.helpers.certificates import Authority

SHORT = LookSeconds(connect=1.0, handshake=0.2, provider=1.0)
SETTINGS = ServerSettings(name="hq", address="127.0.0.1")


@pytest.fixture
def authority(home: ServerHome) -> CertificateAuthority:
    return CertificateAuthority.open(home.ca)


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


async def seen(port: int, authority: CertificateAuthority, name: str = "127.0.0.1") -> tuple[str, bool]:
    settings = ServerSettings(name="hq", address=name, listen_address="127.0.0.1")
    found = await look_at_port(settings, port, authority.control_ca_pem, SHORT)
    return found.state, found.names_server


async def test_this_server_with_its_certificate(authority: CertificateAuthority) -> None:
    made = authority.issue_server_certificate(["127.0.0.1"], SystemClock().now())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with named_memory(made.certificate_pem + made.key_pem) as chain:
        context.load_cert_chain(chain)

    async def answer(tcp: trio.SocketStream) -> None:
        stream = trio.SSLStream(tcp, context, server_side=True)
        await stream.do_handshake()
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        port = listener.socket.getsockname()[1]
        assert await seen(port, authority) == ("ours", True)
        assert await seen(port, authority, "patches.example.com") == ("ours", False)
        with listening() as silent:
            told = [ServerAddress(host, port, silent.getsockname()[1]) for host in ("127.0.0.1", "localhost")]
            listed = await look_at_listed(told, authority.control_ca_pem, SHORT)
        assert [[(one.state, one.names_server) for one in address.ports] for address in listed] == [
            [("ours", True), ("silent", True)],
            [("ours", False), ("silent", True)],
        ]
        nursery.cancel_scope.cancel()


async def test_nobody_listens_one_says_nothing_and_one_speaks_another_language(
    authority: CertificateAuthority,
) -> None:
    with listening() as listener:
        assert (await seen(listener.getsockname()[1], authority))[0] == "silent"
        port = listener.getsockname()[1]
    assert (await seen(port, authority))[0] == "refused"

    async def greet(tcp: trio.SocketStream) -> None:
        await tcp.send_all(b"SSH-2.0-x\r\n")

    async with trio.open_nursery() as nursery:
        (other,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, greet, [other])
        assert (await seen(other.socket.getsockname()[1], authority))[0] == "foreign"
        nursery.cancel_scope.cancel()


def test_the_certificate_of_another_authority_is_not_ours(authority: CertificateAuthority, home: ServerHome) -> None:
    now = SystemClock().now()
    (home.root / "other").mkdir()
    other = CertificateAuthority.create(home.root / "other", "other", now)

    def der(of: CertificateAuthority) -> bytes:
        pem = of.issue_server_certificate(["127.0.0.1"], now).certificate_pem
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)

    assert shown("here", der(other), "127.0.0.1", authority.control_ca_pem).state == "foreign"
    assert shown("here", b"x", "127.0.0.1", authority.control_ca_pem).state == "foreign"
    ours = shown("here", der(authority), "127.0.0.1", authority.control_ca_pem)
    assert ours.state == "ours"
    assert datetime.fromtimestamp(ours.not_after, UTC) > datetime.fromtimestamp(now, UTC)


async def test_the_way_to_the_provider_leads_by_the_proxy_that_the_environment_names() -> None:
    with listening() as listener:
        open_port = listener.getsockname()[1]
        with closing(socket.create_server(("127.0.0.1", 0))) as gone:
            closed_port = gone.getsockname()[1]
        settings = ServerSettings(
            name="hq",
            address="127.0.0.1",
            oidc=OidcSettings(f"https://127.0.0.1:{open_port}", "id", (OidcGroup("it", ("administrator",)),)),
        )
        direct = await look_at_provider(settings, {}, SHORT)
        assert direct is not None
        assert (direct.reached, direct.by_proxy) == (True, False)
        by_proxy = await look_at_provider(settings, {"HTTPS_PROXY": f"http://127.0.0.1:{closed_port}"}, SHORT)
        assert by_proxy is not None
        assert (by_proxy.reached, by_proxy.by_proxy) == (False, True)
        around = {"https_proxy": f"127.0.0.1:{closed_port}", "no_proxy": "example.com, 127.0.0.1"}
        excepted = await look_at_provider(settings, around, SHORT)
        assert excepted is not None
        assert excepted.reached
    assert await look_at_provider(SETTINGS, {}, SHORT) is None


async def test_the_pages_port_shows_the_companys_own_certificate(authority: CertificateAuthority) -> None:
    company = Authority("Example Company")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = company.leaf(key.public_key(), "patches.example.com").encode()
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with named_memory(pem + key_pem) as chain:
        context.load_cert_chain(chain)

    async def answer(tcp: trio.SocketStream) -> None:
        await trio.SSLStream(tcp, context, server_side=True).do_handshake()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        settings = ServerSettings(name="hq", address="patches.example.com", api_port=listener.socket.getsockname()[1])
        states = [
            (await look_at_api(settings, authority.control_ca_pem, own, SHORT)).state for own in (der, b"", der[:-1])
        ]
        nursery.cancel_scope.cancel()
    assert states == ["ours", "foreign", "foreign"]
