"""When an installation may begin on a site's PCs, by the recipe's windows and the clock there. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from bandwidth.core.civil_time import moment, stretch_of
from p2pdist.shared.manifest.fitting import LATE_START, longest_installation
from p2pdist.shared.manifest.recipe import HealthCheck, Install, ScheduleRules, end_of_day
from p2pdist.shared.manifest.windows import parse_window

USUAL_SECONDS = 7 * 86_400.0  # a PC that was not seen for longer is not waited for
WINDOW_DAYS = 36  # a month, and the weekends beside it

Openings = tuple[tuple[float, float], ...]


def openings(
    rules: ScheduleRules, install: Install | None, health: HealthCheck | None, start: float, zone: tzinfo
) -> tuple[Openings | None, float | None]:
    """Return when installations may begin from ``start`` on, and from when on at any time; None: always, and never.

    As PCs do it, nothing begins that might not end in its window. Of a time that comes twice, the later counts.
    """
    if install is None or rules.emergency:
        return None, None
    begins = 0.0 if rules.not_before is None else _moment(rules.not_before, zone)
    forced = None
    if rules.deadline is not None:
        forced = max(start, _moment(end_of_day(rules.deadline), zone) + 60.0 * rules.grace_minutes)
    if not rules.windows:
        return (None, None) if begins <= start else (((begins, float("inf")),), forced)
    needs = longest_installation(install, health) + LATE_START
    first = datetime.fromtimestamp(start, UTC).astimezone(zone).date()
    found = []
    for window in map(parse_window, rules.windows):
        for offset in range(-1, WINDOW_DAYS):
            day = first + timedelta(days=offset)
            if day.weekday() in window.days:
                span = stretch_of(day, window.start_minute, window.minutes, zone).shortest
                found.append((span.start.timestamp(), span.end.timestamp()))
    spans = [(max(begin, begins), end - needs.total_seconds()) for begin, end in _joined(found) if end > start]
    return tuple((begin, end) for begin, end in spans if begin <= end), forced


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def _moment(text: str, zone: tzinfo) -> float:
    return moment(datetime.fromisoformat(text), zone, latest=True).timestamp()
