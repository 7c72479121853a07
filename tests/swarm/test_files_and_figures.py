"""`apply` beside a running server, and the figures of real processes."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from bench.fleet import is_verified, open_fleet
from bench.fleet_processes import run_command

pytestmark = pytest.mark.processes

NETWORK = "127.0.98"
FILES = {
    "sites.toml": f'[[site]]\nname = "here"\nnetworks = ["{NETWORK}.0/24"]\n',
    "profiles/here.toml": 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "most"\ncap = "80 Mbit/s"\n',
}


def values(text: str) -> Mapping[str, float]:
    return {
        sample.name + "".join(f",{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_running_server_takes_what_files_say_and_both_sides_tell_figures(tmp_path: Path) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(3_000_000))
    for name, text in FILES.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(text)
    async with open_fleet(tmp_path, network=NETWORK, endpoints=1) as fleet:
        await fleet.start_server()
        await fleet.on_server("apply", tmp_path / "files")
        await fleet.start_endpoint(1)
        with trio.fail_after(30):  # the server looks at its files now and then
            while (await fleet.status(1)).site != "here":  # noqa: ASYNC110
                await trio.sleep(0.1)
        await fleet.publish(payload, "told")
        await fleet.wait_until(lambda: is_verified(fleet.endpoints[1], "told"), 60, "the patch on the PC")
        pc = values(await run_command("p2pdist", "metrics", "--home", fleet.endpoints[1].home))
        assert (pc["p2pdist_server_connected"], pc["p2pdist_files,verified"]) == (1, 1)
        assert pc["p2pdist_received_bytes,line"] == payload.stat().st_size
        assert any(name.startswith("p2pdist_limiter_seconds_total,") for name in pc)

        fleet_told = values(await fleet.on_server("metrics"))
        for _ in range(30):  # the PC reports at its pace
            if fleet_told["seed_server_pc_patches,delivered"] == 1:
                break
            fleet_told = values(await fleet.on_server("metrics"))
        assert fleet_told["seed_server_pc_patches,delivered"] == 1
        assert fleet_told["seed_server_serving"] == 1
        assert fleet_told["seed_server_pcs,connected"] == 1
        assert fleet_told["seed_server_site_pcs,here,connected"] == 1
        assert fleet_told["seed_server_line_bytes_total,here"] >= payload.stat().st_size
        assert await fleet.on_server("apply", tmp_path / "files") == "Nothing to change.\n"
