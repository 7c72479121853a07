"""A real origin port on a loopback address; `origin_endpoint` speaks to it."""

import datetime as dt
import hashlib
import os
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from p2pdist.shared import merkle
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import Sha256Hex, TorrentHash
from p2pdist.shared.wire.data_messages import DataHello, Piece
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, PieceStored, Welcome
from seed_server.deltas.piece_coding import PieceCoding
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.line.byte_budget import ByteBudgets
from seed_server.line.site_map import SiteMap, parse_site_map
from seed_server.origin.limits import OriginLimits
from seed_server.origin.paced_news import FindNews
from seed_server.origin.server import OriginServer, PublishedMetadata
from seed_server.ports.server_tls import ServerTls
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database, ServedPayload
from seed_server.store.trust_news import NewsForm
from tests.helpers.origin_endpoint import INSTANCE, Connection, Endpoint, Identity, hello

SERVER_ADDRESS = "127.0.8.1"
PIECE_BYTES = 64 << 10
DEADLINE_SECONDS = 10.0  # of a whole test: nothing here takes a second on an idle machine


@dataclass
class Lab:
    """A home with two CAs, a database and a content store, and the port that serves them."""

    root: Path
    authority: CertificateAuthority
    database: Database
    content: ContentStore
    server: OriginServer
    payloads: dict[str, bytes] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    """Closed when the lab ends, before the port stops."""
    _hosts: int = 1

    @property
    def port(self) -> int:
        return self.server.addresses[0][1]

    # --- what the operator does ---------------------------------------------------------

    async def publish(
        self, pieces: int = 5, *, sequence: int = 1, announce: bool = True, data: bytes = b"", patch_id: str = ""
    ) -> ServedPayload:
        """Publish ``data``, or random bytes that end within the last piece."""
        data = data or os.urandom(PIECE_BYTES * pieces - 1_000)
        sha256 = Sha256Hex(hashlib.sha256(data).hexdigest())
        parts = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
        self.content.path(sha256).write_bytes(data)
        piece_hashes = b"".join(merkle.piece_hash(part, PIECE_BYTES, len(data)) for part in parts)
        self.content.write_piece_hashes(sha256, piece_hashes)
        patch = ServedPayload(
            patch_id=patch_id or f"KB{sequence}",
            version=f"{sequence}.0" if patch_id else "1.0",
            title="a patch",
            severity="high",
            cvss=None,
            file_name="patch.bin",
            sha256=sha256,
            length_bytes=len(data),
            torrent_hash=TorrentHash(hashlib.sha256(b"torrent" + data).hexdigest()),
            piece_length_bytes=PIECE_BYTES,
            piece_count=len(parts),
            sequence=sequence,
            published_at=1.0,
        )
        self.payloads[patch.torrent_hash] = data
        self.database.add_patch(patch)
        if announce:
            await self.server.repository_changed(sequence)
        return patch

    def payload(self, patch: ServedPayload) -> Path:
        return self.content.path(Sha256Hex(patch.sha256))

    def piece(self, patch: ServedPayload, index: int) -> bytes:
        return self.payloads[patch.torrent_hash][index * PIECE_BYTES : (index + 1) * PIECE_BYTES]

    # --- connections --------------------------------------------------------------------

    def identity(self, *, enrolled: bool = True, now: float | None = None) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        endpoint, certificates = self.authority.issue_endpoint_certificates(
            csr.public_bytes(Encoding.PEM).decode(), time.time() if now is None else now
        )
        if enrolled:
            self.database.add_endpoint(endpoint, "pc", 1.0)
        self._hosts += 1
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Identity(endpoint, key_pem, certificates, f"127.0.8.{self._hosts}")

    def context(self, certificate_pem: str | None, key_pem: bytes = b"") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority.control_ca_pem)
        if certificate_pem is not None:
            with tempfile.NamedTemporaryFile(dir=self.root, suffix=".pem") as file:
                file.write(certificate_pem.encode() + key_pem)
                file.flush()
                context.load_cert_chain(file.name)
        return context

    def own_context(self, identity: Identity) -> ssl.SSLContext:
        return self.context(identity.certificates.control_certificate, identity.key_pem)

    async def connect(self, context: ssl.SSLContext, local_address: str = "127.0.8.250") -> Connection:
        tcp = await trio.open_tcp_stream(SERVER_ADDRESS, self.port, local_address=local_address)
        connection = Connection(trio.SSLStream(tcp, context, server_hostname=SERVER_ADDRESS, https_compatible=True))
        self.connections.append(connection)
        return connection

    async def control(self, identity: Identity, **changes: Any) -> tuple[Connection, Welcome]:
        """Open a control connection and wait for the welcome."""
        control = await self.connect(self.own_context(identity), identity.local_address)
        await control.send(hello(identity.local_address, **changes))
        return control, await control.expect(Welcome)

    async def data(self, identity: Identity, *, large_packets_lost: bool = False) -> Connection:
        """Open a data connection."""
        data = await self.connect(self.own_context(identity), identity.local_address)
        data.data = True
        first = DataHello(protocol=PROTOCOL_VERSION, instance=INSTANCE, large_packets_lost=large_packets_lost)
        await data.send(first)
        return data

    async def endpoint(self, identity: Identity | None = None, **changes: Any) -> Endpoint:
        """Open both connections of a (new) endpoint."""
        identity = identity or self.identity()
        control, welcome = await self.control(identity, **changes)
        return Endpoint(identity, welcome, control, await self.data(identity))

    async def still_serves(self) -> None:
        """Assert that an honest endpoint gets what it asks for."""
        patch = await self.publish(1, sequence=1_000 + len(self.payloads), announce=False)
        honest = await self.endpoint()
        await honest.want(patch)
        piece = await honest.data.expect(Piece)
        assert piece.data == self.piece(patch, piece.piece)
        await honest.aclose()
        self.database.remove_patch(patch.patch_id, patch.version)


