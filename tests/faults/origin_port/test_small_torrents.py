"""Who has all of a torrent of few pieces connects to nobody: the server says whom to ask."""

from dataclasses import replace
from pathlib import Path

import trio
import trio.testing

from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.fields import FEW_PIECES
from p2pdist.shared.wire.messages import Holders, RepositoryChanged, SitePeers
from tests.helpers.origin_endpoint import Connection, Ping
from tests.helpers.origin_harness import TEST_LIMITS, Lab, fetch, running_lab

MOST_BYTES_SAID = 300  # TLS records and headers of packets come on top


async def said_to(connection: Connection, seconds: float) -> list[Message]:
    """Return what the server says so long, besides pings."""
    said: list[Message] = []
    with trio.move_on_after(seconds):
        while True:
            message = await connection.receive()
            if isinstance(message, Ping):
                await connection.echo(message)
            else:
                said.append(message)
    return said


class TestSmallTorrents:
    async def test_who_comes_later_is_told_who_has_all(self, lab: Lab) -> None:
        patch = await lab.publish(FEW_PIECES)
        first, second = await lab.endpoint(), await lab.endpoint()
        await first.want(patch)
        await fetch(lab, first, patch, FEW_PIECES)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await second.want(patch)
        named = await second.control.expect(Holders)
        assert named == Holders(torrent=patch.torrent_hash, endpoints=[first.identity.endpoint])

    async def test_of_large_torrents_and_of_what_nobody_has_it_says_nothing(self, lab: Lab) -> None:
        large, small = await lab.publish(FEW_PIECES + 1), await lab.publish(1, sequence=2)
        first, second = await lab.endpoint(), await lab.endpoint()
        await first.want(large)
        await fetch(lab, first, large, FEW_PIECES + 1)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await second.want(large)
        await second.want(small)
        with trio.move_on_after(0.5) as waiting:
            await second.control.expect(Holders)
        assert waiting.cancelled_caught

    async def test_who_asked_before_anybody_had_it_is_told_a_moment_after(self, lab: Lab) -> None:
        patch = await lab.publish(1)
        waiting, first = await lab.endpoint(), await lab.endpoint()
        await waiting.want(patch, can_fetch=False)
        await first.want(patch)
        await fetch(lab, first, patch, 1)
        named = await waiting.control.expect(Holders)
        assert named.endpoints == [first.identity.endpoint]

    async def test_of_a_small_patch_a_pc_hears_that_it_is_there_and_who_has_it(self, tmp_path: Path) -> None:
        """Neither how the site's line is used, nor that it shall report of it: dozens of PCs hear and say so."""
        async with running_lab(
            tmp_path, limits=replace(TEST_LIMITS, quiet_seconds=0.1, site_limit_seconds=0.05)
        ) as lab:
            first, other = await lab.endpoint(), await lab.endpoint()
            await other.control.expect(SitePeers)
            before = other.control.received_bytes
            patch = await lab.publish(1)
            await first.want(patch)
            await fetch(lab, first, patch, 1)
            await trio.testing.wait_all_tasks_blocked(0.05)
            await other.want(patch)
            said = await said_to(other.control, 0.5)
            assert [type(message) for message in said if not isinstance(message, SitePeers)] == [
                RepositoryChanged,
                Holders,
            ]
            assert other.control.received_bytes - before <= MOST_BYTES_SAID
            (live,) = lab.server._fleet._live.values()
            assert not live.steered
