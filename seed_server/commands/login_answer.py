"""Waits on this machine for what the browser brings back from a login (RFC 8252, section 7.3).

Every program and every web page on this machine can send requests here: what has not the state of this login is told
off and changes nothing.
"""

import re
import secrets
import socket
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlsplit

import trio

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr

ANSWER_HOST = "127.0.0.1"
ANSWER_PATH = "/callback"
LOGIN_SECONDS = 300.0  # to find one's password and phone
BROWSER_SECONDS = 10.0
MAX_BROWSER_BYTES = 32 << 10
MAX_BROWSER_CONNECTIONS = 32
MAX_FIELDS = 20

_REQUEST_LINE = re.compile(rb"GET (/[\x21-\x7e]*) HTTP/1\.[01]\r\n")
_HOST_FIELD = re.compile(rb"\r\nhost:[ \t]*([\x21-\x7e]+)[ \t]*\r\n", re.IGNORECASE)


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on this machine alone; ``port`` 0: a free one. Raises `UserError` (BUSY)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listener.bind((ANSWER_HOST, port))
            listener.listen()
        except OSError as error:
            raise UserError(
                f"Cannot listen on {ANSWER_HOST} port {port} for the answer: {error.strerror}. Choose another "
                "with --port.",
                FaultKind.BUSY,
            ) from error
        yield listener


def redirect_uri(listener: socket.socket) -> str:
    """Return where the provider sends the browser."""
    return f"http://{ANSWER_HOST}:{listener.getsockname()[1]}{ANSWER_PATH}"


@dataclass
class AnswerWait:
    """One wait for the answer of a login."""

    listener: socket.socket
    state: str
    login_address: str
    """Where the browser is sent from the start address."""
    seconds: float = LOGIN_SECONDS
    _start_path: str = field(default_factory=lambda: f"/start/{secrets.token_urlsafe(16)}", repr=False)
    _answer: dict[str, str] | None = None

    @property
    def start_address(self) -> str:
        """An address that works once: what a browser is started with is seen by everybody on this machine."""
        return f"http://{ANSWER_HOST}:{self.listener.getsockname()[1]}{self._start_path}"

    async def run(self, *, open_browser: bool) -> dict[str, str]:
        """Return the answer's fields. Raises `UserError` (FAILED) when none came in time."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self.listener.dup()))
        with trio.move_on_after(self.seconds):
            async with listener, trio.open_nursery() as nursery:
                if open_browser:
                    nursery.start_soon(partial(trio.to_thread.run_sync, abandon_on_cancel=True), self._open)
                limit = trio.CapacityLimiter(MAX_BROWSER_CONNECTIONS)
                while self._answer is None:
                    await limit.acquire_on_behalf_of(stream := await listener.accept())
                    nursery.start_soon(self._serve, stream, limit, nursery.cancel_scope)
        if self._answer is None:
            raise UserError(
                f"No answer came from the browser within {self.seconds:.0f} s. Log in again; a browser on another "
                "machine needs a tunnel to this one (docs/people.md).",
                FaultKind.FAILED,
            )
        return self._answer

    def _open(self) -> None:
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(self.start_address)

    async def _serve(self, stream: trio.SocketStream, limit: trio.CapacityLimiter, done: trio.CancelScope) -> None:
        try:
            with trio.move_on_after(BROWSER_SECONDS), suppress(trio.BrokenResourceError):
                async with stream:
                    await stream.send_all(self.answer_to(await _request(stream)))
                    await stream.send_eof()
        finally:
            limit.release_on_behalf_of(stream)
        if self._answer is not None:
            done.cancel()

    def answer_to(self, request: bytes) -> bytes:
        """Return what a request is answered; the first with the right state is kept."""
        line, host = _REQUEST_LINE.match(request), _HOST_FIELD.search(request)
        ours = f"{ANSWER_HOST}:{self.listener.getsockname()[1]}".encode()
        if line is None or host is None or host[1] != ours:  # a page under another name (DNS rebinding)
            return _page("400 Bad Request", tr("This is not for a browser to see."))
        target = urlsplit(line[1].decode())
        if self._start_path and secrets.compare_digest(target.path, self._start_path):
            self._start_path = ""
            return _page("302 Found", "", f"Location: {self.login_address}\r\n")
        if target.path != ANSWER_PATH:
            return _page("404 Not Found", tr("This is not for a browser to see."))
        fields = _fields(target.query)
        if self._answer is not None or not secrets.compare_digest(
            fields.get("state", "").encode(), self.state.encode()
        ):
            return _page("400 Bad Request", tr("This answer is of another login. Begin again in the terminal."))
        self._answer = fields
        return _page("200 OK", tr("The answer has arrived. Close this page and go on in the terminal."))


def _fields(query: str) -> dict[str, str]:
    """Return the fields of a query; none where one comes twice: which of them counts?"""
    try:
        found = parse_qs(query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()} if all(len(one) == 1 for one in found.values()) else {}


async def _request(stream: trio.SocketStream) -> bytes:
    received = bytearray()
    while b"\r\n\r\n" not in received and len(received) <= MAX_BROWSER_BYTES:
        more = await stream.receive_some(MAX_BROWSER_BYTES)
        if not more:
            break
        received += more
    return bytes(received)


def _page(status: str, text: str, fields: str = "") -> bytes:
    body = f"<!doctype html><meta charset=utf-8><title>seed-server</title><p>{text}</p>\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n{fields}"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
