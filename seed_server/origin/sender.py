"""Sends an endpoint the pieces that the ledger leases to it, one after the other, on its data connection.

There is no request for a piece: when one has been written, the ledger is asked
for the next. Sending a piece is what grants its lease.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import trio

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.merkle import piece_span
from p2pdist.shared.wire.channels import encode_message
from p2pdist.shared.wire.data_messages import CodedPiece, Piece
from p2pdist.shared.wire.fields import MAX_DATA_FRAME_BYTES
from p2pdist.shared.wire.frames import encode_frame
from seed_server.deltas.coded_cache import NO_BASE
from seed_server.deltas.coder import Coded
from seed_server.leasing.site_ledger import LeasedPiece
from seed_server.origin.coded_forms import UNLIMITED_RATE, CodedForms
from seed_server.origin.connection import RefusedError
from seed_server.origin.data_link import DataLink
from seed_server.origin.limits import OriginLimits
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.records import OriginRecords
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.piece_source import DamagedPartError, TemporaryReadError
from seed_server.store.rows import ServedPayload

STALL_GRACE_SECONDS = 5.0  # the lease of a connection that takes nothing expires first, and demotes the endpoint
MAX_HELD_BYTES = 64 << 20  # of coded forms whose rest waits for the line; of one more, the cache must have it still
IDLE_SECONDS = 1.0  # pauses of the ledger end without an event; endpoints repeat their Want as often

RESTING = "business on this site's line is spared for a while: connect again when you are asked"

OnDamaged = Callable[[TorrentHash, str], Awaitable[None]]
Shares = Callable[[TorrentHash, int, int], Iterable[tuple[TorrentHash, int]]]
"""Returns of which patches' torrents so many bytes, from so far on, of a torrent are that is no patch's own."""


@dataclass
class _Begun:
    """A piece that is being sent."""

    leased: LeasedPiece
    sent_bytes: int = 0
    """Of its frame."""
    over: bool = False
    coded_by: str = ""
    """The base, or `NO_BASE`; empty: not coded, or not begun."""
    digest: bytes = b""
    """Of the coded form that was begun: what is left of it must be of the same."""
    held: Coded | None = None
    """This form, while its rest waits: meanwhile the cache may lose it, or have a better one."""


@dataclass(frozen=True)
class _Form:
    """What is sent of a piece."""

    message: Piece | CodedPiece
    payload_bytes: int
    """What of it counts as sent: the piece, or what stands for it."""
    coded: Coded | None = None


class PieceSender:
    """Sends pieces on data connections; all connections share one."""

    def __init__(
        self,
        forms: CodedForms,
        patches: Mapping[TorrentHash, ServedPayload],
        records: OriginRecords,
        *,
        on_damaged: OnDamaged,
        shares: Shares,
        lease_seconds: float,
        limits: OriginLimits,
        outside_log: OutsideLog,
    ) -> None:
        self._source = forms.source
        self._forms = forms
        self._patches = patches
        self._records = records
        self._on_damaged = on_damaged
        self._shares = shares
        self._shortage_seconds = limits.shortage_seconds
        self._stall_seconds = lease_seconds + STALL_GRACE_SECONDS
        self._frames = trio.CapacityLimiter(limits.frames_in_memory)
        self._log = outside_log
        self._held_bytes = 0

    async def run(self, live: LiveSite, session: Session, link: DataLink) -> None:
        """Send until cancelled. Raises `LostConnectionError`, `RefusedError`.

        A link that may not send now keeps no place for a frame: it would hold up other sites for as long. A piece
        that has been sent in part is read again afterwards.
        """
        under_way: list[_Begun] = []
        try:
            await self._run(live, session, link, under_way)
        finally:
            for begun in under_way:
                self._let_go(begun)

    async def _run(self, live: LiveSite, session: Session, link: DataLink, under_way: list[_Begun]) -> None:
        """As `run`; ``under_way`` has the piece that is being sent."""
        while True:
            begun = under_way[0] if under_way else None
            if begun is None and not self._may_fetch(live, session):
                live.stopped_sending(link, trio.current_time())
                await link.sleep(IDLE_SECONDS)
                continue
            live.started_sending(link, trio.current_time())
            if link.rate == 0:
                await link.sleep_while_stopped(IDLE_SECONDS)
                continue
            async with self._frames:
                if begun is None and link.rate != 0:
                    leased = live.ledger.next_piece(session.endpoint, trio.current_time())
                    if leased is not None:
                        under_way.append(begun := _Begun(leased))
                    self._wake_those_who_wait(live)
                if begun is not None:
                    await self._go_on(live, session, link, begun)
            if begun is not None and begun.over:
                self._let_go(under_way.pop())

    def _may_fetch(self, live: LiveSite, session: Session) -> bool:
        may = live.ledger.may_fetch(session.endpoint, trio.current_time())
        self._wake_those_who_wait(live)
        return may

    @staticmethod
    def _wake_those_who_wait(live: LiveSite) -> None:
        if live.ledger.take_freed():
            live.wake_all()

    async def _go_on(self, live: LiveSite, session: Session, link: DataLink, begun: _Begun) -> None:
        """Send what is left of a piece, until the link is stopped."""
        link.writing = begun.leased
        form = await self._coded(live, session, link, begun) or await self._whole(live, begun)
        if form is not None:
            await self._write(live, session, link, begun, form)
            if form.coded is not None and begun.sent_bytes and not begun.over:
                self._hold(begun, form.coded)
        if not begun.over and not begun.sent_bytes:
            # another endpoint may be able to fetch it now
            live.ledger.unsent(session.endpoint, begun.leased)
            begun.over = True
        if begun.over:
            link.writing = None

    def _hold(self, begun: _Begun, coded: Coded) -> None:
        if begun.held is None and self._held_bytes + len(coded.data) <= MAX_HELD_BYTES:
            begun.held = coded
            self._held_bytes += len(coded.data)

    def _let_go(self, begun: _Begun) -> None:
        if begun.held is not None:
            self._held_bytes -= len(begun.held.data)
            begun.held = None

    async def _coded(self, live: LiveSite, session: Session, link: DataLink, begun: _Begun) -> _Form | None:
        """Return the piece as it is coded for this endpoint; None: it goes whole.

        Raises `RefusedError` when a part of another form has been sent.
        """
        leased, decoding = begun.leased, session.decoding
        patch = self._patches.get(leased.torrent)
        if decoding is None or patch is None or not patch.patch_id:  # of parcels and news there is no former version
            return None
        if begun.sent_bytes:
            if not begun.coded_by:
                return None
            coded = begun.held or await self._forms.kept(patch, leased.piece, begun.coded_by)
            if coded is None:
                raise RefusedError("the rest of a piece cannot be sent: its coded form was not kept")
            if coded is not begun.held and _digest(coded) != begun.digest:
                raise RefusedError("the rest of a piece cannot be sent: it was coded anew")
            return _form_of(leased, coded, self._length(patch, leased))
        if not decoding.takes(leased):
            return None
        base = self._forms.base(patch, decoding.bases(self._forms.former.get(leased.torrent, ())))
        alone = decoding.takes_alone()
        if base == NO_BASE and not alone:
            return None
        rate = UNLIMITED_RATE if link.rate is None else link.rate
        coded = await self._forms.form(patch, leased.piece, base, rate, or_alone=alone)
        if coded is None:
            return None
        begun.coded_by, begun.digest = coded.base or NO_BASE, _digest(coded)
        if (ledger := live.ledger.ledger(leased.torrent)) is not None:
            ledger.coded(session.endpoint, leased.piece, coded.base)
        return _form_of(leased, coded, self._length(patch, leased))

    @staticmethod
    def _length(patch: ServedPayload, leased: LeasedPiece) -> int:
        return piece_span(leased.piece, patch.piece_length_bytes, patch.length_bytes)[1]

    async def _whole(self, live: LiveSite, begun: _Begun) -> _Form | None:
        """Return the piece as it is; None when it cannot be read. Raises `RefusedError` when a part of it was sent."""
        patch = self._patches.get(begun.leased.torrent)
        if patch is None:
            live.ledger.remove_torrent(begun.leased.torrent)
            reason = "it is no longer published"
        else:
            try:
                data = await self._source.read(patch, begun.leased.piece)
                begun.coded_by, begun.digest = "", b""
                return _Form(Piece(torrent=begun.leased.torrent, piece=begun.leased.piece, data=data), len(data))
            except DamagedPayloadError as error:
                reason = str(error)
                damaged = error.torrent if isinstance(error, DamagedPartError) else begun.leased.torrent
                await self._on_damaged(damaged, reason)
            except TemporaryReadError as error:
                reason = str(error)
                self._log.warning("a piece cannot be read now", patch.patch_id, reason=reason)
                await trio.sleep(self._shortage_seconds)
        if begun.sent_bytes:
            raise RefusedError(f"the rest of a piece cannot be sent: {reason}")
        return None

    async def _write(self, live: LiveSite, session: Session, link: DataLink, begun: _Begun, form: _Form) -> None:
        leased = begun.leased
        frame = memoryview(encode_frame(encode_message(form.message), max_bytes=MAX_DATA_FRAME_BYTES))
        while begun.sent_bytes < len(frame):
            patch = self._patches.get(leased.torrent)
            if patch is None:  # on a slow line, the rest of a piece takes half a minute
                raise RefusedError("the patch of the piece under way has just been withdrawn: connect again")
            if not live.ledger.may_lease(leased.torrent):  # in a pause it would take hours
                if not begun.sent_bytes:
                    return
                live.ledger.unsent(session.endpoint, leased)
                raise RefusedError(RESTING)
            length = await link.may_write()
            if not length:
                return
            before = begun.sent_bytes
            part = frame[before : before + length]
            begun.sent_bytes += len(part)
            with trio.move_on_after(self._stall_seconds) as scope:
                await link.connection.send_part(part, last=begun.sent_bytes == len(frame))
            if scope.cancelled_caught:
                raise RefusedError("the data connection takes no data")
            link.written_bytes += len(part)
            live.watch.wrote(len(part), trio.current_time())
            live.ledger.progressed(session.endpoint, leased, trio.current_time())
            at = min(before, form.payload_bytes)
            payload = min(begun.sent_bytes, form.payload_bytes) - at
            if patch.patch_id:
                self._records.sent(live.site.name, leased.torrent, payload)
            else:  # a parcel is of several; news are of none
                start = leased.piece * patch.piece_length_bytes + at
                for torrent, count in self._shares(leased.torrent, start, payload):
                    self._records.sent(live.site.name, torrent, count)
        begun.over = True
        link.piece_written(leased)
        session.budgets.sent_piece()


def _form_of(leased: LeasedPiece, coded: Coded, length_bytes: int) -> _Form:
    message = CodedPiece(
        torrent=leased.torrent,
        piece=leased.piece,
        codec=coded.codec,
        length_bytes=length_bytes,
        data=coded.data,
        base=coded.base,
        ranges=coded.ranges,
    )
    return _Form(message, len(coded.data), coded)


def _digest(coded: Coded) -> bytes:
    digest = hashlib.blake2b(repr((coded.codec, coded.base, coded.ranges)).encode(), digest_size=16)
    digest.update(coded.data)
    return digest.digest()
