"""How endpoints have used what they were sent: which of them come last, and how much each may still be sent. Pure.

Kept for the whole fleet and by endpoint, so that neither another torrent, another site nor a new connection
makes an endpoint forget what it has done. Lost when the server restarts.
"""

import enum
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet

DEMOTED_SECONDS = 300.0  # after a first fault others fetch before it; doubles with each fault after that
LONGEST_DEMOTED_SECONDS = DAY_SECONDS
FORGIVEN_SECONDS = DAY_SECONDS  # without a fault: the next one is a first one again
SENT_SHARE = 1.05  # of a file, to one endpoint: with what is lost where connections end
SENT_SPARE_PIECES = 64  # besides: of a small file, 5 % is less than what is on its way when a connection ends
REFILL_SECONDS = DAY_SECONDS  # for a whole file: a PC that has lost its disk has it again after a day at the latest,
# and one that throws away what it gets costs its line one file a day
FIRST_REJECTION_SECONDS = 2.0  # pause of an endpoint that rejected a piece; doubles each time
LONGEST_REJECTION_SECONDS = 600.0
MAX_STANDINGS = 20_000  # endpoints with a fault; the longest unseen one is forgotten
MAX_ACCOUNTS = 8_000  # (endpoint, torrent) that pieces were sent for: 64 MB if each were of the largest file
MAX_ALARMS = 256  # between two looks


class Fault(enum.Enum):
    """What an endpoint did wrong, or its PC, its disk or its network."""

    EXPIRED = "it let the time for a piece run out"
    TAKEN_BACK = "it no longer has pieces that it had confirmed: its disk is faulty, or it lies"
    UNSHARED = "no neighbour gets pieces that it has confirmed: its LAN port cannot be reached, or it lies"
    UNDELIVERED = "its neighbours do not get what it says it has"
    OVER_ALLOWANCE = "it has been sent its file, and asks for more"


_LIES = frozenset({Fault.TAKEN_BACK, Fault.UNSHARED, Fault.UNDELIVERED})
"""After these, what it says of pieces needs a second endpoint that says so too."""


class Alarm(NamedTuple):
    """A fault that the operator should know of."""

    endpoint: EndpointId
    torrent: TorrentHash
    fault: Fault


@dataclass(slots=True)
class _Record:
    faults: int = 0
    fault_at: float = 0.0
    demoted_until: float = 0.0
    distrusted_until: float = 0.0


class Account:
    """What one endpoint has been sent of one torrent."""

    __slots__ = ("_at", "_left", "_piece_count", "debt", "delivered", "paused_until", "rejected", "shared", "unshared")

    def __init__(self, piece_count: int, now: float) -> None:
        self._piece_count = piece_count
        self._left = self._most
        self._at = now
        self.delivered: PieceSet = 0
        """Pieces that it has confirmed, and has not taken back."""
        self.unshared: list[PieceSet] = [0]
        """Those of them that nobody else has yet, by their age: the newest are the last."""
        self.shared = 0
        """How many of them others have."""
        self.debt = 0
        """Pieces that were sent in vain, less those that it has confirmed since."""
        self.rejected = 0
        """Pieces that failed their check there; they were good when they were sent."""
        self.paused_until = -math.inf
        """It is sent nothing until then."""

    @property
    def any_unshared(self) -> PieceSet:
        """All pieces that it has confirmed and that nobody else has yet."""
        found = 0
        for pieces in self.unshared:
            found |= pieces
        return found

    def confirm(self, pieces: PieceSet) -> None:
        """Record that it has confirmed ``pieces``."""
        self.delivered |= pieces
        self.unshared[-1] |= pieces
        self.debt = max(0, self.debt - pieces.bit_count())

    def keep(self, pieces: PieceSet) -> bool:
        """Forget what is not among ``pieces``, and return whether that was anything that it had confirmed."""
        if not self.delivered & ~pieces:
            return False
        self.delivered &= pieces
        self.unshared = [unshared & pieces for unshared in self.unshared]
        return True

    def share(self, pieces: PieceSet) -> None:
        """Record that another endpoint has ``pieces``."""
        self.shared += (self.any_unshared & pieces).bit_count()
        self.unshared = [unshared & ~pieces for unshared in self.unshared]

    def give_up(self) -> None:
        """Record that it has deleted what it had, as it says itself; what it may still be sent is no more for that."""
        self.write_off()
        self.delivered = 0

    def write_off(self) -> None:
        """Count what nobody else has yet as sent in vain: nobody gets it from this endpoint."""
        self.debt += self.any_unshared.bit_count()
        self.unshared = [0]

    def grow_older(self, steps: int) -> None:
        """Begin a new age; what is older than ``steps`` of them is of one age."""
        if len(self.unshared) > steps:
            oldest = self.unshared.pop(0)
            self.unshared[0] |= oldest
        self.unshared.append(0)

    @property
    def _most(self) -> float:
        return self._piece_count * SENT_SHARE + SENT_SPARE_PIECES

    def left(self, now: float) -> int:
        """Return how many pieces it may still be sent."""
        earned = self._piece_count * max(0.0, now - self._at) / REFILL_SECONDS
        self._left, self._at = min(self._most, self._left + earned), now
        return int(self._left)

    def send(self, now: float) -> None:
        """Count a piece that is sent."""
        self.left(now)
        self._left -= 1

    def reject(self, now: float) -> None:
        """Count a piece that failed its check there: it pauses, twice as long each time."""
        self.rejected += 1
        # the exponent is capped only to keep the power small
        pause = min(LONGEST_REJECTION_SECONDS, FIRST_REJECTION_SECONDS * 2 ** min(self.rejected - 1, 20))
        self.paused_until = now + pause

    def unsend(self) -> None:
        """Give back a piece that was not sent after all."""
        self._left += 1