# a Want for what is not known yet must not cost a second in each test
TEST_LIMITS = OriginLimits(reload_seconds=0.01)


def _no_news(_root: int, _snapshot: int, _form: NewsForm) -> bytes | None:
    return None


@asynccontextmanager
async def running_lab(
    root: Path,
    *,
    sites: str = "",
    limits: OriginLimits = TEST_LIMITS,
    find_news: FindNews = _no_news,
    coding: Callable[[ContentStore, Path], PieceCoding] | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    **settings: Any,
) -> AsyncIterator[Lab]:
    """Run an origin port in ``root``, for a test that ends in time; ``settings`` as in `ServerSettings`."""
    authority = CertificateAuthority.create(_directory(root / "ca"), "test", time.time())
    content = ContentStore(_directory(root / "content"))
    certificate = authority.issue_server_certificate([SERVER_ADDRESS], time.time())
    values: dict[str, Any] = {"name": "test", "address": SERVER_ADDRESS, "origin_port": 0}
    with Database.create(root / "state.db") as database:
        server = OriginServer(
            settings=ServerSettings(**(values | settings)),
            database=database,
            content=content,
            tls=ServerTls(authority.control_ca_pem, certificate).origin,
            sites=site_map(sites),
            published=PublishedMetadata(1, find_news, ByteBudgets(), coding=coding and coding(content, root / "coded")),
            clock=SystemClock(),
            limits=limits,
        )
        with trio.fail_after(deadline_seconds):
            async with trio.open_nursery() as nursery:
                await nursery.start(server.run)
                lab = Lab(root, authority, database, content, server)
                try:
                    yield lab
                finally:
                    with trio.CancelScope(shield=True):  # closing forcefully does not wait
                        for connection in lab.connections:
                            await connection.aclose()
                    nursery.cancel_scope.cancel()


async def fetch(lab: Lab, endpoint: Endpoint, patch: ServedPayload, count: int) -> list[int]:
    """Receive, check and confirm ``count`` pieces."""
    got = []
    for _ in range(count):
        piece = await endpoint.data.expect(Piece)
        assert piece.data == lab.piece(patch, piece.piece)
        endpoint.have |= 1 << piece.piece
        await endpoint.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))
        got.append(int(piece.piece))
    return got


def site_map(text: str) -> SiteMap:
    return parse_site_map(text, source="sites.toml")


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def control_ca_leaf(
    lab: Lab, names: Iterable[str], *, usage: ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH
) -> ssl.SSLContext:
    """Return a client context with a certificate that the real control CA signed, for any names."""
    key = ec.generate_private_key(ec.SECP256R1())
    control = lab.authority._control
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))
        .issuer_name(control.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(control.key, hashes.SHA256())
    )
    return lab.context(
        certificate.public_bytes(Encoding.PEM).decode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
