"""What the kernel knows of one TCP socket that we send on; `tcp_info` reads it. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SocketLook:
    """One look at a socket; bytes are TCP payload, counters count since the connection began."""

    rtt_seconds: float
    """Smoothed, RFC 6298."""
    rtt_variation_seconds: float
    least_rtt_seconds: float | None
    """The kernel's own minimum over some minutes; None before the first measurement."""
    acked_bytes: int
    sent_bytes: int | None
    """Handed to the network so far, retransmissions included; None: the kernel does not tell."""
    retransmits: int
    """Segments sent again, needlessly or not."""
    needless_retransmits: int
    """Of these, those that had arrived before, as the receiver said (DSACK, RFC 2883)."""
    early_segments: int
    """Segments that have arrived before one that is still missing (SACK, RFC 2018): not yet among ``acked_bytes``."""
    segment_bytes: int
    """Payload of a full segment."""
    window_segments: int
    """Congestion window."""
    slow_start_threshold_segments: int | None
    """None: none yet, or renewed; the window doubles in each round trip."""
    in_flight_segments: int
    unsent_bytes: int
    """Written to the socket and not sent yet."""
    pacing_rate: int
    """What the kernel paces at now, bytes per second: it applies a raised limit from the next acknowledgement on."""
    delivery_rate: int
    """The kernel's estimate, bytes per second; of no use while ``application_limited``."""
    application_limited: bool
    """Lately the socket had nothing to send."""
    receiver_limited_seconds: float
    """Time that the receiver's window was full."""
    timeouts_in_a_row: int = 0
    """How often TCP has waited in vain for an acknowledgement, each time for twice as long."""

    @property
    def window_rate(self) -> float | None:
        """What the congestion window lets through, bytes per second; None before the first round trip."""
        if self.least_rtt_seconds is None:
            return None
        return self.window_segments * self.segment_bytes / max(self.least_rtt_seconds, 1e-6)

    @property
    def arrived_bytes(self) -> int:
        """What has arrived at the other side, whatever is missing before it."""
        return self.acked_bytes + self.early_segments * self.segment_bytes
