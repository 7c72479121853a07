"""What an endpoint says on its control connection, and what that changes."""

from functools import partial
from typing import assert_never

import trio

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import BitfieldError, unpack
from p2pdist.shared.wire.channels import UnknownKind, decode_from_endpoint
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.custody import CustodyTold
from p2pdist.shared.wire.features import ignores_additions
from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.inventory import InventoryPart, InventoryStated
from p2pdist.shared.wire.line_messages import LinkReport
from p2pdist.shared.wire.messages import (
    Bases,
    Diagnosis,
    FactsChanged,
    FromEndpoint,
    Goodbye,
    Helping,
    Holdings,
    NewsWanted,
    Pace,
    PieceRejected,
    PieceStored,
    PieceUndecoded,
    Report,
    RepositoryChanged,
    Unavailable,
    Want,
    Welcome,
)
from p2pdist.shared.wire.neighbours_seen import NeighboursSeen
from p2pdist.shared.wire.parcel import ParcelsWanted
from p2pdist.shared.wire.pc_findings import PcFindings
from p2pdist.shared.wire.pings import ping_frame, read_echo
from p2pdist.shared.wire.signed_files import SignedFilePart, TrustTold
from p2pdist.shared.wire.spare_copies import SpareWanted
from p2pdist.shared.wire.witness import AuditAlarm, ConsistencyWanted
from seed_server.leasing.help import Help
from seed_server.leasing.site_ledger import LeasedPiece
from seed_server.line.control_budget import line_bytes
from seed_server.origin.answers import Answers
from seed_server.origin.connection import LostConnectionError, RefusedError, control_frame
from seed_server.origin.guarded import guarded
from seed_server.origin.outbox import nobody
from seed_server.origin.port_parts import PortParts
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite
from seed_server.origin.state import DAMAGED
from seed_server.store.rows import Recorded


