"""`p2pdist.install.restart_times`: when a restart that a patch needs may be, and by whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from p2pdist.install.lifecycle import InstallRecord, RestartRules
from p2pdist.install.plan import PlanMoment
from p2pdist.install.restart_times import DueRestart, RestartBy, due_restarts, is_overdue
from p2pdist.install.schedule import TimingReason
from p2pdist.shared.manifest.fitting import FORCED_RESTART_NOTICE, RESTART_NOTICE

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
WINDOW = "wed 11:00-13:00"


def restart(
    rules: RestartRules | None,
    now: datetime = NOON,
    *,
    may_restart: bool = True,
    overdue_since: datetime | None = None,
    **moment: Any,
) -> DueRestart:
    record = InstallRecord(
        patch_id="acme",
        version="1",
        state="installed",
        first_seen_at=0.0,
        changed_at=0.0,
        restart_boot="boot",
        restart_rules=rules,
        overdue_since=None if overdue_since is None else overdue_since.timestamp(),
    )
    (due,) = due_restarts([record], PlanMoment(now, UTC, **moment), may_restart=may_restart)
    return due


def test_in_a_window_and_only_while_its_countdown_fits() -> None:
    rules = RestartRules(reboot="window", windows=(WINDOW,))
    assert restart(rules).notice == RESTART_NOTICE
    assert restart(rules, NOON.replace(hour=12, minute=55)).notice == RESTART_NOTICE
    late = restart(rules, NOON.replace(hour=12, minute=56))
    next_week = NOON.replace(hour=11) + timedelta(days=7)
    assert (late.notice, late.why, late.again_at) == (None, TimingReason.TOO_SHORT.value, next_week.timestamp())
    waits = restart(rules, NOON.replace(hour=10))
    assert (waits.notice, waits.again_at) == (None, NOON.replace(hour=11).timestamp())


def test_at_any_time_where_there_are_no_windows() -> None:
    assert restart(RestartRules(reboot="window", not_before="2026-12-24")).notice == RESTART_NOTICE


def test_after_deadline_and_grace_at_any_hour_with_a_longer_notice() -> None:
    rules = RestartRules(
        reboot="window",
        windows=("sun 01:00-02:00",),
        not_before="2026-12-24",  # what is installed has been released
        deadline="2026-11-25T11:00",
        grace_minutes=60,
        emergency=True,
    )
    noticed = NOON - timedelta(hours=1)
    before = restart(rules, NOON - timedelta(minutes=1), overdue_since=noticed)
    assert (before.notice, before.again_at) == (None, NOON.timestamp())
    assert restart(rules, overdue_since=noticed).notice == FORCED_RESTART_NOTICE
    returned = restart(rules, overdue_since=NOON - timedelta(minutes=10))
    assert (returned.notice, returned.again_at) == (None, (NOON + timedelta(minutes=50)).timestamp())


def test_not_in_a_blackout_nor_by_a_clock_that_is_not_believed() -> None:
    rules = RestartRules(reboot="window", windows=(WINDOW,), deadline="2026-11-25T11:00")
    blacked = restart(rules, blackout_until=NOON + timedelta(hours=1))
    assert (blacked.notice, blacked.why) == (None, TimingReason.BLACKOUT.value)
    doubted = restart(rules, clock_believed=False)
    assert (doubted.notice, doubted.why) == (None, TimingReason.CLOCK.value)


@pytest.mark.parametrize(
    ("rules", "may_restart", "by"),
    [
        (RestartRules(), True, RestartBy.NOBODY),
        (RestartRules(reboot="ask", deadline="2026-11-01"), True, RestartBy.USER),
        (RestartRules(reboot="window", deadline="2026-11-01"), False, RestartBy.USER_ALONE),
        (None, True, RestartBy.USER),
    ],
)
def test_who_restarts_it_where_the_daemon_does_not(
    rules: RestartRules | None, may_restart: bool, by: RestartBy
) -> None:
    due = restart(rules, may_restart=may_restart)
    assert (due.by, due.notice) == (by, None)


@pytest.mark.parametrize(
    ("rules", "overdue"),
    [
        (RestartRules(), False),
        (RestartRules(reboot="ask"), True),
        (RestartRules(reboot="ask", deadline="2026-11-25T12:00"), True),
        (RestartRules(reboot="ask", deadline="2026-11-25T11:00", grace_minutes=61), False),
    ],
)
def test_it_makes_the_pc_non_compliant_unless_its_deadline_is_ahead(rules: RestartRules, overdue: bool) -> None:
    assert is_overdue(restart(rules), NOON.timestamp()) is overdue
