"""A real web port on a loopback address, with a real CA and database, and clients of all kinds."""

import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import trio

from bandwidth.core.units import BytesPerSecond
from p2pdist.identity.store import certificate_request, endpoint_id_of_key, new_key
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.enrolment import EnrolRequest, Problem, RenewRequest, decode_body, encode_body
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions
from seed_server.line.byte_budget import ByteBudgets
from seed_server.line.metadata_line import MetadataLine
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_rate import Line, SiteRate
from seed_server.ports.known_addresses import KnownAddresses
from seed_server.ports.listening import listen_sockets
from seed_server.ports.server_tls import ServerTls
from seed_server.store.database import Database, EndpointRow
from seed_server.store.trust_news import TrustNewsReader
from seed_server.web.app import WebPort, make_app
from seed_server.web.host import DEFAULT_WEB_LIMITS, WebLimits, serve_web

SECRET = bytes(range(16))
DEADLINE_SECONDS = 20
FAST_LINE = Line(BytesPerSecond(100_000_000))


@dataclass
class Web:
    """A running web port."""

    client: httpx.AsyncClient
    """Trusts the server, and shows no certificate."""
    member: httpx.AsyncClient
    """Shows the certificate of an enrolled endpoint."""
    member_key: str
    database: Database
    authority: CertificateAuthority
    directory: Path
    now: float
    address: tuple[str, int]
    tls: ssl.SSLContext
    """Of `client`."""
    known: KnownAddresses
    rate: SiteRate
    """Of the one site that all clients are in."""
    others: OtherTraffic
    handshakes: list[str] = field(default_factory=list)
    """The addresses of those that count on a line."""
    opened: list[trio.SocketStream] = field(default_factory=list)
    """Closed when the port ends, at the latest."""

    @property
    def url(self) -> str:
        return f"https://{self.address[0]}:{self.address[1]}"

    @property
    def newcomers(self) -> list[EndpointRow]:
        """Return the endpoints but for `member`."""
        return [row for row in self.database.endpoints() if row.hostname != "member"]

    def context(self, key: str | None = None, *, issued_at: float | None = None) -> ssl.SSLContext:
        """Return the context of a client, with a control certificate for ``key`` if there is one."""
        context = ssl.create_default_context(cadata=self.authority.control_ca_pem)
        if key is not None:
            at = self.now if issued_at is None else issued_at
            _, certificates = self.authority.issue_endpoint_certificates(certificate_request(key), at)
            load(context, certificates.control_certificate, key)
        return context

    def enrolled(self) -> str:
        """Return the key of a new endpoint that is enrolled."""
        key = new_key()
        self.database.add_endpoint(endpoint_id_of_key(key), "pc", self.now)
        return key

    def http(self, context: ssl.SSLContext, local_address: str | None = None) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(verify=context, local_address=local_address, trust_env=False)
        return httpx.AsyncClient(base_url=self.url, transport=transport, trust_env=False)

    async def connect(
        self, context: ssl.SSLContext | None = None, local_address: str | None = None
    ) -> "trio.SSLStream[trio.SocketStream]":
        tcp = await trio.open_tcp_stream(*self.address, local_address=local_address)
        self.opened.append(tcp)
        return trio.SSLStream(tcp, context or self.tls, server_hostname=self.address[0], https_compatible=True)

    async def enrol(self, key: str, secret: bytes = SECRET) -> httpx.Response:
        request = EnrolRequest(secret=secret.hex(), csr=certificate_request(key), hostname="pc-1")
        return await self.client.post("/v1/enrol", content=encode_body(request))

    async def renew(self, key: str) -> httpx.Response:
        return await self.client.post("/v1/renew", content=encode_body(RenewRequest(csr=certificate_request(key))))


def load(context: ssl.SSLContext, certificate_pem: str, key_pem: str) -> None:
    """Make a context show a certificate."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write((certificate_pem + key_pem).encode())
        file.flush()
        context.load_cert_chain(file.name)


def problem(response: httpx.Response) -> str:
    return decode_body(response.content, Problem).error


def line_of(rate: SiteRate, others: OtherTraffic, egress: BytesPerSecond | None = None) -> MetadataLine:
    """Return a line on which all clients are in one site."""

    class OneSite:
        def rate_towards(self, address: str, endpoint: EndpointId) -> SiteRate:
            return rate

        def known_rate(self, address: str) -> SiteRate | None:
            return rate

    return MetadataLine(OneSite(), egress=egress, others=others)


@asynccontextmanager
async def running_web(
    directory: Path,
    *,
    address: str = "127.0.8.2",
    trusted_root: Callable[[], str] = lambda: "{}",
    limits: WebLimits = DEFAULT_WEB_LIMITS,
    line: Line = FAST_LINE,
    budgets: ByteBudgets | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> AsyncIterator[Web]:
    now = time.time()
    for name in ("ca", "metadata", "targets/patches"):
        (directory / name).mkdir(parents=True)
    authority = CertificateAuthority.create(directory / "ca", "hq", now)
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate([address], now))
    rate, others = SiteRate(line, trio.current_time()), OtherTraffic()
    known = KnownAddresses()
    handshakes: list[str] = []
    with Database.create(directory / "state.db") as database:
        decisions = EnrolmentDecisions("hq", 7690, authority, database, trusted_root)
        metadata, targets = directory / "metadata", directory / "targets"
        news = TrustNewsReader(metadata, targets)
        port = WebPort(decisions, metadata, targets, line_of(rate, others), news, budgets or ByteBudgets())
        sockets = listen_sockets([address], 0, purpose="web port")

        async def serve(task_status: trio.TaskStatus[None]) -> None:
            app = make_app(port, SystemClock())
            await serve_web(
                app,
                sockets,
                tls.web,
                SystemClock(),
                known=known,
                connecting=handshakes.append,
                limits=limits,
                task_status=task_status,
            )

        with trio.fail_after(deadline_seconds):
            async with trio.open_nursery() as nursery:
                await nursery.start(serve)
                context = ssl.create_default_context(cadata=authority.control_ca_pem)
                key = new_key()
                database.add_endpoint(endpoint_id_of_key(key), "member", now)
                web = Web(
                    client=None,  # type: ignore[arg-type]
                    member=None,  # type: ignore[arg-type]
                    member_key=key,
                    database=database,
                    authority=authority,
                    directory=directory,
                    now=now,
                    address=sockets[0].getsockname()[:2],
                    tls=context,
                    known=known,
                    rate=rate,
                    others=others,
                    handshakes=handshakes,
                )
                try:
                    async with web.http(context) as web.client, web.http(web.context(key)) as web.member:
                        yield web
                finally:
                    for tcp in web.opened:
                        tcp.socket.close()
                nursery.cancel_scope.cancel()
