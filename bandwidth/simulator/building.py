"""Builds the parts of a scenario from their names: queues, business mixes and scavengers."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.flows.bbr import BbrSender
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.flows.on_off import OnOffTransfers
from bandwidth.simulator.flows.tcp import TcpSender
from bandwidth.simulator.flows.video import VideoStream
from bandwidth.simulator.flows.video_call import VideoCall
from bandwidth.simulator.flows.voip import VoipCall
from bandwidth.simulator.flows.web import LAB_PAGE, USUAL_PAGE, PageShape, WebUser
from bandwidth.simulator.link import FifoLink, Link, QueueLink
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.queues import MTU_BYTES, Codel, FqCodel, Pie
from bandwidth.simulator.rates import LineRate
from bandwidth.simulator.rivals.cake_autorate import AutorateSender
from bandwidth.simulator.rivals.fixed_share import FixedShareSender
from bandwidth.simulator.rivals.ledbat import LedbatSender
from bandwidth.simulator.rivals.ledbat_pp import LedbatPlusPlusSender
from bandwidth.simulator.rivals.tcp_lp import TcpLpSender

AQM_LIMIT_BYTES = 1000 * MTU_BYTES  # RFC 8290 and Linux give them about a thousand packets or more


def build_link(simulator: Simulator, rate: LineRate, queue: str, rtt_seconds: float, randomness: random.Random) -> Link:
    """Return the bottleneck. ``queue`` is as in `Scenario.queue`; raises `ValueError` for any other text."""
    if queue == "codel":
        return QueueLink(simulator, rate, Codel(AQM_LIMIT_BYTES))
    if queue == "fq_codel":
        return QueueLink(simulator, rate, FqCodel())
    if queue == "pie":
        return QueueLink(simulator, rate, Pie(AQM_LIMIT_BYTES, randomness))
    amount, _, unit = queue.partition(" ")
    try:
        size = float(amount) * {"packets": MTU_BYTES, "ms": rate.mean / 1000, "bdp": rate.mean * rtt_seconds}[unit]
    except (ValueError, KeyError):
        raise ValueError(f"no such queue: {queue!r} (N packets, N ms, N bdp, codel, fq_codel, pie)") from None
    return FifoLink(simulator, rate, max(2 * MTU_BYTES, int(size)))


class BusinessFlow(Protocol):
    """What every kind of business traffic has."""

    key: int

    @property
    def delivered_bytes(self) -> int:
        """So far."""

    def connections(self) -> dict[int, int]:
        """Return the bytes so far of each connection that is open, by its key."""

    def start(self, _: Any = None) -> None:
        """Begin."""

    def stop(self, _: Any = None) -> None:
        """End."""


@dataclass
class Business:
    """The business of a run."""

    flows: list[BusinessFlow] = field(default_factory=list)
    calls: list[VoipCall] = field(default_factory=list)
    users: list[WebUser] = field(default_factory=list)
    videos: list[VideoStream] = field(default_factory=list)
    video_calls: list[VideoCall] = field(default_factory=list)
    transfers: list[OnOffTransfers] = field(default_factory=list)
    line_rate: float = float("inf")
    """Bytes per second."""
    elastic: bool = False
    """Whether a transfer that takes all it can get runs from the beginning to the end."""

    def delivered(self) -> int:
        """Return the bytes of all flows so far."""
        return sum(flow.delivered_bytes for flow in self.flows)

    def seen(self) -> tuple[int, dict[int, int]]:
        """Return the bytes of all flows so far, and those of each connection that is open."""
        connections: dict[int, int] = {}
        for flow in self.flows:
            connections.update(flow.connections())
        return self.delivered(), connections

    def periods(self, start: float, stop: float) -> list[tuple[float, float]]:
        """Return (from, until) of each time in which a bulk transfer runs."""
        if self.elastic:
            return [(start, stop)]
        return [(since, min(stop, until)) for transfers in self.transfers for since, until in transfers.periods]

    def pauses(self, start: float, stop: float, end: float) -> list[tuple[float, float]]:
        """Return (from, until) of each time after a bulk transfer in which none runs."""
        periods = sorted(self.periods(start, stop))
        following = [*(since for since, _ in periods[1:]), end]
        return [(until, later) for (_, until), later in zip(periods, following, strict=False) if until < later]


def _cubic(path: NetworkPath, business: Business, _: random.Random) -> None:
    business.flows.append(CubicSender(path))
    business.elastic = True


def _bbr(path: NetworkPath, business: Business, randomness: random.Random) -> None:
    business.flows.append(BbrSender(path, randomness))
    business.elastic = True


def _voip(path: NetworkPath, business: Business, _: random.Random) -> None:
    call = VoipCall(path)
    business.calls.append(call)
    business.flows.append(call)


def _web(path: NetworkPath, business: Business, randomness: random.Random, shape: PageShape = USUAL_PAGE) -> None:
    user = WebUser(path, random.Random(randomness.random()), shape)  # noqa: S311
    business.users.append(user)
    business.flows.append(user)


def _lab_web(path: NetworkPath, business: Business, randomness: random.Random) -> None:
    _web(path, business, randomness, LAB_PAGE)


def _video(path: NetworkPath, business: Business, _: random.Random) -> None:
    video = VideoStream(path)
    business.videos.append(video)
    business.flows.append(video)


def _video_call(path: NetworkPath, business: Business, _: random.Random) -> None:
    call = VideoCall(path, business.line_rate)
    business.video_calls.append(call)
    business.flows.append(call)


def _on_off(path: NetworkPath, business: Business, randomness: random.Random) -> None:
    transfers = OnOffTransfers(path, random.Random(randomness.random()))  # noqa: S311
    business.transfers.append(transfers)
    business.flows.append(transfers)


BUSINESS: dict[str, Callable[[NetworkPath, Business, random.Random], None]] = {
    "cubic": _cubic,
    "bbr": _bbr,
    "voip": _voip,
    "web": _web,
    "lab web": _lab_web,
    "video": _video,
    "video call": _video_call,
    "on/off": _on_off,
}
MIX = "voip+2 web+video+video call"


def build_business(
    path: NetworkPath, names: str, randomness: random.Random, line_rate: float = float("inf")
) -> Business:
    """Return the business that ``names`` describe (see `Scenario.business`); raises `ValueError` for unknown ones."""
    business = Business(line_rate=line_rate)
    for part in "+".join(MIX if name == "mix" else name for name in names.split("+")).split("+"):
        count, _, name = part.partition(" ") if part[:1].isdigit() else ("", "", part)
        if name == "idle":
            continue
        if name not in BUSINESS or not (count or "1").isdigit():
            raise ValueError(f"no such business: {part!r} (idle, mix, {', '.join(BUSINESS)})")
        for _index in range(int(count or 1)):
            BUSINESS[name](path, business, randomness)
    return business


ScavengerMaker = Callable[[NetworkPath, float, random.Random], TcpSender]
SCAVENGERS: dict[str, ScavengerMaker] = {
    "cubic": lambda path, _rate, _draw: CubicSender(path),
    "ledbat": lambda path, _rate, _draw: LedbatSender(path),
    "ledbat++": lambda path, _rate, _draw: LedbatPlusPlusSender(path),
    "tcp-lp": lambda path, _rate, _draw: TcpLpSender(path),
    "cake-autorate": lambda path, rate, _draw: AutorateSender(path, rate),
    "fixed share": lambda path, rate, _draw: FixedShareSender(path, 0.5 * rate),
}


def build_scavenger(path: NetworkPath, name: str, line_rate: float, randomness: random.Random) -> TcpSender | None:
    """Return the sender called ``name``; None for ``none``. Raises `ValueError` for an unknown name."""
    if name == "none":
        return None
    if name not in SCAVENGERS:
        raise ValueError(f"no such scavenger: {name!r} (none, ours, {', '.join(SCAVENGERS)})")
    return SCAVENGERS[name](path, line_rate, randomness)
