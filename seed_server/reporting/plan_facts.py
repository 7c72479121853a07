"""What a plan is made from: sites, their lines and PCs, rings and times, as frozen values. Pure.

Moments are seconds since 1970, rates bytes of payload per second. A PC is *usual* where it was seen within the week
before: of the others nobody can say when they come.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from p2pdist.shared.manifest.rollout_plan import PlannedRing
from seed_server.store.plan_rows import LineHour

Allowed = Callable[[float], float | None]
"""What a site's profile allows at a moment; None: it sets no limit."""


ASSUMED_COME = (0.97, 0.6, 0.45, 0.35, 0.3)


class Chance(Protocol):
    """Randomness, as of a `random.Random`."""

    def random(self) -> float:
        """Return an even number from 0 to below 1."""

    def gauss(self, mu: float, sigma: float) -> float:
        """Return a normal number."""


class Here(enum.IntEnum):
    """Whether a PC was seen today."""

    NOW = 0
    """It is connected."""
    EARLIER = 1
    NO = 2


class PlanGroup(NamedTuple):
    """PCs alike."""

    pcs: int
    chances: tuple[float, ...]
    """How likely one is on, by day of the week; the first one is that of 1 January 1970."""
    missed: int
    """So many of its days it has missed in a row, up to today."""
    here: Here
    steady: bool = False
    """Whether it is on at all hours."""


@dataclass(frozen=True, slots=True)
class RingPart:
    """The PCs of one ring at one site."""

    ring: int
    groups: tuple[PlanGroup, ...]
    """Usual PCs that do not have the patch yet."""
    away: int = 0
    """Those that are not usual."""
    done: int = 0
    missing_bytes: int = 0
    """Of files that these PCs need, and neither PCs of the site have nor an earlier ring brings."""

    @property
    def pcs(self) -> int:
        """Usual PCs that do not have the patch yet."""
        return sum(group.pcs for group in self.groups)


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """One site."""

    name: str
    parts: tuple[RingPart, ...]
    """In the order of the rings; those without a PC are missing."""
    usual: int
    """All usual PCs of the site, whatever they have."""
    connected: int
    """Of those, the ones that are connected now."""
    capacity: int | None = None
    """What the line carries, configured or learned; None: not known."""
    hours: Sequence[LineHour] = ()
    """What was learned of hours of the week."""
    allowed: Allowed = lambda _: None
    openings: tuple[tuple[float, float], ...] | None = None
    """When an installation may begin, in order, for some weeks; None: at any time."""
    forced_at: float | None = None
    """From when on it may begin at any time all the same."""
    built_from: tuple[str, ...] = ()
    """The former versions (ID@VERSION) that its PCs have, and that most of what is missing is built from."""
    smaller: bool = False
    """Whether fewer bytes are reckoned with than its files have, because PCs take coded pieces."""


@dataclass(frozen=True, slots=True)
class InstallTimes:
    """How long an installation takes."""

    median_seconds: float
    spread: float
    """Standard deviation of its logarithm."""
    known: bool
    """Whether that is learned from others; else it is an assumption."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """All that a plan is made from."""

    start: float
    sites: tuple[PlannedSite, ...]
    rings: tuple[PlannedRing, ...] = ()
    """None: every PC is offered the patch at once. The PCs that no ring takes have the place behind the last one."""
    seen_at: float | None = None
    """When PCs were looked at; None: at the start."""
    opened_at: tuple[float, ...] = ()
    """When rings were opened that are open already."""
    silent_after_seconds: float = 0.0
    install: InstallTimes | None = None
    """None: the patch is delivered only."""
    ratio: float = 1.0
    """What crosses a line, by the length of the files."""
    come: tuple[float, ...] = ASSUMED_COME
    """Of usual PCs, the share that comes on a day that is theirs: of those that missed none before it, one, two, …

    Relative to what is usual for the PC on that day of the week.
    """
    failures: float = 0.0
    """Of PCs that decide, the share on which it fails."""
    egress: float | None = None
    """What the server may send to all sites together; None: no limit."""
