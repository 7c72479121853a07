"""`seed_server.origin.resting`: which sessions connect anew, and when full packets are held for lost."""

from types import SimpleNamespace
from typing import Any, cast

from structlog.testing import capture_logs

from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.path_packets import PathPackets
from seed_server.line.site_rate import ANSWERING_SECONDS
from seed_server.origin.resting import LINE_WAS_DOWN, NOTHING_ARRIVES, believe_lost, end_resting
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite

PC, OTHER = EndpointId("a" * 26), EndpointId("b" * 26)


class Pc:
    """A session, as far as is asked here."""

    def __init__(
        self,
        live: Any,
        *,
        rests: bool = True,
        rests_long: bool = True,
        nothing_arrived: bool = False,
        awaits_word: bool = False,
        endpoint: EndpointId = PC,
    ) -> None:
        self.endpoint = endpoint
        self.packet_bytes = live.rate.path.most_bytes(self.endpoint, 0.0)
        self.looks = 0
        self.link = SimpleNamespace(
            rests=rests,
            rests_long=rests_long,
            nothing_arrived=nothing_arrived,
            awaits_word=awaits_word,
            look_again=self._look,
        )
        self.heard_at = 0.0
        self.ended: list[str] = []
        self.end = self.ended.append
        live.sessions[self.endpoint] = self
        live.sending = [self.link]

    def _look(self) -> bool:
        self.looks += 1
        return True


def site() -> LiveSite:
    path = PathPackets()
    return cast(
        "LiveSite", SimpleNamespace(site=SimpleNamespace(name="branch"), rate=SimpleNamespace(path=path), sessions={})
    )


def test_one_that_rests_although_its_endpoint_answers_is_made_anew() -> None:
    live = site()
    pc = Pc(live)
    end_resting(live, ANSWERING_SECONDS)
    assert pc.ended == [], "it does not answer: the line is down"
    pc.heard_at = 15.0
    end_resting(live, 15.0)
    assert pc.ended == [LINE_WAS_DOWN]


def test_one_that_is_acknowledged_or_idle_stays() -> None:
    live = site()
    busy = Pc(live, rests=False)
    end_resting(live, 0.1)
    idle = Pc(live)
    live.sending.clear()
    end_resting(live, 0.1)
    assert (busy.ended, idle.ended) == ([], [])


def test_one_whose_turn_ended_as_the_line_was_cut_is_looked_at_and_made_anew_too() -> None:
    live = site()
    waits, sends = Pc(live, awaits_word=True), Pc(live, rests=False, endpoint=OTHER)
    end_resting(live, 0.1)
    assert (waits.ended, waits.looks) == ([LINE_WAS_DOWN], 1)
    assert (sends.ended, sends.looks) == ([], 0), "whoever sends is looked at anyway"


def test_one_that_has_stored_all_that_it_got_is_left_alone() -> None:
    live = site()
    idle, _sends = Pc(live), Pc(live, rests=False, endpoint=OTHER)
    end_resting(live, 0.1)
    assert (idle.ended, idle.looks) == ([], 0)


def test_one_whose_turn_has_ended_is_left_alone_while_its_card_may_be_full() -> None:
    live = site()
    waits, _sends = Pc(live, awaits_word=True, rests_long=False), Pc(live, rests=False, endpoint=OTHER)
    end_resting(live, 0.1)
    assert (waits.ended, waits.looks) == ([], 1)


def test_where_no_full_packet_ever_arrives_smaller_ones_follow_and_it_is_logged_once() -> None:
    live = site()
    with capture_logs() as logged:
        for now in (0.0, 3.0, 6.0):
            pc = Pc(live, nothing_arrived=True)
            pc.heard_at = now
            end_resting(live, now)
            assert pc.ended == [NOTHING_ARRIVES]
    assert live.rate.path.most_bytes(PC, 6.0) == SAFE_PACKET_BYTES
    assert live.rate.path.large_are_lost(PC, 6.0)
    (line,) = logged
    assert line["event"] == "full packets do not get through to a site"
    assert (line["site"], line["packet_bytes"]) == ("branch", LARGEST_PACKET_BYTES)
    assert "fragmentation needed" in line["cure"]


def test_an_endpoint_that_found_out_by_itself_is_believed() -> None:
    live = site()
    session = cast("Session", Pc(live))
    with capture_logs() as logged:
        believe_lost(live, session, 0.0)
        believe_lost(live, session, 1.0)
    assert live.rate.path.most_bytes(PC, 1.0) == SAFE_PACKET_BYTES
    assert len(logged) == 1


def test_one_of_several_pcs_does_not_change_the_packets_of_the_others() -> None:
    live = site()
    sessions = [cast("Session", Pc(live, endpoint=endpoint)) for endpoint in (PC, OTHER)]
    with capture_logs() as logged:
        believe_lost(live, sessions[0], 0.0)
        assert live.rate.path.most_bytes(OTHER, 0.0) == LARGEST_PACKET_BYTES
        believe_lost(live, sessions[1], 1.0)
    assert [line["event"].rpartition(" ")[2] for line in logged] == ["PC", "site"]
    assert live.rate.path.most_bytes(EndpointId("c" * 26), 1.0) == SAFE_PACKET_BYTES
