"""`bandwidth.core.sharing`: with a steady call, not with a download."""

import pytest

from bandwidth.core.business import BusinessLoad
from bandwidth.core.sharing import Sharing

CAPACITY = 1_000_000.0
STEP = 0.0625


class Line:
    """Business at a rate that the test sets, and the sharing beside it."""

    def __init__(self, rate: float) -> None:
        self.load = BusinessLoad()
        self.sharing = Sharing(self.load, 0.0)
        self.now = 0.0
        self.run(rate, 7.0)

    def run(self, rate: float, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.load.observe(int(rate * STEP), STEP, self.now, 0.04)


def shared(rate: float = 320_000.0) -> Line:
    line = Line(rate)
    assert line.sharing.begins(CAPACITY, line.now)
    return line


def test_a_steady_call_is_shared_with_and_gets_a_little_more_than_its_mean() -> None:
    line = shared()
    assert line.sharing.need == pytest.approx(1.15 * 320_000.0)
    assert line.sharing.holds(line.now)
    line.run(352_000.0, 1.0)
    assert line.sharing.need == pytest.approx(1.15 * 352_000.0), "its mean now, not when it began"


@pytest.mark.parametrize(("rate", "begins"), [(600_000.0, True), (600_016.0, False)])
def test_more_than_six_tenths_of_the_line_is_no_call(rate: float, begins: bool) -> None:
    line = Line(rate)
    assert line.sharing.begins(CAPACITY, line.now) is begins
    assert (line.sharing.need is not None) is begins
    assert line.sharing.holds(line.now) is begins


def test_not_without_a_capacity_nor_a_steady_rate() -> None:
    line = Line(320_000.0)
    assert not line.sharing.begins(None, line.now)
    line.run(640_000.0, 1.0)
    assert not line.sharing.begins(CAPACITY, line.now)
    assert line.sharing.need is None


def test_two_looks_are_half_a_second_apart() -> None:
    line = Line(320_000.0)
    line.run(480_000.0, 0.5)
    assert not line.sharing.begins(CAPACITY, line.now)
    later = Sharing(line.load, line.now)
    line.run(480_000.0, 6.5)
    steady_at = line.now
    assert later.begins(CAPACITY, steady_at)
    looked = Sharing(line.load, steady_at)
    assert not looked.begins(CAPACITY, steady_at - 1.0)
    # the first look sees no steady rate, a second one 0.49 s later does not look
    waiting = Sharing(BusinessLoad(), 0.0)
    assert not waiting.begins(CAPACITY, 10.0)
    waiting._business = line.load
    assert not waiting.begins(CAPACITY, 10.49)
    assert waiting.begins(CAPACITY, max(10.5, steady_at))


@pytest.mark.parametrize(("rate", "holds"), [(256_000.0, True), (255_984.0, False)])
def test_one_that_falls_beside_us_is_left_alone_for_twenty_seconds(rate: float, holds: bool) -> None:
    line = shared()
    line.run(rate, 1.0)
    assert line.sharing.holds(line.now) is holds
    if not holds:
        fell_at = line.now
        line.run(320_000.0, 19.9)
        assert not line.sharing.begins(CAPACITY, fell_at + 19.9)
        line.run(320_000.0, 0.2)
        assert line.sharing.begins(CAPACITY, fell_at + 20.0)


@pytest.mark.parametrize(("rate", "holds"), [(416_000.0, True), (416_016.0, False)])
def test_one_that_grows_is_judged_anew_without_a_wait(rate: float, holds: bool) -> None:
    line = shared()
    line.run(rate, 1.0)
    assert line.sharing.holds(line.now) is holds
    line.run(rate, 6.0)
    assert line.sharing.begins(CAPACITY, line.now)
    assert line.sharing.need == pytest.approx(1.15 * rate)


def test_refused_it_begins_again_only_after_a_while() -> None:
    line = shared()
    line.sharing.refuse(line.now)
    assert line.sharing.need is None
    assert not line.sharing.holds(line.now)
    line.run(320_000.0, 19.0)
    assert not line.sharing.begins(CAPACITY, line.now)
    line.run(320_000.0, 1.0)
    assert line.sharing.begins(CAPACITY, line.now)


def test_refusing_without_sharing_changes_nothing() -> None:
    line = Line(320_000.0)
    line.sharing.refuse(line.now)
    assert line.sharing.begins(CAPACITY, line.now)


def test_a_clock_that_went_back_makes_it_look_at_once() -> None:
    line = shared()
    line.sharing.refuse(1e9)
    assert not line.sharing.begins(CAPACITY, line.now)
    line.sharing.restart(line.now)
    assert line.sharing.begins(CAPACITY, line.now)


def test_a_transfer_whose_bytes_nobody_sees_is_not_shared_with() -> None:
    line = Line(0.0)
    assert not line.sharing.begins(CAPACITY, line.now)
