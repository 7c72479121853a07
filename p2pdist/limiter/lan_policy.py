"""How fast this PC swaps with its neighbours, and whether it serves them at all. Pure.

In this order: this PC must be fit to serve (processor, battery, network), the throttle profile must allow it,
and what others use of this PC's network comes first. Each answer carries its reason from one closed list.
"""

import enum
from dataclasses import dataclass, replace

from bandwidth.core.allocator import share_max_min
from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason
from bandwidth.core.units import BytesPerSecond
from p2pdist.limiter.link_report import LinkLook
from p2pdist.pc.network import Battery, Medium, NetworkState

CPU_SECONDS = 10.0  # over which the processor's use is smoothed: starting a program is no load
CPU_RESUME_SHARE = 0.8  # of the limit: serving begins again only clearly below it
BATTERY_RESUME_PERCENT = 5.0  # above the limit, for the same reason
FETCH_ANYWAY_SECONDS = 3_600.0  # a PC that is always busy gets its patches all the same
WIRED_THRESHOLD_SECONDS = 0.012  # our own limits send in bursts of 10 ms: less is our own
WIFI_THRESHOLD_SECONDS = 0.020  # Wi-Fi answers unevenly: less is its own noise
WIFI_SHARE = 0.5  # of the link's rate, for both ways together: a cell is shared by everyone in the room
WIFI_CEILING = BytesPerSecond(5_000_000)  # 40 Mbit/s, where the rate is not known
STOPPED = BytesPerSecond(10)  # libtorrent takes 0 for unlimited, and this is its least
PROTOCOL_RATE = BytesPerSecond(64_000)  # goes out also in a blackout: the word that nobody is served
APPLICATION_LIMITED_SHARE = 0.85  # of the allowance: if less was used, the allowance does not limit
DEMAND_GROWTH, DEMAND_LEAST_SHARE = 2.0, 0.05  # of the less busy way, on Wi-Fi
NO_DELAY_SECONDS = 0.001  # stands in where the gateway answers no pings: then the card's bytes alone decide


class LanReason(enum.StrEnum):
    """Why the LAN's rate is what it is: the closed list that people read."""

    UNLIMITED = "nothing limits it"
    LEARNING = "finding out what the network carries"
    AT_CAPACITY = "all that the card carries beside a reserve"
    NOTHING_TO_DO = "neighbours take less than they may"
    BUSINESS = "leaving room for business traffic of this PC"
    LINE_FIRST = "what comes over the site's line goes first"
    QUEUE = "a queue on the way to the gateway"
    CONTENTION = "somebody else keeps the network busy"
    PAUSE = "looking at the network without ourselves"
    NO_SIGNALS = "the gateway does not answer"
    WIFI = "the share of a Wi-Fi cell"
    PROFILE = "the throttle profile's limit"
    BLACKOUT = "the throttle profile allows nothing now"
    REFUSED_CPU = "refuses to serve: the processor is busy"
    REFUSED_BATTERY = "refuses to serve: the battery is low"
    REFUSED_VPN = "refuses to serve: this PC is connected by a VPN"
    REFUSED_METERED = "refuses to serve: this network is paid by volume"


NOT_SERVED = {
    LanReason.REFUSED_CPU: "the processor is busy",
    LanReason.REFUSED_BATTERY: "the battery is low",
    LanReason.REFUSED_VPN: "this PC is connected by a VPN",
    LanReason.REFUSED_METERED: "this network is paid by volume",
}
"""The causes of a refusal alone, within a sentence of `p2pdist status`."""

YIELDING = frozenset({LanReason.BUSINESS, LanReason.QUEUE, LanReason.CONTENTION})
"""Reasons under which others come first: their seconds are the yield time."""

FROM_CONTROLLER = {
    Reason.LEARNING: LanReason.LEARNING,
    Reason.RAMPING: LanReason.LEARNING,
    Reason.AT_CAPACITY: LanReason.AT_CAPACITY,
    Reason.APPLICATION_LIMITED: LanReason.NOTHING_TO_DO,
    Reason.QUEUE: LanReason.QUEUE,
    Reason.BUSINESS_LOAD: LanReason.BUSINESS,
    Reason.BUSINESS_BULK: LanReason.BUSINESS,
    Reason.PERSISTENT_QUEUE: LanReason.CONTENTION,
    Reason.LOSS: LanReason.CONTENTION,
    Reason.SHORTFALL: LanReason.CONTENTION,
    Reason.HARM: LanReason.BUSINESS,
    Reason.PAUSE: LanReason.PAUSE,
    Reason.NO_SIGNALS: LanReason.NO_SIGNALS,
    Reason.CEILING: LanReason.PROFILE,
    Reason.FLOOR: LanReason.PROFILE,
    Reason.BOOST: LanReason.PROFILE,
    Reason.BLACKOUT: LanReason.BLACKOUT,
}


