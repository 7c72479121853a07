"""`bandwidth.core.sensors`: the few numbers that decide, by hand."""

from dataclasses import dataclass, field, replace

import pytest

from bandwidth.core.sensors import Sensors, View
from bandwidth.core.signals import Sample
from bandwidth.core.units import BytesPerSecond

STEP = 0.0625  # exact in binary, so that windows end where the sums by hand say
IDLE = Sample(
    rtt_seconds=0.04,
    data_rtt_seconds=None,
    delivered_bytes=0,
    retransmits=0,
    application_limited=False,
    window_rate=None,
    business_bytes=None,
)


def sample(
    rtt: float | None = 0.04,
    *,
    data: float | None = None,
    delivered: int = 0,
    lost: int = 0,
    limited: bool = False,
    window: int | None = None,
    business: int | None = None,
) -> Sample:
    """Return a sample of a line of 40 ms."""
    window_rate = None if window is None else BytesPerSecond(window)
    return Sample(rtt, data, delivered, lost, limited, window_rate, business)


@dataclass
class Line:
    """Sensors that look every `STEP`."""

    sensors: Sensors = field(default_factory=Sensors)
    now: float = 0.0

    def look(self, *looks: Sample, times: int = 1, step: float = STEP, allowed: int = 0, quiet: bool = False) -> View:
        """Take the samples so many times, and return the last view."""
        assert looks
        view: View | None = None
        for each in looks * times:
            self.now += step
            view = self.sensors.observe(each, self.now, quiet=quiet, silent=False, allowed=BytesPerSecond(allowed))
        assert view is not None
        return view


@pytest.fixture
def line() -> Line:
    """Return a line on which the first round trip is known."""
    fresh = Line()
    fresh.look(IDLE)
    return fresh


# --- pings -------------------------------------------------------------------------------------


def test_the_queue_is_the_least_of_three_pings_above_the_base(line: Line) -> None:
    assert line.look(sample(0.09)).queue_seconds == 0.0
    assert line.look(sample(0.07)).queue_seconds == 0.0, "the first of 40 ms is one of the last three"
    assert line.look(sample(0.06)).queue_seconds == pytest.approx(0.02)
    view = line.look(sample(0.05))
    assert view.queue_seconds == pytest.approx(0.01)
    assert view.rtt_seconds == 0.05, "planned with the newest"


def test_one_late_ping_is_no_queue(line: Line) -> None:
    line.look(sample(0.04), times=3)
    assert line.look(sample(0.5)).queue_seconds == 0.0
    assert line.look(sample(0.04)).queue_seconds == 0.0


def test_two_lost_pings_in_a_row_leave_no_sensor(line: Line) -> None:
    line.look(sample(0.04), times=2)
    view = line.look(sample(None))
    assert (view.pings_missing, view.queue_seconds) == (False, 0.0)
    view = line.look(sample(None))
    assert (view.pings_missing, view.queue_seconds) == (True, None)
    view = line.look(sample(0.04))
    assert (view.pings_missing, view.queue_seconds) == (False, 0.0)


def test_without_pings_our_data_shows_the_queue(line: Line) -> None:
    rate = 144_800  # 100 segments per second, so two of them take 20 ms, and acknowledgements are late by as much
    size = int(rate * STEP)
    line.look(sample(0.04, data=0.04, delivered=size), times=16)
    view = line.look(sample(None, data=0.10, delivered=size), times=2)
    assert view.pings_missing
    assert view.queue_seconds == pytest.approx(0.10 - 0.04 - 0.02)
    assert view.own_queue_seconds == 0.0


