"""`p2pdist.local_api.socket`: a real Unix socket between a daemon and its commands."""

import errno
import socket
from pathlib import Path

import msgspec
import pytest
import trio

from p2pdist.local_api.delivery_answers import Peer, PeersAnswer
from p2pdist.local_api.install_answers import Accepted, Deferred
from p2pdist.local_api.messages import DEFER, PEERS, RETRY, DeferOrder, PatchOrder, Refusal
from p2pdist.local_api.socket import MAX_REQUEST_BYTES, answers, ask_daemon, carries_out, serve_local_socket
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.frames import FrameDecoder, encode_frame
from tests.helpers.daemon_answers import enrolled_daemon

ANSWER = PeersAnswer(
    [Peer("köln", "192.0.2.1", 7691, ["mdns"], connected=True, reason=None, bytes_received=1, bytes_sent=2)]
)
PEERS_HANDLER = answers(PEERS, lambda: ANSWER)


async def test_request_and_answer(tmp_path: Path) -> None:
    async with serve_local_socket(tmp_path / "daemon.sock", [PEERS_HANDLER]):
        assert await ask_daemon(tmp_path / "daemon.sock", PEERS) == ANSWER


async def test_home_deeper_than_a_socket_path_allows(tmp_path: Path) -> None:
    home = tmp_path / ("d" * 100) / ("e" * 100)
    home.mkdir(parents=True)
    async with serve_local_socket(home / "daemon.sock", [PEERS_HANDLER]):
        assert await ask_daemon(home / "daemon.sock", PEERS) == ANSWER


