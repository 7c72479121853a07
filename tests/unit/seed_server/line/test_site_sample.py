"""`seed_server.line.site_sample`: many sockets, pings and reports as one sample of a line."""

from dataclasses import replace

import pytest

from bandwidth.core.signals import Sample
from bandwidth.core.units import BytesPerSecond
from seed_server.line.business_reports import BusinessView
from seed_server.line.round_trips import ACK_DELAYED_SECONDS
from seed_server.line.site_sample import (
    CARD_SECONDS,
    NEAR_LEAST_RATE,
    OVERCOMMITMENT_MOST,
    LinkView,
    SiteSampler,
    is_near,
)
from seed_server.line.socket_look import SocketLook

LOOK = SocketLook(
    rtt_seconds=0.045, rtt_variation_seconds=0.001, least_rtt_seconds=0.040, acked_bytes=0,
    sent_bytes=None, retransmits=0, needless_retransmits=0, early_segments=0,
    segment_bytes=1_448, window_segments=40, slow_start_threshold_segments=None, in_flight_segments=10,
    unsent_bytes=10_000, pacing_rate=10_000_000, delivery_rate=1_000_000, application_limited=False,
    receiver_limited_seconds=0.0,
)  # fmt: skip
NO_BUSINESS = BusinessView(None, False, None)
LINE_PER_PAYLOAD = 1_500 / 1_448
STEP = 0.05
Rows = list[tuple[dict[str, LinkView], dict[str, float]]]


def view(acked: int, *, endpoint: str = "a", metered: bool = False, written: int = 0, **changes: float) -> LinkView:
    look = replace(LOOK, acked_bytes=acked, **changes)  # type: ignore[arg-type]
    return LinkView(endpoint, look, written, None, BytesPerSecond(1_000_000), metered)


def samples(sampler: SiteSampler, rows: Rows) -> list[Sample]:
    return [sampler.sample(links, pings, NO_BUSINESS, at * STEP) for at, (links, pings) in enumerate(rows)]


def test_bytes_on_the_line_of_all_sockets_since_the_last_look() -> None:
    sampler = SiteSampler()
    first, second, third = samples(
        sampler,
        [
            ({"x": view(1_000_000), "y": view(500, endpoint="b")}, {}),
            ({"x": view(1_050_000, retransmits=3), "y": view(20_500, endpoint="b", retransmits=1)}, {}),
            ({"x": view(1_050_000, retransmits=3), "y": view(20_500, endpoint="b", retransmits=1)}, {}),
        ],
    )
    assert (first.delivered_bytes, first.retransmits) == (0, 0), "what was before counts for nothing"
    assert second.delivered_bytes == pytest.approx(70_000 * LINE_PER_PAYLOAD, abs=1)
    assert (second.retransmits, third.retransmits) == (0, 4), "for one interval they may turn out needless"


def test_what_has_arrived_before_a_lost_segment_counts_when_it_arrives_not_in_a_burst_later() -> None:
    # 10 segments a look; the 11th is lost and sent again two looks later
    looks = [(0, 0), (10, 0), (10, 9), (10, 19), (40, 0), (50, 0)]
    rows: Rows = [({"x": view(acked * 1_448, early_segments=early)}, {}) for acked, early in looks]
    new = [round(sample.delivered_bytes / LINE_PER_PAYLOAD / 1_448) for sample in samples(SiteSampler(), rows)]
    assert new == [0, 10, 9, 10, 11, 10]


def test_retransmits_that_the_receiver_had_no_need_of_are_no_losses() -> None:
    looks = [(0, 0), (2, 0), (2, 2), (5, 2), (5, 3), (7, 5), (7, 5), (7, 5)]
    rows: Rows = [({"x": view(0, retransmits=all_, needless_retransmits=needless)}, {}) for all_, needless in looks]
    assert [sample.retransmits for sample in samples(SiteSampler(), rows)] == [0, 0, 0, 0, 2, 0, 0, 0]


