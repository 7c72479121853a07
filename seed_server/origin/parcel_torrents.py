"""Parcels of small payloads: which there are, what PCs are told of them, and what they carry.

The server alone decides what is in which, the same for all PCs of all sites: so that they all swap the same. A parcel
is in no database, and its bytes are in no memory: each piece is read from the payloads, which are verified as ever.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import trio

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import SiteName, TorrentHash
from p2pdist.shared.wire.news_torrent import describe_news, make_torrent
from p2pdist.shared.wire.parcel import MAX_TOLD_PARCELS, Parcel, Parcels, beginning, beginnings, is_worth
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.origin.made_row import made_row
from seed_server.origin.parcel_plan import cut, is_small
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.piece_source import PieceSource, TemporaryReadError
from seed_server.store.rows import ServedPayload

PARCEL_KEPT_SECONDS = 900.0  # since a PC was told of it last: those that lack some of it then come later, and alone
SWAPPED_SECONDS = 240.0  # since a site was told of it first: its PCs share it for longer after they have it

NO_PARCELS = Parcels(parcels=[])


@dataclass(eq=False)
class _Parcel:
    members: tuple[ServedPayload, ...]
    names: tuple[bytes, ...]
    length_bytes: int
    row: ServedPayload | None = None
    """While it is served."""
    said: Parcel | None = None
    told_at: float = 0.0
    told_sites: dict[SiteName, float] = field(default_factory=dict)
    """When each site was told of it first."""


class ParcelTorrents:
    """What is served beside the published patches to PCs that lack many. ``now`` is any clock that only grows."""

    def __init__(
        self,
        source: PieceSource,
        serve: Callable[[ServedPayload], None],
        stop_serving: Callable[[TorrentHash], None],
        *,
        most_told: int = MAX_TOLD_PARCELS,
    ) -> None:
        """As `NewsTorrents`; ``most_told``: in one answer."""
        self._most_told = most_told
        self._source = source
        self._serve = serve
        self._stop_serving = stop_serving
        self._small: dict[str, ServedPayload] = {}
        self._parcels: list[_Parcel] = []
        self._answering = trio.Lock()

    @property
    def rows(self) -> dict[TorrentHash, ServedPayload]:
        """The parcels that are served."""
        return {TorrentHash(each.row.torrent_hash): each.row for each in self._parcels if each.row is not None}

    def replace(self, payloads: Iterable[ServedPayload]) -> None:
        """Parcel these from now on. One that PCs were told of stays as it is, unless something in it is gone."""
        self._small = {payload.torrent_hash: payload for payload in payloads if is_small(payload)}
        kept = [each for each in self._parcels if each.row is not None and self._is_whole(each)]
        for gone in self._parcels:
            if gone.row is not None and gone not in kept:
                self._stop(gone)
        parcelled = {member.torrent_hash for each in kept for member in each.members}
        rest = (payload for torrent, payload in self._small.items() if torrent not in parcelled)
        # the same object for the same parcel: somebody may be about to be told of it
        as_before = {each.names: each for each in self._parcels if each.row is None}
        made = [
            each if (old := as_before.get(each.names)) is None or old.members != each.members else old
            for each in map(_parcel, cut(rest))
        ]
        self._parcels = sorted([*kept, *made], key=lambda each: _turn(each.members[0]))

    async def answer(self, lacked: bytes, site: SiteName, ledger: SiteLedger) -> Parcels:
        """Return the parcels for a PC of ``site`` that lacks these. Raises `DecodeError` for what is no list of names.

        What its neighbours have by itself, or fetch so, is swapped by itself: a parcel would cross the line once more.
        """
        names = set(beginnings(lacked))
        told: list[Parcel] = []
        async with self._answering:  # all PCs ask at once, for the same
            had = ledger.held_by_anybody()

            def held(torrent: TorrentHash) -> bool:
                return had(torrent) or ledger.ledger(torrent) is not None

            for each in list(self._parcels):
                if not self._is_for(each, names, site, ledger, held):
                    continue
                if len(told) == self._most_told:
                    return Parcels(parcels=told, more=True)
                if (said := await self._told(each, site)) is not None:
                    told.append(said)
        return Parcels(parcels=told)

    def _is_for(
        self,
        each: _Parcel,
        lacked: set[bytes],
        site: SiteName,
        ledger: SiteLedger,
        held: Callable[[TorrentHash], bool],
    ) -> bool:
        missing = [member for member, name in zip(each.members, each.names, strict=True) if name in lacked]
        now = trio.current_time()
        if not _worth(missing, each) or not self._is_whole(each):
            return False
        if each.row is not None and (
            ledger.ledger(TorrentHash(each.row.torrent_hash)) is not None
            or now - each.told_sites.get(site, now - SWAPPED_SECONDS) < SWAPPED_SECONDS
        ):
            return True
        return _worth([member for member in missing if not held(TorrentHash(member.torrent_hash))], each)

    async def _told(self, each: _Parcel, site: SiteName) -> Parcel | None:
        if each.said is None:
            try:
                data = await self._source.read_parts(each.members, 0, each.length_bytes)
            except (DamagedPayloadError, TemporaryReadError):
                return None  # who asks for the payload itself is told what is wrong
            described = await trio.to_thread.run_sync(describe_news, data)
            each.said = Parcel(described, b"".join(each.names), tuple(member.length_bytes for member in each.members))
        if each not in self._parcels or not self._is_whole(each):  # as of now
            return None
        each.told_at = trio.current_time()
        each.told_sites.setdefault(site, each.told_at)
        if each.row is None:
            told, first = each.said.torrent, each.members[0]
            # as urgent as what is in it
            each.row = made_row(told, make_torrent(told), severity=first.severity, sequence=first.sequence)
            self._source.assemble(each.row.sha256, each.members)
            self._serve(each.row)
        return each.said

    def shares(self, torrent: TorrentHash, start: int, length: int) -> Iterator[tuple[TorrentHash, int]]:
        """Yield how many of these bytes of a parcel are of which payload's torrent."""
        each = next((b for b in self._parcels if b.row is not None and b.row.torrent_hash == torrent), None)
        offset = 0
        for member in () if each is None else each.members:
            count = min(start + length, offset + member.length_bytes) - max(start, offset)
            if count > 0:
                yield TorrentHash(member.torrent_hash), count
            offset += member.length_bytes

    def expire(self, now: float, fetched: Callable[[TorrentHash], bool] = lambda _torrent: False) -> None:
        """Forget the parcels of which nobody was told lately; their payloads may be parcelled otherwise.

        Not those that are ``fetched`` at some site, for a day at most.
        """
        old = [
            each
            for each in self._parcels
            if each.row is not None
            and now - each.told_at >= PARCEL_KEPT_SECONDS
            and (now - each.told_at >= DAY_SECONDS or not fetched(TorrentHash(each.row.torrent_hash)))
        ]
        for each in old:
            self._stop(each)
        if old:
            self.replace(self._small.values())

    def _is_whole(self, each: _Parcel) -> bool:
        return all(self._small.get(member.torrent_hash) == member for member in each.members)

    def _stop(self, each: _Parcel) -> None:
        assert each.row is not None
        row, each.row = each.row, None
        self._stop_serving(TorrentHash(row.torrent_hash))
        self._source.release(row.sha256)


def _parcel(members: tuple[ServedPayload, ...]) -> _Parcel:
    names = tuple(beginning(TorrentHash(member.torrent_hash)) for member in members)
    return _Parcel(members, names, sum(member.length_bytes for member in members))


def _worth(missing: list[ServedPayload], each: _Parcel) -> bool:
    return is_worth(sum(member.length_bytes for member in missing), len(missing), each.length_bytes)


def _turn(payload: ServedPayload) -> tuple[int, int, int]:
    return payload.urgency, payload.sequence, payload.number
