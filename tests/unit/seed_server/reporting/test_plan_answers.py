"""`seed_server.reporting.plan_answers`: a plan of a company's own state, and what became of it."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import operations
from seed_server.fleet.ring_templates import parse_ring_template
from seed_server.fleet.shipped_rings import shipped_rings
from seed_server.reporting.plan_answers import UNKNOWN_LINES, UNKNOWN_PCS, keep_plan, read_plan
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.plan_rows import THIRD_SECONDS, WEEK_HOUR_SECONDS, WatchedHour
from seed_server.store.rows import SiteLimitRow
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, TESTERS, Company

EVERYBODY = TESTERS + OTHERS


def learn(company: Company) -> None:
    """Let the server have watched osaka for three weeks, with all PCs on and 1 byte per second on its line."""
    first = BEGIN - BEGIN % WEEK_HOUR_SECONDS - 3 * 7 * 86_400
    for hour in range(3 * 168):
        at = first + hour * WEEK_HOUR_SECONDS
        company.database.add_line_hours([WatchedHour("osaka", at, 3_600.0, 36_000.0, 0, 3_600.0, 3_600)])
    for third in range(int(first // THIRD_SECONDS), int(BEGIN // THIRD_SECONDS) + 1):
        company.database.save_pc_thirds(dict.fromkeys(EVERYBODY, third))


def test_a_plan_of_what_nobody_knows_says_so(company: Company) -> None:
    plan = read_plan(company.context, "office")
    (site,) = plan.sites
    assert (plan.patch, plan.template, plan.rollout, plan.start) == ("office@1", "", None, BEGIN)
    assert (site.site, site.pcs, site.line_known, site.presence_known) == ("osaka", 10, False, False)
    assert {UNKNOWN_LINES, UNKNOWN_PCS} <= set(plan.assumptions)
    assert (site.actual_finish, site.error) == (None, None)


def test_a_plan_goes_by_what_was_learned(company: Company) -> None:
    learn(company)
    (site,) = read_plan(company.context, "office").sites
    assert (site.line_known, site.presence_known) == (True, True)
    assert site.wan_bytes == 7  # "payload", once
    assert site.finish_p50 is not None
    assert site.finish_p90 is not None
    assert BEGIN < site.finish_p50 <= site.finish_p90 < BEGIN + 300


def test_what_pcs_have_is_not_sent_again(company: Company) -> None:
    company.say(dict.fromkeys(OTHERS, "verified"))
    (site,) = read_plan(company.context, "office").sites
    assert (site.pcs, site.pcs_done, site.wan_bytes) == (3, 7, 0)


def test_what_has_crossed_the_line_is_not_counted_twice(company: Company) -> None:
    manifest = next(iter(company.repository.manifests()))
    company.database.add_wan_bytes({("osaka", manifest.payloads[0].torrent_hash): 5})
    assert read_plan(company.context, "office").wan_bytes == 2


def test_a_pc_that_was_not_seen_for_a_week_is_not_waited_for(company: Company) -> None:
    company.seen(OTHERS, connected=False)
    company.clock.wall += 8 * 86_400
    (site,) = read_plan(company.context, "office").sites
    assert (site.pcs, site.pcs_away) == (3, 7)


def test_a_plan_by_rings_says_when_each_opens(company: Company) -> None:
    learn(company)
    template = parse_ring_template(shipped_rings("rings"), "rings")
    plan = read_plan(company.context, "office", template=template, start=BEGIN + 3_600)
    assert [ring.name for ring in plan.rings] == ["test", "first", "fast", "broad", "last"]
    opens = [ring.opens_p50 for ring in plan.rings]
    assert opens[0] == BEGIN + 3_600
    assert all(at is not None for at in opens)
    assert opens == sorted(opens, key=lambda at: at or 0.0)
    assert plan.rings[0].pcs == len(TESTERS)
    assert plan.finish_p50 is not None
    assert plan.finish_p50 > BEGIN + 3_600 + 2 * 86_400


def test_an_unknown_patch_and_a_time_that_is_over_are_refused(company: Company) -> None:
    for words, start in (("nothing", None), ("office", BEGIN - 3_600)):
        with pytest.raises(UserError) as refused:
            read_plan(company.context, words, start=start)
        assert refused.value.kind is FaultKind.BAD_INPUT


def test_what_was_planned_stands_beside_what_became_of_it(company: Company) -> None:
    learn(company)
    kept = company.start()
    company.look()
    manifest = next(iter(company.repository.manifests()))
    keep_plan(company.context, company.database, kept, manifest)
    company.clock.wall += 600
    company.database.add_wan_bytes({("osaka", manifest.payloads[0].torrent_hash): 9})
    company.say(dict.fromkeys(EVERYBODY, "verified"))
    plan = read_plan(company.context, "office")
    (site,) = plan.sites
    assert (plan.rollout, plan.template) == (1, "two")
    assert (site.actual_finish, site.actual_bytes, site.pcs_done) == (company.clock.wall, 9, 10)
    assert plan.actual_finish == company.clock.wall
    assert site.error is not None
    assert plan.median_error == abs(site.error)
    fresh = read_plan(company.context, "office", start=company.clock.wall)
    assert (fresh.rollout, fresh.pcs) == (None, 0), "asked for, a plan of now is made in any case"


def test_a_kept_plan_that_cannot_be_read_is_named(company: Company) -> None:
    company.start()
    company.database.keep_forecast(1, b"broken", BEGIN)
    with pytest.raises(UserError) as broken:
        read_plan(company.context, "office")
    assert broken.value.kind is FaultKind.STORAGE


def test_a_line_s_share_is_of_what_it_carries(company: Company) -> None:
    learn(company)
    limit = SiteLimitRow(
        site="osaka", at=BEGIN, active=False, endpoints=10, fetchers=0, rate=0, capacity=2, configured=False,
        state="scavenge", reason="", seconds={}, yield_seconds=0.0, sending_seconds=0.0,
    )  # fmt: skip
    company.database.save_site_limits([limit])
    (site,) = read_plan(company.context, "office").sites
    assert site.line_share == pytest.approx(0.5, abs=0.02)


def test_a_site_s_profile_holds_also_for_plans(company: Company, tmp_path: Path) -> None:
    learn(company)
    for name, rule, waits in (
        ("stop.toml", '[[blackout]]\nname = "for good"', None),
        ("evening.toml", '[[blackout]]\nname = "evening"\nfrom = "17:00"\nto = "19:00"', 7_200.0),
    ):
        (tmp_path / name).write_text(f'name = "ours"\ntime_zone = "Asia/Tokyo"\n{rule}\n')
        keys = OfflineKeys(company.context.home.offline_keys, None)
        operations.set_profile(company.context, ADA, "osaka", tmp_path / name, keys)
        (site,) = read_plan(company.context, "office").sites
        if waits is None:
            assert (site.finish_p50, site.finish_p90) == (None, None), "never, as far as it can be seen"
        else:
            assert site.finish_p50 == pytest.approx(BEGIN + waits + 12, abs=8), "17:00 there is now"
