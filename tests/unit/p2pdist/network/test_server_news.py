"""`p2pdist.network.server_news`: an answer, none, or a connection that ends; the trust store never waits for ever."""

from functools import partial

import pytest
import trio
import trio.testing

from p2pdist.network.server_news import CONNECTING_SECONDS, NEWS_SECONDS, ServerNews
from p2pdist.shared.wire.messages import FromEndpoint, News, NewsWanted


class Server:
    """Notes what is sent to it."""

    def __init__(self) -> None:
        self.connected = True
        self.heard: list[FromEndpoint] = []
        self.news = ServerNews(self.send, lambda: self.connected)
        self.answers: list[News | None] = []

    async def send(self, message: FromEndpoint) -> None:
        self.heard.append(message)

    async def ask(self) -> None:
        self.answers.append(await self.news.ask(3, 8))


@pytest.fixture
def server() -> Server:
    return Server()


async def test_the_answer_is_returned(server: Server, autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.ask)
        await trio.sleep(1)
        server.news.heard(News(files=b"new"))
    assert server.heard == [NewsWanted(root=3, snapshot=8)]
    assert server.answers == [News(files=b"new")]


async def test_what_the_server_says_before_it_is_asked_is_the_answer_once(server: Server) -> None:
    told = News(files=b"new", root=3, snapshot=8, timestamp_version=9)
    server.news.heard(told)
    await server.ask()
    assert (server.heard, server.answers) == ([], [told])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.ask)
        await trio.testing.wait_all_tasks_blocked()
        server.news.heard(News(files=b"newer"))
    assert server.heard == [NewsWanted(root=3, snapshot=8)]
    assert server.answers == [told, News(files=b"newer")]


@pytest.mark.parametrize(("root", "snapshot", "lost"), [(2, 8, False), (3, 7, False), (3, 8, True)])
async def test_what_is_said_of_other_versions_or_by_an_earlier_connection_is_no_answer(
    server: Server, root: int, snapshot: int, lost: bool
) -> None:
    server.news.heard(News(files=b"other", root=root, snapshot=snapshot))
    if lost:
        server.news.disconnected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.ask)
        await trio.testing.wait_all_tasks_blocked()
        server.news.heard(News(files=b"new"))
    assert server.answers == [News(files=b"new")]


async def test_who_keeps_everything_asks_for_it(server: Server) -> None:
    server.news.heard(News(files=b"new", root=3, snapshot=8))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(server.news.ask, 3, 8, everything=True))
        await trio.testing.wait_all_tasks_blocked()
        server.news.heard(News(files=b"everything"))
    assert server.heard == [NewsWanted(root=3, snapshot=8, everything=True)]


async def test_without_a_connection_nobody_is_asked(server: Server, autojump_clock: object) -> None:
    server.connected = False
    began = trio.current_time()
    await server.ask()
    assert (server.heard, server.answers) == ([], [None])
    assert trio.current_time() - began == pytest.approx(CONNECTING_SECONDS)


async def test_who_has_just_started_asks_as_soon_as_it_is_connected(server: Server, autojump_clock: object) -> None:
    server.connected = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.ask)
        await trio.sleep(1)
        server.connected = True
        server.news.connected()
        await trio.sleep(1)
        server.news.heard(News(files=b"new"))
    assert server.answers == [News(files=b"new")]


@pytest.mark.parametrize("ends", [True, False])
async def test_a_connection_that_ends_and_a_server_that_is_silent_end_the_wait(
    server: Server, ends: bool, autojump_clock: object
) -> None:
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.ask)
        await trio.sleep(1)
        if ends:
            server.news.disconnected()
    assert trio.current_time() - began == pytest.approx(1.0 if ends else NEWS_SECONDS)
    assert server.answers == [None]


async def test_an_answer_that_nobody_waits_for_is_not_the_next_one(server: Server, autojump_clock: object) -> None:
    server.news.heard(News(files=b"late"))
    await server.ask()
    assert server.answers == [None]
