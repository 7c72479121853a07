"""Throw-away certificate authorities, endpoints' certificates and a real HTTPS server on a loopback address."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Answer = tuple[int, bytes]


class Authority:
    """A CA with a key of its own."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + timedelta(days=400))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        """Return the CA's certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def pin(self) -> bytes:
        """Return SHA-256 of the CA's certificate."""
        return self.certificate.fingerprint(hashes.SHA256())

    def leaf(
        self,
        public_key: ec.EllipticCurvePublicKey,
        *names: str,
        start: datetime | None = None,
        life: timedelta = timedelta(hours=24),
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    ) -> str:
        """Return a certificate (PEM) for ``names``, each an IP address or a DNS name."""
        start = start or datetime.now(UTC) - timedelta(minutes=5)
        alternatives: list[x509.GeneralName] = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")]))
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + life)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode()


class WebPort:
    """A real HTTPS server; ``answers`` maps (method, path) to an answer or to a function of the request's body."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self.address = address
        self.answers: dict[tuple[str, str], Answer | Callable[[bytes], Answer] | None] = {}
        self.streams: dict[str, Callable[[Any], None]] = {}
        """Path → function that writes a body without an end."""
        self.requests: list[tuple[str, str]] = []
        port = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, body: bytes) -> None:
                port.requests.append((self.command, self.path))
                answer = port.answers.get((self.command, self.path), (404, b""))
                if answer is None:  # never answer: wait until the client closes
                    self.close_connection = True
                    self.rfile.read(1)
                    return
                if self.path in port.streams:
                    self.close_connection = True
                    self.send_response(200)
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        port.streams[self.path](self.wfile)
                    return
                status, data = answer if isinstance(answer, tuple) else answer(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> tuple[ssl.SSLSocket, Any]:
                connection, peer = super().get_request()
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # many tests are about refused handshakes

        self._server = Server((address, 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(  # noqa: TID251 - the other side of the connection, not ours
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"https://{self.address}:{self.port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def server_context(authority: Authority, directory: Path, *names: str, **leaf: object) -> ssl.SSLContext:
    """Return a server context with a new certificate of ``authority``."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = {"usage": ExtendedKeyUsageOID.SERVER_AUTH}
    chain = directory / f"server-{x509.random_serial_number()}.pem"
    pem = authority.leaf(key.public_key(), *names, **(usage | leaf))  # type: ignore[arg-type]
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(pem.encode() + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(chain)
    return context


@contextlib.contextmanager
def serving(
    authority: Authority, directory: Path, *, address: str = "127.0.0.1", names: tuple[str, ...] = (), **leaf: object
) -> Iterator[WebPort]:
    """Run a web port whose certificate is for ``names`` (by default its address)."""
    port = WebPort(address, server_context(authority, directory, *(names or (address,)), **leaf))
    try:
        yield port
    finally:
        port.close()
