"""`p2pdist.install.deferral`: what a user's wish to defer does, what it costs, and what is said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.install.deferral import MAX_LENGTHENINGS, Deferral, DeferralRefusedError, defer, ended
from p2pdist.install.schedule import Deferrals, Notice, Schedule, Timing, TimingReason, decide
from p2pdist.shared.manifest.windows import parse_window

OSLO = ZoneInfo("Europe/Oslo")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NONE = Deferrals()
SCHEDULE = Schedule(deadline=datetime(2026, 11, 4, 12, tzinfo=OSLO), grace=HOUR, deferrals=2, longest_deferral=4 * HOUR)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026 in Oslo; the 2nd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=OSLO)


def wish(
    schedule: Schedule,
    deferrals: Deferrals,
    now: datetime,
    wanted: timedelta,
    notice: Notice = Notice(),  # noqa: B008
) -> Deferral:
    return defer(schedule, deferrals, now, wanted, OSLO, notice)


def test_counts_and_ends() -> None:
    first = wish(SCHEDULE, NONE, at(2, 9), 2 * HOUR)
    assert (first.after, first.counted, first.note) == (Deferrals(1, at(2, 11), at(2, 9)), True, "")
    assert decide(SCHEDULE, first.after, at(2, 10), OSLO) == Timing(TimingReason.DEFERRED, at(2, 11))
    assert decide(SCHEDULE, first.after, at(2, 11), OSLO).install
    second = wish(SCHEDULE, first.after, at(2, 11), 99 * HOUR)
    assert second.after == Deferrals(2, at(2, 15), at(2, 11)), "no longer than is allowed"
    with pytest.raises(DeferralRefusedError, match="deferred 2 times, and 2 are allowed"):
        wish(SCHEDULE, second.after, at(2, 16), HOUR)


def test_never_beyond_the_deadline_and_that_is_said() -> None:
    cut = wish(SCHEDULE, NONE, at(4, 11), 3 * HOUR)
    assert (cut.until, "deadline" in cut.note) == (at(4, 12), True)
    with pytest.raises(DeferralRefusedError, match="deadline is over"):
        wish(SCHEDULE, NONE, at(4, 12), HOUR)


def test_where_it_is_not_allowed() -> None:
    with pytest.raises(DeferralRefusedError, match="cannot be deferred"):
        wish(Schedule(), NONE, at(2, 9), HOUR)
    with pytest.raises(DeferralRefusedError, match="emergency"):
        wish(replace(SCHEDULE, emergency=True), NONE, at(2, 9), HOUR)


def test_a_negative_wish_is_none() -> None:
    made = wish(SCHEDULE, NONE, at(2, 9), -HOUR)
    assert (made.until, made.after, made.counted) == (at(2, 9), NONE, False)


def test_one_that_is_cut_says_so() -> None:
    made = wish(SCHEDULE, NONE, at(2, 9), 9 * HOUR)
    assert (made.until, made.counted) == (at(2, 13), True)
    assert made.note == "That is less than was asked for: one deferral lasts at most 4 hours."


def test_a_second_one_while_one_lasts_spends_nothing_and_never_makes_it_shorter() -> None:
    first = wish(SCHEDULE, NONE, at(2, 9), 3 * HOUR)
    shorter = wish(SCHEDULE, first.after, at(2, 10), HOUR)
    assert (shorter.after, shorter.changed, shorter.until) == (first.after, False, at(2, 12))
    assert shorter.note == "It is deferred until then already."
    longer = wish(SCHEDULE, first.after, at(2, 10), 2 * HOUR + 30 * MINUTE)
    assert (longer.after, longer.counted) == (Deferrals(1, at(2, 12, 30), at(2, 9)), False)
    longest = wish(SCHEDULE, longer.after, at(2, 12), 4 * HOUR)
    assert longest.after == Deferrals(1, at(2, 13), at(2, 9)), "no longer than one deferral from its beginning"
    assert "one deferral lasts at most 4 hours" in longest.note


def test_the_last_one_that_lasts_can_be_made_longer() -> None:
    last = Deferrals(2, at(2, 10), at(2, 9))
    assert wish(SCHEDULE, last, at(2, 9, 30), 2 * HOUR).until == at(2, 11, 30)


def test_one_that_changes_nothing_counts_nothing() -> None:
    night = replace(SCHEDULE, windows=(parse_window("mon-fri 22:00-04:00"),), longest_deferral=24 * HOUR)
    useless = wish(night, NONE, at(2, 9), 4 * HOUR)
    assert (useless.after, useless.counted, useless.until) == (NONE, False, at(2, 22))
    assert useless.note == "It waits until then anyway; this spends no deferral."
    assert wish(night, NONE, at(2, 9), 14 * HOUR).after == Deferrals(1, at(2, 23), at(2, 9))


def test_a_pc_that_returns_after_the_deadline_may_defer_within_its_grace() -> None:
    notice = Notice(at(5, 9).astimezone(UTC), at(5, 9).astimezone(UTC))
    returned = replace(SCHEDULE, grace=2 * HOUR)
    assert wish(returned, NONE, at(5, 9, 10), 4 * HOUR, notice).until == at(5, 11)
    with pytest.raises(DeferralRefusedError, match="deadline is over"):
        wish(returned, NONE, at(5, 11), HOUR, notice)


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600)), max_size=12))
def test_whatever_is_wished_no_more_is_granted_than_the_recipe_allows(wishes: list[tuple[int, int]]) -> None:
    """At most two deferrals of four hours each, whatever is asked when; and none ends sooner for being asked again."""
    schedule, deferrals, now, begun = replace(SCHEDULE, deadline=None), NONE, at(2, 9), at(2, 9)
    deferred = timedelta(0)
    for wait, wanted in wishes:
        now += wait * MINUTE
        before = deferrals
        try:
            deferrals = wish(schedule, deferrals, now, wanted * MINUTE).after
        except DeferralRefusedError:
            continue
        if before.until is not None and now < before.until:
            assert deferrals.until is not None
            assert deferrals.until >= before.until
            assert deferrals.count == before.count
            deferred -= before.until - begun
        begun = deferrals.since or begun
        if deferrals != before or (before.until is not None and now < before.until):
            assert deferrals.until is not None
            deferred += deferrals.until - begun
    assert deferrals.count <= 2
    assert deferred <= 8 * HOUR


def test_a_user_who_defers_for_ever_fills_no_history() -> None:
    """Each change is a line of the history, which is bounded: an endless row of them would push all else out."""
    deferrals = wish(SCHEDULE, NONE, at(2, 9), MINUTE).after
    changes = 0
    for second in range(1, 4 * 3_600):
        made = wish(SCHEDULE, deferrals, at(2, 9), MINUTE + timedelta(seconds=second))
        deferrals, changes = made.after, changes + made.changed
    assert (changes, deferrals.count) == (MAX_LENGTHENINGS - 1, 1)
    little = wish(SCHEDULE, wish(SCHEDULE, NONE, at(2, 9), HOUR).after, at(2, 9), HOUR + MINUTE)
    assert (little.changed, little.note) == (False, "It is made longer by 12 minutes at least.")


def test_one_that_is_ended_stays_spent_and_gives_no_time_back() -> None:
    first = wish(SCHEDULE, NONE, at(2, 9), 3 * HOUR)
    over = ended(first.after, at(2, 10))
    assert (over.changed, over.counted, over.until) == (True, False, at(2, 10))
    assert decide(SCHEDULE, over.after, at(2, 10), OSLO).install
    assert wish(SCHEDULE, over.after, at(2, 10), HOUR).after.count == 2
    again = ended(over.after, at(2, 10, 30))
    assert (again.changed, again.after, again.note) == (False, over.after, "It is not deferred.")
    assert ended(NONE, at(2, 10)).after == NONE
