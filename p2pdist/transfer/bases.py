"""Keeps former payloads at hand while something newer of the same patch is on its way: pieces are coded by them.

Each is in the cache under its SHA-256, where the network part reads it: because it is shared, because it stays there
though its patch has been replaced, or as another name of the file that is kept for a way back. Only the second kind
takes room, which it gives back as soon as it is needed. A base that is wrong costs a piece, never a wrong byte.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import trio
from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef, Sha256Hex, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire import messages
from p2pdist.shared.wire.beginnings import beginning, beginnings
from p2pdist.transfer.base_choice import Base, chosen
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.names import NameChange, give_name, take_name, with_proof_after
from p2pdist.transfer.places import refs_of
from p2pdist.transfer.records import TransferMemory
from p2pdist.transfer.states import TransferRecord
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import CataloguePatch

BASES_LOOK_SECONDS = 2.0  # while the same patches are on their way: a rollback file may come or go meanwhile
SHRINKING_SECONDS = 2.0  # until what is needed no more is said: small patches are proven many a second

log = lazy_log()


class FormerPayloads:
    """Those of one PC. Its methods run under the lock of `Transfers`, but for `make_room`, which takes it."""

    def __init__(
        self,
        cache: Cache,
        memory: TransferMemory,
        transfers: Mapping[TorrentHash, Transfer],
        lock: trio.Lock,
        names_changed: Callable[[NameChange], None],
    ) -> None:
        """``names_changed`` is told of each name that a kept file gets or loses here: it may be a proven one."""
        self.kept: Callable[[Collection[str]], Iterable[Base]] = lambda _patch_ids: ()
        """Returns what is kept for a way back of patches with these ids."""
        self._cache = cache
        self._memory = memory
        self._transfers = transfers
        self._lock = lock
        self._names_changed = names_changed
        self._takes: bool | None = None
        """Whether the server that was connected last takes `messages.Bases`; None: there was none yet."""
        self._told, self._told_at = b"", -math.inf
        self._former: set[TorrentHash] = set()
        """Whose files stay in the cache though their patches have been replaced; their records are in the memory."""
        self._linked: set[str] = set()
        """Names in the cache of files that are kept for a way back."""
        self._here: dict[str, Base] = {}
        """What serves as a base now, by its SHA-256."""
        self._failed: set[str] = set()
        """What is of no use with this server, by its SHA-256: it stays, for the server's copy may be the bad one."""
        self._said_of_none = False
        self._catalogue_known = False
        """Until then nobody knows what is on its way."""
        self._lacking: frozenset[str] = frozenset()
        self._looked_at = -math.inf

    async def load(self) -> None:
        """Find those of an earlier run again, once the memory has been read; what has changed is none any more."""
        former = [record for record in self._memory.records.values() if record.base]
        intact = await trio.to_thread.run_sync(self._cache.intact, former) if former else []
        for record in former:
            torrent = TorrentHash(record.torrent_hash)
            if record in intact:
                self._former.add(torrent)
            else:  # what is left of it belongs to nothing, and leaves as that
                del self._memory.records[torrent]

    # --- what leaves the rollouts -----------------------------------------------------------

    def lacking(self, wanted: Mapping[TorrentHash, Sequence[CataloguePatch]]) -> frozenset[str]:
        """Return the ids of those patches whose files are not proven here; none, for a server that takes no bases.

        Call it with each catalogue, first.
        """
        self._catalogue_known = True
        if self._takes is False:
            return frozenset()
        known = self._memory.records | {torrent: each.record for torrent, each in self._transfers.items()}
        proven = {torrent for torrent, one in known.items() if one.spared or one.verified_mtime_ns is not None}
        return frozenset(
            patch.ref.patch_id for torrent, patches in wanted.items() if torrent not in proven for patch in patches
        )

    def foreseen(self, lacking: Collection[str], now: float) -> messages.Bases | None:
        """Return as `news` what is in the cache already that serves for ``lacking``, before anything else is done.

        Else others of the site would be sent the first pieces, who have no former version.
        """
        for name, base in chosen(self._candidates(lacking), lacking, self._unfinished()).items():
            if not base.kept:
                self._here[name] = base
        return self.news(now)

    def _unfinished(self) -> set[str]:
        """Return the payloads that are no bases: not here in full, or of no use."""
        return self._failed | {each.sha256 for each in self._transfers.values() if not each.is_here}

    def wants(self, record: TransferRecord, lacking: Collection[str]) -> bool:
        """Whether a file shall stay in the cache: it is proven, and of a patch id in ``lacking``."""
        proven = record.verified_mtime_ns is not None and not record.spared
        return proven and any(ref.patch_id in lacking for ref in refs_of(record))

    def retain(self, record: TransferRecord) -> None:
        """Keep the file of ``record`` from now on: it stays in the cache."""
        torrent = TorrentHash(record.torrent_hash)
        self._memory.records[torrent] = replace(record, base=True)
        self._former.add(torrent)
        self._looked_at = -math.inf

    async def give_back(self, torrent: TorrentHash, sha256: str) -> TransferRecord | None:
        """Return what is remembered of a torrent that is rolled out again: its file is a transfer's from now on.

        So is the name ``sha256``: a kept file that has it loses it, before the transfer looks what lies there.
        """
        if sha256 in self._linked:
            self._here.pop(sha256, None)
            self._tell(await trio.to_thread.run_sync(self._unlink, sha256))
        known = self._memory.records.get(torrent)
        if known is not None and torrent in self._former:
            self._former.discard(torrent)
            known = self._memory.records[torrent] = replace(known, base=False)
            self._here.pop(known.sha256, None)
        return known

    def forget(self, torrent: TorrentHash) -> None:
        """Remember nothing of a torrent whose file is gone."""
        self._former.discard(torrent)
        self._memory.records.pop(torrent, None)

    def names_changed(self, change: NameChange) -> None:
        """As `Transfers.names_changed`, of the files that stay in the cache."""
        for torrent in self._former:
            self._memory.records[torrent] = with_proof_after(self._memory.records[torrent], change)

    # --- at each step -------------------------------------------------------------------------

    async def step(self, under_way: Iterable[Transfer], now: float) -> None:
        """Have at hand what serves for ``under_way``, all that is not proven; let go of the rest. ``now``: trio's."""
        lacking: frozenset[str] = frozenset()
        if self._takes is not False:
            lacking = frozenset(ref.patch_id for each in under_way if _lacks(each) for ref in refs_of(each.record))
        if not self._catalogue_known or not (lacking or self._here or self._former or self._linked):
            return
        if lacking == self._lacking and now - self._looked_at < BASES_LOOK_SECONDS:
            return
        self._lacking, self._looked_at = lacking, now
        found = chosen(self._candidates(lacking), lacking, self._unfinished())
        staying = found.keys() | self._failed
        for torrent, record in [(each, self._memory.records[each]) for each in self._former]:
            if record.sha256 not in staying or not self.wants(record, lacking):
                await self._leave(torrent)
        owned = {each.sha256 for each in self._transfers.values()}
        wanted = {name: base.kept for name, base in found.items() if base.kept and name not in owned}
        if wanted.keys() != self._linked:
            self._tell(await trio.to_thread.run_sync(self._link, wanted, owned))
        in_cache = {name for name, base in found.items() if not base.kept} | owned | self._linked
        self._here = {name: base for name, base in found.items() if name in in_cache}

    def _candidates(self, lacking: Collection[str]) -> Iterable[Base]:
        for record in [each.record for each in self._transfers.values() if each.is_here]:
            yield from _bases_of(record)
        for torrent in self._former:
            yield from _bases_of(self._memory.records[torrent])
        if self._takes:
            yield from self.kept(lacking)

    def _link(self, wanted: Mapping[str, str], owned: Collection[str]) -> list[NameChange]:
        """Give these files their names in the cache, and take those of others, but for what transfers own. Blocking."""
        changes: list[NameChange] = []
        for name in self._linked - wanted.keys():
            if name in owned:
                self._linked.discard(name)
            else:
                changes += self._unlink(name)
        for name, source in wanted.items():
            if name in self._linked:
                continue
            try:
                changes.append(give_name(Path(source), self._cache.path(Sha256Hex(name)), lasting=False))
                self._linked.add(name)
            except OSError as error:
                self._failed.add(name)
                log.info("a kept file serves for nothing newer", path=source, reason=error.strerror)
        return changes

    def _unlink(self, name: str) -> list[NameChange]:
        """Take the name in the cache from a kept file. Blocking."""
        self._linked.discard(name)
        try:
            change = take_name(self._cache.path(Sha256Hex(name)))
        except OSError as error:  # the network part has put something else there; the daily sweep looks again
            log.warning("a former payload cannot be let go of", sha256=name, reason=error.strerror)
            return []
        return [] if change is None else [change]

    def _tell(self, changes: Iterable[NameChange]) -> None:
        for change in changes:
            self._names_changed(change)

    async def _leave(self, torrent: TorrentHash) -> None:
        record = self._memory.records[torrent]
        self.forget(torrent)
        self._here.pop(record.sha256, None)
        if all(each.sha256 != record.sha256 for each in self._transfers.values()):
            await self._cache.remove(Sha256Hex(record.sha256))

    # --- room ---------------------------------------------------------------------------------

    async def make_room(self, bytes_wanted: float = math.inf) -> bool:
        """Let files leave, the oldest first, until so much is free; return whether any has. Takes the lock."""
        async with self._lock:
            return await self.let_go(bytes_wanted)

    async def let_go(self, bytes_wanted: float = math.inf) -> bool:
        """As `make_room`; the caller holds the lock."""
        records = sorted((self._memory.records[each] for each in self._former), key=lambda one: one.verified_at or 0.0)
        freed = 0
        for record in records:
            if freed >= bytes_wanted:
                break
            frees = await trio.to_thread.run_sync(self._cache.freed_bytes, Sha256Hex(record.sha256))
            if frees:  # else it is kept for a way back too
                freed += frees
                await self._leave(TorrentHash(record.torrent_hash))
                self._told_at = -math.inf  # it left before its time: pieces are being coded by it
                log.info("a former payload has left to make room", patch=str(record.ref))
        return freed > 0

    @property
    def linked(self) -> frozenset[str]:
        """The names that kept files have in the cache: they belong there."""
        return frozenset(self._linked)

    # --- the server ---------------------------------------------------------------------------

    def welcomed(self, *, takes: bool) -> None:
        """Say everything again, and of all: the server is a new one. ``takes``: it has the feature ``coded_pieces``."""
        self._takes, self._told, self._looked_at = takes, b"", -math.inf
        self._failed.clear()

    def news(self, now: float) -> messages.Bases | None:
        """Return what the server does not know yet of the bases that are here; None: nothing. ``now``: trio's."""
        payloads = b"".join(sorted(map(beginning, self._here))) if self._takes else b""
        if payloads == self._told or (self._has_told(payloads) and now - self._told_at < SHRINKING_SECONDS):
            return None
        self._told, self._told_at = payloads, now
        return messages.Bases(payloads=payloads)

    def _has_told(self, payloads: bytes) -> bool:
        """Whether the server was told of all of them, and of more."""
        return {*beginnings(payloads)} <= {*beginnings(self._told)}

    def version_of(self, sha256: str) -> str:
        """Return of which version a base is; empty: it is none now."""
        base = self._here.get(sha256)
        return "" if base is None else base.version

    def failed(self, sha256: str, problem: str) -> None:
        """Note that a piece that was coded by this base, or by none, could not be decoded: it is unused from now on."""
        if not sha256:
            if not self._said_of_none:
                self._said_of_none = True
                log.warning("a compressed piece could not be unpacked", reason=problem)
            return
        base = self._here.pop(sha256, None)  # of others nothing was said: so this does not grow
        if base is not None:
            self._failed.add(sha256)
            self._looked_at = -math.inf
            patch = str(PatchRef(base.patch_id, base.version))
            log.warning("a former payload, here or on the server, is of no use", patch=patch, reason=problem)


def _lacks(transfer: Transfer) -> bool:
    """Whether bytes of its file may be missing here."""
    record = transfer.record
    return transfer.state != "verified" and record.verified_mtime_ns is None and not record.spared


def _bases_of(record: TransferRecord) -> Iterable[Base]:
    since = record.verified_at or record.first_seen_at
    return (Base(record.sha256, ref.patch_id, ref.version, since) for ref in refs_of(record))
