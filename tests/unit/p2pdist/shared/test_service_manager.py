"""A service says to its manager that it runs, and no child of it can."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.shared.service_manager import ServiceManager


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def environment(sock: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": sock.getsockname(), "PATH": "/bin", **more}


async def test_it_hears_that_the_service_runs_and_that_it_stops(heard: socket.socket) -> None:
    given = environment(heard, WATCHDOG_USEC="3000000", WATCHDOG_PID=str(os.getpid()))
    manager = ServiceManager.of(given)
    assert given == {"PATH": "/bin"}, "what it starts cannot speak in its name"
    manager.running("as pc-1")
    assert heard.recv(100) == b"READY=1\nSTATUS=as pc-1"
    manager.stopping()
    assert heard.recv(100) == b"STOPPING=1\nSTATUS=stopping"


async def test_a_living_thread_is_heard_three_times_in_the_managers_patience(
    heard: socket.socket, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(59.0):
        await ServiceManager.of(environment(heard, WATCHDOG_USEC="60000000")).keep_told()
    heard.setblocking(False)
    assert [heard.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    with pytest.raises(BlockingIOError):
        heard.recv(100)


@pytest.mark.parametrize(
    "watchdog", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}]
)
async def test_without_a_watchdog_or_with_anothers_nothing_is_said(
    heard: socket.socket, watchdog: dict[str, str]
) -> None:
    with trio.fail_after(5):
        await ServiceManager.of(environment(heard, **watchdog)).keep_told()


async def test_no_manager_and_one_that_has_gone_disturb_nobody(tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "gone"), "@p2pdist-nobody-listens"):
        ServiceManager(address).running("x")


async def test_an_abstract_socket_is_spoken_to() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"p2pdist-test-{os.getpid()}"
        sock.bind(f"\0{name}")
        sock.settimeout(5)
        ServiceManager(f"@{name}").stopping()
        assert sock.recv(100).startswith(b"STOPPING=1")
