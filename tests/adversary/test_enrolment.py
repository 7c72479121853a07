"""A PC that was denied, and a user who looks for somebody else's token: real server, real commands."""

import functools
import json
import socket
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, open_fleet
from bench.fleet_processes import FleetError, run_command
from p2pdist.shared.wire.enrolment import SECRET_BYTES, Token, encode_token

pytestmark = pytest.mark.processes

SILENT = "127.0.68.9"
DEADLINE_SECONDS = 60.0  # each takes seconds; a machine may be busy


@asynccontextmanager
async def server(tmp_path: Path) -> AsyncIterator[Fleet]:
    with trio.fail_after(DEADLINE_SECONDS):
        async with open_fleet(tmp_path, network="127.0.68", endpoints=1) as fleet:
            await fleet.start_server()
            yield fleet


async def enrol(fleet: Fleet, home: Path, token: str, *options: str) -> str:
    """Enrol a PC as its user would; return its id. A new home has a new key."""
    token_file = home.with_suffix(".token")
    token_file.write_text(token)
    token_file.chmod(0o600)
    own = ("--address", fleet.endpoints[1].address)
    printed = await run_command(
        "p2pdist", "enrol", "--home", home, "--token-file", token_file, *own, *options, "--json"
    )
    endpoint_id: str = json.loads(printed)["endpoint_id"]
    return endpoint_id


async def test_denied_pc_cannot_come_back_under_a_new_key(tmp_path: Path) -> None:
    async with server(tmp_path) as fleet:
        home = ("--home", fleet.server.home)
        token = await fleet.token("--uses", "20", "--ttl", "8h")
        first = await enrol(fleet, tmp_path / "a", token)
        said = await run_command("seed-server", "deny", *home, first)
        assert "is revoked: it was good for 19 more." in said
        with pytest.raises(FleetError, match="revoked"):
            await enrol(fleet, tmp_path / "b", token)
        with pytest.raises(FleetError, match="denied"):  # nor under the old one
            await enrol(fleet, tmp_path / "a", token, "--force")
        endpoints = json.loads(await run_command("seed-server", "endpoints", *home, "--json"))
        assert [(row["id"], row["denied"]) for row in endpoints] == [(first, True)]


async def test_stolen_token_that_asks_for_approval_buys_nothing(tmp_path: Path) -> None:
    async with server(tmp_path) as fleet:
        home = ("--home", fleet.server.home)
        token = await fleet.token("--approve")
        with pytest.raises(FleetError, match="waits for the operator"):
            await enrol(fleet, tmp_path / "a", token)
        assert not (tmp_path / "a" / "identity" / "identity.json").exists()
        (row,) = json.loads(await run_command("seed-server", "endpoints", *home, "--json"))
        assert (row["denied"], row["pending"]) == (True, True)
        await run_command("seed-server", "allow", *home, row["id"])
        assert await enrol(fleet, tmp_path / "a", token) == row["id"]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="Linux shows every user what others run")
@pytest.mark.parametrize("way", ["file", "standard input"])
async def test_other_users_see_no_token_in_the_process_list(tmp_path: Path, way: str) -> None:
    with socket.socket() as silent:  # connected to and never answered: the command hangs, as on a slow line
        silent.bind((SILENT, 0))
        silent.listen()
        port = silent.getsockname()[1]
        token = encode_token(
            Token(
                address=SILENT, web_port=port, ca_pin=bytes(32), root_pin=bytes(32), secret=bytes(range(SECRET_BYTES))
            )
        )
        (token_file := tmp_path / "token").write_text(token)
        given = str(token_file) if way == "file" else "-"
        program = str(Path(sysconfig.get_path("scripts"), "p2pdist"))
        start = functools.partial(
            trio.run_process,
            [program, "enrol", "--home", str(tmp_path / "a"), "--token-file", given],
            stdin=token.encode(),
            capture_stderr=True,
            check=False,
        )
        with trio.fail_after(DEADLINE_SECONDS):
            async with trio.open_nursery() as nursery:
                process: trio.Process = await nursery.start(start)
                connection, _ = await trio.to_thread.run_sync(silent.accept, abandon_on_cancel=True)
                with connection:  # the command has the token by now
                    seen = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
                    process.kill()
    assert b"--token-file" in seen
    assert b"p2pd-" not in seen
