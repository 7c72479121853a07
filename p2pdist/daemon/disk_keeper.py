"""Keeps this PC's payloads within their quota: asks the server what the site can spare, and says who uses what."""

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import trio

from p2pdist.daemon.state import DaemonState
from p2pdist.install.service import InstallService
from p2pdist.local_api.disk_answer import DiskStatus
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.identifiers import PatchRef, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.messages import FromEndpoint
from p2pdist.shared.wire.spare_copies import MAX_SPARE_TORRENTS, SPARE_HASH_BYTES, SpareCopies, SpareWanted
from p2pdist.transfer.eviction import Evictable, FileUse, enough
from p2pdist.transfer.faults import TransferFaultKind
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.places import refs_of
from p2pdist.transfer.quota import quota_bytes
from p2pdist.transfer.transfer import Transfer
from p2pdist.transfer.usage import DiskUse, StoredFile, disk_use

DISK_LOOK_SECONDS = 60.0  # others fill the disk, too
SHORT_OF_ROOM_LOOK_SECONDS = 5.0  # something waits, or there is too much
SPARE_ANSWER_SECONDS = 30.0  # a question that is older was lost, with its connection or its server
SPARE_AGAIN_SECONDS = 60.0  # until the server is asked again for what it could not spare
# So many questions within such a time: two thirds of what a server hears (its `message_budgets`). Where nothing of what
# was asked about can be spared, the next one is about twice as many.
QUESTIONS_AT_ONCE, QUESTIONS_SECONDS = 20, 300.0
MB = 1_000_000

FileUses: TypeAlias = dict[PatchRef, FileUse]

log = lazy_log()


class DiskKeeper:
    """Looks at the disk regularly. Runs in the daemon's trio thread."""

    def __init__(
        self,
        home: EndpointHome,
        settings: DaemonSettings,
        state: DaemonState,
        transfers: Transfers,
        patching: InstallService,
        send: Callable[[FromEndpoint], Awaitable[None]],
        at_work: trio.Lock,
    ) -> None:
        """``at_work`` is held while something is installed."""
        self._home = home
        self._settings = settings
        self._state = state
        self._transfers = transfers
        self._patching = patching
        self._send = send
        self._at_work = at_work
        self._answered = trio.Event()
        self._asked: tuple[TorrentHash, ...] = ()
        self._asked_at = 0.0
        self._asked_on = 0
        """The connection on which it was asked."""
        self._granted: bytes | None = None
        self._refused_at: dict[TorrentHash, float] = {}
        self._at_least = 1
        """How many the next question is about; more while nothing can be spared."""
        self._questions = deque[float](maxlen=QUESTIONS_AT_ONCE)
        """When the last ones were asked."""
        self.status: DiskStatus | None = None
        """Who uses what, as of the last look; None: there was none."""
        self.problem = ""
        """Why the disk cannot be looked at, in words; empty: it can."""

    def told(self, answer: SpareCopies) -> None:
        """Take the server's answer."""
        if self._asked:
            self._granted = answer.torrents
            self._answered.set()

    async def run(self) -> None:
        """Look until cancelled."""
        room = self._transfers.room
        while True:
            self._answered, room.short = trio.Event(), trio.Event()
            if await self.look():
                with trio.move_on_after(SHORT_OF_ROOM_LOOK_SECONDS):
                    await self._answered.wait()
            else:
                with trio.move_on_after(DISK_LOOK_SECONDS):
                    await room.short.wait()

    async def look(self) -> bool:
        """Look at the disk once, and do what is due; return whether room is short."""
        now = trio.current_time()
        uses = self._patching.file_uses()
        await self._take_answer(uses, now)
        try:
            use = await trio.to_thread.run_sync(disk_use, self._home)
        except OSError as error:
            self.problem = f"The disk of {self._home.root} cannot be looked at: {error.strerror}. Check the disk."
            return False
        self.problem = ""
        transfers = self._transfers.everything()
        limit = quota_bytes(
            self._settings.cache_mb * MB, self._settings.cache_free_percent, use.used_bytes, use.free_bytes
        )
        # those that are not begun count in full once they are, half a file of an earlier run with them
        of_transfers = {each.sha256 for each in transfers if not each.record.spared}
        beside = sum(file.disk_bytes for file in use.files if of_transfers.isdisjoint(file.cached))
        quota = self._transfers.room.quota
        quota.set(limit, beside)
        if self._at_work.locked() or self._transfers.busy or self._waits_for_answer(now):
            quota.moves(now)
        self.status = _status(use, limit, transfers, uses)
        needed = [each for each in transfers if each.record.spared and _is_needed(each, uses)]
        await self._transfers.room.fetch_again(each.torrent_hash for each in needed)
        waits = any(each.state == "waiting" and each.room_wait for each in transfers)
        if not waits and not any(_lacks_disk(each) for each in transfers):
            self._transfers.room.full = ""
        committed = sum(each.payload.length_bytes for each in transfers if each.takes_room)
        excess = max(beside + committed - limit, quota.take_lacking_bytes())
        if excess > 0 and await self._transfers.bases.make_room(excess):
            return await self.look()  # they go before anything that somebody may want; now there is more room
        if excess > 0 and not self._waits_for_answer(now):
            await self._ask(self._evictable(use, transfers, uses, now), excess, now)
        return excess > 0 or waits

    # --- what may leave -----------------------------------------------------------------------

    def _evictable(self, use: DiskUse, transfers: Iterable[Transfer], uses: FileUses, now: float) -> list[Evictable]:
        files = {name: file for file in use.files for name in file.cached}
        needed = self._patching.kept_for_way_back()
        found: list[Evictable] = []
        for each in transfers:
            file = files.get(each.sha256)
            refused_at = self._refused_at.get(each.torrent_hash, -math.inf)
            if file is None or not each.is_here or now - refused_at < SPARE_AGAIN_SECONDS:
                continue
            frees = 0 if file.kept & needed or not _drops_all(file, each, uses) else file.disk_bytes
            of_patches = max((uses.get(ref, FileUse.NEEDED) for ref in _refs(each)), default=FileUse.NEEDED)
            found.append(Evictable(each.torrent_hash, of_patches, each.record.verified_at or 0.0, frees))
        return found

    async def _ask(self, evictable: list[Evictable], excess: int, now: float) -> None:
        chosen = enough(evictable, excess, self._refused_at, self._at_least)[:MAX_SPARE_TORRENTS]
        asks_much = len(self._questions) == QUESTIONS_AT_ONCE and now - self._questions[0] < QUESTIONS_SECONDS
        if not chosen or not self._state.takes_spares or asks_much:
            return
        self._questions.append(now)
        self._asked, self._asked_at = tuple(each.torrent for each in chosen), now
        self._asked_on, self._granted = self._state.welcomes, None
        await self._send(SpareWanted(b"".join(bytes.fromhex(torrent) for torrent in self._asked)))

    def _waits_for_answer(self, now: float) -> bool:
        return bool(self._asked) and self._is_current() and now - self._asked_at < SPARE_ANSWER_SECONDS

    async def _take_answer(self, uses: FileUses, now: float) -> None:
        granted, self._granted = self._granted, None
        if granted is None:
            return
        if not self._is_current():
            self._asked = ()
            return
        told = {granted[at : at + SPARE_HASH_BYTES].hex() for at in range(0, len(granted), SPARE_HASH_BYTES)}
        asked, self._asked = self._asked, ()
        known = {each.torrent_hash: each for each in self._transfers.everything()}
        refused = {torrent: now for torrent in asked if torrent not in told}
        self._refused_at = {torrent: at for torrent, at in (self._refused_at | refused).items() if torrent in known}
        self._at_least = min(2 * len(asked), MAX_SPARE_TORRENTS) if len(refused) == len(asked) else 1
        going = [known[torrent] for torrent in asked if torrent in told and torrent in known]
        # first, or a kill in between leaves the kept name, and with it the file; it may take as long as an installation
        for each in self._unneeded(going, uses):
            for ref in _refs(each):
                await self._patching.give_up_way_back(ref)
        going = self._unneeded(going, self._patching.file_uses())
        if self._is_current():
            await self._transfers.room.spare([each.torrent_hash for each in going])

    def _is_current(self) -> bool:
        """Whether the connection is still the one on which it was asked: on another, all that is here is told anew."""
        return self._asked_on == self._state.welcomes

    def _unneeded(self, going: Iterable[Transfer], uses: FileUses) -> list[Transfer]:
        """Leave out what has come to be needed since it was asked for; the server is told again that it is here."""
        left: list[Transfer] = []
        for each in going:
            if _is_needed(each, uses):
                each.wanted = None
            else:
                left.append(each)
        return left


