"""A repository that was filled at once is one that the product reads, and publishes in."""

from pathlib import Path

import pytest
import trio

from bench.fleet import open_fleet
from bench.fleet_size.bulk import publish_many
from bench.quick_publish import publish
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.signing.repository import Repository

pytestmark = pytest.mark.processes


async def test_many_publications_are_as_if_made_one_by_one(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network="127.0.51", endpoints=0) as fleet:
        await fleet.init_server()
        await publish_many(fleet, tmp_path, 30, offered=10)
        await trio.to_thread.run_sync(publish, fleet, tmp_path, "after", 1_000)
        home = ServerHome(fleet.server.home)
        repository = Repository.open(home, load_settings(home))
        assert len(repository.manifests()) == 31
        offered = [entry.patch_id for entry in repository.current_rollouts().entries]
        assert offered == [*(f"before-{k:05}" for k in range(20, 30)), "after"]
        order = repository.publication_order()
        assert all(not order.refusal(manifest.patch_id, manifest.number) for manifest in repository.manifests())
