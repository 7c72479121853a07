"""The demo's application: two versions as archives with recipes, and how they shall end on each endpoint."""

import io
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import bytes_text
from bench.demo_versions import modules_of
from bench.fleet import Fleet, Member
from bench.fleet_processes import FleetError
from p2pdist.local_api.install_answers import PlanPatch
from p2pdist.local_api.messages import PLAN
from p2pdist.local_api.socket import ask_daemon
from p2pdist.settings import EndpointHome

APP_ID = "demo-app"
DIRECTORY = "opt/demo-app"
BROKEN = "etc/demo-app-broken"  # a file below an endpoint's root that makes version 2.0 unhealthy there
SICK, KIOSK = 3, 4  # the endpoint whose health check fails, and the one to which 2.0 does not apply
TIMEOUT_SECONDS = 60.0  # many times what detection and a health check of a script take
STATE_STYLES = {"installed": "green", "rolled_back": "yellow", "not_applicable": "dim"}


@dataclass(frozen=True)
class Expected:
    """How a version shall end on an endpoint."""

    state: str
    runs: str
    """The version that the application reports at the end."""


def expected(k: int) -> Expected:
    """Return how 2.0 shall end on endpoint ``k``."""
    if k == SICK:
        return Expected("rolled_back", f"{APP_ID} 1.0")
    return Expected("not_applicable", f"{APP_ID} 1.0") if k == KIOSK else Expected("installed", f"{APP_ID} 2.0")


def build_version(
    directory: Path,
    version: str,
    *,
    can_be_sick: bool = False,
    applies_to: str = "",
    within_seconds: int = 1,
    modules: Sequence[tuple[str, bytes]] = (),
) -> Path:
    """Write an archive of the application and its recipe, and return the recipe's path.

    ``can_be_sick``: it is not healthy where there is a file `BROKEN`. ``modules``: what else is in it, as
    (name, content). Nothing is compressed, so that the next version is built from this one.
    """
    archive = directory / f"{APP_ID}-{version}.tar"
    with tarfile.open(archive, "w") as tar:
        for name, content in modules:
            tar.addfile(_member(f"lib/{name}", len(content), 0o644), io.BytesIO(content))
        # the link `current` leads into versions/VERSION, so five directories up is the endpoint's root
        sick = f'[ ! -e "${{0%/*}}/../../../../../{BROKEN}" ] || {{ echo "broken on purpose"; exit 1; }}\n'
        for name, script in (("bin/demo-app", f"echo {APP_ID} {version}\n"), ("bin/health", sick)):
            data = f"#!/bin/sh\n{script if can_be_sick or name != 'bin/health' else 'exit 0'}".encode()
            tar.addfile(_member(name, len(data), 0o755), io.BytesIO(data))
    recipe = directory / f"{APP_ID}-{version}.toml"
    condition = f"applies_to = '{applies_to}'\n" if applies_to else ""
    recipe.write_text(f"""patch_id = "{APP_ID}"
version = "{version}"
title = "An application that can be unhealthy"
{condition}
[[payload]]
file = "{archive.name}"

[install]
kind = "archive"
directory = "/{DIRECTORY}"

[[detect]]
kind = "command"
command = ["/{DIRECTORY}/current/bin/demo-app"]
output = "{APP_ID} {version}"

[health]
within_seconds = {within_seconds}
[[health.checks]]
kind = "command"
command = ["/{DIRECTORY}/current/bin/health"]
""")
    return recipe


