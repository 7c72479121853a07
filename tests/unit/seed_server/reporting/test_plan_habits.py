"""`seed_server.reporting.plan_habits`: on which days a PC is on."""

import pytest

from seed_server.reporting.plan_facts import ASSUMED_COME, Here
from seed_server.reporting.plan_habits import KNOWN_DAYS, MISSED, PcPast, come_shares, habits
from seed_server.store.plan_rows import THIRD_SECONDS, THIRDS

WEDNESDAY = 1_800_403_200.0  # 2027-01-20 00:00 UTC
NOON = WEDNESDAY + 43_200
WEEKDAY = int(WEDNESDAY // 86_400) % 7


def past(*days_back: int, connected: bool = False, third: int = 1) -> PcPast:
    """Return a PC that was seen in the same third of these days before Wednesday."""
    newest = int(NOON // THIRD_SECONDS)
    thirds = 0
    for back in days_back:
        at = newest - (int((WEDNESDAY - back * 86_400) // THIRD_SECONDS) + third)
        if 0 <= at < THIRDS:
            thirds |= 1 << at
    return PcPast(thirds, newest, connected)


OFFICE = [back for back in range(1, KNOWN_DAYS + 1) if (2 - back) % 7 < 5]
"""Monday to Friday, before a Wednesday."""


def test_an_office_pc_is_on_from_monday_to_friday() -> None:
    (group,) = habits([past(*OFFICE, connected=True)], NOON, 0)
    assert (group.pcs, group.missed, group.here, group.steady) == (1, 0, Here.NOW, False)
    likely = [group.chances[(WEEKDAY + day) % 7] for day in range(7)]  # from Wednesday on
    assert min(likely[0], likely[1], likely[2], likely[5], likely[6]) > 0.9
    assert max(likely[3], likely[4]) < 0.1


def test_a_holiday_is_no_habit_and_a_day_off_is_missed() -> None:
    back_from_holiday = [back for back in OFFICE if not 4 < back < 14]
    (group,) = habits([past(*back_from_holiday)], NOON, 0)
    assert group.chances[WEEKDAY] > 0.9
    (ill,) = habits([past(*(back for back in OFFICE if back > 2))], NOON, 0)
    assert (ill.missed, ill.chances[WEEKDAY] > 0.9) == (2, True)
    (gone,) = habits([past(*(back for back in OFFICE if back > 12))], NOON, 0)
    assert gone.missed == MISSED - 1


def test_a_pc_that_is_on_every_day_is_on_at_all_hours() -> None:
    (group,) = habits([past(*range(1, KNOWN_DAYS + 1), connected=True)], NOON, 0)
    assert group.steady


def test_a_day_begins_at_the_site_s_dawn() -> None:
    """In Japan's morning it is still yesterday in UTC."""
    mornings = past(*(back + 1 for back in OFFICE), third=2)
    (group,) = habits([mornings], WEDNESDAY + 3_600, 16)
    assert group.chances[int((WEDNESDAY - 16 * 3_600) // 86_400 + 1) % 7] > 0.9
    assert group.missed == 0


def test_a_new_pc_is_taken_for_one_like_the_others() -> None:
    new = past(connected=True)._replace(enrolled_at=NOON - 3_600)
    groups = habits([*(past(*OFFICE, connected=True) for _ in range(9)), new], NOON, 0)
    assert sum(group.pcs for group in groups) == 10
    assert all(group.chances[(WEEKDAY + 3) % 7] < 0.1 for group in groups), "nor on Saturday"


def test_seen_today_and_gone_is_no_pc_that_still_comes() -> None:
    (group,) = habits([past(0, *OFFICE, third=0)], NOON, 0)
    assert group.here is Here.EARLIER


def test_how_many_come_who_missed_days_is_learned() -> None:
    assert come_shares([], NOON) == pytest.approx(ASSUMED_COME)
    ill_for_two = [past(*(back for back in OFFICE if back not in (skip, skip + 1))) for skip in (5, 6, 12) * 200]
    learned = come_shares([(ill_for_two, 0)], NOON)
    assert learned[0] > 0.9
    assert learned[1] < 0.2, "who missed one day has missed the next one, too"
    assert learned[2] > 0.9
