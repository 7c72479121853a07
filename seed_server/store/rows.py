"""The rows of the state database as the rest of the server knows them. Pure.

Times are seconds since 1970.
"""

from typing import Literal, NamedTuple, TypeAlias

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.urgency import urgency_of
from p2pdist.shared.wire.codec import Record
from seed_server.store.count_rows import StandingFilter

FULL_DISK_BYTES = 256 << 10  # with less, the index of SQLite's log (32 KiB) and a transaction in it may not fit

SAYS_REPLACED = "replaced: "
"""What the words of a PC begin with of a patch that it lacks no more: a newer version of it is installed there."""


class HarmPauseRow(Record, frozen=True):
    """The newest pause of leasing at a site where business suffered while we sent (`line.harm_bound`)."""

    reason: str
    """The value of a `HarmReason`."""
    begun_at: float
    ends_at: float
    in_a_row: int
    """How many pauses there were without a good day between them."""
    pauses: int
    """How many there ever were."""


class SiteLimitRow(Record, frozen=True):
    """How fast a site was sent to when that was last decided, and why; rates in bytes per second on the line."""

    site: str
    at: float
    active: bool
    """Something was being sent."""
    endpoints: int
    fetchers: int
    """Endpoints that were being sent pieces."""
    rate: int
    capacity: int | None
    configured: bool
    """Whether the line's rate is configured; else it is learned."""
    state: str
    reason: str
    seconds: dict[str, float]
    """Spent under each reason, ever."""
    yield_seconds: float
    sending_seconds: float
    learned_at: float | None = None
    """When the line last showed its capacity; None: nothing is learned, or it is configured."""
    round_trip_seconds: float | None = None
    loss_share: float | None = None
    large_packets_lost: bool = False
    """Full packets do not get through to the site, and smaller ones are used."""
    harm: HarmPauseRow | None = None
    """Its newest pause, over or not; None: business there has never suffered enough."""


class ServedPayload(Record, frozen=True):
    """One payload of a published patch, as the server serves it; most patches have only one."""

    patch_id: str
    version: str
    title: str
    severity: str
    cvss: float | None
    file_name: str
    sha256: str
    length_bytes: int
    torrent_hash: str
    piece_length_bytes: int
    piece_count: int
    sequence: int
    published_at: float
    damaged: str = ""
    """Why it cannot be served; empty when it can."""
    number: int = 0
    """Its place among the patch's payloads."""
    platform: str = ""
    arch: str = ""
    language: str = ""
    emergency: bool = False
    """Whether it waits for no window."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is of."""
        return PatchRef(self.patch_id, self.version)

    @property
    def urgency(self) -> int:
        """Its place before patches that are less urgent: the lowest goes first."""
        return urgency_of(self.severity, emergency=self.emergency)


class StoredPayload(NamedTuple):
    """A payload in the content store, with the hashes of its pieces."""

    sha256: str
    bytes: int
    """What both take."""
    changed_at: float
    """When its file came to be there, or was changed last."""


class Admission(NamedTuple):
    """What is to be known of an endpoint that connects."""

    denied: bool
    recorded_of: str
    """As in `EndpointRow`; the next field too."""
    recorded: int


class Recorded(NamedTuple):
    """How far the reports of one run of a PC's daemon are recorded."""

    instance: str
    """The run, as in its hello."""
    serial: int


class EndpointRow(Record, frozen=True):
    """An enrolled endpoint and what was last known of it."""

    endpoint_id: str
    hostname: str
    enrolled_at: float
    denied: bool
    site: str
    address: str
    software: str
    connected: bool
    last_seen_at: float
    """0.0 when it has never connected."""
    tags: tuple[str, ...] = ()
    """From the token that it was enrolled with."""
    pending: bool = False
    """It is denied only because an operator has not allowed it yet."""
    claimed_site: str = ""
    """The site that it says it is in, where that is not ``site``; it is not believed. Empty: no such claim."""
    refuses: str = ""
    """Why it accepts nothing new that this server has signed, as it said last; empty: it does."""
    shared_with: str = ""
    """Which other PCs show its identity too, for people; empty: none."""
    recorded_of: str = ""
    recorded: int = 0
    """Of the run ``recorded_of`` of its daemon, reports up to this serial are recorded."""


