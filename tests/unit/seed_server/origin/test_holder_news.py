"""`HolderNews`: who asks for a small torrent is told who has it, at once or when somebody has got it."""

from dataclasses import dataclass, field

import pytest

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.shared.wire.fields import FEW_PIECES, MAX_HOLDERS
from p2pdist.shared.wire.messages import Holders, SitePeer
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.origin.holder_news import REACHED_SECONDS, TOLD_SECONDS, HolderNews

TORRENT = TorrentHash("1" * 64)
ENDPOINTS = [EndpointId(letter * 26) for letter in "abcdefgh"]


@dataclass
class Listing:
    wanted: tuple[SitePeer, ...] = ()


@dataclass
class Box:
    """An outbox that is never read."""

    full: bool = False
    told: dict[str, Holders] = field(default_factory=dict)

    def put(self, key: str, news: Holders) -> None:
        self.told[key] = news


@dataclass
class Session:
    endpoint: EndpointId
    peer_list: Listing = field(default_factory=Listing)
    outbox: Box = field(default_factory=Box)


class Site:
    def __init__(self, pieces: int = 1) -> None:
        self.all = all_pieces(pieces)
        self.ledger = SiteLedger(fetchers=1, lease_seconds=5.0)
        self.ledger.add_torrent(TORRENT, sequence=1, piece_count=pieces, piece_length_bytes=1 << 16)
        self.sessions = {endpoint: Session(endpoint) for endpoint in ENDPOINTS}
        self.news = HolderNews(self.ledger, self.sessions)  # type: ignore[arg-type] # played

    def says(self, endpoint: EndpointId, *, have: bool, sees: bool = False, now: float = 0.0) -> None:
        seen = self.all if sees else 0
        self.ledger.want(endpoint, TORRENT, have=self.all if have else 0, lan_have=seen, lan_stalled=False,
                         can_fetch=True, now=now)  # fmt: skip
        self.news.heard(endpoint, TORRENT, now)

    def told(self, endpoint: EndpointId) -> list[str]:
        told = [named for news in self.sessions[endpoint].outbox.told.values() for named in news.endpoints]
        self.sessions[endpoint].outbox.told.clear()
        return told


A, B, C, *OTHERS = ENDPOINTS


def test_who_asks_later_is_told_at_once() -> None:
    site = Site()
    site.says(A, have=True)
    site.says(B, have=False)
    assert site.told(B) == [A]
    assert site.told(A) == []


def test_who_asked_before_is_told_when_it_does_not_come_by_itself() -> None:
    site = Site()
    site.says(B, have=False)
    site.says(C, have=False)
    site.says(A, have=True, now=1.0)
    site.says(C, have=False, sees=True, now=1.5)
    site.news.tell_due(0.9 + REACHED_SECONDS)
    assert site.told(B) == []
    site.news.tell_due(1.0 + REACHED_SECONDS)
    assert (site.told(A), site.told(B), site.told(C)) == ([], [A], [])
    site.news.tell_due(100.0)
    assert site.told(B) == [], "once"


def test_who_was_told_lately_is_not_told_again_when_others_have_it_too() -> None:
    site = Site()
    site.says(B, have=False)
    site.says(A, have=True, now=1.0)
    site.says(C, have=False, now=1.5)
    assert site.told(C) == [A]
    site.news.tell_due(1.0 + REACHED_SECONDS)
    assert (site.told(B), site.told(C)) == ([A], [])
    site.says(OTHERS[0], have=True, now=4.0)
    site.news.tell_due(4.0 + REACHED_SECONDS)
    assert (site.told(B), site.told(C)) == ([], [])
    site.says(OTHERS[1], have=True, now=TOLD_SECONDS + 4.0)
    site.news.tell_due(TOLD_SECONDS + 4.0 + REACHED_SECONDS)
    assert site.told(B), "that was of no use"


def test_who_connects_anew_or_was_told_of_one_that_has_left_is_told_again() -> None:
    site = Site()
    for endpoint in (B, C):
        site.says(endpoint, have=False)
    site.says(A, have=True, now=1.0)
    site.news.tell_due(1.0 + REACHED_SECONDS)
    assert (site.told(B), site.told(C)) == ([A], [A])
    site.sessions[B] = Session(B)
    site.says(OTHERS[0], have=True, now=2.0)
    site.news.tell_due(2.0 + REACHED_SECONDS)
    assert set(site.told(B)) == {A, OTHERS[0]}
    assert site.told(C) == []
    site.ledger.left(A)
    site.says(OTHERS[1], have=True, now=4.0)
    site.news.tell_due(4.0 + REACHED_SECONDS)
    assert set(site.told(C)) == set(OTHERS[:2])


def test_what_nobody_lacks_is_forgotten() -> None:
    site = Site()
    site.says(A, have=True)
    site.says(B, have=False)
    site.says(B, have=True, now=1.0)
    site.news.tell_due(1.0 + REACHED_SECONDS)
    assert site.news._told == {}


@pytest.mark.parametrize("pieces", [FEW_PIECES, FEW_PIECES + 1])
def test_of_large_torrents_nobody_is_told(pieces: int) -> None:
    site = Site(pieces)
    site.says(A, have=True)
    site.says(B, have=False)
    assert bool(site.told(B)) == (pieces <= FEW_PIECES)


def test_those_that_ask_are_spread_over_those_that_have_it() -> None:
    site = Site()
    for endpoint in ENDPOINTS[:4]:
        site.says(endpoint, have=True)
    firsts = set()
    for endpoint in ENDPOINTS[4:]:
        site.says(endpoint, have=False)
        named = site.told(endpoint)
        assert len(named) == MAX_HOLDERS
        firsts.add(named[0])
    assert len(firsts) > 1


def test_neighbours_that_the_endpoint_knows_go_before_others() -> None:
    site = Site()
    for endpoint in (A, C):
        site.says(endpoint, have=True)
    site.sessions[B].peer_list.wanted = (SitePeer(endpoint_id=C, address="10.0.0.3", port=7_000),)
    site.says(B, have=False)
    assert site.told(B) == [C]


def test_nothing_is_added_for_one_that_does_not_read() -> None:
    site = Site()
    site.says(A, have=True)
    site.sessions[B].outbox.full = True
    site.says(B, have=False)
    assert site.told(B) == []
