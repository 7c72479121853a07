"""`p2pdist.limiter.lan_policy`: the binding limit and its reason, in every situation of the closed list."""

from dataclasses import replace

import pytest

from bandwidth.core.states import Reason
from bandwidth.core.units import BytesPerSecond
from p2pdist.limiter.lan_policy import (
    BUSY_SHARE,
    FROM_CONTROLLER,
    PROTOCOL_RATE,
    STOPPED,
    UNKNOWN_CARD,
    WIFI_CEILING,
    WIFI_SHARE,
    YIELDING,
    LanDecision,
    LanInputs,
    LanPolicy,
    LanReason,
    ProfileAnswer,
    WayDecision,
)
from p2pdist.limiter.link_report import BusinessUsage, LinkLook
from p2pdist.pc.network import Medium, NetworkState

STEP = 0.1
GIGABIT = BytesPerSecond(125_000_000)
WIRED = NetworkState("eth0", Medium.WIRED, GIGABIT, "10.0.0.1")
PLAIN = LanInputs(NetworkState("eth0", Medium.WIRED), ProfileAnswer(), None)


def look(received: float = 0.0, sent: float = 0.0, line: float = 0.0) -> LinkLook:
    """Business at these rates, and our own bytes over the line."""
    return LinkLook(
        interval_seconds=STEP,
        own_received_bytes=int(line * STEP),
        own_sent_bytes=0,
        own_line_bytes=int(line * STEP),
        business_received_bytes=int(received * STEP),
        business_sent_bytes=int(sent * STEP),
        report=BusinessUsage(STEP, 0, (), None),
    )


class Lan:
    """Neighbours that take and give all that is allowed, at most ``wish`` each way."""

    def __init__(
        self,
        network: NetworkState,
        wish: float = 1e12,
        profile: ProfileAnswer | None = None,
        *,
        busy: bool = False,
    ) -> None:
        self.policy = LanPolicy()
        self.inputs = LanInputs(network, profile or ProfileAnswer(), None, busy=busy)
        self.wish = wish
        self.now = 0.0
        self.decision: LanDecision | None = None

    def run(
        self,
        seconds: float,
        *,
        received: float = 0.0,
        sent: float = 0.0,
        line: float = 0.0,
        gateway: float | None = 0.001,
    ) -> LanDecision:
        for _ in range(int(seconds / STEP)):
            up = down = 0.0
            if self.decision is not None:
                up = min(self.wish, self.decision.upload.rate or self.wish)
                down = min(self.wish, self.decision.download.rate or self.wish)
            inputs = replace(
                self.inputs,
                look=look(received, sent, line),
                received_bytes=int(down * STEP),
                sent_bytes=int(up * STEP),
                gateway_seconds=gateway,
            )
            self.now += STEP
            self.decision = self.policy.decide(inputs, self.now)
        assert self.decision is not None
        return self.decision


def test_every_reason_of_the_controller_is_translated() -> None:
    assert set(FROM_CONTROLLER) == set(Reason)
    assert LanReason.BUSINESS in YIELDING


class TestOnAWiredCard:
    def test_the_card_is_used_at_once_and_not_beyond_its_rate(self) -> None:
        lan = Lan(WIRED)
        first = lan.run(0.1)
        assert first.upload.rate == pytest.approx(0.97 * GIGABIT), (
            "what others use of it is counted, so there is nothing to find out"
        )
        decision = lan.run(4.0)
        for way in (decision.upload, decision.download):
            assert way.rate is not None
            assert 0.9 * GIGABIT < way.rate < GIGABIT
            assert way.reason is LanReason.AT_CAPACITY

    def test_business_on_the_card_gets_room_at_once_in_its_way_alone(self) -> None:
        lan = Lan(WIRED)
        lan.run(4.0)
        decision = lan.run(0.3, received=60e6)
        assert decision.download.reason is LanReason.BUSINESS
        assert decision.download.rate is not None
        assert decision.download.rate < GIGABIT - 60e6
        assert decision.upload.reason is LanReason.AT_CAPACITY
        assert lan.run(3.0).download.reason is LanReason.AT_CAPACITY

    def test_what_comes_over_the_line_goes_before_what_neighbours_send(self) -> None:
        lan = Lan(WIRED)
        lan.run(4.0)
        decision = lan.run(1.0, line=20e6)
        assert decision.download.rate is not None
        assert 0.75 * GIGABIT < decision.download.rate < GIGABIT - 20e6
        assert decision.download.reason is LanReason.LINE_FIRST
        assert decision.upload.reason is LanReason.AT_CAPACITY

    def test_a_queue_to_the_gateway_is_yielded_to(self) -> None:
        lan = Lan(WIRED)
        lan.run(4.0)
        decision = lan.run(1.5, gateway=0.030)
        assert decision.upload.reason in YIELDING
        assert decision.upload.rate is not None
        assert decision.upload.rate < GIGABIT / 2

    def test_without_answers_of_the_gateway_the_cards_bytes_decide(self) -> None:
        lan = Lan(WIRED)
        lan.inputs = replace(lan.inputs, gateway_answers=False)
        assert lan.run(4.0, gateway=None).upload.reason is LanReason.AT_CAPACITY
        assert lan.run(0.3, sent=60e6, gateway=None).upload.reason is LanReason.BUSINESS

    def test_neighbours_that_take_less_are_said(self) -> None:
        assert Lan(WIRED, wish=1e6).run(6.0).upload.reason is LanReason.NOTHING_TO_DO

    def test_without_a_known_rate_nothing_is_adapted(self) -> None:
        lan = Lan(replace(WIRED, speed=None))
        assert lan.run(1.0, received=1e9).download.rate is None
        assert not lan.policy.adapts

    def test_a_new_card_is_learned_anew(self) -> None:
        lan = Lan(WIRED)
        lan.run(4.0)
        lan.inputs = replace(lan.inputs, network=replace(WIRED, speed=BytesPerSecond(12_500_000)))
        decision = lan.run(4.0)
        assert decision.upload.rate is not None
        assert decision.upload.rate < 12_500_000


