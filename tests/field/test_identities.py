"""What happens to PCs' identities in the field: replies that are lost, homes that are copied."""

import json
import os
import shutil
import sysconfig
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio

from bench.fleet import Fleet, is_connected, is_verified, open_fleet
from bench.fleet_processes import run_command
from p2pdist.identity.enrolment import enrol
from p2pdist.shared.errors import UserError
from p2pdist.shared.wire.enrolment import Token, encode_token
from p2pdist.trust.roots import root_pin
from seed_server.origin.records import FLUSH_SECONDS
from seed_server.store.token_names import token_id_of
from tests.helpers.web_harness import SECRET, running_web

ADDRESS = "127.0.33.2"
HANDSHAKE_BYTES = 3_000  # more than TLS needs from the server, less than the reply to an enrolment


@asynccontextmanager
async def losing_the_reply(target: tuple[str, int]) -> AsyncIterator[int]:
    """Run a line that carries everything but the answer on its second connection; give its port."""
    connections = 0

    async def carry(
        source: trio.SocketStream, sink: trio.SocketStream, most_bytes: int, over: trio.CancelScope
    ) -> None:
        carried = 0
        async for data in source:
            carried += len(data)
            if carried > most_bytes:
                break
            await sink.send_all(data)
        over.cancel()

    async def serve(client: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        most_bytes = HANDSHAKE_BYTES if connections == 2 else 1 << 20  # the first one fetches the authority
        server = await trio.open_tcp_stream(*target)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(carry, client, server, 1 << 20, nursery.cancel_scope)
            nursery.start_soon(carry, server, client, most_bytes, nursery.cancel_scope)

    listeners = await trio.open_tcp_listeners(0, host=target[0])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_lost_reply_to_enrol_is_given_again_to_the_same_key_and_to_no_other(
    tmp_path: Path, tuf_simulator: ModuleType
) -> None:
    root = tuf_simulator.RepositorySimulator().first_root
    async with running_web(tmp_path / "server", address=ADDRESS, trusted_root=root.decode) as web:
        web.database.add_token(SECRET, 1, web.now + 600, web.now)
        async with losing_the_reply(web.address) as port:
            pin = web.authority.control_ca_pin()
            token = Token(address=ADDRESS, web_port=port, ca_pin=pin, root_pin=root_pin(root), secret=SECRET)
            text, now = encode_token(token), time.time()
            with pytest.raises(UserError, match="run the same command again"):
                await enrol(tmp_path / "pc", text, hostname="pc", now=now)
            (spent,) = web.database.tokens()
            assert spent.uses_left == 0
            identity = await enrol(tmp_path / "pc", text, hostname="pc", now=now)
            with pytest.raises(UserError, match="used up"):
                await enrol(tmp_path / "other", text, hostname="other", now=now)
        assert [row.enrolled for row in web.database.tokens()] == [(identity.endpoint_id,)]
        assert [row.endpoint_id for row in web.newcomers] == [identity.endpoint_id]
        assert web.database.tokens_of(identity.endpoint_id)[0].token_id == token_id_of(SECRET)


SITE = """
[[site]]
name = "branch"
networks = ["127.0.33.0/24"]
line_mbit = 20
"""
SCRIPTS = Path(sysconfig.get_path("scripts"))
COPIED_BYTES = 8 << 20
NOTICED_SECONDS = 30.0  # some 3 s on an idle machine
DEADLINE_SECONDS = 120.0  # some 20 s on an idle machine


def says_copied(fleet: Fleet, k: int) -> bool:
    status = fleet.endpoints[k].latest
    return status is not None and any("This PC's identity is used by" in problem for problem in status.problems)


async def server_json(fleet: Fleet, command: str) -> Any:
    return json.loads(await run_command("seed-server", command, "--home", fleet.server.home, "--json"))


async def diagnosed(program: str, *arguments: str | Path) -> dict[str, dict[str, Any]]:
    """Return what a doctor has found, by its codes; it ends with 1 where something is wrong."""
    result = await trio.run_process(
        [SCRIPTS / program, "doctor", *map(str, arguments), "--json"], capture_stdout=True, check=False
    )
    findings = json.loads(result.stdout)["findings"]
    assert result.returncode == int(any(one["verdict"] == "wrong" for one in findings))
    return {one["code"]: one for one in findings}


@pytest.mark.slow
@pytest.mark.processes
async def test_two_copies_of_a_pc_are_named_and_fetch_a_file_once_until_one_gets_an_identity_of_its_own(
    tmp_path: Path,
) -> None:
    with trio.fail_after(DEADLINE_SECONDS):
        async with open_fleet(tmp_path, network="127.0.33", endpoints=2) as fleet:
            await fleet.start_server()
            (fleet.server.home / "sites.toml").write_text(SITE)
            await fleet.enrol(1)
            one, two = fleet.endpoints[1], fleet.endpoints[2]
            shutil.copytree(one.home, two.home)
            config = two.home / "config.toml"
            config.write_text(config.read_text().replace(one.home.name, two.home.name))
            for k in (1, 2):
                await fleet.launch_endpoint(k)
            await fleet.wait_until(
                lambda: says_copied(fleet, 1) and says_copied(fleet, 2), NOTICED_SECONDS, "both knowing of each other"
            )
            for copy in (one, two):
                found = (await diagnosed("p2pdist", "--home", copy.home))["identity"]
                assert (found["verdict"], found["mender"]) == ("wrong", "administrator")
                assert "This PC's identity is used by" in found["observed"]
                assert "--force --new-key" in found["remedy"]
            await trio.sleep(2 * FLUSH_SECONDS)
            at_site = ("--home", fleet.server.home, "--site", "branch")
            found = (await diagnosed("seed-server", *at_site))["site-identity"]
            assert (found["verdict"], found["mender"]) == ("wrong", "administrator")
            assert "1 of 1 PCs" in found["observed"]
            at_server = await diagnosed("seed-server", "--home", fleet.server.home)
            well = ("server-running", "server-web-port", "server-origin-port", "server-tls", "server-signatures")
            assert {at_server[code]["verdict"] for code in well} == {"fine"}
            (tmp_path / "patch.bin").write_bytes(os.urandom(COPIED_BYTES))
            await fleet.publish(tmp_path / "patch.bin", "KB1")
            await fleet.wait_until(
                lambda: is_verified(one, "KB1") or is_verified(two, "KB1"), 30.0, "one of them having the patch"
            )
            (patch,) = (await server_json(fleet, "status"))["patches"]
            assert patch["sites"][0]["origin_ratio"] <= 1.05
            (endpoint,) = await server_json(fleet, "endpoints")
            assert "at 127.0.33.1" in endpoint["shared_with"]
            (site,) = (await server_json(fleet, "sites"))["sites"]
            assert site["shared_identities"] == [endpoint["id"]]
            assert fleet.server.log.read_text().count("several PCs show one identity") == 1
            k = 1 if is_verified(two, "KB1") else 2  # the one that was not served is cured
            await fleet.stop(fleet.endpoints[k])
            token = tmp_path / "token"
            token.write_text(await fleet.token())
            token.chmod(0o600)
            address = ("--address", fleet.endpoints[k].address, "--token-file", token)
            await run_command("p2pdist", "enrol", "--home", fleet.endpoints[k].home, *address, "--force", "--new-key")
            await fleet.launch_endpoint(k)
            cured = fleet.endpoints[k]
            await fleet.wait_until(lambda: is_connected(cured) and is_verified(cured, "KB1"), 40.0, "the patch on both")
            assert len(await server_json(fleet, "endpoints")) == 2
            assert (await diagnosed("p2pdist", "--home", cured.home))["identity"]["verdict"] == "fine"
