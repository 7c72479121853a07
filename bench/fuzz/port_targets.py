"""What strangers send to open ports: mDNS, HTTP, certificate requests, and requests on the daemon's own socket."""

import base64
import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import trio
import trio.testing
import zeroconf
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from zeroconf._cache import DNSCache
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing

from bench.fuzz.target import Target, must
from p2pdist.local_api import socket as local_socket
from p2pdist.local_api.messages import COMMANDS, NotUnderstood
from p2pdist.neighbours import discovery
from p2pdist.shared.wire.frames import encode_frame
from seed_server.enrolment.certificate_authority import CertificateRequestError, endpoint_of_request
from seed_server.web.client import Client
from seed_server.web.http11 import Http11, HttpTimes

ID = "a" * 26
NAME = f"{ID}.{discovery.SERVICE_TYPE}"


class _Clock:
    def now(self) -> float:
        return 1.7e9

    def monotonic(self) -> float:
        return 0.0


_TXT = (b"v=1", b"id=" + ID.encode(), b"swarm=" + b"0" * 16, b"site=" + b"1" * 16, b"run=" + b"2" * 8)

# --- mDNS ----------------------------------------------------------------------------------------


def _mdns(data: bytes) -> None:
    """Two bytes of port, one that says how many addresses of which kind, these, and the text record."""
    port, kind, rest = int.from_bytes(data[:2], "big"), data[2:3], data[3:]
    addresses = []
    for bit in range(4):
        size = 16 if kind and kind[0] >> bit & 1 else 4
        if kind and kind[0] >> (4 + bit) & 1 and len(rest) >= size:
            addresses.append(rest[:size])
            rest = rest[size:]
    info = zeroconf.ServiceInfo(discovery.SERVICE_TYPE, NAME, port=port, properties=rest, addresses=addresses)
    known = discovery._parse(ID, info)
    if known is not None:
        said = known.announcement
        must(f"{said.swarm_tag}{said.site_tag}{known.run}".isalnum(), "tags are plain")
        must(said.endpoint_id == ID and 1 <= said.port <= 65_535, "a neighbour is the one that it is asked for")


def _mdns_seeds() -> Iterator[bytes]:
    record = b"".join(bytes([len(part)]) + part for part in _TXT)
    yield b"\x1e\x0b\x10" + b"\x0a\0\0\x01" + record
    yield b"\x1e\x0b\x11" + b"\xfd" + b"\0" * 14 + b"\x01" + record


def _dns_packet(data: bytes) -> None:
    responder: Any = SimpleNamespace(cache=DNSCache())
    responder.cache.async_add_records(DNSIncoming(data).answers())
    info = zeroconf.ServiceInfo(discovery.SERVICE_TYPE, NAME)
    if info.load_from_cache(responder, zeroconf.current_time_millis()):
        discovery._parse(ID, info)


def _dns_seeds() -> Iterator[bytes]:
    out = DNSOutgoing(0x8400)
    info = zeroconf.ServiceInfo(
        discovery.SERVICE_TYPE,
        NAME,
        port=7_691,
        properties=dict(part.split(b"=") for part in _TXT),
        server=f"{ID}.local.",
        parsed_addresses=["10.0.0.1"],
    )
    for record in (info.dns_pointer(), info.dns_service(), info.dns_text(), *info.dns_addresses()):
        out.add_answer_at_time(record, 0)
    yield from out.packets()


# --- the daemon's socket -------------------------------------------------------------------------


async def _answered(_question: object) -> msgspec.Struct:
    return NotUnderstood(error="answered")


HANDLERS = {command.name: local_socket.Handler(command, _answered) for command in COMMANDS}


def _local_socket(data: bytes) -> None:
    async def run() -> bytes:
        daemon, client = trio.testing.memory_stream_pair()
        limit = trio.CapacityLimiter(1)
        slot = object()
        await limit.acquire_on_behalf_of(slot)
        await client.send_all(data)
        await client.send_eof()
        await local_socket._answer(daemon, HANDLERS, limit, slot)  # type: ignore[arg-type]
        must(limit.borrowed_tokens == 0, "a place becomes free with its connection")
        return bytes(await client.receive_some())

    answer = trio.run(run)
    if answer:
        must(len(answer) == 4 + int.from_bytes(answer[:4], "big"), "an answer is one frame")
        must(isinstance(msgspec.json.decode(answer[4:]), dict), "an answer is a document")


def _socket_seeds() -> Iterator[bytes]:
    for text in ("status", 'retry {"patch":"vlc@3.0"}', 'defer {"patch":"vlc","minutes":60}', "nonsense {}", "why {"):
        yield encode_frame(text.encode(), max_bytes=1_024)


# --- the web port --------------------------------------------------------------------------------


class _Stream:
    """What the web port uses of a TLS stream: it gives ``data`` in pieces, then the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.sent = bytearray()
        self.transport_stream = self

    async def receive_some(self, max_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        size = min(max_bytes, 1 + len(self._data) // 2)
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += data

    async def unwrap(self) -> None:
        await trio.lowlevel.checkpoint()


class _Standing:
    async def turn(self) -> None:
        await trio.lowlevel.checkpoint()

    def idle(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


async def _application(scope: Any, receive: Any, send: Any) -> None:
    must(isinstance(scope["path"], str) and scope["raw_path"].startswith(b"/"), "a request has a path")
    size = 0
    if scope["method"] != "GET":
        while (part := await receive())["type"] == "http.request" and part["more_body"]:
            size += len(part["body"])
    body = str(size).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


def _http(data: bytes) -> None:
    stream: Any = _Stream(data)
    client = Client("10.0.0.1", 1, None, lambda: None)
    connection = Http11(stream, client, _application, _Clock(), standing=_Standing(), times=HttpTimes())
    trio.run(connection.serve, clock=trio.testing.MockClock(autojump_threshold=0))
    must(not stream.sent or stream.sent.startswith(b"HTTP/1.1 "), "an answer is one of HTTP/1.1")


def _http_seeds() -> Iterator[bytes]:
    yield b"GET /tuf/metadata/1.root.json HTTP/1.1\r\nHost: a\r\n\r\nGET /%ff?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"
    yield b"POST /v1/enrol HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n{}\n"
    yield b"POST /v1/renew HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nA: b\r\n\r\n"
    yield b"HEAD / HTTP/1.0\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\n"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"


# --- certificate requests ------------------------------------------------------------------------


def _csr(data: bytes) -> None:
    body = base64.encodebytes(data).decode()
    for text in (
        data.decode("utf-8", "replace"),
        f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n",
    ):
        with contextlib.suppress(CertificateRequestError):
            must(len(endpoint_of_request(text)) == len(ID), "a request has one id")


def _csr_seeds() -> Iterator[bytes]:
    for number, curve in ((1, ec.SECP256R1()), (1, ec.SECP384R1())):
        key = ec.derive_private_key(number + 12_345, curve)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pc")])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        yield request.public_bytes(Encoding.DER)


TARGETS = (
    Target("mdns-service", _mdns, _mdns_seeds, max_bytes=1_000),
    Target("mdns-packet", _dns_packet, _dns_seeds, max_bytes=9_000),
    Target("local-socket", _local_socket, _socket_seeds, max_bytes=1_200),
    Target("http", _http, _http_seeds),
    Target("csr", _csr, _csr_seeds, max_bytes=4_096),
)
