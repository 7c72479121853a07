"""Decide how fast this PC swaps with its neighbours, and whether it serves them at all. Pure.

Four rules, in this order: this PC must be fit to serve (battery, network); the throttle profile must allow it; other
traffic on this PC's network comes first; a PC whose processor is busy gives its neighbours less, but never nothing.
Each decision carries a reason from one closed list.
"""

import enum
import math
from dataclasses import dataclass, replace

from bandwidth.core.allocator import share_max_min
from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.frontier import HEADROOM
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason
from bandwidth.core.units import BytesPerSecond
from p2pdist.limiter.link_report import LinkLook
from p2pdist.pc.network import Medium, NetworkState

BUSY_SHARE = 2 / 3  # of its card, for a busy PC: where all are busy, a patch takes no longer than half as long again
UNKNOWN_CARD = BytesPerSecond(12_500_000)  # Fast Ethernet, where the card's rate is not known
WIRED_THRESHOLD_SECONDS = 0.012  # our own limits send in bursts of 10 ms: a smaller delay may be ours
WIFI_THRESHOLD_SECONDS = 0.020  # round trips over Wi-Fi vary: a smaller delay is noise
WIFI_SHARE = 0.5  # of the link's rate, for both ways together: everyone in the room shares the cell
WIFI_CEILING = BytesPerSecond(5_000_000)  # 40 Mbit/s, where the rate is not known
STOPPED = BytesPerSecond(10)  # libtorrent's least rate, since 0 means unlimited to it
PROTOCOL_RATE = BytesPerSecond(64_000)  # for upload in a blackout: neighbours must be told that they are not served
APPLICATION_LIMITED_SHARE = 0.85  # of the allowance: when less was used, the allowance was not the limit
DEMAND_GROWTH, DEMAND_LEAST_SHARE = 2.0, 0.05  # of the less busy way, on Wi-Fi
CARD_FIRST_SHARE = HEADROOM  # of the card, to begin with: its rate is known, and so is what others use of it
OWN_SHARE = 0.4  # of the card, one way: neighbours send in bursts, which make a queue long before their mean fills it …
OWN_SECONDS = 0.5  # … and that lasts for some samples of the delay
OTHERS_SHARE = 0.1  # of the card: with as much of others' traffic, a queue is not ours alone
OWN_QUEUE_SECONDS = 0.005  # what is left of a queue of our own: less than half a threshold, so it slows nobody down
NO_DELAY_SECONDS = 0.001  # stands in where the gateway answers no pings: then the card's bytes alone decide


class LanReason(enum.StrEnum):
    """Why the LAN's rate is what it is: a closed list of texts for people."""

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
    HELPS_LESS_CPU = "helps less: the processor is busy"
    REFUSED_BATTERY = "refuses to serve: the battery is low"
    REFUSED_VPN = "refuses to serve: this PC is connected by a VPN"
    REFUSED_METERED = "refuses to serve: this network is paid by volume"


NOT_SERVED = {
    LanReason.REFUSED_BATTERY: "the battery is low",
    LanReason.REFUSED_VPN: "this PC is connected by a VPN",
    LanReason.REFUSED_METERED: "this network is paid by volume",
}
"""The causes of a refusal alone, within a sentence of `p2pdist status`."""

YIELDING = frozenset({LanReason.BUSINESS, LanReason.QUEUE, LanReason.CONTENTION})
"""Reasons under which this PC yields to other traffic: their seconds add up to the yield time."""

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
    Reason.VANISHED: LanReason.NO_SIGNALS,
    Reason.CEILING: LanReason.PROFILE,
    Reason.FLOOR: LanReason.PROFILE,
    Reason.BOOST: LanReason.PROFILE,
    Reason.BLACKOUT: LanReason.BLACKOUT,
    Reason.HARM_PAUSE: LanReason.BLACKOUT,
}


@dataclass(frozen=True, slots=True)
class ProfileAnswer:
    """What the throttle profile says of this PC's traffic to its neighbours now."""

    rate: BytesPerSecond | None = None
    """The limit for each way; None when it sets no limit."""
    rule: str = ""
    """The rule that decided, in words."""
    blackout: bool = False
    names_network: bool = False
    """A rule names this kind of network (VPN, metered): then the profile decides, and not our own caution."""
    may_fetch: bool = True
    """Whether this PC may fetch over the site's line."""


@dataclass(frozen=True, slots=True)
class LanInputs:
    """Everything that a decision is made from, at one time."""

    network: NetworkState
    profile: ProfileAnswer
    refusal: LanReason | None
    """From `fitness.Fitness`."""
    busy: bool = False
    """From `fitness.Fitness`: the processor is busy."""
    look: LinkLook | None = None
    """Traffic since the previous sample; None when it is not known."""
    received_bytes: int = 0
    """From neighbours since the previous sample."""
    sent_bytes: int = 0
    """To neighbours since the previous sample."""
    gateway_seconds: float | None = None
    """Newest round trip to the gateway; None when no ping was answered in this interval."""
    gateway_answers: bool = True
    """Whether the gateway answers pings at all."""
    idle: bool = False
    """Nothing moves between neighbours, so the rates stay and nothing is learned."""


@dataclass(frozen=True, slots=True)
class WayDecision:
    """The rate of one way, None for unlimited, and its reason."""

    rate: BytesPerSecond | None
    reason: LanReason


@dataclass(frozen=True, slots=True)
class LanDecision:
    """The decision that holds until the next sample."""

    upload: WayDecision
    download: WayDecision
    serve: bool


