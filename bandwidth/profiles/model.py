"""What a throttle profile says, as frozen values. `parse.py` reads it from TOML and checks it; nothing is
checked here. Pure.

Each rule says which sites it is for (`Scope`), when it holds (`CivilTime`) and what it asks for. All rules that hold
at an instant count, and the strictest wins; `precedence.py` has the one table of their precedence.
"""

import enum
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from bandwidth.core.decision import NORMAL_THRESHOLD_SECONDS, RELAXED_THRESHOLD_SECONDS, STRICT_THRESHOLD_SECONDS
from bandwidth.core.quantities import MINUTES_PER_DAY
from bandwidth.core.units import BytesPerSecond


class Leg(enum.StrEnum):
    """Where the bytes travel: over the site's line, or between neighbours on its LAN, by the sender's link."""

    LINE = "line"
    LAN_WIRED = "lan-wired"
    LAN_WIFI = "lan-wifi"


class LanClass(enum.StrEnum):
    """An endpoint's link to its LAN."""

    WIRED = "wired"
    WIFI = "wifi"


class NetworkKind(enum.StrEnum):
    """How an endpoint reaches the company: by an ordinary network, by a VPN, or by one that is paid by volume."""

    ORDINARY = "ordinary"
    VPN = "vpn"
    METERED = "metered"


class Sensitivity(enum.StrEnum):
    """How much queue delay counts as congestion for the adaptive controller; from strict to relaxed."""

    STRICT = "strict"
    NORMAL = "normal"
    RELAXED = "relaxed"

    @property
    def threshold_seconds(self) -> float:
        """Queueing delay that counts as a queue: `ControllerSettings.threshold_seconds`."""
        return {
            Sensitivity.STRICT: STRICT_THRESHOLD_SECONDS,
            Sensitivity.NORMAL: NORMAL_THRESHOLD_SECONDS,
            Sensitivity.RELAXED: RELAXED_THRESHOLD_SECONDS,
        }[self]


class Day(enum.StrEnum):
    """A kind of day. A holiday is the kind `HOLIDAY` alone, whatever its weekday."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"
    HOLIDAY = "holiday"


EVERY_DAY = frozenset(Day)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which sites a rule concerns: the named ones and every site of the named groups; all if both are empty.

    ``networks`` empty: any network.
    """

    sites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    networks: tuple[NetworkKind, ...] = ()
    legs: tuple[Leg, ...] = (Leg.LINE,)

    def concerns(self, site: "ProfileSite") -> bool:
        """Return whether ``site`` is named, is in a named group, or neither sites nor groups are named."""
        if not self.sites and not self.groups:
            return True
        return site.name in self.sites or not set(self.groups).isdisjoint(site.groups)


@dataclass(frozen=True, slots=True)
class CivilTime:
    """A stretch of each matching day in the site's civil time, from ``start_minute`` to before ``end_minute``.

    Both count from midnight. An end at or before the start is on the next day; the stretch belongs to the
    day that it starts on. ``first_date`` and ``last_date`` (inclusive) bound those days.
    """

    days: frozenset[Day] = EVERY_DAY
    start_minute: int = 0
    end_minute: int = MINUTES_PER_DAY
    first_date: date | None = None
    last_date: date | None = None


ALWAYS = CivilTime()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a limit or window asks for; at least one is given. Percents are above 0, at most 100, in steps of 0.01."""

    cap: BytesPerSecond | None = None
    percent_of_line: float | None = None
    percent_of_spare: float | None = None
    min_rate: BytesPerSecond | None = None
    sensitivity: Sensitivity | None = None


@dataclass(frozen=True, slots=True)
class ProfileSite:
    """A site, under the name that the seed server has for it."""

    name: str
    groups: tuple[str, ...] = ()
    time_zone: str | None = None
    line: BytesPerSecond | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """An emergency stop. ``since`` and ``until`` without an offset are in the site's civil time; None: open."""

    name: str
    scope: Scope = Scope(legs=tuple(Leg))
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Blackout:
    """No patch traffic at these times."""

    name: str
    scope: Scope = Scope(legs=tuple(Leg))
    when: CivilTime = ALWAYS


@dataclass(frozen=True, slots=True)
class Window:
    """Limits at these times."""

    name: str
    limits: Limits
    when: CivilTime
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class Limit:
    """Limits at all times."""

    name: str
    limits: Limits
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """When people work: a minimum rate counts as 0 then."""

    name: str
    when: CivilTime
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class YearlyDate:
    """A month and day of every year; 29 February only of leap years."""

    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day that counts as a holiday for every rule, and not as its weekday."""

    name: str
    on: date | YearlyDate
    scope: Scope = Scope()

    def falls_on(self, day: date) -> bool:
        """Return whether this holiday is ``day``."""
        if isinstance(self.on, YearlyDate):
            return (day.month, day.day) == (self.on.month, self.on.day)
        return day == self.on


@dataclass(frozen=True, slots=True)
class Deadline:
    """What is still missing shall be there by ``by``; after that, this entry means nothing."""

    name: str
    by: datetime
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class Boost:
    """An emergency boost of the line: ``rate`` in place of adaptation, until ``until``. ``force`` also lifts caps."""

    name: str
    until: datetime
    rate: BytesPerSecond
    since: datetime | None = None
    force: bool = False
    scope: Scope = Scope()


R = TypeVar("R", Stop, Blackout, Window, Limit, BusinessHours, Holiday, Deadline, Boost)


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole profile. ``time_zone`` and ``line`` apply to each site that has none of its own."""

    name: str
    time_zone: str
    description: str = ""
    line: BytesPerSecond | None = None
    sites: tuple[ProfileSite, ...] = ()
    stops: tuple[Stop, ...] = ()
    blackouts: tuple[Blackout, ...] = ()
    windows: tuple[Window, ...] = ()
    limits: tuple[Limit, ...] = ()
    business_hours: tuple[BusinessHours, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    boosts: tuple[Boost, ...] = ()

    def site(self, name: str | None) -> ProfileSite:
        """Return the site called ``name`` with the profile's defaults filled in; for any other, these alone."""
        found = next(
            (site for site in self.sites if site.name == name),
            ProfileSite(name or ("any other site" if self.sites else "every site")),
        )
        return ProfileSite(
            found.name,
            found.groups,
            found.time_zone or self.time_zone,
            self.line if found.line is None else found.line,
        )

    def for_site(self, name: str | None) -> "Profile":
        """Return the profile without the rules of other sites: the same limits for this one, computed faster."""
        site = self.site(name)

        def concerning(rules: tuple[R, ...]) -> tuple[R, ...]:
            return tuple(rule for rule in rules if rule.scope.concerns(site))

        return replace(
            self,
            stops=concerning(self.stops),
            blackouts=concerning(self.blackouts),
            windows=concerning(self.windows),
            limits=concerning(self.limits),
            business_hours=concerning(self.business_hours),
            holidays=concerning(self.holidays),
            deadlines=concerning(self.deadlines),
            boosts=concerning(self.boosts),
        )

    def is_holiday(self, site: ProfileSite, day: date) -> bool:
        """Return whether ``day`` is a holiday at ``site``."""
        return any(holiday.scope.concerns(site) and holiday.falls_on(day) for holiday in self.holidays)
