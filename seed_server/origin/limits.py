"""How patient the origin port is with an endpoint, and how much it takes from one."""

from dataclasses import dataclass

from seed_server.ports.gate import MAX_PER_ADDRESS
from seed_server.ports.server_tls import HANDSHAKE_SECONDS


@dataclass(frozen=True)
class OriginLimits:
    """What a served endpoint may take, and how often the port does its regular work; a server uses the defaults."""

    max_per_address: int = MAX_PER_ADDRESS
    """Connections from one address: a branch of a thousand PCs behind one."""
    handshake_seconds: float = HANDSHAKE_SECONDS
    """As at the web port."""
    first_frame_seconds: float = 10.0
    """The hello follows the handshake at once."""
    ping_seconds: float = 5.0
    """Keeps address translation alive, which forgets a silent connection within a minute or so."""
    max_missed_pings: int = 4
    """A busy PC misses one or two."""
    max_frames_per_second: int = 4_000
    """On a control connection: eight times the pieces that 1 Gbit/s carries; more is a flood."""
    max_unknown_torrents: int = 2_000
    """As many as patches are offered; more is a guess at names."""
    shortage_seconds: float = 1.0
    """Before another try when the server lacks files or memory."""
    quiet_seconds: float = 1.0
    """Without a link that sends, before the steering of a site ends: between two pieces it need not start anew."""
    site_limit_seconds: float = 1.0
    """How often a site's rate and its reason are written down."""
    reload_seconds: float = 1.0
    """Wishes for unknown torrents make the server ask the database this often, not more."""


DEFAULT_LIMITS = OriginLimits()
