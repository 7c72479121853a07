"""`p2pdist.limiter.link_report`: others' bytes, flows and harm out of raw counters that lie now and then."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.units import BytesPerSecond
from p2pdist.limiter.link_report import (
    IPV4_BYTES,
    IPV6_BYTES,
    LONGEST_INTERVAL_SECONDS,
    MAX_FLOWS,
    MAX_INTERFACES,
    MAX_SOCKETS,
    MOST_BYTES_PER_SECOND,
    OWN_OVERHEAD,
    TCP_FRAME_BYTES,
    BusinessUsage,
    LinkLook,
    LinkMeter,
    NicCounters,
    RawCounters,
    ReportGatherer,
    SocketReading,
)

BASE = SocketReading(
    flow_id=1,
    ours=False,
    on_link=False,
    received_bytes=0,
    sent_bytes=0,
    acked_bytes=0,
    segments_in=0,
    segments_out=0,
    rtt_seconds=None,
    least_rtt_seconds=None,
)


def raw(at: float, received: int = 0, sent: int = 0, *sockets: SocketReading) -> RawCounters:
    return RawCounters(at, {"eth0": NicCounters(received, sent)}, sockets)


def look(*raws: RawCounters) -> LinkLook:
    meter = LinkMeter()
    found = None
    for one in raws:
        found = meter.observe(one)
    assert found is not None
    return found


def received(*raws: RawCounters) -> int:
    return look(*raws).business_received_bytes


def test_the_report_has_exactly_these_fields() -> None:
    names = [field.name for field in fields(BusinessUsage)]
    assert names == [
        "interval_seconds", "business_bytes", "flows", "harm_seconds",
        "from_neighbours_bytes", "to_neighbours_bytes", "card_rate",
    ]  # fmt: skip


def test_what_neighbours_swap_is_told_beside_what_comes_over_the_line() -> None:
    neighbour, server = replace(BASE, ours=True, on_link=True), replace(BASE, flow_id=2, ours=True)
    meter = LinkMeter()
    meter.observe(RawCounters(1.0, {"eth0": NicCounters(0, 0)}, (neighbour, server), own_line_bytes=0))
    now = (replace(neighbour, received_bytes=5_000, sent_bytes=7_000), replace(server, received_bytes=2_000))
    found = meter.observe(
        RawCounters(1.1, {"eth0": NicCounters(7_000, 7_000)}, now, own_line_bytes=2_000), BytesPerSecond(10**6)
    )
    assert found is not None
    report = found.report
    assert (report.from_neighbours_bytes, report.to_neighbours_bytes, report.card_rate) == (5_000, 7_000, 10**6)


def test_the_first_look_reports_nothing() -> None:
    assert LinkMeter().observe(raw(1.0)) is None


class TestBusinessBytes:
    def test_are_the_cards_minus_ours(self) -> None:
        ours = replace(BASE, ours=True)
        before = raw(1.0, 1_000_000, 500_000, ours)
        after = raw(
            1.5,
            1_900_000,
            590_000,
            replace(ours, received_bytes=600_000, segments_in=500, sent_bytes=0, segments_out=250),
        )
        found = look(before, after)
        header = TCP_FRAME_BYTES + IPV4_BYTES
        assert found.own_received_bytes == 600_000 + 500 * header
        assert found.business_received_bytes == 900_000 - found.own_received_bytes
        assert found.business_sent_bytes == 90_000 - 250 * header
        assert found.report.business_bytes == found.business_received_bytes
        assert found.report.interval_seconds == 0.5

    def test_ipv6_has_longer_headers(self) -> None:
        ours = replace(BASE, ours=True, ipv6=True)
        found = look(raw(1.0, 0, 0, ours), raw(2.0, 10_000, 0, replace(ours, segments_in=10)))
        assert found.own_received_bytes == 10 * (TCP_FRAME_BYTES + IPV6_BYTES)

    def test_own_counts_stand_in_where_the_system_does_not_tell(self) -> None:
        before = RawCounters(1.0, {"eth0": NicCounters(0, 0)}, None, own_received_bytes=1_000, own_sent_bytes=0)
        after = RawCounters(2.0, {"eth0": NicCounters(300_000, 0)}, None, own_received_bytes=101_000, own_sent_bytes=0)
        assert received(before, after) == 300_000 - int(OWN_OVERHEAD * 100_000)

    def test_ours_over_the_line_are_told_from_ours_within_the_lan(self) -> None:
        line, lan = replace(BASE, ours=True), replace(BASE, flow_id=2, ours=True, on_link=True)
        first = raw(1.0, 0, 0, line, lan)
        after = raw(2.0, 900_000, 0, replace(line, received_bytes=300_000), replace(lan, received_bytes=600_000))
        found = look(first, replace(after, own_line_bytes=250_000))
        assert (found.own_line_bytes, found.own_received_bytes) == (300_000, 900_000)
        # a neighbour in another subnet: no piece comes from the server
        assert look(first, after).own_line_bytes == 0
        before = RawCounters(1.0, {"eth0": NicCounters(0, 0)}, None, own_received_bytes=500, own_line_bytes=0)
        after = RawCounters(2.0, {"eth0": NicCounters(0, 0)}, None, own_received_bytes=1_500, own_line_bytes=900)
        assert look(before, after).own_line_bytes == int(OWN_OVERHEAD * 900)

    def test_what_neighbours_send_is_the_cards_business_but_not_the_lines(self) -> None:
        file_server = replace(BASE, on_link=True)
        found = look(raw(1.0, 0, 0, file_server), raw(2.0, 900_000, 0, replace(file_server, received_bytes=800_000)))
        assert found.business_received_bytes == 900_000
        assert found.report.business_bytes == 100_000
        assert found.report.flows == ()

    def test_ours_that_the_card_counts_a_moment_later_are_no_business_then(self) -> None:
        ours = replace(BASE, ours=True)
        late = replace(ours, received_bytes=100_000)
        meter = LinkMeter()
        meter.observe(raw(1.0, 0, 0, ours))
        first, second = meter.observe(raw(1.1, 40_000, 0, late)), meter.observe(raw(1.2, 100_000, 0, late))
        assert first is not None
        assert second is not None
        assert (first.business_received_bytes, second.business_received_bytes) == (0, 0)

    def test_what_is_owed_is_never_more_than_one_looks_worth(self) -> None:
        ours = replace(BASE, ours=True)
        meter = LinkMeter()
        meter.observe(raw(1.0, 0, 0, ours))
        for n in range(1, 50):  # a second card that is not counted carries ours
            meter.observe(raw(1.0 + n, 0, 0, replace(ours, received_bytes=n * 1_000)))
        found = meter.observe(raw(51.0, 100_000, 0, replace(ours, received_bytes=49_000)))
        assert found is not None
        assert found.business_received_bytes == 99_000


SEGMENT = 1_448
FRAME = SEGMENT + TCP_FRAME_BYTES + IPV4_BYTES


@dataclass
class Receiver:
    """The receiving side of one connection of ours: the kernel's counters, and what the card has counted."""

    next_segment: int = 0
    early: set[int] = field(default_factory=set)
    counts: SocketReading = field(default_factory=lambda: replace(BASE, ours=True, segment_bytes=SEGMENT))
    card_bytes: int = 0

    def take(self, segments: Iterable[int]) -> None:
        """Let full segments of these numbers arrive, in this order."""
        for segment in segments:
            self.card_bytes += FRAME
            now = self.counts
            changes: dict[str, Any] = {"segments_in": now.segments_in + 1, "data_segments_in": now.data_segments_in + 1}
            if segment == self.next_segment:
                self.next_segment += 1
                while self.next_segment in self.early:
                    self.early.remove(self.next_segment)
                    self.next_segment += 1
                changes["received_bytes"] = self.next_segment * SEGMENT
            else:
                self.early.add(segment)
                changes["early_segments_in"] = now.early_segments_in + 1
            self.counts = replace(now, **changes)


