"""A patch is taken back by the commands, with a real server and a real daemon: where it is installed, and where not."""

from pathlib import Path

import pytest

from bench.demo_app import APP_ID, build_version, running_version
from bench.demo_rollouts import Company
from bench.fleet import open_fleet
from seed_server.fleet.way_back import GoneBack, read_ways_back

pytestmark = [pytest.mark.processes, pytest.mark.slow]

WITHIN_SECONDS = 60.0  # each takes a second or two; a machine may be busy


async def test_a_site_is_offered_nothing_more_and_what_it_has_goes_back(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.93", endpoints=2) as fleet:
        company, (one, late) = Company(fleet, tmp_path), fleet.endpoints.values()
        await fleet.start_server()
        await fleet.publish_recipe(build_version(tmp_path, "1.0"))
        await fleet.start_endpoint(1)

        async def until(version: str, state: str) -> None:
            words = f"{version} being {state} on {one.name}"
            await fleet.wait_until(lambda: one.install_state(APP_ID, version) == state, WITHIN_SECONDS, words)

        await until("1.0", "installed")
        await fleet.publish_recipe(build_version(tmp_path, "2.0"))
        await until("2.0", "installed")
        (row,) = company.context.database().ring_pcs()
        said = await company.act("", "withdraw", APP_ID, "--site", row.site, "--reason", "no printing")
        assert f"{APP_ID}@2.0 is withdrawn at {row.site}." in said
        await fleet.start_endpoint(2)

        def held() -> bool:
            return any("withdrawn on this PC" in waits.reason for waits in (late.latest.not_yet if late.latest else []))

        await fleet.wait_until(held, WITHIN_SECONDS, f"{late.name} being told that it is withdrawn there")
        assert running_version(one) == f"{APP_ID} 2.0", "where it is installed, it stays"

        said = await company.act("", "withdraw", APP_ID, "--roll-back", "--site", row.site, "--reason", "no printing")
        assert "PCs that have installed it go back" in said
        await until("2.0", "rolled_back")
        assert running_version(one) == f"{APP_ID} 1.0"

        def counted() -> bool:
            return GoneBack(went_back=1) in read_ways_back(company.context).values()

        await fleet.wait_until(counted, WITHIN_SECONDS, "the server counting it")
        assert "1 PCs went back" in await company.act("", "status", f"{APP_ID}@2.0")
        assert late.install_state(APP_ID, "2.0") in ("", "not_applicable")
        assert not [*(late.home / "cache").glob("*"), *(late.home / "patches").glob("*")]
