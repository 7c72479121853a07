"""What a profile allows a site at an instant, and which rule decided; the instant is an argument. Pure.

Every rule in force counts and the least limit wins; among equal ones, `precedence.PRECEDENCE` says which
rule is named. An emergency stop and a blackout limit to 0, so no other rule can be stricter.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from bandwidth.core.civil_time import moment
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import (
    Boost,
    CivilTime,
    Deadline,
    LanClass,
    Leg,
    Limits,
    NetworkKind,
    Profile,
    ProfileSite,
    Scope,
    Sensitivity,
)
from bandwidth.profiles.precedence import LIFTED_BY, RANK, Lifting, Measure, RuleKind
from bandwidth.profiles.schedule import FIRST_YEAR, LAST_YEAR, Coverage, coverage

STOPPED = BytesPerSecond(0)
PACE_NUMERATOR, PACE_DENOMINATOR = 6, 5  # 1.2 × need: the patch arrives even if cuts cost a sixth of the time
LEAST_SECONDS_LEFT = 3_600  # need goes to infinity at a deadline; a late patch is paced as if it had this hour
_LEGS = {None: Leg.LINE, LanClass.WIRED: Leg.LAN_WIRED, LanClass.WIFI: Leg.LAN_WIFI}


class RuleState(enum.StrEnum):
    """Whether a rule counts, or why it does not."""

    IN_FORCE = "in force"
    NOT_NOW = "not at this time"
    OTHER_SITES = "for other sites"
    OTHER_NETWORKS = "for other networks"
    OTHER_LEG = "for another leg"
    UNKNOWN = "its base is not known"
    LIFTED = "lifted by the boost"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is still missing, and by when the patch itself (not the profile) wants it."""

    remaining_bytes: int
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConsideredRule:
    """One limit of one rule. ``limit`` is the rule's own, in force or not; None: it sets none, or it is not known."""

    kind: RuleKind
    name: str
    measure: Measure
    limit: BytesPerSecond | None
    state: RuleState

    @property
    def counts(self) -> bool:
        """Whether the limit takes part in the minimum."""
        return self.state is RuleState.IN_FORCE

    @property
    def kind_words(self) -> str:
        """What people call it: a boost is named in place of the adaptive controller."""
        return "boost" if self.measure is Measure.BOOST else str(self.kind)

    def __str__(self) -> str:
        return f"{self.kind_words} {self.name!r}"


@dataclass(frozen=True, slots=True)
class EffectiveLimit:
    """What a profile allows at an instant.

    ``rate``: never send faster; None: the profile sets no limit, the controller alone decides.
    ``floor``: the controller need not go below it, whatever it measures (0: it may stop altogether); never above
    ``rate``. ``floor_reason`` says in words where it comes from.
    ``blackout``: no traffic, because of a blackout or an emergency stop. ``boost``: adaptation is skipped, and
    ``floor`` is ``rate``.
    ``rule`` decided ``rate``; ``considered`` has every limit of every rule, in the order of precedence.
    """

    rate: BytesPerSecond | None
    floor: BytesPerSecond
    floor_reason: str
    blackout: bool
    boost: bool
    sensitivity: Sensitivity
    rule: ConsideredRule
    considered: tuple[ConsideredRule, ...]


