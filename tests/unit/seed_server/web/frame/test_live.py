"""`seed_server.web.frame.live`: what happens, told to pages that are open."""

import contextlib
from typing import Any

import pytest
import trio
import trio.testing

from seed_server.fleet.people_operations import add_person, set_disabled
from seed_server.web.api.events import MAX_LISTENERS, EventFeed
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.frame.live import MAX_WATCHERS, PROGRESS_TOLD_SECONDS, watching
from tests.helpers.pages_client import ROOT, Browser, pages_of
from tests.helpers.rollout_company import Company

pytestmark = pytest.mark.trio


class Stream:
    """An open stream of events."""

    def __init__(self, browser: Browser, address: str = "/live", headers: dict[str, str] | None = None) -> None:
        self.scope = browser.scope("GET", address, headers)
        self.app = browser.app
        self.status = 0
        self.parts: list[bytes] = []
        self.changed = trio.Event()

    async def run(self) -> None:
        async def receive() -> Any:
            await trio.sleep_forever()

        async def send(message: Any) -> None:
            await trio.lowlevel.checkpoint()
            self.status = message.get("status", self.status)
            if body := message.get("body"):
                self.parts.append(body)
            self.changed.set()
            self.changed = trio.Event()

        await self.app(self.scope, receive, send)

    async def until(self, words: bytes) -> bytes:
        with trio.fail_after(10):
            while words not in (text := b"".join(self.parts)):
                await self.changed.wait()
        return text


async def test_a_page_is_told_type_and_number_and_no_more(company: Company) -> None:
    async with pages_of(company.context) as site, trio.open_nursery() as nursery:
        stream = Stream(site.browser("eve", "viewer"))
        nursery.start_soon(stream.run)
        await stream.until(b"retry:")
        add_person(site.context, ROOT, "mallory", roles=("viewer",), sites=(), tags=())
        text = await stream.until(b"account.added")
        assert b"mallory" not in text
        assert stream.status == 200
        nursery.cancel_scope.cancel()


async def test_who_comes_back_misses_nothing(company: Company) -> None:
    async with pages_of(company.context) as site, trio.open_nursery() as nursery:
        browser = site.browser("eve", "viewer")
        for address, headers in (("/live?after=0", {}), ("/live", {"last-event-id": "0"})):
            stream = Stream(browser, address, headers)
            nursery.start_soon(stream.run)
            await stream.until(b"account.added")
        nursery.cancel_scope.cancel()


async def test_strangers_hear_nothing(company: Company) -> None:
    async with pages_of(company.context) as site:
        assert (await site.browser().get("/live")).status == 401
        assert site.feed.listeners == 0


async def test_a_stream_ends_with_its_session(company: Company, autojump_clock: trio.testing.MockClock) -> None:
    del autojump_clock
    feed = EventFeed(company.context)
    holds = [True]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        beats = 0
        async with watching(feed, lambda: holds[0], "") as parts:
            async for part in parts:
                beats += part == b":\n\n"
                holds[0] = beats < 3
        assert 3 <= beats <= 12  # it is asked each minute, and beats each 10 s
        assert feed.listeners == feed.watchers == 0
        nursery.cancel_scope.cancel()


async def test_what_pcs_report_is_told_now_and_then(company: Company, autojump_clock: trio.testing.MockClock) -> None:
    del autojump_clock
    feed = EventFeed(company.context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        async with watching(feed, lambda: True, "") as parts:
            began, told = trio.current_time(), list[bytes]()
            async for part in parts:
                told += [part] if b"data: progress" in part else []
                if len(told) == 3:
                    break
        assert 3 * PROGRESS_TOLD_SECONDS <= trio.current_time() - began <= 3 * (PROGRESS_TOLD_SECONDS + 10.0)
        assert told[0] == b"id: %d\nevent: change\ndata: progress\n\n" % (feed.size - 1)  # none is missed behind it
        nursery.cancel_scope.cancel()


async def test_pages_and_programs_take_no_place_of_each_other(company: Company) -> None:
    feed = EventFeed(company.context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(MAX_WATCHERS):
                await stack.enter_async_context(watching(feed, lambda: True, ""))
            with pytest.raises(ApiProblemError) as caught:
                await stack.enter_async_context(watching(feed, lambda: True, ""))
            assert caught.value.kind.status == 429
            for _ in range(MAX_LISTENERS):
                await feed.begin()
            with pytest.raises(ApiProblemError):
                await feed.begin()
            for _ in range(MAX_LISTENERS):
                feed.end()
        assert feed.listeners == feed.watchers == 0
        nursery.cancel_scope.cancel()


async def test_a_thousand_streams_that_are_cut_leave_nothing(company: Company) -> None:
    async with pages_of(company.context) as site:
        browser = site.browser("eve", "viewer")
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(10):
            async with trio.open_nursery() as nursery:
                streams = [Stream(browser) for _ in range(100)]
                for stream in streams:
                    nursery.start_soon(stream.run)
                for stream in streams:
                    await stream.until(b"retry:")
                assert site.feed.watchers == 100
                nursery.cancel_scope.cancel()
            assert site.feed.listeners == site.feed.watchers == 0
        assert trio.lowlevel.current_statistics().tasks_living == before


@pytest.mark.parametrize("last", ["", "x", "-1", "9" * 20])
async def test_a_number_that_is_none_begins_with_what_comes_next(company: Company, last: str) -> None:
    async with pages_of(company.context) as site, trio.open_nursery() as nursery:
        stream = Stream(site.browser("eve", "viewer"), headers={"last-event-id": last})
        nursery.start_soon(stream.run)
        await stream.until(b"retry:")
        set_disabled(site.context, ROOT, "eve", disabled=True)
        text = await stream.until(b"account.changed")
        assert b"account.added" not in text
        nursery.cancel_scope.cancel()
