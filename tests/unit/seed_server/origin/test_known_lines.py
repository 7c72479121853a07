"""`seed_server.origin.known_lines`: what an earlier run of the server has left of a site's line."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import SiteName
from seed_server.line.site_map import Site
from seed_server.line.site_rate import Line
from seed_server.origin.known_lines import MAX_KNOWN_LINES, KnownLines
from seed_server.origin.site import LiveSite
from seed_server.store.database import Database, SiteLimitRow
from tests.helpers.fake_clock import FakeClock

ROW = SiteLimitRow(
    site="branch", at=1_000.0, active=True, endpoints=3, fetchers=1, rate=900, capacity=2_000_000, configured=False,
    state="scavenge", reason="at the line's capacity", seconds={"at the line's capacity": 7.5}, yield_seconds=2.5,
    sending_seconds=7.5, learned_at=1_000.0, round_trip_seconds=0.03, loss_share=0.002,
)  # fmt: skip
SITE = Site(SiteName("branch"), Line(), None)


def lines(*rows: SiteLimitRow, now: float = 1_000.0) -> KnownLines:
    known = KnownLines(FakeClock(now))
    known.remember(rows)
    return known


def test_a_line_is_begun_with_what_was_learned_and_counted() -> None:
    rate = lines(ROW, now=1_120.0).rate(SITE, 5.0)
    memory = rate.memory(5.0)
    assert memory is not None
    assert (memory.capacity, memory.age_seconds) == (2_000_000.0, 120.0)
    assert (rate.times.by_cause, rate.times.yielding) == (ROW.seconds, 2.5)


def test_reasons_that_this_server_does_not_know_are_left_out() -> None:
    row = replace(ROW, seconds={**ROW.seconds, "a reason of another release": 3.0})
    assert lines(row).rate(SITE, 5.0).times.by_cause == ROW.seconds


def test_a_clock_that_went_back_makes_no_memory_of_the_future() -> None:
    memory = lines(ROW, now=0.0).rate(SITE, 5.0).memory(5.0)
    assert memory is not None
    assert memory.age_seconds == 0.0


@pytest.mark.parametrize(
    ("row", "line"),
    [
        pytest.param(replace(ROW, configured=True), Line(), id="it was configured"),
        pytest.param(ROW, Line(BytesPerSecond(125_000)), id="it is configured now"),
        pytest.param(replace(ROW, learned_at=None), Line(), id="recorded by a server that did not say when"),
        pytest.param(replace(ROW, site="other"), Line(), id="another site"),
    ],
)
def test_what_does_not_hold_for_the_line_is_void(row: SiteLimitRow, line: Line) -> None:
    rate = lines(row).rate(Site(SITE.name, line, None), 5.0)
    assert rate.memory(5.0) is None
    assert rate.capacity(5.0) == line.capacity


def test_a_site_is_begun_once() -> None:
    known = lines(ROW)
    assert known.known(SITE.name) is None
    rate = known.rate(SITE, 5.0)
    assert known.rate(SITE, 6.0) is rate is known.known(SITE.name)


def test_the_newest_memories_are_kept_and_no_more_than_there_are_lines() -> None:
    rows = [replace(ROW, site=f"site-{number}", at=float(number)) for number in range(MAX_KNOWN_LINES + 1)]
    known = lines(*rows)
    assert known.rate(Site(SiteName("site-0"), Line(), None), 5.0).memory(5.0) is None
    assert known.rate(Site(SiteName("site-1"), Line(), None), 5.0).memory(5.0) is not None


def test_what_a_site_records_is_what_the_next_run_begins_with(tmp_path: Path) -> None:
    earlier = lines(ROW).rate(SITE, 5.0)
    site = LiveSite(SITE, earlier, fetchers=1, lease_seconds=30.0)
    with Database.create(tmp_path / "state.db") as database:
        database.save_site_limits([site.limit_row(65.0, 1_060.0)])
    with Database.open(tmp_path / "state.db") as database:
        later = lines(*database.site_limits(), now=1_360.0).rate(SITE, 0.0)
    memory = later.memory(0.0)
    assert memory is not None
    assert memory.capacity == 2_000_000.0
    assert memory.age_seconds == pytest.approx(360.0)
    assert later.times.by_cause == ROW.seconds
