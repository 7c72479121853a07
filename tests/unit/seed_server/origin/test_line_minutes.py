"""`seed_server.origin.line_minutes`: what each line did in ten minutes."""

import msgspec

from bandwidth.core.states import Reason
from seed_server.line.site_seen import LineSeen
from seed_server.origin.line_hours import MAX_WATCHED_SITES
from seed_server.origin.line_minutes import LineMinutes
from seed_server.store.minute_rows import SLOT_SECONDS, LineSlot, WatchedSlot, slot_of
from seed_server.store.rows import SiteLimitRow

NOW = 1_800_230_400.0  # a Monday, 00:00 UTC
SLOT = slot_of(NOW)
CEILING = f"{Reason.CEILING.value}: office hours"
ROW = SiteLimitRow(
    site="osaka", at=NOW, active=True, endpoints=9, fetchers=2, rate=1_000, capacity=None, configured=False,
    state="scavenge", reason=CEILING, seconds={}, yield_seconds=0.0, sending_seconds=0.0,
)  # fmt: skip


def row(at: float, **changes: object) -> SiteLimitRow:
    return msgspec.structs.replace(ROW, at=at, **changes)


def test_ten_minutes_are_told_once_when_they_are_over() -> None:
    minutes = LineMinutes(NOW)
    minutes.limit(row(NOW), LineSeen())
    minutes.limit(row(NOW + 1, reason=Reason.QUEUE.value, rate=500), LineSeen(70, 1.0, 0.0, {8: 19, 20: 1}))
    minutes.limit(row(NOW + 4, active=False), LineSeen(30, 0.5, 2.0))
    minutes.sent("osaka", 5_000)
    assert minutes.take(NOW + 599) == ([], None)
    rows, watched = minutes.take(NOW + 601)
    assert rows == [
        LineSlot(
            "osaka", SLOT, active=4.0, sent=5_000, allowed=1_000 + 3 * 500, cause=Reason.QUEUE.value,
            cause_seconds=3.0, business=100, business_seconds=1.5, harm_seconds=2.0, queue=0.002,
        )
    ]  # fmt: skip
    assert watched == WatchedSlot(SLOT, 1, 600.0)
    assert minutes.take(NOW + 602) == ([], None)
    assert minutes.take(NOW + 1_200) == ([], WatchedSlot(SLOT + 1, 1, 600.0)), "nothing was sent, and that is known"


def test_a_site_where_pcs_wait_in_vain_is_told_with_the_rule_that_holds() -> None:
    minutes = LineMinutes(NOW)
    for second in range(3):
        minutes.limit(row(NOW + second, rate=0, reason=f"{Reason.BLACKOUT.value}: no nights"), LineSeen())
    (only,), _ = minutes.take(NOW + 10, ends=True)
    assert (only.active, only.allowed, only.cause) == (2.0, 0.0, Reason.BLACKOUT.value)


def test_what_was_not_watched_is_missing() -> None:
    """The server began in the middle of ten minutes; then its machine slept."""
    minutes = LineMinutes(NOW + 500)
    minutes.limit(row(NOW + 500), LineSeen())
    assert minutes.take(NOW + 9_000) == ([], WatchedSlot(SLOT, 1, 100.0))
    minutes.limit(row(NOW + 9_000), LineSeen())
    rows, watched = minutes.take(NOW + 9_600)
    assert rows == [], "for how long it held meanwhile, nobody knows"
    assert watched == WatchedSlot(SLOT + 15, 1, 600.0)


def test_a_clock_that_is_set_back_makes_nothing_negative() -> None:
    minutes = LineMinutes(NOW + 500)
    minutes.limit(row(NOW + 500), LineSeen())
    minutes.limit(row(NOW - 2_000), LineSeen())
    rows, watched = minutes.take(NOW - 2_000)
    assert (rows, watched) == ([], None)
    assert minutes.take(NOW - 1_200)[1] == WatchedSlot(slot_of(NOW - 1_800) - 1, 1, 200.0)


def test_so_many_sites_are_kept_and_no_more() -> None:
    minutes = LineMinutes(NOW)
    for number in range(MAX_WATCHED_SITES + 1):
        minutes.sent(f"site-{number}", 1)
    rows, _ = minutes.take(NOW + SLOT_SECONDS)
    assert len(rows) == MAX_WATCHED_SITES