def test_what_a_socket_remembers_of_an_outage_is_no_queue(line: Line) -> None:
    line.look(sample(0.04, data=0.04, delivered=50_000), times=4)
    line.look(sample(None), times=40)
    first = replace(sample(None, data=1.9, delivered=50_000, lost=30), data_rtt_settled=False)
    view = line.look(first, times=2)
    assert (view.queue_seconds, view.data_queue_seconds) == (None, 0.0)
    assert (view.lost, view.lost_crowded) == (0, 0), "what the outage swallowed is sent again"
    view = line.look(replace(first, data_rtt_settled=True))
    assert view.queue_seconds == pytest.approx(1.86, abs=0.02), "it has forgotten, so it is of now"
    view = line.look(sample(0.04, data=0.04, delivered=50_000))
    assert view.losses_usual == 0.0, "nor does the line usually lose as much"
    assert line.look(sample(0.04, data=0.04, delivered=50_000, lost=3)).lost == 3


def test_pings_alone_that_stay_away_are_no_outage(line: Line) -> None:
    """A rival's full buffer may hold them up, and only what our sockets meet shows it."""
    line.look(sample(0.04, data=0.04, delivered=50_000), times=4)
    waits = replace(sample(None, data=0.3, delivered=10_000), data_rtt_settled=False)
    assert line.look(waits, times=20).queue_seconds == pytest.approx(0.26 - 2 * 1_448 * STEP / 10_000)


def test_where_no_ping_has_ever_come_a_socket_that_hardly_sent_is_all_there_is() -> None:
    line = Line()
    line.look(replace(sample(None, data=0.04, delivered=50_000), data_rtt_settled=False), times=16)
    view = line.look(replace(sample(None, data=0.24, delivered=50_000), data_rtt_settled=False))
    assert view.queue_seconds == pytest.approx(0.2, abs=0.01)


def test_without_a_ping_ever_the_data_socket_is_planned_with() -> None:
    assert Line().look(sample(None, data=0.2)).rtt_seconds == 0.2
    assert Line().look(sample(None)).rtt_seconds == 0.1


def test_the_base_rises_only_in_quiet(line: Line) -> None:
    line.look(sample(0.0405), times=2_000)
    assert line.sensors.base.seconds == 0.04
    line.look(sample(0.0405), times=12_000, quiet=True)  # 750 s: ten windows of a minute
    assert line.sensors.base.seconds == 0.0405


# --- our own queue -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delivered", "own"),
    [
        # in 0.5 s: 8 × 2 896 = 16 segments; two of them take 62.5 ms at that rate
        (2_896, 0.14 - 0.04 - 0.0625),
        (2_895, 0.0),  # a smoothed round trip of fewer is too old
    ],
)
def test_fair_queueing_shows_as_a_queue_that_pings_do_not_meet(line: Line, delivered: int, own: float) -> None:
    line.look(sample(data=0.04, delivered=delivered), times=16)
    view = line.look(sample(data=0.14, delivered=delivered))
    assert view.queue_seconds == 0.0
    assert view.own_queue_seconds == pytest.approx(own)


def test_the_spacing_of_a_pause_is_no_queue_when_the_pause_ends(line: Line) -> None:
    line.look(sample(data=0.04, delivered=100_000), times=16)
    for data in (0.040, 0.040, 0.048, 0.055, 0.060, 0.063, 0.063, 0.063):  # 96 kB/s: two segments take 30 ms
        view = line.look(sample(data=data, delivered=6_000))
        assert view.own_queue_seconds == 0.0
    view = line.look(sample(data=0.041, delivered=60_000))
    assert view.own_queue_seconds == 0.0


def test_a_queue_that_both_meet_is_not_our_own(line: Line) -> None:
    line.look(sample(data=0.04, delivered=100_000), times=16)
    view = line.look(sample(0.09, data=0.09, delivered=100_000), times=3)
    assert view.queue_seconds == pytest.approx(0.05)
    assert view.own_queue_seconds == 0.0


def test_a_queue_that_both_meet_is_seen_in_our_data_before_the_pings_filter_shows_it(line: Line) -> None:
    line.look(sample(data=0.04, delivered=100_000), times=16)
    view = line.look(sample(0.09, data=0.092, delivered=100_000))
    spacing = 2 * 1_448 / (100_000 / STEP)
    assert view.queue_seconds == 0.0, "the first of three pings"
    assert view.data_queue_seconds == pytest.approx(0.052 - spacing)
    assert view.own_queue_seconds == pytest.approx(0.002 - spacing), "of which all but this is everybody's"


