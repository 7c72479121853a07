"""With real processes: the server's home is set back to a backup, and PCs bring it up to date again."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from bench.fleet import Fleet, is_connected, is_verified, open_fleet
from seed_server.settings import ServerHome
from seed_server.store.restored_mark import mark_restored

pytestmark = pytest.mark.processes

FILE_BYTES = 300_003
WITHIN_SECONDS = 90.0  # each takes seconds; a machine may be busy


async def denied(fleet: Fleet) -> set[str]:
    found = json.loads(await fleet.on_server("endpoints", "--json"))
    return {row["id"] for row in found if row["denied"]}


async def refusing(fleet: Fleet) -> list[str]:
    found = json.loads(await fleet.on_server("endpoints", "--json"))
    return [row["refuses"] for row in found if row.get("refuses") and not row["denied"]]


@pytest.mark.slow
async def test_a_restore_gets_back_what_was_published_denied_and_enrolled_since(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.bin" for name in ("before", "since", "after")}
    for file in files.values():
        file.write_bytes(os.urandom(FILE_BYTES))
    async with open_fleet(tmp_path, network="127.0.86", endpoints=3) as fleet:
        await fleet.init_server()
        await fleet.start_server()
        for k in (1, 2):
            await fleet.start_endpoint(k)
        first, second, third = fleet.endpoints.values()
        await fleet.publish(files["before"], "before")
        await fleet.wait_until(lambda: is_verified(second, "before"), WITHIN_SECONDS, "the first patch")

        await fleet.stop(fleet.server)
        home, backup = fleet.server.home, tmp_path / "backup"
        shutil.copytree(home, backup)
        backup_at = time.time()
        await fleet.start_server()
        await fleet.publish(files["since"], "since")
        await fleet.start_endpoint(3)
        stranger = (await fleet.status(2)).endpoint_id
        await fleet.on_server("deny", stranger)
        await fleet.wait_until(
            lambda: is_verified(first, "since") and is_verified(third, "since"), WITHIN_SECONDS, "the second patch"
        )
        list_known = ServerHome(home).tuf_targets / "rollouts"
        await fleet.wait_until(lambda: bool(list(list_known.glob("*.denied"))), WITHIN_SECONDS, "the signed list")
        await fleet.wait_until(lambda: knows_the_list(first.home), WITHIN_SECONDS, "a PC that keeps it")

        await fleet.kill9(fleet.server)
        shutil.rmtree(home)
        shutil.copytree(backup, home)
        mark_restored(ServerHome(home), backup_at=backup_at, restored_at=time.time())
        restored_at = time.monotonic()
        await fleet.start_server()
        log = fleet.server.log
        await fleet.wait_until(lambda: "has caught up" in log.read_text(), 300.0, "the server having caught up")
        await fleet.wait_until(
            lambda: is_connected(first) and is_connected(third), WITHIN_SECONDS, "both PCs being connected again"
        )
        listed = json.loads(await fleet.on_server("list", "--json"))
        assert {row["id"] for row in listed} == {"before", "since"}
        assert await denied(fleet) == {stranger}
        await fleet.publish(files["since"], "since")  # the file is not on this server
        await fleet.publish(files["after"], "after")
        await fleet.wait_until(
            lambda: is_verified(first, "after") and is_verified(third, "after"), WITHIN_SECONDS, "the next patch"
        )
        assert time.monotonic() - restored_at < 300
        assert not is_connected(second)
        assert not await refusing(fleet)


def knows_the_list(home: Path) -> bool:
    return any(b"endpoints" in path.read_bytes()[:60] for path in home.glob("trust/*/targets/*") if path.is_file())
