"""Whoever has no certificate of the swarm's CA gets no payload byte on the LAN, whatever it speaks."""

import datetime
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

import libtorrent as lt
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from p2pdist.transfer.torrent_engine import PeerRefused
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason
from p2pdist.transfer.torrent_engine.settings import DH_PARAMETERS_PEM
from tests.helpers.pki import Leaf, TestCA
from tests.helpers.swarm_endpoints import Endpoint, Payload

MIB = 1 << 20
ROGUE_ADDRESS = "127.0.1.240"
ROGUE_SECONDS = 1.5  # the engine answers in milliseconds; a refused rogue has nothing to wait for


def self_signed() -> Leaf:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "*")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Leaf(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


CERTIFICATES: dict[str, Callable[[], Leaf | None]] = {
    "no certificate": lambda: None,
    "self-signed": self_signed,
    "foreign CA": lambda: TestCA("swarm CA").issue("*"),  # the same name, another key
}


def bittorrent_request(payload: Payload) -> bytes:
    """A BitTorrent handshake, "interested", and a request for the first block (BEP 3)."""
    handshake = (
        b"\x13BitTorrent protocol"
        + bytes(7)
        + b"\x10"
        + bytes.fromhex(payload.torrent_hash)[:20]
        + b"-XX0000-abcdefghijkl"
    )
    interested = b"\x00\x00\x00\x01\x02"
    request = b"\x00\x00\x00\x0d\x06" + bytes(8) + (16_384).to_bytes(4, "big")
    return handshake + interested + request


def ask_over_socket(connection: socket.socket, request: bytes) -> bytes:
    """Send the request and return all that comes back until the other side closes."""
    received = b""
    connection.settimeout(ROGUE_SECONDS)
    try:
        connection.sendall(request)
        while chunk := connection.recv(65_536):
            received += chunk
    except OSError:  # ssl.SSLError and a timeout are OSErrors
        pass
    return received


def ask_over_tls(endpoint: Endpoint, payload: Payload, leaf: Leaf | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if leaf is not None:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(leaf.certificate + leaf.key)
            file.flush()
            context.load_cert_chain(file.name)
    with socket.create_connection(
        (endpoint.address, endpoint.engine.listen_port), timeout=ROGUE_SECONDS, source_address=(ROGUE_ADDRESS, 0)
    ) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=payload.torrent_hash[:40]) as connection:
                return ask_over_socket(connection, bittorrent_request(payload))
        except OSError:
            return b""


def ask_in_plain_text(endpoint: Endpoint, payload: Payload, _leaf: Leaf | None) -> bytes:
    with socket.create_connection(
        (endpoint.address, endpoint.engine.listen_port), timeout=ROGUE_SECONDS, source_address=(ROGUE_ADDRESS, 0)
    ) as connection:
        return ask_over_socket(connection, bittorrent_request(payload))


def rogue_session(payload: Payload, ca_pem: str, leaf: Leaf | None, directory: Path, *, tls: bool, utp: bool = False):
    """A whole BitTorrent client without the right certificate; it accepts everybody."""
    session = lt.session(
        {
            "listen_interfaces": f"{ROGUE_ADDRESS}:0{'s' if tls else ''}",
            "outgoing_interfaces": ROGUE_ADDRESS,
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_outgoing_utp": utp,
        },
        0,
    )
    params = lt.load_torrent_buffer(payload.torrent)
    params.save_path = str(directory)
    if tls:
        params.root_certificate = ca_pem
    handle = session.add_torrent(params)
    if leaf is not None:
        handle.set_ssl_certificate_buffer(leaf.certificate, leaf.key, DH_PARAMETERS_PEM)
    return session, handle


async def goes_on(seed: Endpoint, payload: Payload, open_endpoint) -> None:
    """The engine gave nothing away, and serves a real neighbour as before."""
    snapshot = await seed.until(payload, lambda s: s.phase == "complete")
    assert snapshot.bytes_to_peers == 0
    assert snapshot.peers == ()
    async with open_endpoint() as honest:
        await honest.add(payload)
        await honest.checked(payload)
        honest.connect(payload, seed)
        await honest.completed(payload)
        assert honest.path(payload).read_bytes() == payload.data


@pytest.mark.parametrize("kind", CERTIFICATES)
async def test_raw_tls_caller_gets_nothing(open_endpoint, payload_of, kind):
    payload = payload_of(MIB)
    async with open_endpoint() as seed:
        await seed.add(payload, complete=True)
        received = await trio.to_thread.run_sync(ask_over_tls, seed, payload, CERTIFICATES[kind]())
        assert received == b""
        event = await seed.event(PeerRefused, address=ROGUE_ADDRESS)
        assert event.reason in (PeerReason.CERTIFICATE_REFUSED, PeerReason.TLS_FAILED)
        await goes_on(seed, payload, open_endpoint)


async def test_plain_text_caller_gets_nothing(open_endpoint, payload_of):
    payload = payload_of(MIB)
    async with open_endpoint() as seed:
        await seed.add(payload, complete=True)
        received = await trio.to_thread.run_sync(ask_in_plain_text, seed, payload, None)
        assert payload.data[:64] not in received
        assert len(received) < 64  # at most a TLS alert
        await seed.event(PeerRefused, address=ROGUE_ADDRESS, reason=PeerReason.TLS_FAILED)
        await goes_on(seed, payload, open_endpoint)


@pytest.mark.parametrize("kind", [*CERTIFICATES, "plain text"])
async def test_rogue_bittorrent_client_that_calls_gets_nothing(open_endpoint, payload_of, ca, tmp_path, kind):
    payload = payload_of(MIB)
    leaf = CERTIFICATES.get(kind, lambda: None)()
    async with open_endpoint() as seed:
        await seed.add(payload, complete=True)
        # one of them tries uTP first, which the engine does not speak
        session, handle = rogue_session(
            payload, ca.pem, leaf, tmp_path / "rogue", tls=kind != "plain text", utp=kind == "no certificate"
        )
        handle.connect_peer((seed.address, seed.engine.listen_port), 1, 0)
        await seed.event(PeerRefused, address=ROGUE_ADDRESS)
        status = handle.status()
        assert (status.total_payload_download, status.total_done) == (0, 0)
        await goes_on(seed, payload, open_endpoint)
        assert handle.status().total_done == 0
        await trio.to_thread.run_sync(session.pause)


@pytest.mark.parametrize("kind", [*CERTIFICATES, "plain text"])
async def test_rogue_that_is_called_gets_and_gives_nothing(open_endpoint, payload_of, ca, tmp_path, kind):
    payload = payload_of(MIB)
    leaf = CERTIFICATES.get(kind, lambda: None)()
    directory = payload.write(tmp_path / "rogue")
    tls = kind != "plain text"
    async with open_endpoint() as victim:
        session, handle = rogue_session(payload, ca.pem, leaf, directory, tls=tls)
        with trio.fail_after(5):
            while not (session.ssl_listen_port() if tls else session.listen_port()):  # noqa: ASYNC110
                await trio.sleep(0.01)
            while not handle.status().is_seeding:  # noqa: ASYNC110
                await trio.sleep(0.01)
        port = session.ssl_listen_port() if tls else session.listen_port()
        await victim.add(payload)
        await victim.checked(payload)
        await victim.put(payload, [0])
        victim.engine.connect_peer(payload.torrent_hash, ROGUE_ADDRESS, port)
        event = await victim.event(PeerRefused, address=ROGUE_ADDRESS)
        assert event.reason in (
            PeerReason.CERTIFICATE_REFUSED,
            PeerReason.TLS_FAILED,
            PeerReason.REFUSED_OUR_CERTIFICATE,
            PeerReason.CONNECTION_LOST,
            PeerReason.TIMED_OUT,
        )
        snapshot = await victim.until(payload, lambda s: s.phase == "downloading")
        assert (snapshot.bytes_from_peers, snapshot.bytes_to_peers) == (0, 0)
        assert snapshot.have == 1
        await victim.put(payload, range(payload.count))
        await victim.completed(payload)
        await trio.to_thread.run_sync(session.pause)
