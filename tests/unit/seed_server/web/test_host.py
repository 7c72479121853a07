"""`seed_server.web.host`: what our own bugs do; what strangers do is in `tests/adversary/test_web_port.py`."""

import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from p2pdist.shared.clock import SystemClock
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.ports.listening import listen_sockets
from seed_server.ports.server_tls import ServerTls
from seed_server.web.host import serve_web

ADDRESS = "127.0.66.40"


async def say_ok(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def test_a_bug_of_ours_ends_one_connection_and_is_logged_once_a_minute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = CertificateAuthority.create(tmp_path, "hq", time.time())
    tls = ServerTls(authority.control_ca_pem, authority.issue_server_certificate([ADDRESS], time.time()))
    context = ssl.create_default_context(cadata=authority.control_ca_pem)
    sockets = listen_sockets([ADDRESS], 0, purpose="web port")
    place = sockets[0].getsockname()
    bugs = 3

    def connecting(address: str) -> None:
        nonlocal bugs
        if bugs:
            bugs -= 1
            raise RuntimeError("a bug")

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await serve_web(say_ok, sockets, tls.web, SystemClock(), connecting=connecting, task_status=task_status)

    async def ask() -> bytes:
        tcp = await trio.open_tcp_stream(*place)
        stream = trio.SSLStream(tcp, context, server_hostname=ADDRESS, https_compatible=True)
        try:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return bytes(await stream.receive_some())
        except trio.BrokenResourceError:
            return b""
        finally:
            await trio.aclose_forcefully(tcp)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve)
            assert [await ask() for _ in range(3)] == [b""] * 3
            assert (await ask()).startswith(b"HTTP/1.1 200 ")
            nursery.cancel_scope.cancel()
    assert sum(text.count("serving a web connection failed") for text in capsys.readouterr()) == 1
