"""Finds for each piece the form in which it is sent, while the line is busy with those before it.

A form is made once for all sites, and kept. What is not made in the time that the piece would take as it is goes as it
is: nobody waits for a processor longer than for the line.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, TorrentHash
from p2pdist.shared.wire.beginnings import beginning
from seed_server.deltas.coded_cache import NO_BASE
from seed_server.deltas.coder import Coded
from seed_server.deltas.piece_coding import QUICK_LEVEL, NotAlignedError, PieceCoding, PieceLook
from seed_server.origin.alignments import ALIGN_AGAIN_SECONDS, Alignments
from seed_server.origin.former import former_payloads
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.quiet_threads import QuietThreads
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.piece_source import PieceSource, TemporaryReadError
from seed_server.store.rows import ServedPayload

CODING_THREADS = 2  # each makes 40 MB of pieces a second, which is 100 to 300 Mbit/s of what they become
AHEAD_PIECES = 4  # of the one that is asked for: a line that waits for none of them is never idle
MAX_MAKING = 32  # at the same time: 8 MB of pieces
LOOKING_THREADS = 4  # at the cache
RATED_AT_ONCE = 64  # endpoints: less than a millisecond of the event loop
LEAST_PATIENCE_SECONDS, MOST_PATIENCE_SECONDS = 0.5, 2.0  # on a fast line too: what is made once is for all sites
UNLIMITED_RATE = BytesPerSecond(1_000_000)  # of a link that nothing limits yet


@dataclass
class _Making:
    """A form that is being made."""

    done: trio.Event = field(default_factory=trio.Event)
    coded: Coded | None = None


class CodedForms:
    """Of one server; `run` must be running, or every piece is sent as it is."""

    def __init__(
        self,
        coding: PieceCoding | None,
        source: PieceSource,
        log: OutsideLog,
        *,
        align_again_seconds: float = ALIGN_AGAIN_SECONDS,
    ) -> None:
        """``coding``: None: every piece goes as it is; ``align_again_seconds``: after two could not be compared."""
        self._coding = coding
        again = align_again_seconds
        self._alignments = None if coding is None else Alignments(coding, self._lose, log, again_seconds=again)
        self.source = source
        self._log = log
        self.served: Mapping[TorrentHash, ServedPayload] = {}
        """What endpoints may be sent, of patches."""
        self.former: Mapping[TorrentHash, tuple[Sha256Hex, ...]] = {}
        """By what each of these may be coded, the best first."""
        self.threads = QuietThreads(CODING_THREADS)
        self.started = trio.Event()
        """Set once the cache is loaded: what is made before it would be made in vain."""
        self._looking = trio.CapacityLimiter(LOOKING_THREADS)
        self._nursery: trio.Nursery | None = None
        self._making: dict[tuple[TorrentHash, PieceIndex, str], _Making] = {}
        self._coded_by: dict[bytes, list[tuple[TorrentHash, Sha256Hex]]] = {}
        """What may be coded by a base, by the beginning of its SHA-256."""
        self._useless: set[tuple[str, str]] = set()
        """Torrents and bases that have nothing in common."""
        self._unreadable: set[tuple[str, str]] = set()
        """Torrents, and bases that cannot be read; until the next reload."""
        self._all_rated = True
        """Else who reloaded was cancelled in the midst of it."""

        self.sessions: Callable[[], Iterable[tuple[Session, LiveSite]]] = tuple
        """Returns all endpoints that are connected."""

    @property
    def codes(self) -> bool:
        """Whether anything is coded at all."""
        return self._coding is not None

    @property
    def coding(self) -> PieceCoding:
        """What codes; there must be any."""
        assert self._coding is not None
        return self._coding

    @property
    def alignments(self) -> Alignments:
        """What knows how former payloads and new ones belong together; there must be `coding`."""
        assert self._alignments is not None
        return self._alignments

    async def run(self) -> None:
        """Make forms until cancelled."""
        if self._coding is None:
            return
        await trio.to_thread.run_sync(self._coding.cache.load)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = self.alignments.nursery = nursery
                self.started.set()
                await trio.sleep_forever()
        finally:
            self._nursery = self.alignments.nursery = None
            self.threads.close()

    async def learn(self, published: Sequence[ServedPayload], served: Iterable[ServedPayload]) -> None:
        """Note what is published, and what of it is ``served``: by what each may be coded."""
        if self._coding is None:
            return
        mine = {TorrentHash(row.torrent_hash): row for row in served if row.patch_id and not row.damaged}
        content = self._coding.content
        find = partial(former_payloads, published, mine, lambda base: content.path(Sha256Hex(base)).exists())
        former = await trio.to_thread.run_sync(find)
        fresh = [row for torrent, row in mine.items() if torrent not in self.served] if self.served else []
        self.served = mine
        self.alignments.ahead(fresh, former, {row.sha256: row.sequence for row in published})
        if former == self.former and not self._unreadable and self._all_rated:
            return  # a reload for something else: 25,000 endpoints need not be rated again
        self.former, self._all_rated = former, False
        self._unreadable.clear()
        self.alignments.forgive()
        self._useless &= {(torrent, base) for torrent, bases in former.items() for base in bases}
        self._coded_by = {}
        for torrent, bases in former.items():
            for base in bases:
                self._coded_by.setdefault(beginning(base), []).append((torrent, base))
        await self._rate_all()
        self._all_rated = True

    def base(self, payload: ServedPayload, bases: Sequence[Sha256Hex]) -> str:
        """Return the best of these ``bases`` that is of any use, or `NO_BASE`."""
        return next((base for base in bases if self._is_good(payload.torrent_hash, base)), NO_BASE)

    def _is_good(self, torrent: str, base: str) -> bool:
        return (torrent, base) not in self._useless and (torrent, base) not in self._unreadable

    async def _rate_all(self, base: str = "") -> None:
        """Rate all endpoints, or those that have told of ``base``, some at a time; wake each site once."""
        news: dict[int, LiveSite] = {}
        for nth, (session, live) in enumerate(list(self.sessions())):
            if nth % RATED_AT_ONCE == RATED_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
            if live.sessions.get(session.endpoint) is not session:  # it has left meanwhile
                continue
            if base and (session.decoding is None or beginning(base) not in session.decoding.beginnings):
                continue
            if self._is_rated_anew(session, live):
                news[id(live)] = live
        for live in news.values():
            live.wake_all()

    def rate(self, session: Session, live: LiveSite) -> None:
        """Let an endpoint fetch before others what can be coded by what it has, by its own word."""
        if self._is_rated_anew(session, live):
            live.wake_all()

    def _is_rated_anew(self, session: Session, live: LiveSite) -> bool:
        """Note what an endpoint builds, with as many look-ups as it told of bases; return whether that is news."""
        decoding = session.decoding
        if decoding is None or not (decoding.has_bases or live.ledger.builders.any_of(session.endpoint)):
            return False
        built = {
            torrent
            for beginning in decoding.beginnings
            for torrent, base in self._coded_by.get(beginning, ())
            if self._is_good(torrent, base) and decoding.bases([base])
        }
        return live.ledger.builders.say(session.endpoint, built)

    async def form(
        self, payload: ServedPayload, piece: PieceIndex, base: str, rate: BytesPerSecond, *, or_alone: bool = True
    ) -> Coded | None:
        """Return a piece coded by ``base``, as it is made within a time that ``rate`` decides; None: it goes whole.

        ``or_alone``: what cannot be coded by it in time may be coded without a base.
        """
        if self._nursery is None:
            return None
        patience = _patience_seconds(payload, rate)
        deadline = trio.current_time() + patience
        found = await self._look(payload, piece, base, deadline)
        if found is None:
            return None
        aligned = self.alignments.is_aligned(payload, base)
        if not aligned and found.kept is None:
            waited_in_vain = not await self.alignments.wait(payload, base, rate)
            deadline = trio.current_time() + patience
            if waited_in_vain:
                return await self.form(payload, piece, NO_BASE, rate) if or_alone else None
        elif not aligned and found.lacking:
            self.alignments.begin(payload, base)
        return await self._kept_or_made(payload, piece, base, found, deadline, or_alone=or_alone)

    async def _look(self, payload: ServedPayload, piece: PieceIndex, base: str, deadline: float) -> PieceLook | None:
        """Return what the cache has; None: the disk is too slow for the line, or something is damaged."""
        look = partial(self.coding.look, payload, piece, base, ahead=AHEAD_PIECES)
        with trio.move_on_at(deadline):
            try:
                return await trio.to_thread.run_sync(look, limiter=self._looking, abandon_on_cancel=True)
            except DamagedPayloadError:
                pass  # it is read again to be sent whole, and seen to then
        return None

    async def _kept_or_made(
        self, payload: ServedPayload, piece: PieceIndex, base: str, found: PieceLook, deadline: float, *, or_alone: bool
    ) -> Coded | None:
        """Have what is lacking made, and return what is kept, or made by then, or else kept without a base."""
        made = None if found.kept is not None else self._make(payload, piece, base)
        for each in found.lacking if self.alignments.is_aligned(payload, base) else ():
            self._make(payload, each, base)
        if found.kept is not None:
            return found.kept.coded
        if made is not None:
            with trio.move_on_at(deadline):
                await made.done.wait()
            if made.done.is_set():
                return made.coded
        return await self.kept(payload, piece, NO_BASE) if or_alone and base != NO_BASE else None

    async def kept(self, payload: ServedPayload, piece: PieceIndex, base: str) -> Coded | None:
        """Return a piece coded by ``base`` if the cache has it."""
        look = partial(self.coding.look, payload, piece, base, ahead=0)
        try:
            found = await trio.to_thread.run_sync(look, limiter=self._looking)
        except DamagedPayloadError:
            return None
        return None if found.kept is None else found.kept.coded

    def _make(self, payload: ServedPayload, piece: PieceIndex, base: str) -> _Making | None:
        """Make a form in a task, unless one does; None: there is too much to do."""
        key = (TorrentHash(payload.torrent_hash), piece, base)
        making = self._making.get(key)
        if making is None and self._nursery is not None and len(self._making) < MAX_MAKING:
            making = self._making[key] = _Making()
            self._nursery.start_soon(self._make_one, payload, piece, base, making)
        return making

    async def _make_one(self, payload: ServedPayload, piece: PieceIndex, base: str, making: _Making) -> None:
        try:
            making.coded = await self.made(payload, piece, base, QUICK_LEVEL, self.threads)
        except Exception as error:  # noqa: BLE001 - no memory, no thread, a disk that fails: all others are served on
            self._log.warning("a piece cannot be coded", payload.patch_id, reason=f"{type(error).__name__}: {error}")
        finally:
            del self._making[TorrentHash(payload.torrent_hash), piece, base]
            making.done.set()

    async def made(
        self, payload: ServedPayload, piece: PieceIndex, base: str, level: int, threads: QuietThreads
    ) -> Coded | None:
        """Make a form and keep it; None: the piece is to be sent whole, or something cannot be read now."""
        try:
            if not await self.alignments.is_of_use(payload, base):
                return None
            data = await self.source.read(payload, piece)
        except (DamagedPayloadError, TemporaryReadError):
            return None  # the sender reads it too, and says so
        try:
            return await threads.run(partial(self.coding.make, payload, piece, data, base, level))
        except DamagedPayloadError as error:
            await self._lose(payload, base, str(error))
        except NotAlignedError:
            pass  # others have been aligned meanwhile: next time
        return None

    async def _lose(self, payload: ServedPayload, base: str, reason: str) -> None:
        """Use a base no more; ``reason``: why it cannot be read, or "": it is of no use."""
        (self._unreadable if reason else self._useless).add((payload.torrent_hash, base))
        if reason:
            self._log.warning("a former version cannot be read", payload.patch_id, reason=reason)
        await self._rate_all(base)


def _patience_seconds(payload: ServedPayload, rate: BytesPerSecond) -> float:
    piece_seconds = payload.piece_length_bytes / max(1, rate)
    return min(MOST_PATIENCE_SECONDS, max(LEAST_PATIENCE_SECONDS, piece_seconds))
