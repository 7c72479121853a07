"""What is new among the signed files crosses a site's line once, with real processes."""

import re
from functools import partial
from pathlib import Path

import pytest
import trio

from bench.fleet import Fleet, Member, is_verified, open_fleet
from bench.many_patches import start_server
from bench.publication_cost import FOR_OTHERS
from bench.quick_publish import publish

pytestmark = pytest.mark.processes

NETWORK = "127.0.46"
ENDPOINTS, PATCHES, PATCH_BYTES = 4, 8, 24_000_000  # their torrents: over 16 KiB of news, and no file for these PCs


async def publish_many(fleet: Fleet, directory: Path) -> None:
    """Publish patches for others, and at last one for these PCs, while these do not run."""
    for number in range(PATCHES):
        one = partial(publish, fleet, directory, f"other-{number}", PATCH_BYTES, applies_to=FOR_OTHERS)
        await trio.to_thread.run_sync(one)
    await trio.to_thread.run_sync(publish, fleet, directory, "small", 10_000)


def news_of(member: Member) -> list[tuple[int, int]]:
    """Of each of its news: how many pieces they had, and how many of them came from the server."""
    found = re.findall(r'event="news are here" pieces=(\d+) from_origin=(\d+)', member.log.read_text())
    return [(int(pieces), int(from_origin)) for pieces, from_origin in found]


async def test_what_is_new_crosses_the_line_once_for_all_pcs_of_a_site(tmp_path: Path) -> None:
    async with open_fleet(tmp_path, network=NETWORK, endpoints=ENDPOINTS) as fleet:
        await start_server(fleet)
        for k in fleet.endpoints:
            await fleet.enrol(k)
        await publish_many(fleet, tmp_path)
        async with trio.open_nursery() as nursery:
            for k in fleet.endpoints:
                nursery.start_soon(fleet.start_endpoint, k)
        members = list(fleet.endpoints.values())
        await fleet.wait_until(lambda: all(is_verified(each, "small") for each in members), 60.0, "all have the patch")
        had = [news for member in members for news in news_of(member)]
        assert len(had) >= ENDPOINTS - 1, "the first one to ask may be alone"
        assert sum(from_origin for _, from_origin in had) == had[0][0], "each piece once, for all"
