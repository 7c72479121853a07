"""Commands that share what they have loaded are processes of their own, and say what real ones say."""

import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
import trio

from bench import fleet, fleet_processes
from tests.helpers.ready_commands import ReadyCommands

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is for Linux")


def seed_server(*arguments: str | Path) -> list[str]:
    return ["/any/where/seed-server", *map(str, arguments)]


async def test_what_it_prints_and_how_it_ends_is_as_that_of_one_that_was_started(tmp_path: Path) -> None:
    for arguments in (["--help"], ["status", "--home", tmp_path / "none"], ["init", "--nonsense"]):
        for language in ("C.UTF-8", "ja_JP.UTF-8"):
            environment = {**os.environ, "NO_COLOR": "1", "LANGUAGE": language}
            ready = await fleet_processes.run_ours(seed_server(*arguments), environment)
            scripts = Path(sys.executable).parent
            real = await fleet_processes.run_to_its_end(
                [str(scripts / "seed-server"), *map(str, arguments)], environment
            )
            assert (ready.returncode, ready.stdout, ready.stderr) == (real.returncode, real.stdout, real.stderr)


async def test_it_gets_our_directory_and_only_the_environment_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("P2PDIST_TOKEN", "of another")
    made = seed_server("init", "--home", "home", "--name", "hq", "--address", "127.0.0.1", "--json")
    done = await fleet_processes.run_ours(made, {"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert (tmp_path / "home" / "server.toml").exists()


async def test_a_daemon_and_its_part_are_processes_of_their_own_and_end_as_started_ones(tmp_path: Path) -> None:
    async with fleet.open_fleet(tmp_path, network="127.0.78", endpoints=1) as few:
        await few.start_server()
        await few.start_endpoint(1)
        for member, module, count in ((few.server, "seed_server.service", 2), (few.endpoints[1], "p2pdist.network", 1)):
            assert member.process is not None
            process = psutil.Process(member.process.pid)
            children = process.children()
            assert str(member.home) in process.cmdline()
            assert [child.cmdline()[3] for child in children] == [module] * count
            assert await few.stop(member) == 0
            assert member.process.returncode == 0
            assert not any(child.is_running() for child in children)
        await few.launch_endpoint(1)
        await few.kill9(few.endpoints[1])
        assert few.endpoints[1].process is not None
        assert few.endpoints[1].process.returncode == -signal.SIGKILL


async def test_whoever_no_longer_waits_leaves_none_behind() -> None:
    ready = ReadyCommands()
    asleep = ["/any/where/seed-server", "serve", "--home", "/dev/stdin"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ready.run, seed_server("--help"), dict(os.environ))
    assert ready.process is not None
    with trio.move_on_after(0.0):
        await ready.run(asleep, dict(os.environ))
    loaded = psutil.Process(ready.process.pid)
    with trio.fail_after(30.0):
        while loaded.children(recursive=True):  # noqa: ASYNC110 - another process ends
            await trio.sleep(0.05)
    ready.close()
    assert not loaded.is_running()
