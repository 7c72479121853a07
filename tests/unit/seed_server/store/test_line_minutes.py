"""`seed_server.store.line_minutes`: what lines did lately, on both databases."""

from sqlalchemy import select

from bandwidth.core.states import Reason
from seed_server.store import line_minutes
from seed_server.store.database import Database
from seed_server.store.minute_rows import (
    HOUR_SLOTS,
    HOURS_KEPT_SECONDS,
    MAX_SLOT_BYTES,
    SLOT_SECONDS,
    SLOTS_KEPT_SECONDS,
    LineSlot,
    WatchedSlot,
    slot_of,
)
from seed_server.store.tables import SITES
from tests.helpers.state_databases import database, place, postgres_server

__all__ = ["database", "place", "postgres_server"]

NOW = 1_800_230_400.0  # a Monday, 00:00 UTC
SLOT = slot_of(NOW)
ROW = LineSlot(
    "osaka", SLOT, active=300.0, sent=5_000, allowed=9_000.0, cause=Reason.CEILING.value, cause_seconds=200.0,
    business=700, business_seconds=100.0, harm_seconds=3.0, queue=0.012_5,
)  # fmt: skip


def at(row: LineSlot, slot: int, site: str = "osaka") -> LineSlot:
    """Return the row at other ten minutes."""
    return LineSlot(**{name: getattr(row, name) for name in row.__struct_fields__} | {"slot": slot, "site": site})


def number(database: Database, site: str = "osaka") -> int:
    with database.reading() as connection:
        return int(connection.scalar(select(SITES.c.number).where(SITES.c.name == site)) or 0)


def test_what_is_added_is_read_back(database: Database) -> None:
    database.add_line_minutes([ROW, at(ROW, SLOT, "kobe")], [WatchedSlot(SLOT, 1, 600.0)])
    assert database.line_minutes(number(database), NOW) == [ROW]
    assert database.watched_slots(NOW) == [WatchedSlot(SLOT, 1, 600.0)]


def test_parts_of_ten_minutes_are_added_up(database: Database) -> None:
    """The server was restarted in the middle of them; and once its clock was set back."""
    database.add_line_minutes([ROW], [WatchedSlot(SLOT, 1, 200.0)])
    database.add_line_minutes([ROW, ROW], [WatchedSlot(SLOT, 1, 200.0), WatchedSlot(SLOT, 1, 300.0)])
    (row,) = database.line_minutes(number(database), NOW)
    assert (row.sent, row.active, row.harm_seconds) == (15_000, SLOT_SECONDS, 9.0)
    assert database.watched_slots(NOW) == [WatchedSlot(SLOT, 1, 600.0)], "no more than there was"


def test_more_than_a_database_keeps_is_cut(database: Database) -> None:
    database.add_line_minutes([LineSlot("osaka", SLOT, sent=1 << 70, allowed=1e30, active=1e9)])
    (row,) = database.line_minutes(number(database), NOW)
    assert (row.sent, row.allowed, row.active) == (MAX_SLOT_BYTES, float(MAX_SLOT_BYTES), SLOT_SECONDS)


def test_only_what_was_asked_for_is_returned(database: Database) -> None:
    database.add_line_minutes([at(ROW, SLOT - 1), ROW], [WatchedSlot(SLOT - 1, 1, 600.0)])
    assert [row.slot for row in database.line_minutes(number(database), NOW)] == [SLOT]
    assert [row.slot for row in database.line_minutes(number(database), NOW - 1)] == [SLOT - 1, SLOT]
    assert database.watched_slots(NOW) == []
    assert database.line_minutes(number(database) + 5, NOW) == []


def test_harm_is_summed_by_site(database: Database) -> None:
    database.add_line_minutes([at(ROW, SLOT - 1), ROW, at(LineSlot("kobe", SLOT, sent=5), SLOT, "kobe")])
    assert database.harm_of_sites(["osaka", "kobe", "nowhere"], NOW) == {"osaka": 3.0}
    assert database.harm_of_sites(["osaka"], NOW - SLOT_SECONDS) == {"osaka": 6.0}
    assert database.harm_of_sites([], NOW) == {}


def test_ten_minutes_become_an_hour_when_they_have_had_their_time(database: Database) -> None:
    database.add_line_minutes(
        [at(ROW, SLOT), at(ROW, SLOT + 5), at(ROW, SLOT + 6), at(ROW, SLOT + 5, "kobe")],
        [WatchedSlot(slot, 1, 600.0) for slot in (SLOT, SLOT + 5, SLOT + 6)],
    )
    later = NOW + SLOTS_KEPT_SECONDS + HOUR_SLOTS * SLOT_SECONDS
    assert not database.fold_line_minutes(later - 1), "not before all of it is over"
    assert database.fold_line_minutes(later)
    assert not database.fold_line_minutes(later)
    first, second = database.line_minutes(number(database), NOW)
    assert (first.slot, first.slots, first.sent, first.active) == (SLOT, HOUR_SLOTS, 10_000, 600.0)
    assert (second.slot, second.slots) == (SLOT + 6, 1)
    (kobe,) = database.line_minutes(number(database, "kobe"), NOW)
    assert (kobe.slot, kobe.slots, kobe.sent) == (SLOT, HOUR_SLOTS, 5_000)
    assert database.watched_slots(NOW) == [WatchedSlot(SLOT, 6, 1_200.0), WatchedSlot(SLOT + 6, 1, 600.0)]


def test_what_a_clock_that_was_set_back_says_of_an_hour_is_added_to_it(database: Database) -> None:
    later = NOW + SLOTS_KEPT_SECONDS + HOUR_SLOTS * SLOT_SECONDS
    for slot in (SLOT, SLOT, SLOT + 2):
        database.add_line_minutes([at(ROW, slot)], [WatchedSlot(slot, 1, 600.0)])
        while database.fold_line_minutes(later):
            pass
    (hour,) = database.line_minutes(number(database), NOW)
    assert (hour.slots, hour.sent) == (HOUR_SLOTS, 15_000)
    assert database.watched_slots(NOW) == [WatchedSlot(SLOT, 6, 1_800.0)]


def test_hours_go_when_they_have_had_their_time(database: Database) -> None:
    database.add_line_minutes([ROW, at(ROW, SLOT + 6)], [WatchedSlot(SLOT, 1, 600.0), WatchedSlot(SLOT + 6, 1, 600.0)])
    later = NOW + SLOTS_KEPT_SECONDS + 2 * HOUR_SLOTS * SLOT_SECONDS
    while database.fold_line_minutes(later):
        pass
    while database.fold_line_minutes(NOW + HOURS_KEPT_SECONDS + SLOT_SECONDS):
        pass
    assert [row.slot for row in database.line_minutes(number(database), 0.0)] == [SLOT + 6]
    assert [one.slot for one in database.watched_slots(0.0)] == [SLOT + 6]


def test_an_hour_of_many_sites_is_several_transactions(database: Database) -> None:
    sites = [f"site-{n}" for n in range(line_minutes.SITES_AT_ONCE + 1)]
    database.add_line_minutes([at(ROW, SLOT, site) for site in sites], [WatchedSlot(SLOT, 1, 600.0)])
    assert database.fold_line_minutes(NOW + HOURS_KEPT_SECONDS + 3_600)
    assert all(database.line_minutes(number(database, site), 0.0) == [] for site in (sites[0], sites[-1]))