def seen_of(course: Iterable[Iterable[int]]) -> list[tuple[int, int, int]]:
    """Return (ours by the counters, what arrived, others') of each look, 0.1 s apart."""
    receiver, meter, at = Receiver(), LinkMeter(), 1.0
    meter.observe(raw(at, 0, 0, receiver.counts))
    seen = []
    for arriving in course:
        at, before = at + 0.1, receiver.card_bytes
        receiver.take(arriving)
        found = meter.observe(raw(at, receiver.card_bytes, 0, receiver.counts))
        assert found is not None
        seen.append((found.own_received_bytes, receiver.card_bytes - before, found.business_received_bytes))
    return seen


def lossy_course(seed: int, *, loss: float, looks: int = 300, again_after: int = 3) -> list[list[int]]:
    """Return which segments arrive in each look: lost ones come ``again_after`` looks later, and may be lost again."""
    randomness, due, new = random.Random(seed), dict[int, list[int]](), 0
    course = []
    for at in range(looks + 10 * again_after):
        size = randomness.randrange(5, 60) if at < looks else 0
        sent = due.pop(at, []) + list(range(new, new + size))
        new += size
        lost = {segment for segment in sent if randomness.random() < loss and at < looks}
        due.setdefault(at + again_after, []).extend(sorted(lost))
        course.append([segment for segment in sent if segment not in lost])
    return course


