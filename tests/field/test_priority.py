"""What is urgent waits behind nothing: a site fetches it next, a PC begins it next; what is under way is not lost."""

from p2pdist.shared.manifest.urgency import EMERGENCY, urgency_of
from p2pdist.transfer.turns import MAX_LARGE_AT_A_TIME, next_to_start
from tests.unit.p2pdist.transfer.test_turns import LARGE, SMALL, run, sized
from tests.unit.seed_server.leasing.test_site_ledger import BIG, PC, Line
from tests.unit.seed_server.leasing.test_site_ledger import SMALL as URGENT


def test_an_emergency_of_one_piece_is_sent_next_over_the_line_behind_a_low_patch_of_many() -> None:
    line = Line()
    line.connect(PC)
    line.publish(BIG, 100, urgency_of("low", emergency=False), 1)
    line.want(PC, BIG)
    before = [line.send(PC) for _ in range(3)]
    line.publish(URGENT, 1, EMERGENCY, 2)
    line.want(PC, URGENT)
    following = [line.send(PC) for _ in range(2)]
    assert [leased and leased.torrent for leased in (*before, *following)] == [BIG, BIG, BIG, URGENT, BIG]
    assert len({*before, *following}) == 5, "no piece is sent twice"


def test_a_pc_begins_an_emergency_at_once_though_as_many_large_files_flow_as_may() -> None:
    flowing = [sized(n, LARGE) for n in range(MAX_LARGE_AT_A_TIME)]
    assert run(flowing) == flowing
    ordinary, urgent = sized(11, SMALL), sized(12, SMALL, emergency=True)
    starting, _more = next_to_start([*flowing, ordinary, urgent], 0.0)
    assert starting == [urgent]
    assert all(each.state == "fetching" for each in flowing), "what is under way goes on"
