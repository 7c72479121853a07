"""The video call's frames and its rate against numbers that were computed by hand."""

import pytest

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.flows.video_call import DelayRate, VideoCall
from bandwidth.simulator.link import FifoLink
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.rates import ConstantRate, PiecewiseRate

FRAME = 1 / 30


def law(rate: float = 100_000.0) -> DelayRate:
    """Return a law that has seen 20 frames without any queue."""
    result = DelayRate(least=10_000.0, first=rate, most=300_000.0)
    for frame in range(20):
        result.frame(0.0, rate, (frame - 20) * FRAME, 0.04)
    return result


def test_a_rate_grows_by_8_per_cent_a_second():
    subject = law()
    before = subject.rate
    for frame in range(30):
        subject.frame(0.0, 1e9, frame * FRAME, 0.04)
    assert subject.rate / before == pytest.approx(1.08, rel=0.005)


def test_a_rate_stays_between_its_bounds_and_near_what_arrives():
    subject = law()
    for frame in range(3_000):
        subject.frame(0.0, 120_000.0, frame * FRAME, 0.04)
    assert subject.rate == pytest.approx(1.5 * 120_000)
    for frame in range(3_000, 6_000):
        subject.frame(0.0, 1e9, frame * FRAME, 0.04)
    assert subject.rate == 300_000


def test_a_growing_queue_brings_the_rate_to_85_per_cent_of_what_arrives():
    subject = law()
    rates = []
    for frame in range(20):
        subject.frame(0.01 * frame, 80_000.0, frame * FRAME, 0.04)  # 300 ms a second
        rates.append(subject.rate)
    assert min(rates) == 0.85 * 80_000


def test_a_standing_queue_is_none_of_its_business():
    subject = law()
    for frame in range(20):
        subject.frame(0.2, 80_000.0, frame * FRAME, 0.04)  # one step up
    low = subject.rate
    for frame in range(20, 80):
        subject.frame(0.2, 80_000.0, frame * FRAME, 0.04)
    assert subject.rate > low


def test_losses_above_a_tenth_lower_the_rate_by_half_of_them():
    subject = law()
    before = subject.rate
    subject.losses(0.1)
    assert subject.rate == before
    subject.losses(0.4)
    assert subject.rate == pytest.approx(0.8 * before)


def call_on(link_of) -> tuple[VideoCall, Simulator]:
    simulator = Simulator()
    return VideoCall(NetworkPath(simulator, link_of(simulator), 0.04)), simulator


def test_thirty_frames_a_second_and_a_whole_picture_every_two():
    call, simulator = call_on(lambda s: FifoLink(s, ConstantRate(1e9), 1 << 40))
    call.start()
    simulator.at(3.99, call.stop)
    simulator.run(6)
    assert call.frames_sent == len(call.frames) == 120
    assert call.seconds == pytest.approx(3.99)
    # at 187.5 kB/s a difference is 60/63 of 6250 B: six packets, the last of which leaves at 5/6 of 13 ms
    delays = [delay for _, delay in call.frames]
    assert delays[0] == pytest.approx(4 * 60 / 63 * FRAME / 2.5, rel=0.1)
    assert delays[10] == pytest.approx(60 / 63 * FRAME / 2.5 * 5 / 6, rel=0.1)
    assert delays[60] == max(delays[1:])


def test_a_line_that_stands_still_is_a_frozen_picture():
    rate = PiecewiseRate([(0.0, 1e6), (1.0, 100.0), (2.0, 1e6)])
    call, simulator = call_on(lambda s: FifoLink(s, rate, 1 << 40))
    call.start()
    simulator.at(5, call.stop)
    simulator.run(8)
    assert call.frozen_seconds == pytest.approx(1.0, abs=0.1)
    assert call.lost_packets == 0


def test_a_frame_that_lacks_a_packet_is_not_shown():
    class Lossy(FifoLink):
        def send(self, flow, number, size_bytes, state=None):
            if number != 30:
                super().send(flow, number, size_bytes, state)

    call, simulator = call_on(lambda s: Lossy(s, ConstantRate(1e6), 1 << 40))
    call.start()
    simulator.at(2, call.stop)
    simulator.run(4)
    assert call.lost_packets == 1
    assert len(call.frames) == call.frames_sent - 1
    assert call.frozen_seconds == 0.0  # 67 ms between two frames
