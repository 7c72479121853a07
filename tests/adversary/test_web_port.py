"""Strangers, and one enrolled PC that has turned bad, at a real web port with its real limits."""

import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from pytest_trio import trio_fixture

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import BytesPerSecond
from p2pdist.identity.store import certificate_request, endpoint_id_of_key, new_key
from p2pdist.shared.wire.enrolment import EnrolRequest, RenewRequest, encode_body
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.line.site_rate import Line
from seed_server.ports.gate import MAX_WEB_CONNECTIONS, web_limits
from seed_server.web.app import MAX_FETCHES_PER_ENDPOINT
from seed_server.web.host import WebLimits
from seed_server.web.http11 import HttpTimes
from tests.helpers.web_harness import SECRET, Web, problem, running_web

SERVER, ATTACKER, HONEST = "127.0.66.30", "127.0.66.31", "127.0.66.32"
QUICK_SECONDS = 3.0  # an answer takes milliseconds; the machine may be busy
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_WINDOW = struct.pack("!HI", 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE = 0: the server must hold what it answers
HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n"


@trio_fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    async with running_web(tmp_path, address=SERVER) as running:
        (tmp_path / "metadata" / "1.patches.json").write_bytes(b"who lacks what")
        (tmp_path / "targets" / "patches" / "1.manifest").write_bytes(b"a licence key")
        yield running


def h2_frame(kind: int, body: bytes = b"", stream: int = 0, flags: int = 0) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def h2_get(stream: int) -> bytes:
    """Return a GET of the health page, as HPACK writes it without its table."""
    texts = [b":method", b"GET", b":path", b"/v1/health", b":scheme", b"https", b":authority", b"x"]
    pairs = zip(texts[::2], texts[1::2], strict=True)
    block = b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in pairs)
    return h2_frame(1, block, stream, flags=0x5)


async def all_of(stream: "trio.SSLStream[trio.SocketStream]", *, within: float = QUICK_SECONDS) -> bytes:
    """Return all that the server sends until it ends the connection."""
    received = b""
    with trio.fail_after(within), contextlib.suppress(trio.BrokenResourceError):
        while part := await stream.receive_some():
            received += part
    return received


async def honest_answer(web: Web, local_address: str = HONEST) -> float:
    """Ask for health from ``local_address``, and return how long it took."""
    began = trio.current_time()
    with trio.fail_after(QUICK_SECONDS):
        async with web.http(web.tls, local_address) as client:
            assert (await client.get("/v1/health")).status_code == 200
    return trio.current_time() - began


# --- HTTP/1.1 alone ---------------------------------------------------------------------


async def test_http2_by_prior_knowledge_is_no_request(web: Web) -> None:
    stream = await web.connect()
    await stream.send_all(PREFACE + h2_frame(4, NO_WINDOW) + b"".join(h2_get(1 + 2 * n) for n in range(100)))
    assert (await all_of(stream)).startswith(b"HTTP/1.1 505 ")
    await honest_answer(web)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n", id="h2c"),
        pytest.param(
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            id="websocket",
        ),
    ],
)
async def test_an_upgrade_is_answered_in_http11(web: Web, headers: bytes) -> None:
    stream = await web.connect()
    await stream.send_all(HEALTH + headers + b"\r\n" + HEALTH + b"Connection: close\r\n\r\n")
    received = await all_of(stream)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 ") == received.count(b"HTTP/1.1 200 ") == 2, "the next request is one of HTTP/1.1"


async def test_a_connection_takes_two_descriptors_at_most(web: Web) -> None:
    """100 requests each, by HTTP/2 and by pipelining, for a file that is larger than all buffers; nothing is read."""
    with (web.directory / "targets/patches/large").open("wb") as file:
        file.truncate(64 << 20)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - one number of one process
    context = web.context(web.member_key)
    request = b"GET /tuf/targets/patches/large HTTP/1.1\r\nHost: x\r\n\r\n"
    streams = []
    for n in range(20):
        stream = await web.connect(context, ATTACKER)
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(PREFACE + h2_frame(4, NO_WINDOW) if n % 2 else request * 100)
        streams.append(stream)
    await trio.sleep(0.2)
    ours = len(streams)  # the clients' own ends
    assert len(os.listdir("/proc/self/fd")) - before <= ours + 2 * len(streams)  # noqa: PTH208
    await honest_answer(web)
    for stream in streams:
        await trio.aclose_forcefully(stream)


# --- who may ask, and who is shut out ---------------------------------------------------------