def _refs(transfer: Transfer) -> set[PatchRef]:
    return {*refs_of(transfer.record), *(patch.ref for patch in transfer.patches)}


def _lacks_disk(transfer: Transfer) -> bool:
    return transfer.fault is not None and transfer.fault.kind is TransferFaultKind.DISK_FULL


def _is_needed(transfer: Transfer, uses: FileUses) -> bool:
    """Whether one of its patches is known to need its file here."""
    return any(uses.get(ref) is FileUse.NEEDED for ref in _refs(transfer))


def _drops_all(file: StoredFile, transfer: Transfer, uses: FileUses) -> bool:
    """Whether all that is kept of it for a way back may go with it."""
    return file.kept <= {ref for ref in _refs(transfer) if uses.get(ref, FileUse.NEEDED) is not FileUse.NEEDED}


def _status(use: DiskUse, limit: int, transfers: Iterable[Transfer], uses: FileUses) -> DiskStatus:
    by_name: dict[str, Transfer] = {each.sha256: each for each in transfers}
    to_install = shared = kept = other = 0
    for file in use.files:
        of_file = [by_name[name] for name in file.cached if name in by_name]
        if of_file:
            needed = any(uses.get(ref, FileUse.NEEDED) is FileUse.NEEDED for each in of_file for ref in _refs(each))
            to_install, shared = (
                (to_install + file.disk_bytes, shared) if needed else (to_install, shared + file.disk_bytes)
            )
        elif file.kept:
            kept += file.disk_bytes
        else:
            other += file.disk_bytes
    return DiskStatus(
        quota_bytes=limit,
        used_bytes=use.used_bytes,
        to_install_bytes=to_install,
        shared_bytes=shared,
        kept_bytes=kept,
        other_bytes=other,
        free_bytes=use.free_bytes,
    )
