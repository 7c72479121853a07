"""`p2pdist.daemon.finding_news`: what is wrong is told once a connection, and when it has changed, but rarely."""

from typing import get_args

from p2pdist.daemon.finding_news import AGAIN_SECONDS, FindingNews, finding_codes
from p2pdist.local_api.delivery_answers import Peer, PeerCallers, PeersAnswer, ProblemCode
from p2pdist.shared.wire.pc_findings import FINDING_CODES, MAX_FINDING_CODES, PcFindings
from tests.helpers.daemon_states import made_up_state
from tests.helpers.fake_clock import FakeClock

HEARD_IN_VAIN = Peer("n", "10.0.0.2", 7_691, ["mdns"], False, "timed out", 0, 0)
NAMED_ALONE = Peer("n", "10.0.0.2", 7_691, ["server"], False, "not tried yet", 0, 0)


def test_what_is_wrong_is_told_a_minute_after_the_welcome_and_then_when_it_changes() -> None:
    state, clock, wrong = made_up_state(), FakeClock(), ["vpn", "clock"]
    news = FindingNews(state, lambda: wrong, clock)
    assert news.news() == [], "a server of an older release knows no such message"
    state.takes_findings, state.welcomes = True, 1
    assert news.news() == [], "neighbours are still being found"
    clock.wall += AGAIN_SECONDS / 5
    assert news.news() == [PcFindings(("clock", "vpn"))]
    wrong.clear()
    assert news.news() == [], "what comes and goes by the second is nobody's business"
    clock.wall += AGAIN_SECONDS
    assert news.news() == [PcFindings(())], "that it is over is told, too"
    clock.wall += AGAIN_SECONDS
    assert news.news() == []
    state.welcomes += 1
    assert news.news() == []
    clock.wall += AGAIN_SECONDS
    assert news.news() == [PcFindings(())], "another server may have kept something else"


def test_the_codes_are_those_of_status_and_of_the_network() -> None:
    assert set(get_args(ProblemCode)) < set(FINDING_CODES)
    assert len(FINDING_CODES) <= MAX_FINDING_CODES
    well = PeersAnswer([Peer("n", "10.0.0.2", 7_691, ["mdns"], True, None, 0, 0)], PeerCallers(1, 2.0, 0, 0.0))
    assert finding_codes(["clock"], well, by_vpn=False) == ["clock"]
    assert finding_codes([], PeersAnswer([HEARD_IN_VAIN]), by_vpn=True) == ["cut_off", "vpn"]
    kept_out = PeersAnswer([NAMED_ALONE], PeerCallers(0, None, 20, 9_000.0))
    assert finding_codes([], kept_out, by_vpn=False) == ["unheard", "lan_incoming"]
    assert set(finding_codes([], kept_out, by_vpn=True)) <= set(FINDING_CODES)
