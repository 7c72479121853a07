"""`seed_server.store.site_records`: sites whose leasing pauses."""

from msgspec.structs import replace

from seed_server.store.database import Database
from seed_server.store.rows import HarmPauseRow, SiteLimitRow
from seed_server.store.site_records import AT_WORK_SECONDS

NOW = 10_000.0
PAUSE = HarmPauseRow("connections of others were slowed down while we sent", NOW - 100, NOW + 800, 2, 7)
LIMIT = SiteLimitRow(
    site="branch", at=NOW, active=True, endpoints=3, fetchers=1, rate=900, capacity=2_000_000, configured=True,
    state="scavenge", reason="at the line's capacity", seconds={}, yield_seconds=0.0, sending_seconds=7.5,
)  # fmt: skip


def test_a_pause_is_read_as_it_was_written_and_the_newest_counts(database: Database) -> None:
    paused = replace(LIMIT, harm=PAUSE)
    database.save_site_limits([LIMIT, replace(LIMIT, site="quiet")])
    database.save_site_limits([paused])
    assert database.site_limits() == [paused, replace(LIMIT, site="quiet")]
    later = replace(paused, harm=replace(PAUSE, ends_at=NOW + 9_000, in_a_row=3, pauses=8))
    database.save_site_limits([later])
    database.save_site_limits([replace(LIMIT, rate=1)])
    assert database.site_limits()[0] == replace(later, rate=1), "it is remembered, whatever is recorded later"


def test_sites_at_work_are_those_that_are_sent_to_or_wait(database: Database) -> None:
    over = replace(PAUSE, ends_at=NOW - 1)
    database.save_site_limits(
        [
            LIMIT,
            replace(LIMIT, site="paused", harm=PAUSE),
            replace(LIMIT, site="over", harm=over),
            replace(LIMIT, site="has all", active=False, harm=PAUSE),
            replace(LIMIT, site="of yesterday", at=NOW - AT_WORK_SECONDS - 1, harm=PAUSE),
        ]
    )
    assert database.sites_at_work(NOW) == {"branch": None, "paused": PAUSE, "over": None}
