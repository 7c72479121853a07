"""The daemon's answers on how patches get here: `status`, `why`, `peers`, `limiter`. Pure.

As all answers (see `messages`), those of a newer daemon may have more keys.
"""

from typing import Literal, TypeAlias

import msgspec

from p2pdist.local_api.disk_answer import DiskStatus
from p2pdist.shared.json_units import ByteRate, Bytes, Milliseconds, Percent, Seconds, Share, UnixSeconds
from p2pdist.shared.wire.messages import InstallState, PatchState

WhyState: TypeAlias = Literal[
    "waiting", "checking", "fetching", "verifying", "verified", "failed",
    "not_applicable", "installing", "unproven", "restart_pending", "installed", "retrying", "rolled_back", "unknown",
    "withdrawn",
]  # fmt: skip
"""`PatchState` until the file is proven, then `InstallState`; unknown: it is not in this PC's rollout, withdrawn: it is
no more."""


ProblemCode: TypeAlias = Literal[
    "network_part", "clock", "identity", "packets", "certificates", "trust", "stale", "audit_log", "memory", "mdns",
    "limiter", "patch_refused", "install", "users", "disk",
]  # fmt: skip
"""What a problem is about."""


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
    """low, medium, high or critical."""
    length_bytes: Bytes
    """Length of its file."""
    state: PatchState
    """How far its file is."""
    progress: Share
    """How much of the file is on disk."""
    bytes_from_origin: Bytes
    """Came over the site's line, since the patch was first seen."""
    bytes_from_peers: Bytes
    """Came from neighbours, since the patch was first seen."""
    bytes_wasted: Bytes
    """Came twice or were wrong, since the patch was first seen."""
    seconds: Seconds
    """From first seen to proven, or to now."""
    path: str | None
    """Where the proven file is; null until it is proven."""
    error: str | None
    """Why it does not go on, in words; null while nothing is wrong."""
    install: InstallState | None
    """What has become of it beyond its file; null: nothing is to be installed, or not known yet."""
    install_reason: str | None
    """In words: what its installation waits for, or what has failed."""
    titles: dict[str, str] = {}
    """The title in other languages, by their codes, such as ja; empty: it has none. Since 0.3."""
    left: bool = False
    """Whether its file was proven here, and has left to make room. Since 0.3."""
    waits_for_room: bool = False
    """Whether it waits for room on the disk; `problems` says so once where the disk is full. Since 0.3."""
    bytes_built: Bytes = 0
    """Of what the server sent, did not cross the line: built here of a former version, or compressed. Since 0.3."""
    built_of: str = ""
    """The former version that it was built of last; empty: of none. Since 0.3."""


class NotYetPatch(msgspec.Struct, frozen=True):
    """One patch that is for this PC and waits for its rollout."""

    id: str
    """The patch's id, as published."""
    version: str
    """Its version, as published."""
    title: str
    """What it is, in words; may be empty."""
    reason: str
    """What it waits for, in words: from a closed list, and after a colon the details."""
    until: UnixSeconds | None
    """When that ends by itself; null: not by time alone."""
    titles: dict[str, str] = {}
    """The title in other languages, by their codes, such as ja; empty: it has none. Since 0.3."""


class NetworkPartStatus(msgspec.Struct, frozen=True):
    """The process that alone speaks with the network."""

    running: bool
    """Whether it runs; if not, `problems` says why."""
    user: str
    """The user that it runs as."""
    separate: bool
    """Whether that is another user than the daemon's: what takes it over has no rights on this PC."""
    note: str
    """What should be better about that user, in words; empty when nothing should."""
    starts: int
    """How often it was started since the daemon was; more than 1: it has ended unexpectedly."""


class StatusAnswer(msgspec.Struct, frozen=True):
    """The PC as a whole, and each patch by order of publication. With `--watch`, one document a second."""

    endpoint_id: str
    """This PC's id, derived from its key."""
    site: str | None
    """The site that the server has assigned to it; null until then."""
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
    network_part: NetworkPartStatus | None = None
    """The process that speaks with the network; null: a daemon of an older version."""
    not_yet: list[NotYetPatch] = []
    """Patches that wait for their rollout to reach this PC; they are not fetched meanwhile."""
    problem_codes: list[ProblemCode] = []
    """What each of the `problems` is about, in their order; empty: a daemon of an older version. Since 0.3."""
    disk: DiskStatus | None = None
    """Who uses what of the disk; null: it was not looked at yet. Since 0.3."""
    server_lost_seconds: Seconds | None = None
    """How long ago the connection to the server was lost; null: it is up, or there was none since the daemon was
    started. Since 0.3."""


# --- p2pdist why ----------------------------------------------------------------------