def _member(name: str, length_bytes: int, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = length_bytes, mode
    return member


def root_of(member: Member) -> Path:
    """Return the directory below which an endpoint of the demo installs."""
    return member.home / "root"


def make_sick(member: Member) -> None:
    """Let what can be unhealthy be so on this endpoint."""
    broken = root_of(member) / BROKEN
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.touch()


def running_version(member: Member) -> str:
    """Return what the installed application reports. Blocking."""
    program = root_of(member) / DIRECTORY / "current" / "bin" / "demo-app"
    return subprocess.run([program], capture_output=True, text=True, check=True, timeout=10).stdout.strip()


async def patch_life(fleet: Fleet, directory: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Install 1.0 everywhere, then 2.0 where it applies and is healthy; return what became of each endpoint.

    And what crossed the line of 2.0.
    """
    say(f"publish {APP_ID} 1.0, to be unpacked, detected and asked for its health")
    modules = {version: await trio.to_thread.run_sync(modules_of, version) for version in ("1.0", "2.0")}
    await fleet.publish_recipe(build_version(directory, "1.0", modules=modules["1.0"]))
    everywhere = dict.fromkeys(fleet.endpoints, "installed")
    await until(fleet, "1.0", everywhere)
    say(f"{APP_ID} 1.0 is installed and detected on {len(fleet.endpoints)} endpoints")
    make_sick(fleet.endpoints[SICK])
    say(f"publish {APP_ID} 2.0, not for kiosks (endpoint {KIOSK}); on endpoint {SICK} it will not be healthy")
    recipe = build_version(
        directory, "2.0", can_be_sick=True, applies_to='"kiosk" not in tags', modules=modules["2.0"]
    )  # fmt: skip
    await fleet.publish_recipe(recipe)
    await until(fleet, "2.0", {k: expected(k).state for k in fleet.endpoints})
    smaller = smaller_update(list(fleet.endpoints.values()), "2.0")
    say(smaller_words(smaller))
    rows = []
    for k, member in fleet.endpoints.items():
        found = await planned(member, "2.0")
        runs = running_version(member)
        if runs != expected(k).runs:
            raise FleetError(f"{member.name} runs {runs!r}, and {expected(k).runs!r} was to be expected")
        rows.append({"endpoint": k, "state": found.state, "reason": found.reason, "runs": runs})
    return {"patch_life": rows, "smaller_update": smaller}


def smaller_update(members: Sequence[Member], version: str) -> dict[str, Any]:
    """Return what crossed the line of a version and what was built on PCs, as `p2pdist status` says on each."""
    said = [one for member in members for one in member.patches if (one.id, one.version) == (APP_ID, version)]
    return {
        "patch": f"{APP_ID}@{version}",
        "length_bytes": max((one.length_bytes for one in said), default=0),
        "bytes_over_line": sum(one.bytes_from_origin for one in said),
        "bytes_built": sum(one.bytes_built for one in said),
        "built_of": next((one.built_of for one in said if one.built_of), ""),
        "bytes_from_peers": sum(one.bytes_from_peers for one in said),
    }


def smaller_words(smaller: dict[str, Any]) -> str:
    """Return that in a sentence."""
    length, crossed = bytes_text(smaller["length_bytes"]), bytes_text(smaller["bytes_over_line"])
    name = smaller["patch"].replace("@", " ")
    rest = f", the rest was built from {APP_ID} {smaller['built_of']}" if smaller["built_of"] else ""
    return f"{name}: {length}, of which {crossed} crossed the line{rest}"


async def until(fleet: Fleet, version: str, states: dict[int, str]) -> None:
    """Wait until ``version`` has these states. Raises `FleetError`."""
    for k, state in states.items():
        member = fleet.endpoints[k]
        await fleet.wait_until(
            lambda member=member, state=state: member.install_state(APP_ID, version) == state,  # type: ignore[misc]
            TIMEOUT_SECONDS,
            f"{APP_ID} {version} being {state} on {member.name}",
        )


async def planned(member: Member, version: str) -> PlanPatch:
    """Return the row of the endpoint's plan."""
    answer = await ask_daemon(EndpointHome(member.home).socket, PLAN)
    return next(row for row in answer.patches if (row.id, row.version) == (APP_ID, version))


def life_table(rows: list[dict[str, Any]]) -> Table:
    """Return the end of the demo for people."""
    table = Table(title=f"{APP_ID} 2.0 on each endpoint", title_justify="left")
    for column in ("endpoint", "state", "runs now", "because"):
        table.add_column(column)
    for row in rows:
        state = Text(row["state"].replace("_", " "), STATE_STYLES.get(row["state"], "red"))
        table.add_row(str(row["endpoint"]), state, row["runs"], row["reason"])
    return table