class TestOursBehindALoss:
    def test_what_waits_for_a_lost_segment_counts_when_it_arrives(self) -> None:
        # the third segment is lost, and sent again two looks later
        course = [[0, 1, 3, 4], [5, 6, 7], [8, 2, 9], [10, 11]]
        assert seen_of(course) == [(4 * FRAME, 4 * FRAME, 0), (3 * FRAME,) * 2 + (0,), (3 * FRAME,) * 2 + (0,),
                                   (2 * FRAME,) * 2 + (0,)]  # fmt: skip

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("loss", [0.002, 0.01, 0.05])
    def test_no_loss_looks_like_a_burst(self, seed: int, loss: float) -> None:
        seen = seen_of(lossy_course(seed, loss=loss)[:300])
        assert [ours for ours, _, _ in seen] == [arrived for _, arrived, _ in seen]
        assert {others for _, _, others in seen} == {0}

    @pytest.mark.parametrize("seed", range(3))
    def test_the_sum_is_what_arrived_also_when_the_last_piece_has_holes(self, seed: int) -> None:
        seen = seen_of(lossy_course(seed, loss=0.05))
        assert sum(ours for ours, _, _ in seen) == sum(arrived for _, arrived, _ in seen)

    @pytest.mark.parametrize("then", [[], [1]], ids=["nothing", "one of two that are missing"])
    def test_what_waits_through_a_look_in_which_nothing_new_came_counts_once(self, then: list[int]) -> None:
        seen = seen_of([[0, 2, 3, 5, 6], then, [4] if then else [1, 4], [7]])
        assert sum(ours for ours, _, _ in seen) == sum(arrived for _, arrived, _ in seen)

    def test_the_lines_part_counts_it_too_and_the_lans_does_not(self) -> None:
        line, lan = Receiver(), Receiver()
        lan.counts = replace(lan.counts, flow_id=2, on_link=True)
        first = raw(1.0, 0, 0, line.counts, lan.counts)
        for one in (line, lan):
            one.take([0, 2, 3])
        found = look(first, replace(raw(1.1, 6 * FRAME, 0, line.counts, lan.counts), own_line_bytes=SEGMENT))
        assert (found.own_line_bytes, found.own_received_bytes) == (3 * FRAME, 6 * FRAME)

    def test_a_system_that_does_not_tell_what_waits_counts_what_is_in_order(self) -> None:
        before = Receiver()
        before.take([0])
        after = Receiver()
        after.take([0, 2, 3, 1])
        found = look(
            raw(1.0, 0, 0, replace(before.counts, early_segments_in=0)),
            raw(1.1, 3 * FRAME, 0, replace(after.counts, early_segments_in=0)),
        )
        assert found.own_received_bytes == 3 * FRAME

    def test_what_waited_before_a_sleep_is_not_taken_off_after_it(self) -> None:
        receiver, meter = Receiver(), LinkMeter()
        meter.observe(raw(1.0, 0, 0, receiver.counts))
        receiver.take([0, 2, 3, 4])
        meter.observe(raw(1.1, receiver.card_bytes, 0, receiver.counts))
        receiver.take([1])
        assert meter.observe(raw(3_600.0, receiver.card_bytes, 0, receiver.counts)) is None
        receiver.take([5, 6])
        found = meter.observe(raw(3_600.1, receiver.card_bytes, 0, receiver.counts))
        assert found is not None
        assert found.own_received_bytes == 2 * FRAME