def test_socket_that_ends_is_counted_while_it_is_looked_at_and_a_new_one_from_its_start() -> None:
    sampler = SiteSampler()
    sampler.sample({"x": view(0)}, {}, NO_BUSINESS, 0.0)
    sampler.started("y", view(7_000, endpoint="b"))
    links = {"x": replace(view(10_000), sending=False), "y": view(9_000, endpoint="b")}
    sample = sampler.sample(links, {}, NO_BUSINESS, STEP)
    assert sample.delivered_bytes == pytest.approx(12_000 * LINE_PER_PAYLOAD, abs=1)
    assert sample.window_rate == pytest.approx(40 * 1_448 / 0.04 * LINE_PER_PAYLOAD, abs=2), "of what sends alone"


def test_counters_that_fall_are_no_negative_bytes() -> None:
    rows = samples(SiteSampler(), [({"x": view(1_000)}, {}), ({"x": view(10)}, {})])
    assert rows[1].delivered_bytes == 0


def test_small_packets_have_more_headers() -> None:
    rows = samples(
        SiteSampler(), [({"x": view(0, segment_bytes=524)}, {}), ({"x": view(52_400, segment_bytes=524)}, {})]
    )
    assert rows[1].delivered_bytes == pytest.approx(52_400 * 576 / 524, abs=1)


def test_a_late_echo_of_one_pc_is_no_queue() -> None:
    sampler = SiteSampler()
    links = {"x": view(0)}
    rows = [(links, {"a": 0.040, "b": 0.043})] * 20 + [(links, {"a": 0.240, "b": 0.044})]
    assert samples(sampler, rows)[-1].rtt_seconds == pytest.approx(0.041)


def test_a_queue_delays_everybody() -> None:
    links = {"x": view(0)}
    rows = [(links, {"a": 0.040, "b": 0.043})] * 20 + [(links, {"a": 0.070, "b": 0.074})]
    assert samples(SiteSampler(), rows)[-1].rtt_seconds == pytest.approx(0.070)


def test_newcomer_that_came_into_the_queue_does_not_hide_it() -> None:
    links = {"x": view(0)}
    rows = [(links, {"a": 0.040})] * 40 + [(links, {"a": 0.070, "c": 0.073})] * 5
    assert samples(SiteSampler(), rows)[-1].rtt_seconds == pytest.approx(0.070)


@pytest.mark.parametrize(
    ("delivered", "seen"), [(200_000, 0.0477), (2_000, 0.300)], ids=["data flow", "data do not flow"]
)
def test_late_echo_while_our_data_are_not_late_is_a_busy_process(delivered: int, seen: float) -> None:
    rows = [({"x": view(at * delivered)}, {"a": 0.040}) for at in range(10)]
    rows.append(({"x": view(10 * delivered)}, {"a": 0.300}))
    assert samples(SiteSampler(), rows)[-1].rtt_seconds == pytest.approx(seen, abs=1e-4)


@pytest.mark.parametrize(("delivered", "seen"), [(11_584, 0.0595), (2_896, 0.300)], ids=["flow", "hardly flow"])
def test_so_is_one_where_the_data_flow_to_several_pcs_in_parts(delivered: int, seen: float) -> None:
    """Four of a site share its line: in one sample too little arrives on each to say that none of it waits."""
    rows: Rows = [
        ({name: view(at * delivered, endpoint=name) for name in "wxyz"}, {"w": 0.040 if at < 20 else 0.300})
        for at in range(21)
    ]
    assert samples(SiteSampler(), rows)[-1].rtt_seconds == pytest.approx(seen, abs=1e-3)


def test_no_echo_is_none() -> None:
    assert samples(SiteSampler(), [({"x": view(0)}, {})])[0].rtt_seconds is None


