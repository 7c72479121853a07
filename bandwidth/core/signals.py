"""The controller's input: one sample in each interval. Pure."""

from dataclasses import dataclass

from bandwidth.core.units import BytesPerSecond

PING_BYTES = 8 + 29 + 52  # with TLS 1.3's record and TCP/IPv4 with time stamps
PING_SHARE = 0.0035  # of the line, at most: on a slow line with a small buffer, pings take others' places
SHORTEST_SAMPLE_SECONDS, LONGEST_SAMPLE_SECONDS = 0.05, 0.1  # 20 a second follow a queue; 10 still meet a page


def sample_seconds(line: BytesPerSecond | None) -> float:
    """Return the seconds between samples on a line of ``line`` bytes per second (None: unknown)."""
    if not line:
        return SHORTEST_SAMPLE_SECONDS
    return min(LONGEST_SAMPLE_SECONDS, max(SHORTEST_SAMPLE_SECONDS, PING_BYTES / (PING_SHARE * line)))


@dataclass(frozen=True, slots=True)
class Sample:
    """One observation of the line, 10 to 20 a second (`sample_seconds`)."""

    rtt_seconds: float | None
    """Newest round trip of the unpaced control ping; None when none was answered in this interval."""
    data_rtt_seconds: float | None
    """Smoothed round trip of our data sockets (TCP_INFO); None without a data socket."""
    delivered_bytes: int
    """Ours, acknowledged since the previous sample."""
    retransmits: int
    """Segments of ours that were sent again since the previous sample."""
    application_limited: bool
    """The sender had less to send than it was allowed."""
    window_rate: BytesPerSecond | None
    """What our sockets' own congestion windows let through (window ÷ least round trip); None: not known."""
    business_bytes: int | None
    """Others' bytes on the line since the previous sample; None when nobody can see them."""
    bulk_business: bool = False
    """One of the others' connections is a transfer that somebody waits for (`bulk.BulkDetector`)."""
    business_harm_seconds: float | None = None
    """Smoothed minus least round trip of business sockets, where one is seen."""
    data_rtt_settled: bool = True
    """False: ``data_rtt_seconds`` still remembers a time in which that socket hardly sent."""
    data_late_seconds: float = 0.0
    """So much of ``data_rtt_seconds`` was waited for receivers that read late: acknowledgements wait for that."""
    data_sockets: int = 1
    """How many of our sockets share what is delivered: each is acknowledged the more rarely."""
    sent_bytes: int | None = None
    """Ours, handed to the line since the previous sample, retransmissions included; None: not known."""
    late: bool = False
    """The sampling process was held up: what it read measures itself, and smoothed round trips still do so later."""