class TestCountersThatLie:
    def test_32_bits_wrap(self) -> None:
        assert received(raw(1.0, (1 << 32) - 300), raw(2.0, 700)) == 1_000

    def test_a_card_that_starts_over_counts_as_nothing(self) -> None:
        assert received(raw(1.0, 3_000_000), raw(2.0, 2_000)) == 0
        assert received(raw(1.0, 1 << 40), raw(2.0, 2_000)) == 0

    def test_a_counter_goes_back_a_little(self) -> None:
        assert received(raw(1.0, 1 << 33), raw(2.0, (1 << 33) - 60)) == 0

    @pytest.mark.parametrize(("over", "counted"), [(0, MOST_BYTES_PER_SECOND), (1, 0)])
    def test_no_card_is_faster_than_the_cap(self, over: int, counted: int) -> None:
        assert received(raw(1.0, 0), raw(2.0, MOST_BYTES_PER_SECOND + over)) == counted

    def test_an_interface_that_appears_counts_from_then_on(self) -> None:
        dock = {"eth0": NicCounters(1_000, 0), "dock": NicCounters(1 << 36, 0)}
        more = {"eth0": NicCounters(1_500, 0), "dock": NicCounters((1 << 36) + 70, 0)}
        meter = LinkMeter()
        meter.observe(raw(1.0))
        first = meter.observe(RawCounters(2.0, dock, ()))
        second = meter.observe(RawCounters(3.0, more, ()))
        assert first is not None
        assert second is not None
        assert (first.business_received_bytes, second.business_received_bytes) == (1_000, 570)

    def test_an_interface_that_vanishes_takes_nothing_back(self) -> None:
        both = {"eth0": NicCounters(1_000, 0), "wlan0": NicCounters(50_000, 0)}
        assert received(RawCounters(1.0, both, ()), raw(2.0, 1_400)) == 400

    @pytest.mark.parametrize("count", [MAX_INTERFACES, MAX_INTERFACES + 1])
    def test_interfaces_are_bounded(self, count: int) -> None:
        before = RawCounters(1.0, {f"veth{n}": NicCounters(0, 0) for n in range(count)}, ())
        after = RawCounters(2.0, {f"veth{n}": NicCounters(1, 0) for n in range(count)}, ())
        assert received(before, after) == MAX_INTERFACES

    @pytest.mark.parametrize("at", [0.5, 1.0, 1.0 + LONGEST_INTERVAL_SECONDS + 0.001])
    def test_a_clock_step_or_a_sleep_reports_nothing_and_starts_anew(self, at: float) -> None:
        meter = LinkMeter()
        meter.observe(raw(1.0, 0))
        assert meter.observe(raw(at, 5_000_000)) is None
        found = meter.observe(raw(at + 1.0, 5_000_100))
        assert found is not None
        assert found.business_received_bytes == 100

    def test_the_longest_interval_still_counts(self) -> None:
        assert received(raw(1.0), raw(1.0 + LONGEST_INTERVAL_SECONDS, 10)) == 10

    @given(
        st.lists(
            st.tuples(
                st.floats(-20, 20),
                st.integers(0, 1 << 64),
                st.integers(0, 1 << 64),
                st.lists(
                    st.builds(
                        SocketReading,
                        flow_id=st.integers(0, 3),
                        ours=st.booleans(),
                        on_link=st.booleans(),
                        received_bytes=st.integers(0, 1 << 64),
                        sent_bytes=st.integers(0, 1 << 64),
                        acked_bytes=st.integers(0, 1 << 64),
                        segments_in=st.integers(0, 1 << 32),
                        segments_out=st.integers(0, 1 << 32),
                        rtt_seconds=st.none() | st.floats(0, 4_000),
                        least_rtt_seconds=st.none() | st.floats(0, 4_000),
                        data_segments_in=st.integers(0, 1 << 32),
                        early_segments_in=st.integers(0, 1 << 32),
                        segment_bytes=st.integers(0, 1 << 16),
                    ),
                    max_size=4,
                ),
            ),
            max_size=8,
        )
    )
    def test_whatever_is_counted_nothing_is_negative(
        self, looks: list[tuple[float, int, int, list[SocketReading]]]
    ) -> None:
        meter, at = LinkMeter(), 100.0
        for step, nic_in, nic_out, sockets in looks:
            at += step
            found = meter.observe(raw(at, nic_in, nic_out, *sockets))
            if found is None:
                continue
            report = found.report
            assert 0 < report.interval_seconds <= LONGEST_INTERVAL_SECONDS
            assert min(found.business_received_bytes, found.business_sent_bytes, report.business_bytes) >= 0
            assert found.business_received_bytes <= MOST_BYTES_PER_SECOND * report.interval_seconds
            assert all(size >= 0 for _, size in report.flows)
            assert report.harm_seconds is None or report.harm_seconds >= 0


