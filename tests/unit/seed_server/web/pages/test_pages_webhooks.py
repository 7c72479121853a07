"""The pages of webhooks: what is sent where, what became of it, and secrets that are shown once."""

import re
import sqlite3

import pytest

from seed_server.automation import webhook_operations
from seed_server.fleet import operations
from seed_server.fleet.roles import Role
from seed_server.store.webhook_records import NewDelivery
from tests.helpers.pages_client import RIGHT_CODE, ROOT, pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio
URL = "https://chat.example.com/hooks/SECRETPATH"


def _add(company: Company, name: str = "chat") -> int:
    made = webhook_operations.add_webhook(company.context, ROOT, name, URL, events=["token"])
    return made.webhook.number


def _deliveries(company: Company, webhook: int, count: int) -> list[int]:
    return [
        company.database.add_delivery(webhook, NewDelivery(f"id{k}", k, "token.made", company.clock.now(), b"{}", True))
        for k in range(count)
    ]


async def test_only_who_may_set_them_up_sees_them(company: Company) -> None:
    _add(company)
    roles: tuple[Role, ...] = ("viewer", "operator", "auditor")
    async with pages_of(company.context) as site:
        for role in roles:
            browser = site.browser(role, role)
            for path in ("/webhooks", "/webhooks/chat"):
                assert (await browser.get(path)).status == 403
            for path in (
                "",
                "/chat/secret",
                "/chat/pause",
                "/chat/resume",
                "/chat/test",
                "/chat/redeliver",
                "/chat/remove",
            ):
                fields = {"name": "x", "url": URL, "events": "*", "sure": "true", "_code": RIGHT_CODE}
                assert (await browser.post(f"/webhooks{path}", fields)).status == 403
    assert [one.name for one in company.database.webhooks()] == ["chat"]


async def test_one_is_set_up_and_its_secret_is_shown_once(company: Company) -> None:
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        fields = {"name": "chat", "url": URL, "events": ["rollout", "token.made"]}
        assert company.database.webhooks() == []
        asked = await chief.post("/webhooks", fields)
        assert company.database.webhooks() == []
        assert URL in asked.text  # it is kept in the page that asks for a second factor
        made = await chief.post("/webhooks", {**fields, "_code": RIGHT_CODE})
        secret = re.search("whsec_[A-Za-z0-9+/=]+", made.text)
        assert secret is not None
        for path in ("/webhooks", "/webhooks/chat"):
            answer = await chief.get(path)
            assert secret[0] not in answer.text
            assert "SECRETPATH" not in answer.text
            assert "https://chat.example.com" in answer.words
        other = await chief.post("/webhooks/chat/secret", {"at_once": "true"})
        again = re.search("whsec_[A-Za-z0-9+/=]+", other.text)
        assert again is not None
        assert again[0] != secret[0]
    (row,) = company.database.webhooks()
    assert row.events == ("rollout", "token.made")


async def test_what_cannot_be_is_said_with_what_was_typed(company: Company) -> None:
    async with pages_of(company.context) as site:
        site.step_up_until = company.clock.now() + 900
        chief = site.browser("ada", "administrator")
        for fields, words in (
            ({"name": "<b>", "url": URL, "events": "*"}, "is no name of a webhook"),
            ({"name": "chat", "url": "javascript:alert(1)", "events": "*"}, "is no address for a webhook"),
            ({"name": "chat", "url": "https://127.0.0.1/x", "events": "*"}, "webhooks do not lead there"),
            ({"name": "chat", "url": "http://chat.example.com/", "events": "*"}, "is no address for a webhook"),
            ({"name": "chat", "url": URL}, "Say which events are sent"),
            ({"name": "chat", "url": URL, "events": '"><script>alert(1)</script>'}, "is no type of event"),
        ):
            answer = await chief.post("/webhooks", fields)
            assert answer.status in {409, 422}
            assert words in answer.words, answer.words
            assert "<script>alert" not in answer.text
    assert company.database.webhooks() == []


async def test_deliveries_are_listed_by_their_state_page_by_page(company: Company) -> None:
    number = _add(company)
    sent = _deliveries(company, number, 60)
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        first = await chief.get("/webhooks/chat")
        assert str(sent[-1]) in first.words
        (more,) = [link for link in first.links if "after=" in link]
        assert f"after={sent[10]}" in more
        second = await chief.get(more)
        assert second.text.count('scope="row"') == 10
        assert "There is no such delivery" in (await chief.get("/webhooks/chat?state=dead")).words
        assert (await chief.get("/webhooks/chat?state=lost")).status == 422
        assert (await chief.get("/webhooks/nothing")).status == 404


async def test_it_is_paused_resumed_tried_and_removed(company: Company) -> None:
    _add(company)
    async with pages_of(company.context) as site:
        site.step_up_until = company.clock.now() + 900
        chief = site.browser("ada", "administrator")
        assert (await chief.post("/webhooks/chat/test")).header("location") == "/webhooks/chat"
        assert "tries it" in (await chief.get("/webhooks/chat")).words
        assert (await chief.post("/webhooks/chat/pause")).status == 303
        assert "paused" in (await chief.get("/webhooks")).words
        assert (await chief.post("/webhooks/chat/pause")).status == 409
        operations.make_token(company.context, ROOT, uses=1, seconds=60)
        assert (await chief.post("/webhooks/chat/resume", {"from_now": "true"})).status == 303
        (row,) = company.database.webhooks()
        assert (row.stopped, row.cursor) == ("", company.database.audit_size() - 1)
        assert (await chief.post("/webhooks/chat/remove")).status == 422
        assert (await chief.post("/webhooks/chat/remove", {"sure": "true"})).header("location") == "/webhooks"
    assert company.database.webhooks() == []


async def test_what_was_given_up_is_sent_once_more(company: Company) -> None:
    number = _add(company)
    one, two, _ = _deliveries(company, number, 3)
    _give_up(company, one, two)
    async with pages_of(company.context) as site:
        chief = site.browser("ada", "administrator")
        dead = await chief.get("/webhooks/chat?state=dead")
        assert dead.text.count('scope="row"') == 2
        assert (await chief.post("/webhooks/chat/redeliver", {"delivery": str(one)})).status == 303
        assert company.database.delivery(one).state == "waiting"  # type: ignore[union-attr]
        assert company.database.delivery(two).state == "dead"  # type: ignore[union-attr]
        assert (await chief.post("/webhooks/chat/redeliver")).status == 303
        assert company.database.delivery(two).state == "waiting"  # type: ignore[union-attr]
        assert (await chief.post("/webhooks/chat/redeliver", {"delivery": "999999"})).status == 422


def _give_up(company: Company, *numbers: int) -> None:
    with sqlite3.connect(company.context.home.database) as state:
        marks = ", ".join("?" * len(numbers))
        state.execute(f"UPDATE webhook_deliveries SET state = 3, ended_at = 9.0 WHERE number IN ({marks})", numbers)