def effective_limit(  # each argument is a fact of its own
    profile: Profile,
    site: str | None,
    at: datetime,
    *,
    line: BytesPerSecond | None = None,
    spare: BytesPerSecond | None = None,
    network: NetworkKind = NetworkKind.ORDINARY,
    lan_class: LanClass | None = None,
    backlog: Backlog | None = None,
) -> EffectiveLimit:
    """Return what ``profile`` allows ``site`` (None: one that it does not name) at ``at``.

    ``line``: the line's rate as learned; the lower of it and the profile's counts; None: the profile's. ``spare``:
    what business leaves of the line; None: not known. ``network``: how the endpoint (or the site) is connected.
    ``lan_class`` None asks about the site's line, else about an endpoint's traffic to its neighbours over that
    link. ``backlog``: what the pace of a deadline is computed from; None or 0 bytes: deadlines have no effect.
    Raises `ValueError` if ``at`` is naive or outside `FIRST_YEAR` to `LAST_YEAR`, or the backlog's deadline is naive.
    """
    if backlog is not None and backlog.deadline is not None and backlog.deadline.tzinfo is None:
        raise ValueError(f"the deadline {backlog.deadline} has no offset from UTC")
    if at.tzinfo is None or not FIRST_YEAR < at.year < LAST_YEAR:
        raise ValueError(f"{at} has no offset from UTC, or its year is not between {FIRST_YEAR} and {LAST_YEAR}")
    here = _Here(profile, profile.site(site), at.astimezone(UTC), _LEGS[lan_class], network)
    known_line = min((rate for rate in (line, here.site.line) if rate is not None), default=None)
    considered = tuple(sorted(_considered(here, known_line, spare), key=lambda rule: RANK[rule.kind]))
    boosts = [boost for boost in profile.boosts if here.is_boosted(boost)]
    results = [_decide(considered, boost) for boost in boosts] or [_decide(considered, None)]
    result = min(results, key=lambda found: _order(found.rule))
    if result.boost or result.blackout or here.leg is not Leg.LINE:
        return replace(result, sensitivity=here.sensitivity())
    floor, reason = here.floor(backlog)
    if result.rate is not None and floor > result.rate:
        floor, reason = result.rate, f"{reason}, as far as the limit allows"
    return replace(result, floor=floor, floor_reason=reason, sensitivity=here.sensitivity())


def _decide(considered: tuple[ConsideredRule, ...], boost: Boost | None) -> EffectiveLimit:
    adaptive = ConsideredRule(RuleKind.ADAPTIVE, "adaptive", Measure.CONTROLLER, None, RuleState.IN_FORCE)
    if boost is not None:
        considered = tuple(_under(boost, rule) for rule in considered)
        considered += (replace(adaptive, state=RuleState.LIFTED),)
        adaptive = ConsideredRule(RuleKind.ADAPTIVE, boost.name, Measure.BOOST, boost.rate, RuleState.IN_FORCE)
    considered += (adaptive,)
    rule = min((rule for rule in considered if rule.counts), key=_order)
    blackout = rule.measure is Measure.NOTHING
    boosted = boost is not None and not blackout
    floor, reason = (rule.limit or STOPPED, "a boost skips adaptation") if boosted else (STOPPED, "none")
    return EffectiveLimit(rule.limit, floor, reason, blackout, boosted, Sensitivity.NORMAL, rule, considered)


def _under(boost: Boost, rule: ConsideredRule) -> ConsideredRule:
    lifting = LIFTED_BY[rule.measure]
    lifted = lifting is Lifting.ANY or (lifting is Lifting.FORCED and boost.force)
    return replace(rule, state=RuleState.LIFTED) if lifted and rule.counts else rule


def _order(rule: ConsideredRule) -> tuple[bool, int, int]:
    return rule.limit is None, rule.limit or 0, RANK[rule.kind]


def _considered(here: "_Here", line: BytesPerSecond | None, spare: BytesPerSecond | None) -> Iterator[ConsideredRule]:
    for stop in here.profile.stops:
        state = here.state(stop.scope, here.is_between(stop.since, stop.until, longest=True))
        yield ConsideredRule(RuleKind.EMERGENCY_STOP, stop.name, Measure.NOTHING, STOPPED, state)
    for blackout in here.profile.blackouts:
        state = here.state(blackout.scope, here.covers(blackout.when).possibly)
        yield ConsideredRule(RuleKind.BLACKOUT, blackout.name, Measure.NOTHING, STOPPED, state)
    for window in here.profile.windows:
        state = here.state(window.scope, here.covers(window.when).possibly)
        for measure, _, rate in _rates(window.limits, line, spare):
            yield ConsideredRule(RuleKind.WINDOW, window.name, measure, rate, _known(state, rate))
    for limit in here.profile.limits:
        state = here.state(limit.scope, holds_now=True)
        for measure, kind, rate in _rates(limit.limits, line, spare):
            yield ConsideredRule(kind, limit.name, measure, rate, _known(state, rate))


def _known(state: RuleState, rate: BytesPerSecond | None) -> RuleState:
    return RuleState.UNKNOWN if rate is None and state is RuleState.IN_FORCE else state


def _rates(
    limits: Limits, line: BytesPerSecond | None, spare: BytesPerSecond | None
) -> Iterator[tuple[Measure, RuleKind, BytesPerSecond | None]]:
    if limits.cap is not None:
        yield Measure.CAP, RuleKind.ABSOLUTE_CAP, limits.cap
    if limits.percent_of_line is not None:
        yield Measure.LINE, RuleKind.PERCENT_OF_LINE, _share(line, limits.percent_of_line)
    if limits.percent_of_spare is not None:
        yield Measure.SPARE, RuleKind.PERCENT_OF_SPARE, _share(spare, limits.percent_of_spare)