class OwnQueue:
    """Tells a queue of our own swapping in this PC's card from somebody else's; ``now`` is any clock in seconds.

    What passes the card is counted: where that is mostly ours, so is the queue.
    """

    def __init__(self) -> None:
        self._least_seconds = math.inf
        self._own_at = self._others_at = -math.inf

    def without(self, gateway_seconds: float | None, look: LinkLook, speed: BytesPerSecond, now: float) -> float | None:
        """Return the round trip to the gateway without our own queue, on a card of ``speed``."""
        card_bytes = speed * look.interval_seconds
        if max(look.own_received_bytes, look.own_sent_bytes) >= OWN_SHARE * card_bytes:
            self._own_at = now
        if max(look.business_received_bytes, look.business_sent_bytes) >= OTHERS_SHARE * card_bytes:
            self._others_at = now
        if gateway_seconds is None:
            return None
        self._least_seconds = min(self._least_seconds, gateway_seconds)
        ours = 0 <= now - self._own_at < OWN_SECONDS and not 0 <= now - self._others_at < OWN_SECONDS
        return min(gateway_seconds, self._least_seconds + OWN_QUEUE_SECONDS) if ours else gateway_seconds


class LanPolicy:
    """Makes one `LanDecision` from each `LanInputs`; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._key: tuple[Medium, BytesPerSecond | None] | None = None
        self._own_queue = OwnQueue()
        self._up: Controller | None = None
        self._down: Controller | None = None
        self._allowed_up = self._allowed_down = BytesPerSecond(0)
        self._adapted_last: tuple[WayDecision, WayDecision] | None = None
        self._demands: dict[str, float] = {"up": 0.0, "down": 0.0}

    @property
    def adapts(self) -> bool:
        """Whether the rates follow other traffic: samples must then come several times a second."""
        return self._up is not None

    def decide(self, inputs: LanInputs, now: float) -> LanDecision:
        """Return the rates and whether to serve."""
        self._set_network(inputs.network, now)
        if not (inputs.idle and self.adapts and self._adapted_last):
            self._adapted_last = self._adapted(inputs, now)
        up, down = self._adapted_last
        if inputs.idle and self.adapts:
            up, down = replace(up, reason=LanReason.NOTHING_TO_DO), replace(down, reason=LanReason.NOTHING_TO_DO)
        up = _within_profile(up, inputs.profile, stopped=PROTOCOL_RATE)
        down = _within_profile(down, inputs.profile, stopped=STOPPED)
        refusal = refusal_of(inputs.network, inputs.profile, inputs.refusal)
        if refusal is None and helps_less(inputs.network, busy=inputs.busy):
            up = _lessened(up, inputs.network)
        if refusal is not None:
            up = WayDecision(up.rate, refusal)  # the rate is for protocol messages: no neighbour gets a byte of a patch
        return LanDecision(up, down, serve=refusal is None and not inputs.profile.blackout)

    def _set_network(self, network: NetworkState, now: float) -> None:
        key = (network.medium, network.speed)
        if key == self._key:
            return
        self._key = key
        self._up = self._down = self._adapted_last = None
        self._own_queue = OwnQueue()
        if network.medium is Medium.WIRED and network.speed is not None:
            settings = ControllerSettings(network.speed, WIRED_THRESHOLD_SECONDS, first_share=CARD_FIRST_SHARE)
            self._up, self._down = Controller(settings, now), Controller(settings, now)
        elif network.medium is Medium.WIFI:
            speed = None if network.speed is None else BytesPerSecond(int(WIFI_SHARE * network.speed))
            # one controller for both ways: a Wi-Fi cell carries only one of them at a time
            self._up = self._down = Controller(ControllerSettings(speed, WIFI_THRESHOLD_SECONDS), now)

    def _adapted(self, inputs: LanInputs, now: float) -> tuple[WayDecision, WayDecision]:
        if self._up is None or self._down is None:
            free = WayDecision(None, LanReason.UNLIMITED)
            return free, free
        if self._up is self._down:
            return self._on_wifi(self._up, inputs, now)
        look = inputs.look
        if look is not None and inputs.network.speed is not None:
            inputs = replace(
                inputs, gateway_seconds=self._own_queue.without(inputs.gateway_seconds, look, inputs.network.speed, now)
            )
        sent = look.business_sent_bytes if look else None
        # all neighbours need what comes over the site's line: it has priority, like business traffic
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
        # the busier way gets all that the other one does not ask for
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


def _lessened(way: WayDecision, network: NetworkState) -> WayDecision:
    # a part of the card, which stays the same: of a rate that grows only while it is used up, it would never grow
    card = network.speed or UNKNOWN_CARD
    if network.medium is Medium.WIFI:
        card = WIFI_CEILING if network.speed is None else BytesPerSecond(int(WIFI_SHARE * network.speed))
    most = BytesPerSecond(int(BUSY_SHARE * card))
    return way if way.rate is not None and way.rate <= most else WayDecision(most, LanReason.HELPS_LESS_CPU)


def helps_less(network: NetworkState, *, busy: bool) -> bool:
    """Return whether a PC gives its neighbours less because its processor is ``busy``."""
    return busy and network.medium is not Medium.LOOPBACK  # its neighbours run on this same PC: it would relieve nobody


def refusal_of(network: NetworkState, profile: ProfileAnswer, refusal: LanReason | None) -> LanReason | None:
    """Return why neighbours get nothing, a blackout aside, or None; ``refusal`` is from `fitness.Fitness`."""
    if network.medium is Medium.LOOPBACK:
        return None  # as above
    if refusal is not None:
        return refusal
    if not profile.names_network:
        if network.medium is Medium.VPN:
            return LanReason.REFUSED_VPN
        if network.medium is Medium.METERED:
            return LanReason.REFUSED_METERED
    return None
