"""Why a PC lacks a patch: one reason of a closed list, and what could be done. Pure.

The table is read from the top: whoever cannot be reached is told so first, then what people decided, then what the PC
itself says. So each PC has exactly one reason, the one that has to go before any other can.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.fleet.reason_codes import REASON_CODES
from seed_server.store.report_rows import LackingFilter, LackingPc

SILENT_DAYS = 7  # as the rollouts' shipped templates
GONE_SECONDS = 30 * DAY_SECONDS  # not seen for so long: nobody wakes it from afar
BEGUN = frozenset({"installing", "unproven", "restart_pending", "retrying", "failed", "rolled_back"})
"""States of an installation that no ring holds back any more."""
FETCHING = frozenset({"waiting", "checking", "fetching", "verifying"})
MANY_TEXTS = 4_096  # whose class is remembered; PCs say few different ones


class MissingReason(enum.StrEnum):
    """Why a PC lacks a patch: the closed list that people read, in the order of the table."""

    DENIED = "it is denied"
    PENDING = "it waits to be allowed"
    NEVER_SEEN = "it was never seen"
    SILENT = "it was not seen for days"
    EXCEPTED = "an exception holds it back"
    NO_ROOM = "its disk has no room"
    INSTALL_FAILED = "the installation failed"
    ROLLED_BACK = "it was rolled back"
    DOWNLOAD_FAILED = "its file cannot be fetched"
    HALTED = "the rollout is halted"
    RING_CLOSED = "its ring is not open"
    NO_RING = "it is in no ring"
    RESTART = "it waits to be restarted"
    USER = "its user has deferred it"
    WINDOW = "it waits for its window"
    CLOCK = "its clock is wrong"
    NEEDS_OTHER = "something else comes first"
    INSTALLER_BUSY = "another program is installing there"
    RETRYING = "it is tried again"
    INSTALLING = "it is being installed"
    DOWNLOADING = "its file is on the way"
    READY = "it is about to be installed"
    NOT_TOLD = "it has said nothing of it"
    UNKNOWN = "not known"


MISSING_CODES = tuple(reason.name.lower() for reason in MissingReason)
"""How programs name them, in the order of the table."""


class Proposal(enum.StrEnum):
    """What could be done about it."""

    ALLOW_OR_FORGET = "allow it again, or forget it"
    ALLOW = "allow it"
    WAKE = "switch it on or wake it"
    VISIT = "visit it, or forget it"
    ASK_OWNER = "ask the exception's owner"
    MAKE_ROOM = "make room on its disk"
    READ_FAILURE = "read why, mend it and try again"
    LOOK_AT_NETWORK = "let its doctor look at the way"
    DECIDE_ROLLOUT = "decide on the rollout"
    WAIT = "nothing: it goes on by itself"
    CHOOSE_RING = "give it a ring, or an exception"
    RESTART = "have it restarted"
    ASK_USER = "ask its user"
    SET_CLOCK = "set its clock"
    INSTALL_OTHER = "see to the other one first"
    LOOK_AT_PC = "let its doctor look at the PC"


class RingState(enum.Enum):
    """What a patch's rollout means for a PC."""

    NONE = "none"
    """No rollout holds it back."""
    CLOSED = "closed"
    NO_RING = "no ring"
    HALTED = "halted"


class FollowUp(enum.StrEnum):
    """What people do about a PC that lacks a patch."""

    TOLD = "told"
    TICKET = "ticket"
    VISIT = "visit"
    RETIRED = "retired"


@dataclass(frozen=True)
class Lack:
    """A PC that lacks a patch, and what decides why."""

    pc: LackingPc
    now: float
    silent_seconds: float
    """Whoever was not seen for so long is silent."""
    held: bool = False
    """An exception holds it back."""
    ring: RingState = RingState.NONE

    @property
    def away_seconds(self) -> float:
        """For how long it was not seen."""
        return 0.0 if self.pc.connected else max(0.0, self.now - self.pc.last_seen_at)

    @property
    def said(self) -> str:
        """What kind of reason it gives itself, of `REASON_CODES` and ours; empty: none that is known."""
        return kind_of(self.pc.install_reason if self.pc.install else self.pc.error)

    @property
    def begun(self) -> bool:
        """Whether its installation has begun, so that no ring holds it back."""
        return self.pc.install in BEGUN


@lru_cache(MANY_TEXTS)
def kind_of(text: str) -> str:
    """Return the code of what a PC says; empty: none is known."""
    low = text.casefold()
    if low.startswith(("needs ", "conflicts with ")):
        return "other"
    if low.startswith("waits for its rollout"):
        return "rollout"
    return next((code for code in _ASKED if any(part.casefold() in low for part in REASON_CODES[code])), "")


_ASKED = ("disk_full", "restart", "deferred", "window", "blackout", "release", "clock", "packages_missing",
          "installer_busy")  # fmt: skip

_Holds = Callable[[Lack], bool]


def _says(*codes: str) -> _Holds:
    return lambda lack: lack.said in codes


def _install(*states: str) -> _Holds:
    return lambda lack: lack.pc.install in states


def _never(lack: Lack) -> bool:
    return not lack.pc.connected and not lack.pc.last_seen_at


def _rings(state: RingState) -> _Holds:
    return lambda lack: lack.ring is state and not lack.begun


