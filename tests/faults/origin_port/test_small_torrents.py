"""Who has all of a torrent of few pieces connects to nobody: the server says whom to ask."""

import trio
import trio.testing

from p2pdist.shared.wire.messages import FEW_PIECES, Holders
from tests.helpers.origin_harness import Lab, fetch


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
