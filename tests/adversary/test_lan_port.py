"""Strangers and expired members at the LAN port of real daemons: what they hold, and what becomes of the patch."""

import contextlib
import os
import signal
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Member, is_verified, open_fleet
from p2pdist.local_api.delivery_answers import NetworkPartStatus
from tests.adversary.test_swarm_rogue import bittorrent_request
from tests.helpers.pki import Leaf, TestCA

pytestmark = pytest.mark.processes

FILE_BYTES = 4_000_003
WITHIN_SECONDS = 60.0
MAX_LOG_BYTES = 20_000
CONNECT_SECONDS = 20.0  # where the queue of callers is full, the kernel tries again after 1, 3 and 7 seconds
LET_GO_SECONDS = 20.0  # six seconds, on a busy machine


@contextlib.contextmanager
def silent(to: tuple[str, int], addresses: list[str], each: int) -> Iterator[list[socket.socket]]:
    """Hold ``each`` connections from each address, all addresses at once, and say nothing on them."""
    with contextlib.ExitStack() as stack:

        def called_from(address: str) -> list[socket.socket]:
            connections = []
            for _ in range(each):
                connection = stack.enter_context(socket.socket())
                connection.bind((address, 0))
                connection.settimeout(CONNECT_SECONDS)
                connection.connect(to)
                connections.append(connection)
            return connections

        with ThreadPoolExecutor(len(addresses)) as pool:
            held = [connection for called in pool.map(called_from, addresses) for connection in called]
        yield held


def ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def lan_port(member: Member) -> tuple[str, int]:
    """Where the daemon listens, by its log."""
    line = next(line for line in reversed(member.log.read_text().splitlines()) if "daemon is running" in line)
    return member.address, int(line.rpartition("lan_port=")[2])


async def started(fleet: Fleet) -> Member:
    await fleet.start_server()
    await fleet.start_endpoint(1)
    return fleet.endpoints[1]


def network_process(member: Member) -> int:
    """The id of the daemon's network part."""
    assert member.process is not None
    threads = Path(f"/proc/{member.process.pid}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return next(int(c) for c in children if b"p2pdist.network" in Path(f"/proc/{c}/cmdline").read_bytes())


@pytest.mark.parametrize(
    ("network", "addresses", "each"),
    [
        pytest.param("127.0.71", ["127.0.71.99"], 60, id="60 from one address"),
        pytest.param(
            "127.0.77", [f"127.0.77.{100 + k}" for k in range(20)], 55, id="1100 from twenty", marks=pytest.mark.slow
        ),
    ],
)
async def test_silent_connections_hold_up_no_patch(
    tmp_path: Path, network: str, addresses: list[str], each: int
) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(FILE_BYTES))
    async with open_fleet(tmp_path, network=network, endpoints=1) as fleet:
        member = await started(fleet)
        with silent(lan_port(member), addresses, each) as held:
            begun = time.monotonic()
            await fleet.publish(payload, "patch")
            await fleet.wait_until(lambda: is_verified(member, "patch"), WITHIN_SECONDS, "the patch")
            assert (await fleet.status(1)).problems == []
            with trio.fail_after(LET_GO_SECONDS):
                while not all(ended(connection) for connection in held):  # noqa: ASYNC110 - the kernel tells nobody
                    await trio.sleep(0.2)
            assert time.monotonic() - begun < WITHIN_SECONDS
        logged = member.log.read_text()
        assert "connections without a TLS handshake were ended" in logged
        assert len(logged) < MAX_LOG_BYTES


@pytest.mark.slow
async def test_stopping_amid_fifty_handshakes_is_clean(tmp_path: Path) -> None:
    """libtorrent 2.1.1 writes into freed memory when its session is destroyed then: it must not be."""
    async with open_fleet(tmp_path, network="127.0.72", endpoints=1) as fleet:
        member = await started(fleet)
        with silent(lan_port(member), [f"127.0.72.{100 + k}" for k in range(5)], 10):
            await trio.sleep(0.5)
            assert await fleet.stop(member) == 0
        assert "failed" not in member.log.read_text()