@dataclass(slots=True)
class Standings:
    """Remembers faults, and counts what is sent; ``now`` is any clock in seconds that only grows."""

    _records: OrderedDict[EndpointId, _Record] = field(default_factory=OrderedDict)
    _accounts: OrderedDict[tuple[EndpointId, TorrentHash], Account] = field(default_factory=OrderedDict)
    _alarms: dict[Alarm, None] = field(default_factory=dict)

    # --- faults -------------------------------------------------------------------------

    def fault(self, endpoint: EndpointId, torrent: TorrentHash, fault: Fault, now: float) -> None:
        """Let others go before ``endpoint`` from now on, longer each time. While it is last, no fault adds to that."""
        if len(self._alarms) < MAX_ALARMS:
            self._alarms[Alarm(endpoint, torrent, fault)] = None
        record = self._records.setdefault(endpoint, _Record())
        self._records.move_to_end(endpoint)
        while len(self._records) > MAX_STANDINGS:
            self._records.popitem(last=False)
        lie = fault in _LIES
        if now < (record.distrusted_until if lie else record.demoted_until):
            return
        record.faults = record.faults + 1 if now - record.fault_at < FORGIVEN_SECONDS else 1
        record.fault_at = now
        # the exponent is capped only to keep the power small
        seconds = min(LONGEST_DEMOTED_SECONDS, DEMOTED_SECONDS * 2 ** min(record.faults - 1, 20))
        record.demoted_until = max(record.demoted_until, now + seconds)
        if lie:
            record.distrusted_until = now + seconds

    def demoted(self, endpoint: EndpointId, now: float) -> bool:
        """Whether others fetch before ``endpoint``."""
        record = self._records.get(endpoint)
        return record is not None and now < record.demoted_until

    def distrusted(self, endpoint: EndpointId, now: float) -> bool:
        """Whether what ``endpoint`` says of pieces needs a second endpoint that says so too."""
        record = self._records.get(endpoint)
        return record is not None and now < record.distrusted_until

    def take_alarms(self) -> list[Alarm]:
        """Return the faults since the last call, each once."""
        alarms, self._alarms = list(self._alarms), {}
        return alarms

    # --- what is sent -------------------------------------------------------------------

    def answers_for(self, endpoint: EndpointId, torrent: TorrentHash) -> bool:
        """Whether ``endpoint`` was sent pieces of ``torrent`` that nobody else has yet."""
        account = self._accounts.get((endpoint, torrent))
        return account is not None and any(account.unshared)

    def gave_up(self, endpoint: EndpointId, torrent: TorrentHash) -> None:
        """As `Account.give_up`, if ``endpoint`` was sent anything of ``torrent``."""
        if (account := self._accounts.get((endpoint, torrent))) is not None:
            account.give_up()

    def account(self, endpoint: EndpointId, torrent: TorrentHash, piece_count: int, now: float) -> Account:
        """Return what ``endpoint`` has been sent of ``torrent``."""
        account = self._accounts.get((endpoint, torrent))
        if account is None:
            account = self._accounts[endpoint, torrent] = Account(piece_count, now)
            while len(self._accounts) > MAX_ACCOUNTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end((endpoint, torrent))
        return account
