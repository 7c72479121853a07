"""The endpoint's home directory and its optional ``config.toml``."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bandwidth.profiles.model import Profile
from p2pdist.shared.capped_files import read_home_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.toml_config import parse_toml_file
from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.fields import LEAST_LAN_PORT

# constants: what a variable of the environment, or another user, says must not move the home
DEFAULT_HOMES = {
    "linux": Path("/var/lib/p2pdist"),
    "darwin": Path("/Library/Application Support/p2pdist"),
    "win32": Path("C:\\ProgramData\\p2pdist"),
}
USERS_SOCKET = Path("/run/p2pdist/users.sock")
"""Where users ask the daemon of the system's own home: they may not enter that."""
MAX_CONFIG_BYTES = 64 << 10  # far more than a page of settings
MAX_OWN_PROFILE_BYTES = 4 << 20  # as many characters as bandwidth.profiles.parse accepts, at UTF-8's four bytes each


class DaemonSettings(Record, frozen=True):
    """``config.toml``; every key has a default, so the file may be missing."""

    lan_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 7691
    """TLS port for the neighbours, fixed so that a firewall rule can name it; from 1024 on. 0 takes any free one."""
    mdns: bool = True
    """Announce and browse by mDNS; without it, peers come from the server's site list alone."""
    refresh_seconds: Annotated[float, msgspec.Meta(ge=5, le=86_400)] = 300.0
    """Mean time between looks at the repository when the server gives no notice."""
    fetch_from_origin: bool = True
    """Whether this PC may take pieces over the branch line; False leaves that to its neighbours."""
    network: Literal["auto", "wired", "wifi", "vpn", "metered"] = "auto"
    """What this PC's network is, where the system does not know it (a telephone's hotspot)."""
    serve_up_to_cpu_percent: Annotated[float, msgspec.Meta(ge=1, le=100)] = 80.0
    """Neighbours are helped less while the processors are busier; 100: always in full."""
    serve_from_battery_percent: Annotated[float, msgspec.Meta(ge=0, le=95)] = 20.0
    """Neighbours are not served from a battery that has less; 0: always served."""
    tell_neighbours: bool = True
    """Whether the server, where it asks, is told which machines are beside this PC: their hardware addresses."""
    install: bool = True
    """Whether patches are installed on this PC; else their files are only kept and shared."""
    install_root: Annotated[str, msgspec.Meta(pattern="^/", max_length=300)] = "/"
    """Below which directory archives and packages are installed: an image that is being built, a chroot."""
    may_restart: bool = False
    """Whether a patch whose reboot policy is `window` may restart this PC."""
    tell_packages: bool = True
    """Whether the server is told which packages this PC has: `docs/users.md` says what else it knows."""
    root_pin: Annotated[str, msgspec.Meta(pattern="^([0-9a-fA-F]{64})?$")] = ""
    """SHA-256 of the trust root, as `seed-server init` printed it: for images; `enrol` refuses any other."""
    users_group: Annotated[str, msgspec.Meta(max_length=256)] = "p2pdist-users"
    """Members of this group may see status, plan and why, and defer; empty, or no such group: nobody by that."""
    users_seat: bool = True
    """Whether who sits at this PC may do the same: polkit says who, or logind where that is not installed."""
    users_socket: Annotated[str, msgspec.Meta(pattern="^(/.+)?$", max_length=100)] = ""
    """Where users ask; by default /run/p2pdist/users.sock for the system's home, and nowhere for another one."""
    cache_mb: Annotated[int, msgspec.Meta(ge=10, le=100_000_000)] = 20_000
    """What payloads may take of the disk, in 10^6 bytes. What is to be installed here is fetched all the same."""
    cache_free_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = 25.0
    """Likewise, as a share of what is free and what they take; the lower of the two counts."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True)
class EndpointHome:
    """The places of all files of one endpoint."""

    root: Path

    @property
    def enrolment(self) -> Path:
        """The identity, written by a completed enrolment (`identity.store`)."""
        return self.root / "identity" / "identity.json"

    @property
    def trust(self) -> Path:
        """TUF metadata and targets, and the trust floor."""
        return self.root / "trust"

    @property
    def cache(self) -> Path:
        """Payloads as the swarm shares them, named by their SHA-256."""
        return self.root / "cache"

    @property
    def patches(self) -> Path:
        """Verified files: ``ID/VERSION/FILE``."""
        return self.root / "patches"

    @property
    def records(self) -> Path:
        """What is remembered of each transfer."""
        return self.root / "state" / "transfers.msgpack"

    @property
    def installs(self) -> Path:
        """Journal and history of installations."""
        return self.root / "state" / "installs.msgpack"

    @property
    def last_site(self) -> Path:
        """The site that this PC was in last."""
        return self.root / "state" / "site"

    @property
    def told_inventory(self) -> Path:
        """What the server was told of this PC's facts and packages."""
        return self.root / "state" / "inventory"

    @property
    def last_server(self) -> Path:
        """Where the server answered last."""
        return self.root / "state" / "server"

    @property
    def chosen_address(self) -> Path:
        """The own address that `enrol` was given."""
        return self.root / "state" / "address"

    @property
    def scratch(self) -> Path:
        """Temporary files of installations."""
        return self.root / "scratch"

    @property
    def upgrade(self) -> Path:
        """What the supervisor of an upgrade of p2pdist itself is told, and tells."""
        return self.root / "upgrade"

    @property
    def kept(self) -> Path:
        """Payloads of installed patches, to roll back to: ``ID/VERSION/FILE``."""
        return self.root / "kept"

    @property
    def throttle_profile(self) -> Path:
        """A throttle profile for this PC; the file may be missing."""
        return self.root / "throttle-profile.toml"

    @property
    def socket(self) -> Path:
        """Unix socket of the running daemon."""
        return self.root / "daemon.sock"

    @property
    def users_socket(self) -> Path | None:
        """Where this PC's users ask the daemon, unless config.toml names another place; None: nowhere."""
        return USERS_SOCKET if self.root == default_home() else None

    @property
    def lock(self) -> Path:
        """Held by the running daemon."""
        return self.root / "daemon.lock"


def default_home(platform: str = sys.platform) -> Path:
    """Return where an endpoint's files are on a ``platform``, if nobody says otherwise."""
    return DEFAULT_HOMES.get(platform, DEFAULT_HOMES["linux"])


def load_settings(home: EndpointHome) -> DaemonSettings:
    """Return the settings in ``home``. Raises `UserError` for a file that is unreadable or wrong."""
    path = home.root / "config.toml"
    text = read_home_text(path, MAX_CONFIG_BYTES, "it is not a configuration.")
    if text is None:
        return DaemonSettings()
    file = parse_toml_file(text, DaemonSettings, source=str(path))
    if 0 < file.value.lan_port < LEAST_LAN_PORT:
        problem = f"lan_port is a system port, to which no neighbour connects; choose 0 or {LEAST_LAN_PORT} to 65535."
        raise file.error(problem, "lan_port")
    return file.value


def load_profile(home: EndpointHome) -> Profile | None:
    """Return the throttle profile in ``home``, if any. Raises `UserError` for a file that is unreadable or wrong."""
    text = read_home_text(home.throttle_profile, MAX_OWN_PROFILE_BYTES, "it is not a throttle profile.")
    if text is None:
        return None
    # imported late: most PCs have no profile, and it takes memory
    from bandwidth.profiles.parse import ProfileError, parse_profile

    try:
        return parse_profile(text, source=str(home.throttle_profile))
    except ProfileError as error:
        raise UserError(str(error), FaultKind.BAD_INPUT) from error