class TestLimited:
    def rates(self, *views: LinkView) -> tuple[bool, bool]:
        sampler = SiteSampler()
        sample = samples(sampler, [({"x": one}, {}) for one in views])[-1]
        return sampler.link_rates["x"].limited, sample.application_limited

    def test_not_while_something_waits_in_the_kernel(self) -> None:
        assert self.rates(view(0), view(50_000, application_limited=True)) == (False, False)

    def test_when_the_kernel_had_nothing_to_send(self) -> None:
        assert self.rates(view(0), view(50_000, application_limited=True, unsent_bytes=0)) == (True, True)

    def test_when_the_receiver_is_full(self) -> None:
        assert self.rates(view(0), view(50_000, receiver_limited_seconds=0.03)) == (True, True)

    def test_metered_when_less_was_written_than_allowed(self) -> None:
        before = view(0, metered=True, unsent_bytes=0)
        assert self.rates(before, view(0, metered=True, written=50_000, unsent_bytes=0))[0] is False
        assert self.rates(before, view(0, metered=True, written=20_000, unsent_bytes=0))[0] is True
        assert self.rates(before, view(0, metered=True, written=20_000, unsent_bytes=9_000))[0] is False

    @pytest.mark.parametrize(("others", "limited"), [(1, True), (20, False)])
    def test_site_when_much_of_what_it_may_send_is_of_links_that_cannot(self, others: int, limited: bool) -> None:
        starved = [view(0), view(1_000, unsent_bytes=0)]
        rows: Rows = [
            ({"x": starved[at]} | {str(n): view(50_000 * at, endpoint=str(n)) for n in range(others)}, {})
            for at in (0, 1)
        ]
        assert samples(SiteSampler(), rows)[-1].application_limited is limited

    def through(self, lag: int = 1, **parts: float) -> tuple[dict[str, bool], bool]:
        """Links that get these parts of their rates through, for 3 s over a line of 40 ms, told ``lag`` looks later."""
        sampler = SiteSampler()
        rows: Rows = [
            (
                {key: view(int(50_000 * part * max(0, at - lag)), endpoint=key) for key, part in parts.items()},
                dict.fromkeys(parts, 0.04),
            )
            for at in range(60)
        ]
        sample = samples(sampler, rows)[-1]
        return {key: rate.limited for key, rate in sampler.link_rates.items()}, sample.application_limited

    def test_link_that_has_just_begun_is_not_held_up(self) -> None:
        sampler = SiteSampler()
        for at in range(90):
            links = {"x": view(50_000 * at)}
            if at == 60:
                sampler.started("y", view(0, endpoint="b"))
            if at >= 60:
                links["y"] = view(50_000 * max(0, at - 62), endpoint="b")
            sampler.sample(links, {"a": 0.04}, NO_BUSINESS, at * STEP)
            assert not any(rate.limited for rate in sampler.link_rates.values()), at

    def test_link_that_gets_less_through_than_another_is_held_up_by_its_pc(self) -> None:
        assert self.through(x=1.0, y=0.5) == ({"x": False, "y": True}, True)
        assert self.through(x=1.0, y=0.9) == ({"x": False, "y": False}, False)

    def test_links_that_all_get_less_through_are_held_up_by_the_line(self) -> None:
        assert self.through(x=0.6, y=0.5) == ({"x": False, "y": False}, False)

    def test_where_the_site_is_as_near_as_its_pcs_it_is_the_pcs(self) -> None:
        sampler = SiteSampler()
        rows: Rows = [({"x": view(25_000 * at)}, {"a": 0.001}) for at in range(60)]
        assert samples(sampler, rows)[-1].application_limited is False, "on a slow line it is the line"
        sampler = SiteSampler()
        sampler.line_carries = NEAR_LEAST_RATE
        assert samples(sampler, rows)[-1].application_limited is True

    def test_near_site_shows_only_what_the_pings_to_all_its_pcs_meet(self) -> None:
        sampler = SiteSampler()
        sampler.line_carries = NEAR_LEAST_RATE
        for at in range(4):
            links = {key: view(50_000 * at, endpoint=key, rtt_seconds=0.02, least_rtt_seconds=0.001) for key in "xy"}
            sampler.sample(links, {"x": 0.001, "y": 0.001}, NO_BUSINESS, at * STEP)
        links = {
            key: view(200_000, endpoint=key, retransmits=9, rtt_seconds=0.06, least_rtt_seconds=0.001) for key in "xy"
        }
        sample = sampler.sample(links, {"x": 0.041, "y": 0.031}, NO_BUSINESS, 4 * STEP)
        assert (sample.data_rtt_seconds, sample.retransmits, sampler.retransmits) == (None, 0, 0)
        sampler.sample(links, {"x": 0.041, "y": 0.031}, NO_BUSINESS, 5 * STEP)
        assert sampler.retransmits == 18
        assert sample.rtt_seconds == pytest.approx(0.031 - CARD_SECONDS)

    def test_our_own_lateness_is_no_queue_and_limits_all(self) -> None:
        sampler = SiteSampler()
        for at in range(4):
            sampler.sample({"x": view(50_000 * at)}, {"a": 0.04}, NO_BUSINESS, at * STEP)
        late = sampler.sample({"x": view(250_000)}, {"a": 0.09}, NO_BUSINESS, 0.25, late_seconds=0.05)
        assert late.rtt_seconds == pytest.approx(0.04)
        assert late.application_limited is True
        punctual = sampler.sample({"x": view(300_000)}, {"a": 0.09}, NO_BUSINESS, 0.3, late_seconds=0.001)
        assert punctual.application_limited is False
        assert punctual.rtt_seconds is not None
        assert punctual.rtt_seconds > 0.04

    def test_its_round_trip_says_nothing_of_the_line(self) -> None:
        rows: Rows = [
            ({"x": view(0), "y": view(0, endpoint="b")}, {}),
            (
                {
                    "x": view(40_000, rtt_seconds=0.042),
                    "y": view(40_000, endpoint="b", rtt_seconds=0.9, receiver_limited_seconds=0.05),
                },
                {},
            ),
        ]
        assert samples(SiteSampler(), rows)[-1].data_rtt_seconds == pytest.approx(0.042)


