"""`seed_server.origin.invitations`: who is asked for a data connection, and that nobody is left out for ever."""

from dataclasses import dataclass, field
from typing import cast

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.features import INVITES
from p2pdist.shared.wire.messages import DataWanted
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.leasing.turns import FetcherRank
from seed_server.origin.invitations import INVITED_SECONDS, Guest, Invitations

TORRENT = TorrentHash("1" * 64)
PIECES = 8
LETTERS = "abcdefgh"


@dataclass
class Pc:
    """A session, as far as is asked here; ``asked`` counts its invitations."""

    endpoint: EndpointId
    rank: FetcherRank
    features: tuple[str, ...] = (INVITES,)
    link: object | None = None
    asked: int = 0

    @property
    def outbox(self) -> "Pc":
        return self

    def put(self, _key: str, news: Message) -> None:
        assert news == DataWanted()
        self.asked += 1


@dataclass
class Site:
    fetchers: int = 1
    now: float = 0.0
    pcs: dict[EndpointId, Pc] = field(default_factory=dict)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.ledger = SiteLedger(fetchers=self.fetchers, lease_seconds=30.0)
        self.serve()
        self.invitations = Invitations(
            self.ledger, cast("dict[EndpointId, Guest]", self.pcs), lambda _: not self.stopped
        )

    def serve(self) -> None:
        self.ledger.add_torrent(TORRENT, sequence=1, piece_count=PIECES, piece_length_bytes=1 << 16)

    def wants(self, letter: str, *, uptime_seconds: int = 1, have: int = 0, old: bool = False) -> Pc:
        endpoint = EndpointId(letter * 26)
        pc = self.pcs.setdefault(
            endpoint, Pc(endpoint, FetcherRank(endpoint, wired=True, on_mains=True, uptime_seconds=uptime_seconds))
        )
        if old:
            pc.features = ()
        self.ledger.want(
            endpoint, TORRENT, have=have, lan_have=0, lan_stalled=False, can_fetch=True, now=self.now
        )  # fmt: skip
        if self.ledger.lacks(endpoint):
            self.invitations.lacks(cast("Guest", pc), self.now)
        return pc

    def builds(self, pc: Pc) -> None:
        self.ledger.builders.say(pc.endpoint, [TORRENT])
        self.invitations.builds(cast("Guest", pc), self.now)

    def news(self, *, long: bool) -> None:
        ranked = sorted(self.pcs.values(), key=lambda pc: pc.rank.order)
        self.invitations.news(cast("list[Guest]", ranked), self.now, long=long)

    def comes(self, pc: Pc) -> None:
        pc.link = object()
        self.ledger.data_connected(pc.rank)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.25
            self.invitations.poll(self.now)

    @property
    def asked(self) -> str:
        return "".join(str(pc.endpoint)[0] for pc in self.pcs.values() if pc.asked)


def test_as_many_are_asked_as_fetch_and_no_more_when_that_is_enough() -> None:
    for fetchers in (1, 2):
        site = Site(fetchers)
        for letter in LETTERS:
            site.wants(letter)
        assert site.asked == LETTERS[:fetchers]
        first = site.pcs[EndpointId("a" * 26)]
        site.comes(first)
        while (leased := site.ledger.next_piece(first.endpoint, site.now)) is not None:
            site.ledger.stored(first.endpoint, leased, site.now)
        site.wait(10 * INVITED_SECONDS)
        assert site.asked == LETTERS[:fetchers], "the rest comes from the neighbour"


def test_where_one_brings_nothing_others_are_asked_the_best_first_until_all_have_been() -> None:
    site = Site()
    for number, letter in enumerate(LETTERS):
        site.wants(letter, uptime_seconds=number)
    site.comes(site.pcs[EndpointId("a" * 26)])
    assert site.ledger.next_piece(EndpointId("a" * 26), site.now) is not None
    site.wait(INVITED_SECONDS)
    assert site.asked == "ah"
    site.wait(len(LETTERS) * INVITED_SECONDS)
    assert site.asked == LETTERS


