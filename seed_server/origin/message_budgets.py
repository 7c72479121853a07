"""How many messages of each kind an endpoint may send, and how many bytes. Pure.

An honest endpoint sends far less in any minute; what it may send at once is what it has to say after connecting, or
what waited while its line stood still.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.wire.channels import UnknownKind
from p2pdist.shared.wire.custody import CustodyTold
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
    Report,
    Want,
)
from p2pdist.shared.wire.neighbours_seen import NeighboursSeen
from p2pdist.shared.wire.parcel import ParcelsWanted
from p2pdist.shared.wire.pc_findings import PcFindings
from p2pdist.shared.wire.signed_files import SignedFilePart, TrustTold
from p2pdist.shared.wire.spare_copies import SpareWanted
from p2pdist.shared.wire.witness import AuditAlarm, ConsistencyWanted


@dataclass(frozen=True, slots=True)
class Budget:
    """``per_second`` on average, and ``at_once`` at most at any time."""

    per_second: float
    at_once: int


PINGS = Budget(60, 300)  # 20 a second are sent; the echoes of several seconds may come at once
MESSAGES: Mapping[type[FromEndpoint | UnknownKind], Budget] = {
    Want: Budget(60, 4_500),  # ten a second for each of four transfers; after connecting, one for each patch
    Holdings: Budget(30, 2_000),  # after connecting, some while files are still being opened; then one for each patch
    Bases: Budget(1, 60),  # after connecting, and when a transfer begins or ends; each has all that it has
    Helping: Budget(1, 60),  # its causes last for seconds
    Report: Budget(15, 300),  # one when a patch changes its state, and all patches after connecting
    LinkReport: Budget(30, 300),  # 20 a second while the site fetches
    Diagnosis: Budget(1, 4 * MAX_TEMPLATES),  # each template after connecting, later an answer that has changed
    FactsChanged: Budget(1, 60),  # once after connecting; a language or a release changes in days
    NewsWanted: Budget(1, 30),  # once for each publication, and after connecting
    ParcelsWanted: Budget(1, 60),  # as often, and once for each sixteen parcels
    ConsistencyWanted: Budget(1, 30),  # once for each publication at most, and after connecting
    CustodyTold: Budget(1 / 3600, 20),  # its state after connecting, and what the server asks for: all in seven
    AuditAlarm: Budget(1, 30),  # after connecting
    PcFindings: Budget(1 / 60, 10),  # one a minute after connecting, then one in five minutes at most
    NeighboursSeen: Budget(1 / 1800, 10),  # one an hour
    TrustTold: Budget(1 / 10, 10),  # after connecting, and when it is asked for the versions of roles
    SpareWanted: Budget(1 / 10, 30),  # 20 in five minutes, while it keeps too much
    SignedFilePart: Budget(50, 2_000),  # each is asked for: a third of a megabyte a second, or small files
    InventoryStated: Budget(1 / 60, 10),  # after connecting, and once a minute at most
    InventoryPart: Budget(10, 1_100),  # each is asked for: at the least size, as much as there may be
    Goodbye: Budget(1, 1),
    UnknownKind: Budget(60, 4_500),  # as many as of any kind that is known
}
ANSWERS_AT_ONCE = 512  # stored and rejected beyond what was sent: of pieces sent on the connection before
BYTES = Budget(512 << 10, 16 << 20)  # forty Wants a second for the largest files, and thousands after connecting


@dataclass(frozen=True)
class MessageLimits:
    """The budgets; a server uses the defaults."""

    pings: Budget = PINGS
    messages: Mapping[type[FromEndpoint | UnknownKind], Budget] = field(default_factory=lambda: MESSAGES)
    answers_at_once: int = ANSWERS_AT_ONCE
    bytes: Budget = BYTES


class Purse:
    """What is left of a budget."""

    __slots__ = ("_at", "_budget", "_left")

    def __init__(self, budget: Budget, now: float) -> None:
        """Make a full one; ``now`` is any clock in seconds."""
        self._budget = budget
        self._left = float(budget.at_once)
        self._at = now

    def take(self, amount: float, now: float) -> None:
        """Take ``amount`` out of it; where there was less, nothing can be spent until that is made good."""
        self._left = min(self._budget.at_once, self._left + self._budget.per_second * max(0.0, now - self._at))
        self._at = now
        self._left -= amount

    def spend(self, amount: float, now: float) -> bool:
        """Take ``amount`` out of it; return whether there was so much."""
        self.take(0, now)
        if amount > self._left:
            return False
        self._left -= amount
        return True


class MessageBudgets:
    """What one control connection may still send; ``now`` is any clock in seconds."""

    __slots__ = ("_answers", "_bytes", "_limits", "_pings", "_purses")

    def __init__(self, limits: MessageLimits, now: float) -> None:
        self._pings = Purse(limits.pings, now)
        self._bytes = Purse(limits.bytes, now)
        self._limits = limits.messages
        self._purses: dict[type[FromEndpoint | UnknownKind], Purse] = {}
        """Of the kinds that it has said: most PCs say few."""
        self._answers = limits.answers_at_once

    def sent_piece(self) -> None:
        """Allow one answer more: a piece was sent."""
        self._answers += 1

    def frame(self, length_bytes: int, now: float) -> str | None:
        """Count a frame; return what is wrong when it is one too many."""
        return None if self._bytes.spend(length_bytes, now) else "more bytes than an endpoint has to say"

    def ping(self, now: float) -> str | None:
        """Count an answer to a ping; return what is wrong when it is one too many."""
        return None if self._pings.spend(1, now) else "more answers to pings than pings"

    def message(self, message: FromEndpoint | UnknownKind, now: float) -> str | None:
        """Count a message; return what is wrong when it is one too many."""
        kind = type(message)
        budget = self._limits.get(kind)
        if budget is not None:
            purse = self._purses.setdefault(kind, Purse(budget, now))
            return None if purse.spend(1, now) else f"too many messages of kind {kind.__name__}"
        if self._answers < 1:
            return "more answers than pieces were sent"
        self._answers -= 1
        return None