class Held:
    """Connections that one attacker holds."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []

    async def open(self, web: Web, count: int, *addresses: str) -> None:
        for n in range(count):
            if n % 50 == 0:
                await trio.sleep(0.01)  # else the kernel's queue is what is full, not the server
            sock = socket.socket()
            sock.bind((addresses[n % len(addresses)], 0))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(web.address)
            self.sockets.append(sock)

    def alive(self) -> int:
        """Return how many the server has neither ended nor reset."""
        living = 0
        for sock in self.sockets:
            try:
                living += sock.recv(1) != b""
            except BlockingIOError:
                living += 1
            except OSError:
                continue
        return living

    async def left(self, most: int) -> None:
        """Wait until at most so many are alive."""
        with trio.fail_after(QUICK_SECONDS):
            while self.alive() > most:  # noqa: ASYNC110 - the kernel tells nobody
                await trio.sleep(0.05)

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def held():
    attacker = Held()
    yield attacker
    attacker.close()


async def test_one_address_shuts_nobody_out(web: Web, held: Held) -> None:
    await held.open(web, 1_000, ATTACKER)
    await held.left(web_limits().unproven_per_address)
    for _ in range(3):
        await honest_answer(web)
    assert set(web.handshakes) == {HONEST}, "silence takes no room from patches"
    async with web.http(web.context(web.member_key), HONEST) as member:
        assert (await member.get("/tuf/metadata/1.patches.json")).status_code == 200


async def test_a_stranger_in_a_branch_behind_one_address_does_not_shut_it_out(web: Web, held: Held) -> None:
    """They are one address to the server: those that say nothing give way to those that do."""
    async with trio.open_nursery() as nursery:

        async def hold() -> None:
            while True:
                await held.open(web, 10, ATTACKER)
                await trio.sleep(0.1)

        await held.open(web, 2 * web_limits().unproven_per_address, ATTACKER)
        nursery.start_soon(hold)
        for _ in range(5):
            await honest_answer(web, ATTACKER)
        assert held.alive() > web_limits().unproven_per_address / 2, "it went on all the time"
        nursery.cancel_scope.cancel()


async def test_many_addresses_shut_out_no_known_one(web: Web, held: Held) -> None:
    web.known.note(HONEST)
    await held.open(web, 1_100, *(f"127.0.66.{100 + n}" for n in range(20)))
    await held.left(web_limits().unproven_of_strangers)
    assert web_limits().unproven_of_strangers < MAX_WEB_CONNECTIONS // 2
    await honest_answer(web)


async def test_idle_connections_make_room_and_busy_ones_stay(tmp_path: Path) -> None:
    """A branch of many PCs behind one address refreshes: connections that are only kept open are in nobody's way."""
    async with running_web(tmp_path, address=SERVER, limits=WebLimits(connections=web_limits(30))) as web:
        (tmp_path / "metadata/timestamp.json").write_bytes(b"{}")
        with (tmp_path / "targets/patches/large").open("wb") as file:
            file.truncate(64 << 20)
        context = web.context(web.member_key)
        busy = await web.connect(context, HONEST)
        await busy.send_all(b"GET /tuf/targets/patches/large HTTP/1.1\r\nHost: x\r\n\r\n")
        await busy.receive_some(1)
        idle = []
        for _ in range(10):  # of three that one address may have
            async with contextlib.AsyncExitStack() as stack:
                client = await stack.enter_async_context(web.http(context, HONEST))
                assert (await client.get("/tuf/metadata/timestamp.json")).status_code == 200
                idle.append(stack.pop_all())
        assert await busy.receive_some(1), "the one that is being answered goes on"
        for stack in idle:
            await stack.aclose()


async def test_silence_and_slow_requests_end(tmp_path: Path) -> None:
    """Byte by byte, between requests, and one request after the other: none of it holds a place for long."""
    times = HttpTimes(head_seconds=0.5, idle_seconds=0.3)
    limits = WebLimits(handshake_seconds=0.5, stranger_seconds=1.5, times=times)
    async with running_web(tmp_path, address=SERVER, limits=limits) as web:
        lived: dict[str, float] = {}

        async def live(how: str, pieces: list[bytes], pause: float) -> None:
            stream = await web.connect()
            began = trio.current_time()
            await stream.do_handshake()
            async with trio.open_nursery() as nursery:

                async def send() -> None:
                    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                        for piece in pieces:
                            await stream.send_all(piece)
                            await trio.sleep(pause)

                nursery.start_soon(send)
                await all_of(stream, within=5.0)
                lived[how] = trio.current_time() - began
                nursery.cancel_scope.cancel()

        async def silent() -> None:
            began = trio.current_time()
            async with await trio.open_tcp_stream(*web.address) as tcp:
                with trio.fail_after(5.0):
                    assert await tcp.receive_some() == b""
            lived["silent"] = trio.current_time() - began

        whole = HEALTH + b"\r\n"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(silent)
            nursery.start_soon(live, "byte by byte", [bytes([byte]) for byte in whole * 9], 0.1)
            nursery.start_soon(live, "idle after a request", [whole], 0.0)
            nursery.start_soon(live, "request after request", [whole] * 100, 0.2)
        assert lived["silent"] < 1.4
        assert lived["byte by byte"] < 1.4
        assert lived["idle after a request"] < 1.4
        assert lived["request after request"] < 2.5