@dataclass(frozen=True, slots=True)
class ProfileAnswer:
    """What the throttle profile says of this PC's traffic to its neighbours now."""

    rate: BytesPerSecond | None = None
    """Never faster, each way; None: it sets no limit."""
    rule: str = ""
    """The rule that decided, in words."""
    blackout: bool = False
    names_network: bool = False
    """A rule is about this very kind of network (VPN, metered): then it decides, and not our own caution."""
    may_fetch: bool = True
    """Over the site's line."""


@dataclass(frozen=True, slots=True)
class FitLimits:
    """What the admin asks of a PC that serves; in percent. 100 and 0: never refuse."""

    cpu_percent: float = 80.0
    battery_percent: float = 20.0


class Fitness:
    """Whether this PC is fit to serve; smoothed, and with a step between refusing and serving again."""

    def __init__(self, limits: FitLimits) -> None:
        self._limits = limits
        self.cpu_share = 0.0
        """Smoothed, of all processors, 0 to 1."""
        self._busy = self._low = False
        self._seen_at: float | None = None
        self._refused_at: float | None = None

    def observe(self, cpu_share: float | None, battery: Battery | None, now: float) -> LanReason | None:
        """Take a look at the processor (None: not known) and the battery; return why not to serve, or None."""
        elapsed = 0.0 if self._seen_at is None else max(0.0, now - self._seen_at)
        self._seen_at = now
        if cpu_share is not None:
            self.cpu_share += min(1.0, elapsed / CPU_SECONDS) * (min(1.0, max(0.0, cpu_share)) - self.cpu_share)
        limit = self._limits.cpu_percent / 100
        self._busy = limit < 1.0 and self.cpu_share > (limit * CPU_RESUME_SHARE if self._busy else limit)
        least = self._limits.battery_percent + (BATTERY_RESUME_PERCENT if self._low else 0.0)
        self._low = (
            self._limits.battery_percent > 0
            and battery is not None
            and not battery.on_mains
            and battery.percent < least
        )
        reason = LanReason.REFUSED_BATTERY if self._low else LanReason.REFUSED_CPU if self._busy else None
        if reason is None:
            self._refused_at = None
        elif self._refused_at is None or now < self._refused_at:
            self._refused_at = now
        return reason

    def may_fetch(self, now: float) -> bool:
        """Whether to ask for leases: who does not serve would keep a leased piece from the others, yet not for ever."""
        return self._refused_at is None or now - self._refused_at >= FETCH_ANYWAY_SECONDS


@dataclass(frozen=True, slots=True)
class LanInputs:
    """One look at everything that decides."""

    network: NetworkState
    profile: ProfileAnswer
    refusal: LanReason | None
    """From `Fitness`."""
    look: LinkLook | None = None
    """Bytes since the previous look; None: not known."""
    received_bytes: int = 0
    """From neighbours since the previous look; likewise the next."""
    sent_bytes: int = 0
    gateway_seconds: float | None = None
    """Newest round trip to the gateway; None: none was answered in this interval."""
    gateway_answers: bool = True
    """Whether the gateway answers pings at all."""
    idle: bool = False
    """Nothing moves between neighbours: there is nothing to adapt, and nothing is learned."""


@dataclass(frozen=True, slots=True)
class WayDecision:
    """One way's rate; None: unlimited."""

    rate: BytesPerSecond | None
    reason: LanReason


@dataclass(frozen=True, slots=True)
class LanDecision:
    """What holds until the next look."""

    upload: WayDecision
    download: WayDecision
    serve: bool