class TestOnWifi:
    WIFI = NetworkState("wlan0", Medium.WIFI, BytesPerSecond(20_000_000), "10.0.0.1")

    def test_both_ways_share_half_of_the_cell(self) -> None:
        decision = Lan(self.WIFI).run(5.0)
        assert decision.upload.rate is not None
        assert decision.download.rate is not None
        assert 8e6 < decision.upload.rate + decision.download.rate <= 10e6
        assert decision.upload.rate == pytest.approx(decision.download.rate, rel=0.01)

    def test_one_way_alone_gets_most_of_it(self) -> None:
        lan = Lan(self.WIFI, wish=0.0)
        lan.run(0.2)
        for _ in range(50):  # downloads alone
            lan.now += STEP
            assert lan.decision is not None
            inputs = replace(
                lan.inputs,
                look=look(),
                received_bytes=int((lan.decision.download.rate or 0) * STEP),
                gateway_seconds=0.003,
            )
            lan.decision = lan.policy.decide(inputs, lan.now)
        assert lan.decision is not None
        assert lan.decision.download.rate is not None
        assert lan.decision.download.rate > 8e6

    def test_a_link_of_unknown_rate_has_a_ceiling(self) -> None:
        decision = Lan(replace(self.WIFI, speed=None)).run(10.0)
        assert decision.upload.rate is not None
        assert decision.download.rate is not None
        assert decision.upload.rate + decision.download.rate <= WIFI_CEILING + 2 * STOPPED

    def test_noise_of_the_air_is_no_queue(self) -> None:
        lan = Lan(self.WIFI)
        lan.run(5.0)
        assert lan.run(0.5, gateway=0.012).upload.reason not in YIELDING


class TestTheProfile:
    def test_its_cap_binds_where_it_is_less(self) -> None:
        decision = Lan(WIRED, profile=ProfileAnswer(rate=BytesPerSecond(1_000_000), rule="cap")).run(4.0)
        assert (decision.upload.rate, decision.upload.reason) == (1_000_000, LanReason.PROFILE)
        assert decision.serve

    def test_a_blackout_stops_both_ways(self) -> None:
        decision = LanPolicy().decide(replace(PLAIN, profile=ProfileAnswer(rate=BytesPerSecond(0), blackout=True)), 1.0)
        assert (decision.upload.rate, decision.download.rate) == (PROTOCOL_RATE, STOPPED)
        assert decision.upload.reason is decision.download.reason is LanReason.BLACKOUT
        assert not decision.serve

    def test_a_rate_of_nearly_nothing_is_not_taken_for_unlimited(self) -> None:
        decision = LanPolicy().decide(replace(PLAIN, profile=ProfileAnswer(rate=BytesPerSecond(0))), 1.0)
        assert decision.download.rate == STOPPED

    @pytest.mark.parametrize(
        ("medium", "reason"), [(Medium.VPN, LanReason.REFUSED_VPN), (Medium.METERED, LanReason.REFUSED_METERED)]
    )
    def test_our_own_caution_yields_to_what_it_says_of_the_network(self, medium: Medium, reason: LanReason) -> None:
        inputs = replace(PLAIN, network=NetworkState("tun0", medium))
        decision = LanPolicy().decide(inputs, 1.0)
        assert (decision.serve, decision.upload.reason) == (False, reason)
        assert decision.download.rate is None
        said = ProfileAnswer(rate=BytesPerSecond(250_000), names_network=True)
        decision = LanPolicy().decide(replace(inputs, profile=said), 1.0)
        assert (decision.serve, decision.upload.rate) == (True, 250_000)


