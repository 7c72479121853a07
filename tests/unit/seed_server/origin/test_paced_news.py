"""`seed_server.origin.paced_news`: a site's endpoints are answered as fast as its line carries, and no faster."""

import math
from threading import Event

import pytest
import trio
import trio.testing

from bandwidth.core.units import BytesPerSecond
from p2pdist.network.server_news import NEWS_SECONDS
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.fields import MAX_NEWS_MESSAGE_BYTES
from p2pdist.shared.wire.messages import News, NewsWanted
from p2pdist.shared.wire.news_torrent import MAX_SHARED_NEWS_BYTES, NewsTorrent, describe_news
from seed_server.line.byte_budget import BUDGET_BYTES, REQUEST_COST_BYTES, ByteBudgets
from seed_server.line.metadata_line import LEAST_LUMP_BYTES
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_rate import Line, SiteRate
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.paced_news import (
    NEWS_THREADS,
    NEWS_TURN_SECONDS,
    SWAPPED_NEWS_BYTES,
    FindNews,
    PacedNews,
    Reader,
    ShareNews,
)
from seed_server.store.trust_news import SWAPPED, NewsForm
from tests.helpers.web_harness import line_of

RATE = BytesPerSecond(100_000)
PC = EndpointId("a" * 26)
WANTED = NewsWanted(root=1, snapshot=2)
ALONE = Reader.ALONE


def nothing_shared(news: bytes, told: NewsTorrent, endpoint: EndpointId, now: float) -> bool:
    raise AssertionError


def paced(
    find: FindNews, rate: int = RATE, budget_bytes: int = BUDGET_BYTES, share: ShareNews = nothing_shared
) -> PacedNews:
    line = line_of(SiteRate(Line(BytesPerSecond(rate)), trio.current_time()), OtherTraffic())
    return PacedNews(find, share, line, ByteBudgets(budget_bytes=budget_bytes), OutsideLog())


async def test_the_answers_to_a_site_take_as_long_as_its_line_needs_for_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    answers, each = 50, 8 << 10
    news = paced(lambda root, snapshot, form: bytes(each))
    began = trio.current_time()
    for _ in range(answers):
        assert len((await news.answer(WANTED, "10.0.0.1", PC, ALONE)).files) == each
    seconds = trio.current_time() - began
    assert 0.9 < seconds * RATE / (answers * each) < 1.1


@pytest.mark.parametrize(("rate", "most"), [(10_000, LEAST_LUMP_BYTES), (100_000, 10_000), (10_000_000, 16 << 10)])
async def test_no_more_than_a_tenth_of_a_second_of_the_line_goes_in_one_lump(rate: int, most: int) -> None:
    for size, files in ((most, most), (most + 1, 0)):
        answer = await paced(lambda *_, size=size: bytes(size), rate).answer(WANTED, "10.0.0.1", PC, ALONE)
        assert len(answer.files) == files


async def test_whoever_would_wait_for_longer_than_it_does_is_not_answered_twice(
    autojump_clock: trio.testing.MockClock,
) -> None:
    found: list[int] = []

    def find(root: int, snapshot: int, form: NewsForm) -> bytes | None:
        found.append(snapshot)
        return bytes(LEAST_LUMP_BYTES)

    news = paced(find, 10_000)
    answers: list[News] = []

    async def ask() -> None:
        answers.append(await news.answer(WANTED, "10.0.0.1", PC, ALONE))

    autojump_clock.autojump_threshold = math.inf  # the clock does not know of threads
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask)
        while len(found) < 100:
            await trio.testing.wait_all_tasks_blocked(0.01)
        began = trio.current_time()
        autojump_clock.autojump_threshold = 0.0
    assert trio.current_time() - began == pytest.approx(NEWS_TURN_SECONDS)
    assert NEWS_TURN_SECONDS < NEWS_SECONDS
    assert 0 < sum(bool(answer.files) for answer in answers) < 100


async def test_what_an_endpoint_has_had_here_counts_for_the_web_port_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    news = paced(lambda root, snapshot, form: bytes(1_000), budget_bytes=3 * (1_000 + REQUEST_COST_BYTES))
    answers = [len((await news.answer(WANTED, "10.0.0.1", PC, ALONE)).files) for _ in range(4)]
    assert answers == [1_000, 1_000, 1_000, 0]