async def test_a_client_that_takes_nothing_is_ended(tmp_path: Path) -> None:
    async with running_web(tmp_path, address=SERVER, limits=WebLimits(times=HttpTimes(send_seconds=0.3))) as web:
        with (tmp_path / "targets/patches/large").open("wb") as file:
            file.truncate(64 << 20)
        stream = await web.connect(web.context(web.member_key))
        await stream.send_all(b"GET /tuf/targets/patches/large HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.sleep(1.0)
        with trio.fail_after(QUICK_SECONDS), contextlib.suppress(trio.BrokenResourceError):
            received = 0
            while part := await stream.receive_some():
                received += len(part)
        assert received < 64 << 20


# --- what is published is for enrolled PCs ---------------------------------------------------

PUBLISHED = ["/tuf/metadata/1.patches.json", "/tuf/targets/patches/1.manifest", "/tuf/metadata/no-such.json"]


@pytest.mark.parametrize("path", PUBLISHED)
async def test_a_stranger_reads_nothing_that_is_published(web: Web, path: str) -> None:
    answer = await web.client.get(path)
    assert answer.status_code == 403
    assert "certificate" in problem(answer)
    stranger = web.http(web.context(new_key()))  # a certificate of the right CA, of a key that is not in the database
    async with stranger:
        refused = await stranger.get(path)
    assert refused.status_code == 403
    assert "not enrolled" in problem(refused)


async def test_an_expired_certificate_of_an_enrolled_pc_is_enough(web: Web) -> None:
    context = web.context(web.member_key, issued_at=web.now - 30 * DAY_SECONDS)
    async with web.http(context) as returned_from_holidays:
        assert (await returned_from_holidays.get(PUBLISHED[0])).content == b"who lacks what"


async def test_a_denied_pc_reads_nothing_more_on_an_open_connection(web: Web) -> None:
    assert (await web.member.get(PUBLISHED[1])).content == b"a licence key"
    web.database.set_denied(endpoint_id_of_key(web.member_key), denied=True)
    refused = await web.member.get(PUBLISHED[1])
    assert refused.status_code == 403
    assert "denied" in problem(refused)


async def test_health_enrolment_and_renewal_need_no_certificate(web: Web) -> None:
    web.database.add_token(SECRET, uses=1, expires_at=web.now + 60, now=web.now)
    key = new_key()
    assert (await web.client.get("/v1/health")).status_code == 200
    assert (await web.client.get("/v1/ca")).status_code == 200
    assert (await web.enrol(key)).status_code == 200
    assert (await web.renew(key)).status_code == 200


# --- one enrolled PC that has turned bad ------------------------------------------------------


async def test_downloads_in_a_loop_leave_the_line_to_others(tmp_path: Path) -> None:
    """Ten loops of one PC get a few answers at a time, and the site's bucket; another PC has its answer meanwhile."""
    line_rate = BytesPerSecond(400_000)
    async with running_web(tmp_path, address=SERVER, line=Line(line_rate)) as web:
        (tmp_path / "targets/patches/large").write_bytes(bytes(200_000))
        (tmp_path / "metadata/timestamp.json").write_bytes(bytes(4_000))
        statuses: list[int] = []
        received = 0

        async def loop() -> None:
            nonlocal received
            async with web.http(web.context(web.member_key), ATTACKER) as client:
                while True:
                    answer = await client.get("/tuf/targets/patches/large")
                    statuses.append(answer.status_code)
                    received += len(answer.content)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(loop)
            with trio.fail_after(20.0):
                while 429 not in statuses:  # noqa: ASYNC110 - after a second; on a busy machine, later
                    await trio.sleep(0.05)
            began, had = trio.current_time(), received
            async with web.http(web.context(web.enrolled()), HONEST) as honest:
                with trio.fail_after(8.0):
                    assert (await honest.get("/tuf/metadata/timestamp.json")).status_code == 200
            seconds = trio.current_time() - began
            nursery.cancel_scope.cancel()
        most = line_rate * seconds + MAX_FETCHES_PER_ENDPOINT * 200_000 + (64 << 10)  # what was under way before
        assert received - had <= most
        assert web.others.total_bytes >= received, "all of it was counted"


# --- hostile bodies ----------------------------------------------------------------------------


def with_version(csr_pem: str, version: int) -> str:
    """Return a request of another version, which its signature does not cover any more."""
    import ssl
    from base64 import encodebytes

    der = bytearray(ssl.PEM_cert_to_DER_cert(csr_pem.replace("CERTIFICATE REQUEST", "CERTIFICATE")))
    der[der.index(b"\x02\x01\x00") + 2] = version
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{encodebytes(bytes(der)).decode()}-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize("version", [1, 7, 255])
@pytest.mark.parametrize("path", ["/v1/enrol", "/v1/renew"])
async def test_a_request_of_an_unknown_version_is_refused_in_words(
    web: Web, capsys: pytest.CaptureFixture[str], path: str, version: int
) -> None:
    csr = with_version(certificate_request(new_key()), version)
    body = RenewRequest(csr=csr) if path == "/v1/renew" else EnrolRequest(secret=SECRET.hex(), csr=csr, hostname="pc")
    answer = await web.client.post(path, content=encode_body(body))
    assert answer.status_code == 400
    assert "not a readable PKCS #10 request" in problem(answer)
    assert "Traceback" not in "".join(capsys.readouterr())


async def test_nothing_is_signed_for_a_key_that_is_not_enrolled(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = []
    issue = CertificateAuthority.issue_endpoint_certificates

    def watched(self, csr_pem, now, **how):
        signed.append(csr_pem)
        return issue(self, csr_pem, now, **how)

    monkeypatch.setattr(CertificateAuthority, "issue_endpoint_certificates", watched)
    assert (await web.renew(new_key())).status_code == 403
    assert signed == []
    assert (await web.renew(web.member_key)).status_code == 200
    assert len(signed) == 1


async def test_wrong_tokens_do_not_stop_a_good_one_from_the_same_address(tmp_path: Path) -> None:
    """A PC floods with guesses, ten at a time; a colleague behind the same router enrols meanwhile."""
    turn_seconds = 0.05
    async with running_web(tmp_path, address=SERVER, limits=WebLimits(stranger_turn_seconds=turn_seconds)) as web:
        web.database.add_token(SECRET, uses=1, expires_at=web.now + 60, now=web.now)
        guesses, key = 0, new_key()

        async def guess() -> None:
            nonlocal guesses
            async with web.http(web.tls, ATTACKER) as client:
                while True:
                    request = EnrolRequest(secret=os.urandom(16).hex(), csr=certificate_request(key), hostname="x")
                    assert (await client.post("/v1/enrol", content=encode_body(request))).status_code == 403
                    guesses += 1

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(guess)
            began = trio.current_time()
            await trio.sleep(1.0)
            async with web.http(web.tls, ATTACKER) as client:
                request = EnrolRequest(secret=SECRET.hex(), csr=certificate_request(new_key()), hostname="good")
                with trio.fail_after(QUICK_SECONDS):
                    assert (await client.post("/v1/enrol", content=encode_body(request))).status_code == 200
            seconds = trio.current_time() - began
            nursery.cancel_scope.cancel()
        assert 0 < guesses <= seconds / turn_seconds, "turns are all that strangers get"


async def test_no_redirect_leads_where_a_client_says(web: Web) -> None:
    for path in ("/v1/health/", "/v1/ca/", "//v1/health"):
        answer = await web.client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 404
        assert "location" not in answer.headers


async def test_a_request_for_another_server_is_refused(web: Web) -> None:
    stream = await web.connect()
    await stream.send_all(b"GET https://evil.example/v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await all_of(stream)).startswith(b"HTTP/1.1 400 ")


# --- the log ------------------------------------------------------------------------------------


async def test_a_flood_of_refused_requests_is_a_line_or_two(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for n in range(100):
        body = EnrolRequest(secret=os.urandom(16).hex(), csr=certificate_request(web.member_key), hostname="\n" * n)
        assert (await web.client.post("/v1/enrol", content=encode_body(body))).status_code == 403
        assert (await web.renew(new_key())).status_code == 403
    assert sum(captured.count("request refused") for captured in capsys.readouterr()) == 1
