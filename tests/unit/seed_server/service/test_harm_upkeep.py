"""`seed_server.service.harm_upkeep`: pauses of sites come into the audit log, and what fails does so later."""

import msgspec
import trio
from structlog.testing import capture_logs

from seed_server.fleet.harm_entries import SITE_PAUSED
from seed_server.line.harm_evidence import HarmReason
from seed_server.service.harm_upkeep import HARM_LOOK_EVERY_SECONDS, enter_harm
from seed_server.store.audit_entry import decode_entry
from seed_server.store.rows import HarmPauseRow, SiteLimitRow
from tests.helpers.rollout_company import BEGIN, Company

LIMIT = SiteLimitRow(
    site="osaka", at=BEGIN, active=True, endpoints=1, fetchers=1, rate=1, capacity=None, configured=False,
    state="ramp", reason="ramping up", seconds={}, yield_seconds=0.0, sending_seconds=0.0,
    harm=HarmPauseRow(HarmReason.SLOWED.value, BEGIN, BEGIN + 900, 1, 1),
)  # fmt: skip


def told(company: Company) -> list[str]:
    found = [decode_entry(data) for _, data in company.database.audit_entries(0, 1 << 40)]
    return [entry.subject for entry in found if entry.operation == SITE_PAUSED]


async def looks(company: Company, autojump_clock: object, *, held: bool = False) -> None:
    with trio.move_on_after(HARM_LOOK_EVERY_SECONDS * 3.1):
        await enter_harm(company.context, company.database, lambda: held)


async def test_a_pause_is_entered_unless_it_is_held(company: Company, autojump_clock: object) -> None:
    company.database.save_site_limits([LIMIT, msgspec.structs.replace(LIMIT, site="leeds", harm=None)])
    await looks(company, autojump_clock, held=True)
    assert told(company) == []
    await looks(company, autojump_clock)
    assert told(company) == ["osaka"]


async def test_what_fails_is_said_once_and_tried_again(company: Company, autojump_clock: object) -> None:
    company.database.save_site_limits([LIMIT])
    key = next(company.context.home.online_keys.glob("audit*"))
    hidden = key.rename(key.with_suffix(".hidden"))
    with capture_logs() as logged:
        await looks(company, autojump_clock)
    assert [line["event"] for line in logged] == ["the audit log is not told of sites that pause"]
    hidden.rename(key)
    await looks(company, autojump_clock)
    assert told(company) == ["osaka"]
