"""A real daemon tells a real server what its PC is and has: all of it, and then what was installed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bench.fleet import Member, open_fleet
from p2pdist.shared.manifest.inventory import PACKAGES_TOLD, Inventory
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.settings.home import ServerHome
from seed_server.store.database import Database
from tests.helpers.debian_packages import NEEDS_DPKG, Packages

pytestmark = [pytest.mark.processes, pytest.mark.slow, *NEEDS_DPKG]

ACME = (Ecosystem.DEB, "acme")
WITHIN_SECONDS = 120.0  # a PC says what has changed once a minute


def is_installed(member: Member, version: str) -> bool:
    return member.install_state("acme", version) == "installed"


def has_acme(version: str, found: Inventory) -> bool:
    return found.packages.get(ACME) == version


async def test_a_package_that_was_installed_is_known_to_the_server_within_the_pace(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.97", endpoints=1) as fleet:
        await fleet.init_server()
        settings = ServerHome(fleet.server.home).settings
        settings.write_text(f"inventory_minutes = 0.05\n{settings.read_text()}")
        await fleet.start_server()
        member = fleet.endpoints[1]
        await fleet.start_endpoint(1)
        with Database.open(ServerHome(fleet.server.home).database) as database:
            (endpoint,) = (row.endpoint_id for row in database.endpoints())

            async def until(holds: Callable[[Inventory], bool], what: str) -> Inventory:
                def known() -> bool:
                    found = database.inventory_of(endpoint)
                    return found is not None and holds(found)

                await fleet.wait_until(known, WITHIN_SECONDS, what)
                found = database.inventory_of(endpoint)
                assert found is not None
                return found

            first = await until(lambda _: True, "the server having an inventory")
            assert first.facts["os.family"]
            assert (first.facts[PACKAGES_TOLD], dict(first.packages)) == ("some", {}), "there is no database yet"

            for version in ("1.0", "1.1"):
                package = Packages(tmp_path).build(version)
                await fleet.publish(package.file, "acme", version, "--install", "deb")
                done = f"{version} being installed"
                await fleet.wait_until(partial(is_installed, member, version), WITHIN_SECONDS, done)
                now = await until(partial(has_acme, version), f"the server knowing {version}")
                assert (now.facts[PACKAGES_TOLD], dict(now.packages)) == ("all", {ACME: version})

            await fleet.stop(member)
            config = member.home / "config.toml"
            config.write_text(f"{config.read_text()}tell_packages = false\n")
            await fleet.start_endpoint(1)
            withheld = await until(lambda found: found.facts[PACKAGES_TOLD] == "withheld", "packages being withheld")
            assert dict(withheld.packages) == {}
