"""A telephone call: a small packet every 20 ms (G.711, RFC 3551 section 4.5.14), its one-way delays and losses."""

from typing import Any

from bandwidth.simulator.events import TimedCall
from bandwidth.simulator.packets import Flow, Packet
from bandwidth.simulator.path import NetworkPath

VOIP_BYTES = 200  # 160 of speech, 12 RTP, 8 UDP, 20 IPv4
VOIP_INTERVAL_SECONDS = 0.02


class VoipCall(Flow):
    """One way of a call. ``delays`` are (sent at, seconds until the last bit has left the bottleneck)."""

    __slots__ = (
        "_link",
        "_next",
        "_simulator",
        "delays",
        "delivered_bytes",
        "running",
        "sent",
    )

    def __init__(self, path: NetworkPath) -> None:
        self._simulator = path.simulator
        self._link = path.link
        self.key = path.next_key()
        self.ack_delay_seconds = path.rtt_seconds / 2
        self._next = TimedCall(self._speak)
        self.delays: list[tuple[float, float]] = []
        self.delivered_bytes = 0
        self.running = False
        self.sent = 0

    def connections(self) -> dict[int, int]:
        """See `BusinessFlow`."""
        return {self.key: self.delivered_bytes}

    def start(self, _: Any = None) -> None:
        """Begin to speak."""
        self.running = True
        self._speak(None)

    def stop(self, _: Any = None) -> None:
        """Hang up."""
        self.running = False

    def _speak(self, _: Any) -> None:
        if not self.running:
            return
        self._link.send(self, self.sent, VOIP_BYTES)
        self.sent += 1
        self._simulator.add(self._simulator.now + VOIP_INTERVAL_SECONDS, self._next)

    def receive(self, packet: Packet) -> None:
        """See `Flow`."""
        self.delays.append((packet.sent_at, packet.departed_at - packet.sent_at))
        self.delivered_bytes += packet.size_bytes
