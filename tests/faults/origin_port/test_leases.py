"""A lease that does not end in a stored piece goes to another endpoint."""

from pathlib import Path

import pytest
import trio

from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.messages import PieceRejected
from tests.helpers.origin_endpoint import Endpoint
from tests.helpers.origin_harness import Lab, fetch, running_lab

ONE_FETCHER = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = 800\nfetchers = 1\n'


class TestLeases:
    @pytest.mark.parametrize("lost", ["control", "data"])
    async def test_lost_connection_voids_them(self, lab: Lab, lost: str) -> None:
        patch = await lab.publish(4)
        first, second = await lab.endpoint(), await lab.endpoint()
        await first.want(patch)
        await first.data.expect(Piece)  # and never confirmed
        await second.want(patch)
        await (first.control if lost == "control" else first.data).aclose()
        assert await fetch(lab, second, patch, 4) == [0, 1, 2, 3]

    async def test_reader_that_stops_loses_lease_connection_and_rank(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with running_lab(tmp_path, lease_seconds=0.5, sites=ONE_FETCHER) as lab:
            patch = await lab.publish(200)  # 13 MB: more than the kernel's buffers take
            stuck, good = await lab.endpoint(uptime_seconds=9), await lab.endpoint(uptime_seconds=1)
            await stuck.want(patch)
            await stuck.data.expect(Piece)
            await good.want(patch)
            got = set(await fetch(lab, good, patch, 1))
            while len(got) < 200:
                got |= set(await fetch(lab, good, patch, 1))
            await stuck.data.closed()

    async def test_piece_that_is_never_confirmed_goes_to_another(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, lease_seconds=0.3) as lab:
            patch = await lab.publish(2)
            silent, good = await lab.endpoint(uptime_seconds=9), await lab.endpoint(uptime_seconds=1)
            await silent.want(patch)
            for _ in range(2):
                await silent.data.expect(Piece)
            await good.want(patch)
            assert await fetch(lab, good, patch, 2) == [0, 1]

    async def test_rejected_piece_goes_to_another(self, lab: Lab) -> None:
        patch = await lab.publish(1)
        broken, good = await lab.endpoint(), await lab.endpoint()
        await broken.want(patch)
        await broken.data.expect(Piece)
        await good.want(patch)
        await broken.control.send(PieceRejected(torrent=patch.torrent_hash, piece=0))
        assert await fetch(lab, good, patch, 1) == [0]
        assert lab.database.patches()[0].damaged == ""

    async def test_newer_control_connection_replaces_the_older(self, lab: Lab) -> None:
        patch = await lab.publish(2)
        older = await lab.endpoint()
        await older.want(patch)
        await older.data.expect(Piece)
        newer = await lab.endpoint(older.identity)
        assert "newer" in await older.control.closed()
        await older.data.closed()
        await newer.want(patch)
        assert await fetch(lab, newer, patch, 2) == [0, 1]

    async def test_newer_data_connection_replaces_the_older(self, lab: Lab) -> None:
        patch = await lab.publish(2)
        endpoint = await lab.endpoint()
        older, endpoint.data = endpoint.data, await lab.data(endpoint.identity)
        assert "newer" in await older.closed()
        await endpoint.want(patch)
        assert await fetch(lab, endpoint, patch, 2) == [0, 1]

    async def test_several_fetchers_share_the_pieces(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, fetchers_per_site=2) as lab:
            patch = await lab.publish(6)
            endpoints = [await lab.endpoint(), await lab.endpoint()]
            for endpoint in endpoints:
                await endpoint.want(patch)
            got: list[int] = []

            async def collect(endpoint: Endpoint) -> None:
                while len(got) < 6:
                    got.extend(await fetch(lab, endpoint, patch, 1))
                nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                for endpoint in endpoints:
                    nursery.start_soon(collect, endpoint)
            assert sorted(got) == list(range(6))
