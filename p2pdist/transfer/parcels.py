"""Small patches that come together: asks the server for parcels, and cuts those that are here into proven files.

While its parcel is on its way, a patch is fetched by nothing else. One that is in no parcel, or whose parcel does not
come, is fetched by itself.
"""

import math
from collections.abc import Awaitable, Callable, Iterable

import trio
from msgspec.structs import replace

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.lan_patience import LAN_STALL_SECONDS
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.urgency import EMERGENCY
from p2pdist.shared.wire.beginnings import beginning
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.messages import FromEndpoint
from p2pdist.shared.wire.parcel import (
    LEAST_PARCELLED,
    MAX_HELD_PARCELS,
    MAX_LACKED,
    MAX_PARCELLED_BYTES,
    Parcel,
    Parcels,
    ParcelsWanted,
    parts_of,
)
from p2pdist.transfer.files import Proof
from p2pdist.transfer.kept_bytes import KeptBytes
from p2pdist.transfer.made_torrents import MadeTorrents, SharedTorrent, SharingTerms
from p2pdist.transfer.places import Places
from p2pdist.transfer.proving import Proving
from p2pdist.transfer.states import TransferEvent
from p2pdist.transfer.torrent_engine import WASTED, PieceOutcome
from p2pdist.transfer.transfer import ParcelPart, Transfer, counted

TAKES_PARCELS_SECONDS = 5.0  # for so long, a PC that has just started waits to hear whether its server has parcels
ANSWER_SECONDS = 300.0  # where the line may hardly be used, the PCs of a site are answered one after the other
FEW_PARCELS = 4  # when so many are still to come, more are asked for
PARCEL_TERMS = SharingTerms(
    "a parcel of small patches",
    patience_seconds=300.0,  # in which nothing of any parcel comes; what is in it is to be had by itself, too
    together=True,
    stall_seconds=LAN_STALL_SECONDS,
    shared_seconds=300.0,  # for longer than the server tells others of the site of it
    most=32,  # of four megabytes each
)

log = lazy_log()


