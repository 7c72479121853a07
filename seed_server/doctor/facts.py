"""What was seen, for `server_findings` and `site_findings` to judge; None: it could not be looked at. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.problems import FleetProblem
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.role_policy import OnlineLifetimes, RoleExpiry
from seed_server.store.last_backup import LastBackup
from seed_server.store.rows import SiteLimitRow
from seed_server.store.site_health import NO_PCS, Affected, SiteHealth, SiteTrouble

ServedState: TypeAlias = Literal["ours", "refused", "silent", "foreign"]
"""silent: a connection comes about, or not, and nothing is said; foreign: it is not this server that answers."""


@dataclass(frozen=True, slots=True)
class ServedPort:
    """Of one of the server's ports, as a connection from this machine finds it."""

    place: str
    state: ServedState
    not_before: float = 0.0
    not_after: float = 0.0
    """When the certificate that it shows is valid, in seconds since 1970."""
    names_server: bool = True
    """Whether that certificate names the address that PCs use."""


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Of the home's files."""

    distrust: tuple[str, ...] = ()
    """Who else could change or read what is the server's alone, and how to mend it, in words."""
    unreadable: str = ""
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """Of the authority that signs PCs' and the server's certificates."""

    problem: str = ""
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class TimeFacts:
    """Of this machine's time."""

    synchronised: bool | None = None
    """Whether the system says that a time service keeps the clock; None: it does not tell."""
    latest: float = 0.0
    """The latest time that this server has written down, in seconds since 1970; 0: none."""
    latest_of: str = ""
    """What was written down then, in words."""
    zones: int = 0
    """Time zones of which there are data."""
    unknown_zone: str = ""
    """The first zone that a profile in force names and of which there are none."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """Of the database."""

    problem: str = ""
    """Why it cannot be used, in words."""
    outdated: bool = False
    """Whether it is of an earlier release: the next start changes its tables, and nothing else was looked at."""


@dataclass(frozen=True, slots=True)
class LackingFile:
    """A file that is offered and cannot be served."""

    ref: PatchRef
    why: str


@dataclass(frozen=True, slots=True)
class ContentFacts:
    """Of the files that are offered."""

    files: int
    lacking: tuple[LackingFile, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """Of the signed metadata."""

    problem: str = ""
    expiries: tuple[RoleExpiry, ...] = ()
    lifetimes: OnlineLifetimes | None = None
    """Those of roles that the running server signs; None: not known."""
    offline: tuple[FleetProblem, ...] = ()
    """What `status` says of roles that only the operator can sign anew."""


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """Of backups by `seed-server backup`."""

    last: LastBackup | None
    """None: there is none."""
    pcs: int
    """How many PCs are enrolled: without one there is little to lose."""


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """Of the way to the identity provider."""

    place: str
    """The provider, or the proxy that leads to it."""
    by_proxy: bool
    reached: bool


@dataclass(frozen=True, slots=True)
class ListedAddress:
    """Of one of the addresses that PCs are told, as connections from this machine find it."""

    place: str
    """The address with both ports, in words."""
    ports: tuple[ServedPort, ServedPort]
    """The web port, the origin port."""


@dataclass(slots=True)
class ServerFacts:
    """All that was seen; each look adds its part."""

    now: float
    settings: ServerSettings | None = None
    settings_problem: str = ""
    serving: bool | None = None
    files: ServerFiles | None = None
    web: ServedPort | None = None
    origin: ServedPort | None = None
    api: ServedPort | None = None
    own_problem: str = ""
    """Why the certificate that is named for the API's port cannot be used; empty: it can, or none is named."""
    elsewhere: str | None = None
    """Why PCs that call this server's address do not come here; empty: they may."""
    listed: Sequence[ListedAddress] | None = None
    """The addresses in the signed list; none: there is no list."""
    authority: AuthorityFacts | None = None
    time: TimeFacts | None = None
    database: DatabaseFacts | None = None
    content: ContentFacts | None = None
    signatures: SignatureFacts | None = None
    provider: ProviderFacts | None = None
    backup: BackupFacts | None = None
    disk: Sequence[FleetProblem] | None = None
    audit: Sequence[FleetProblem] | None = None
    rollouts: Sequence[FleetProblem] | None = None
    site_map: Sequence[FleetProblem] | None = None
    pcs: Sequence[FleetProblem] | None = None
    lines: Sequence[FleetProblem] | None = None
    intelligence: Sequence[FleetProblem] | None = None
    """Of files of KEV and EPSS that are old."""
    troubled: Sequence[SiteTrouble] | None = None
    """Sites where PCs say that something is wrong, most of them first."""


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """All that was seen of a site."""

    now: float
    site: str
    serving: bool
    release: str
    """Of this server's own software."""
    places: str
    """The server's two ports, as PCs call them."""
    health: SiteHealth
    elsewhere: int
    """PCs that are connected from other sites."""
    limit: SiteLimitRow | None = None
    """None: nothing was ever sent there."""
    wan_bytes: int = 0
    file_bytes: int = 0
    clock: Affected = NO_PCS
    """PCs whose patches wait because their clock cannot be believed."""
    full: Affected = NO_PCS
    """PCs whose patches wait because their disk is full."""