def test_who_was_asked_and_does_not_come_is_asked_again_after_the_others() -> None:
    site = Site()
    silent, other = site.wants("a"), site.wants("b")
    site.wait(INVITED_SECONDS)
    assert (silent.asked, other.asked) == (1, 1)
    site.wait(2 * INVITED_SECONDS)
    assert (silent.asked, other.asked) == (2, 2)


def test_who_lacks_nothing_or_does_not_understand_is_not_asked() -> None:
    site = Site()
    site.wants("a", have=all_pieces(PIECES))
    site.wants("b", old=True)
    site.wants("c")  # the first one has all of it, for all
    site.wait(10 * INVITED_SECONDS)
    assert site.asked == ""


def test_who_could_fetch_what_is_gone_keeps_nobody_from_the_next() -> None:
    site = Site()
    first = site.wants("a")
    site.comes(first)
    site.ledger.remove_torrent(TORRENT)
    site.serve()
    site.wants("b")
    assert site.asked == "ab"


def test_while_a_site_may_be_sent_nothing_nobody_is_asked_and_afterwards_soon() -> None:
    site = Site(stopped=True)
    for letter in LETTERS:
        site.wants(letter)
    site.wait(10 * INVITED_SECONDS)
    assert site.asked == ""
    site.stopped = False
    site.wait(0.5)
    assert site.asked == "a"


def test_on_a_long_round_trip_who_shall_fetch_is_asked_as_soon_as_there_is_news() -> None:
    site = Site(fetchers=2)
    for number, letter in enumerate("abcd"):
        site.wants(letter, have=all_pieces(PIECES), uptime_seconds=number)
    asked = []
    for long in (False, True):
        site.news(long=long)
        asked.append(site.asked)
    assert asked == ["", "cd"]
    for letter in "ab":
        site.wants(letter)
    assert site.asked == "cd", "these are on their way"
    site.news(long=True)
    assert [pc.asked for pc in site.pcs.values()] == [0, 0, 1, 1]


def test_news_invite_nobody_where_nothing_may_be_sent_or_enough_can_fetch() -> None:
    site = Site(fetchers=1)
    first = site.wants("a")
    site.comes(first)
    site.wants("b", have=all_pieces(PIECES))
    site.news(long=True)
    assert site.asked == "a"
    stopped = Site(fetchers=1, stopped=True)
    stopped.wants("a", have=all_pieces(PIECES))
    stopped.news(long=True)
    assert not stopped.asked


def test_of_five_hundred_that_all_have_a_former_version_as_many_are_asked_as_fetch() -> None:
    for first in ("builds", "wants"):
        site = Site(fetchers=2)
        for number in range(500):
            endpoint = EndpointId(f"{number:026}")
            pc = Pc(endpoint, FetcherRank(endpoint, wired=True, on_mains=True, uptime_seconds=1))
            site.pcs[endpoint] = pc
            if first == "builds":
                site.builds(pc)
            site.ledger.want(
                endpoint, TORRENT, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=site.now
            )  # fmt: skip
            site.invitations.lacks(cast("Guest", pc), site.now)
            if first == "wants":
                site.builds(pc)
            site.now += 0.001
        assert sum(pc.asked for pc in site.pcs.values()) == 2, first
        for pc in list(site.pcs.values()):
            if pc.asked:
                site.comes(pc)
        site.wait(INVITED_SECONDS)
        assert sum(pc.asked for pc in site.pcs.values()) == 3, "where they brought nothing, one more is"


def test_one_with_a_former_version_that_comes_last_is_asked_at_once_however_many_others_come() -> None:
    site = Site(fetchers=2)
    for letter in LETTERS:
        site.wants(letter)
    assert site.asked == "ab"
    for letter in "cde":
        site.builds(site.pcs[EndpointId(letter * 26)])
    assert site.asked == "abcd", "of these too, two fetch"