class TestFlows:
    def test_ours_are_none(self) -> None:
        ours = replace(BASE, ours=True)
        assert look(raw(1.0, 0, 0, ours), raw(2.0, 0, 0, replace(ours, received_bytes=10))).report.flows == ()

    def test_a_new_connection_counts_from_0_and_an_old_one_from_where_it_was(self) -> None:
        old = replace(BASE, flow_id=7, received_bytes=1 << 30)
        meter = LinkMeter()
        meter.observe(raw(1.0, 0, 0, old))
        new = replace(BASE, flow_id=8, received_bytes=5_000)
        first = meter.observe(raw(1.1, 0, 0, replace(old, received_bytes=old.received_bytes + 100), new))
        second = meter.observe(raw(1.2, 0, 0, replace(old, received_bytes=old.received_bytes + 300), new))
        assert first is not None
        assert second is not None
        assert first.report.flows == ((8, 5_000), (7, 100))
        assert dict(second.report.flows) == {8: 5_000, 7: 300}

    @pytest.mark.parametrize("count", [MAX_FLOWS, MAX_FLOWS + 1])
    def test_the_most_active_are_listed(self, count: int) -> None:
        before = [replace(BASE, flow_id=n, received_bytes=1_000_000 - n) for n in range(count)]
        after = [replace(one, received_bytes=one.received_bytes + 10 + one.flow_id) for one in before]
        flows = look(raw(1.0, 0, 0, *before), raw(2.0, 0, 0, *after)).report.flows
        assert len(flows) == MAX_FLOWS
        assert flows[0] == (count - 1, 10 + count - 1)

    @pytest.mark.parametrize("count", [MAX_SOCKETS, MAX_SOCKETS + 1])
    def test_sockets_are_bounded(self, count: int) -> None:
        quiet = [replace(BASE, flow_id=n) for n in range(count)]
        last = replace(BASE, flow_id=count - 1, received_bytes=99)
        flows = look(raw(1.0, 0, 0, *quiet), raw(2.0, 0, 0, *quiet[:-1], last)).report.flows
        assert flows == (((count - 1, 99),) if count == MAX_SOCKETS else ())