async def test_no_daemon_is_said_clearly(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not running") as caught:
        await ask_daemon(tmp_path / "daemon.sock", PEERS)
    assert caught.value.kind is FaultKind.NOT_RUNNING


async def test_socket_left_by_a_killed_daemon_is_no_daemon_and_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "daemon.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(UserError, match="not running"):
        await ask_daemon(path, PEERS)
    async with serve_local_socket(path, [PEERS_HANDLER]):
        assert await ask_daemon(path, PEERS) == ANSWER
    assert not path.exists()


async def test_only_the_owner_may_use_the_socket(tmp_path: Path) -> None:
    async with serve_local_socket(tmp_path / "daemon.sock", []):
        assert (tmp_path / "daemon.sock").stat().st_mode & 0o077 == 0


async def test_who_may_not_ask_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def denied(_connection: object, _path: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("p2pdist.local_api.socket._connect", denied)
    with pytest.raises(UserError, match="belongs to another user. Run the command as the user that runs") as caught:
        await ask_daemon(tmp_path / "daemon.sock", PEERS)
    assert caught.value.kind is FaultKind.REFUSED


async def test_a_command_that_the_daemon_does_not_know_is_an_error_of_the_asker(tmp_path: Path) -> None:
    async with serve_local_socket(tmp_path / "daemon.sock", []):
        with pytest.raises(UserError, match="does not know the command 'peers'; it may be an older version") as caught:
            await ask_daemon(tmp_path / "daemon.sock", PEERS)
        assert caught.value.kind is FaultKind.FAILED


@pytest.mark.parametrize("patch", ["a" * 2_000, "\udcff"])
async def test_what_cannot_be_asked_is_the_asker_s_mistake(tmp_path: Path, patch: str) -> None:
    with pytest.raises(UserError, match="too long, or no text") as caught:
        await ask_daemon(tmp_path / "daemon.sock", RETRY, PatchOrder(patch))
    assert caught.value.kind is FaultKind.BAD_INPUT


async def test_an_order_arrives_with_its_arguments_and_a_refusal_with_its_kind(tmp_path: Path) -> None:
    orders: list[DeferOrder] = []

    async def defer(order: DeferOrder) -> Deferred:
        orders.append(order)
        if order.seconds is None:
            raise UserError("köln stays as planned.", FaultKind.REFUSED)
        return Deferred(order.patch, "1", until=order.seconds, deferrals_left=0)

    async with serve_local_socket(tmp_path / "daemon.sock", [carries_out(DEFER, defer)]):
        answer = await ask_daemon(tmp_path / "daemon.sock", DEFER, DeferOrder("köln", 60.0))
        assert answer == Deferred("köln", "1", until=60.0, deferrals_left=0)
        with pytest.raises(UserError, match="köln stays as planned") as caught:
            await ask_daemon(tmp_path / "daemon.sock", DEFER, DeferOrder("köln"))
        assert caught.value.kind is FaultKind.REFUSED
    assert orders == [DeferOrder("köln", 60.0), DeferOrder("köln")]


async def test_a_full_disk_is_a_refusal_and_ends_nothing(tmp_path: Path) -> None:
    async def retry(_order: PatchOrder) -> Accepted:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with serve_local_socket(tmp_path / "daemon.sock", [carries_out(RETRY, retry), PEERS_HANDLER]):
        with pytest.raises(UserError, match="cannot write it down: No space left on device") as caught:
            await ask_daemon(tmp_path / "daemon.sock", RETRY, PatchOrder("x"))
        assert caught.value.kind is FaultKind.STORAGE
        assert await ask_daemon(tmp_path / "daemon.sock", PEERS) == ANSWER


@pytest.mark.parametrize("arguments", ['{"patch": 1}', "{}", '{"patch": "x", "until": 1}', "[]", "x", '{"patch":"x"}}'])
async def test_arguments_that_the_daemon_does_not_understand_are_refused(tmp_path: Path, arguments: str) -> None:
    async def retry(_order: PatchOrder) -> Accepted:
        raise AssertionError("not asked for")

    path = tmp_path / "daemon.sock"
    async with (
        serve_local_socket(path, [carries_out(RETRY, retry)]),
        await trio.open_unix_socket(str(path)) as stream,
    ):
        await stream.send_all(encode_frame(f"retry {arguments}".encode(), max_bytes=MAX_REQUEST_BYTES))
        (body,) = FrameDecoder(max_bytes=MAX_REQUEST_BYTES).feed(bytes(await stream.receive_some()))
    refusal = msgspec.json.decode(body, type=Refusal)
    assert refusal.kind is FaultKind.BAD_INPUT
    assert "does not understand the arguments of 'retry'" in refusal.refused


@pytest.mark.parametrize(
    ("answer", "words", "kind"),
    [
        pytest.param(
            b'{"peers": [{"id": 1}]}', "'peers' in another way .*it may be an older", FaultKind.FAILED, id="old"
        ),
        pytest.param(b'{"disabled": "no"}', "'peers' in another way", FaultKind.FAILED, id="another shape"),
        pytest.param(b'{"refused": "no", "kind": "busy"}', "no", FaultKind.BUSY, id="refused"),
        pytest.param(b"no", "does not answer", FaultKind.NOT_RUNNING, id="no JSON"),
    ],
)
async def test_answers_that_are_none(tmp_path: Path, answer: bytes, words: str, kind: FaultKind) -> None:
    with enrolled_daemon(tmp_path, {"peers": answer}), pytest.raises(UserError, match=words) as caught:
        await ask_daemon(EndpointHome(tmp_path).socket, PEERS)
    assert caught.value.kind is kind


async def test_a_newer_daemon_may_say_more(tmp_path: Path) -> None:
    said = msgspec.json.encode(msgspec.to_builtins(ANSWER) | {"weather": "rain"})
    with enrolled_daemon(tmp_path, {"peers": said}):
        assert await ask_daemon(EndpointHome(tmp_path).socket, PEERS) == ANSWER


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="http"),
        pytest.param(b"\0\0\0\0", id="empty frame"),
        pytest.param((MAX_REQUEST_BYTES + 1).to_bytes(4, "big"), id="oversized frame"),
        pytest.param(b"\0\0\0\x06sta", id="cut frame"),
    ],
)
async def test_nonsense_leaves_the_daemon_answering(tmp_path: Path, nonsense: bytes) -> None:
    path = tmp_path / "daemon.sock"
    async with serve_local_socket(path, [PEERS_HANDLER]):
        async with await trio.open_unix_socket(str(path)) as stream:
            await stream.send_all(nonsense)
            stream.socket.shutdown(socket.SHUT_WR)
            with trio.fail_after(5):
                assert await stream.receive_some() == b""
        assert await ask_daemon(path, PEERS) == ANSWER


async def test_daemon_that_does_not_answer_is_reported(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    listener = trio.socket.socket(socket.AF_UNIX)
    await listener.bind(str(tmp_path / "daemon.sock"))
    listener.listen()
    with listener, pytest.raises(UserError, match="does not answer"):
        await ask_daemon(tmp_path / "daemon.sock", PEERS)


async def test_socket_that_cannot_be_made_or_asked_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "daemon.sock").mkdir()
    with pytest.raises(UserError, match="cannot be made") as caught:
        async with serve_local_socket(tmp_path / "daemon.sock", []):
            pass
    assert caught.value.kind is FaultKind.STORAGE
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError):
        await ask_daemon(tmp_path / "file" / "daemon.sock", PEERS)
