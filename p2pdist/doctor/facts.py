"""What was seen, for `judgement` to judge: None stands for what was not, or could not be, looked at. Pure."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from p2pdist.local_api.delivery_answers import LimiterAnswer, PeersAnswer, StatusAnswer
from p2pdist.local_api.server_answers import ServerAnswer
from p2pdist.trust.http_answers import HttpFailure

PortState: TypeAlias = Literal["open", "refused", "silent", "foreign", "unreachable"]
"""silent: nothing comes back within the time; foreign: something else answers; unreachable: the system says so."""
PacketState: TypeAlias = Literal["pass", "lost", "unknown"]


@dataclass(frozen=True, slots=True)
class EnrolmentFacts:
    """Of the identity in the home."""

    problem: str = ""
    """Why there is none that can be used, in words; empty: there is one."""
    hidden: bool = False
    """Whether the problem is that this user may not look, or the disk does not let anybody."""
    not_before: float = 0.0
    not_after: float = 0.0
    """When both certificates are valid, in seconds since 1970."""
    of_own_authority: bool = True
    """Whether both certificates are signed by the authorities that this PC trusts."""


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """Of the running daemon."""

    problem: str = ""
    """Why it does not answer, in words."""
    hidden: bool = False
    """Whether the problem is that this user may not ask it."""
    status: StatusAnswer | None = None
    peers: PeersAnswer | None = None
    limiter: LimiterAnswer | None = None
    server: ServerAnswer | None = None
    """Where it looks for the server; None: it does not say."""


@dataclass(frozen=True, slots=True)
class NameFacts:
    """Of the server's name."""

    name: str
    addresses: tuple[str, ...] = ()
    """Empty: none was found."""
    problem: str = ""
    is_address: bool = False


@dataclass(frozen=True, slots=True)
class WebFacts:
    """Of the web port."""

    place: str
    """Its address and port."""
    failure: HttpFailure | None = None
    words: str = ""
    """The failure in words."""
    server_time: float | None = None
    """What the server's answer says the time is, in seconds since 1970; next field: what this PC's clock showed."""
    own_time: float = 0.0


@dataclass(frozen=True, slots=True)
class OriginFacts:
    """Of the origin port."""

    place: str
    state: PortState
    words: str = ""


@dataclass(frozen=True, slots=True)
class PacketFacts:
    """Of full packets on the way to the server."""

    state: PacketState
    """pass: they get there, or who cannot pass them says so."""
    words: str = ""
    """Why it is not known."""


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """Of one directory of the home."""

    path: str
    kind: str = ""
    """The name of its file system; empty: not known."""
    no_programs: bool = False
    """Whether it is mounted so that no program can be started from it."""
    read_only: bool = False
    folds_case: bool = False
    """Whether names that differ by case alone are one."""
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """Of the home's files."""

    distrust: tuple[str, ...] = ()
    """Who else could change or read what is the daemon's alone, and how to mend it, in words."""
    unreadable: str = ""
    places: tuple[PlaceFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class LocalPortFacts:
    """Of a port of this PC."""

    port: int
    taken: bool | None = None
    """Whether a program listens on it; None: not known."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SurroundingFacts:
    """Of this PC's environment."""

    proxies: tuple[str, ...] = ()
    """The variables that name a proxy."""
    zone_name: str = ""
    """The time zone that the system names; empty: none."""
    zone_known: bool = True
    """Whether there are data for it."""


@dataclass(frozen=True, slots=True)
class FirewallFacts:
    """Of this PC's own firewall."""

    name: str = ""
    """What it is called; empty: none is switched on."""
    lets_in: bool | None = None
    """Whether a rule lets neighbours in; None: not known."""
    why: str = ""
    """Why it is not known, in words."""
    mend: str = ""
    """The command that lets them in, in words."""


@dataclass(frozen=True, slots=True)
class PortUsers:
    """Programs that use a port, by their names."""

    lan: tuple[str, ...] = ()
    """They listen on the TCP port for neighbours."""
    mdns: tuple[str, ...] = ()
    """They use the UDP port of mDNS."""


@dataclass(slots=True)
class DoctorFacts:
    """All that was seen; each look adds its part."""

    now: float
    enrolment: EnrolmentFacts = field(default_factory=EnrolmentFacts)
    daemon: DaemonFacts = field(default_factory=DaemonFacts)
    name: NameFacts | None = None
    web: WebFacts | None = None
    origin: OriginFacts | None = None
    packets: PacketFacts | None = None
    home: HomeFacts = field(default_factory=HomeFacts)
    lan_port: LocalPortFacts | None = None
    mdns_port: LocalPortFacts | None = None
    networks: tuple[str, ...] = ()
    """This PC's own, as prefixes; empty: not known."""
    firewall: FirewallFacts | None = None
    port_users: PortUsers | None = None
    surroundings: SurroundingFacts = field(default_factory=SurroundingFacts)