async def test_the_daemon_survives_its_network_part(tmp_path: Path) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(FILE_BYTES))
    async with open_fleet(tmp_path, network="127.0.73", endpoints=1) as fleet:
        member = await started(fleet)
        os.kill(network_process(member), signal.SIGABRT)
        with trio.fail_after(WITHIN_SECONDS):
            while not (status := await fleet.status(1)).problems:  # noqa: ASYNC110 - it is another process
                await trio.sleep(0.05)
        assert "SIGABRT" in status.problems[0]
        assert status.network_part is not None
        assert not status.network_part.running
        assert "not running" in status.server_connection
        await fleet.publish(payload, "patch")
        await fleet.wait_until(lambda: is_verified(member, "patch"), WITHIN_SECONDS, "the patch")
        after = (await fleet.status(1)).network_part
        assert after is not None
        assert (after.running, after.starts) == (True, 2)


async def test_the_network_part_has_no_rights(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a process another user")
    async with open_fleet(tmp_path, network="127.0.74", endpoints=1) as fleet:
        member = await started(fleet)
        part = (await fleet.status(1)).network_part
        assert isinstance(part, NetworkPartStatus)
        assert part.separate
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{network_process(member)}/status").read_text().splitlines()
            if ":\t" in line
        )  # fmt: skip
        assert set(status["Uid"].split()) != {"0"}
        assert status["CapEff"] == status["CapPrm"] == "0000000000000000"
        assert status["NoNewPrivs"] == "1"
        assert status["Groups"].strip() == ""
        uid = int(status["Uid"].split()[0])
        tries = [member.home / "identity" / "key.pem", member.home / "state", member.home / "daemon.sock"]
        code = (
            f"import os; os.chdir({str(member.home / 'cache')!r})\n"
            f"os.setgroups([]); os.setgid({uid}); os.setuid({uid})\n"
            f"for path in {[*map(str, tries), '../identity/key.pem', '..']!r}:\n"
            "    try: os.stat(path) if path != '..' else os.listdir(path)\n"
            "    except PermissionError: continue\n"
            "    print(path)\n"
        )
        assert (await trio.run_process([sys.executable, "-c", code], capture_stdout=True)).stdout == b""


# --- TLS ---------------------------------------------------------------------------------


def talk(
    to: tuple[str, int], request: bytes, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None
) -> tuple[int, bool | None, ssl.SSLSession | None]:
    """Make one connection; return how many bytes came, whether the session was resumed, and the new session."""
    with (
        socket.create_connection(to, timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name, session=session) as connection,
    ):
        connection.settimeout(2)
        connection.sendall(request)
        received = 0
        with contextlib.suppress(TimeoutError):
            while received < 20_000 and (chunk := connection.recv(65_536)):
                received += len(chunk)
        return received, connection.session_reused, connection.session


def member_context(leaf: Leaf, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(leaf.certificate + leaf.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


async def test_an_expired_member_cannot_go_on_by_a_resumed_session(ca: TestCA, open_endpoint, payload_of) -> None:
    payload = payload_of(1 << 20)
    async with open_endpoint() as seed:
        await seed.add(payload, complete=True)
        await seed.until(payload, lambda s: s.phase == "complete")
        ends = time.time() + 3
        context = member_context(ca.issue("*", valid_to=timedelta(seconds=3)), ssl.TLSVersion.TLSv1_3)
        to, name = (seed.address, seed.engine.listen_port), payload.torrent_hash[:40]
        ask = bittorrent_request(payload)
        received, _, session = await trio.to_thread.run_sync(talk, to, ask, context, name, None)
        assert received > 50
        await trio.sleep(ends - time.time() + 1.1)  # certificates end at whole seconds
        with pytest.raises(OSError, match="(?i)expired|reset|closed"):
            await trio.to_thread.run_sync(talk, to, ask, context, name, session)


async def test_the_lan_port_speaks_tls_1_3_alone_and_resumes_nothing(ca: TestCA, open_endpoint, payload_of) -> None:
    payload = payload_of(1 << 20)
    async with open_endpoint() as seed:
        await seed.add(payload, complete=True)
        await seed.until(payload, lambda s: s.phase == "complete")
        to, name = (seed.address, seed.engine.listen_port), payload.torrent_hash[:40]
        ask, leaf = bittorrent_request(payload), ca.issue("*")
        with pytest.raises(ssl.SSLError):
            await trio.to_thread.run_sync(talk, to, ask, member_context(leaf, ssl.TLSVersion.TLSv1_2), name, None)
        context = member_context(leaf, ssl.TLSVersion.TLSv1_3)
        _, _, session = await trio.to_thread.run_sync(talk, to, ask, context, name, None)
        _, resumed, _ = await trio.to_thread.run_sync(talk, to, ask, context, name, session)
        assert not resumed
        assert session is not None
        assert not session.has_ticket
