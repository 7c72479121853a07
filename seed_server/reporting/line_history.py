"""What one site's line did, step by step, from what the server has kept of it. Blocking; only reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.paging import site_asked
from seed_server.store.minute_rows import HOURS_KEPT_SECONDS, SLOT_SECONDS, LineSlot, WatchedSlot, joined

DAY_HOURS = 24
WEEK_HOURS = 7 * DAY_HOURS
MOST_HOURS = int(HOURS_KEPT_SECONDS) // 3_600
STEPS = (SLOT_SECONDS, 3_600, int(DAY_SECONDS))
MOST_POINTS = 200  # as many as a chart of 900 pixels can tell apart, and a table can be read


@dataclass(frozen=True)
class LinePoint:
    """What a line did in one step."""

    at: float
    """When the step began, seconds since 1970."""
    watched_seconds: float
    """For how long a server ran in it; 0: nothing is known of it."""
    seen: LineSlot
    """What was seen; of a step in which nothing was sent, zeros."""

    @property
    def known(self) -> bool:
        """Whether anything is known of it."""
        return self.watched_seconds > 0 or self.seen.is_anything

    @property
    def rate(self) -> float | None:
        """Bytes of payload that we sent a second, over the time that was watched; None: not known."""
        seconds = max(self.watched_seconds, self.seen.active)
        if not self.known:
            return None
        return self.seen.sent / seconds if seconds else 0.0

    @property
    def limit(self) -> float | None:
        """Bytes a second that we might have sent, while anything was to be sent; None: nothing was."""
        return self.seen.allowed / self.seen.active if self.seen.active else None

    @property
    def business_rate(self) -> float | None:
        """Bytes a second of others, while PCs watched; None: none did."""
        return self.seen.business / self.seen.business_seconds if self.seen.business_seconds else None


@dataclass(frozen=True)
class LineStretch:
    """For how long one cause limited a site without another one between."""

    begin: float
    end: float
    cause: str
    seconds: float
    """Of it, under this cause."""
    limit: float | None
    """Bytes a second, on average while anything was to be sent."""


@dataclass(frozen=True)
class LineHistory:
    """What one site's line did."""

    site: str
    now: float
    hours: int
    step_seconds: int
    points: Sequence[LinePoint]
    """The oldest first, without a gap; the newest one is not over, and has what was written of it."""
    capacity: int | None
    """Bytes a second that the line carries; None: not known."""

    @property
    def sent(self) -> int:
        """Bytes of payload that we sent."""
        return sum(point.seen.sent for point in self.points)

    @property
    def harm_seconds(self) -> float:
        """For how long business suffered while we sent."""
        return sum(point.seen.harm_seconds for point in self.points)

    @property
    def known_seconds(self) -> float:
        """For how long a server ran."""
        return sum(point.watched_seconds for point in self.points)

    @property
    def is_whole(self) -> bool:
        """Whether a server ran all the time, but for the step that is not over."""
        return self.known_seconds >= (len(self.points) - 1) * self.step_seconds


def read_line_history(context: Context, site: str, hours: int = DAY_HOURS) -> LineHistory:
    """Return what the line of ``site`` did in the last ``hours``, at most `MOST_HOURS`.

    Raises `UserError`: BAD_INPUT for a site that is not known, or for more hours than are kept; NOT_SET_UP, STORAGE,
    BUSY.
    """
    if not 1 <= hours <= MOST_HOURS:
        raise UserError(
            f"Lines are remembered for {MOST_HOURS} hours, {MOST_HOURS // DAY_HOURS} days. Ask for 1 to {MOST_HOURS}.",
            FaultKind.BAD_INPUT,
        )
    context.settings()
    now = context.clock.now()
    step = next((step for step in STEPS if hours * 3_600 <= MOST_POINTS * step), STEPS[-1])
    last = now - now % step
    since = last + step - max(step, hours * 3_600 - hours * 3_600 % step)
    with context.database() as database, database.one_state():
        number = site_asked(context, database, site)
        rows = [] if number is None else database.line_minutes(number, since)
        watched = database.watched_slots(since)
        capacity = next((limit.capacity for limit in database.site_limits(site)), None)
    points = points_of(site, rows, watched, since, last, step)
    return LineHistory(site, now, hours, step, points, capacity)


def points_of(
    site: str, rows: Sequence[LineSlot], watched: Sequence[WatchedSlot], since: float, last: float, step: int
) -> list[LinePoint]:
    """Return a point for each step from ``since`` to ``last``; both are beginnings of steps."""
    first, slots = int(since // step), step // SLOT_SECONDS
    seen: dict[int, list[LineSlot]] = {}
    for row in rows:
        seen.setdefault(row.slot // slots, []).append(row)
    looked: dict[int, float] = {}
    for one in watched:
        looked[one.slot // slots] = looked.get(one.slot // slots, 0.0) + one.watched
    return [
        LinePoint(
            float(place * step),
            looked.get(place, 0.0),
            joined(seen[place], place * slots, slots) if place in seen else LineSlot(site, place * slots, slots),
        )
        for place in range(first, int(last // step) + 1)
    ]


def coarser(history: LineHistory, steps: int) -> list[LinePoint]:
    """Return the points of ``history`` with ``steps`` of them in one, as hours and days begin; the oldest first."""
    size = steps * history.step_seconds
    found: dict[int, list[LinePoint]] = {}
    for point in history.points:
        found.setdefault(int(point.at // size), []).append(point)
    slots = size // SLOT_SECONDS
    return [
        LinePoint(
            float(place * size),
            sum(point.watched_seconds for point in points),
            joined([point.seen for point in points], place * slots, slots),
        )
        for place, points in found.items()
    ]


def stretches(history: LineHistory, most: int) -> list[LineStretch]:
    """Return by which cause the site was limited and for how long, the newest first; at most so many."""
    found: list[LineStretch] = []
    for point in reversed(history.points):
        seen = point.seen
        if not seen.active:
            continue
        before = found[-1] if found else None
        if before is not None and before.cause == seen.cause and before.begin == point.at + history.step_seconds:
            found[-1] = LineStretch(point.at, before.end, seen.cause, before.seconds + seen.cause_seconds, None)
        elif len(found) == most:
            break
        else:
            found.append(LineStretch(point.at, point.at + history.step_seconds, seen.cause, seen.cause_seconds, None))
    return [_with_limit(one, history) for one in found]


def _with_limit(one: LineStretch, history: LineHistory) -> LineStretch:
    points = [point.seen for point in history.points if one.begin <= point.at < one.end]
    active = sum(point.active for point in points)
    limit = sum(point.allowed for point in points) / active if active else None
    return LineStretch(one.begin, one.end, one.cause, one.seconds, limit)
