"""A server's disk is gone, and its backup restored: how soon PCs accept it, and what is lost. Real processes."""

import io
import json
import os
import shutil
import tarfile
import time
from collections import Counter
from pathlib import Path

from bench.fleet import Fleet, Member, is_connected, open_fleet
from bench.fleet_processes import FleetError, run_command
from bench.fleet_size.records import Outcome
from bench.fleet_size.sizes import Sizes
from p2pdist.trust.floor import decode_accepted
from p2pdist.trust.presenting import has_all

FILE_BYTES = 300_003
RESTORE_STEP_SECONDS = 120.0  # each takes seconds; a machine may be busy
RESTORE_LIMIT_SECONDS = 400.0  # a server goes on after 300 in any case
PASSPHRASE = "correct horse battery"
TESTER, DENIED, STEADY, LATE = 1, 2, 3, 4
"""The PC of the first ring; who is denied after the backup; who sees everything; who enrols after the backup."""
RINGS = """title = "Two rings"
[[ring]]
name = "test"
who = '"test" in tags'
soak = "{soak}"
success = 90
failure = 0
[[ring]]
name = "all"
soak = "1s"
success = 90
failure = 0
"""


async def restore(_sizes: Sizes, directory: Path) -> Outcome:
    """Back up amid a rollout; publish, deny, enrol and begin another one; lose the home; restore it elsewhere.

    Returns what came back and when, and how often installers ran more than once.
    """
    (directory / "rings.toml").write_text(RINGS.format(soak="2m"))  # longer than a backup takes on a busy machine
    (directory / "again.toml").write_text(RINGS.format(soak="1s"))
    (directory / "passphrase").write_text(PASSPHRASE)
    patches = {name: build_patch(directory, name) for name in ("before", "half", "since", "late", "after")}
    async with open_fleet(directory, network="127.0.86", endpoints=4) as fleet:
        fleet.endpoints[TESTER].tags = ("test",)
        await fleet.start_server()
        for k in (TESTER, DENIED, STEADY):
            await fleet.start_endpoint(k)
        await fleet.publish_recipe(patches["before"])
        await _installed(fleet, "before", TESTER, DENIED, STEADY)
        await _publish_by_rings(fleet, patches["half"], directory)
        await _installed(fleet, "half", TESTER)
        old_token = await fleet.token("--ttl", "1d")
        await _back_up(fleet, directory)
        denied = await _go_on(fleet, patches, directory)

        await fleet.kill9(fleet.server)
        shutil.rmtree(fleet.server.home)
        begun = time.monotonic()
        fleet.server.home = directory / "restored"
        given = ("--home", fleet.server.home, "--passphrase-file", directory / "passphrase")
        await run_command("seed-server", "restore", directory / "backup", *given)
        await fleet.start_server()
        log = fleet.server.log
        await fleet.wait_until(lambda: "has caught up" in log.read_text(), RESTORE_LIMIT_SECONDS, "the server's end")
        back = (TESTER, STEADY, LATE)
        await fleet.wait_until(
            lambda: all(is_connected(fleet.endpoints[k]) for k in back), RESTORE_STEP_SECONDS, "all PCs being back"
        )
        listed = json.loads(await fleet.on_server("list", "--json"))
        await fleet.publish_recipe(patches["after"])
        await _installed(fleet, "after", *back)
        accepted = time.monotonic() - begun
        taken = await _takes_token(old_token, directory)
        for name in ("since", "late"):  # the same files: this server does not have them
            await fleet.publish_recipe(patches[name])
        # halted by name: this server does not know it
        await fleet.on_server("rollout", "start", "late", "--template", directory / "again.toml")
        await _resume(fleet, "half")
        for name in ("half", "since", "late"):
            await _installed(fleet, name, *back)
        rows = json.loads(await fleet.on_server("endpoints", "--json"))
        known = {row["id"]: row for row in rows}
        figures = {
            "accept_seconds": accepted,
            "installations": float(sum(sum(runs_of(member).values()) for member in fleet.endpoints.values())),
            "reinstallations": float(sum(reinstallations(member) for member in fleet.endpoints.values())),
            "denied_back": float(is_connected(fleet.endpoints[DENIED]) or not known[denied]["denied"]),
            "patches_lost": float(len({"before", "half", "since"} - {row["id"] for row in listed})),
            "old_tokens_taken": float(taken),
            "refusing": float(sum(bool(row["refuses"]) for row in rows if not row["denied"])),
        }
    return Outcome("4 real PCs, five patches with installers, half a rollout at the backup", figures)


