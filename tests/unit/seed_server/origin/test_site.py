"""`seed_server.origin.site`: who is sent pieces when a line has been down, on a fake clock."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, SiteName, TorrentHash
from p2pdist.shared.wire.messages import SitePeer
from seed_server.leasing.turns import FetcherRank
from seed_server.line.harm_bound import HarmPause
from seed_server.line.harm_evidence import HarmReason
from seed_server.line.site_map import Site
from seed_server.line.site_rate import Line, Policy, SiteRate
from seed_server.origin.message_budgets import MessageBudgets, MessageLimits
from seed_server.origin.outbox import Outbox
from seed_server.origin.session import Session
from seed_server.origin.site import ANSWERS_SECONDS, HEARD_SECONDS, POLICY_SECONDS, LiveSite
from tests.helpers.origin_endpoint import hello

TORRENT = TorrentHash("a" * 64)
PIECES = 8


class FakeLink:
    """A data connection, as far as the site asks."""

    def __init__(self, endpoint: EndpointId) -> None:
        self.endpoint = endpoint
        self.rests = False
        self.woken = 0
        self.rate: BytesPerSecond | None = None
        self.ending = SimpleNamespace(end=lambda _reason: None)

    def wake(self) -> None:
        self.woken += 1

    def view(self, *, sending: bool = True) -> Any:
        return SimpleNamespace(endpoint=self.endpoint, look=None, written_bytes=0, sending=sending)


@pytest.fixture
def live() -> LiveSite:
    rate = SiteRate(Line(BytesPerSecond(1_000_000)), 0.0)
    live = LiveSite(Site(SiteName("branch"), rate._line, None), rate, fetchers=1, lease_seconds=30.0)
    live.steered_since = 0.0
    live.ledger.add_torrent(TORRENT, sequence=1, piece_count=PIECES, piece_length_bytes=1 << 20)
    return live


def join(live: LiveSite, letter: str, now: float) -> Session:
    connection = SimpleNamespace(endpoint=EndpointId(letter * 26), address="10.0.0.1", least_rtt_seconds=None)
    rank = FetcherRank(connection.endpoint, wired=True, on_mains=True, uptime_seconds=1)
    peer = SitePeer(endpoint_id=connection.endpoint, address=connection.address, port=7691)
    budgets = MessageBudgets(MessageLimits(), now)
    session = Session(cast("Any", connection), Outbox(live.control), rank, peer, [], hello("10.0.0.1"), budgets=budgets)
    live.join(session, now)
    live.attach(session, cast("Any", FakeLink(session.endpoint)), now)
    live.ledger.want(
        session.endpoint, TORRENT, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=now
    )  # fmt: skip
    return session


def fetches(live: LiveSite, session: Session, now: float) -> bool:
    return live.ledger.next_piece(session.endpoint, now) is not None


def link_of(session: Session) -> FakeLink:
    return cast("FakeLink", session.link)


def aside(*sessions: Session) -> list[bool]:
    return [session.set_aside for session in sessions]


async def test_who_connects_after_an_outage_is_not_behind_those_that_do_not_answer_yet(live: LiveSite) -> None:
    a, b = join(live, "a", 0.0), join(live, "b", 0.0)
    assert fetches(live, a, 0.0)
    live.set_silent_aside(HEARD_SECONDS)
    assert aside(a, b) == [False, False], "nobody answers: it is the line"
    back = HEARD_SECONDS + 8.0
    a.end("replaced by a newer control connection")
    live.leave(a, back)
    again = join(live, "a", back)
    assert aside(b) == [True]
    assert not fetches(live, b, back)
    assert fetches(live, again, back), "it has voided leases, and B none: all the same, B cannot be sent anything"
    woken = link_of(b).woken
    live.heard(b, back + 1.0)
    assert aside(b) == [False]
    assert link_of(b).woken > woken
    assert fetches(live, b, back + 20.0), "its turn comes as usual"


async def test_who_is_silent_while_others_answer_gives_up_its_leases(live: LiveSite) -> None:
    a, b = join(live, "a", 0.0), join(live, "b", 0.0)
    assert fetches(live, a, 0.0)
    live.heard(b, HEARD_SECONDS)
    live.set_silent_aside(HEARD_SECONDS)
    assert aside(a) == [True]
    ledger = live.ledger.ledger(TORRENT)
    assert ledger is not None
    assert ledger.leases == {}
    assert [fetches(live, b, HEARD_SECONDS) for _ in range(4)] == [True] * 4, "the first piece too"


async def test_a_new_data_connection_proves_that_its_endpoint_is_there(live: LiveSite) -> None:
    a, b = join(live, "a", 0.0), join(live, "b", 0.0)
    live.heard(b, HEARD_SECONDS)
    live.set_silent_aside(HEARD_SECONDS)
    live.attach(a, cast("Any", FakeLink(a.endpoint)), HEARD_SECONDS)
    assert aside(a) == [False]
    assert fetches(live, a, HEARD_SECONDS)


async def test_a_site_that_pauses_invites_nobody_and_says_so_until_it_is_over(live: LiveSite) -> None:
    live.ledger.add_torrent(TORRENT, sequence=1, piece_count=PIECES, piece_length_bytes=1 << 20, urgency=1)
    join(live, "a", 0.0)
    assert live.may_send(0.0)
    live.rate.harm.bound.restore(HarmPause(HarmReason.DISPLACED, 1.0, 901.0, 1), 1)
    assert not live.may_send(1.0)
    assert live.rate.may_send_pieces, "it is no rule of the operator's"
    stopped = live.is_stopped
    live.tell_limit(1.0)
    told = live.sessions[EndpointId("a" * 26)].told_limit
    assert told is not None
    assert (told.rate, told.reason.startswith(Reason.HARM_PAUSE.value)) == (0, True)
    woken = link_of(live.sessions[EndpointId("a" * 26)]).woken
    live.poll(901.0)
    assert (stopped, live.is_stopped) == (True, False)
    assert link_of(live.sessions[EndpointId("a" * 26)]).woken > woken


async def test_a_site_is_cut_off_when_nobody_answers_and_not_when_only_its_fetcher_is_gone(live: LiveSite) -> None:
    a, b = join(live, "a", 0.0), join(live, "b", 0.0)
    live.sending.add(cast("Any", a.link))
    live.rate.decision = replace(live.rate.decision, state=State.STALL, cause=Reason.NO_SIGNALS.value)
    assert live.is_cut_off(ANSWERS_SECONDS)
    live.heard(b, 1.0)
    assert not live.is_cut_off(ANSWERS_SECONDS)
    live.sending.clear()
    assert not live.is_cut_off(100.0), "nothing is sent: there is nothing to hold"


class Profile:
    """What a site's profile says, and how often it was asked."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.asked = 0

    def look(self, live: LiveSite, now: float) -> None:
        self.asked += 1
        live.rate.set_policy(self.policy)


