"""The endpoint's home directory and its optional ``config.toml``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from p2pdist.errors import ExitCode, UserError
from p2pdist.toml_config import parse_toml
from p2pdist.wire.codec import Record

MAX_CONFIG_BYTES = 64 << 10  # a page of settings; more is not a configuration


class DaemonSettings(Record, frozen=True):
    """``config.toml``; every key has a default, so the file may be missing."""

    lan_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 7691
    """TLS port for the neighbours, fixed so that a firewall rule can name it; 0 takes any free one."""
    mdns: bool = True
    """Announce and browse by mDNS; without it, peers come from the server's site list alone."""
    refresh_seconds: Annotated[float, msgspec.Meta(ge=5, le=86_400)] = 300.0
    """Mean time between looks at the repository when the server gives no notice."""
    fetch_from_origin: bool = True
    """Whether this PC may take pieces over the branch line; False leaves that to its neighbours."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True)
class EndpointHome:
    """Where everything of one endpoint lies."""

    root: Path

    @property
    def enrolment(self) -> Path:
        """What a completed enrolment leaves (`edges.identity_store`)."""
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
    def socket(self) -> Path:
        """Unix socket of the running daemon."""
        return self.root / "daemon.sock"

    @property
    def lock(self) -> Path:
        """Held by the running daemon."""
        return self.root / "daemon.lock"


def load_settings(home: EndpointHome) -> DaemonSettings:
    """Return the settings in ``home``. Raises `UserError` for a file that is unreadable or wrong."""
    path = home.root / "config.toml"
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        return DaemonSettings()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Check its permissions.", ExitCode.STORAGE) from error
    if len(text) > MAX_CONFIG_BYTES:
        raise UserError(f"{path} is over {MAX_CONFIG_BYTES} bytes; it is not a configuration.", ExitCode.BAD_INPUT)
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8.", ExitCode.BAD_INPUT) from error
    return parse_toml(decoded, DaemonSettings, source=str(path))