class LeftOut(NamedTuple):
    """Steps of a PC that the history has left out: there were too many."""

    steps: int
    """Since it is enrolled."""
    last_at: float
    """Seconds since 1970."""


class ForgottenRow(NamedTuple):
    """A PC that was forgotten; fields as in `EndpointRow`."""

    endpoint_id: str
    hostname: str
    forgotten_at: float
    """0: it is not known when that was."""


class Namesake(NamedTuple):
    """A PC that has the name of another one; fields as in `EndpointRow`."""

    endpoint_id: str
    denied: bool
    pending: bool


ANY_FINDING = "any"

PcState: TypeAlias = Literal["connected", "away", "never_seen", "denied", "pending"]
"""Of an enrolled PC: exactly one. ``pending``: it is denied only because nobody has allowed it yet."""


class EndpointFilter(NamedTuple):
    """Which enrolled PCs are meant; what is None tells nobody apart."""

    site: int | None = None
    state: PcState | None = None
    serving: bool = True
    """Whether a server serves: else nobody is connected."""
    unseen_since: float | None = None
    """Only those that were not seen since then, in seconds since 1970; those that never were: not enrolled since."""
    tag: str = ""
    begins: str = ""
    """What their id or their host name begins with, in any case of its ASCII letters."""
    finding: str = ""
    """What they say is wrong with them, a code; `ANY_FINDING`: anything."""
    patch: int = 0
    """The number of a patch: only those that ``standing`` means, of which nobody is denied."""
    standing: StandingFilter = StandingFilter()


TokenState: TypeAlias = Literal["open", "used", "expired", "revoked"]


class TokenRow(Record, frozen=True):
    """A token, without its secret, and whom it has enrolled."""

    token_id: str
    """The start of its secret's hash: it names the token and opens nothing."""
    made_at: float
    made_by: str
    """The actor, as logs name it; empty: a server from before that was recorded."""
    uses_left: int
    expires_at: float
    tags: tuple[str, ...]
    approval: bool
    """Whether an operator has to allow each PC that it enrols."""
    revoked_at: float | None
    enrolled: tuple[str, ...]
    """Ids of the PCs that were enrolled with it, the first one first."""

    def state(self, now: float) -> TokenState:
        """Return whether it still enrols PCs, and if not, why."""
        if self.revoked_at is not None:
            return "revoked"
        if now >= self.expires_at:
            return "expired"
        return "open" if self.uses_left else "used"


class SeenRow(Record, frozen=True):
    """Where an endpoint is, and whether it is connected; fields as in `EndpointRow`."""

    site: str
    address: str
    software: str
    connected: bool
    last_seen_at: float
    claimed_site: str = ""
    shared_with: str = ""


class ReportRow(Record, frozen=True):
    """What an endpoint last said of a patch; fields as in `wire.messages.PatchReport`.

    Seconds are whole ones, and progress is kept in thousandths.
    """

    endpoint_id: str
    patch_id: str
    version: str
    state: str
    progress: float
    bytes_from_origin: int
    bytes_from_peers: int
    bytes_wasted: int
    seconds: float
    error: str
    reported_at: float
    install: str = ""
    install_reason: str = ""
    install_output: str = ""
    bytes_built: int = 0

    @property
    def ref(self) -> PatchRef:
        """Which patch it is of."""
        return PatchRef(self.patch_id, self.version)


class PatchBytes(NamedTuple):
    """Where PCs have the bytes of a patch from, by their own word."""

    from_origin: int
    """Over the lines."""
    from_peers: int
    built: int
    """Of what they had, and by compression."""


class DiagnosisRow(Record, frozen=True):
    """What an endpoint last said to one item of a template; fields as in `wire.messages.DiagnosisAnswer`."""

    endpoint_id: str
    template: str
    label: str
    applies: bool
    needed: bool | None
    reason: str
    at: float


class DiagnosisCount(Record, frozen=True):
    """How many endpoints have given the same answer to one item of a template."""

    label: str
    needed: bool | None
    """None: it does not apply to them."""
    endpoints: int
    at: float
    """When the last of them said so."""


class AnsweringPc(Record, frozen=True):
    """A PC, and what it last said to one item of a template."""

    number: int
    """What the tables call it."""
    endpoint_id: str
    hostname: str
    site: str
    reason: str
    """Empty: it has given none, or has not answered."""
    at: float | None
    """When it said so; None: it has not answered."""
