"""`seed_server.reporting.site_list`: all sites, a page at a time."""

import msgspec
import pytest

from p2pdist.shared.errors import UserError
from seed_server.fleet.sites import never_sent, read_site, site_statuses
from seed_server.reporting.site_list import SitesQuestion, SiteState, read_site_list, read_site_pcs, state_of
from seed_server.store.minute_rows import LineSlot, slot_of
from seed_server.store.rows import HarmPauseRow, SeenRow, SiteLimitRow
from seed_server.store.site_health import PcsOfSite
from tests.helpers.rollout_company import BEGIN, OTHERS, TESTERS, Company

LIMIT = msgspec.structs.replace(never_sent("osaka"), at=BEGIN - 5, active=True, rate=500, reason="ramping up")
PAUSE = HarmPauseRow("connections of others were slowed down while we sent", BEGIN - 60, BEGIN + 840, 1, 1)


@pytest.mark.parametrize(
    ("limit", "serving", "state"),
    [
        (LIMIT, True, "sending"),
        (LIMIT, False, "quiet"),
        (msgspec.structs.replace(LIMIT, rate=0), True, "waiting"),
        (msgspec.structs.replace(LIMIT, active=False), True, "quiet"),
        (msgspec.structs.replace(LIMIT, active=False, harm=PAUSE), True, "paused"),
        (msgspec.structs.replace(LIMIT, harm=msgspec.structs.replace(PAUSE, ends_at=BEGIN)), True, "sending"),
        (never_sent("osaka"), True, "never"),
    ],
)
def test_a_site_is_in_one_state(limit: SiteLimitRow, serving: bool, state: SiteState) -> None:
    (status,) = site_statuses([limit], {})
    assert state_of(status, BEGIN, serving=serving) == state


def test_all_sites_are_there_with_their_pcs_patches_and_harm(company: Company) -> None:
    company.say({OTHERS[0]: "fetching", OTHERS[1]: "verified"})
    company.database.save_findings({OTHERS[0]: ["mdns"], OTHERS[1]: ["clock"]})
    company.database.save_seen({TESTERS[0]: SeenRow("osaka", "10.0.0.1", "p2pdist/1", False, BEGIN)})
    company.database.add_line_minutes([LineSlot("osaka", slot_of(BEGIN) - 1, sent=1, harm_seconds=7.0)])
    company.context.home.sites.write_text('[[site]]\nname = "kobe"\nnetworks = ["10.1.0.0/16"]\n')
    found = read_site_list(company.context, SitesQuestion(order="name"))
    kobe, osaka = found.rows
    assert (kobe.status.limit.site, kobe.state, kobe.pcs, kobe.patches) == ("kobe", "never", PcsOfSite(0, 0, 0), 0)
    assert (osaka.pcs, osaka.patches, osaka.harm_seconds) == (PcsOfSite(10, 9, 2), 1, 7.0)
    assert (found.total, found.counts["never"], found.rate) == (2, 2, 0)
    assert read_site_pcs(company.context, "osaka")["away"] == 10, "no server serves, so nobody is connected"
    assert read_site_pcs(company.context, "kobe")["away"] == 0


def test_a_map_that_cannot_be_read_hides_no_site(company: Company) -> None:
    company.context.home.sites.write_text("[[site]\n")
    assert [row.status.limit.site for row in read_site_list(company.context, SitesQuestion()).rows] == ["osaka"]


def test_orders(company: Company) -> None:
    rows = [("a", 5, 900), ("b", 9, 100), ("c", 0, 500)]
    company.database.save_site_limits(
        [msgspec.structs.replace(LIMIT, site=site, rate=rate, capacity=line) for site, rate, line in rows]
    )

    def names(**asked: str) -> str:
        found = read_site_list(company.context, SitesQuestion(**asked)).rows  # type: ignore[arg-type]
        return "".join(row.status.limit.site for row in found if row.status.limit.site != "osaka")

    assert names(order="name") == "abc"
    assert names(order="line") == "acb"
    assert names(part="B") == "b"
    assert names(state="never") == ""


def test_pages_follow_on_each_other(company: Company) -> None:
    company.database.save_site_limits([msgspec.structs.replace(LIMIT, site=f"s{n}") for n in range(5)])
    seen, after = [], ""
    while True:
        page = read_site_list(company.context, SitesQuestion("s", order="name", size=2, after=after))
        seen += [row.status.limit.site for row in page.rows]
        after = page.after
        if not after:
            break
    assert seen == [*sorted({"osaka", *(f"s{n}" for n in range(5))})]
    with pytest.raises(UserError, match="is not shown any more"):
        read_site_list(company.context, SitesQuestion(after="nowhere"))


def test_one_site_is_read_by_itself(company: Company) -> None:
    company.database.save_site_limits([LIMIT, msgspec.structs.replace(LIMIT, site="kobe")])
    look = read_site(company.context, "osaka")
    assert (look.site.limit.site, look.serving, look.number is None) == ("osaka", False, False)
    company.context.home.sites.write_text('[[site]]\nname = "nara"\nnetworks = ["10.1.0.0/16"]\n')
    assert (read_site(company.context, "nara").site.limit.at, read_site(company.context, "nara").number) == (0.0, None)
    with pytest.raises(UserError, match="No site 'osako' is known"):
        read_site(company.context, "osako")
