"""What is recorded of a site's line for the operator, and for the next run of the server. Pure."""

from bandwidth.core.line_memory import LineMemory
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.wire.line_messages import SiteLimit
from seed_server.line.harm_bound import HarmBound, HarmPause
from seed_server.line.harm_evidence import HarmReason
from seed_server.line.site_rate import SiteRate
from seed_server.store.rows import HarmPauseRow, SiteLimitRow

_REASONS = {reason.value: reason for reason in HarmReason}
LONGEST_PAUSE_SECONDS = 86_400.0  # more is left of none, whatever the clock did between two runs


def limit_row(
    site: SiteName,
    rate: SiteRate,
    limit: SiteLimit,
    now: float,
    wall_clock: float,
    *,
    active: bool,
    endpoints: int,
    fetchers: int,
) -> SiteLimitRow:
    """Return what the endpoints are told (``limit``), the site's totals, and what the next run shall know."""
    memory = rate.memory(now)
    return SiteLimitRow(
        site=site,
        at=wall_clock,
        active=active,
        endpoints=endpoints,
        fetchers=fetchers,
        rate=limit.rate,
        capacity=limit.capacity if memory is None else int(memory.capacity),
        configured=limit.configured,
        state=limit.state,
        reason=limit.reason,
        seconds=limit.seconds,
        yield_seconds=limit.yield_seconds,
        sending_seconds=round(rate.times.sending, 1),
        learned_at=None if memory is None else wall_clock - memory.age_seconds,
        round_trip_seconds=None if memory is None else memory.round_trip_seconds,
        loss_share=None if memory is None else memory.loss_share,
        large_packets_lost=rate.path.lost_at_site(endpoints, now),
        harm=_harm_row(rate.harm.bound, wall_clock - now),
    )


def _harm_row(bound: HarmBound, clocks_apart: float) -> HarmPauseRow | None:
    pause = bound.pause
    if pause is None:
        return None
    return HarmPauseRow(
        reason=pause.reason.value,
        begun_at=pause.begun_at + clocks_apart,
        ends_at=pause.ends_at + clocks_apart,
        in_a_row=pause.in_a_row,
        pauses=bound.pauses,
    )


def remembered_line(row: SiteLimitRow, wall_clock: float) -> LineMemory | None:
    """Return what an earlier run has learned of a line; None: nothing, or it was configured."""
    # what a line was configured as says nothing of it; and one that is configured now need not be learned
    if row.learned_at is None or row.capacity is None or row.configured:
        return None
    return LineMemory(
        capacity=row.capacity,
        age_seconds=max(0.0, wall_clock - row.learned_at),
        round_trip_seconds=row.round_trip_seconds,
        loss_share=row.loss_share,
    )


def remembered_harm(row: SiteLimitRow, now: float, wall_clock: float) -> HarmBound:
    """Return the bound on harm as an earlier run has left it: its pause goes on, and the next one is as long as due."""
    bound, harm = HarmBound(), row.harm
    if harm is None or harm.reason not in _REASONS:  # another release may have had others
        return bound
    # a wall clock that went back must not make the pause longer than it was to be
    length = min(LONGEST_PAUSE_SECONDS, max(0.0, harm.ends_at - harm.begun_at))
    ends_at = now + min(length, harm.ends_at - wall_clock)
    pause = HarmPause(_REASONS[harm.reason], ends_at - length, ends_at, max(1, harm.in_a_row))
    bound.restore(pause, harm.pauses)
    return bound
