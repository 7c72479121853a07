"""What a monitoring system is told is what the tallies say, and no more lines than there may be."""

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bandwidth.core.states import Reason
from p2pdist.shared.errors import UserError
from seed_server.automation.metrics import LINE_REASON_CODES, PAGE_SECONDS, SLOW_SECONDS, MetricsPage, metrics_text
from seed_server.automation.metrics_table import MOST_NAMED_SITES, UNSEEN_DAYS
from seed_server.fleet.operations import make_token
from seed_server.fleet.rollout_operations import halt_rollout
from seed_server.store.last_backup import LastBackup, write_last_backup
from seed_server.store.rows import HarmPauseRow, SeenRow, SiteLimitRow
from seed_server.store.serve_lock import serve_lock
from seed_server.store.tables_webhooks import WEBHOOK_DELIVERIES
from seed_server.store.webhook_records import DELIVERY_STATES, OF_NO_ENTRY, NewDelivery, WebhookRow
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, TESTERS, Company

MOST_LINES = 5_000  # as docs/metrics.md says
LIMIT = SiteLimitRow(
    site="osaka", at=BEGIN, active=True, endpoints=10, fetchers=1, rate=1_000, capacity=2_000, configured=False,
    state="ramp", reason="ramping up", seconds={"ramping up": 2.0, "a queue has formed": 3.0}, yield_seconds=4.0,
    sending_seconds=9.0,
)  # fmt: skip


def webhook(name: str, **values: Any) -> WebhookRow:
    return WebhookRow(0, name, "https://example.com", ("*",), BEGIN, "local:ada", **values)


