"""What the controller is told in each interval."""

from dataclasses import dataclass

from bandwidth.units import BytesPerSecond


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the line, about 20 a second."""

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
