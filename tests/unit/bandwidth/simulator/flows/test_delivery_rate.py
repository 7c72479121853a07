import pytest

from bandwidth.simulator.flows.delivery_rate import BANDWIDTH_ROUNDS, DeliveryRate

RTT = 0.1


def deliver(rate: DeliveryRate, spacing: float, start: float, rounds: int, delivered: int = 0) -> int:
    """Send 10 packets of 1000 bytes a round, so far apart, each acknowledged a round trip later."""
    for turn in range(rounds):
        at = start + turn * (RTT + 10 * spacing)
        sent = [rate.sent(delivered, number + 1, at + number * spacing) for number in range(10)]
        for number, state in enumerate(sent):
            delivered += 1_000
            rate.acknowledged(state, delivered, RTT, RTT, at + number * spacing + RTT)
    return delivered


def test_the_rate_is_what_was_delivered_between_sending_and_acknowledgement():
    rate = DeliveryRate()
    rate.begin(0.0)
    assert rate.highest == 0.0
    deliver(rate, 0.02, 0.0, 3)
    # ten packets from the sending of the first, at 0 s, to the acknowledgement of the last, at 0.28 s
    assert rate.highest == pytest.approx(10_000 / 0.28)


def test_the_highest_of_the_last_rounds_is_kept_and_then_forgotten():
    rate = DeliveryRate()
    rate.begin(0.0)
    delivered = deliver(rate, 0.01, 0.0, 2)
    fast, rounds = rate.highest, rate.round
    delivered = deliver(rate, 0.04, 2.0, 2, delivered)
    assert rate.highest == fast
    deliver(rate, 0.04, 5.0, BANDWIDTH_ROUNDS + 2, delivered)
    assert rate.round > rounds + BANDWIDTH_ROUNDS
    assert rate.highest < 0.6 * fast


def test_while_it_is_limited_only_a_higher_rate_counts():
    rate = DeliveryRate()
    rate.begin(0.0)
    rate.limit_until(1_000_000)
    delivered = deliver(rate, 0.04, 0.0, 2)
    slow = rate.highest
    assert slow > 0
    deliver(rate, 0.01, 5.0, 2, delivered)
    assert rate.highest > 2 * slow