class LanPolicy:
    """Decides look after look; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._key: tuple[Medium, BytesPerSecond | None] | None = None
        self._up: Controller | None = None
        self._down: Controller | None = None
        self._allowed_up = self._allowed_down = BytesPerSecond(0)
        self._adapted_last: tuple[WayDecision, WayDecision] | None = None
        self._demands: dict[str, float] = {"up": 0.0, "down": 0.0}

    @property
    def adapts(self) -> bool:
        """Whether others' traffic is followed: the looks must come several times a second then."""
        return self._up is not None

    def decide(self, inputs: LanInputs, now: float) -> LanDecision:
        """Return the rates and whether to serve."""
        self._take_network(inputs.network, now)
        if not (inputs.idle and self.adapts and self._adapted_last):
            self._adapted_last = self._adapted(inputs, now)
        up, down = self._adapted_last
        if inputs.idle and self.adapts:
            up, down = replace(up, reason=LanReason.NOTHING_TO_DO), replace(down, reason=LanReason.NOTHING_TO_DO)
        up = _within_profile(up, inputs.profile, stopped=PROTOCOL_RATE)
        down = _within_profile(down, inputs.profile, stopped=STOPPED)
        refusal = _refusal(inputs)
        if refusal is not None:
            up = WayDecision(up.rate, refusal)  # for requests and the like: nobody gets a byte of a patch
        return LanDecision(up, down, serve=refusal is None and not inputs.profile.blackout)

    def _take_network(self, network: NetworkState, now: float) -> None:
        key = (network.medium, network.speed)
        if key == self._key:
            return
        self._key = key
        self._up = self._down = self._adapted_last = None
        if network.medium is Medium.WIRED and network.speed is not None:
            settings = ControllerSettings(network.speed, WIRED_THRESHOLD_SECONDS)
            self._up, self._down = Controller(settings, now), Controller(settings, now)
        elif network.medium is Medium.WIFI:
            speed = None if network.speed is None else BytesPerSecond(int(WIFI_SHARE * network.speed))
            # one for both ways: a cell carries one of them at a time
            self._up = self._down = Controller(ControllerSettings(speed, WIFI_THRESHOLD_SECONDS), now)

    def _adapted(self, inputs: LanInputs, now: float) -> tuple[WayDecision, WayDecision]:
        if self._up is None or self._down is None:
            free = WayDecision(None, LanReason.UNLIMITED)
            return free, free
        if self._up is self._down:
            return self._on_wifi(self._up, inputs, now)
        look = inputs.look
        sent = look.business_sent_bytes if look else None
        # what comes over the site's line is needed by all neighbours: it comes first, as business does
        received = look.business_received_bytes + look.own_line_bytes if look else None
        up = _update(self._up, inputs, inputs.sent_bytes, sent, self._allowed_up, now)
        down = _update(self._down, inputs, inputs.received_bytes, received, self._allowed_down, now)
        self._allowed_up, self._allowed_down = up.allowance, down.allowance
        way_down = _way(down, LanReason.PROFILE)
        if way_down.reason is LanReason.BUSINESS and look and look.own_line_bytes > look.business_received_bytes:
            way_down = replace(way_down, reason=LanReason.LINE_FIRST)
        return _way(up, LanReason.PROFILE), way_down

    def _on_wifi(self, controller: Controller, inputs: LanInputs, now: float) -> tuple[WayDecision, WayDecision]:
        look = inputs.look
        business = None
        if look is not None:
            business = look.business_received_bytes + look.business_sent_bytes + look.own_line_bytes
        moved = inputs.received_bytes + inputs.sent_bytes
        ceiling = WIFI_CEILING if inputs.network.speed is None else None
        decision = _update(controller, inputs, moved, business, self._allowed_up, now, ceiling)
        self._allowed_up = decision.allowance
        if look is not None:
            for way, count in (("up", inputs.sent_bytes), ("down", inputs.received_bytes)):
                self._demands[way] = count / look.interval_seconds
        # the busier way may have all that the other one does not ask for
        other, busier = sorted(self._demands, key=lambda way: self._demands[way])
        demand = int(DEMAND_GROWTH * self._demands[other] + DEMAND_LEAST_SHARE * decision.allowance)
        parts = share_max_min(decision.allowance, {busier: None, other: BytesPerSecond(demand)})
        both = _way(decision, LanReason.WIFI)
        return (
            replace(both, rate=BytesPerSecond(max(STOPPED, parts["up"]))),
            replace(both, rate=BytesPerSecond(max(STOPPED, parts["down"]))),
        )


def _update(  # each argument is a fact of its own
    controller: Controller,
    inputs: LanInputs,
    moved_bytes: int,
    business_bytes: int | None,
    allowed: BytesPerSecond,
    now: float,
    ceiling: BytesPerSecond | None = None,
) -> Decision:
    seconds = inputs.look.interval_seconds if inputs.look else 0.0
    sample = Sample(
        rtt_seconds=inputs.gateway_seconds if inputs.gateway_answers else NO_DELAY_SECONDS,
        data_rtt_seconds=None,
        delivered_bytes=moved_bytes,
        retransmits=0,
        application_limited=moved_bytes < APPLICATION_LIMITED_SHARE * allowed * seconds,
        window_rate=None,
        business_bytes=business_bytes,
    )
    return controller.update(sample, now, ceiling=ceiling)


def _way(decision: Decision, at_ceiling: LanReason) -> WayDecision:
    reason = at_ceiling if decision.reason is Reason.CEILING else FROM_CONTROLLER[decision.reason]
    return WayDecision(BytesPerSecond(max(STOPPED, decision.allowance)), reason)


def _within_profile(way: WayDecision, profile: ProfileAnswer, *, stopped: BytesPerSecond) -> WayDecision:
    if profile.blackout:
        return WayDecision(stopped, LanReason.BLACKOUT)
    if profile.rate is not None and (way.rate is None or profile.rate < way.rate):
        return WayDecision(BytesPerSecond(max(STOPPED, profile.rate)), LanReason.PROFILE)
    return way


def _refusal(inputs: LanInputs) -> LanReason | None:
    if inputs.network.medium is Medium.LOOPBACK:
        return None  # the neighbours are on this very PC: refusing them relieves nobody
    if inputs.refusal is not None:
        return inputs.refusal
    if not inputs.profile.names_network:
        if inputs.network.medium is Medium.VPN:
            return LanReason.REFUSED_VPN
        if inputs.network.medium is Medium.METERED:
            return LanReason.REFUSED_METERED
    return None