def test_of_several_sockets_each_is_acknowledged_the_more_rarely(line: Line) -> None:
    line.look(sample(data=0.04, delivered=30_000), times=16)
    spacing = 2 * 1_448 / (30_000 / STEP)
    view = line.look(replace(sample(data=0.04 + 4.5 * spacing, delivered=30_000), data_sockets=4))
    assert view.own_queue_seconds == pytest.approx(0.5 * spacing)


def test_a_data_queue_that_is_not_fresh_is_none(line: Line) -> None:
    line.look(sample(data=0.04, delivered=2_895), times=16)
    assert line.look(sample(data=0.14, delivered=2_895)).data_queue_seconds == 0.0


# --- rates -------------------------------------------------------------------------------------


def test_the_first_sample_has_no_interval() -> None:
    view = Line().look(sample(delivered=10**6, lost=100, business=10**6))
    assert (view.delivered, view.recent, view.lost) == (0.0, 0.0, 0)


def test_our_rate_is_of_half_a_second_and_the_lines_of_two_looks(line: Line) -> None:
    view = line.look(sample(delivered=1_000, business=500), times=8)
    assert view.delivered == 16_000.0
    assert view.recent == 24_000.0
    view = line.look(sample(delivered=3_000, business=500))
    assert view.delivered == pytest.approx((7 * 1_000 + 3_000) / 0.5)
    # 0.15 s hold three looks of 0.0625 s: those at 0, 0.0625 and 0.125 s of age
    assert view.recent == pytest.approx((1_000 + 1_000 + 3_000 + 3 * 500) / 0.1875)
    line.look(sample(delivered=0), times=7)
    assert line.look(sample(delivered=0)).delivered == 0.0


def test_ours_alone_lately(line: Line) -> None:
    view = line.look(sample(delivered=1_000, business=500), times=8)
    assert (view.own_recent, view.recent) == (16_000.0, 24_000.0)


@pytest.mark.parametrize(("missing", "looks"), [(0, 2), (1, 3)])
def test_what_a_full_line_carries_is_of_two_looks_where_they_have_64_segments(
    line: Line, missing: int, looks: int
) -> None:
    line.look(sample(delivered=100 * 1_448, business=1_448), times=8)
    line.look(sample(delivered=31 * 1_448, business=1_448))
    view = line.look(sample(delivered=31 * 1_448 - missing, business=1_448))
    carried = (32 + 32 + (101 if looks == 3 else 0)) * 1_448 - missing
    assert view.carried == pytest.approx(carried / (looks * STEP))


def test_business_that_is_not_seen_counts_as_nothing(line: Line) -> None:
    view = line.look(sample(delivered=1_000, business=None), times=8)
    assert view.recent == 16_000.0
    assert line.sensors.business.need == 0.0


@pytest.mark.parametrize(("gap", "rate"), [(2.0, 1_000 / 2.0), (2.001, 0.0), (-0.001, 0.0), (3_600.0, 0.0)])
def test_a_silence_of_more_than_two_seconds_says_nothing_of_the_rates_in_it(
    line: Line, gap: float, rate: float
) -> None:
    line.look(sample(delivered=50_000, business=50_000, lost=3), times=8)
    view = line.look(sample(0.2, delivered=1_000, lost=5, business=1_000), step=gap)
    assert view.delivered == rate
    assert view.lost == (5 if rate else 0)
    assert line.sensors.business.mean == rate
    # pings of before do not hide what the line is like now
    assert view.queue_seconds == pytest.approx(0.0 if rate else 0.16)
    assert line.sensors.base.seconds == 0.04, "the line is the same"


# --- losses ------------------------------------------------------------------------------------


