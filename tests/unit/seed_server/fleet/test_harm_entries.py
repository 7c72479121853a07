"""`seed_server.fleet.harm_entries`: each site where leasing pauses has an entry, and none has many."""

import msgspec
import pytest

from seed_server.automation.event_types import event_type
from seed_server.fleet.harm_entries import MOST_SITES_AT_ONCE, SITE_AGAIN_SECONDS, SITE_PAUSED, HarmEntries
from seed_server.line.harm_evidence import HarmReason
from seed_server.store.audit_entry import AuditEntry, decode_entry
from seed_server.store.rows import HarmPauseRow, SiteLimitRow
from tests.helpers.rollout_company import BEGIN, Company

LIMIT = SiteLimitRow(
    site="osaka", at=BEGIN, active=True, endpoints=1, fetchers=1, rate=1, capacity=None, configured=False,
    state="ramp", reason="ramping up", seconds={}, yield_seconds=0.0, sending_seconds=0.0,
)  # fmt: skip
PAUSE_SECONDS = 900.0


@pytest.fixture
def entries(company: Company) -> HarmEntries:
    return HarmEntries(company.context, company.database)


def pause(company: Company, *sites: str, begun_at: float | None = None, pauses: int = 1) -> None:
    begun = company.clock.now() if begun_at is None else begun_at
    row = HarmPauseRow(HarmReason.SLOWED.value, begun, begun + PAUSE_SECONDS, pauses, pauses)
    company.database.save_site_limits(msgspec.structs.replace(LIMIT, site=site, harm=row) for site in sites)


def told(company: Company) -> list[AuditEntry]:
    found = [decode_entry(data) for _, data in company.database.audit_entries(0, 1 << 40)]
    return [entry for entry in found if entry.operation == SITE_PAUSED]


def test_a_pause_is_entered_once_with_its_reason(company: Company, entries: HarmEntries) -> None:
    assert entries.look() == 0
    pause(company, "osaka")
    assert [entries.look(), entries.look()] == [1, 0]
    [entry] = told(company)
    assert (entry.subject, entry.reason, entry.actor) == ("osaka", HarmReason.SLOWED.value, "engine")
    assert entry.details == {"begun at": repr(BEGIN), "until": "2027-01-15 08:15 UTC", "in a row": "1"}
    assert event_type(entry) == "site.paused"


def test_a_line_that_is_harmed_again_and_again_has_an_entry_an_hour(company: Company, entries: HarmEntries) -> None:
    pause(company, "osaka")
    entries.look()
    company.clock.wall += SITE_AGAIN_SECONDS - 1
    pause(company, "osaka", pauses=2)
    assert entries.look() == 0
    company.clock.wall += 1
    pause(company, "osaka", pauses=3)
    assert entries.look() == 1
    assert len(told(company)) == 2


def test_what_is_over_is_not_entered(company: Company, entries: HarmEntries) -> None:
    pause(company, "osaka", begun_at=company.clock.now() - PAUSE_SECONDS)
    assert entries.look() == 0


def test_another_process_goes_on_where_the_one_before_was(company: Company, entries: HarmEntries) -> None:
    pause(company, "osaka")
    entries.look()
    pause(company, "leeds")
    assert HarmEntries(company.context, company.database).look() == 1
    assert [entry.subject for entry in told(company)] == ["osaka", "leeds"]


def test_a_clock_that_is_set_back_hides_no_pause(company: Company, entries: HarmEntries) -> None:
    pause(company, "osaka")
    entries.look()
    company.clock.wall -= 86_400
    pause(company, "osaka", pauses=2)
    assert entries.look() == 1


def test_many_sites_are_entered_some_at_a_time(company: Company, entries: HarmEntries) -> None:
    names = [f"site-{number:02}" for number in range(MOST_SITES_AT_ONCE + 1)]
    pause(company, *names)
    assert [entries.look(), entries.look(), entries.look()] == [MOST_SITES_AT_ONCE, 1, 0]
    assert [entry.subject for entry in told(company)] == names


def test_an_entry_that_cannot_be_written_is_written_the_next_time(company: Company, entries: HarmEntries) -> None:
    from p2pdist.shared.errors import UserError

    pause(company, "osaka", "leeds")
    entries.look()
    key = next(company.context.home.online_keys.glob("audit*"))
    hidden = key.rename(key.with_suffix(".hidden"))
    pause(company, "oslo")
    with pytest.raises(UserError, match="audit key"):
        entries.look()
    hidden.rename(key)
    assert entries.look() == 1
    assert told(company)[-1].subject == "oslo"
