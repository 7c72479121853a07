"""`seed_server.line.site_rate`: the controller between what is seen and what policy says."""

import itertools
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bandwidth.core.decision import FIRST_RATE
from bandwidth.core.line_memory import LineMemory
from bandwidth.core.states import Reason, State
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.site_rate import (
    DRAINING_PART,
    EGRESS_RULE,
    WINDOW_GROWTH,
    Line,
    Policy,
    SiteDecision,
    SiteRate,
)
from seed_server.line.site_sample import LinkView
from seed_server.line.site_times import SiteTimes
from seed_server.line.socket_look import SocketLook

RECORDED = json.loads((Path(__file__).parent / "recorded" / "branch.json").read_text())
LINE = BytesPerSecond(1_000_000)
STEP = 0.05
RTT = 0.04
KNOWN = Line(LINE)


class FakeLine:
    """A line that carries what it is sent, up to its rate; a queue of the rest."""

    def __init__(self, site: SiteRate, *, carries: float = 1e6, links: int = 1) -> None:
        self.site = site
        self.carries = carries
        self.now = 0.0
        self.acked = [0.0] * links
        self.queue_bytes = 0.0
        self.limited: set[int] = set()

    def step(self, seconds: float = STEP) -> SiteDecision:
        views = {link: self.view(link) for link in range(len(self.acked))}
        queue = self.queue_bytes / self.carries
        decision = self.site.decide(views, {"pc": RTT + queue}, self.now)
        for link in range(len(self.acked)):
            wanted = decision.shares[link] * seconds
            self.acked[link] += min(wanted, 1_000.0) if link in self.limited else wanted
        over = decision.allowance * seconds - self.carries * seconds
        self.queue_bytes = max(0.0, self.queue_bytes + over)
        self.now += seconds
        return decision

    def view(self, link: int) -> LinkView:
        starved = link in self.limited
        look = SocketLook(
            rtt_seconds=RTT + self.queue_bytes / self.carries, rtt_variation_seconds=0.0, least_rtt_seconds=RTT,
            acked_bytes=int(self.acked[link]), sent_bytes=None, retransmits=0,
            needless_retransmits=0, early_segments=0, segment_bytes=1_448, window_segments=10_000,
            slow_start_threshold_segments=None, in_flight_segments=1, unsent_bytes=0 if starved else 5_000,
            pacing_rate=1 << 40, delivery_rate=0, application_limited=starved, receiver_limited_seconds=0.0,
        )  # fmt: skip
        return LinkView("pc", look, 0, None, None, metered=False)

    def run(self, seconds: float) -> SiteDecision:
        decision = self.site.decision
        for _ in range(round(seconds / STEP)):
            decision = self.step()
        return decision


def test_described_line_is_used_to_its_capacity() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0))
    decision = path.run(10)
    assert decision.allowance == 970_000
    assert decision.cause == Reason.AT_CAPACITY.value
    assert path.site.times.yielding == 0.0
    assert path.site.times.sending == pytest.approx(10 - STEP)
    assert set(path.site.times.by_cause) <= {reason.value for reason in Reason}


def test_while_full_packets_vanish_the_rate_is_held_and_that_is_the_reason() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0))
    before = path.run(10).allowance
    view = replace(path.view(0), vanishing=True)
    for number in range(1, 40):
        decision = path.site.decide({0: view}, {"pc": RTT}, path.now + number * STEP)
        assert (decision.state, decision.cause, decision.allowance) == (State.STALL, Reason.VANISHED.value, before)
    path.site.set_policy(Policy(ceiling=BytesPerSecond(1_000)))
    assert path.site.decide({0: view}, {}, path.now + 40 * STEP).allowance == 1_000
    path.site.set_policy(Policy(blackout=True))
    assert path.site.decide({0: view}, {}, path.now + 41 * STEP).allowance == 0
    assert path.site.times.by_cause[Reason.VANISHED.value] >= 39 * STEP


def test_a_line_that_is_down_is_not_held_for_one_on_which_full_packets_vanish() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0))
    path.run(10)
    view = replace(path.view(0), vanishing=True)
    causes = [path.site.decide({0: view}, {}, path.now + number * STEP).cause for number in range(1, 100)]
    assert causes[-1] == Reason.NO_SIGNALS.value


