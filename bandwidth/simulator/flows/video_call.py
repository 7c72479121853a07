"""A video call: frames that must arrive now, at a rate that follows what the line lets through.

It never takes more than its highest rate. Below that, the rate follows the delay
as in Google Congestion Control (draft-ietf-rmcat-gcc-02, with the trend of delays
that browsers use in place of its filter), simplified: a difference of means in
place of a regression, one received rate in place of its statistics, and no
probing. There is no retransmission and no error correction: a frame that lacks a
packet is not shown, and the next one is. A frame's delay runs from its capture
until its last bit has left the bottleneck.
"""

from collections import deque
from typing import Any

from bandwidth.simulator.packets import Flow, Packet
from bandwidth.simulator.path import NetworkPath

MOST_RATE = 312_500.0  # 2.5 Mbit/s: 720p at 30 frames a second
LINE_SHARE = 0.5  # of the line, at most
FIRST_SHARE = 0.6  # of the most, at the beginning
LEAST_SHARE = 0.06  # 150 kbit/s of 2.5 Mbit/s
FRAME_SECONDS = 1 / 30
GROUP_FRAMES = 60  # every two seconds a whole picture …
WHOLE_FRAME = 4.0  # … which is this many times as large as a difference
CALL_PACKET_BYTES = 1_200
RTP_HEADER_BYTES = 40  # IPv4, UDP, RTP
PACING = 2.5  # times the rate: a frame leaves within 13 ms, a whole picture takes longer than to the next frame
# section 5.4 and 5.5 of the draft; the threshold's gains and the trend's factor are those of browsers
TREND_FRAMES = 20
TREND_FACTOR = 240.0
THRESHOLD_MS, LEAST_THRESHOLD_MS, MOST_THRESHOLD_MS = 12.5, 6.0, 600.0
THRESHOLD_UP, THRESHOLD_DOWN = 0.0087, 0.039  # per millisecond
SPIKE_MS = 15.0  # a trend further above the threshold than this does not move the threshold
OVERUSED_FRAMES = 2
DECREASE = 0.85  # of the received rate
INCREASE = 1.08  # per second
RECEIVED_SECONDS = 0.5
MOST_OF_RECEIVED = 1.5
# section 6: losses
LOSS_SECONDS = 1.0
HIGH_LOSS = 0.1
FROZEN_SECONDS = FRAME_SECONDS + 0.15  # a longer gap is a freeze, as browsers count them


class DelayRate:
    """The call's rate control: a rate in bytes per second between ``least`` and ``most``."""

    __slots__ = ("_changed_at", "_delays", "_overused", "_threshold", "least", "most", "rate")

    def __init__(self, *, least: float, first: float, most: float) -> None:
        self.least, self.rate, self.most = least, first, most
        self._delays: deque[float] = deque(maxlen=TREND_FRAMES)
        self._threshold = THRESHOLD_MS
        self._overused = 0
        self._changed_at = 0.0

    def frame(self, delay: float, received: float, now: float, round_trip: float) -> None:
        """Apply a frame's queue delay (seconds) and the rate at which frames arrive."""
        self._delays.append(delay)
        if len(self._delays) < TREND_FRAMES:
            self._changed_at = now
            return
        half = TREND_FRAMES // 2
        delays = list(self._delays)
        trend = (sum(delays[half:], 0.0) - sum(delays[:half], 0.0)) / half / (half * FRAME_SECONDS) * TREND_FACTOR
        self._overused = self._overused + 1 if trend > self._threshold else 0
        if self._overused >= OVERUSED_FRAMES:
            if now - self._changed_at >= round_trip + 0.1:
                self._set(min(self.rate, DECREASE * received))
                self._changed_at = now
        elif trend >= -self._threshold and self._overused == 0:
            growth = INCREASE ** min(1.0, max(0.0, now - self._changed_at))
            self._set(max(self.rate, min(self.rate * growth, MOST_OF_RECEIVED * received)))
            self._changed_at = now
        if abs(trend) <= self._threshold + SPIKE_MS:
            gain = THRESHOLD_DOWN if abs(trend) < self._threshold else THRESHOLD_UP
            moved = self._threshold + gain * FRAME_SECONDS * 1e3 * (abs(trend) - self._threshold)
            self._threshold = min(MOST_THRESHOLD_MS, max(LEAST_THRESHOLD_MS, moved))

    def losses(self, share: float) -> None:
        """Apply the share of the last second's packets that were lost."""
        if share > HIGH_LOSS:
            self._set(self.rate * (1 - 0.5 * share))

    def _set(self, rate: float) -> None:
        self.rate = min(self.most, max(self.least, rate))


