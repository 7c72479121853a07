"""The room that transfers take on the disk: each begins only as it lets them, and proven files are given up for it."""

import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

import trio
from msgspec.structs import replace

from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.urgency import EMERGENCY
from p2pdist.transfer.cache import ROOM_RETRY_SECONDS, Cache
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.names import NameChange
from p2pdist.transfer.places import Places
from p2pdist.transfer.quota import QUOTA_WORDS, Quota
from p2pdist.transfer.states import TransferEvent, TransferRecord
from p2pdist.transfer.transfer import Transfer
from p2pdist.transfer.unclaimed import remove_unclaimed
from p2pdist.transfer.wants import Wants

log = lazy_log()


class Room:
    """Works on the transfers of `Transfers`, under its lock."""

    def __init__(
        self,
        home: EndpointHome,
        transfers: Mapping[TorrentHash, Transfer],
        engine: Engine,
        cache: Cache,
        places: Places,
        wants: Wants,
        lock: trio.Lock,
        save: Callable[[], Awaitable[None]],
    ) -> None:
        """``save`` writes the records of all transfers; the caller holds ``lock``."""
        self.quota = Quota()
        """How much of the disk the payloads may take."""
        self.full = ""
        """Why the disk has no room for the next transfer, in words; empty: it has, as far as is known."""
        self._full_until = -math.inf
        self.short = trio.Event()
        """Set while a transfer waits for room; whoever makes room waits for it, and puts another one in its place."""
        self.known_all = False
        """Whether the newest catalogue names all that belongs here: then what no transfer is of is left over."""
        self._home = home
        self._transfers = transfers
        self._engine = engine
        self._cache = cache
        self._places = places
        self._wants = wants
        self._lock = lock
        self._save = save

    def admit(self, transfer: Transfer, now: float) -> bool:
        """Whether ``transfer`` may take room on the disk now; else `Transfer.room_wait` says why not.

        Emergencies wait for no quota. The caller holds the lock.
        """
        if now < self._full_until:
            transfer.room_wait = self.full
            self.short.set()
            return False
        if not transfer.admitted:
            others = sum(each.payload.length_bytes for each in self._transfers.values() if each.takes_room)
            admitted = self.quota.admits(transfer.payload.length_bytes, others, now)
            transfer.admitted = admitted or transfer.urgency == EMERGENCY
            if not transfer.admitted:
                self.short.set()
        transfer.room_wait = "" if transfer.admitted else QUOTA_WORDS
        return transfer.admitted

    def found_full(self, words: str, now: float) -> None:
        """Note that the disk has too little room for a transfer: the others need not try as well."""
        self.full, self._full_until = words, now + ROOM_RETRY_SECONDS

    def found_room(self, now: float) -> None:
        """Note that the disk had room for a transfer."""
        if now >= self._full_until:
            self.full = ""

    async def spare(self, torrents: Iterable[TorrentHash]) -> None:
        """Give up proven files to make room; that their patches were proven here stays known.

        That is written first: files of which it is known are left over after a kill, others would be fetched again.
        """
        async with self._lock:
            known = (self._transfers.get(torrent) for torrent in torrents)
            going = [(each, each.in_engine) for each in known if each is not None and each.is_here]
            for transfer, _ in going:
                transfer.give_up_file()
            if going:
                await self._save()  # where the disk is full it cannot be written until there is room
            for transfer, in_engine in going:
                if in_engine:
                    await self._engine.remove(transfer.torrent_hash, delete_files=True)
                await self._places.take_back(transfer.record.places)
                await self._cache.remove(transfer.sha256)
                self._wants.give_up(transfer.torrent_hash)
                log.info("a patch's file has left to make room", patch=str(transfer.ref))

    async def fetch_again(self, torrents: Iterable[TorrentHash]) -> None:
        """Fetch what was given up to make room, and is needed here again."""
        async with self._lock:
            for torrent in torrents:
                if (transfer := self._transfers.get(torrent)) is not None and transfer.record.spared:
                    transfer.record = replace(transfer.record, spared=False, verified_at=None, verified_mtime_ns=None)
                    transfer.move(TransferEvent.DAMAGED)
                    transfer.fetch_alone()

    async def remove_unclaimed(
        self,
        remembered: Mapping[TorrentHash, TransferRecord],
        linked: Callable[[], Collection[str]],
        names_changed: Callable[[NameChange], None],
    ) -> bool:
        """Remove the files that no transfer, and none that is ``remembered``, is of; False: that is not known yet.

        ``linked`` returns the names in the cache that belong there all the same.
        """
        async with self._lock:
            if not self.known_all:
                return False
            claimed = [*remembered.values(), *(each.record for each in self._transfers.values())]
            for change in await trio.to_thread.run_sync(remove_unclaimed, self._home, claimed, linked()):
                names_changed(change)
        return True
