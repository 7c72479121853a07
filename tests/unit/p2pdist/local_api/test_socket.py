"""`p2pdist.local_api.socket`: a real Unix socket between a daemon and its commands."""

import socket
from pathlib import Path

import pytest
import trio

from p2pdist.local_api.socket import MAX_REQUEST_BYTES, ask_daemon, serve_local_socket
from p2pdist.shared.errors import FaultKind, UserError


async def test_request_and_answer(tmp_path: Path) -> None:
    async with serve_local_socket(tmp_path / "daemon.sock", {"status": lambda: {"site": "köln"}}):
        assert await ask_daemon(tmp_path / "daemon.sock", "status") == {"site": "köln"}


async def test_home_deeper_than_a_socket_path_allows(tmp_path: Path) -> None:
    home = tmp_path / ("d" * 100) / ("e" * 100)
    home.mkdir(parents=True)
    async with serve_local_socket(home / "daemon.sock", {"status": lambda: {"ok": True}}):
        assert await ask_daemon(home / "daemon.sock", "status") == {"ok": True}


async def test_no_daemon_is_said_clearly(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not running") as caught:
        await ask_daemon(tmp_path / "daemon.sock", "status")
    assert caught.value.kind is FaultKind.NOT_RUNNING


async def test_socket_left_by_a_killed_daemon_is_no_daemon_and_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "daemon.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(UserError, match="not running"):
        await ask_daemon(path, "status")
    async with serve_local_socket(path, {"status": lambda: {"ok": True}}):
        assert await ask_daemon(path, "status") == {"ok": True}
    assert not path.exists()


async def test_only_the_owner_may_use_the_socket(tmp_path: Path) -> None:
    async with serve_local_socket(tmp_path / "daemon.sock", {}):
        assert (tmp_path / "daemon.sock").stat().st_mode & 0o077 == 0


async def test_unknown_command_is_an_error_of_the_asker(tmp_path: Path) -> None:
    async with serve_local_socket(tmp_path / "daemon.sock", {}):
        with pytest.raises(UserError, match="does not know the command 'dance'"):
            await ask_daemon(tmp_path / "daemon.sock", "dance")


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
    async with serve_local_socket(path, {"status": lambda: {"ok": True}}):
        async with await trio.open_unix_socket(str(path)) as stream:
            await stream.send_all(nonsense)
            stream.socket.shutdown(socket.SHUT_WR)
            with trio.fail_after(5):
                assert await stream.receive_some() == b""
        assert await ask_daemon(path, "status") == {"ok": True}


async def test_daemon_that_does_not_answer_is_reported(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    listener = trio.socket.socket(socket.AF_UNIX)
    await listener.bind(str(tmp_path / "daemon.sock"))
    listener.listen()
    with listener, pytest.raises(UserError, match="does not answer"):
        await ask_daemon(tmp_path / "daemon.sock", "status")


async def test_socket_that_cannot_be_made_or_asked_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "daemon.sock").mkdir()
    with pytest.raises(UserError, match="cannot be made") as caught:
        async with serve_local_socket(tmp_path / "daemon.sock", {}):
            pass
    assert caught.value.kind is FaultKind.STORAGE
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError):
        await ask_daemon(tmp_path / "file" / "daemon.sock", "status")
