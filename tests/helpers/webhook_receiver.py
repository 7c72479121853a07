"""A receiver of webhooks on this machine, over real HTTP or HTTPS; tests decide what it answers."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """What has arrived."""

    path: str
    headers: dict[str, str]
    """Their names in small letters."""
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """What has arrived, and what is answered."""

    address: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    status: Callable[[Request], int] = lambda _request: 204
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[Any], None] | None = None
    """Writes the answer itself."""
    pause_seconds: float = 0.0
    """Before each answer."""

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [one.event_id for one in list(self.requests)]


def whole_body(request: BaseHTTPRequestHandler) -> bytes:
    """Return what came with a request; half of it is none: its sender was killed."""
    length = int(request.headers.get("Content-Length", 0))
    body = request.rfile.read(length)
    if len(body) < length:
        raise ConnectionError("it ends too early")
    return body


@contextmanager
def webhook_receiver(address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver(address)
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = whole_body(self)
            request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.requests.append(request)
            status = receiver.status(request)
            if receiver.pause_seconds:
                closing.wait(receiver.pause_seconds)
            with contextlib.suppress(OSError):
                if receiver.raw is not None:
                    self.close_connection = True
                    receiver.raw(self.wfile)
                    return
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[Any, Any]:
            connection, peer = super().get_request()
            if tls is None:
                return connection, peer
            return tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # refused handshakes, and who does not wait for the answer

    with Server((address, 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(  # noqa: TID251 - the other side of the connection, not ours
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield receiver
        finally:
            closing.set()
            server.shutdown()
            thread.join()


def endless(line: bytes, seconds: float = 5.0) -> Callable[[Any], None]:
    """Return what writes ``line`` again and again, until nobody reads it or the time is over."""

    def write(file: Any) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            file.write(line)

    return write
