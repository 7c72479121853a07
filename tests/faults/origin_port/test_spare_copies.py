"""The origin port tells PCs that need room which copies their site can spare."""

from pathlib import Path

import pytest
import trio

from p2pdist.shared.wire import features
from p2pdist.shared.wire.bitfield import all_pieces, pack
from p2pdist.shared.wire.messages import Helping, Want
from p2pdist.shared.wire.spare_copies import SpareCopies, SpareWanted
from seed_server.store.rows import ServedPayload
from tests.helpers.origin_endpoint import Closed, Endpoint
from tests.helpers.origin_harness import running_lab


def has(patch: ServedPayload, pieces: int) -> Want:
    have = pack(pieces, patch.piece_count)
    return Want(torrent=patch.torrent_hash, have=have, lan_have=have, lan_stalled=False, can_fetch=False)


async def ask(endpoint: Endpoint, *torrents: str) -> list[str]:
    await endpoint.control.send(SpareWanted(b"".join(map(bytes.fromhex, torrents))))
    told = (await endpoint.control.expect(SpareCopies)).torrents
    return [told[at : at + 32].hex() for at in range(0, len(told), 32)]


async def test_two_that_ask_at_once_do_not_both_give_up_the_last_copies(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        patch = await lab.publish(2)
        endpoints = [await lab.endpoint() for _ in range(3)]
        assert features.SPARE_COPIES in endpoints[0].welcome.features
        for endpoint in endpoints:
            await endpoint.control.send(has(patch, all_pieces(patch.piece_count)))
        told: list[list[str]] = []

        async def ask_one(endpoint: Endpoint) -> None:
            told.append(await ask(endpoint, patch.torrent_hash))

        async with trio.open_nursery() as nursery:
            for endpoint in endpoints:
                nursery.start_soon(ask_one, endpoint)
        assert sorted(told) == [[], [patch.torrent_hash], [patch.torrent_hash]]


async def test_while_one_lacks_it_two_copies_stay(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        patch = await lab.publish(2)
        endpoints = [await lab.endpoint() for _ in range(4)]
        for endpoint in endpoints[:3]:
            await endpoint.control.send(has(patch, all_pieces(patch.piece_count)))
        await endpoints[3].control.send(has(patch, 0))
        assert [await ask(endpoint, patch.torrent_hash) for endpoint in endpoints[:3]].count([]) == 2


@pytest.mark.parametrize("asks_serving", [True, False])
async def test_a_copy_that_no_neighbour_gets_is_none_for_those_who_serve_them(
    tmp_path: Path, *, asks_serving: bool
) -> None:
    async with running_lab(tmp_path) as lab:
        patch = await lab.publish(2)
        serves, other = [await lab.endpoint() for _ in range(2)]
        for endpoint in (serves, other):
            await endpoint.control.send(has(patch, all_pieces(patch.piece_count)))
        await other.control.send(Helping(how="none"))
        if not asks_serving:
            await serves.control.send(Helping(how="none"))
        # where nobody serves anybody, one copy is as good as the other
        assert await ask(serves, patch.torrent_hash) == ([] if asks_serving else [patch.torrent_hash])
        assert await ask(other, patch.torrent_hash) == ([patch.torrent_hash] if asks_serving else [])


async def test_what_the_server_does_not_serve_is_never_spared_and_half_a_hash_is_refused(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        endpoint = await lab.endpoint()
        assert await ask(endpoint, "ab" * 32) == []
        await endpoint.control.send(SpareWanted(b"half"))
        with pytest.raises(Closed, match="a part of a hash"):
            await endpoint.control.expect(SpareCopies)
        await lab.still_serves()