def test_losses_count_for_half_a_second(line: Line) -> None:
    assert line.look(sample(delivered=1_448, lost=2), sample(delivered=1_448, lost=1)).lost == 3
    assert line.look(sample(delivered=1_448), times=6).lost == 3
    assert line.look(sample(delivered=1_448)).lost == 1
    assert line.look(sample(delivered=1_448)).lost == 0


def test_the_lines_own_losses_are_the_mean_of_what_was_sent_so_far(line: Line) -> None:
    # 80 segments a look; what is lost in a look does not count for that look
    lossy, clean = sample(delivered=80 * 1_448, lost=1), sample(delivered=80 * 1_448)
    assert line.look(lossy).losses_usual == 0.0
    view = line.look(clean, times=7)
    assert view.losses_usual == pytest.approx(1 / (7 * 80) * (8 * 80)), "one of 560, in a window of 640"
    view = line.look(lossy, times=92)
    assert view.losses_usual == pytest.approx((1 + 91) / (99 * 80) * 640)
    assert view.lost == 8


def test_of_a_long_course_the_last_8000_segments_count(line: Line) -> None:
    line.look(sample(delivered=80 * 1_448, lost=1), times=1_500)
    view = line.look(sample(delivered=80 * 1_448), times=201)  # 16 000 segments: two memories, to e^-2
    assert view.losses_usual == pytest.approx(0.0125 * (1 - 1 / 100) ** 200 * 640)


def test_it_is_learned_by_segments_not_by_time(line: Line) -> None:
    """A trickle and a fast line that lose one of a hundred learn the same from as many segments."""
    trickle, fast = Line(), line
    trickle.look(IDLE)
    one, none = sample(delivered=4 * 1_448, lost=1), sample(delivered=4 * 1_448)
    trickle.look(one, *[none] * 24, times=40)
    fast.look(sample(delivered=400 * 1_448, lost=4), times=10)
    usual = [view.losses_usual / view.segments for view in (trickle.look(none), fast.look(none))]
    assert usual == [pytest.approx(0.01, rel=0.01)] * 2


@pytest.mark.parametrize(("lost", "usual"), [(20, 0.05), (21, 0.05), (80, 0.05), (19, 0.0475)])
def test_no_more_than_five_percent_is_usual(line: Line, lost: int, usual: float) -> None:
    view = line.look(sample(delivered=400 * 1_448, lost=lost), times=20)
    assert view.losses_usual == pytest.approx(usual * 8 * 400)


def test_all_segments_of_the_window_are_counted(line: Line) -> None:
    assert line.look(sample(delivered=80 * 1_448), times=20).segments == 8 * 80


# --- losses around a queue ---------------------------------------------------------------------

CROWD = 0.002  # at least so much of a queue

NO_QUEUE = sample(delivered=80 * 1_448, data=0.04)


def lossy(rtt: float = 0.04, *, data: float = 0.04) -> Sample:
    return sample(rtt, delivered=80 * 1_448, data=data, lost=1)


def test_losses_without_a_queue_are_the_lines_and_are_learned(line: Line) -> None:
    view = line.look(lossy(), times=100)
    assert (view.lost, view.lost_crowded) == (8, 0)
    assert view.losses_usual == pytest.approx(8.0)


def test_losses_around_a_queue_that_pings_meet_are_crowded_and_not_learned(line: Line) -> None:
    line.look(NO_QUEUE, times=8)
    line.look(lossy(0.05), times=2)
    assert line.look(NO_QUEUE).lost_crowded == 0, "the least of three pings: it has not shown yet"
    view = line.look(lossy(0.05), times=10)
    assert (view.lost, view.lost_crowded) == (8, 8)
    # 2 before the queue showed, and 2 in the first looks of it, of 8 + 1 + 2 + 2 looks
    assert view.losses_usual == pytest.approx(4 / (13 * 80) * 640)


