"""The server's parts as real processes, one of which ends.

What runs here: `seed_server.service.supervisor`, `seed_server.service.__main__`, `seed_server.service.part`,
`seed_server.service.origin_part` and `seed_server.service.web_part`.
"""

import os
import signal
from pathlib import Path

import psutil
import pytest
import trio

from p2pdist.shared.console import ExitCode
from p2pdist.shared.priority import NICE
from p2pdist.shared.wire.messages import News, NewsWanted
from seed_server.origin.server import STOPPING
from seed_server.store.serve_lock import is_serving
from tests.helpers.running_server import SERVE, running_server

pytestmark = pytest.mark.processes

TIMESTAMP = "/tuf/metadata/timestamp.json"


async def gone(pid: int) -> None:
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
        await trio.sleep(0.01)


async def test_a_crash_of_the_origin_part_is_survived_by_the_web_port(tmp_path: Path) -> None:
    async with running_server(tmp_path, "127.0.45.11") as server:
        web = await server.http()
        before = await web.get(TIMESTAMP)
        assert before.status == 200
        parts = server.parts()
        if os.geteuid() == 0:
            assert psutil.Process(parts["origin"]).nice() == psutil.Process(parts["web"]).nice() - NICE
        assert os.getsid(parts["origin"]) == parts["origin"], "with its own share of the processors"
        os.kill(parts["origin"], signal.SIGKILL)
        assert (await web.get(TIMESTAMP)).body == before.body, "the same connection"
        await server.logged("a part of the server has ended", "part=origin", "SIGKILL")
        control = await server.control()  # it waits for the next process
        assert server.parts()["web"] == parts["web"]
        assert (await web.get(TIMESTAMP)).body == before.body
        await control.send(NewsWanted(root=1, snapshot=0))
        assert (await control.expect(News)).files
        await server.logged("endpoint connected", "part=origin")


async def test_a_crash_of_the_web_part_is_survived_by_connected_pcs(tmp_path: Path) -> None:
    async with running_server(tmp_path, "127.0.45.12") as server:
        control = await server.control()
        parts = server.parts()
        os.kill(parts["web"], signal.SIGKILL)
        web = await server.http()  # it waits for the next process
        assert (await web.get(TIMESTAMP)).status == 200
        await server.logged("a part of the server has ended", "part=web", "SIGKILL")
        assert server.parts()["origin"] == parts["origin"]
        await control.send(NewsWanted(root=1, snapshot=0))
        assert (await control.expect(News)).files, "the same connection"


async def test_when_the_parent_is_killed_both_parts_end_and_the_next_one_starts(tmp_path: Path) -> None:
    async with running_server(tmp_path, "127.0.45.13") as server:
        control = await server.control()
        parts = server.parts()
        server.process.kill()
        await server.process.wait()
        with trio.fail_after(5):
            for pid in parts.values():
                await gone(pid)
            assert await control.closed() == "", "as when the whole server is killed"
        assert not is_serving(server.home)
        await server.start()
        assert (await (await server.http()).get(TIMESTAMP)).status == 200


async def test_who_restarts_a_killed_server_at_once_gets_the_ports_when_the_old_parts_are_gone(tmp_path: Path) -> None:
    async with running_server(tmp_path, "127.0.45.14") as server:
        parts = server.parts()
        os.kill(parts["web"], signal.SIGSTOP)  # so busy that it notices nothing
        server.process.kill()
        await server.process.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.start)
            await trio.sleep(1.5)
            os.kill(parts["web"], signal.SIGCONT)
        assert (await (await server.http()).get(TIMESTAMP)).status == 200


@pytest.mark.parametrize("to_all", [True, False], ids=["as a service manager does", "to the parent"])
async def test_it_ends_in_order_when_it_is_told_to(tmp_path: Path, *, to_all: bool) -> None:
    async with running_server(tmp_path, "127.0.45.15") as server:
        control = await server.control()
        parts = server.parts()
        for pid in (server.process.pid, *(parts.values() if to_all else ())):
            os.kill(pid, signal.SIGTERM)
        assert await control.closed() == STOPPING
        assert await server.process.wait() == 0
        assert server.lines("stopping", "SIGTERM")
        assert server.lines("starts again") == []
        assert server.lines("the other part of the server is gone", "part=origin"), "the web part ends first"
        assert [pid for pid in parts.values() if psutil.pid_exists(pid)] == []
        assert not is_serving(server.home)


async def test_what_keeps_one_part_from_starting_ends_the_server_with_its_reason(tmp_path: Path) -> None:
    async with running_server(tmp_path, "127.0.45.16") as server:
        server.process.terminate()
        await server.process.wait()
        (document,) = (server.home.tuf_targets / "rollouts").glob("*.current")
        document.write_bytes(b"damaged")
        told = await trio.run_process([*SERVE, str(server.home.root)], capture_stderr=True, check=False)
        assert told.returncode == ExitCode.STORAGE
        text = told.stderr.decode()
        assert "error: " in text
        assert "rollouts" in text
        assert "Traceback" not in text


async def test_answers_of_the_web_port_are_paced_by_what_the_origin_part_knows_of_the_line(tmp_path: Path) -> None:
    sites = '[[site]]\nname = "slow"\nnetworks = ["127.0.45.0/24"]\nline_mbit = 0.8\n'
    async with running_server(tmp_path, "127.0.45.17", sites=sites) as server:
        (server.home.tuf_targets / "large").write_bytes(bytes(150_000))
        web = await server.http()
        answer = await web.get("/tuf/targets/large")
        assert len(answer.body) == 150_000
        assert answer.seconds > 1.2, "100 kB/s, and a burst"
        os.kill(server.parts()["origin"], signal.SIGSTOP)  # it hears nothing: nothing goes to the line either
        with trio.move_on_after(1.0) as waited:
            await web.get("/tuf/targets/large")
        assert waited.cancelled_caught
        os.kill(server.parts()["origin"], signal.SIGCONT)
