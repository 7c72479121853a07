import pytest

from bandwidth.simulator.link import FifoLink
from bandwidth.simulator.loss import RandomLoss
from bandwidth.simulator.rates import ConstantRate


def losses(loss: RandomLoss, flow, count: int = 20_000) -> list[bool]:
    return [loss.takes(flow) for _ in range(count)]


def test_each_direction_loses_its_part_and_acknowledgements_survive_the_way_back(probe):
    assert sum(losses(RandomLoss(1, 0.01, 0.02), probe)) == pytest.approx(200, rel=0.2)
    type(probe).answered = True
    try:
        assert sum(losses(RandomLoss(1, 0.01, 0.02), probe)) == pytest.approx(20_000 * 0.0298, rel=0.1)
    finally:
        type(probe).answered = False


def test_a_flow_meets_the_same_losses_whoever_is_there_and_each_seed_has_its_own(probes):
    ours, other = probes(2)
    alone = losses(RandomLoss(7, 0.1, 0.0), ours, 500)
    loss = RandomLoss(7, 0.1, 0.0)
    beside = [(loss.takes(ours), loss.takes(other)) for _ in range(500)]
    assert [first for first, _ in beside] == alone
    assert [second for _, second in beside] != alone
    assert losses(RandomLoss(8, 0.1, 0.0), ours, 500) != alone


def test_what_is_lost_has_taken_the_lines_time(simulator, probe):
    link = FifoLink(simulator, ConstantRate(1_000), 100_000)
    link.lose(RandomLoss(3, 0.5, 0.0))
    for number in range(100):
        link.send(probe, number, 100)
    simulator.run(60)
    assert 0 < link.lost_packets < 100
    assert len(probe.acks) == 100 - link.lost_packets
    assert probe.departures == [pytest.approx(0.1 * (ack.number + 1)) for ack in probe.acks]
    assert link.dropped_packets == 0


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_no_line_loses_everything(share):
    with pytest.raises(ValueError, match="a part from 0 to less than 1"):
        RandomLoss(1, 0.0, share)