def test_a_round_trip_that_remembers_a_time_in_which_hardly_anything_was_sent_is_not_settled() -> None:
    def look(arrived: int, rtt: float) -> dict[str, LinkView]:
        return {"x": view(arrived, rtt_seconds=rtt)}

    trickle: Rows = [(look(800 * n, 0.1), {}) for n in range(10)]
    flow: Rows = [(look(8_000 + 14_480 * n, 0.1 - 0.007 * n), {}) for n in range(8)]
    settled = [sample.data_rtt_settled for sample in samples(SiteSampler(), [*trickle, *flow])]
    assert not any(settled[1:14]), "of 48 segments, 40 have arrived"
    assert all(settled[-2:])


def test_acknowledgements_that_wait_for_a_busy_pc_to_read_are_no_queue() -> None:
    def look(arrived: int, late: float) -> dict[str, LinkView]:
        return {"x": replace(view(arrived, rtt_seconds=0.3), read_late_seconds=late)}

    for late, taken_off in ((0.0, 0.0), (0.02, 0.02), (0.5, ACK_DELAYED_SECONDS)):
        rows: Rows = [(look(30_000 * n, late), {"a": 0.04 if n < 2 else 0.06}) for n in range(3)]
        last = samples(SiteSampler(), rows)[-1]
        assert (last.data_rtt_seconds, last.data_late_seconds) == pytest.approx((0.3, taken_off))
        assert last.rtt_seconds == pytest.approx(0.06), "what its pings meet is a queue all the same"


def test_no_pc_s_word_hides_what_the_data_of_others_meet() -> None:
    rows: Rows = []
    for n in range(3):
        honest = view(30_000 * n, rtt_seconds=0.2)
        liar = replace(view(30_000 * n, endpoint="b", rtt_seconds=0.2), read_late_seconds=2.0)
        rows.append(({"x": honest, "y": liar}, {}))
    assert samples(SiteSampler(), rows)[-1].data_late_seconds == 0.0


