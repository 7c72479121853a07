"""`p2pdist.daemon.custody_news`: the state on each connection and once a day, and signed only what is asked for."""

from typing import Any

import trio
import trio.testing

from p2pdist.daemon.custody_news import STATE_AGAIN_SECONDS, CustodyNews
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.custody import Custody, CustodyRecord
from p2pdist.shared.merkle_log import EMPTY_ROOT
from p2pdist.shared.wire.custody import MAX_PAGE_RECORDS, MAX_PAGES_A_CONNECTION, CustodyTold, CustodyWanted
from tests.helpers.daemon_states import made_up_state


class Pc:
    def __init__(self) -> None:
        self.state = made_up_state()
        self.custody = Custody()
        self.signed: list[dict[str, Any]] = []
        self.news = CustodyNews(self.state, lambda: self.custody, self._sign, SystemClock())

    def _sign(self, statement: dict[str, Any]) -> str:
        self.signed.append(statement)
        return f"signed {statement['size']}"

    def installed(self, count: int) -> None:
        for _ in range(count):
            self.custody = self.custody.with_record(CustodyRecord(1, "acme", "2", 7, 1, "installed"))

    def connect(self) -> None:
        self.state.welcomes += 1
        self.state.takes_custody = True

    def asked(self, after: int, root: bytes) -> list[CustodyTold]:
        self.state.custody_wanted = CustodyWanted(after, root)
        return self.news.news()


async def test_the_state_is_told_once_a_connection_and_once_a_day(autojump_clock: trio.testing.MockClock) -> None:
    pc = Pc()
    pc.installed(2)
    assert pc.news.news() == [], "a server of an older release knows no such message"
    pc.connect()
    assert pc.news.news() == [CustodyTold(2, pc.custody.root())]
    pc.installed(1)
    assert pc.news.news() == []
    await trio.sleep(STATE_AGAIN_SECONDS)
    assert pc.news.news() == [CustodyTold(3, pc.custody.root())]
    await trio.sleep(STATE_AGAIN_SECONDS)
    assert pc.news.news() == [], "nothing is new"
    pc.connect()
    assert len(pc.news.news()) == 1
    assert pc.signed == []


async def test_an_empty_journal_says_nothing_even_when_asked() -> None:
    pc = Pc()
    pc.connect()
    assert pc.asked(0, EMPTY_ROOT) == [], "it may not be read yet"


async def test_what_the_server_lacks_is_signed_page_by_page() -> None:
    pc = Pc()
    pc.installed(MAX_PAGE_RECORDS + 7)
    pc.connect()
    pc.news.news()
    (first,) = pc.asked(0, EMPTY_ROOT)
    assert (first.size, len(first.records), first.statement) == (MAX_PAGE_RECORDS, MAX_PAGE_RECORDS, "signed 100")
    (second,) = pc.asked(first.size, first.root)
    assert (second.size, len(second.records), second.root) == (107, 7, pc.custody.root())
    assert pc.news.news() == []


async def test_what_the_server_left_for_another_day_is_told_again(autojump_clock: trio.testing.MockClock) -> None:
    pc = Pc()
    pc.installed(5)
    pc.connect()
    pc.news.news()
    pc.asked(0, EMPTY_ROOT)
    assert pc.news.news() == []
    await trio.sleep(STATE_AGAIN_SECONDS)
    assert pc.news.news() == [CustodyTold(5, pc.custody.root())]
    await trio.sleep(STATE_AGAIN_SECONDS)
    assert pc.news.news() == []


async def test_where_the_server_has_another_log_all_is_sent() -> None:
    pc = Pc()
    pc.installed(5)
    pc.connect()
    for after, root in ((3, b"\1" * 32), (9, b"\1" * 32)):
        (page,) = pc.asked(after, root)
        assert (page.size, len(page.records)) == (5, 5)


async def test_a_server_that_asks_all_day_gets_no_more_signatures() -> None:
    pc = Pc()
    pc.installed(5)
    pc.connect()
    pc.news.news()
    for _ in range(100):
        pc.asked(0, EMPTY_ROOT)
    assert len(pc.signed) == MAX_PAGES_A_CONNECTION
