"""`seed_server.web.api.events`: what is done, as it is done, to many listeners, and none is missed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import revoke_api_token
from seed_server.fleet.endpoint_operations import allow, deny
from seed_server.fleet.roles import NO_RIGHTS, WHOLE_SCOPE, Role, rights_of
from seed_server.web.api.events import (
    BEAT_SECONDS,
    KEPT_EVENTS,
    LIFE_SECONDS,
    MAX_LISTENERS,
    READ_EVENTS,
    TOKEN_SECONDS,
    EventFeed,
    Listening,
    listening,
)
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import ApiCall
from tests.helpers.api_client import ROOT, api_of
from tests.helpers.rollout_company import ADA, OTHERS, Company


def call_of(company: Company, role: Role = "auditor", after: int | None = None) -> ApiCall[Listening, None]:
    rights = rights_of(frozenset({role}), WHOLE_SCOPE)
    return ApiCall(company.context, Actor("eve", "token", rights, "t"), Listening(after=after), None)


def events_in(part: bytes) -> list[tuple[int, dict[str, object]]]:
    found = []
    for block in part.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def change(company: Company, times: int = 1) -> None:
    for number in range(times):
        (allow if number % 2 else deny)(company.context, ADA, OTHERS[0])


@asynccontextmanager
async def feed_of(company: Company) -> AsyncIterator[EventFeed]:
    feed = EventFeed(company.context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        yield feed
        nursery.cancel_scope.cancel()


async def heard(parts: AsyncIterator[bytes], count: int) -> list[tuple[int, dict[str, object]]]:
    found: list[tuple[int, dict[str, object]]] = []
    with trio.fail_after(20):
        async for part in parts:
            found += events_in(part)
            if len(found) >= count:
                return found
    raise AssertionError(found)


@pytest.mark.trio
async def test_events_come_as_they_happen_with_all_that_an_auditor_sees(company: Company) -> None:
    async with feed_of(company) as feed, listening(feed, call_of(company), "", "") as parts:
        assert (await anext(parts)).startswith(b"retry: ")
        size = company.database.audit_size()
        change(company, 3)
        found = await heard(parts, 3)
    assert [number for number, _ in found] == [size, size + 1, size + 2]
    assert [event["operation"] for _, event in found] == ["deny", "allow", "deny"]
    assert found[0][1]["actor"] == "local:ada"


@pytest.mark.trio
async def test_who_may_only_look_hears_what_and_when_and_not_who(company: Company) -> None:
    async with feed_of(company) as feed, listening(feed, call_of(company, "viewer"), "", "") as parts:
        await anext(parts)
        change(company)
        ((number, event),) = await heard(parts, 1)
    assert event == {"number": number, "at": event["at"], "operation": "deny", "subject": OTHERS[0]}


@pytest.mark.trio
async def test_who_comes_back_misses_nothing_however_far_behind(company: Company) -> None:
    change(company, 5)
    size = company.database.audit_size()
    async with feed_of(company) as feed:
        async with listening(feed, call_of(company), "", str(size - 4)) as parts:
            await anext(parts)
            assert [number for number, _ in await heard(parts, 3)] == [size - 3, size - 2, size - 1]
        async with listening(feed, call_of(company, after=size - 2), "", "") as parts:
            await anext(parts)
            assert [number for number, _ in await heard(parts, 1)] == [size - 1]
        for unknown in (str(10**12), "x", "-1"):
            async with listening(feed, call_of(company), "", unknown) as parts:
                await anext(parts)
                change(company)
                assert len(await heard(parts, 1)) == 1


@pytest.mark.trio
async def test_one_task_looks_for_all_and_only_while_somebody_listens(company: Company) -> None:
    async with feed_of(company) as feed:
        await trio.sleep(0.1)
        assert feed.looks == 0
        async with listening(feed, call_of(company), "", "") as one, listening(feed, call_of(company), "", "") as other:
            await anext(one)
            await anext(other)
            change(company)
            assert [number for number, _ in await heard(one, 1)] == [number for number, _ in await heard(other, 1)]
            assert feed.listeners == 2
        assert feed.listeners == 0
        looks = feed.looks
        await trio.sleep(1.2)
        assert feed.looks <= looks + 1


@pytest.mark.trio
async def test_so_many_listen_and_no_more(company: Company) -> None:
    async with feed_of(company) as feed:
        feed.listeners = MAX_LISTENERS - 1
        await feed.begin()
        with pytest.raises(ApiProblemError) as caught:
            await feed.begin()
        assert caught.value.kind.name == "too-many"
        feed.end()
        await feed.begin()


@pytest.mark.trio
async def test_the_log_is_read_in_parts_by_who_is_far_behind(company: Company) -> None:
    change(company, READ_EVENTS)
    found, number = [], 0
    async with feed_of(company) as feed:
        await feed.begin()
        while part := await feed.behind(number):
            assert len(part) <= READ_EVENTS < KEPT_EVENTS
            found += [one.entry.number for one in part]
            number = found[-1] + 1
    assert found == list(range(company.database.audit_size()))
    assert len(found) > READ_EVENTS


@pytest.mark.trio
async def test_listeners_that_come_and_go_while_much_is_done_miss_nothing_and_stop_nobody(company: Company) -> None:
    """What one look has found and what another one has counted must be of the same log."""

    async def work() -> None:
        while True:
            await trio.to_thread.run_sync(change, company, 2)

    async def one(feed: EventFeed) -> None:
        for _ in range(4):
            async with listening(feed, call_of(company), "", "") as parts:
                await anext(parts)
                numbers = [number for number, _ in await heard(parts, 2)]
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            await trio.sleep(0.01)

    with trio.fail_after(60):
        async with feed_of(company) as feed, trio.open_nursery() as nursery:
            nursery.start_soon(work)
            async with trio.open_nursery() as listeners:
                for _ in range(3):
                    listeners.start_soon(one, feed)
            nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_the_route_needs_a_token_and_answers_in_parts(company: Company) -> None:
    async with api_of(company.context) as api:
        assert (await api.ask("GET", "/api/v1/events")).status == 401
        token = api.token("eve", "viewer")
        assert (await api.ask("GET", "/api/v1/events?after=x", token)).status == 422
        got = []
        with trio.move_on_after(1.5):
            got.append(await api.ask("GET", "/api/v1/events", token))
        assert got == []  # it lasts
        assert api.feed.listeners == 0


async def test_a_quiet_stream_has_a_heartbeat_and_an_end(company: Company, autojump_clock: object) -> None:
    """In virtual time: nothing happens for half an hour."""
    del autojump_clock
    async with api_of(company.context) as api:
        token = api.token("eve", "viewer")
        call = ApiCall(api.context, Actor("eve", "token", NO_RIGHTS, "t"), Listening(), None)
        began, beats = trio.current_time(), 0
        async with listening(api.feed, call, f"Bearer {token}", "") as parts:
            last = began
            async for part in parts:
                assert trio.current_time() - last <= BEAT_SECONDS + 1
                last, beats = trio.current_time(), beats + (part == b":\n\n")
        assert LIFE_SECONDS <= trio.current_time() - began <= LIFE_SECONDS + BEAT_SECONDS + 1
        assert beats >= LIFE_SECONDS / BEAT_SECONDS - 2


async def test_a_token_that_is_revoked_ends_its_stream(company: Company, autojump_clock: object) -> None:
    del autojump_clock
    async with api_of(company.context) as api:
        token = api.token("eve", "viewer")
        (row,) = company.database.api_tokens("eve")
        call = ApiCall(api.context, Actor("eve", "token", NO_RIGHTS, "t"), Listening(), None)
        began = trio.current_time()
        async with listening(api.feed, call, f"Bearer {token}", "") as parts:
            await anext(parts)
            revoke_api_token(company.context, ROOT, row.token_id)
            async for _ in parts:
                pass
        assert trio.current_time() - began <= TOKEN_SECONDS + BEAT_SECONDS + 1