TABLE: tuple[tuple[MissingReason, _Holds], ...] = (
    (MissingReason.PENDING, lambda lack: lack.pc.denied and lack.pc.pending),
    (MissingReason.DENIED, lambda lack: lack.pc.denied),
    (MissingReason.NEVER_SEEN, _never),
    (MissingReason.SILENT, lambda lack: lack.away_seconds >= lack.silent_seconds),
    (MissingReason.EXCEPTED, lambda lack: lack.held),
    (MissingReason.NO_ROOM, _says("disk_full")),
    (MissingReason.INSTALL_FAILED, _install("failed")),
    (MissingReason.ROLLED_BACK, _install("rolled_back")),
    (MissingReason.DOWNLOAD_FAILED, lambda lack: lack.pc.state == "failed"),
    (MissingReason.HALTED, _rings(RingState.HALTED)),
    (MissingReason.RING_CLOSED, lambda lack: _rings(RingState.CLOSED)(lack) or lack.said == "rollout"),
    (MissingReason.NO_RING, _rings(RingState.NO_RING)),
    (MissingReason.RESTART, lambda lack: lack.pc.install == "restart_pending" or lack.said == "restart"),
    (MissingReason.USER, _says("deferred")),
    (MissingReason.WINDOW, _says("window", "blackout", "release")),
    (MissingReason.CLOCK, _says("clock")),
    (MissingReason.NEEDS_OTHER, _says("other", "packages_missing")),
    (MissingReason.INSTALLER_BUSY, _says("installer_busy")),
    (MissingReason.RETRYING, _install("retrying", "unproven")),
    (MissingReason.INSTALLING, _install("installing")),
    (MissingReason.DOWNLOADING, lambda lack: lack.pc.state in FETCHING),
    (MissingReason.READY, lambda lack: lack.pc.state == "verified" and lack.pc.install == "waiting"),
    (MissingReason.NOT_TOLD, lambda lack: not lack.pc.state),
    (MissingReason.UNKNOWN, lambda _lack: True),
)
"""The first one that holds is the reason."""

PROPOSALS: Mapping[MissingReason, Proposal] = {
    MissingReason.DENIED: Proposal.ALLOW_OR_FORGET,
    MissingReason.PENDING: Proposal.ALLOW,
    MissingReason.NEVER_SEEN: Proposal.VISIT,
    MissingReason.SILENT: Proposal.WAKE,
    MissingReason.EXCEPTED: Proposal.ASK_OWNER,
    MissingReason.NO_ROOM: Proposal.MAKE_ROOM,
    MissingReason.INSTALL_FAILED: Proposal.READ_FAILURE,
    MissingReason.ROLLED_BACK: Proposal.READ_FAILURE,
    MissingReason.DOWNLOAD_FAILED: Proposal.LOOK_AT_NETWORK,
    MissingReason.HALTED: Proposal.DECIDE_ROLLOUT,
    MissingReason.RING_CLOSED: Proposal.WAIT,
    MissingReason.NO_RING: Proposal.CHOOSE_RING,
    MissingReason.RESTART: Proposal.RESTART,
    MissingReason.USER: Proposal.ASK_USER,
    MissingReason.WINDOW: Proposal.WAIT,
    MissingReason.CLOCK: Proposal.SET_CLOCK,
    MissingReason.NEEDS_OTHER: Proposal.INSTALL_OTHER,
    MissingReason.INSTALLER_BUSY: Proposal.LOOK_AT_PC,
    MissingReason.RETRYING: Proposal.WAIT,
    MissingReason.INSTALLING: Proposal.WAIT,
    MissingReason.DOWNLOADING: Proposal.WAIT,
    MissingReason.READY: Proposal.WAIT,
    MissingReason.NOT_TOLD: Proposal.LOOK_AT_PC,
    MissingReason.UNKNOWN: Proposal.LOOK_AT_PC,
}


_AWAY = frozenset({MissingReason.NEVER_SEEN, MissingReason.SILENT})
_WHATEVER = frozenset({MissingReason.EXCEPTED, MissingReason.HALTED, MissingReason.RING_CLOSED, MissingReason.NO_RING})
"""Reasons that hold PCs back whether they have said a word of the patch or not."""


def pcs_with(reason: MissingReason, now: float, silent_seconds: float, *, serving: bool) -> LackingFilter:
    """Return which PCs may lack a patch for a reason: all that do, and few others.

    ``serving``: whether a server serves; while none does, nobody is connected.
    """
    if reason in {MissingReason.DENIED, MissingReason.PENDING}:
        return LackingFilter(denied=True)
    if reason in _AWAY:
        until = 0.0 if reason is MissingReason.NEVER_SEEN else now - silent_seconds + 1.0  # no hair is split
        return LackingFilter(denied=False, seen_until=until, connected=False if serving else None)
    if reason in _WHATEVER:
        return LackingFilter(denied=False)
    return LackingFilter(denied=False, spoken=reason is not MissingReason.NOT_TOLD)


def reason_of(lack: Lack) -> MissingReason:
    """Return why a PC lacks the patch."""
    return next(reason for reason, holds in TABLE if holds(lack))


def proposal_for(reason: MissingReason, lack: Lack) -> Proposal:
    """Return what could be done."""
    if reason is MissingReason.SILENT and lack.away_seconds >= GONE_SECONDS:
        return Proposal.VISIT
    return PROPOSALS[reason]


def lacks_since(published_at: float, enrolled_at: float) -> float:
    """Return since when a PC lacks a patch: since both are there."""
    return max(published_at, enrolled_at)
