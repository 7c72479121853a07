"""What the daemon answers of how patches get here: `status`, `why`, `peers`, `limiter`. Pure.

As all of its answers (see `messages`): a newer daemon's may have more in them.
"""

from typing import Literal, TypeAlias

import msgspec

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.wire.messages import InstallState, PatchState

WhyState: TypeAlias = Literal[
    "waiting", "checking", "fetching", "verifying", "verified", "failed",
    "not_applicable", "installing", "installed", "rolled_back", "unknown",
]  # fmt: skip
"""`PatchState` until the file is proven, then `InstallState`; unknown: it is not in this PC's rollout."""


# --- p2pdist status -------------------------------------------------------------------


class StatusPatch(msgspec.Struct, frozen=True):
    """One patch whose file is here or on its way."""

    id: str
    """The patch's id, as published."""
    version: str
    """Its version, as published."""
    title: str
    """What it is, in words; may be empty."""
    severity: str
    """low, medium, high or critical, as published."""
    length_bytes: int
    """Length of its file."""
    state: PatchState
    """How far its file is."""
    progress: float
    """Share of the file that is on disk, 0 to 1."""
    bytes_from_origin: int
    """Came over the site's line, since the patch was first seen."""
    bytes_from_peers: int
    """Came from neighbours, since the patch was first seen."""
    bytes_wasted: int
    """Came twice or were wrong, since the patch was first seen."""
    seconds: float
    """From first seen to proven, or to now, in seconds."""
    path: str | None
    """Where the proven file is; null until it is proven."""
    error: str | None
    """Why it does not go on, in words; null while nothing is wrong."""
    install: InstallState | None
    """What has become of it beyond its file; null: nothing is to be installed, or not known yet."""
    install_reason: str | None
    """In words: what its installation waits for, or what has failed."""


class StatusAnswer(msgspec.Struct, frozen=True):
    """`p2pdist status`: this PC as a whole, and each patch by order of publication."""

    endpoint_id: str
    """Who this PC is."""
    site: str | None
    """The site that the server has put it into; null until it has."""
    server: str
    """The seed server's name."""
    server_connection: str
    """connected, or why not, in words."""
    version: str
    """The running daemon's version."""
    problems: list[str]
    """What the user should know, in words; empty while all is well."""
    patches: list[StatusPatch]
    """Patches whose file is here or on its way."""
    installs: dict[str, InstallState]
    """ID@VERSION → what has become of the patch beyond its file, of every patch that is rolled out to this PC."""


# --- p2pdist why ----------------------------------------------------------------------


class WhyPatch(msgspec.Struct, frozen=True):
    """Why one patch is not here, or not installed."""

    id: str
    """The patch's id."""
    version: str
    """Its version; empty where none was named and the patch is not known."""
    state: WhyState
    """How far it is."""
    progress: float
    """Share of its file that is on disk, 0 to 1."""
    reason: str
    """What it waits for, in words; from a closed list until its file is proven."""
    detail: str
    """More about the reason; may be empty."""
    since_seconds: float
    """For how long the reason has held, in seconds."""
    seconds: dict[str, float]
    """Reason → seconds spent under it, while its file was on the way."""


class WhyAnswer(msgspec.Struct, frozen=True):
    """`p2pdist why`. The daemon answers with every patch; the command prints those that were asked for."""

    patches: list[WhyPatch]
    """One row a patch and version."""


# --- p2pdist peers --------------------------------------------------------------------


class Peer(msgspec.Struct, frozen=True):
    """One neighbour."""

    endpoint_id: str
    """Who it says that it is, until mutual TLS has proven it."""
    address: str
    """Its IP address."""
    port: int
    """Its port for neighbours."""
    sources: list[str]
    """How it became known: mdns, server."""
    connected: bool
    """Whether any torrent is swapped with it now."""
    reason: str | None
    """Why it is not connected, in words from a closed list; null while it is."""
    bytes_received: int
    """Payload that came from it, over the connections of now."""
    bytes_sent: int
    """Payload that went to it, over the connections of now."""


class PeersAnswer(msgspec.Struct, frozen=True):
    """`p2pdist peers`."""

    peers: list[Peer]
    """Every neighbour that is known, those that have just gone among them."""


# --- p2pdist limiter ------------------------------------------------------------------


class LineLimit(msgspec.Struct, frozen=True):
    """How fast the server sends to this PC's site, as it said last."""

    rate: BytesPerSecond
    """Allowed on the line, packet headers included, in bytes per second."""
    capacity: BytesPerSecond | None
    """What the line carries, in bytes per second; null: not known yet."""
    configured: bool
    """Whether somebody has said what the line carries; else it is learned."""
    state: str
    """What the law is doing, a word from a closed list."""
    reason: str
    """What binds the rate, in words from a closed list."""
    seconds: dict[str, float]
    """Reason → seconds spent under it."""
    yield_seconds: float
    """Seconds spent giving way to others."""


class LanWay(msgspec.Struct, frozen=True):
    """One direction between this PC and its neighbours."""

    limit: BytesPerSecond | None
    """Allowed, in bytes per second; null: unlimited."""
    used: int
    """Measured last, in bytes per second."""
    reason: str
    """What binds it, in words from a closed list."""
    seconds: dict[str, float]
    """Reason → seconds spent under it, the longest first."""


class LimiterAnswer(msgspec.Struct, frozen=True):
    """`p2pdist limiter`: the site's line and this PC's network."""

    site: str | None
    """This PC's site; null until the server has said it."""
    server_connection: str
    """connected, or why not, in words."""
    line: LineLimit | None
    """null: the server has sent nothing to this site since this PC connected."""
    profile: str | None
    """Name of the throttle profile that holds; null: none."""
    serves: bool
    """Whether this PC serves its neighbours now."""
    upload: LanWay
    """To neighbours."""
    download: LanWay
    """From neighbours."""
    yield_seconds: float
    """Seconds spent giving way to others, in both directions together."""
    adapts: bool
    """Whether the limits follow what others use of the network."""
    interface: str | None
    """The card towards the neighbours."""
    network: str
    """What kind of network it is, a word from a closed list."""
    speed: BytesPerSecond | None
    """The card's link rate one way, in bytes per second; null: not known."""
    gateway: str | None
    """The next hop's address; null: none."""
    gateway_milliseconds: float | None
    """Round trip to it in milliseconds, measured last; null: it was not measured, or does not answer."""
    business_bytes_per_second: int
    """What other programs use of this PC's network, measured last."""
    cpu_share: float
    """Use of the processor, smoothed, 0 to 1."""
    battery_percent: float | None
    """0 to 100; null: a PC without a battery."""
    on_mains: bool | None
    """null: not known, or a PC without a battery."""
    rule: str
    """Name of the profile's rule that holds; empty: none."""
    blackout: bool
    """Whether the profile allows nothing now."""
    problems: list[str]
    """What keeps the limiter from its job, in words."""