@pytest.mark.parametrize(("other", "least"), [(0.042, 0.042), (0.09, 0.045)])
def test_the_least_round_trip_counts_and_is_settled_if_one_of_them_is(other: float, least: float) -> None:
    rows: Rows = [({"x": view(14_480 * n, rtt_seconds=0.041)}, {}) for n in range(8)]
    for n in (8, 9):
        both = view(14_480 * n, rtt_seconds=0.045), view(14_480 * (n - 7), endpoint="b", rtt_seconds=other)
        rows.append((dict(zip("xy", both, strict=True)), {}))
    last = samples(SiteSampler(), rows)[-1]
    assert last.data_rtt_seconds == pytest.approx(least)
    assert (last.data_rtt_settled, last.data_sockets) == (True, 2)


def test_kernel_that_still_paces_slower_is_told() -> None:
    slow = replace(view(0, pacing_rate=64_000), rate=BytesPerSecond(100_000))
    rows = samples(SiteSampler(), [({"x": slow}, {})])
    assert rows[0].window_rate == pytest.approx(64_000 * LINE_PER_PAYLOAD, abs=1)


def test_pacing_at_our_own_rate_is_no_limit_of_the_kernels() -> None:
    rows = samples(SiteSampler(), [({"x": replace(view(0, pacing_rate=100_000), rate=BytesPerSecond(100_001))}, {})])
    assert rows[0].window_rate is not None
    assert rows[0].window_rate > 1_000_000


def test_without_tcp_info_what_was_written_counts_and_the_delay_of_pieces() -> None:
    sampler = SiteSampler()
    links = [
        {"x": LinkView("a", None, written, delay, BytesPerSecond(1_000_000), metered=True)}
        for written, delay in ((100_000, None), (150_000, 0.2), (200_000, 0.3))
    ]
    rows = samples(sampler, [(one, {}) for one in links])
    assert [row.delivered_bytes for row in rows[1:]] == [pytest.approx(50_000 * LINE_PER_PAYLOAD, abs=1)] * 2
    assert [row.data_rtt_seconds for row in rows] == [None, 0.2, 0.3]
    assert rows[-1].window_rate is None
    assert rows[-1].application_limited is False


def test_no_links_at_all() -> None:
    sample = samples(SiteSampler(), [({}, {})])[0]
    assert (sample.delivered_bytes, sample.data_rtt_seconds, sample.application_limited) == (0, None, True)