async def test_what_is_too_large_is_not_there_or_cannot_be_read_is_left_to_the_web_port() -> None:
    def unreadable(root: int, snapshot: int, form: NewsForm) -> bytes | None:
        raise OSError("the disk is gone")

    finds: list[FindNews] = [lambda *_: None, lambda *_: bytes(MAX_NEWS_MESSAGE_BYTES + 1), unreadable]
    for find in finds:
        assert await paced(find).answer(WANTED, "10.0.0.1", PC, ALONE) == News(files=b"")


async def test_a_fleet_that_asks_at_once_leaves_threads_for_all_else() -> None:
    threads = int(trio.to_thread.current_default_thread_limiter().total_tokens)
    assert threads > NEWS_THREADS
    found = Event()
    began: list[int] = []

    def find(root: int, snapshot: int, form: NewsForm) -> bytes:
        began.append(root)
        found.wait()
        return b""

    news = paced(find)
    async with trio.open_nursery() as nursery:
        for _ in range(2 * threads):
            nursery.start_soon(news.answer, WANTED, "10.0.0.1", PC, ALONE)
        with trio.fail_after(60):
            while len(began) < NEWS_THREADS:  # noqa: ASYNC110 - a thread appends to it
                await trio.sleep(0.01)
        try:
            with trio.fail_after(10):
                await trio.to_thread.run_sync(lambda: None)
            assert len(began) == NEWS_THREADS
        finally:
            found.set()
    assert len(began) == 2 * threads


@pytest.mark.parametrize("reader", Reader)
async def test_each_is_told_in_the_form_that_it_reads(reader: Reader) -> None:
    asked: list[NewsForm] = []

    def find(root: int, snapshot: int, form: NewsForm) -> bytes:
        asked.append(form)
        return b"news"

    assert await paced(find).answer(WANTED, "10.0.0.1", PC, reader) == News(files=b"news")
    assert asked == [reader.value]
    assert asked[0].differences is (reader is not Reader.OF_WHOLE_FILES)


@pytest.mark.parametrize(("size", "swapped"), [(SWAPPED_NEWS_BYTES, False), (SWAPPED_NEWS_BYTES + 1, True)])
async def test_pcs_with_neighbours_are_told_what_to_swap_where_that_is_much(size: int, swapped: bool) -> None:
    shared: list[bytes] = []

    def share(news: bytes, told: NewsTorrent, endpoint: EndpointId, now: float) -> bool:
        assert (told, endpoint) == (describe_news(news), PC)
        shared.append(news)
        return True

    news = paced(lambda *_: bytes(size), share=share)
    answer = await news.answer(WANTED, "10.0.0.1", PC, Reader.WITH_NEIGHBOURS)
    assert answer.torrent == (describe_news(bytes(size)) if swapped else None)
    assert answer.files == b"", "so much goes into no message of a slow line"
    assert shared == ([bytes(size)] if swapped else [])
    for alone in (Reader.ALONE, Reader.OF_WHOLE_FILES):
        assert (await news.answer(WANTED, "10.0.0.1", PC, alone)).torrent is None


async def test_where_there_is_no_room_for_what_is_to_be_swapped_the_web_port_is_asked() -> None:
    news = paced(lambda *_: bytes(SWAPPED_NEWS_BYTES + 1), share=lambda *_: False)
    assert await news.answer(WANTED, "10.0.0.1", PC, Reader.WITH_NEIGHBOURS) == News(files=b"")


@pytest.mark.parametrize("reader", Reader)
async def test_nothing_is_found_for_who_has_spent_its_budget(reader: Reader) -> None:
    found: list[NewsForm] = []

    def find(root: int, snapshot: int, form: NewsForm) -> bytes:
        found.append(form)
        return b""

    news = paced(find, budget_bytes=2 * REQUEST_COST_BYTES)
    for _ in range(5):
        await news.answer(WANTED, "10.0.0.1", PC, reader)
    assert len(found) == 2
    assert SWAPPED not in found, "what can be megabytes is found for who could fetch as much"


async def test_what_is_swapped_costs_who_asks_for_it_all_that_the_server_has_found(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shared: list[bytes] = []

    def share(news: bytes, told: NewsTorrent, endpoint: EndpointId, now: float) -> bool:
        shared.append(news)
        return True

    size = MAX_SHARED_NEWS_BYTES // 2
    news = paced(lambda *_: bytes(size), budget_bytes=2 * MAX_SHARED_NEWS_BYTES, share=share)
    told = [(await news.answer(WANTED, "10.0.0.1", PC, Reader.WITH_NEIGHBOURS)).torrent is not None for _ in range(5)]
    assert told == [True, True, False, False, False]
    assert len(shared) == 2
