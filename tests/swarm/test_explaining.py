"""`p2pdist.status.explainer`: `p2pdist why` and `p2pdist limiter` with real daemons."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench.fleet import is_verified, open_fleet
from bench.fleet_processes import run_command

pytestmark = pytest.mark.processes

NETWORK = "127.0.4"
BLACKOUT = 'name = "test"\ntime_zone = "UTC"\n[[blackout]]\nname = "change freeze"\n'


async def test_a_pc_says_why_it_is_not_patched(tmp_path: Path) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(3_000_000))
    async with open_fleet(tmp_path, network=NETWORK, endpoints=2) as fleet:
        await fleet.start_server()
        await fleet.enrol(2)
        (fleet.endpoints[2].home / "throttle-profile.toml").write_text(BLACKOUT)
        for k in (1, 2):
            await fleet.start_endpoint(k)
        await fleet.publish(payload, "explained")
        await fleet.wait_until(lambda: is_verified(fleet.endpoints[1], "explained"), 60, "the patch on endpoint 1")
        await fleet.wait_until(
            lambda: fleet.endpoints[2].patch("explained").state == "fetching",
            30,
            "the patch known to endpoint 2",
        )

        async def ask(k: int, *command: str) -> Any:
            return json.loads(await run_command("p2pdist", *command, "--home", fleet.endpoints[k].home, "--json"))

        (here,) = (await ask(1, "why", "explained"))["patches"]
        assert here["reason"] == "it is here, and proven"
        (held,) = (await ask(2, "why", "explained@1.0"))["patches"]
        assert (held["state"], held["reason"]) == ("fetching", "the throttle profile allows nothing now")
        (unknown,) = (await ask(2, "why", "nothing"))["patches"]
        assert unknown["reason"] == "it is not in this PC's rollout"
        limiter = await ask(2, "limiter")
        assert (limiter["serves"], limiter["blackout"], limiter["network"]) == (False, True, "this PC itself")
        assert limiter["upload"]["reason"] == limiter["download"]["reason"] == "the throttle profile allows nothing now"
        assert limiter["download"]["seconds"]
        status = await fleet.status(2)
        assert any("Neighbours are not served now" in problem for problem in status.problems)
        assert (await ask(1, "limiter"))["upload"]["reason"] == "nothing limits it"
        text = await run_command("p2pdist", "why", "explained", "--home", fleet.endpoints[2].home)
        assert text.startswith("explained 1.0: the throttle profile allows nothing now")
        assert "LAN" in await run_command("p2pdist", "limiter", "--home", fleet.endpoints[2].home)