def test_line_that_nobody_described_is_learned() -> None:
    path = FakeLine(SiteRate(Line(), 0.0), carries=2e6)
    path.run(60)
    assert path.site.configured is None
    assert path.site.capacity(path.now) == pytest.approx(2e6, rel=0.25)


def test_shares_are_payload_and_what_one_cannot_take_goes_to_the_others() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0), links=3)
    decision = path.run(10)
    assert sum(decision.shares.values()) == int(decision.allowance * 1_448 / 1_500)
    assert max(decision.shares.values()) - min(decision.shares.values()) <= 1
    path.limited = {0}
    decision = path.run(5)
    assert decision.shares[0] < 50_000
    assert decision.shares[1] == pytest.approx((decision.allowance * 1_448 / 1_500 - decision.shares[0]) / 2, abs=1)
    assert decision.state is State.SCAVENGE


def test_all_limited_do_not_lose_their_room() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0), links=2)
    path.run(10)
    path.limited = {0, 1}
    decision = path.run(2)
    assert sum(decision.shares.values()) == pytest.approx(decision.allowance * 1_448 / 1_500, abs=2)
    assert decision.cause == Reason.APPLICATION_LIMITED.value


class TestPolicy:
    def decided(self, policy: Policy, *, line: Line = KNOWN, egress: int | None = None) -> SiteDecision:
        site = SiteRate(line, 0.0)
        site.set_policy(policy)
        site.egress_ceiling = None if egress is None else BytesPerSecond(egress)
        return FakeLine(site).run(10)

    def test_share_of_the_line(self) -> None:
        decision = self.decided(Policy(), line=Line(LINE, BytesPerSecond(300_000)))
        assert (decision.allowance, decision.cause) == (300_000, Reason.CEILING.value)
        assert "site map" in decision.reason

    def test_least_ceiling_counts_and_its_rule_is_told(self) -> None:
        policy = Policy(ceiling=BytesPerSecond(200_000), rule="window 'office'")
        decision = self.decided(policy, line=Line(LINE, BytesPerSecond(300_000)), egress=250_000)
        assert (decision.allowance, decision.reason) == (200_000, "policy ceiling: window 'office'")
        decision = self.decided(policy, egress=100_000)
        assert (decision.allowance, decision.reason) == (100_000, f"policy ceiling: {EGRESS_RULE}")

    def test_blackout_stops_everything(self) -> None:
        decision = self.decided(Policy(ceiling=BytesPerSecond(0), rule="blackout 'backup'", blackout=True))
        assert (decision.allowance, set(decision.shares.values())) == (0, {0})
        assert decision.reason == "policy forbids sending: blackout 'backup'"

    def test_boost_skips_adaptation_but_not_the_egress(self) -> None:
        boost = Policy(ceiling=BytesPerSecond(3_000_000), rule="'urgent'", boost=True)
        decision = self.decided(boost)
        assert (decision.allowance, decision.cause) == (3_000_000, Reason.BOOST.value)
        assert self.decided(boost, egress=2_000_000).allowance == 2_000_000

    def test_floor_holds_whatever_is_measured(self) -> None:
        site = SiteRate(Line(LINE), 0.0)
        site.set_policy(Policy(floor=BytesPerSecond(50_000), floor_rule="deadline 'Friday'"))
        path = FakeLine(site)
        path.run(5)
        path.carries = 20_000.0
        decision = path.run(5)
        assert decision.allowance == 50_000
        assert (decision.cause, decision.reason) == (Reason.FLOOR.value, f"{Reason.FLOOR.value}: deadline 'Friday'")

    def test_takes_effect_with_the_next_decision(self) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0))
        path.run(10)
        path.site.set_policy(Policy(ceiling=BytesPerSecond(0), blackout=True, rule="stop"))
        assert path.step().allowance == 0
        path.site.set_policy(Policy())
        assert path.run(10).allowance == 970_000

    def test_a_stop_is_said_though_nothing_is_sent(self) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0))
        before = path.run(10)
        assert path.site.standing(path.now) == before
        path.site.set_policy(Policy(ceiling=BytesPerSecond(0), blackout=True, rule="emergency stop 'all'"))
        standing = path.site.standing(path.now)
        assert (standing.allowance, standing.state) == (0, State.BLACKOUT)
        assert standing.reason == "policy forbids sending: emergency stop 'all'"
        path.step()
        path.site.set_policy(Policy())
        assert path.site.standing(path.now).state is not State.BLACKOUT, "it is over, though nothing was sent since"

    def test_line_of_the_profile_counts_where_the_site_map_says_nothing(self) -> None:
        assert self.decided(Policy(line=BytesPerSecond(400_000)), line=Line()).allowance == 388_000
        assert self.decided(Policy(line=BytesPerSecond(400_000))).allowance == 970_000