class VideoCall(Flow):
    """One way of a call. ``frames`` are (captured at, seconds until it was whole) of the frames that arrived."""

    __slots__ = (
        "_arrived",
        "_expected",
        "_frame",
        "_frame_packets",
        "_law",
        "_link",
        "_loss_at",
        "_loss_counts",
        "_next_number",
        "_pacer_free_at",
        "_received",
        "_shown_at",
        "_simulator",
        "_started_at",
        "delivered_bytes",
        "frames",
        "frames_sent",
        "frozen_seconds",
        "lost_packets",
        "running",
        "seconds",
    )

    def __init__(self, path: NetworkPath, line_rate: float = float("inf")) -> None:
        self._simulator = path.simulator
        self._link = path.link
        self.key = path.next_key()
        self.ack_delay_seconds = path.rtt_seconds  # the sender knows what the receiver saw one way back later
        most = min(MOST_RATE, LINE_SHARE * line_rate)
        self._law = DelayRate(least=LEAST_SHARE * most, first=FIRST_SHARE * most, most=most)
        self.frames: list[tuple[float, float]] = []
        self.frames_sent = 0
        self.frozen_seconds = 0.0
        self.seconds = 0.0
        self.delivered_bytes = 0
        self.lost_packets = 0
        self.running = False
        self._started_at = 0.0
        self._pacer_free_at = 0.0
        self._next_number = self._expected = 0
        self._frame, self._frame_packets = -1, 0
        self._shown_at = -1.0
        self._received: deque[tuple[float, int]] = deque()
        self._arrived = 0
        self._loss_at = 0.0
        self._loss_counts = (0, 0)

    @property
    def rate(self) -> float:
        """Bytes per second that the call wants to send now."""
        return self._law.rate

    def connections(self) -> dict[int, int]:
        """See `BusinessFlow`."""
        return {self.key: self.delivered_bytes}

    def start(self, _: Any = None) -> None:
        """Begin."""
        self.running = True
        self._started_at = self._loss_at = self._simulator.now
        self._capture(None)

    def stop(self, _: Any = None) -> None:
        """Hang up."""
        if self.running:
            self.running = False
            self.seconds += self._simulator.now - self._started_at

    def _capture(self, _: Any) -> None:
        if not self.running:
            return
        now = self._simulator.now
        share = GROUP_FRAMES / (GROUP_FRAMES - 1 + WHOLE_FRAME)
        if self.frames_sent % GROUP_FRAMES == 0:
            share *= WHOLE_FRAME
        left = max(1, int(self._law.rate * FRAME_SECONDS * share))
        packets = -(-left // (CALL_PACKET_BYTES - RTP_HEADER_BYTES))
        size = -(-left // packets) + RTP_HEADER_BYTES
        at = max(now, self._pacer_free_at)
        for _packet in range(packets):
            self._simulator.at(at, self._send, (size, (self.frames_sent, packets, now)))
            at += size / (PACING * self._law.rate)
        self._pacer_free_at = at
        self.frames_sent += 1
        self._simulator.after(FRAME_SECONDS, self._capture)

    def _send(self, packet: tuple[int, Any]) -> None:
        size, state = packet
        self._link.send(self, self._next_number, size, state)
        self._next_number += 1

    def receive(self, packet: Packet) -> None:
        """See `Flow`; the acknowledgement brings what the receiver saw half a round trip ago."""
        size, sent_at, departed_at = packet.size_bytes, packet.sent_at, packet.departed_at
        frame, packets, captured_at = packet.state
        now = self._simulator.now
        self.lost_packets += packet.number - self._expected
        self._expected = packet.number + 1
        self._arrived += 1
        self.delivered_bytes += size
        self._received.append((now, size))
        while self._received[0][0] < now - RECEIVED_SECONDS:
            self._received.popleft()
        if frame != self._frame:
            self._frame, self._frame_packets = frame, 0
        self._frame_packets += 1
        if self._frame_packets == packets:
            self.frames.append((captured_at, departed_at - captured_at))
            self._show(departed_at)
            span = min(RECEIVED_SECONDS, max(FRAME_SECONDS, now - self._received[0][0]))
            received = sum(size for _, size in self._received) / span
            self._law.frame(departed_at - sent_at, received, now, self.ack_delay_seconds)
        if now - self._loss_at >= LOSS_SECONDS:
            lost, arrived = self.lost_packets - self._loss_counts[0], self._arrived - self._loss_counts[1]
            self._law.losses(lost / (lost + arrived))
            self._loss_at = now
            self._loss_counts = (self.lost_packets, self._arrived)

    def _show(self, at: float) -> None:
        gap = at - self._shown_at
        if gap > FROZEN_SECONDS and self._shown_at >= 0:
            self.frozen_seconds += gap
        self._shown_at = at
