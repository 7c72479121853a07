"""Two signers on machines of their own, a running server without their keys, and a real PC."""

import os
from pathlib import Path

import pytest

from bench.fleet import Fleet, is_verified, open_fleet
from bench.fleet_processes import FleetError, run_command

pytestmark = pytest.mark.processes

WITHIN_SECONDS = 60.0  # each takes seconds; a machine may be busy


async def server(fleet: Fleet, *arguments: str | Path | int) -> None:
    await run_command("seed-server", *arguments, "--home", fleet.server.home)


async def sign(bundle: Path, keys: Path, *options: str | Path | int) -> None:
    await run_command("seed-server", "sign", bundle, "--keys", keys, "--yes", *options)


async def test_a_pc_gets_what_two_signers_elsewhere_have_signed(tmp_path: Path) -> None:
    payload, bundle = tmp_path / "payload.bin", tmp_path / "stick.bundle"
    alice, bob, root = tmp_path / "alice", tmp_path / "bob", tmp_path / "1.root.json"
    payload.write_bytes(os.urandom(2_000_000))
    async with open_fleet(tmp_path, network="127.0.64", endpoints=1) as fleet:
        await fleet.init_server()
        (fleet.server.home / "keys" / "offline").rename(alice)
        root.write_bytes((fleet.server.home / "tuf" / "metadata" / "1.root.json").read_bytes())
        await fleet.start_server()
        await fleet.start_endpoint(1)  # it has seen the repository with one signer
        await run_command("seed-server", "keys", "new", "patches", "--keys", bob)
        added = ("--add", bob / "patches.pub", "--threshold", 2)
        await server(fleet, "keys", "set", "patches", *added, "--prepare", bundle)
        await sign(bundle, alice, "--allow-changes")
        await sign(bundle, bob, "--allow-changes", "--root", root)
        await server(fleet, "finish", bundle)
        await server(fleet, "publish", payload, "--patch-id", "patch", "--version", "1", "--prepare", bundle)
        await sign(bundle, bob, "--payload", payload)
        with pytest.raises(FleetError, match="1 of 2 signatures"):
            await server(fleet, "publish", "--finish", bundle)
        await sign(bundle, alice, "--payload", payload)
        await server(fleet, "publish", "--finish", bundle)
        pc = fleet.endpoints[1]
        await fleet.wait_until(lambda: is_verified(pc, "patch"), WITHIN_SECONDS, "the patch being verified")
        assert Path(pc.patch("patch").path or "").read_bytes() == payload.read_bytes()