class TestHarm:
    WAS = replace(BASE, acked_bytes=100, rtt_seconds=0.020, least_rtt_seconds=0.019)

    def test_is_of_the_most_harmed_with_a_fresh_round_trip(self) -> None:
        harmed = replace(self.WAS, acked_bytes=200, rtt_seconds=0.080)
        less = replace(harmed, flow_id=2, rtt_seconds=0.030)
        stale = replace(self.WAS, flow_id=3, rtt_seconds=0.500)
        before = [self.WAS, replace(self.WAS, flow_id=2), stale]
        found = look(raw(1.0, 0, 0, *before), raw(2.0, 0, 0, harmed, less, stale))
        assert found.report.harm_seconds == pytest.approx(0.061)

    @pytest.mark.parametrize(
        "changes",
        [{"acked_bytes": 100}, {"ours": True}, {"on_link": True}, {"least_rtt_seconds": None}, {"flow_id": 9}],
        ids=["stale", "ours", "on the LAN", "least unknown", "new"],
    )
    def test_is_unknown_where_nothing_tells(self, changes: dict) -> None:
        now = replace(self.WAS, **{"acked_bytes": 200, "rtt_seconds": 0.080, **changes})
        assert look(raw(1.0, 0, 0, self.WAS), raw(2.0, 0, 0, now)).report.harm_seconds is None

    def test_a_smoothed_round_trip_below_the_least_is_no_harm(self) -> None:
        now = replace(self.WAS, acked_bytes=200, rtt_seconds=0.018)
        assert look(raw(1.0, 0, 0, self.WAS), raw(2.0, 0, 0, now)).report.harm_seconds == 0.0


class TestGatherer:
    def test_reports_come_as_often_as_they_are_wanted_and_lose_no_byte(self) -> None:
        gatherer = ReportGatherer()
        sent = [gatherer.gather(BusinessUsage(0.1, 10 + n, ((1, n),), n / 100), 0.3) for n in range(9)]
        assert [report is not None for report in sent] == [False, False, True] * 3
        last = sent[-1]
        assert last is not None
        assert (last.business_bytes, last.flows, last.harm_seconds) == (16 + 17 + 18, ((1, 8),), 0.08)
        assert last.interval_seconds == pytest.approx(0.3)

    def test_each_is_sent_where_looks_are_rarer_than_wanted(self) -> None:
        gatherer = ReportGatherer()
        report = BusinessUsage(0.1, 5, (), None)
        assert gatherer.gather(report, 0.05) == report

    def test_a_transfer_is_told_at_each_look_however_seldom_the_rest_is_wanted(self) -> None:
        gatherer = ReportGatherer()
        sizes = [0, 2_000, 4_000, 30_000, 60_000, 60_100]
        sent = [gatherer.gather(BusinessUsage(0.1, 5, ((1, size),), None), 1.0) for size in sizes]
        assert [report is not None for report in sent] == [False, False, False, True, True, False]
        assert sent[3] is not None
        assert sent[3].interval_seconds == pytest.approx(0.4)

    def test_what_was_before_a_time_without_looks_is_not_joined(self) -> None:
        gatherer = ReportGatherer()
        assert gatherer.gather(BusinessUsage(0.1, 5_000, (), 0.5), 0.5) is None
        late = BusinessUsage(5.0, 7, (), None)
        assert gatherer.gather(late, 0.5) == late

    def test_what_nobody_wanted_is_not_told_later(self) -> None:
        gatherer = ReportGatherer()
        old, new = BusinessUsage(0.1, 5_000, (), 0.5), BusinessUsage(0.2, 7, (), None)
        assert gatherer.gather(old, 0.2) is None
        assert gatherer.gather(old, None) is None
        assert gatherer.gather(new, 0.2) == new