def test_short_pause_is_no_sign_of_a_rival() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0))
    path.run(10)
    for _ in range(5):
        path.now += 2.0
        path.site.resume(path.now)
        assert path.run(2).state in (State.SCAVENGE, State.SLOWDOWN, State.RAMP)
    assert path.site.times.yielding == 0.0


class TestTurns:
    """One PC's turn is over, and another one's begins."""

    PAYLOAD = 970_000 * 1_448 // 1_500

    def handed_on(self, path: FakeLine, seconds: float, *, carries: bool) -> None:
        """Let so much time pass since the last decision; ``carries``: the kernel's queue is sent meanwhile."""
        gap = seconds - STEP
        path.now += gap
        if carries:
            path.acked[0] += self.PAYLOAD * gap
        path.site.resume(path.now)

    @pytest.mark.parametrize(("seconds", "pause"), [(0.49, False), (0.51, True)])
    def test_less_than_half_a_second_between_them_is_no_pause(self, seconds: float, pause: bool) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0))
        path.run(10)
        sending = path.site.times.sending
        self.handed_on(path, seconds, carries=True)
        assert path.step().cause == (Reason.APPLICATION_LIMITED if pause else Reason.AT_CAPACITY).value
        assert path.site.times.sending - sending == pytest.approx(0.0 if pause else seconds)

    @pytest.mark.parametrize("every", [0.2, 0.5])
    def test_the_line_is_reached_while_pcs_take_turns(self, every: float) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0))
        while path.now < 2.0:
            path.run(every)
            path.site.resume(path.now)
        assert path.site.decision.allowance == 970_000
        assert Reason.APPLICATION_LIMITED.value not in path.site.times.by_cause

    @pytest.mark.parametrize("seconds", [0.1, 0.2, 0.3, 0.49])
    def test_a_gap_in_which_nothing_is_sent_is_no_rival(self, seconds: float) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0))
        path.run(10)
        for _ in range(5):
            self.handed_on(path, seconds, carries=False)
            path.run(1)
        assert path.site.times.yielding == 0.0

    @pytest.mark.parametrize(
        ("unsent", "share"),
        [
            (1, PAYLOAD // DRAINING_PART),
            (1 << 20, PAYLOAD // DRAINING_PART),
            (0, None),
        ],
    )
    def test_what_a_link_has_left_keeps_a_small_part_of_the_line_when_its_turn_is_over(
        self, unsent: int, share: int | None
    ) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0), links=2)
        path.run(10)
        over = path.view(1)
        assert over.look is not None
        left = replace(over.look, unsent_bytes=unsent)
        over = replace(over, look=left, rate=BytesPerSecond(self.PAYLOAD // 2), sending=False)  # it had more
        shares = path.site.divide({0: path.view(0), 1: over})
        assert shares.get(1) == (share if share is None else pytest.approx(share, abs=1))
        assert sum(shares.values()) == pytest.approx(self.PAYLOAD, abs=1)

    def test_a_link_is_offered_what_its_window_may_grow_to_and_the_others_the_rest(self) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0), links=2)
        path.run(10)
        new = path.view(1)
        assert new.look is not None
        for segments, share in ((70, WINDOW_GROWTH * 70 * new.look.segment_bytes), (1, self.PAYLOAD // 4)):
            small = replace(new.look, window_segments=segments, least_rtt_seconds=1.0)
            shares = path.site.divide({0: path.view(0), 1: replace(new, look=small)})
            assert shares[1] == pytest.approx(share, abs=1), "and half of an equal part in any case"
            assert sum(shares.values()) == pytest.approx(self.PAYLOAD, abs=1)

    def test_links_that_drain_share_their_part_and_what_is_over_goes_to_those_that_send(self) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0), links=4)
        path.run(10)
        over = {}
        for number in (1, 2, 3):
            view = path.view(number)
            assert view.look is not None
            left = replace(view.look, unsent_bytes=1 << 20)
            over[number] = replace(view, look=left, rate=BytesPerSecond(self.PAYLOAD // 4), sending=False)
        sends = path.view(0)
        assert sends.look is not None
        sends = replace(sends, look=replace(sends.look, window_segments=1, least_rtt_seconds=1.0))
        shares = path.site.divide({0: sends, **over})
        assert shares[0] == pytest.approx(self.PAYLOAD * (1 - 1 / DRAINING_PART), abs=3)

    def test_a_link_that_has_ended_and_cannot_be_looked_at_gets_nothing(self) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0), links=2)
        path.run(10)
        gone = replace(path.view(1), look=None, sending=False)
        assert set(path.site.divide({0: path.view(0), 1: gone})) == {0}

    def test_what_is_left_when_all_turns_are_over_has_the_whole_line(self) -> None:
        path = FakeLine(SiteRate(Line(LINE), 0.0))
        path.run(10)
        assert path.site.divide({0: replace(path.view(0), sending=False)}) == {0: pytest.approx(self.PAYLOAD, abs=1)}


