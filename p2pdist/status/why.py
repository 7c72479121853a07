"""Chooses the reason of the closed list that holds for a file, with details in words. Pure."""

from dataclasses import dataclass

from p2pdist.limiter.lan_policy import YIELDING, LanReason
from p2pdist.shared.wire.messages import PatchState
from p2pdist.status.reasons import WhyReason
from p2pdist.status.view import FileView
from p2pdist.transfer.faults import TransferFaultKind
from p2pdist.transfer.quota import QUOTA_WORDS

ONLY_KEPT = "and is not installed: config.toml says install = false"
RECENT_SECONDS = 5.0  # a source that sent bytes within this is still sending; on a slow line, pieces come seconds apart


@dataclass(frozen=True, slots=True)
class ServerSays:
    """What the server has said that concerns every patch; fields as in `Circumstances`."""

    line_yields: bool = False
    line_spared: str = ""
    large_packets_lost: bool = False
    refused_as_copy: bool = False
    copies: str = ""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What may hold up every patch at one moment."""

    lan: LanReason = LanReason.UNLIMITED
    """What limits the download from neighbours."""
    blackout_ends: str = ""
    """" until HH:MM" in this PC's time, where the end of a blackout is known."""
    server_connected: bool = True
    server_status: str = ""
    """connected, or why not, in words."""
    line_yields: bool = False
    """Whether the server has said that the site's line yields to business."""
    line_spared: str = ""
    """What it has said of a pause there because business suffered: how, and for how long; empty: there is none."""
    fetches: bool = True
    """Whether the configuration lets this PC fetch over the line."""
    profile_lets_fetch: bool = True
    refusal: LanReason | None = None
    """Why this PC takes no leases now."""
    helps_less: bool = False
    """Whether its processor is busy, so that others fetch before it."""
    installs: bool = True
    """Whether patches are installed on this PC; else their files are only kept and shared."""
    large_packets_lost: bool = False
    """Whether full packets do not get through between the server and this site."""
    refused_as_copy: bool = False
    """Whether the server serves another PC with this PC's identity instead."""
    copies: str = ""
    """In words: which other PCs show this PC's identity; empty: none."""


_BY_STATE: dict[PatchState, WhyReason] = {
    "verified": WhyReason.HERE,
    "waiting": WhyReason.CHECKING,  # it is about to begin: with a look at what there is
    "checking": WhyReason.CHECKING,
    "verifying": WhyReason.VERIFYING,
}


def why(file: FileView, around: Circumstances) -> WhyReason:
    """Return the one reason why a patch's file is not here yet."""
    if file.state != "fetching":
        return _why_not_fetched(file)
    if file.since_line_seconds <= RECENT_SECONDS:
        return WhyReason.FROM_LINE
    yields = around.lan in YIELDING
    if file.since_neighbour_seconds <= RECENT_SECONDS:
        return WhyReason.LAN_YIELDS if yields else WhyReason.FROM_NEIGHBOURS
    if around.lan is LanReason.BLACKOUT:
        return WhyReason.BLACKOUT
    if file.lan_have & file.missing:
        return WhyReason.LAN_YIELDS if yields else WhyReason.NEIGHBOURS_SILENT
    return _why_not_over_the_line(file, around)


def _why_not_fetched(file: FileView) -> WhyReason:
    if file.state == "failed":
        full = file.fault is not None and file.fault.kind is TransferFaultKind.DISK_FULL
        return WhyReason.DISK_FULL if full else WhyReason.FAILED
    if file.room_wait:
        return WhyReason.QUOTA if file.room_wait == QUOTA_WORDS else WhyReason.DISK_FULL
    return WhyReason.QUEUED if file.state == "waiting" and file.queued else _BY_STATE[file.state]


def _why_not_over_the_line(file: FileView, around: Circumstances) -> WhyReason:
    checks = (
        (not around.fetches, WhyReason.NO_NEIGHBOURS),
        (not around.profile_lets_fetch, WhyReason.BLACKOUT),
        (around.refusal is LanReason.REFUSED_BATTERY, WhyReason.REFUSED_BATTERY),
        (around.refused_as_copy, WhyReason.SHARED_IDENTITY),
        (not around.server_connected, WhyReason.NO_SERVER),
        (bool(file.origin_error), WhyReason.SERVER_CANNOT),
        (around.large_packets_lost, WhyReason.LARGE_PACKETS_LOST),
        (bool(around.line_spared), WhyReason.LINE_SPARED),
        (around.line_yields, WhyReason.LINE_YIELDS),
        (around.helps_less, WhyReason.HELPS_LESS_CPU),
    )
    return next((reason for holds, reason in checks if holds), WhyReason.WAITING_FOR_LEASE)


def detail_of(reason: WhyReason, file: FileView, around: Circumstances) -> str:
    """Return more about the reason, in words; may be empty."""
    details = {
        WhyReason.HERE: "" if around.installs else ONLY_KEPT,
        WhyReason.FAILED: file.error,
        WhyReason.DISK_FULL: file.error or file.room_wait,
        WhyReason.QUOTA: file.room_wait,
        WhyReason.SERVER_CANNOT: file.origin_error,
        WhyReason.NO_SERVER: around.server_status,
        WhyReason.BLACKOUT: around.blackout_ends.strip(),
        WhyReason.LAN_YIELDS: str(around.lan),
        WhyReason.LINE_SPARED: around.line_spared,
    }
    fetching = file.state == "fetching"
    detail = details.get(reason, _neighbours(file.neighbours) if fetching else "")
    if reason is WhyReason.SHARED_IDENTITY:
        return around.copies
    return f"{detail}. {around.copies}" if around.copies and fetching else detail


def _neighbours(number: int) -> str:
    return "one neighbour connected" if number == 1 else f"{number} neighbours connected"