STOPPED = Policy(ceiling=BytesPerSecond(0), blackout=True, rule="blackout 'lessons'")


def stopped_site() -> tuple[LiveSite, Profile]:
    profile, rate = Profile(STOPPED), SiteRate(Line(BytesPerSecond(1_000_000)), 0.0)
    site = Site(SiteName("branch"), rate._line, None)
    live = LiveSite(site, rate, fetchers=1, lease_seconds=30.0, look_at_policy=profile.look)
    live.ledger.add_torrent(TORRENT, sequence=1, piece_count=PIECES, piece_length_bytes=1 << 20)
    return live, profile


async def test_a_site_that_nobody_steers_knows_what_its_profile_says_now() -> None:
    live, profile = stopped_site()
    assert not live.may_send(0.0)
    profile.policy = Policy()
    assert not live.may_send(0.5)
    assert live.may_send(POLICY_SECONDS)
    assert profile.asked == 2, "a profile costs more to look at than a site that waits may"


@pytest.mark.parametrize("ceiling", [0, 1])
async def test_a_ceiling_of_nothing_stops_as_a_blackout_does(ceiling: int) -> None:
    live, profile = stopped_site()
    profile.policy = Policy(ceiling=BytesPerSecond(ceiling))
    assert live.may_send(0.0) is bool(ceiling)


async def test_pcs_that_wait_at_a_stopped_site_are_told_why_though_nothing_is_sent() -> None:
    live, _ = stopped_site()
    live.may_send(0.0)
    stopped_before = live.is_stopped
    waiting = join(live, "a", 0.0)
    assert (stopped_before, live.is_stopped) == (False, True), "before, nobody waits"
    live.tell_limit(0.0)
    told = waiting.told_limit
    assert told is not None
    assert (told.rate, told.reason) == (0, "policy forbids sending: blackout 'lessons'")
    assert live.limit_row(0.0, 0.0).active, "the operator sees what holds now"