@pytest.mark.parametrize(("loss_blind", "renewed"), [(True, 5), (False, 0)])
def test_a_window_that_losses_do_not_shrink_is_renewed_every_eight_seconds(loss_blind: bool, renewed: int) -> None:
    class Blind(FakeLine):
        def view(self, link: int) -> LinkView:
            return replace(super().view(link), loss_blind=loss_blind)

    path = Blind(SiteRate(Line(LINE), 0.0))
    path.run(10)
    decisions = [path.step() for _ in range(round(40 / STEP))]
    assert sum(decision.renew_windows for decision in decisions) == renewed


def test_one_link_that_losses_do_shrink_is_treated_as_all_were() -> None:
    class Mixed(FakeLine):
        def view(self, link: int) -> LinkView:
            return replace(super().view(link), loss_blind=link == 0)

    path = Mixed(SiteRate(Line(LINE), 0.0), links=2)
    path.run(10)
    assert not any(path.step().renew_windows for _ in range(round(40 / STEP)))


def test_long_pause_is_followed_by_a_careful_start_on_a_line_that_is_known() -> None:
    path = FakeLine(SiteRate(Line(), 0.0), carries=2e6)
    path.run(60)
    learned = path.site.capacity(path.now)
    path.now += 3_600.0
    path.site.resume(path.now)
    assert sum(path.site.divide({"x": path.view(0)}).values()) <= FIRST_RATE
    assert path.step().allowance <= FIRST_RATE
    assert learned is not None
    capacity = path.site.capacity(path.now)
    assert capacity is not None
    assert capacity > 0.45 * learned


def test_windows_are_renewed_when_the_line_is_free_again() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0))
    path.run(10)
    path.queue_bytes = 200_000.0  # somebody's burst
    renewed = []
    for _ in range(200):
        path.queue_bytes = max(0.0, path.queue_bytes - 10_000)
        renewed.append(path.step().renew_windows)
    assert path.site.times.yielding > 0
    assert renewed.count(True) >= 1


def test_learned_line_decides_the_packets() -> None:
    pc = EndpointId("a" * 26)
    assert SiteRate(Line(BytesPerSecond(250_000)), 0.0).packet_bytes(pc, 0.0) == 1_000
    assert SiteRate(Line(BytesPerSecond(16_000)), 0.0).packet_bytes(pc, 0.0) == 576
    assert SiteRate(Line(), 0.0).packet_bytes(pc, 0.0) == 1_500


def recorded_rows() -> list[tuple[float, dict[str, float], dict[str, LinkView], float]]:
    def view(endpoint: str, look: list[Any], written: int, rate: int, metered: bool, sending: bool) -> LinkView:
        known = SocketLook(early_segments=0, sent_bytes=None, **dict(zip(RECORDED["look"], look, strict=True)))
        return LinkView(endpoint, known, written, None, BytesPerSecond(rate), metered, sending)

    return [
        (at, pings, {name: view(name, *values) for name, values in links.items()}, late)
        for at, pings, links, late in RECORDED["rows"]
    ]