def test_losses_around_a_queue_that_only_our_data_meet_are_crowded_too(line: Line) -> None:
    line.look(NO_QUEUE, times=16)
    view = line.look(lossy(data=0.06), times=8)  # fair queueing
    assert view.queue_seconds == 0.0
    assert (view.lost, view.lost_crowded) == (8, 8)
    assert view.losses_usual == 0.0


@pytest.mark.parametrize(("queue", "crowded"), [(0.9 * CROWD, 0), (1.1 * CROWD, 8)])
def test_less_than_two_milliseconds_are_no_crowd(line: Line, queue: float, crowded: int) -> None:
    line.look(NO_QUEUE, times=16)
    line.look(sample(0.04 + queue, delivered=80 * 1_448), times=3)
    assert line.look(sample(0.04 + queue, delivered=80 * 1_448, lost=1), times=8).lost_crowded == crowded


@pytest.mark.parametrize(("rtt", "looks_after", "crowded"), [(0.04, 3, 1), (0.04, 4, 0), (0.5, 10, 1), (0.5, 11, 0)])
def test_a_loss_belongs_to_a_queue_of_a_round_trip_and_three_pings_before(
    rtt: float, looks_after: int, crowded: int
) -> None:
    line = Line()
    line.look(sample(rtt, delivered=80 * 1_448), times=16)
    line.look(sample(rtt + 0.05, delivered=80 * 1_448), times=3)
    calm = sample(rtt, delivered=80 * 1_448)
    line.look(*[calm] * (looks_after - 1))
    view = line.look(sample(rtt, delivered=80 * 1_448, lost=1))
    assert (view.lost, view.lost_crowded) == (1, crowded)


def test_what_was_lost_in_a_queue_of_ours_that_has_gone_is_nobodys(line: Line) -> None:
    line.look(NO_QUEUE, times=8)
    line.look(lossy(0.05), times=10)
    line.sensors.drained()
    view = line.look(lossy())
    assert (view.lost, view.lost_crowded) == (8, 0)
    assert view.losses_usual > 0.0, "and it is learned from again"
    line.look(lossy(0.05), times=3)
    assert line.look(lossy(0.05)).lost_crowded > 0, "a queue that comes back is looked at as before"


def test_a_lost_segment_without_any_delivered_is_not_learned(line: Line) -> None:
    line.look(sample(lost=5), times=100)
    assert line.look(sample(delivered=10**6), times=8).losses_usual == 0.0


# --- what did not arrive -----------------------------------------------------------------------

ALLOWED = 320_000  # 20 000 bytes in 1/16 s
SIZE = int(ALLOWED * STEP)


def test_all_that_was_sent_arrives(line: Line) -> None:
    assert line.look(sample(delivered=SIZE), times=32, allowed=ALLOWED).shortfall == 0.0


