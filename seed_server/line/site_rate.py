"""How fast one site is sent to, all its connections together, and why. Pure.

The controller of `bandwidth` decides; policy (the site map's share, the profile,
the server's own egress) bounds it from above, a profile's floor from below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bandwidth.core.allocator import share_max_min
from bandwidth.core.decision import FIRST_RATE, NORMAL_THRESHOLD_SECONDS, ControllerSettings
from bandwidth.core.line_memory import LineMemory
from bandwidth.core.sensors import LONGEST_GAP_SECONDS
from bandwidth.core.signals import Sample, sample_seconds
from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond, packet_bytes
from bandwidth.core.window_renewal import WindowRenewal
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.business_reports import BusinessReports
from seed_server.line.control_budget import CONTROL_SHARE, LEAST_CONTROL_RATE, ControlBudget
from seed_server.line.harm_bound import Resting
from seed_server.line.path_packets import PathPackets
from seed_server.line.site_harm import SiteHarm
from seed_server.line.site_law import SiteLaw
from seed_server.line.site_pings import NOBODY_LATE, Key
from seed_server.line.site_sample import LinkRate, LinkView, SiteSampler
from seed_server.line.site_seen import SiteSeen
from seed_server.line.site_times import SiteTimes
from seed_server.line.unwatched import UnwatchedBytes

HANDED_ON_SECONDS = 0.5  # without sending: one PC's turn is over and another one's begins, while the line is still full
GAP_SAMPLES = 2.0  # times the usual interval between two decisions: nothing was sent meanwhile, or we stood still
CAREFUL_AFTER_SECONDS = 10.0  # without sending: what was right then is learned anew, from the first rate on
DEMAND_GROWTH = 1.5  # a link that could take more than it got shows it within the next samples …
DEMAND_LEAST = 16_000  # … from this on
WINDOW_GROWTH = (
    4.0  # a congestion window lets through at most so much more before the next sample: two round trips' doubling
)
DRAINING_PART = 8  # a link whose turn is over keeps this part at most: when it is empty, so much less is missing
MOST_CONTROL_SHARE = 0.5  # of the rate: a PC that connects all the time must not stop its site's patches
NO_FLOOR = BytesPerSecond(0)
EGRESS_RULE = "the server's egress"
METADATA_SHARE = 4  # metadata gets this part of what a site that is sent pieces may be sent, …
METADATA_LEAST_RATE = BytesPerSecond(16_000)  # … but never less: without metadata, no PC hears of a withdrawal
UNKNOWN_LINE_RATE = BytesPerSecond(250_000)  # of metadata, where no piece has been sent yet: a slow branch's 2 Mbit/s
ANSWERING_SECONDS = 0.5  # who fetches is pinged 10 to 20 times a second: the line is up, and carries what is small
SENDING_SECONDS = 1.0  # since the last decision: pieces are being sent
_NOTHING = Sample(None, None, 0, 0, True, None, None)


@dataclass(frozen=True, slots=True)
class Line:
    """What the site map says of a site's line; None: nothing."""

    capacity: BytesPerSecond | None = None
    ceiling: BytesPerSecond | None = None
    """The most that we may use of the line."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the site's profile says now."""

    ceiling: BytesPerSecond | None = None
    rule: str = ""
    """Which rule sets ``ceiling``, for people."""
    floor: BytesPerSecond = NO_FLOOR
    floor_rule: str = ""
    blackout: bool = False
    boost: bool = False
    """Send at ``ceiling``, whatever the sensors say."""
    line: BytesPerSecond | None = None
    """The line's rate, where the profile names one and the site map does not."""
    threshold_seconds: float = NORMAL_THRESHOLD_SECONDS


@dataclass(frozen=True, slots=True)
class SiteDecision:
    """What holds from now on."""

    allowance: BytesPerSecond
    """Bytes on the line, headers included."""
    state: State
    cause: str
    """The value of a `Reason`: a closed list."""
    reason: str
    """The cause, and the rule behind it, for people."""
    shares: Mapping[Key, BytesPerSecond]
    """TCP payload rate of each link that sends, or whose turn is over and whose kernel still does; 0: it must not."""
    renew_windows: bool
    """The sockets' congestion windows still reflect crowded moments that are over: reset them."""