def values(text: bytes) -> Mapping[str, float]:
    return {
        sample.name + "".join(f",{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def told(company: Company) -> Mapping[str, float]:
    return values(metrics_text(company.context))


def holds(company: Company, **wanted: float) -> None:
    found = told(company)
    for name, value in wanted.items():
        key = name.replace("__", ",")
        assert found.get(f"seed_server_{key}", 0.0) == value, name


def test_pcs_are_counted_by_state(company: Company) -> None:
    database = company.database
    for name in (*TESTERS, *OTHERS):
        database.save_seen({name: SeenRow("osaka", "10.0.0.1", "p2pdist/1", False, BEGIN)})
    database.save_seen({OTHERS[0]: SeenRow("leeds", "10.0.0.2", "p2pdist/1", True, BEGIN)})
    database.add_endpoint("new", "new", BEGIN, [])
    database.set_denied(OTHERS[1], True)
    database.set_denied(OTHERS[2], True, pending=True)
    with serve_lock(company.context.home, timeout_seconds=0).held():
        holds(
            company, pcs__connected=1, pcs__away=7, pcs__silent=0, pcs__never_seen=1, pcs__denied=1, pcs__pending=1,
            site_pcs__leeds__connected=1, site_pcs__osaka__away=7, serving=1,
        )  # fmt: skip
    company.clock.wall += (UNSEEN_DAYS + 1) * 86_400
    holds(company, pcs__away=0, pcs__silent=7, serving=0)


def test_patches_and_rollouts_are_counted(company: Company) -> None:
    company.start()
    company.look()
    company.say({TESTERS[0]: "verified"}, install="installed")
    company.say({TESTERS[1]: "failed"})
    holds(
        company, patches__offered=1, patches__withdrawn=0, rollouts__running=1, recent_steps=2,
        **{
            "rollout_pcs__installed__office@1__test__1": 1,
            "rollout_pcs__failed__office@1__test__1": 1,
            "rollout_pcs__waiting__office@1__test__1": 1,
            "rollout_pcs__waiting__office@1__all__1": 7,
        },
    )  # fmt: skip
    assert told(company)["seed_server_rollouts,halted"] == 0
    halt_rollout(company.context, ADA, 1, "looks bad")
    assert told(company)["seed_server_rollouts,halted"] == 1


def test_an_offered_patch_is_counted_by_how_far_pcs_are(company: Company) -> None:
    company.say({TESTERS[0]: "verified"}, install="installed")
    company.say({TESTERS[1]: "failed"})
    holds(company, patches__offered=1, pc_patches__installed=1, pc_patches__failed=1, pc_patches__silent=8)
    assert told(company)["seed_server_audit_entries_total"] >= 1


def test_lines_are_told_by_site_and_reason(company: Company) -> None:
    harm = HarmPauseRow("queue", begun_at=BEGIN, ends_at=BEGIN + 60, in_a_row=1, pauses=3)
    company.database.save_site_limits([msgspec.structs.replace(LIMIT, harm=harm)])
    company.database.add_wan_bytes({("osaka", "a"): 100, ("osaka", "b"): 11})
    holds(
        company, line_bytes_total__osaka=111, line_rate_bytes_per_second__osaka=1_000,
        line_limiter_seconds_total__ramping__osaka=2, line_limiter_seconds_total__queue__osaka=3,
        line_sending_seconds_total__osaka=9, line_yield_seconds_total__osaka=4,
        site_harm_pauses_total__osaka=3, site_harm_pause_seconds__osaka=60,
    )  # fmt: skip
    assert set(LINE_REASON_CODES) == {reason.value for reason in Reason}


def test_what_expires_and_what_takes_room_is_told(company: Company) -> None:
    found = told(company)
    assert "seed_server_backup_timestamp_seconds" not in found
    write_last_backup(company.context.home, LastBackup(BEGIN + 5, "/backups"))
    found = told(company)
    assert found["seed_server_backup_timestamp_seconds"] == BEGIN + 5
    roles = {expiry.role: expiry.expires_at for expiry in company.context.repository().expiries()}
    assert found["seed_server_metadata_expires_timestamp_seconds,timestamp"] == roles["timestamp"]
    assert found["seed_server_authority_expires_timestamp_seconds"] > BEGIN
    assert found["seed_server_disk_used_bytes,content"] > 0
    assert found["seed_server_disk_free_bytes"] < found["seed_server_disk_size_bytes"]
    assert found["seed_server_prepared_bundles"] == 0
    before = found["seed_server_problems,true"]
    company.context.home.sites.write_text("[[site]]\n")
    assert told(company)["seed_server_problems,true"] == before + 1


def test_webhooks_are_told_by_name(company: Company) -> None:
    database, context = company.database, company.context
    assert not [key for key in told(company) if key.startswith("seed_server_webhook")]
    company.start()
    size = database.audit_size()
    number = database.add_webhook(webhook("chat", cursor=size - 1, failing_since=company.clock.now() - 90))
    database.add_webhook(webhook("pager", cursor=size, stopped="gone"))
    for place, state in enumerate(["unsure", "waiting", "waiting", "sent", "dead"]):
        database.add_delivery(number, NewDelivery(f"evt-{place}", OF_NO_ENTRY, "webhook.ping", BEGIN, b"{}", True))
        with database._writing() as connection:
            row = WEBHOOK_DELIVERIES.c.event_id == f"evt-{place}"
            connection.execute(WEBHOOK_DELIVERIES.update().where(row).values(state=DELIVERY_STATES.index(state)))
    found = values(metrics_text(context))
    told_of = {key.removeprefix("seed_server_webhook_"): value for key, value in found.items() if "_webhook_" in key}
    assert told_of == {
        "events,waiting,chat": 3, "events,dead,chat": 1, "events,waiting,pager": 0, "events,dead,pager": 0,
        "behind_entries,chat": 1, "behind_entries,pager": 0,
        "failing_seconds,chat": 90, "failing_seconds,pager": 0,
        "stopped,chat,paused": 0, "stopped,chat,gone": 0, "stopped,pager,paused": 0, "stopped,pager,gone": 1,
    }  # fmt: skip


def test_ten_thousand_sites_are_a_bounded_number_of_lines(company: Company) -> None:
    database = company.database
    names = [f"site-{number:05}" for number in range(10_000)]
    with database.batch():
        for number in range(300):  # the first one has two
            database.add_endpoint(f"e{number}", f"e{number}", BEGIN, [])
            site = names[max(0, number - 1)]
            database.save_seen({f"e{number}": SeenRow(site, "10.0.0.1", "p2pdist/1", False, BEGIN)})
    seconds = {reason.value: 1.0 for reason in Reason}
    harm = HarmPauseRow("queue", begun_at=BEGIN, ends_at=BEGIN + 60, in_a_row=1, pauses=1)
    database.save_site_limits(
        msgspec.structs.replace(LIMIT, site=name, seconds=seconds | {"of a newer release": 1.0}, harm=harm)
        for name in names
    )
    database.add_wan_bytes({(name, "a"): 1 for name in ("osaka", *names)})
    company.start()
    text = metrics_text(company.context)
    assert len(text.splitlines()) < MOST_LINES
    found = values(text)
    sites = {key.partition(",")[2] for key in found if key.startswith("seed_server_line_bytes_total")}
    assert len(sites) == MOST_NAMED_SITES + 1
    assert {"osaka", "site-00000", "other"} < sites
    assert sum(value for key, value in found.items() if key.startswith("seed_server_line_bytes_total")) == 10_001
    assert found["seed_server_line_limiter_seconds_total,other,site-00000"] == 1


def test_a_page_is_made_anew_at_most_every_few_seconds(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = {"all": 0, "slow": 0}
    page = MetricsPage(company.context)
    read, slow = page._text.read, page._slow.read

    def counted(name: str, inner: Any) -> Any:
        def looked() -> Any:
            looks[name] += 1
            return inner()

        return looked

    monkeypatch.setattr(page._text, "read", counted("all", read))
    monkeypatch.setattr(page._slow, "read", counted("slow", slow))
    first = page.text()
    make_token(company.context, ADA, uses=1, seconds=60)
    company.clock.wall += PAGE_SECONDS - 1
    assert page.text() is first
    company.clock.wall += 1
    second = page.text()
    entries = "seed_server_audit_entries_total"
    assert values(second)[entries] == values(first)[entries] + 1
    assert looks == {"all": 2, "slow": 1}
    company.clock.wall += SLOW_SECONDS
    page.text()
    assert looks == {"all": 3, "slow": 2}


def test_looks_take_a_tenth_of_the_time_at_most(company: Company) -> None:
    page = MetricsPage(company.context)
    looked: list[float] = []

    def look() -> bytes:
        looked.append(company.clock.wall)
        company.clock.wall += 2.0
        return b""

    page._text.read = look
    for _ in range(60):
        page.text()
        company.clock.wall += 1.0
    assert [later - before for before, later in itertools.pairwise(looked)] == [20.0] * 3


def test_a_home_that_is_none_is_said(company: Company) -> None:
    company.context.home.settings.unlink()
    with pytest.raises(UserError, match="is not the home of a seed server"):
        metrics_text(company.context)
