"""What has to fit into a maintenance window: how long an installation may take, how long windows are open. Pure.

A PC begins nothing that might not end before its window does; `seed-server lint` names what fits in none.
"""

from collections.abc import Sequence
from datetime import timedelta

from bandwidth.core.quantities import MINUTES_PER_DAY
from p2pdist.shared.manifest.recipe import HealthCheck, Install, self_upgrade_of
from p2pdist.shared.manifest.windows import MaintenanceWindow

RESTART_NOTICE = timedelta(minutes=5)  # before a restart in a window: to save one's work
FORCED_RESTART_NOTICE = timedelta(minutes=15)  # before one that no window announces
LATE_START = timedelta(minutes=5)  # a PC looks once a minute, and detects first what is installed
WEEK_MINUTES = 7 * MINUTES_PER_DAY


def longest_installation(install: Install, health: HealthCheck | None) -> timedelta:
    """Return how long an installation may take: its timeout, then the time that its health checks have.

    One of p2pdist's own package also takes the time in which the new daemon has to speak with its server.
    """
    own = self_upgrade_of(install)
    contact = timedelta(minutes=own.contact_within_minutes if own else 0)
    return contact + timedelta(seconds=install.timeout_seconds + (health.within_seconds if health else 0))


def longest_opening(windows: Sequence[MaintenanceWindow]) -> timedelta:
    """Return for how long ``windows`` are open at a stretch, by a clock that is never changed; zero for none.

    Windows that touch or overlap are one. Of windows that are always open it is two weeks.
    """
    openings = [
        (week + MINUTES_PER_DAY * day + window.start_minute, window.minutes)
        for window in windows
        for day in window.days
        for week in (0, WEEK_MINUTES)
    ]
    longest, begun, until = 0, 0, -1
    for start, minutes in sorted(openings):
        if start > until:
            begun, until = start, start
        until = max(until, start + minutes)
        longest = max(longest, until - begun)
    return timedelta(minutes=min(longest, 2 * WEEK_MINUTES))
