"""A real `seed-server serve` with its two parts, and enrolled PCs that speak to both ports."""

import contextlib
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import trio

from bench import fleet_processes
from bench.fleet_processes import Running, free_ports
from p2pdist.identity.store import certificate_request, new_key
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.wire.messages import Welcome
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from tests.helpers.origin_endpoint import Connection, hello

WITHIN_SECONDS = 30.0  # of each wait; a start takes two on an idle machine
SERVE = [sys.executable, "-c", "from seed_server.commands.main import main; main()", "serve", "--home"]


@dataclass
class Answer:
    """An answer of the web port."""

    status: int
    body: bytes
    seconds: float


class HttpConnection:
    """One connection to the web port, for several requests."""

    def __init__(self, stream: "trio.SSLStream[trio.SocketStream]") -> None:
        self._stream = stream

    async def get(self, path: str) -> Answer:
        began = trio.current_time()
        await self._stream.send_all(f"GET {path} HTTP/1.1\r\nHost: server\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += await self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(body) < int(headers[b"content-length"]):
            body += await self._more()
        return Answer(int(head.split()[1]), body, trio.current_time() - began)

    async def _more(self) -> bytes:
        data = await self._stream.receive_some()
        if not data:
            raise EOFError("the server closed the connection")
        return bytes(data)


class Server:
    """The running server; made by `running_server`."""

    def __init__(self, home: ServerHome, settings: ServerSettings) -> None:
        self.home = home
        self.settings = settings
        self.process: Running
        self.context: ssl.SSLContext
        """Of an enrolled PC."""
        self._opened: list[trio.SocketStream] = []

    @property
    def log(self) -> str:
        return self.home.root.with_suffix(".log").read_text()

    def lines(self, *words: str) -> list[str]:
        """Return the log's lines that have all of these words."""
        return [line for line in self.log.splitlines() if all(word in line for word in words)]

    async def start(self) -> None:
        """Start it, and wait until both ports answer."""
        said = self.log.count("serving hq") if self.home.root.with_suffix(".log").exists() else 0
        with self.home.root.with_suffix(".log").open("ab") as log:
            self.process = await fleet_processes.start_ours(
                ["seed-server", "serve", "--home", str(self.home.root)], log
            )
        while self.log.count("serving hq") == said:
            assert self.process.returncode is None, self.log
            await trio.sleep(0.02)

    def parts(self) -> dict[str, int]:
        """Return the process ids of the parts, by name."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # one that has just ended
                if words := " ".join(child.cmdline()).split():  # empty ones are room for a name
                    found[words[-1]] = child.pid
        return found

    async def logged(self, *words: str) -> str:
        """Wait for a line of the log with these words."""
        while not (lines := self.lines(*words)):  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.02)
        return lines[0]

    def enrol(self) -> None:
        """Enrol one PC, as another process of the server does."""
        key = new_key()
        now = SystemClock().now()
        authority = CertificateAuthority.open(self.home.ca)
        endpoint, certificates = authority.issue_endpoint_certificates(certificate_request(key), now)
        with Database.open(self.home.database) as database:
            database.add_endpoint(endpoint, "pc", now)
        self.context = ssl.create_default_context(cadata=authority.control_ca_pem)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write((certificates.control_certificate + key).encode())
            file.flush()
            self.context.load_cert_chain(file.name)

    async def _connect(self, port: int) -> "trio.SSLStream[trio.SocketStream]":
        address = self.settings.address
        tcp = await trio.open_tcp_stream(address, port, local_address=address)
        self._opened.append(tcp)
        return trio.SSLStream(tcp, self.context, server_hostname=address, https_compatible=True)

    async def http(self) -> HttpConnection:
        """Connect to the web port."""
        return HttpConnection(await self._connect(self.settings.web_port))

    async def control(self) -> Connection:
        """Open a control connection, and wait for the welcome."""
        connection = Connection(await self._connect(self.settings.origin_port))
        await connection.send(hello(self.settings.address))
        await connection.expect(Welcome)
        return connection

    async def close(self) -> None:
        """End what the test has left."""
        for tcp in self._opened:
            tcp.socket.close()
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()


@asynccontextmanager
async def running_server(directory: Path, address: str, *, sites: str = "", more: str = "") -> AsyncIterator[Server]:
    """Serve a new home at ``address``, with one enrolled PC, until the context ends; ``more``: of its settings."""
    web_port, origin_port = free_ports(2)
    settings = ServerSettings(name="hq", address=address, web_port=web_port, origin_port=origin_port, log_level="debug")
    home = ServerHome(directory / "home")
    initialise(home, settings, passphrase=b"correct horse battery", now=SystemClock().now())
    home.sites.write_text(sites)
    home.settings.write_text(home.settings.read_text() + more)
    server = Server(home, settings)
    server.enrol()
    with trio.fail_after(2 * WITHIN_SECONDS):
        await server.start()
        try:
            yield server
        finally:
            with trio.CancelScope(shield=True):
                await server.close()
