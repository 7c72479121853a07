"""`seed_server.web.http11`: whatever arrives, over TLS in memory, before a small application."""

import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pdist.shared.clock import SystemClock
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.ports.server_tls import ServerTls
from seed_server.web.client import Client, client_of
from seed_server.web.http11 import MAX_HEAD_BYTES, Http11, HttpTimes

CLIENT = Client("192.0.2.1", 5, None, lambda: None)
GET = b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n\r\n"


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = CertificateAuthority.create(tmp_path_factory.mktemp("ca"), "hq", time.time())
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate(["server"], time.time()))
    return tls.web, ssl.create_default_context(cadata=authority.control_ca_pem)


class Application:
    """Answers with the body that it was sent; by path, it also misbehaves."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert client_of(scope) is CLIENT
        self.scopes.append(scope)
        if scope["path"] == "/bug":
            raise RuntimeError("a bug")
        body, more = b"", scope["path"] != "/unread"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        if scope["path"] == "/wait":
            assert (await receive())["type"] == "http.disconnect"
        headers = [(b"content-length", str(len(body) or 2).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/half":
            await send({"type": "http.response.body", "body": b"o", "more_body": True})
            raise RuntimeError("a late bug")
        await send({"type": "http.response.body", "body": body or b"ok"})


class Free:
    """Grants everything."""

    async def turn(self) -> None:
        await trio.lowlevel.checkpoint()

    def idle(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


@asynccontextmanager
async def talking(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], application: Application, times: HttpTimes | None = None
) -> AsyncIterator["trio.SSLStream[Any]"]:
    near, far = trio.testing.memory_stream_pair()
    server: Any = trio.SSLStream(far, contexts[0], server_side=True, https_compatible=True)
    client: Any = trio.SSLStream(near, contexts[1], server_hostname="server", https_compatible=True)

    async def serve() -> None:
        times_ = times or HttpTimes(head_seconds=0.5, idle_seconds=0.5, send_seconds=0.5)
        with contextlib.suppress(trio.BrokenResourceError):
            await Http11(server, CLIENT, application, SystemClock(), standing=Free(), times=times_).serve()
        await trio.aclose_forcefully(far)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield client
            await trio.aclose_forcefully(near)


async def answer_to(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], sent: bytes, application: Application | None = None
) -> bytes:
    """Return all that is answered until the connection ends."""
    received = b""
    async with talking(contexts, application or Application()) as client, trio.open_nursery() as nursery:

        async def send() -> None:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await client.send_all(sent)

        nursery.start_soon(send)
        with contextlib.suppress(trio.BrokenResourceError):
            while part := await client.receive_some():
                received += part
        nursery.cancel_scope.cancel()
    return received


async def test_a_request_becomes_a_scope(contexts) -> None:
    application = Application()
    answer = await answer_to(contexts, GET + LAST, application)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nok")
    assert b"\r\ndate: " in answer.lower()
    (scope,) = application.scopes
    assert (scope["type"], scope["method"], scope["path"]) == ("http", "GET", "/a b")
    assert (scope["raw_path"], scope["query_string"]) == (b"/a%20b", b"c=d")
    assert (b"host", b"x") in scope["headers"]
    assert scope["client"] == ("192.0.2.1", 5)


async def test_requests_on_one_connection_are_answered_in_order(contexts) -> None:
    bodies = [f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{n:02}".encode() for n in range(10)]
    answer = await answer_to(contexts, b"".join(bodies) + GET + LAST)
    assert [part[:2] for part in answer.split(b"\r\n\r\n")[1:]] == [*(f"{n:02}".encode() for n in range(10)), b"ok"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n" + LAST + b"2\r\nab\r\n0\r\n\r\n", 200, id="chunks"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", 200, id="1.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="preface of HTTP/2"),
        pytest.param(b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505, id="3.0"),
        pytest.param(b"GET https://evil/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="a proxy's form"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="asterisk"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, id="two hosts"),
        pytest.param(POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, id="two lengths"),
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"y" * MAX_HEAD_BYTES, 431, id="head too large"),
        pytest.param(b"GET /bug HTTP/1.1\r\nHost: x\r\n" + LAST, 500, id="a bug of ours"),
        pytest.param(bytes(range(256)), 400, id="garbage"),
    ],
)  # fmt: skip
async def test_status(contexts, sent: bytes, status: int) -> None:
    assert (await answer_to(contexts, sent)).startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_client_that_waits_to_be_asked_for_its_body(contexts) -> None:
    async with talking(contexts, Application()) as client:
        await client.send_all(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert bytes(await client.receive_some()).startswith(b"HTTP/1.1 100 ")
        await client.send_all(b"ab")
        assert bytes(await client.receive_some()).startswith(b"HTTP/1.1 200 ")


async def test_an_answer_that_breaks_off_ends_the_connection(contexts) -> None:
    answer = await answer_to(contexts, b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n" + GET + LAST)
    assert answer.endswith(b"\r\n\r\no")


async def test_a_body_that_nobody_reads_ends_the_connection_but_not_the_answer(contexts) -> None:
    """Closing with unread bytes would reset it, and the answer be lost."""
    sent = b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
    answer = await answer_to(contexts, sent)
    assert b"connection: close" in answer.lower()
    assert answer.endswith(b"ok")


async def test_a_body_that_breaks_off_is_a_disconnect(contexts) -> None:
    async with talking(contexts, application := Application()) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        while not application.scopes:  # noqa: ASYNC110 - the application tells nobody
            await trio.sleep(0.01)
    assert len(application.scopes) == 1


async def test_an_application_that_waits_for_the_client_to_go(contexts) -> None:
    async with talking(contexts, application := Application()) as client:
        await client.send_all(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        while not application.scopes:  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_waits_have_ends(contexts) -> None:
    times = HttpTimes(head_seconds=0.1, idle_seconds=0.1, send_seconds=0.1)
    for sent in (b"", b"GET /", GET + b"\r\n"):
        began = trio.current_time()
        async with talking(contexts, Application(), times) as client:
            if sent:
                await client.send_all(sent)
            else:
                await client.do_handshake()
            with contextlib.suppress(trio.BrokenResourceError):
                while await client.receive_some():
                    pass
        assert trio.current_time() - began < 2.5


PIECES = [
    *(GET, POST, LAST, b"\r\n", b"\r\n\r\n", b"hello", b"0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: h2c\r\n"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(PIECES)), max_size=8))
def test_whatever_arrives_is_answered_in_http11_or_the_connection_ends(contexts, pieces: list[bytes]) -> None:
    async def run() -> None:
        near, far = trio.testing.memory_stream_pair()

        class Plain:
            """As much of a TLS stream as is used; TLS has been taken off."""

            transport_stream = far
            receive_some = far.receive_some
            send_all = far.send_all

            async def unwrap(self) -> None:
                await far.send_eof()

        stream: Any = Plain()
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                serving = Http11(stream, CLIENT, Application(), SystemClock(), standing=Free(), times=HttpTimes())
                nursery.start_soon(serving.serve)
                with contextlib.suppress(trio.BrokenResourceError):
                    for piece in pieces:
                        if piece:
                            await near.send_all(piece)
                    await near.send_eof()
                received = b""
                await trio.testing.wait_all_tasks_blocked()
                with contextlib.suppress(trio.WouldBlock, trio.BusyResourceError), trio.move_on_after(0.05):
                    while part := await near.receive_some():
                        received += part
                nursery.cancel_scope.cancel()
        assert received == b"" or received.startswith(b"HTTP/1.1 ")

    trio.run(run)
