"""`p2pdist.limiter.fitness`: when a PC helps less, and when it refuses."""

import pytest

from p2pdist.limiter.fitness import (
    BATTERY_RESUME_PERCENT,
    CPU_RESUME_SHARE,
    CPU_SECONDS,
    FETCH_ANYWAY_SECONDS,
    FitLimits,
    Fitness,
)
from p2pdist.limiter.lan_policy import LanReason
from p2pdist.pc.network import Battery

IDLE = (0.0, 0.0)


class Pc:
    """A PC whose processors are so busy from each look to the next."""

    def __init__(self, limits: FitLimits | None = None) -> None:
        self.fitness = Fitness(limits or FitLimits())
        self.busy = self.total = 0.0

    def is_busy(self, share: float, now: float) -> bool:
        self.busy, self.total = self.busy + share, self.total + 1.0
        assert self.fitness.observe((self.busy, self.total), None, now) is None, "a busy processor refuses nothing"
        return self.fitness.busy


def test_a_busy_processor_counts_after_a_while_and_no_more_clearly_below() -> None:
    pc, now = Pc(), 0
    while not pc.is_busy(1.0, float(now)):
        now += 1
    assert CPU_SECONDS < now < 2.5 * CPU_SECONDS
    assert all(pc.is_busy(0.75, float(later)) for later in range(now, now + 60)), "below the limit, but not clearly"
    share = 0.8 * CPU_RESUME_SHARE
    assert not [pc.is_busy(share - 0.1, float(later)) for later in range(now + 60, now + 120)][-1]


@pytest.mark.parametrize(("cpu", "busy"), [(0.80, False), (0.81, True)])
def test_the_limit_of_the_processor(cpu: float, busy: bool) -> None:
    pc = Pc()
    assert [pc.is_busy(cpu, n * 5.0) for n in range(100)][-1] is busy


def test_starting_a_program_is_no_load() -> None:
    pc = Pc()
    assert not any(pc.is_busy(1.0 if n % 5 == 0 else 0.1, float(n)) for n in range(100))


@pytest.mark.parametrize("counters", [(5.0, 5.0), (0.0, 0.0), (9.0, 4.0)])
def test_counters_that_stand_still_or_fall_say_nothing(counters: tuple[float, float]) -> None:
    fitness = Fitness(FitLimits())
    fitness.observe((5.0, 5.0), None, 0.0)
    fitness.observe(counters, None, 60.0)
    assert fitness.cpu_share == 0.0


@pytest.mark.parametrize(
    ("percent", "on_mains", "refused"),
    [(20.0, False, False), (19.9, False, True), (5.0, True, False), (5.0, None, False)],
)
def test_the_limit_of_the_battery(percent: float, on_mains: bool | None, refused: bool) -> None:
    reason = Fitness(FitLimits()).observe(IDLE, Battery(percent, on_mains), 0.0)
    assert (reason is LanReason.REFUSED_BATTERY) is refused


def test_a_battery_serves_again_clearly_above() -> None:
    fitness = Fitness(FitLimits())
    assert fitness.observe(IDLE, Battery(19.0, on_mains=False), 0.0)
    assert fitness.observe(IDLE, Battery(19.9 + BATTERY_RESUME_PERCENT, on_mains=False), 1.0)
    assert fitness.observe(IDLE, Battery(20.0 + BATTERY_RESUME_PERCENT, on_mains=False), 2.0) is None
    assert fitness.observe(IDLE, Battery(20.0, on_mains=False), 3.0) is None


def test_the_admin_may_say_that_it_always_helps() -> None:
    pc = Pc(FitLimits(cpu_percent=100, battery_percent=0))
    assert not any(pc.is_busy(1.0, float(n)) for n in range(100))
    assert pc.fitness.observe(IDLE, Battery(0.0, on_mains=False), 100.0) is None


def test_who_refuses_takes_no_leases_but_not_for_ever() -> None:
    fitness = Fitness(FitLimits())
    assert fitness.may_fetch(0.0)
    fitness.observe(IDLE, Battery(1.0, on_mains=False), 10.0)
    assert not fitness.may_fetch(10.0 + FETCH_ANYWAY_SECONDS - 1)
    assert fitness.may_fetch(10.0 + FETCH_ANYWAY_SECONDS)
    fitness.observe(IDLE, None, 20.0)
    assert fitness.may_fetch(20.0)


def test_who_is_busy_takes_leases_when_nobody_else_does() -> None:
    pc = Pc()
    assert [pc.is_busy(1.0, float(n)) for n in range(60)][-1]
    assert pc.fitness.may_fetch(60.0), "the server sees to it that others go first"