class ParcelFetches:
    """The parcels of this PC's transfers. What is not said otherwise runs under the lock of `Transfers`."""

    def __init__(
        self,
        made: MadeTorrents,
        send: Callable[[FromEndpoint], Awaitable[None]],
        kept_bytes: KeptBytes,
        places: Places,
        proving: Proving,
        nursery: trio.Nursery,
        lock: trio.Lock,
    ) -> None:
        self._made = made
        self._send = send
        self._kept_bytes = kept_bytes
        self._places = places
        self._proving = proving
        self._nursery = nursery
        self._lock = lock
        self._takes: bool | None = None
        """Whether the server has parcels; None: it has not said so."""
        self._waits_until: float | None = None
        """For the server's welcome, or its answer; None: nobody waits."""
        self._asked: frozenset[bytes] | None = None
        """What was asked for on this connection and is not answered; None: nothing was asked."""
        self._asked_before = False
        """On an earlier connection: that makes the wait no longer."""
        self._answer: Parcels | None = None
        self._parts: dict[SharedTorrent, list[Transfer]] = {}
        """What comes in each parcel that is still to come, or to be cut."""
        self._cutting: set[SharedTorrent] = set()
        self._cutting_turn = trio.Lock()
        """One at a time: each takes memory, a thread, and the disk."""
        self._unsaid = False
        """Whether the server is still to be told, on this connection, which parcels are here."""
        self._later: set[TorrentHash] = set()
        """What the server has in more parcels than it told of at once."""

    # --- the server; without the lock ---------------------------------------------------------

    def welcomed(self, *, has_parcels: bool) -> None:
        """Note what the server can, on a new connection: what was asked on the one before is not answered."""
        self._takes, self._asked, self._answer = has_parcels, None, None
        # it may have started anew, and know none of them: it is told what is in them, and then of the pieces
        self._unsaid = has_parcels and bool(self._made.of(PARCEL_TERMS))
        self._made.tell_of(PARCEL_TERMS, tell=not self._unsaid)

    def told(self, message: Parcels) -> None:
        """Take the server's answer; one that nobody waits for does no harm."""
        self._made.tell_of(PARCEL_TERMS, tell=True)
        if self._asked is not None:
            self._answer = message

    def piece_arrived(
        self, torrent: TorrentHash, piece: PieceIndex, size: int, outcome: PieceOutcome, built: int = 0
    ) -> None:
        """Count a piece of a parcel that came from the server, for the patches that it is of.

        ``size`` of its bytes have crossed the line, ``built`` were saved.
        """
        shared = next((each for each in self._parts if each.made.torrent_hash == torrent), None)
        start = 0 if shared is None else piece * shared.told.piece_bytes
        for transfer in () if shared is None else self._parts[shared]:
            if transfer.part is not None and transfer.part.shared is shared:
                count_piece(transfer, transfer.part, start, size, outcome, trio.current_time(), built)

    # --- one step -----------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether patches wait for what the server says."""
        return self._waits_until is not None

    async def step(self, transfers: Iterable[Transfer], now: float) -> None:
        """Do what is due; `Transfer.held` is set where one waits for what the server says of parcels."""
        transfers = list(transfers)
        for transfer in transfers:
            if transfer.urgency == EMERGENCY:  # it has become one: it waits for nothing
                _let_go(transfer)
        if self._answer is not None:
            await self._begin([each for each in transfers if each.held], self._answer)
        for shared in [each for each in self._parts if not each.awaited and each not in self._cutting]:
            if shared.is_here:
                self._cutting.add(shared)
                self._nursery.start_soon(self._cut, shared)
            else:
                for transfer in self._end(shared):
                    transfer.fetch_alone()
        if len(self._parts) <= FEW_PARCELS:
            self._later.clear()
        waiting = [each for each in transfers if each.state == "waiting" and self._may_be_parcelled(each)]
        await self._ask([each for each in waiting if each.torrent_hash not in self._later], now)

    def _may_be_parcelled(self, transfer: Transfer) -> bool:
        """Whether nothing of it is here, and it is small."""
        if not (transfer.alone or transfer.held):
            transfer.alone = (
                transfer.payload.length_bytes > MAX_PARCELLED_BYTES
                or transfer.urgency == EMERGENCY  # it waits for no answer
                or transfer.record.verified_mtime_ns is not None
                or transfer.in_engine
                or self._kept_bytes.looking(transfer)
                or self._made.cache.path(transfer.sha256).exists()
            )
        return not transfer.alone

    async def _ask(self, lacking: list[Transfer], now: float) -> None:
        """Ask for what is lacking, or let it be fetched by itself; and say, on a new connection, what is here."""
        if not lacking:
            if self._asked is None:
                self._wait_no_longer()
        elif self._may_wait(lacking, now):
            for transfer in lacking:
                if not transfer.held:
                    transfer.held = True
                    transfer.queued = False
            if self._takes and self._asked is None:
                if not self._asked_before:
                    self._waits_until = now + ANSWER_SECONDS
                self._asked_before = True
                self._send_question(lacking)
        else:
            self._wait_no_longer()
            for transfer in lacking:
                _let_go(transfer)
        if self._unsaid and self._asked is None:
            self._send_question(())

    def _may_wait(self, lacking: list[Transfer], now: float) -> bool:
        """Whether there is, or may be, an answer to wait for."""
        if self._takes is False or (not self._asked and len(lacking) < LEAST_PARCELLED):
            return False
        if self._waits_until is None:
            self._waits_until = now + (TAKES_PARCELS_SECONDS if self._takes is None else ANSWER_SECONDS)
        return now < self._waits_until

    def _send_question(self, lacking: Iterable[Transfer]) -> None:
        names = sorted(beginning(each.torrent_hash) for each in lacking)[:MAX_LACKED]
        here = [each.described for each in self._made.of(PARCEL_TERMS)] if self._unsaid else []
        self._asked, self._unsaid = frozenset(names), False
        self._nursery.start_soon(
            self._send, ParcelsWanted(torrents=b"".join(names), held=tuple(here[:MAX_HELD_PARCELS]))
        )

    def _wait_no_longer(self) -> None:
        self._waits_until, self._asked, self._asked_before = None, None, False

    async def _begin(self, held: list[Transfer], answer: Parcels) -> None:
        self._answer, asked = None, self._asked or ()
        self._wait_no_longer()
        lacked = {beginning(each.torrent_hash): each for each in held}
        comes = False
        for parcel in answer.parcels:
            for transfer in await self._begin_one(parcel, lacked):
                del lacked[beginning(transfer.torrent_hash)]
                comes = True
        for name, transfer in lacked.items():
            if answer.more and comes:  # where nothing can be had in parcels, the next answer is of no use either
                self._later.add(transfer.torrent_hash)  # it waits: others of the site may be told of its parcel
            elif name in asked:
                _let_go(transfer)

    async def _begin_one(self, parcel: Parcel, lacked: dict[bytes, Transfer]) -> list[Transfer]:
        known = {name: (each.torrent_hash, each.payload.length_bytes) for name, each in lacked.items()}
        try:
            parts = parts_of(parcel, known)
        except DecodeError as error:
            log.warning("a parcel of the server is of no use", reason=str(error))
            return []
        shared = await self._made.begin(parcel.torrent, PARCEL_TERMS)
        if shared is None or shared in self._parts:
            return []
        shared.described = parcel.members
        transfers = [lacked[beginning(part.torrent)] for part in parts]
        for transfer, part in zip(transfers, parts, strict=True):
            await self._places.take_back(transfer.record.places)  # what is not proven is not published
            transfer.begin_parcelled(ParcelPart(shared, part.offset, part.length_bytes))
        self._parts[shared] = transfers
        return transfers

    def _end(self, shared: SharedTorrent) -> list[Transfer]:
        """Forget a parcel, and return those that came in it and are still wanted."""
        self._cutting.discard(shared)
        transfers = self._parts.pop(shared)
        return [each for each in transfers if each.part is not None and each.part.shared is shared]

    # --- cutting; in a task of its own ----------------------------------------------------------

    async def _cut(self, shared: SharedTorrent) -> None:
        async with self._cutting_turn:
            await self._cut_now(shared)

    async def _cut_now(self, shared: SharedTorrent) -> None:
        wanted = [(each, each.part) for each in self._parts[shared] if each.part is not None]
        pieces = [(part.offset, part.length_bytes, each.sha256) for each, part in wanted]
        proofs = await self._made.cache.cut(shared.made.name, shared.told.length_bytes, pieces)
        async with self._lock:
            still = set(map(id, self._end(shared)))
            proven: list[Transfer] = []
            for (transfer, part), proof in zip(wanted, proofs, strict=True):
                if id(transfer) not in still:  # withdrawn meanwhile
                    await self._made.cache.remove(transfer.sha256)
                elif proof is None:
                    transfer.fetch_alone()
                else:
                    _came(transfer, part, proof)
                    proven.append(transfer)
            await self._proving.publish_all(proven)
        log.info(
            "a parcel of small patches is here",
            pieces=shared.told.piece_count,
            from_origin=shared.origin_pieces.bit_count(),
            patches=len(proven),
        )


