"""`p2pdist.transfer.torrent_engine.handshake_guard`: who is ended, and that nobody else is."""

import contextlib
import socket
import subprocess
import sys
import textwrap

import pytest
import trio

from p2pdist.transfer.torrent_engine.handshake_guard import (
    HANDSHAKE_SECONDS,
    MAX_CALLERS,
    MAX_CALLERS_PER_ADDRESS,
    OLD_SECONDS,
    SETTLING_SECONDS,
    Connection,
    ConnectionWatch,
    connections_of,
    guard_handshakes,
)


def callers(address: str, number: int, first_port: int = 1) -> list[Connection]:
    return [Connection(address, first_port + k, 100 + k, incoming=True) for k in range(number)]


def look(
    watch: ConnectionWatch, present: list[Connection], now: float, peers: set[tuple[str, int]] | None = None
) -> int:
    """Return how many are ended."""
    watch.look(present, now)
    return len(watch.to_end(present, peers or set(), now))


def test_a_caller_has_some_seconds() -> None:
    watch, present = ConnectionWatch(), callers("10.0.0.1", 1)
    assert look(watch, present, 0.0) == 0
    assert look(watch, present, HANDSHAKE_SECONDS - 0.1) == 0
    assert look(watch, present, HANDSHAKE_SECONDS) == 1


def test_who_has_passed_the_handshake_is_left_alone() -> None:
    watch, present = ConnectionWatch(), callers("10.0.0.1", 2)
    assert look(watch, present, 0.0) == 0
    assert look(watch, present, 5.0, {present[0].place}) == 0
    assert watch.unproven(present) == [present[1]], "the other one need not be asked about again"
    assert look(watch, present, 60.0) == 1


def test_a_port_that_is_used_again_is_another_caller() -> None:
    watch, present = ConnectionWatch(), callers("10.0.0.1", 1)
    look(watch, present, 0.0, {present[0].place})
    look(watch, [], 1.0)
    assert look(watch, present, 2.0) == 0
    assert look(watch, present, 2.0 + HANDSHAKE_SECONDS) == 1


def test_an_address_holds_few_once_they_have_settled() -> None:
    watch, present = ConnectionWatch(), callers("10.0.0.1", MAX_CALLERS_PER_ADDRESS + 5)
    assert look(watch, present, 0.0) == 0, "a neighbour connects for many torrents at once"
    assert look(watch, present, SETTLING_SECONDS) == 5


def test_all_together_hold_no_more_than_the_cap() -> None:
    watch = ConnectionWatch()
    present = [caller for k in range(40) for caller in callers(f"10.0.0.{k}", 10)]
    assert look(watch, present, 0.0) == len(present) - MAX_CALLERS


@pytest.mark.parametrize("incoming", [True, False])
def test_a_neighbour_shows_its_certificate_again_every_hour(incoming: bool) -> None:
    watch = ConnectionWatch()
    neighbour = Connection("10.0.0.1", 7_691, 5, incoming=incoming)
    server = Connection("192.0.2.1", 7_690, 6, incoming=False)
    present, peers = [neighbour, server], {neighbour.place}
    assert look(watch, present, 0.0, peers) == 0
    assert look(watch, present, OLD_SECONDS - 1, peers) == 0
    watch.look(present, OLD_SECONDS)
    assert watch.to_end(present, peers, OLD_SECONDS) == [neighbour]
    watch.look([server], OLD_SECONDS + 1)
    assert watch.old([server], OLD_SECONDS + 1) == [], "the server is not a neighbour, and not asked about again"


class Listener:
    """A listener of this process, of which nothing is known but its port."""

    def __init__(self, port: int, peers: set[tuple[str, int]]) -> None:
        self.listen_port = port
        self.peers = peers

    async def connected_peers(self) -> set[tuple[str, int]]:
        await trio.lowlevel.checkpoint()
        return self.peers


async def test_only_incoming_connections_to_the_port_are_ended() -> None:
    with socket.create_server(("127.0.76.1", 0)) as listener, socket.create_server(("127.0.76.1", 0)) as other:
        stranger, elsewhere = (socket.create_connection(s.getsockname(), timeout=9) for s in (listener, other))
        accepted, bystander = listener.accept()[0], other.accept()[0]
        neighbour = socket.create_connection(listener.getsockname(), timeout=9)
        proven = listener.accept()[0]
        with stranger, elsewhere, neighbour, accepted, bystander, proven:
            port = listener.getsockname()[1]
            assert {c.place for c in connections_of(port) if c.incoming} == {
                stranger.getsockname(),
                neighbour.getsockname(),
            }
            with trio.move_on_after(HANDSHAKE_SECONDS + 3):
                await guard_handshakes(Listener(port, {neighbour.getsockname()}), lambda: None)
            assert stranger.recv(1) == b""
            for kept in (elsewhere, neighbour):
                kept.setblocking(False)
                with pytest.raises(BlockingIOError):
                    kept.recv(1)


async def test_strangers_who_take_all_descriptors_are_ended_too() -> None:
    """Even to list its descriptors a process needs one."""
    script = textwrap.dedent(
        """
        import os, resource, socket, threading, time
        import trio
        from p2pdist.shared.logs import configure_log
        from p2pdist.transfer.torrent_engine.handshake_guard import MAX_CALLERS, guard_handshakes

        configure_log("warning")  # as each process does when it starts
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
        listening = socket.create_server(("127.0.59.21", 0), backlog=1_000)

        class Port:
            listen_port = listening.getsockname()[1]

            async def connected_peers(self):
                return set()

        async def main():
            accepted, calm = [], threading.Event()
            with trio.move_on_after(20):
                async with trio.open_nursery() as nursery:
                    print(Port.listen_port, flush=True)
                    input()
                    while True:
                        try:
                            accepted.append(listening.accept()[0])
                        except OSError:
                            break
                    nursery.start_soon(guard_handshakes, Port(), calm.set)
                    while not all(ended(each) for each in accepted[MAX_CALLERS:]):
                        await trio.sleep(0.05)
                    for each in accepted:
                        each.close()
                    while not calm.is_set():
                        await trio.sleep(0.05)
                    print("ended", flush=True)
                    nursery.cancel_scope.cancel()

        def ended(connection):
            connection.setblocking(False)
            try:
                return connection.recv(1) == b""
            except BlockingIOError:
                return False

        trio.run(main)
        """
    )
    process = subprocess.Popen(  # noqa: ASYNC220 - it answers at once
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process, contextlib.ExitStack() as stack:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        for _ in range(700):
            stack.enter_context(socket.create_connection(("127.0.59.21", port), timeout=5))
        said, errors = await trio.to_thread.run_sync(process.communicate, "\n")
    assert said.endswith("ended\n"), errors
