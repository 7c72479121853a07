"""Why a patch is not on this PC yet: one reason from a closed list. Pure."""

import enum
from dataclasses import dataclass

from p2pdist.limiter.lan_policy import YIELDING, LanReason
from p2pdist.shared.wire.bitfield import PieceSet
from p2pdist.shared.wire.messages import PatchState

RECENT_SECONDS = 5.0  # bytes within this are a transfer that runs; pieces of a slow line come seconds apart
DISK_FULL_WORDS = "The disk "  # how every error begins that is about room on the disk


class WhyReason(enum.StrEnum):
    """Why a patch is not here yet: the closed list that people read."""

    HERE = "it is here, and proven"
    NOT_ROLLED_OUT = "it is not in this PC's rollout"
    CANNOT_BE_TAKEN = "it is rolled out but cannot be taken"
    QUEUED = "other patches come first"
    CHECKING = "what is on disk is being checked"
    VERIFYING = "all is here, and the whole file is being proven"
    FROM_LINE = "pieces are coming over the site's line"
    FROM_NEIGHBOURS = "pieces are coming from neighbours"
    LAN_YIELDS = "the way to the neighbours yields to business"
    LINE_YIELDS = "the site's line yields to business"
    BLACKOUT = "the throttle profile allows nothing now"
    WAITING_FOR_LEASE = "waiting for the server to give this site its next pieces"
    NEIGHBOURS_SILENT = "neighbours have pieces of it but send none"
    NO_NEIGHBOURS = "no neighbour has what is missing, and this PC does not fetch over the line"
    NO_SERVER = "no neighbour has what is missing, and the server is not reachable"
    SERVER_CANNOT = "no neighbour has what is missing, and the server cannot give it"
    REFUSED_CPU = "refused: the processor is too busy to fetch for the site"
    REFUSED_BATTERY = "refused: the battery is too low to fetch for the site"
    DISK_FULL = "the disk is full"
    FAILED = "it has failed, and is tried again"


WHOLE_ANSWERS = frozenset({WhyReason.HERE, WhyReason.NOT_ROLLED_OUT, WhyReason.CANNOT_BE_TAKEN})
"""Reasons that do not pass by themselves: no seconds are counted under them."""


@dataclass(frozen=True, slots=True)
class WhyInputs:
    """Everything that decides, of one patch at one moment."""

    state: PatchState
    error: str = ""
    missing: PieceSet = 0
    lan_have: PieceSet = 0
    since_line_seconds: float = float("inf")
    """Since the last piece came over the line; likewise the next."""
    since_neighbour_seconds: float = float("inf")
    lan: LanReason = LanReason.UNLIMITED
    """What binds the download from neighbours."""
    server_connected: bool = True
    server_error: str = ""
    line_yields: bool = False
    """The server has said so."""
    fetches: bool = True
    """The configuration lets this PC fetch over the line."""
    profile_lets_fetch: bool = True
    refusal: LanReason | None = None
    """Why this PC takes no leases now."""


_BY_STATE = {
    "verified": WhyReason.HERE,
    "waiting": WhyReason.QUEUED,
    "checking": WhyReason.CHECKING,
    "verifying": WhyReason.VERIFYING,
}


def why(inputs: WhyInputs) -> WhyReason:
    """Return the one reason."""
    if inputs.state == "failed":
        return WhyReason.DISK_FULL if inputs.error.startswith(DISK_FULL_WORDS) else WhyReason.FAILED
    if inputs.state in _BY_STATE:
        return _BY_STATE[inputs.state]
    if inputs.since_line_seconds <= RECENT_SECONDS:
        return WhyReason.FROM_LINE
    yields = inputs.lan in YIELDING
    if inputs.since_neighbour_seconds <= RECENT_SECONDS:
        return WhyReason.LAN_YIELDS if yields else WhyReason.FROM_NEIGHBOURS
    if inputs.lan is LanReason.BLACKOUT:
        return WhyReason.BLACKOUT
    if inputs.lan_have & inputs.missing:
        return WhyReason.LAN_YIELDS if yields else WhyReason.NEIGHBOURS_SILENT
    return _why_not_over_the_line(inputs)


def _why_not_over_the_line(inputs: WhyInputs) -> WhyReason:
    checks = (
        (not inputs.fetches, WhyReason.NO_NEIGHBOURS),
        (not inputs.profile_lets_fetch, WhyReason.BLACKOUT),
        (inputs.refusal is LanReason.REFUSED_BATTERY, WhyReason.REFUSED_BATTERY),
        (inputs.refusal is LanReason.REFUSED_CPU, WhyReason.REFUSED_CPU),
        (not inputs.server_connected, WhyReason.NO_SERVER),
        (bool(inputs.server_error), WhyReason.SERVER_CANNOT),
        (inputs.line_yields, WhyReason.LINE_YIELDS),
    )
    return next((reason for holds, reason in checks if holds), WhyReason.WAITING_FOR_LEASE)