def count_piece(
    transfer: Transfer, part: ParcelPart, start: int, size: int, outcome: PieceOutcome, now: float, built: int = 0
) -> None:
    """Count what a piece of a parcel, of ``size`` bytes from ``start`` on, has of one of its parts.

    ``built`` more bytes are of it that did not cross the line.
    """
    whole = min(start + size + built, part.offset + part.length_bytes) - max(start, part.offset)
    if whole <= 0:
        return
    count = math.ceil(whole * size / (size + built))  # each part's share of what has crossed the line
    transfer.origin_piece_at = now
    wasted = count if outcome in WASTED else 0
    part.origin_bytes += whole if outcome == "stored" else 0
    transfer.record = replace(
        transfer.record,
        bytes_built=counted(transfer.record.bytes_built, whole - count),
        bytes_from_origin=counted(transfer.record.bytes_from_origin, count),
        bytes_wasted=counted(transfer.record.bytes_wasted, wasted),
    )


def _let_go(transfer: Transfer) -> None:
    """Let it be fetched by itself, whether it waits to be told of a parcel, or comes in one."""
    if transfer.part is not None:
        transfer.fetch_alone()
    transfer.alone, transfer.held = True, False


def _came(transfer: Transfer, part: ParcelPart, proof: Proof) -> None:
    transfer.part = None
    transfer.move(TransferEvent.COMPLETED)
    transfer.record = replace(
        transfer.record,
        bytes_from_peers=counted(transfer.record.bytes_from_peers, max(0, part.length_bytes - part.origin_bytes)),
        verified_mtime_ns=proof.mtime_ns,
        verified_inode=proof.inode,
    )