class SiteRate:
    """Decides the rate of a site and of each of its links; ``now`` is any clock in seconds.

    Lives as long as the site is known: longer than the site has endpoints.
    """

    def __init__(
        self, line: Line, now: float, *, memory: LineMemory | None = None, times: SiteTimes | None = None
    ) -> None:
        """``memory``, ``times``: what earlier runs of the server have learned of the line, and counted."""
        self._line = line
        self.policy = Policy()
        self.egress_ceiling: BytesPerSecond | None = None
        """This site's part of what the server may send."""
        self.sampler = SiteSampler()
        self.reports = BusinessReports()
        self.control = ControlBudget(now)
        """What goes to the site besides data; it takes the same line's room."""
        self.path = PathPackets()
        """Which packets get through to the site's PCs."""
        self.unwatched = UnwatchedBytes(now)
        self.times = times or SiteTimes()
        self.harm = SiteHarm()
        """Whether business suffers here while we send, whatever the controller makes of it."""
        self.seen = SiteSeen()
        self._decided_at: float | None = None
        self._answered_at = float("-inf")
        self._skipped_seconds = 0.0
        self._law = SiteLaw(self.configured)
        if memory is not None:
            self._law.capacity.remember(memory, now)
        self._renewal = WindowRenewal()
        self._wanted = FIRST_RATE
        self.decision = self._first_decision()

    def _first_decision(self) -> SiteDecision:
        limits = (FIRST_RATE, self.configured, self._line.ceiling, self.policy.ceiling, self.egress_ceiling)
        first = BytesPerSecond(0) if self.policy.blackout else min(limit for limit in limits if limit is not None)
        cause = Reason.LEARNING.value
        return SiteDecision(first, State.LEARN, cause, cause, {}, renew_windows=False)

    # --- what is known ------------------------------------------------------------------

    def standing(self, now: float) -> SiteDecision:
        """Return what holds, for people: the last decision, unless sending has been forbidden or allowed since.

        While nothing is sent, nothing is decided.
        """
        before = self.decision
        if self.policy.blackout:
            cause, rule = Reason.BLACKOUT.value, self.policy.rule
            reason = f"{cause}: {rule}" if rule else cause
        elif self.harm.resting(now) is not Resting.NO:
            cause, reason = Reason.HARM_PAUSE.value, self.harm.reason(now)
        else:
            return self._first_decision() if before.state is State.BLACKOUT else before
        if before.cause == cause and self._is_deciding(now):
            return before
        return SiteDecision(BytesPerSecond(0), State.BLACKOUT, cause, reason, {}, renew_windows=False)

    def _is_deciding(self, now: float) -> bool:
        return self._decided_at is not None and now - self._decided_at < SENDING_SECONDS

    @property
    def configured(self) -> BytesPerSecond | None:
        """The line's configured rate: the site map's, else the profile's; None: neither has one."""
        return self._line.capacity or self.policy.line

    def capacity(self, now: float) -> BytesPerSecond | None:
        """Return the line's rate, as configured or else as learned."""
        known = self._law.capacity.bytes_per_second(now + self._skipped_seconds)
        return None if known is None else BytesPerSecond(int(known))

    def memory(self, now: float) -> LineMemory | None:
        """Return what was learned of the line; None: nothing, or it is configured."""
        memory = self._law.capacity.memory(now + self._skipped_seconds)
        return memory and replace(memory, round_trip_seconds=self.sampler.known_rtt_seconds)

    @property
    def ceiling(self) -> BytesPerSecond | None:
        """The lowest ceiling of all policies; None: no limit."""
        return self._ceiling()[0]

    def spare(self, now: float) -> BytesPerSecond | None:
        """Return what business leaves of the line; None where that is not known."""
        capacity, business = self.capacity(now), self.reports.rate
        return None if capacity is None or business is None else BytesPerSecond(max(0, int(capacity - business)))

    @property
    def sample_seconds(self) -> float:
        """Seconds between two rounds of pinging, sampling and deciding."""
        return sample_seconds(
            self.configured or (None if self._decided_at is None else self.capacity(self._decided_at))
        )

    def packet_bytes(self, endpoint: EndpointId, now: float) -> int:
        """Return the size of packets that suits the line, and passes to ``endpoint``."""
        return min(packet_bytes(self.capacity(now)), self.path.most_bytes(endpoint, now))

    @property
    def wanted(self) -> BytesPerSecond:
        """What the site would use if the server's egress were without limit, and a little more."""
        return BytesPerSecond(max(FIRST_RATE, int(DEMAND_GROWTH * self._wanted)))

    @property
    def may_send_pieces(self) -> bool:
        """Whether the site's profile lets any be sent there, at however low a rate."""
        return not self.policy.blackout and self.policy.ceiling != 0

    def metadata_rate(self, now: float) -> BytesPerSecond:
        """Return how fast metadata may be sent there: a part beside pieces, else what the line carries."""
        if self._is_deciding(now):
            allowed = self.decision.allowance // METADATA_SHARE
        elif self.policy.blackout or self.harm.resting(now) is not Resting.NO:
            allowed = 0
        else:
            limits = (self.capacity(now) or UNKNOWN_LINE_RATE, self.ceiling)
            allowed = min(limit for limit in limits if limit is not None)
        return BytesPerSecond(max(METADATA_LEAST_RATE, allowed))

    def control_rate(self, now: float, *, sending: bool) -> BytesPerSecond:
        """Return the rate for messages: a part of what the site may be sent now, or of its line while no data go."""
        usual = self.decision.allowance
        if not sending:
            usual = max(usual, self.capacity(now) or BytesPerSecond(0))
        if (ceiling := self.ceiling) is not None:
            usual = min(usual, ceiling)
        return BytesPerSecond(max(LEAST_CONTROL_RATE, int(CONTROL_SHARE * usual)))

    # --- what changes -------------------------------------------------------------------

    def set_line(self, line: Line) -> None:
        """Use another description of the line; what was learned about the old one is void."""
        if line == self._line:
            return
        before, self._line = self.configured, line
        if before != self.configured:
            self._law = SiteLaw(self.configured)

    def set_policy(self, policy: Policy) -> None:
        """Use what the profile says now."""
        before, old = self.configured, self.policy
        self.policy = policy
        self.harm.overruled = policy.boost
        if before != self.configured:
            self._law = SiteLaw(self.configured)
        elif old.threshold_seconds != policy.threshold_seconds:
            self._law.begin_anew()

    def resume(self, now: float) -> None:
        """Note that sending begins again; after a long pause it begins carefully."""
        self.control.forget(now)
        if self._decided_at is None or 0 <= now - self._decided_at < HANDED_ON_SECONDS:
            return
        if not 0 <= now - self._decided_at < CAREFUL_AFTER_SECONDS:
            # the rate is learned again; the line's capacity and base round trip are kept
            if self._law.made is not None:
                self._law.made.update(_NOTHING, now + self._skipped_seconds, blackout=True)
            self.decision = self._first_decision()
        # we sent nothing, so it says nothing that nothing arrived: for the controller it is a gap
        self._skipped_seconds += LONGEST_GAP_SECONDS + 1.0
        self._decided_at = None
        self.times.interrupt()

    def decide(
        self,
        links: Mapping[Key, LinkView],
        pings: Mapping[Key, float],
        now: float,
        *,
        late_seconds: float = 0.0,
        pings_late: Mapping[Key, float] = NOBODY_LATE,
    ) -> SiteDecision:
        """Sample the site, ``late_seconds`` later than planned, and return what holds until the next sample.

        ``pings_late``: so much of the ``pings``, as the PCs say, was their own lateness.
        Where full packets vanish while pings are answered, there is nothing to learn of the line: the rate is held.
        """
        self._answered_at = now if pings else self._answered_at
        sending = [view for view in links.values() if view.sending]
        answered = now - self._answered_at < ANSWERING_SECONDS
        if sending and all(view.vanishing for view in sending) and answered and not self.policy.blackout:
            return self._held(links, now)
        capacity = self.capacity(now)
        business = self.reports.sample(now, rtt_seconds=self.sampler.rtt_seconds, capacity=capacity)
        self.sampler.line_carries = max(capacity or BytesPerSecond(0), self.decision.allowance)
        sample = self.sampler.sample(links, pings, business, now, late_seconds, pings_late)
        second = self.harm.observe(sample, business, now, excused_rate=self.policy.floor)
        self.seen.note(sample, self.sampler.rtt_seconds, business, second, now)
        self.control.collect(MOST_CONTROL_SHARE * self.decision.allowance, now)
        control_bytes = int(self.control.repaid_bytes)
        if sample.delivered_bytes:  # while data arrive, so does what was sent beside them
            sent = None if sample.sent_bytes is None else sample.sent_bytes + control_bytes
            sample = replace(sample, delivered_bytes=sample.delivered_bytes + control_bytes, sent_bytes=sent)
        if self._decided_at is None:
            sample = replace(sample, application_limited=True)  # nothing has been sent at this rate yet
        elif now - self._decided_at >= GAP_SAMPLES * self.sample_seconds:
            # from one PC's turn to the next one, less was sent than was allowed
            arrived = BytesPerSecond(int(sample.delivered_bytes / (now - self._decided_at)))
            sample = replace(sample, window_rate=arrived)
        self._decided_at = now
        ceiling, ceiling_rule = self._ceiling()
        policy, resting = self.policy, self.harm.resting(now)
        law_now = now + self._skipped_seconds
        decision = self._law.controller(policy.threshold_seconds, law_now).update(
            sample,
            law_now,
            ceiling=ceiling,
            floor=policy.ceiling if policy.boost else policy.floor or None,
            boost=policy.boost,
            blackout=policy.blackout or resting is not Resting.NO,
        )
        self._wanted = decision.allowance
        if resting is not Resting.NO and not policy.blackout:
            return self._rests(resting, links, now)
        rules = {
            Reason.CEILING: ceiling_rule,
            Reason.BLACKOUT: policy.rule,
            Reason.BOOST: policy.rule,
            Reason.FLOOR: policy.floor_rule,
        }
        cause, rule = decision.reason.value, rules.get(decision.reason, "")
        self.decision = SiteDecision(
            allowance=decision.allowance,
            state=decision.state,
            cause=cause,
            reason=f"{cause}: {rule}" if rule else cause,
            shares=self._shares(decision.allowance, links),
            renew_windows=self._renewal.due(
                replace(sample, retransmits=self.sampler.retransmits),
                decision,
                now + self._skipped_seconds,
                rtt_seconds=self.sampler.rtt_seconds,
                loss_blind=all(view.loss_blind for view in links.values()),
            ),
        )
        self.times.note(self.decision.state, self.decision.cause, now)
        return self.decision

    def _rests(self, resting: Resting, links: Mapping[Key, LinkView], now: float) -> SiteDecision:
        """While we look, nothing is sent; in a pause what is leased all the same, which is for emergencies alone."""
        least = ControllerSettings(capacity=self.configured).rate_beside_others if resting is Resting.PAUSE else 0
        cause = Reason.HARM_PAUSE.value
        return self._decided(BytesPerSecond(int(least)), State.BLACKOUT, cause, self.harm.reason(now), links, now)

    def _held(self, links: Mapping[Key, LinkView], now: float) -> SiteDecision:
        reason = Reason.VANISHED.value
        return self._decided(self.decision.allowance, State.STALL, reason, reason, links, now)

    def _decided(
        self, rate: BytesPerSecond, state: State, cause: str, reason: str, links: Mapping[Key, LinkView], now: float
    ) -> SiteDecision:
        """Decide without the controller."""
        allowance = rate if self.ceiling is None else min(rate, self.ceiling)
        shares = self._shares(allowance, links)
        self.decision = SiteDecision(allowance, state, cause, reason, shares, renew_windows=False)
        self.times.note(state, cause, now)
        return self.decision

    def divide(self, links: Mapping[Key, LinkView]) -> Mapping[Key, BytesPerSecond]:
        """Return the links' shares of the present allowance, after a link has begun or stopped sending."""
        return self._shares(self.decision.allowance, links)

    # --- inside -------------------------------------------------------------------------

    def _ceiling(self) -> tuple[BytesPerSecond | None, str]:
        known = [
            (limit, rule)
            for limit, rule in (
                # a boost is for an emergency: it overrides what is usual on the line
                (None if self.policy.boost else self._line.ceiling, "share of the line in the site map"),
                (self.policy.ceiling, self.policy.rule),
                (self.egress_ceiling, EGRESS_RULE),
            )
            if limit is not None
        ]
        return min(known, default=(None, ""))

    def _shares(self, allowance: BytesPerSecond, links: Mapping[Key, LinkView]) -> dict[Key, BytesPerSecond]:
        taken = min(self.control.rate, MOST_CONTROL_SHARE * allowance)
        payload = BytesPerSecond(int((allowance - taken) * self.sampler.line_share * self.sampler.overcommitment))
        demands: dict[Key, BytesPerSecond | None] = {}
        sending = [key for key, view in links.items() if view.sending]
        draining = sum(not view.sending for view in links.values())
        for key, view in links.items():
            if not view.sending:
                if view.look is not None and view.look.unsent_bytes:  # what is left of its last piece
                    most = payload // (DRAINING_PART * draining)
                    demands[key] = BytesPerSecond(max(DEMAND_LEAST, min(view.rate or 0, most)))
                continue
            rate = self.sampler.link_rates.get(key, LinkRate(0.0, limited=False))
            usable = [DEMAND_GROWTH * rate.rate] if rate.limited else []
            if view.look is not None and view.look.window_rate is not None:
                # not less than half of an equal share: by the least share, leases of links that do nothing run out
                usable.append(max(WINDOW_GROWTH * view.look.window_rate, payload / (2 * len(sending))))
            demands[key] = BytesPerSecond(max(DEMAND_LEAST, int(min(usable)))) if usable else None
        shares = share_max_min(payload, demands)
        if shares and all(demand is not None for demand in demands.values()):
            # the rest is divided equally, so that a link that recovers need not wait for a sample
            takers = sending or list(shares)
            spare = max(0, payload - sum(shares.values())) // len(takers)
            shares = {key: BytesPerSecond(share + spare * (key in takers)) for key, share in shares.items()}
        return shares
