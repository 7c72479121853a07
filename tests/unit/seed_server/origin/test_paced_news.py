"""`seed_server.origin.paced_news`: a site's endpoints are answered as fast as its line carries, and no faster."""

from threading import Event

import trio
import trio.testing

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.messages import MAX_NEWS_MESSAGE_BYTES, News, NewsWanted
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_rate import Line, SiteRate
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.paced_news import NEWS_THREADS, FindNews, PacedNews
from tests.helpers.web_harness import line_of

RATE = BytesPerSecond(100_000)
PC = EndpointId("a" * 26)
WANTED = NewsWanted(root=1, snapshot=2)


def paced(find: FindNews) -> PacedNews:
    return PacedNews(find, line_of(SiteRate(Line(RATE), trio.current_time()), OtherTraffic()), OutsideLog())


async def test_the_answers_to_a_site_take_as_long_as_its_line_needs_for_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    answers = 50
    news = paced(lambda root, snapshot: bytes(MAX_NEWS_MESSAGE_BYTES))
    began = trio.current_time()
    for _ in range(answers):
        assert len((await news.answer(WANTED, "10.0.0.1", PC)).files) == MAX_NEWS_MESSAGE_BYTES
    seconds = trio.current_time() - began
    assert 0.9 < seconds * RATE / (answers * MAX_NEWS_MESSAGE_BYTES) < 1.1


async def test_what_is_too_large_is_not_there_or_cannot_be_read_is_left_to_the_web_port() -> None:
    def unreadable(root: int, snapshot: int) -> bytes | None:
        raise OSError("the disk is gone")

    finds: list[FindNews] = [lambda *_: None, lambda *_: bytes(MAX_NEWS_MESSAGE_BYTES + 1), unreadable]
    for find in finds:
        assert await paced(find).answer(WANTED, "10.0.0.1", PC) == News(files=b"")


async def test_a_fleet_that_asks_at_once_leaves_threads_for_all_else() -> None:
    threads = int(trio.to_thread.current_default_thread_limiter().total_tokens)
    assert threads > NEWS_THREADS
    found = Event()
    began: list[int] = []

    def find(root: int, snapshot: int) -> bytes:
        began.append(root)
        found.wait()
        return b""

    news = paced(find)
    async with trio.open_nursery() as nursery:
        for _ in range(2 * threads):
            nursery.start_soon(news.answer, WANTED, "10.0.0.1", PC)
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