class ControlConversation:
    """One control connection: a task, a second one while there is something to send, others while answers are found."""

    __slots__ = (
        "_answers", "_connection", "_ignored", "_live", "_log", "_nursery", "_parts", "_session", "_told_pace",
        "_writing",
    )  # fmt: skip

    def __init__(self, session: Session, live: LiveSite, parts: PortParts) -> None:
        self._session = session
        self._live = live
        self._connection = 0
        self._parts = parts
        self._answers = Answers(session, live, parts)
        self._writing = False
        self._nursery: trio.Nursery | None = None
        self._log = parts.outside_log
        self._told_pace: Pace | None = None
        self._ignored = 0

    async def run(self, welcome: Welcome) -> None:
        """Converse until one of the tasks ends the session."""
        self._connection, self._told_pace = welcome.connection, welcome.pace
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._session.ending.cancels(nursery.cancel_scope)
            self._writing = True
            nursery.start_soon(guarded, partial(self._begin, welcome), self._session)
            self._session.outbox.on_frame = self._wake_writer
            self._session.tell_changed = self._tell_changed
            del welcome  # from memory, once it is sent
            try:
                await guarded(self._read, self._session)
            finally:
                if self._ignored > 1:
                    self._log.info(
                        "messages of unknown kinds were ignored", self._session.endpoint, count=self._ignored
                    )
                self._session.outbox.on_frame = nobody
                self._session.connection.hurry()

    async def _read(self) -> None:
        """Handle messages until the end. Raises `LostConnectionError`, `RefusedError`."""
        while True:
            # no name here for a frame: it would stay in memory until the next one comes, in a minute
            await self._handle_frame(await self._session.connection.receive())

    async def _handle_frame(self, body: bytes) -> None:
        now = trio.current_time()
        self._live.heard(self._session, now)
        budgets = self._session.budgets
        _refuse(budgets.frame(len(body), now))
        echo = read_echo(body)
        if echo is not None:
            # before anything that can block: the echo measures the line
            _refuse(budgets.ping(now))
            if not self._session.pings.echoed(echo, now):
                raise RefusedError("answer to a ping that was never sent")
            return
        try:
            message = decode_from_endpoint(body)
            _refuse(budgets.message(message, now))
            if isinstance(message, UnknownKind):
                self._ignore(message)
            else:
                await self._handle(message)
        except DecodeError as error:
            raise RefusedError(f"malformed message: {error}") from error
        except BitfieldError as error:
            raise RefusedError(f"impossible message: {error}") from error

    def _tell_changed(self, notice: RepositoryChanged) -> None:
        self._answers.changed(notice, self._nursery)

    def _wake_writer(self) -> None:
        if not self._writing and self._nursery is not None:
            self._writing = True
            self._nursery.start_soon(guarded, self._write, self._session)

    async def _begin(self, welcome: Welcome) -> None:
        """Welcome the endpoint, with its first ping in the same packet. Raises `LostConnectionError`."""
        frame = control_frame(welcome)
        if self._session.outbox.take_ping():
            frame += self._ping()
        await self._send_at_once(frame)
        await self._write()

    async def _write(self) -> None:
        """Send what is in the outbox: no task waits for more, of each idle PC. Raises `LostConnectionError`."""
        while self._session.outbox.has_frame:
            frame = await self._session.outbox.next_frame()
            if frame is None:
                await self._send_at_once(self._ping())
            else:
                await self._session.connection.send_frame(frame)
        self._writing = False

    def _ping(self) -> bytes:
        # the time counts from here: the wait behind other messages is not the line's
        return ping_frame(self._session.pings.sent(trio.current_time()))

    async def _send_at_once(self, frame: bytes) -> None:
        """Send what waits for no turn on the line; the site's rate counts it all the same."""
        self._live.rate.control.count(line_bytes(len(frame)))
        await self._session.connection.send_frame(frame)

    async def _handle(self, message: FromEndpoint) -> None:
        match message:
            case Want():
                await self._want(message)
            case Helping():
                self._helps(Help(message.how))
            case Holdings() | PieceStored() | PieceRejected() | Bases() | PieceUndecoded():
                self._has(message)
            case NewsWanted() | ParcelsWanted() | ConsistencyWanted() | SpareWanted():
                self._answers.asked(message, self._nursery)
            case Report():
                self._reported(message)
            case Diagnosis() | FactsChanged() | PcFindings() | NeighboursSeen() | AuditAlarm() | CustodyTold():
                self._says(message)
            case TrustTold() | SignedFilePart() | InventoryStated() | InventoryPart():
                self._parts.says(self._session, self._live, message)
            case LinkReport():
                self._live.reported(self._session, message, trio.current_time())
            case Goodbye():
                raise LostConnectionError(f"the endpoint said: {message.reason}")
            case _:
                assert_never(message)

    def _ignore(self, unknown: UnknownKind) -> None:
        if not ignores_additions(self._session.protocol):
            raise RefusedError(f"malformed message: unknown kind {unknown.name!r}")
        self._ignored += 1
        if self._ignored == 1:
            self._log.info("a newer PC says what this server does not know", self._session.endpoint, kind=unknown.name)

    def _reported(self, report: Report) -> None:
        session = self._session
        # one that was meant for an earlier connection says nothing about what came before it on this one
        counted = report.serial > 0 and report.connection == self._connection != 0
        recorded = Recorded(session.instance, report.serial) if counted else None
        self._parts.records.report(session.endpoint, report, recorded)
        self._tell_pace()

    def _tell_pace(self) -> None:
        """Tell a PC that reports of another pace: those that have nothing to say need not know it."""
        if self._told_pace is not None and (pace := self._parts.pace()) != self._told_pace:
            self._told_pace = pace
            self._session.outbox.put("pace", pace)

    def _helps(self, how: Help) -> None:
        if self._live.ledger.helps(self._session.endpoint, how):
            self._live.wake_all()

    def _has(self, message: Holdings | PieceStored | PieceRejected | Bases | PieceUndecoded) -> None:
        if isinstance(message, Holdings):
            self._holdings(message)
            return
        if isinstance(message, Bases):
            self._builds(message)
            return
        leased = LeasedPiece(TorrentHash(message.torrent), PieceIndex(message.piece))
        if isinstance(message, PieceStored):
            self._stored(leased)
        else:
            (self._undecoded if isinstance(message, PieceUndecoded) else self._rejected)(leased)

    def _says(self, message: Diagnosis | FactsChanged | PcFindings | NeighboursSeen | AuditAlarm | CustodyTold) -> None:
        if isinstance(message, NeighboursSeen):
            self._parts.records.neighbours(self._session.endpoint, message)
            return
        if isinstance(message, CustodyTold):
            self._parts.records.custody(self._session.endpoint, message, partial(self._session.outbox.put, "custody"))
            return
        if not isinstance(message, AuditAlarm):
            self._parts.records.said(self._session.endpoint, message)
            return
        self._parts.records.audit_alarm(self._session.endpoint, message)
        if message.fault is not None:
            said = {"fault": message.fault, "known": message.known, "told": message.told}
            self._log.warning("a PC saw another audit log before", self._session.endpoint, **said)

    async def _want(self, want: Want) -> None:
        session, torrent = self._session, TorrentHash(want.torrent)
        if want.given_up:
            self._live.ledger.given_up(session.endpoint, torrent)
            self._wake()
            return
        if torrent in session.told_unavailable:
            return  # the endpoint knows; a patch that is repaired or published is announced
        patch = await self._parts.find_patch(torrent)
        if patch is None or patch.damaged:
            if session.outbox.full or len(session.told_unavailable) >= self._parts.limits.max_unknown_torrents:
                raise RefusedError("asks for too many torrents that are not here")
            session.told_unavailable |= {torrent}
            reason = DAMAGED if patch else "not published here"
            session.outbox.put(torrent, Unavailable(torrent=torrent, reason=reason))
            return
        self._live.ledger.want(
            session.endpoint,
            torrent,
            have=unpack(want.have, patch.piece_count),
            lan_have=unpack(want.lan_have, patch.piece_count),
            lan_stalled=want.lan_stalled,
            can_fetch=want.can_fetch,
            now=trio.current_time(),
        )
        now = trio.current_time()
        if self._live.ledger.lacks(session.endpoint):
            self._live.peers.begins_to_lack(session.endpoint)
            self._live.fit_ledger(now)
            self._live.invitations.lacks(session, now)
        self._live.holders.heard(session.endpoint, torrent, now)
        self._wake()

    def _holdings(self, holdings: Holdings) -> None:
        if len(holdings.torrents) % HELD_BYTES:
            raise RefusedError("impossible message: a part of a hash")
        session, now = self._session, trio.current_time()
        for torrent in self._live.ledger.holdings(session.endpoint, holdings.torrents, now):
            self._live.holders.heard(session.endpoint, torrent, now)
        self._wake()

    def _stored(self, leased: LeasedPiece) -> None:
        # of what was not leased, the ledger takes note, and nobody else need know
        now = trio.current_time()
        if self._live.ledger.stored(self._session.endpoint, leased, now):
            self._live.holders.heard(self._session.endpoint, leased.torrent, now)
            self._live.rate.path.arrived(self._session.endpoint)
            if self._session.link is not None:
                self._session.link.piece_stored(leased)
            self._wake()

    def _rejected(self, leased: LeasedPiece) -> None:
        if self._live.ledger.rejected(self._session.endpoint, leased, trio.current_time()):
            self._log.warning(
                "an endpoint rejected a piece", self._session.endpoint, torrent=leased.torrent, piece=leased.piece
            )
            self._live.wake_all()

    def _builds(self, bases: Bases) -> None:
        if len(bases.payloads) % HELD_BYTES:
            raise RefusedError("impossible message: a part of a hash")
        if (decoding := self._session.decoding) is None:
            raise RefusedError("tells of bases, and takes no coded pieces")
        decoding.told(bases.payloads)
        self._parts.forms.rate(self._session, self._live)
        self._live.invitations.builds(self._session, trio.current_time())

    def _undecoded(self, leased: LeasedPiece) -> None:
        session = self._session
        ledger = self._live.ledger.ledger(leased.torrent)
        if session.decoding is None or ledger is None:
            return
        # by what it was coded is not the endpoint's to say
        base = ledger.undecoded(session.endpoint, leased.piece, trio.current_time())
        if base is None:  # it was sent whole
            self._rejected(leased)
            return
        if session.decoding.undecoded(leased, base):
            self._log.warning(
                "a piece could not be made of a former version: the endpoint's copy, or this server's, is damaged",
                session.endpoint,
                base=base,
            )
            self._parts.forms.rate(session, self._live)
        self._live.wake_all()

    def _wake(self) -> None:
        """Wake whoever may have something to fetch now."""
        if self._live.ledger.take_freed():
            self._live.wake_all()
        elif self._session.link is not None:
            self._session.link.wake()


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise RefusedError(problem)
