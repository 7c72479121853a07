"""Parcels of small patches at the origin port: once over the line, counted for the patches that are in them."""

import math
from pathlib import Path

import trio

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire import bitfield
from p2pdist.shared.wire.beginnings import beginning
from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.messages import PieceStored, Unavailable, Want
from p2pdist.shared.wire.news_torrent import make_torrent
from p2pdist.shared.wire.parcel import Parcels, ParcelsWanted
from seed_server.store.rows import ServedPayload
from tests.helpers.origin_endpoint import Endpoint
from tests.helpers.origin_harness import Lab, running_lab

FEATURES = ("parcels",)
MANY = 6


async def publish(lab: Lab, count: int = MANY) -> list[ServedPayload]:
    return [await lab.publish(1, sequence=number) for number in range(1, count + 1)]


async def told(endpoint: Endpoint, patches: list[ServedPayload], held: tuple[bytes, ...] = ()) -> Parcels:
    names = b"".join(beginning(TorrentHash(patch.torrent_hash)) for patch in patches)
    await endpoint.control.send(ParcelsWanted(torrents=names, held=held))
    return await endpoint.control.expect(Parcels)


async def want(endpoint: Endpoint, torrent: TorrentHash, pieces: int, have: int = 0) -> None:
    nothing = bitfield.pack(0, pieces)
    here = bitfield.pack(have, pieces)
    message = Want(torrent=torrent, have=here, lan_have=nothing, lan_stalled=False, can_fetch=True)
    await endpoint.control.send(message)


class TestParcels:
    async def test_what_is_in_it_crosses_the_line_once_and_counts_for_its_patches(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            patches = await publish(lab)
            first, second = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            (parcel,) = (await told(first, patches)).parcels
            assert (await told(second, patches)).parcels == [parcel]
            torrent, pieces = make_torrent(parcel.torrent).torrent_hash, parcel.torrent.piece_count
            await want(first, torrent, pieces)
            data = b""
            for _ in range(pieces):
                piece = await first.data.expect(Piece)
                assert piece.torrent == torrent
                data += piece.data
                await first.control.send(PieceStored(torrent=torrent, piece=piece.piece))
            assert data == b"".join(lab.payloads[patch.torrent_hash] for patch in patches)
            counted = {(first.welcome.site, patch.torrent_hash): patch.length_bytes for patch in patches}
            written: dict[tuple[str, str], int] = {}
            for _ in range(100):  # it is written once a second
                if (written := lab.database.wan_bytes()) == counted:
                    break
                await trio.sleep(0.05)
            assert written == counted

    async def test_at_a_site_with_a_pc_that_takes_none_there_are_none(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            patches = await publish(lab)
            first, old = await lab.endpoint(features=FEATURES), await lab.endpoint()
            assert not (await told(first, patches)).parcels, "the other one would be sent the same once more"
            await old.aclose()

    async def test_who_waits_for_one_that_is_sent_no_more_is_told(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            patches = await publish(lab)
            first = await lab.endpoint(features=FEATURES)
            (parcel,) = (await told(first, patches)).parcels
            torrent = make_torrent(parcel.torrent).torrent_hash
            await want(first, torrent, parcel.torrent.piece_count)
            await first.data.expect(Piece)
            lab.database.remove_patch(patches[0].patch_id, patches[0].version)
            await lab.server.repository_changed(MANY + 1)
            assert (await first.control.expect(Unavailable)).torrent == torrent

    async def test_a_server_that_starts_anew_goes_on_with_what_a_pc_has_of_one(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            first = await lab.endpoint(features=FEATURES)
            patches = await publish(lab)
            (parcel,) = (await told(first, patches)).parcels
            # of before the restart: that PCs were told of it, and what came after it, is in no database
            later = [await lab.publish(1, sequence=number) for number in range(MANY + 1, 2 * MANY + 1)]
            lab.server._fleet.parcels.expire(math.inf)
            torrent, pieces = make_torrent(parcel.torrent).torrent_hash, parcel.torrent.piece_count
            assert torrent not in lab.server._fleet.patches

            assert not (await told(first, [], (parcel.members,))).parcels
            await want(first, torrent, pieces, have=0b1)
            got = [(await first.data.expect(Piece)).piece for _ in range(pieces - 1)]
            assert got == list(range(1, pieces))
            other = await lab.endpoint(features=FEATURES)
            assert (await told(other, [*patches, *later])).parcels == [parcel]

    async def test_what_is_no_list_of_names_ends_the_connection(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path) as lab:
            await publish(lab)
            first = await lab.endpoint(features=FEATURES)
            await first.control.send(ParcelsWanted(torrents=b"123"))
            assert "impossible message" in await first.control.closed()
            await lab.still_serves()
