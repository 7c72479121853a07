"""`seed_server.origin.parcel_torrents`: who is told of which parcel, what it carries, and when it is gone.

At a real port: `tests/faults/origin_port/test_parcels.py`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared import merkle
from p2pdist.shared.identifiers import EndpointId, PieceIndex, Sha256Hex, SiteName, TorrentHash
from p2pdist.shared.wire.beginnings import beginning
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, make_torrent
from p2pdist.shared.wire.parcel import MAX_PARCELLED, Parcels, ParcelsWanted
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.origin.parcel_torrents import AGAIN, PARCEL_KEPT_SECONDS, SWAPPED_SECONDS, ParcelTorrents
from seed_server.store.content_store import ContentStore
from seed_server.store.piece_source import DamagedPartError, PieceSource
from seed_server.store.rows import ServedPayload

SITE, OTHER_SITE = SiteName("a"), SiteName("b")
PC = EndpointId("a" * 26)
PIECE_BYTES = 16 << 10


@dataclass
class Served:
    """A server's store, what it serves, and the ledger of one site."""

    content: ContentStore
    rows: list[ServedPayload] = field(default_factory=list)
    torrents: dict[TorrentHash, ServedPayload] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source = PieceSource(self.content)
        self.ledger = SiteLedger(fetchers=2, lease_seconds=30.0)
        self.parcels = ParcelTorrents(self.source, self.serve, self.stop)

    def serve(self, row: ServedPayload) -> None:
        self.torrents[TorrentHash(row.torrent_hash)] = row

    def stop(self, torrent: TorrentHash) -> None:
        del self.torrents[torrent]

    def publish(self, count: int, length_bytes: int = 40_000, severity: str = "low") -> None:
        for sequence in range(len(self.rows) + 1, len(self.rows) + count + 1):
            data = sequence.to_bytes(4) * (length_bytes // 4)
            sha256 = Sha256Hex(hashlib.sha256(data).hexdigest())
            self.content.path(sha256).write_bytes(data)
            parts = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
            piece_hashes = [merkle.piece_hash(part, PIECE_BYTES, len(data)) for part in parts]
            self.content.write_piece_hashes(sha256, b"".join(piece_hashes))
            row = ServedPayload(
                patch_id=f"KB{sequence}", version="1.0", title="", severity=severity, cvss=None, file_name="a.bin",
                sha256=sha256, length_bytes=len(data), torrent_hash=hashlib.sha256(b"t" + data).hexdigest(),
                piece_length_bytes=PIECE_BYTES, piece_count=len(parts), sequence=sequence, published_at=0.0,
            )  # fmt: skip
            self.rows.append(row)
            self.ledger.add_torrent(
                TorrentHash(row.torrent_hash), sequence=sequence, piece_count=len(parts), piece_length_bytes=PIECE_BYTES
            )
        self.parcels.replace(self.rows)

    def data(self, row: ServedPayload) -> bytes:
        return self.content.path(Sha256Hex(row.sha256)).read_bytes()

    async def told(
        self,
        *,
        first: int = 0,
        site: SiteName = SITE,
        held: Sequence[bytes] = (),
        ledger: SiteLedger | None = None,
    ) -> Parcels:
        """Return what a PC is told that lacks all but the ``first`` ones, and has parcels of the ``held`` members."""
        names = [beginning(TorrentHash(row.torrent_hash)) for row in self.rows[first:]]
        wanted = ParcelsWanted(torrents=b"".join(names), held=tuple(held))
        return await self.parcels.answer(wanted, site, ledger or self.ledger)

    def restart(self) -> None:
        """Forget all that is in no database."""
        self.torrents.clear()
        self.ledger = SiteLedger(fetchers=2, lease_seconds=30.0)
        self.source = PieceSource(self.content)
        self.parcels = ParcelTorrents(self.source, self.serve, self.stop)
        self.publish(0)

    def hold(self, count: int) -> None:
        """Let a PC of the site have all of the first ones, each by itself."""
        names = [beginning(TorrentHash(row.torrent_hash)) for row in self.rows[:count]]
        self.ledger.holdings(PC, b"".join(names), 0.0)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(ContentStore(tmp_path))


async def test_all_are_told_of_the_same_parcels_which_hold_the_payloads_one_after_the_other(served: Served) -> None:
    served.publish(MAX_PARCELLED + 10)
    told = await served.told()
    assert [len(parcel.lengths) for parcel in told.parcels] == [MAX_PARCELLED, 10]
    assert told == await served.told(site=OTHER_SITE)
    assert not told.more
    assert served.torrents == served.parcels.rows
    for parcel, rows in zip(told.parcels, (served.rows[:MAX_PARCELLED], served.rows[MAX_PARCELLED:]), strict=True):
        row = served.torrents[make_torrent(parcel.torrent).torrent_hash]
        pieces = [await served.source.read(row, PieceIndex(n)) for n in range(row.piece_count)]
        assert b"".join(pieces) == b"".join(map(served.data, rows))
        assert (row.urgency, row.sequence) == (rows[0].urgency, rows[0].sequence), "in its turn among the patches"


async def test_who_lacks_few_of_a_parcel_is_not_told_of_it(served: Served) -> None:
    served.publish(10)
    assert len((await served.told(first=5)).parcels) == 1
    assert await served.told(first=6) == Parcels(parcels=[]), "four of ten are not half of its bytes"
    served.publish(6)
    with pytest.raises(DecodeError):
        await served.parcels.answer(ParcelsWanted(torrents=b"123456789"), SITE, served.ledger)
    with pytest.raises(DecodeError):
        await served.told(held=[b"123456789"])


async def test_what_neighbours_have_by_itself_is_swapped_by_itself(
    served: Served, mock_clock: trio.testing.MockClock
) -> None:
    served.publish(10)
    served.hold(6)
    assert not (await served.told()).parcels, "it would cross the line once more"
    served.ledger.left(PC)
    assert (await served.told()).parcels
    served.hold(10)
    mock_clock.jump(SWAPPED_SECONDS - 1)
    assert (await served.told()).parcels, "its PCs still swap it"
    mock_clock.jump(2)
    assert not (await served.told()).parcels


async def test_a_site_that_still_fetches_it_goes_on(served: Served, mock_clock: trio.testing.MockClock) -> None:
    served.publish(10)
    (parcel,) = (await served.told()).parcels
    served.hold(10)
    mock_clock.jump(SWAPPED_SECONDS + 1)
    torrent = make_torrent(parcel.torrent).torrent_hash
    served.ledger.add_torrent(torrent, sequence=1, piece_count=2, piece_length_bytes=NEWS_PIECE_BYTES)
    served.ledger.want(
        EndpointId("b" * 26), torrent, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=trio.current_time()
    )
    assert (await served.told()).parcels


async def test_what_a_neighbour_fetches_by_itself_is_swapped_by_itself(served: Served) -> None:
    served.publish(10)
    for row in served.rows[:6]:
        served.ledger.want(
            PC, TorrentHash(row.torrent_hash), have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0
        )
    assert not (await served.told()).parcels, "it would cross the line once more"
    served.ledger.left(PC)
    assert (await served.told()).parcels


async def test_news_meanwhile_shorten_no_answer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.publish(MAX_PARCELLED + 4)
    read = served.source.read_parts

    async def reloaded(*arguments: Any) -> bytes:
        served.parcels.replace(served.rows)
        return await read(*arguments)

    monkeypatch.setattr(served.source, "read_parts", reloaded)
    assert [len(parcel.lengths) for parcel in (await served.told()).parcels] == [MAX_PARCELLED, 4]


async def test_a_parcel_that_a_site_still_fetches_is_kept_for_a_day(
    served: Served, mock_clock: trio.testing.MockClock
) -> None:
    served.publish(10)
    await served.told()
    mock_clock.jump(PARCEL_KEPT_SECONDS)
    served.parcels.expire(trio.current_time(), lambda torrent: torrent in served.torrents)
    assert served.torrents
    mock_clock.jump(DAY_SECONDS)
    served.parcels.expire(trio.current_time(), lambda torrent: torrent in served.torrents)
    assert not served.torrents


async def test_what_is_published_later_changes_no_parcel_that_pcs_were_told_of(
    served: Served, mock_clock: trio.testing.MockClock
) -> None:
    served.publish(10)
    before = (await served.told()).parcels
    served.publish(10)
    assert (await served.told()).parcels[:1] == before
    assert [len(parcel.lengths) for parcel in (await served.told()).parcels] == [10, 10]
    mock_clock.jump(PARCEL_KEPT_SECONDS)
    served.parcels.expire(trio.current_time())
    assert not served.torrents
    assert [len(parcel.lengths) for parcel in (await served.told()).parcels] == [20]


async def test_small_parcels_are_told_of_for_a_while_whoever_comes_then_gets_them_in_one(
    served: Served, mock_clock: trio.testing.MockClock
) -> None:
    for _ in range(4):
        served.publish(4)
        await served.told()
    assert [len(parcel.lengths) for parcel in (await served.told()).parcels] == 4 * [4]
    for _ in range(3):  # whatever others ask
        await served.told(site=OTHER_SITE)
        mock_clock.jump(PARCEL_KEPT_SECONDS / 3)
        served.parcels.expire(trio.current_time())
    assert [len(parcel.lengths) for parcel in (await served.told(site=SiteName("c"))).parcels] == [16]
    mock_clock.jump(PARCEL_KEPT_SECONDS)
    served.parcels.expire(trio.current_time())
    assert not served.torrents


async def test_where_a_small_parcel_is_swapped_it_is_told_of_though_others_get_a_larger_one(
    served: Served, mock_clock: trio.testing.MockClock
) -> None:
    served.publish(4)
    (small,) = (await served.told()).parcels
    torrent = make_torrent(small.torrent).torrent_hash
    served.ledger.add_torrent(torrent, sequence=1, piece_count=1, piece_length_bytes=NEWS_PIECE_BYTES)
    served.ledger.want(PC, torrent, have=1, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0)
    served.publish(4)
    mock_clock.jump(PARCEL_KEPT_SECONDS)
    served.parcels.expire(trio.current_time(), lambda each: each == torrent)
    others = SiteLedger(fetchers=2, lease_seconds=30.0)
    assert [len(parcel.lengths) for parcel in (await served.told(site=OTHER_SITE, ledger=others)).parcels] == [8]
    told = await served.told()
    assert small in told.parcels, "a neighbour has it"
    assert len(told.parcels) == 1, "the other four would take those of the small one over the line once more"
    assert torrent in served.torrents


async def test_what_a_neighbour_has_as_a_parcel_comes_as_that_parcel_however_long_ago_it_was(
    served: Served, mock_clock: trio.testing.MockClock
) -> None:
    """On a slow line its PCs are told of a parcel long before it is there; then they share what is in it one by one."""
    served.publish(10)
    (parcel,) = (await served.told()).parcels
    mock_clock.jump(2 * SWAPPED_SECONDS)
    torrent = make_torrent(parcel.torrent).torrent_hash
    served.ledger.add_torrent(torrent, sequence=1, piece_count=2, piece_length_bytes=NEWS_PIECE_BYTES)
    served.ledger.want(PC, torrent, have=0b11, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0)
    served.hold(6)
    assert (await served.told()).parcels == [parcel], "the other four would cross the line once more"


async def test_after_a_restart_the_parcels_that_pcs_have_parts_of_are_served_again(served: Served) -> None:
    served.publish(4)
    await served.told()
    served.publish(4)
    before = (await served.told()).parcels
    torrents = dict(served.torrents)
    served.restart()
    assert not served.torrents
    assert not (await served.told(first=8, held=[parcel.members for parcel in before])).parcels, "it lacks nothing else"
    assert served.torrents == torrents
    assert (await served.told()).parcels == before, "its neighbours swap them"
    assert [len(parcel.lengths) for parcel in (await served.told(site=OTHER_SITE)).parcels] == [8]


async def test_what_a_pc_says_to_have_parts_of_is_made_only_where_it_may_be_a_parcel(served: Served) -> None:
    served.publish(8)
    served.publish(1, severity="critical")
    names = [beginning(TorrentHash(row.torrent_hash)) for row in served.rows]
    held = [names[:3], [*names[:3], names[0]], [*names[:4], names[8]], [*names[:4], b"unknown."], []]
    assert not (await served.told(first=9, held=[b"".join(each) for each in held])).parcels
    assert not served.torrents
    gone = served.rows.pop(0)
    served.parcels.replace(served.rows)
    await served.told(first=8, held=[b"".join(names[:8])])
    assert not served.torrents, f"{gone.patch_id} is withdrawn"


async def test_one_pc_has_the_server_make_no_end_of_parcels(served: Served, mock_clock: trio.testing.MockClock) -> None:
    served.publish(AGAIN.at_once + 10, length_bytes=4)
    names = [beginning(TorrentHash(row.torrent_hash)) for row in served.rows]
    held = [b"".join(names[at : at + 4]) for at in range(AGAIN.at_once + 5)]
    await served.told(first=len(served.rows), held=held)
    assert len(served.torrents) == AGAIN.at_once
    mock_clock.jump(2 / AGAIN.per_second)
    await served.told(first=len(served.rows), held=held)
    assert len(served.torrents) == AGAIN.at_once + 2


@pytest.mark.parametrize("how", ["withdrawn", "damaged"])
async def test_what_is_withdrawn_or_damaged_is_sent_in_no_parcel(served: Served, how: str) -> None:
    served.publish(10)
    (parcel,) = (await served.told()).parcels
    gone = served.rows.pop(3)
    if how == "damaged":
        served.parcels.replace([*served.rows, replace(gone, damaged="its disk")])
    else:
        served.parcels.replace(served.rows)
    assert not served.torrents, "not the rest of it either: its pieces hold both"
    (after,) = (await served.told()).parcels
    assert len(after.lengths) == 9
    assert beginning(TorrentHash(gone.torrent_hash)) not in after.members
    assert parcel not in (await served.told()).parcels


async def test_what_is_urgent_goes_before_in_parcels_of_its_own(served: Served) -> None:
    served.publish(5)
    served.publish(5, severity="critical")
    told = (await served.told()).parcels
    rows = [served.torrents[make_torrent(parcel.torrent).torrent_hash] for parcel in told]
    assert [row.severity for row in rows] == ["critical", "low"]


async def test_a_payload_that_has_changed_on_the_disk_is_named_and_never_sent(served: Served) -> None:
    served.publish(10)
    (parcel,) = (await served.told()).parcels
    victim = served.rows[3]
    served.content.path(Sha256Hex(victim.sha256)).write_bytes(bytes(victim.length_bytes))
    row = served.torrents[make_torrent(parcel.torrent).torrent_hash]
    with pytest.raises(DamagedPartError) as caught:
        await served.source.read(row, PieceIndex(0))
    assert caught.value.torrent == victim.torrent_hash


async def test_a_parcel_of_what_cannot_be_read_is_not_told_of(served: Served) -> None:
    served.publish(10)
    served.content.path(Sha256Hex(served.rows[3].sha256)).unlink()
    assert await served.told() == Parcels(parcels=[])


async def test_each_byte_that_is_sent_is_one_payload_s(served: Served) -> None:
    served.publish(10)
    (parcel,) = (await served.told()).parcels
    torrent = make_torrent(parcel.torrent).torrent_hash
    first, second = (TorrentHash(row.torrent_hash) for row in served.rows[:2])
    assert list(served.parcels.shares(torrent, 0, 40_000)) == [(first, 40_000)]
    assert list(served.parcels.shares(torrent, 39_999, 2)) == [(first, 1), (second, 1)]
    assert sum(count for _, count in served.parcels.shares(torrent, 0, 1 << 20)) == 400_000
    assert list(served.parcels.shares(first, 0, 40_000)) == [], "a patch, or news"


async def test_one_message_tells_of_some_and_says_that_there_are_more(
    served: Served,
) -> None:
    served.parcels = ParcelTorrents(served.source, served.serve, served.stop, most_told=1)
    served.publish(MAX_PARCELLED + 4, length_bytes=4)
    told = await served.told()
    assert (len(told.parcels), told.more) == (1, True)
    after = await served.told(first=MAX_PARCELLED)
    assert (len(after.parcels), after.more) == (1, False)
