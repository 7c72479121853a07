"""HTTPS to the seed server's web port: the only httpx import on the endpoint.

The server may be hostile until verified. So an answer has a cap on its size, a
minimum rate and a total deadline, is never decompressed, and redirects are not
followed. Every failure is an `HttpError` that says whose fault it is.
"""

import errno
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx
import trio

from p2pdist.shared.packet_size import large_packets_missing
from p2pdist.trust.http_answers import HttpAnswer, HttpError, HttpFailure

CONNECT_SECONDS = 10.0  # TCP and TLS handshakes over the slowest line that is of any use
GRACE_SECONDS = 20.0  # for connecting, and for the server until its first byte
MIN_BYTES_PER_SECOND = 1024.0  # after the grace; a slower server delays us on purpose, or is useless
TOTAL_SECONDS = 300.0  # no single document is worth waiting longer

_VERIFY_CODES: dict[int, HttpFailure] = {  # X509_V_ERR_* of OpenSSL
    9: "certificate_not_yet_valid",
    10: "certificate_expired",
    62: "certificate_wrong_name",
    64: "certificate_wrong_name",
}


class HttpsClient:
    """GET and POST to one server over connections that are kept open; an async context manager."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        local_address: str | None = None,
        grace_seconds: float = GRACE_SECONDS,
        min_bytes_per_second: float = MIN_BYTES_PER_SECOND,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._min_bytes_per_second = min_bytes_per_second
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(verify=context, local_address=local_address, trust_env=False),
            timeout=httpx.Timeout(None, connect=min(CONNECT_SECONDS, grace_seconds)),  # our deadline bounds the rest
            headers={"Accept-Encoding": "identity", "User-Agent": "p2pdist"},
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        with trio.CancelScope(shield=True):  # closing a local socket does not wait for the other side
            await self._client.aclose()

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a GET. Raises `HttpError`."""
        return await self._request("GET", url, None, max_bytes)

    async def post(self, url: str, body: bytes, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a POST of a JSON ``body``. Raises `HttpError`."""
        return await self._request("POST", url, body, max_bytes)

    async def _request(self, method: str, url: str, body: bytes | None, max_bytes: int) -> HttpAnswer:
        server = httpx.URL(url).netloc.decode("ascii", "replace")
        headers = {"Content-Type": "application/json"} if body is not None else {}
        started = trio.current_time()
        received = bytearray()
        answered = too_large = False
        deadline = started + self._grace_seconds
        failure: HttpFailure = "no_answer"
        with _Connection() as connection, trio.CancelScope(deadline=deadline) as scope:
            try:
                hooks = {"trace": connection.trace}
                async with self._client.stream(
                    method, url, content=body, headers=headers, extensions=hooks
                ) as response:
                    answered = True
                    async for chunk in response.aiter_raw():
                        too_large = too_large or len(received) + len(chunk) > max_bytes
                        if too_large:
                            scope.cancel()  # httpx's nested generators end cleanly by cancellation, not by a break
                            continue
                        received += chunk
                        allowed = self._grace_seconds + len(received) / self._min_bytes_per_second
                        scope.deadline = started + min(TOTAL_SECONDS, allowed)
                    if not too_large:
                        return HttpAnswer(response.status_code, bytes(received), response.headers.get("date", ""))
            except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
                raise _explained(error, server, connection) from error
            finally:
                failure = connection.failure("too_slow" if answered else "no_answer")
        raise HttpError("too_large" if too_large else failure, server)


class _Connection:
    """The newest connection of a request, to be looked at when that has failed; `trace` is a hook of httpx's."""

    def __init__(self) -> None:
        self._opened: Any = None
        self._kept: trio.socket.SocketType | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._kept.close()

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note a new connection; close its socket when a TLS handshake is cancelled, which httpx does not."""
        if event == "connection.connect_tcp.complete":
            self._opened = info["return_value"]
            self.__exit__()
            self._kept = self._opened.get_extra_info("socket").dup()  # the library closes its own before we can look
        elif event == "connection.start_tls.failed":
            self._opened.get_extra_info("socket").close()

    def failure(self, otherwise: HttpFailure) -> HttpFailure:
        """Return what its socket tells of why no answer came in time, or ``otherwise``."""
        lost = self._kept is not None and large_packets_missing(self._kept)
        return "large_packets_lost" if lost else otherwise


def _explained(error: BaseException, server: str, connection: _Connection) -> HttpError:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            kind = _VERIFY_CODES.get(cause.verify_code, "certificate_untrusted")
            return HttpError(kind, server, cause.verify_message if kind == "certificate_untrusted" else "")
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return HttpError("port_closed", server)
    cut_off = "disconnected" in str(error) or "closed connection" in str(error)  # the server died while answering
    foreign = isinstance(error, httpx.RemoteProtocolError | httpx.InvalidURL) and not cut_off
    if foreign or any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return HttpError("wrong_answer", server)
    return HttpError(connection.failure("no_answer"), server)


def _causes(error: BaseException) -> Iterator[BaseException]:
    queue: list[BaseException | None] = [error]
    seen: set[int] = set()
    while queue:
        current = queue.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            queue += current.exceptions
