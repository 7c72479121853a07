"""A server is set back to its backup: how soon its PCs accept it again, and what it has lost. Real processes."""

import json
import os
import shutil
import time
from pathlib import Path

from bench.fleet import Fleet, Member, is_connected, is_verified, open_fleet
from bench.fleet_size.records import Outcome
from bench.fleet_size.sizes import Sizes
from p2pdist.trust.floor import decode_accepted
from p2pdist.trust.presenting import has_all
from seed_server.settings import ServerHome
from seed_server.store.restored_mark import mark_restored

FILE_BYTES = 300_003
RESTORE_STEP_SECONDS = 120.0  # each takes seconds; a machine may be busy
RESTORE_LIMIT_SECONDS = 400.0  # a server goes on after 300 in any case


async def restore(_sizes: Sizes, directory: Path) -> Outcome:
    """Publish, deny and enrol after a backup; restore it; return what came back, and when.

    One PC has seen everything, one was denied after the backup, one has enrolled after it.
    """
    files = {name: directory / f"{name}.bin" for name in ("before", "since", "after")}
    for file in files.values():
        file.write_bytes(os.urandom(FILE_BYTES))
    async with open_fleet(directory, network="127.0.86", endpoints=3) as fleet:
        await fleet.init_server()
        await fleet.start_server()
        for k in (1, 2):
            await fleet.start_endpoint(k)
        first, second, third = fleet.endpoints.values()
        await fleet.publish(files["before"], "before")
        await _verified(fleet, "before", second)
        home, backup = fleet.server.home, directory / "backup"
        await fleet.stop(fleet.server)
        shutil.copytree(home, backup)
        backup_at = time.time()
        await fleet.start_server()
        await _go_on(fleet, files["since"])
        denied = (await fleet.status(2)).endpoint_id

        await fleet.kill9(fleet.server)
        shutil.rmtree(home)
        shutil.copytree(backup, home)
        mark_restored(ServerHome(home), backup_at=backup_at, restored_at=time.time())
        log, begun = fleet.server.log, time.monotonic()
        await fleet.start_server()
        await fleet.wait_until(lambda: "has caught up" in log.read_text(), RESTORE_LIMIT_SECONDS, "the server's end")
        await fleet.wait_until(
            lambda: is_connected(first) and is_connected(third), RESTORE_STEP_SECONDS, "both PCs being back"
        )
        listed = json.loads(await fleet.on_server("list", "--json"))
        await fleet.publish(files["since"], "since")  # the same file: this server does not have it
        await fleet.publish(files["after"], "after")
        await _verified(fleet, "after", first, third)
        accepted = time.monotonic() - begun
        rows = json.loads(await fleet.on_server("endpoints", "--json"))
        known = {row["id"]: row for row in rows}
        figures = {
            "accept_seconds": accepted,
            "denied_back": float(is_connected(second) or not known[denied]["denied"]),
            "patches_lost": float(len({"before", "since"} - {row["id"] for row in listed})),
            "refusing": float(sum(bool(row["refuses"]) for row in rows if not row["denied"])),
        }
    return Outcome("3 real PCs", figures)


async def _go_on(fleet: Fleet, file: Path) -> None:
    """Do what the backup does not have."""
    first, _, third = fleet.endpoints.values()
    await fleet.wait_until(lambda: _keeps_all(first), RESTORE_STEP_SECONDS, "a PC that keeps all that is signed")
    await fleet.publish(file, "since")
    await fleet.start_endpoint(3)
    await fleet.on_server("deny", (await fleet.status(2)).endpoint_id)
    await _verified(fleet, "since", first, third)
    await fleet.wait_until(lambda: _knows_the_list(first), RESTORE_STEP_SECONDS, "a PC that has the signed denials")


async def _verified(fleet: Fleet, patch_id: str, *members: Member) -> None:
    await fleet.wait_until(
        lambda: all(is_verified(member, patch_id) for member in members), RESTORE_STEP_SECONDS, patch_id
    )


def _keeps_all(member: Member) -> bool:
    for path in member.home.glob("trust/*/accepted"):
        accepted = decode_accepted(path.read_bytes())
        return has_all(accepted, accepted.floor)
    return False


def _knows_the_list(member: Member) -> bool:
    documents = member.home.glob("trust/*/targets/*")
    return any(b"endpoints" in path.read_bytes()[:60] for path in documents if path.is_file())