def test_a_third_is_missing(line: Line) -> None:
    line.look(sample(delivered=SIZE), times=32, allowed=ALLOWED)
    view = line.look(sample(delivered=SIZE * 2 // 3), times=4, allowed=ALLOWED)
    assert view.shortfall == pytest.approx(1 / 3, rel=0.001)  # the window of 0.25 s holds four looks


def test_more_than_was_sent_is_no_shortfall(line: Line) -> None:
    assert line.look(sample(delivered=2 * SIZE), times=32, allowed=ALLOWED).shortfall == 0.0


def test_what_arrives_is_held_against_what_was_sent_a_round_trip_ago(line: Line) -> None:
    far = 0.25  # four looks
    line.look(sample(far, delivered=SIZE), times=32, allowed=ALLOWED)
    # we send twice as much: for a round trip, and until the kernel has taken the rate, no more of it can have arrived
    assert line.look(sample(far, delivered=SIZE), times=5, allowed=2 * ALLOWED).shortfall == 0.0
    # and one look more: acknowledgements may come later than pings
    assert line.look(sample(far, delivered=SIZE), times=5, allowed=2 * ALLOWED).shortfall == pytest.approx(0.5)


@pytest.mark.parametrize(("limited", "window"), [(True, None), (False, ALLOWED - 1)])
def test_a_sender_that_the_rate_does_not_limit_has_no_shortfall(line: Line, limited: bool, window: int | None) -> None:
    line.look(sample(delivered=SIZE), times=16, allowed=ALLOWED)
    short = sample(delivered=SIZE // 4, limited=limited, window=window)
    assert line.look(short, times=8, allowed=ALLOWED).shortfall == 0.0
    # one such look is enough while it is in the window
    line.look(sample(delivered=SIZE // 4), times=3, allowed=ALLOWED)
    view = line.look(sample(delivered=SIZE // 4), times=3, allowed=ALLOWED)
    assert view.shortfall == pytest.approx(0.75)


@pytest.mark.parametrize(("rtt", "tells"), [(0.06, True), (0.07, False)])
def test_what_a_small_window_lets_through_in_clumps_tells_of_no_shortfall(rtt: float, tells: bool) -> None:
    """A new turn on a long way: ten packets at once, and nothing until their acknowledgements."""
    line = Line()
    full = replace(sample(rtt, delivered=SIZE), sent_bytes=SIZE)
    line.look(full, times=32, allowed=ALLOWED)
    small = replace(sample(rtt, delivered=SIZE // 4, window=ALLOWED - 1), sent_bytes=SIZE)
    assert (line.look(small, times=8, allowed=ALLOWED).shortfall > 0.5) is tells
    wide = replace(sample(rtt, delivered=SIZE // 4, window=ALLOWED), sent_bytes=SIZE)
    assert line.look(wide, times=16, allowed=ALLOWED).shortfall > 0.5, "what a wide window sends and loses does"


def test_a_window_of_just_what_is_allowed_does_not_limit(line: Line) -> None:
    short = sample(delivered=SIZE // 4, window=ALLOWED)
    assert line.look(short, times=16, allowed=ALLOWED).shortfall == pytest.approx(0.75)


def test_after_a_clock_that_went_back_the_missing_is_found_as_before(line: Line) -> None:
    line.look(sample(delivered=SIZE), times=32, allowed=ALLOWED)
    line.now -= 1_000.0
    assert line.look(sample(delivered=SIZE), times=8, allowed=ALLOWED).shortfall == 0.0
    assert line.look(sample(delivered=SIZE // 4), times=8, allowed=ALLOWED).shortfall == pytest.approx(0.75)


@pytest.mark.parametrize(("allowed", "shortfall"), [(92_671, 0.0), (92_672, 1.0)])
def test_fewer_than_sixteen_segments_say_nothing(line: Line, allowed: int, shortfall: float) -> None:
    # 0.25 s of 92 672 bytes per second are 16 × 1 448 bytes
    assert line.look(sample(), times=16, allowed=allowed).shortfall == shortfall


def test_the_missing_is_looked_for_within_two_seconds() -> None:
    line = Line()
    assert line.look(sample(5.0), times=40, allowed=ALLOWED).shortfall == 0.0  # 2.5 s: two, and two windows of 0.25 s
    assert line.look(sample(5.0), times=2, allowed=ALLOWED).shortfall == 1.0


@pytest.mark.parametrize("held_up", [True, False])
def test_a_process_that_was_held_up_has_no_queue_of_its_own(line: Line, held_up: bool) -> None:
    """A look 34 ms late: what was acknowledged meanwhile shows in the smoothed round trip for as long again."""
    line.look(sample(delivered=SIZE, data=0.04), times=16, allowed=ALLOWED)
    line.look(replace(sample(delivered=SIZE, data=0.04, limited=True), late=held_up), allowed=ALLOWED)
    own = line.look(sample(delivered=SIZE, data=0.058), allowed=ALLOWED).own_queue_seconds
    assert (own == 0.0) is held_up
    later = line.look(sample(delivered=SIZE, data=0.058), times=4, allowed=ALLOWED)
    assert later.own_queue_seconds > 0.008
