"""How long the origin port waits for an endpoint, and how much it accepts from one."""

from dataclasses import dataclass, field

from seed_server.leasing.times import DEFAULT_TIMES, LedgerTimes
from seed_server.origin.message_budgets import MessageLimits
from seed_server.origin.report_pace import REPORTS_PER_SECOND
from seed_server.ports.gate import MAX_PER_ADDRESS
from seed_server.ports.server_tls import HANDSHAKE_SECONDS


@dataclass(frozen=True)
class OriginLimits:
    """What a served endpoint may take, and how often the port does its regular work; a server uses the defaults."""

    max_per_address: int = MAX_PER_ADDRESS
    """Connections from one address: a branch of a thousand PCs may share one."""
    handshake_seconds: float = HANDSHAKE_SECONDS
    """The TLS handshake may take so long, as at the web port."""
    first_frame_seconds: float = 10.0
    """How long the hello may take; it follows the handshake at once."""
    ping_seconds: float = 5.0
    """Who fetches, or could, is pinged if it has said nothing for so long while its site is sent to; and anybody again
    who has not answered."""
    idle_ping_seconds: float = 60.0
    """All others, for the server has nothing to learn but that they are there; it keeps address translation alive."""
    idle_ping_seconds_of_old: float = 20.0
    """The same for release 0.2.0, which gives a connection up after 30 s without a word."""
    reports_per_second: float = REPORTS_PER_SECOND
    """Of what passes on the PCs, from all of them."""
    max_missed_pings: int = 4
    """A busy PC misses one or two."""
    ledger: LedgerTimes = DEFAULT_TIMES
    """How long neighbours have to get pieces from each other, and how long one of them fetches before the next."""
    frames_in_memory: int = 512
    """Pieces that are being sent, of at most 4 MiB, usually 256 KiB to 1 MiB: bounds memory at any number of sites."""
    messages: MessageLimits = field(default_factory=MessageLimits)
    """On a control connection, by kind of message."""
    max_unknown_torrents: int = 2_000
    """As many as patches are offered; an endpoint that wants more is guessing names."""
    shortage_seconds: float = 1.0
    """The wait before another try when the server lacks files or memory."""
    quiet_seconds: float = 1.0
    """A site is steered until no link has sent for so long; a gap between two pieces does not end it."""
    site_limit_seconds: float = 1.0
    """How often a site's rate and its reason are recorded."""
    reload_seconds: float = 1.0
    """The least time between two looks into the database because of Wants for unknown torrents."""


DEFAULT_LIMITS = OriginLimits()
