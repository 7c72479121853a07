"""Parcels of small payloads: which there are, what PCs are told of them, and what they carry.

The server alone decides what is in which, the same for all PCs of all sites: so that they all swap the same. A parcel
is in no database, and its bytes are in no memory: each piece is read from the payloads, which are verified as ever.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import trio

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import SiteName, TorrentHash
from p2pdist.shared.wire.beginnings import beginning, beginnings
from p2pdist.shared.wire.news_torrent import describe_news, make_torrent
from p2pdist.shared.wire.parcel import (
    MAX_TOLD_PARCELS,
    Parcel,
    Parcels,
    ParcelsWanted,
    is_worth,
)
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.origin.made_row import made_row
from seed_server.origin.message_budgets import Budget, Purse
from seed_server.origin.parcel_plan import cut, is_parcel, is_small
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.piece_source import PieceSource, TemporaryReadError
from seed_server.store.rows import ServedPayload

PARCEL_KEPT_SECONDS = 900.0  # those that lack some of a parcel then come later, and alone
SWAPPED_SECONDS = 240.0  # since a site was told of it first: its PCs share it for longer after they have it
AGAIN = Budget(1 / 60, 128)  # parcels of before a restart: all sites have the same, and each is four megabytes to read


@dataclass(eq=False)
class _Parcel:
    members: tuple[ServedPayload, ...]
    names: tuple[bytes, ...]
    length_bytes: int
    row: ServedPayload | None = None
    """While it is served."""
    said: Parcel | None = None
    served_at: float = 0.0
    """Since when it is served."""
    told_at: float = 0.0
    told_sites: dict[SiteName, float] = field(default_factory=dict)
    """When each site was told of it first."""

    def is_swapped(self, site: SiteName, ledger: SiteLedger, had: Callable[[TorrentHash], bool], now: float) -> bool:
        """Whether PCs of ``site`` have it, or fetch it."""
        if self.row is None:
            return False
        torrent = TorrentHash(self.row.torrent_hash)
        lately = now - self.told_sites.get(site, -math.inf) < SWAPPED_SECONDS
        return lately or had(torrent) or ledger.ledger(torrent) is not None


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
        """What whoever asks is told of."""
        self._earlier: list[_Parcel] = []
        """What is served, and told of at sites alone that swap it already."""
        self._cut_again_at = math.inf
        self._again: Purse | None = None
        self._answering = trio.Lock()

    @property
    def rows(self) -> dict[TorrentHash, ServedPayload]:
        """The parcels that are served."""
        return {TorrentHash(each.row.torrent_hash): each.row for each in self._all() if each.row is not None}

    def _all(self) -> list[_Parcel]:
        return [*self._earlier, *self._parcels]

    def replace(self, payloads: Iterable[ServedPayload]) -> None:
        """Parcel these from now on. What is served goes on where it is swapped, unless something in it is gone."""
        self._small = {payload.torrent_hash: payload for payload in payloads if is_small(payload)}
        for gone in self._all():
            if gone.row is not None and not self._is_whole(gone):
                self._stop(gone)
        self._cut(trio.current_time())

    def _cut(self, now: float) -> None:
        """Parcel all anew but what is in parcels that are served since a moment ago.

        What is published one by one is in small parcels at first, and must not be so for whoever comes later.
        """
        kept = [e for e in self._parcels if e.row is not None and now - e.served_at < PARCEL_KEPT_SECONDS]
        parcelled = {member.torrent_hash for each in kept for member in each.members}
        rest = (payload for torrent, payload in self._small.items() if torrent not in parcelled)
        # the same object for the same parcel: somebody may be about to be told of it, or have it
        known = self._all()
        as_before = {each.names: each for each in known if self._is_whole(each)}
        made = [as_before.get(each.names, each) for each in map(_parcel, cut(rest))]
        self._parcels = sorted([*kept, *made], key=lambda each: _turn(each.members[0]))
        self._earlier = [each for each in known if each.row is not None and each not in self._parcels]
        self._cut_again_at = min((each.served_at + PARCEL_KEPT_SECONDS for each in kept), default=math.inf)

    async def answer(self, wanted: ParcelsWanted, site: SiteName, ledger: SiteLedger) -> Parcels:
        """Return the parcels for a PC of ``site``. Raises `DecodeError` for what is no list of names.

        What its neighbours have by itself, or fetch so, is swapped by itself: a parcel would cross the line once more.
        What the PC has of parcels that were told of before a restart is served again.
        """
        names = set(beginnings(wanted.torrents))
        held = [tuple(beginnings(each)) for each in wanted.held]
        told: list[Parcel] = []
        async with self._answering:  # all PCs ask at once, for the same
            await self._serve_again(held, site)
            had, now = ledger.held_by_anybody(), trio.current_time()

            def held_singly(torrent: TorrentHash) -> bool:
                return had(torrent) or ledger.ledger(torrent) is not None

            swapped = [each for each in self._all() if each.is_swapped(site, ledger, had, now)]
            comes = {member.torrent_hash for each in swapped for member in each.members}
            others = [each for each in self._parcels if comes.isdisjoint(m.torrent_hash for m in each.members)]
            for each in [*swapped, *others]:
                missing = [member for member, name in zip(each.members, each.names, strict=True) if name in names]
                if each not in swapped:
                    missing = [m for m in missing if not held_singly(TorrentHash(m.torrent_hash))]
                if not _worth(missing, each) or not self._is_whole(each):
                    continue
                if len(told) == self._most_told:
                    return Parcels(parcels=told, more=True)
                if (said := await self._told(each, site)) is not None:
                    told.append(said)
                    names.difference_update(each.names)
        return Parcels(parcels=told)

    async def _serve_again(self, held: Iterable[tuple[bytes, ...]], site: SiteName) -> None:
        """Serve what PCs of ``site`` have parts of, with these members: after a restart, nothing is known of it."""
        by_name: dict[bytes, ServedPayload] = {}
        for names in held:
            each = next((each for each in self._all() if each.names == names), None)
            if each is None:
                by_name = by_name or {beginning(TorrentHash(torrent)): row for torrent, row in self._small.items()}
                members = tuple(by_name[name] for name in names if name in by_name)
                if len(members) < len(names) or not is_parcel(members):
                    continue  # what is withdrawn, or was never a parcel
                each = _parcel(members)
            if each.said is None and not self._may_describe_again():
                continue
            if each not in self._parcels and each not in self._earlier:
                self._earlier.append(each)
            if await self._told(each, site) is None and each in self._earlier:
                self._earlier.remove(each)

    def _may_describe_again(self) -> bool:
        now = trio.current_time()
        if self._again is None:
            self._again = Purse(AGAIN, now)
        return self._again.spend(1, now)

    async def _told(self, each: _Parcel, site: SiteName) -> Parcel | None:
        if each.said is None:
            try:
                data = await self._source.read_parts(each.members, 0, each.length_bytes)
            except (DamagedPayloadError, TemporaryReadError):
                return None  # who asks for the payload itself is told what is wrong
            described = await trio.to_thread.run_sync(describe_news, data)
            each.said = Parcel(described, b"".join(each.names), tuple(member.length_bytes for member in each.members))
        if each not in self._all() or not self._is_whole(each):  # as of now
            return None
        each.told_at = trio.current_time()
        each.told_sites.setdefault(site, each.told_at)
        if each.row is None:
            told, first = each.said.torrent, each.members[0]
            # as urgent as what is in it
            each.row = made_row(told, make_torrent(told), severity=first.severity, sequence=first.sequence)
            each.served_at = each.told_at
            self._cut_again_at = min(self._cut_again_at, each.served_at + PARCEL_KEPT_SECONDS)
            self._source.assemble(each.row.sha256, each.members)
            self._serve(each.row)
        return each.said

    def shares(self, torrent: TorrentHash, start: int, length: int) -> Iterator[tuple[TorrentHash, int]]:
        """Yield how many of these bytes of a parcel are of which payload's torrent."""
        each = next((b for b in self._all() if b.row is not None and b.row.torrent_hash == torrent), None)
        offset = 0
        for member in () if each is None else each.members:
            count = min(start + length, offset + member.length_bytes) - max(start, offset)
            if count > 0:
                yield TorrentHash(member.torrent_hash), count
            offset += member.length_bytes

    def expire(self, now: float, fetched: Callable[[TorrentHash], bool] = lambda _torrent: False) -> None:
        """Forget the parcels of which nobody was told lately; after a while, all payloads may be parcelled otherwise.

        Not those that are ``fetched`` at some site, for a day at most.
        """
        for each in self._all():
            if (
                each.row is not None
                and now - each.told_at >= PARCEL_KEPT_SECONDS
                and (now - each.told_at >= DAY_SECONDS or not fetched(TorrentHash(each.row.torrent_hash)))
            ):
                self._stop(each)
                self._earlier = [earlier for earlier in self._earlier if earlier is not each]
        if now >= self._cut_again_at:
            self._cut(now)

    def _is_whole(self, each: _Parcel) -> bool:
        return all(self._small.get(member.torrent_hash) == member for member in each.members)

    def _stop(self, each: _Parcel) -> None:
        assert each.row is not None
        row, each.row = each.row, None
        each.told_sites.clear()
        self._stop_serving(TorrentHash(row.torrent_hash))
        self._source.release(row.sha256)


def _parcel(members: tuple[ServedPayload, ...]) -> _Parcel:
    names = tuple(beginning(TorrentHash(member.torrent_hash)) for member in members)
    return _Parcel(members, names, sum(member.length_bytes for member in members))


def _worth(missing: list[ServedPayload], each: _Parcel) -> bool:
    return is_worth(sum(member.length_bytes for member in missing), len(missing), each.length_bytes)


def _turn(payload: ServedPayload) -> tuple[int, int, int]:
    return payload.urgency, payload.sequence, payload.number