def _share(rate: BytesPerSecond | None, percent: float) -> BytesPerSecond | None:
    return None if rate is None else BytesPerSecond(max(0, rate) * round(percent * 100) // 10_000)


@dataclass(frozen=True, slots=True)
class _Here:
    """The site, instant and leg that are asked about."""

    profile: Profile
    site: ProfileSite
    at: datetime
    leg: Leg
    network: NetworkKind

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site.time_zone or self.profile.time_zone)

    def state(self, scope: Scope, holds_now: bool) -> RuleState:
        if not scope.concerns(self.site):
            return RuleState.OTHER_SITES
        if self.leg not in scope.legs:
            return RuleState.OTHER_LEG
        if scope.networks and self.network not in scope.networks:
            return RuleState.OTHER_NETWORKS
        return RuleState.IN_FORCE if holds_now else RuleState.NOT_NOW

    def covers(self, when: CivilTime) -> Coverage:
        return coverage(when, self.at, self.zone, partial(self.profile.is_holiday, self.site))

    def is_between(self, since: datetime | None, until: datetime | None, *, longest: bool) -> bool:
        begun = since is None or moment(since, self.zone, latest=not longest) <= self.at
        return begun and (until is None or self.at < moment(until, self.zone, latest=longest))

    def is_boosted(self, boost: Boost) -> bool:
        # a boost permits, so of a time that comes twice it gets the shorter reading
        now = self.is_between(boost.since, boost.until, longest=False)
        return self.state(boost.scope, now) is RuleState.IN_FORCE

    def sensitivity(self) -> Sensitivity:
        ranks = list(Sensitivity)
        asked = [limits.sensitivity for limits in self._limits_in_force(certainly=False) if limits.sensitivity]
        return min(asked, key=ranks.index, default=Sensitivity.NORMAL)

    def floor(self, backlog: Backlog | None) -> tuple[BytesPerSecond, str]:
        """Return the minimum rate outside business hours, or the pace of the nearest deadline if that is more."""
        rates = [limits.min_rate for limits in self._limits_in_force(certainly=True) if limits.min_rate is not None]
        floor, reason = min(rates, default=STOPPED), "min_rate" if rates else "none"
        hours = [hours.when for hours in self.profile.business_hours if hours.scope.concerns(self.site)]
        if rates and (not hours or any(self.covers(when).possibly for when in hours)):
            floor, reason = STOPPED, "0 in business hours" if hours else "0: no business hours are given for the site"
        pace, deadline = self._pace(backlog)
        return (pace, deadline) if pace > floor else (floor, reason)

    def _limits_in_force(self, *, certainly: bool) -> Iterator[Limits]:
        for limit in self.profile.limits:
            if self.state(limit.scope, holds_now=True) is RuleState.IN_FORCE:
                yield limit.limits
        for window in self.profile.windows:
            covers = self.covers(window.when)
            holds_now = covers.certainly if certainly else covers.possibly
            if self.state(window.scope, holds_now) is RuleState.IN_FORCE:
                yield window.limits

    def _pace(self, backlog: Backlog | None) -> tuple[BytesPerSecond, str]:
        if backlog is None or backlog.remaining_bytes <= 0:
            return STOPPED, "none"
        ends = [(self._end(deadline), f"deadline {deadline.name!r}") for deadline in self.profile.deadlines]
        ends = [end for end in ends if end[0] > self.at]
        if backlog.deadline is not None:
            ends.append((backlog.deadline.astimezone(UTC), "the patch's deadline"))
        if not ends:
            return STOPPED, "none"
        end, name = min(ends)
        seconds_left = max(LEAST_SECONDS_LEFT, int((end - self.at).total_seconds()))
        pace = -(-backlog.remaining_bytes * PACE_NUMERATOR // (PACE_DENOMINATOR * seconds_left))
        return BytesPerSecond(pace), f"1.2 × need of {name}"

    def _end(self, deadline: Deadline) -> datetime:
        if not deadline.scope.concerns(self.site):
            return datetime.min.replace(tzinfo=UTC)
        return moment(deadline.by, self.zone, latest=True)