class TestFullCards:
    """At a near site, a PC's card that is full of our own swapping: what it does to a link says nothing of the line."""

    CARD = BytesPerSecond(8_000_000)
    BUSINESS = BusinessView(None, False, None, frozenset({"a"}), CARD)

    def near(self, rtt: float = 0.001) -> SiteSampler:
        sampler = SiteSampler()
        sampler.line_carries = BytesPerSecond(1_000_000)
        sampler.sample({"x": view(0)}, {"a": rtt}, self.BUSINESS, 0.0)
        return sampler

    @pytest.mark.parametrize(("rtt", "losses"), [(0.001, 0), (0.040, 5)])
    def test_explains_losses_where_the_site_is_near_and_nowhere_else(self, rtt: float, losses: int) -> None:
        sampler = self.near(rtt)
        sampler.sample({"x": view(0, retransmits=5)}, {}, self.BUSINESS, STEP)
        assert sampler.sample({"x": view(0, retransmits=5)}, {}, self.BUSINESS, 2 * STEP).retransmits == losses

    def test_a_link_that_it_holds_up_leaves_no_shortfall_to_explain(self) -> None:
        sampler = self.near()
        rows = [sampler.sample({"x": view(30_000 * n)}, {}, self.BUSINESS, n * STEP) for n in range(1, 13)]
        sample = rows[-1]
        assert sample.window_rate is not None
        assert sample.window_rate == pytest.approx(600_000 * LINE_PER_PAYLOAD, rel=0.05), "what comes through"
        assert not sample.application_limited, "it may have room again at any moment"
        rows = [sampler.sample({"x": view(30_000 * 12)}, {}, self.BUSINESS, n * STEP) for n in range(13, 40)]
        assert rows[-1].application_limited, "nothing comes through: a higher rate would test nothing"

    def test_what_held_up_links_leave_is_shared_out_again_and_not_without_end(self) -> None:
        sampler = self.near()
        assert sampler.overcommitment == 1.0

        def sends(share: float, steps: int, business: BusinessView) -> float:
            for _ in range(steps):
                self.acked += int(share * 1_000_000 * STEP)
                self.at += STEP
                rate = BytesPerSecond(int(1_000_000 * sampler.overcommitment))
                sampler.sample({"x": replace(view(self.acked), rate=rate)}, {}, business, self.at)
            return sampler.overcommitment

        self.acked, self.at = 0, 0.0
        sends(1.0, 20, self.BUSINESS)
        assert sends(0.8, 20, self.BUSINESS) > 1.05
        assert sends(0.5, 200, self.BUSINESS) == OVERCOMMITMENT_MOST
        assert sends(1.5, 10, self.BUSINESS) == 1.0, "too much is sent: that ends at once"
        assert sends(0.5, 60, self.BUSINESS) > 1.0
        assert sends(0.5, 1, NO_BUSINESS._replace(card_rate=self.CARD)) == 1.0, "no card is full: the line may be"

    def test_where_cards_are_full_the_line_shows_what_stays(self) -> None:
        sampler = self.near()
        comes_and_goes = [0.051, 0.001, 0.041, 0.051, 0.002, 0.046] * 4
        stays = [0.051] * 20
        seen = [
            sampler.sample({"x": view(0)}, {"a": seconds}, self.BUSINESS, (step + 1) * STEP).rtt_seconds
            for step, seconds in enumerate(comes_and_goes + stays)
        ]
        assert max(seconds or 0.0 for seconds in seen[1:24]) == pytest.approx(0.001)
        assert seen[-1] == pytest.approx(0.051 - CARD_SECONDS), "a queue that stays is the line's"

    def test_far_away_a_queue_counts_at_once_whatever_a_pc_says_of_its_card(self) -> None:
        sampler = self.near(0.040)
        assert sampler.sample({"x": view(0)}, {"a": 0.070}, self.BUSINESS, STEP).rtt_seconds == pytest.approx(0.070)


@pytest.mark.parametrize(
    ("rate", "rtt", "card", "near"),
    [
        (3_000_000, 0.001, 3_000_000, True),  # a card as slow as the line
        (3_000_000, 0.001, 24_000_000, True),
        (3_000_000, 0.001, 25_000_000, False),
        (3_000_000, 0.001, None, False),
        (NEAR_LEAST_RATE, 0.001, 1_250_000_000, True),  # as it is where no PC tells
        (3_000_000, 0.005, 3_000_000, False),  # a line between places
        (3_000_000, None, 3_000_000, False),
    ],
)
def test_a_site_is_near_where_its_cards_may_be_the_bottleneck(
    rate: int, rtt: float | None, card: int | None, near: bool
) -> None:
    assert is_near(BytesPerSecond(rate), rtt, None if card is None else BytesPerSecond(card)) is near


def test_before_the_first_ping_the_least_round_trip_of_a_connection_is_known() -> None:
    sampler = SiteSampler()
    for rtt in (None, 0.61, 0.56, None, 0.9):
        sampler.connected(rtt)
    assert sampler.expected_rtt_seconds == 0.56
    samples(sampler, [({"a": view(0)}, {"a": 0.5})])
    assert (sampler.expected_rtt_seconds, sampler.known_rtt_seconds) == (0.5, 0.5)
