"""`seed_server.automation.webhook_sending`: real receivers, and some that mean ill; so may who set up the webhook."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from seed_server.automation.webhook_sending import MAX_READ_BYTES, Answered, WebhookSender
from seed_server.settings.addresses import networks_of
from tests.helpers.certificates import Authority, server_context
from tests.helpers.webhook_receiver import Receiver, endless, webhook_receiver

HEADERS = {"webhook-id": "evt_1", "Content-Type": "application/json"}
LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as made:
        yield made


def no_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


async def post(
    url: str,
    *allowed: str,
    seconds: float = 5.0,
    tls: Callable[[], ssl.SSLContext] = no_tls,
) -> Answered:
    sender = WebhookSender(networks_of(allowed, source="test"), tls, attempt_seconds=seconds)
    return await sender.post(url, HEADERS, b'{"a":1}', trio.CapacityLimiter(1))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (204, "delivered"), (299, "delivered"), (301, "redirected"), (307, "redirected"),
     (400, "refused"), (404, "refused"), (410, "gone"), (429, "refused"), (500, "refused"), (503, "refused")],
)  # fmt: skip
async def test_what_an_answer_means(receiver: Receiver, status: int, outcome: str) -> None:
    receiver.status = lambda _: status
    receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"} if 300 <= status < 400 else {}
    assert await post(receiver.url, *LOOPBACK) == (outcome, status)
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/hook", b'{"a":1}'), "a redirect is not followed"
    assert request.headers["webhook-id"] == "evt_1"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::1]",
                                  "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"])  # fmt: skip
async def test_this_machine_is_not_reached_however_it_is_called(receiver: Receiver, host: str) -> None:
    answered = await post(f"http://{host}:{receiver.port}/", "10.0.0.0/8")
    assert answered.outcome in {"not_allowed", "unknown_name"}
    assert receiver.requests == []


def resolving(*answers: list[str]) -> Callable[..., Any]:
    """Return what resolves names: each look-up to the next answer."""
    left = list(answers)
    real = socket.getaddrinfo

    def found(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if host != "rebind.test":
            return real(host, port, *rest, **named)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in left.pop(0)]

    return found


async def test_the_connection_goes_to_the_address_that_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere at its second look-up: there is none."""
    with webhook_receiver("127.0.0.2") as good:
        url = f"http://rebind.test:{good.port}/hook"
        monkeypatch.setattr(socket, "getaddrinfo", resolving(["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]))
        assert await post(url, "127.0.0.2") == ("delivered", 204)
        assert good.requests[0].headers["host"] == f"rebind.test:{good.port}"
        assert await post(url, "127.0.0.2") == ("not_allowed", 0)
        assert len(good.requests) == 1
    assert receiver.requests == []


async def test_of_several_addresses_only_those_are_tried_that_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook_receiver("127.0.0.2") as good, webhook_receiver("127.0.0.1") as bad:
        # on the port of the good one nothing listens at .3: the next address is tried
        monkeypatch.setattr(socket, "getaddrinfo", resolving(["127.0.0.1", "127.0.0.3", "127.0.0.2"]))
        assert await post(f"http://rebind.test:{good.port}/", "127.0.0.2", "127.0.0.3") == ("delivered", 204)
    assert (len(good.requests), bad.requests) == (1, [])


async def test_no_proxy_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook_receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await post(receiver.url, *LOOPBACK) == ("delivered", 204)
    assert proxy.requests == []


async def test_nobody_is_there(receiver: Receiver) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        assert await post(f"http://127.0.0.1:{taken.getsockname()[1]}/", *LOOPBACK) == ("unreachable", 0)
    assert await post("http://no-such-name.invalid/", *LOOPBACK) == ("unknown_name", 0)


async def test_a_receiver_that_does_not_answer_is_left_in_time(receiver: Receiver) -> None:
    receiver.pause_seconds = 20.0
    began = trio.current_time()
    assert await post(receiver.url, *LOOPBACK, seconds=0.3) == ("timeout", 0)
    assert trio.current_time() - began < 3.0


@pytest.mark.parametrize(
    ("line", "outcomes"),
    [
        (b"no HTTP at all\r\n", {"broken"}),
        (b"HTTP/1.1 200 OK\r\nX-Endless: " + b"a" * 4_000, {"broken", "timeout"}),
        (b"HTTP/1.1 100 Continue\r\n\r\n", {"broken", "timeout"}),
    ],
)
async def test_an_answer_without_an_end_is_left(receiver: Receiver, line: bytes, outcomes: set[str]) -> None:
    receiver.raw = endless(line)
    assert (await post(receiver.url, *LOOPBACK, seconds=1.0)).outcome in outcomes


async def test_of_a_body_without_an_end_only_a_part_is_read(receiver: Receiver) -> None:
    written = 0

    def write(file: Any) -> None:
        nonlocal written
        file.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            file.write(b"x" * 65_536)
            written += 65_536

    receiver.raw = write
    assert await post(receiver.url, *LOOPBACK, seconds=20.0) == ("delivered", 200)
    await trio.sleep(0.2)
    assert written < MAX_READ_BYTES + (32 << 20), "what the system's buffers hold"


async def test_a_receiver_that_closes_at_once(receiver: Receiver) -> None:
    receiver.raw = lambda _file: None
    assert await post(receiver.url, *LOOPBACK) == ("broken", 0)


async def test_a_look_up_that_hangs_is_left_in_time_and_holds_only_its_own_thread(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    hangs, real = threading.Event(), socket.getaddrinfo

    def found(host: Any, *rest: Any, **named: Any) -> Any:
        if host == "hangs.test":
            hangs.wait(5.0)
            raise socket.gaierror
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    sender = WebhookSender(networks_of(LOOPBACK, source="test"), no_tls, attempt_seconds=0.2)
    mine = trio.CapacityLimiter(1)
    try:
        for _ in range(3):
            assert (await sender.post("http://hangs.test/", HEADERS, b"", mine)).outcome == "timeout"
        assert mine.borrowed_tokens == 1
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
        assert await post(receiver.url, *LOOPBACK) == ("delivered", 204)
    finally:
        hangs.set()


@pytest.mark.parametrize(
    ("named", "trusted", "outcome"), [("rebind.test", True, "delivered"), ("127.0.0.1", True, "certificate"),
                                      ("rebind.test", False, "certificate")],
)  # fmt: skip
async def test_a_certificate_is_held_to_the_name_and_not_to_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, trusted: bool, outcome: str
) -> None:
    ours, other = Authority("ours"), Authority("other")
    monkeypatch.setattr(socket, "getaddrinfo", resolving(["127.0.0.1"]))
    tls = ssl.create_default_context(cadata=(ours if trusted else other).pem)
    with webhook_receiver(tls=server_context(ours, tmp_path, named)) as receiver:
        answered = await post(f"https://rebind.test:{receiver.port}/", *LOOPBACK, tls=lambda: tls)
    assert answered.outcome == outcome
    assert len(receiver.requests) == (outcome == "delivered")