class TestFitness:
    def test_a_refusal_keeps_the_downloads(self) -> None:
        decision = LanPolicy().decide(replace(PLAIN, refusal=LanReason.REFUSED_BATTERY), 1.0)
        assert (decision.serve, decision.upload.reason) == (False, LanReason.REFUSED_BATTERY)
        assert decision.download.reason is LanReason.UNLIMITED

    def test_neighbours_on_this_very_pc_are_always_served(self) -> None:
        network = NetworkState("lo", Medium.LOOPBACK)
        decision = LanPolicy().decide(replace(PLAIN, network=network, refusal=LanReason.REFUSED_BATTERY), 1.0)
        assert (decision.serve, decision.upload.rate) == (True, None)


class TestOurOwnQueue:
    """The card is full of what neighbours swap: the gateway's ping waits behind it."""

    def run(self, own: float, business: float = 0.0, seconds: float = 3.0) -> LanDecision:
        lan = Lan(WIRED)
        lan.run(4.0)
        for _ in range(int(seconds / STEP)):
            full = replace(look(business), own_received_bytes=int(own * STEP))
            lan.now += STEP
            inputs = replace(lan.inputs, look=full, received_bytes=int(own * STEP), gateway_seconds=0.050)
            lan.decision = lan.policy.decide(inputs, lan.now)
        assert lan.decision is not None
        return lan.decision

    def test_is_nobody_elses(self) -> None:
        decision = self.run(0.9 * GIGABIT)
        assert decision.download.reason not in YIELDING
        assert (decision.download.rate or 0) > 0.9 * GIGABIT

    def test_is_not_ours_where_we_use_little_of_the_card(self) -> None:
        assert self.run(0.1 * GIGABIT).download.reason is LanReason.CONTENTION

    def test_is_not_ours_alone_where_others_use_the_card_too(self) -> None:
        decision = self.run(0.5 * GIGABIT, business=0.3 * GIGABIT)
        assert decision.download.reason in YIELDING
        assert (decision.download.rate or 0) < 0.7 * GIGABIT


class TestABusyProcessor:
    """A PC that is busy gives less, and never nothing."""

    @pytest.mark.parametrize(
        ("network", "card"),
        [
            (NetworkState("eth0", Medium.WIRED), UNKNOWN_CARD),
            (WIRED, GIGABIT),
            (NetworkState("eth0", Medium.WIRED, BytesPerSecond(3_125_000)), 3_125_000),
            (NetworkState("wlan0", Medium.WIFI), WIFI_CEILING),
            (NetworkState("wlan0", Medium.WIFI, BytesPerSecond(40_000_000)), WIFI_SHARE * 40_000_000),
        ],
    )
    def test_it_gives_a_part_of_what_its_card_carries_and_takes_as_ever(
        self, network: NetworkState, card: float
    ) -> None:
        free, lan = Lan(network).run(4.0), Lan(network, busy=True)
        for seconds in (4.0, 30.0):
            busy = lan.run(seconds)
            assert busy.serve
            assert busy.upload.rate is not None
            assert busy.upload.rate <= BUSY_SHARE * card
            assert busy.download.rate is free.download.rate is None or (busy.download.rate or 0) >= (
                free.download.rate or 0
            )
            if network.medium is Medium.WIRED:
                assert busy.upload == WayDecision(BytesPerSecond(int(BUSY_SHARE * card)), LanReason.HELPS_LESS_CPU)

    def test_a_limit_that_is_less_stays_and_says_why(self) -> None:
        profile = ProfileAnswer(rate=BytesPerSecond(500_000), rule="cap")
        decision = Lan(WIRED, busy=True, profile=profile).run(4.0)
        assert (decision.upload.rate, decision.upload.reason) == (500_000, LanReason.PROFILE)

    def test_a_refusal_and_a_blackout_are_said_before_it(self) -> None:
        refused = LanPolicy().decide(replace(PLAIN, busy=True, refusal=LanReason.REFUSED_BATTERY), 1.0)
        assert (refused.serve, refused.upload.reason) == (False, LanReason.REFUSED_BATTERY)
        dark = LanPolicy().decide(replace(PLAIN, busy=True, profile=ProfileAnswer(blackout=True)), 1.0)
        assert (dark.serve, dark.upload) == (False, WayDecision(PROTOCOL_RATE, LanReason.BLACKOUT))

    def test_neighbours_on_this_very_pc_are_helped_as_ever(self) -> None:
        network = NetworkState("lo", Medium.LOOPBACK)
        assert LanPolicy().decide(replace(PLAIN, network=network, busy=True), 1.0).upload.rate is None