def build_patch(directory: Path, patch_id: str) -> Path:
    """Write an archive that notes each installation, and its recipe; return the recipe's path."""
    archive = directory / f"{patch_id}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        # the link `current` leads into versions/VERSION, so five directories up is the endpoint's root
        files = {
            "bin/app": f"#!/bin/sh\necho {patch_id}\n".encode(),
            "bin/health": f'#!/bin/sh\necho {patch_id} >> "${{0%/*}}/../../../../../installed"\n'.encode(),
            "data": os.urandom(FILE_BYTES),
        }
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    recipe = directory / f"{patch_id}.toml"
    recipe.write_text(f"""patch_id = "{patch_id}"
version = "1.0"
[[payload]]
file = "{archive.name}"
[install]
kind = "archive"
directory = "/opt/{patch_id}"
[[detect]]
kind = "command"
command = ["/opt/{patch_id}/current/bin/app"]
output = "{patch_id}"
[health]
within_seconds = 1
[[health.checks]]
kind = "command"
command = ["/opt/{patch_id}/current/bin/health"]
""")
    return recipe


def runs_of(member: Member) -> Counter[str]:
    """Return how often each patch was installed on a PC, as its own program has noted."""
    noted = member.home / "root" / "installed"
    return Counter(noted.read_text().split()) if noted.exists() else Counter()


def reinstallations(member: Member) -> int:
    """Return how many installations on a PC were not the first of their patch."""
    return sum(times - 1 for times in runs_of(member).values())


async def _publish_by_rings(fleet: Fleet, recipe: Path, directory: Path) -> None:
    await fleet.on_server("publish", "--recipe", recipe, "--template", directory / "rings.toml")


async def _back_up(fleet: Fleet, directory: Path) -> None:
    await fleet.on_server("backup", directory / "backup", "--passphrase-file", directory / "passphrase")


async def _go_on(fleet: Fleet, patches: dict[str, Path], directory: Path) -> str:
    """Do what the backup does not have; return who was denied."""
    steady = fleet.endpoints[STEADY]
    await fleet.wait_until(lambda: _keeps_all(steady), RESTORE_STEP_SECONDS, "a PC that keeps all that is signed")
    await fleet.publish_recipe(patches["since"])
    await fleet.start_endpoint(LATE)
    denied = (await fleet.status(DENIED)).endpoint_id
    await fleet.on_server("deny", denied)
    await _publish_by_rings(fleet, patches["late"], directory)
    await _installed(fleet, "since", TESTER, STEADY, LATE)
    await _installed(fleet, "late", TESTER)
    await fleet.wait_until(lambda: _knows_the_list(steady), RESTORE_STEP_SECONDS, "a PC that has the signed denials")
    return denied


async def _resume(fleet: Fleet, patch_id: str) -> None:
    rows = json.loads(await fleet.on_server("rollout", "list", "--json"))
    number = next(row["number"] for row in rows if row["patch"] == f"{patch_id}@1.0")
    await run_command("seed-server", "rollout", "resume", str(number), "--home", fleet.server.home)


async def _takes_token(token: str, directory: Path) -> bool:
    """Whether a token of before the backup enrols a PC."""
    file = directory / "old.token"
    file.write_text(token)
    try:
        await run_command("p2pdist", "enrol", "--home", directory / "stranger", "--token-file", file)
    except FleetError as error:
        if "revoked" not in str(error):
            raise
        return False
    return True


async def _installed(fleet: Fleet, patch_id: str, *numbers: int) -> None:
    await fleet.wait_until(
        lambda: all(fleet.endpoints[k].install_state(patch_id, "1.0") == "installed" for k in numbers),
        2 * RESTORE_STEP_SECONDS,  # a ring soaks for one of them
        f"{patch_id} being installed on {numbers}",
    )


def _keeps_all(member: Member) -> bool:
    for path in member.home.glob("trust/*/accepted"):
        accepted = decode_accepted(path.read_bytes())
        return has_all(accepted, accepted.floor)
    return False


def _knows_the_list(member: Member) -> bool:
    documents = member.home.glob("trust/*/targets/*")
    return any(b"endpoints" in path.read_bytes()[:60] for path in documents if path.is_file())