def test_recorded_line_is_given_to_a_download_and_used_again_after_it() -> None:
    rows = recorded_rows()
    site = SiteRate(Line(BytesPerSecond(2_500_000)), 0.0)
    decisions = [site.decide(links, pings, at, late_seconds=late) for at, pings, links, late in rows]
    # what was decided then is what the sockets were paced at in the next interval; since then ramps have become shorter
    shares = [sum(decision.shares.values()) for decision in decisions]
    same = sum(
        pytest.approx(share, rel=0.01) == sum(view.rate or 0 for view in links.values())
        for share, (_, _, links, _) in zip(shares, rows[1:], strict=False)
    )
    assert same >= 0.93 * len(rows)
    states = [decision.state for decision in decisions]
    turns = [(before, after) for before, after in itertools.pairwise(states) if before is not after]
    assert (State.SCAVENGE, State.YIELD) in turns
    assert (State.YIELD, State.RAMP) in turns
    assert (State.RAMP, State.SCAVENGE) in turns


def test_what_the_kernel_holds_of_a_link_that_has_stopped_takes_its_part_of_the_line() -> None:
    path = FakeLine(SiteRate(Line(LINE), 0.0), links=2)
    path.run(10)
    views = {0: path.view(0), 1: replace(path.view(1), sending=False)}
    shares = path.site.divide(views)
    assert sum(shares.values()) == path.site.divide({0: path.view(0)})[0], "no more than one alone has"
    assert shares[1] > 0
    assert views[1].look is not None
    drained = replace(views[1], look=replace(views[1].look, unsent_bytes=0))
    assert set(path.site.divide({0: path.view(0), 1: drained})) == {0}


def test_the_first_ramp_goes_on_where_a_small_file_ended() -> None:
    # metadata, for one: 17 kB for the whole site, and only then do its PCs ask for the patch
    path = FakeLine(SiteRate(Line(), 0.0))
    path.run(3 * STEP)
    for _ in range(3):
        path.acked[0] += 8_000  # what is under way arrives, faster than it was sent at first
        path.site.decide({0: replace(path.view(0), sending=False)}, {}, path.now)
        path.now += STEP
    assert path.site.decision.allowance >= FIRST_RATE, "no window is no window of nothing"


def test_what_an_earlier_run_learned_is_begun_with() -> None:
    earlier = FakeLine(SiteRate(Line(), 0.0), carries=2e6)
    earlier.run(60)
    memory = earlier.site.memory(earlier.now)
    assert memory is not None
    assert memory.round_trip_seconds == pytest.approx(RTT, abs=0.001)
    assert memory.age_seconds < 60
    assert SiteRate(Line(), 0.0, memory=memory).capacity(0.0) == earlier.site.capacity(earlier.now)
    later = FakeLine(SiteRate(Line(), 0.0, memory=replace(memory, capacity=2e6)), carries=2e6)
    later.run(1)
    assert later.site.decision.cause == Reason.AT_CAPACITY.value, "up to what is known, and not past it"
    assert later.queue_bytes == 0.0


def test_seconds_of_earlier_runs_are_counted_on() -> None:
    times = SiteTimes({"used up to its capacity": 3.0, "of old": 2.0}, yielding_before=1.5)
    path = FakeLine(SiteRate(Line(LINE), 0.0, times=times))
    path.run(10)
    assert path.site.times.by_cause["of old"] == 2.0
    assert path.site.times.sending == pytest.approx(15 - STEP)
    assert path.site.times.yielding == 1.5


def test_a_site_that_has_been_sent_nothing_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        kept = [SiteRate(KNOWN, 0.0, memory=LineMemory(2e6, 30.0)) for _ in range(20)]
        for site in kept:
            site.set_policy(Policy(ceiling=LINE))
            assert site.capacity(1.0) == LINE
            site.resume(1.0)
        assert tracemalloc.get_traced_memory()[0] / len(kept) < 16_000
    finally:
        tracemalloc.stop()


def test_what_was_remembered_of_a_line_that_is_described_now_is_void() -> None:
    site = SiteRate(Line(), 0.0, memory=LineMemory(2e6, 30.0))
    site.set_line(Line(LINE))
    assert site.capacity(1.0) == LINE
    site.set_line(Line())
    assert site.capacity(2.0) is None