class WhyPatch(msgspec.Struct, frozen=True):
    """Why one patch is not here, or not installed."""

    id: str
    """The patch's id."""
    version: str
    """Its version; empty where none was named and the patch is not known."""
    state: WhyState
    """How far it is."""
    progress: Share
    """How much of its file is on disk."""
    reason: str
    """What it waits for, in words; from a closed list until its file is proven."""
    detail: str
    """More about the reason; may be empty."""
    since_seconds: Seconds
    """For how long the reason has held."""
    seconds: dict[str, Seconds]
    """Reason → time spent under it, while its file was on the way."""
    title: str = ""
    """What it is, in words; may be empty."""
    titles: dict[str, str] = {}
    """The title in other languages, by their codes, such as ja; empty: it has none. Since 0.3."""
    bytes_from_origin: Bytes = 0
    """Of its file: came over the site's line, since the patch was first seen. Since 0.3."""
    bytes_from_peers: Bytes = 0
    """Likewise: came from neighbours. Since 0.3."""
    bytes_built: Bytes = 0
    """Likewise: sent by the server without crossing the line, as `p2pdist status` has it. Since 0.3."""
    built_of: str = ""
    """The former version that it was built of last; empty: of none. Since 0.3."""


class WhyAnswer(msgspec.Struct, frozen=True):
    """Why patches are not here, or not installed: those that were asked for; the daemon answers with all."""

    patches: list[WhyPatch]
    """One row a patch and version."""


# --- p2pdist peers --------------------------------------------------------------------


class Peer(msgspec.Struct, frozen=True):
    """One neighbour."""

    endpoint_id: str
    """Its id as it claims, until mutual TLS has proven it."""
    address: str
    """Its IP address."""
    port: int
    """Its port for neighbours."""
    sources: list[str]
    """How it became known: mdns, server."""
    connected: bool
    """Whether this PC is connected to it for any torrent now."""
    reason: str | None
    """Why it is not connected, in words from a closed list; null while it is."""
    bytes_received: Bytes
    """Payload that came from it over the present connections."""
    bytes_sent: Bytes
    """Payload that went to it over the present connections."""


class PeerCallers(msgspec.Struct, frozen=True):
    """Whether neighbours' own connections come in, since the daemon was started."""

    callers: int
    """Neighbours' addresses from which connections came in. Since 0.3."""
    last_seconds: Seconds | None
    """How long ago the last one came; null: none has. Since 0.3."""
    reached: int
    """Addresses of neighbours that this PC has connected to while they lacked pieces, too. Since 0.3."""
    watched_seconds: Seconds
    """Since the first of those. Since 0.3."""


class PeersAnswer(msgspec.Struct, frozen=True):
    """The neighbours of this PC. With `--watch`, one document a second."""

    peers: list[Peer]
    """Every known neighbour, including those that have just gone."""
    callers: PeerCallers | None = None
    """Who has connected to this PC; null: a daemon of an older version. Since 0.3."""


# --- p2pdist limiter ------------------------------------------------------------------


class LineLimit(msgspec.Struct, frozen=True):
    """How fast the server sends to this PC's site, as it said last."""

    rate: ByteRate
    """Allowed on the line, packet headers included."""
    capacity: ByteRate | None
    """What the line carries; null: not known yet."""
    configured: bool
    """Whether the capacity is configured; else it is learned."""
    state: str
    """What the control law is doing, a word from a closed list."""
    reason: str
    """What binds the rate, in words from a closed list."""
    seconds: dict[str, Seconds]
    """Reason → time spent under it."""
    yield_seconds: Seconds
    """Time spent giving way to others."""
    learned_seconds: Seconds | None = None
    """How long ago the line last showed its capacity, in whole minutes; null: configured, or not known."""
    current: bool = True
    """Whether this holds now; false: nothing is sent to the site at present, and this was so when something was."""


class LanWay(msgspec.Struct, frozen=True):
    """One direction between this PC and its neighbours."""

    limit: ByteRate | None
    """Allowed; null: unlimited."""
    used: ByteRate
    """Measured last."""
    reason: str
    """What binds it, in words from a closed list."""
    seconds: dict[str, Seconds]
    """Reason → time spent under it, the longest first."""


class LimiterAnswer(msgspec.Struct, frozen=True):
    """What limits the site's line and this PC's network. With `--watch`, one document a second."""

    site: str | None
    """This PC's site; null until the server has said it."""
    server_connection: str
    """connected, or why not, in words."""
    line: LineLimit | None
    """The site's line; null: the server has sent nothing to this site since this PC connected."""
    profile: str | None
    """Name of the throttle profile that applies; null: none."""
    serves: bool
    """Whether this PC serves its neighbours now."""
    upload: LanWay
    """To neighbours."""
    download: LanWay
    """From neighbours."""
    yield_seconds: Seconds
    """Time spent giving way to others, in both directions together."""
    adapts: bool
    """Whether the limits follow what others use of the network."""
    interface: str | None
    """The network interface towards the neighbours."""
    network: str
    """What kind of network it is, a word from a closed list."""
    speed: ByteRate | None
    """The interface's link rate, one way; null: not known."""
    gateway: str | None
    """The next hop's address; null: none."""
    gateway_milliseconds: Milliseconds | None
    """Round-trip time to it, measured last; null: it was not measured, or does not answer."""
    business_bytes_per_second: ByteRate
    """What other programs use of this PC's network, measured last."""
    cpu_share: Share
    """Use of the processor, smoothed."""
    battery_percent: Percent | None
    """The battery's charge; null: a PC without a battery."""
    on_mains: bool | None
    """Whether the PC runs on mains power; null: not known, or a PC without a battery."""
    rule: str
    """Name of the profile's rule that applies; empty: none."""
    blackout: bool
    """Whether the profile allows nothing now."""
    problems: list[str]
    """What keeps the limiter from its job, in words."""
