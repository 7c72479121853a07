"""`seed_server.line.harm_bound`: when leasing at a site rests, and for how long."""

import itertools
import random
from collections.abc import Callable

import pytest

from seed_server.line.harm_bound import (
    GOOD_DAY_SECONDS,
    HARM_LOOK_MOST_SECONDS,
    NEXT_LOOK_MOST_SECONDS,
    NEXT_LOOK_SECONDS,
    HarmBound,
    HarmPause,
    HarmRule,
    Resting,
)
from seed_server.line.harm_evidence import HarmReason, SeenSecond

RULE = HarmRule()
SLOW, FAST = 0.2, 0.01
LINE = 1_000_000.0


class Site:
    """A line with business that suffers, as long as we send, if ``harmful``."""

    def __init__(self, rule: HarmRule = RULE, now: float = 0.0) -> None:
        self.bound = HarmBound(rule)
        self.now = now
        self.suffering = 0
        """Seconds."""

    def second(self, reason: HarmReason | None, *, eases: bool = True, measured: bool = True) -> Resting:
        self.now += 1.0
        resting = self.bound.resting(self.now)
        sends = resting is Resting.NO
        suffers = reason if sends else None
        self.suffering += suffers is not None
        better = not sends and eases
        self.bound.observe(
            SeenSecond(
                self.now,
                LINE if sends else 0.0,
                (0.9 if better else 0.4) * LINE if measured else None,
                (FAST if better else SLOW) if measured else None,
                loud=sends,
                suffered=frozenset() if suffers is None else frozenset({suffers}),
            )
        )
        return self.bound.resting(self.now)

    def run(self, seconds: float, reason: HarmReason | None, *, eases: bool = True, measured: bool = True) -> None:
        for _ in range(round(seconds)):
            self.second(reason, eases=eases, measured=measured)

    def until(self, state: Resting, reason: HarmReason | None, most: float = 1_000.0, *, eases: bool = True) -> float:
        begun = self.now
        while self.second(reason, eases=eases) is not state:
            assert self.now - begun < most
        return self.now - begun


@pytest.mark.parametrize("reason", list(HarmReason))
def test_the_third_harmful_minute_stops_us_and_what_gets_better_then_is_a_pause(reason: HarmReason) -> None:
    site = Site()
    assert site.until(Resting.LOOK, reason) == 2 * RULE.minute_seconds + RULE.harmful_seconds - 1
    # the look, in which nothing is sent either
    assert site.until(Resting.PAUSE, reason) <= HARM_LOOK_MOST_SECONDS
    pause = site.bound.pause
    assert pause is not None
    assert (pause.reason, pause.ends_at - pause.begun_at, pause.in_a_row) == (reason, RULE.pause_seconds, 1)
    assert site.bound.left_seconds(site.now + 60) == RULE.pause_seconds - 60
    assert site.bound.resting(pause.ends_at) is Resting.NO
    assert site.bound.left_seconds(pause.ends_at) == 0


def test_two_harmful_minutes_of_ten_and_minutes_that_are_nearly_harmful_are_borne() -> None:
    site = Site()
    for minute in range(60):
        seconds = RULE.harmful_seconds if minute % 6 == 0 else RULE.harmful_seconds - 1
        site.run(seconds, HarmReason.SLOWED)
        site.run(RULE.minute_seconds - seconds, None)
    assert site.bound.looks == 0


def test_three_of_ten_minutes_need_not_follow_each_other() -> None:
    site = Site()
    for _ in range(3):
        site.run(RULE.harmful_seconds, HarmReason.SLOWED)
        site.run(4 * RULE.minute_seconds - RULE.harmful_seconds, None)
    assert site.bound.pauses == 1


def test_minutes_in_which_nothing_was_sent_do_not_count_and_old_ones_are_forgotten() -> None:
    site = Site()
    for _ in range(2):
        site.run(RULE.minute_seconds, HarmReason.SLOWED)
        site.now += 20 * RULE.minute_seconds  # nothing is sent
    site.run(RULE.minute_seconds, HarmReason.SLOWED)
    assert site.bound.looks == 1
    site = Site()
    for _ in range(9):
        site.run(RULE.minute_seconds, HarmReason.SLOWED)
        site.now += 31 * RULE.minute_seconds
    assert site.bound.looks == 0


def test_pauses_double_up_to_a_most_and_begin_anew_after_a_good_day() -> None:
    site, lengths = Site(), []
    for _ in range(7):
        site.until(Resting.PAUSE, HarmReason.SLOWED)
        pause = site.bound.pause
        assert pause is not None
        lengths.append(pause.ends_at - pause.begun_at)
        site.now = pause.ends_at
    assert lengths == [900, 1_800, 3_600, 7_200, 14_400, 14_400, 14_400]
    site.now += GOOD_DAY_SECONDS
    site.until(Resting.PAUSE, HarmReason.SLOWED)
    assert site.bound.left_seconds(site.now) == RULE.pause_seconds
    assert site.bound.pauses == 8


def test_business_that_is_as_slow_without_us_is_not_our_doing() -> None:
    """A PC whose own connections are slow, or that always lies."""
    site = Site()
    site.run(86_400, HarmReason.SLOWED, eases=False)
    assert site.bound.pauses == 0
    assert site.bound.looks <= 24 + 3
    rests = 86_400 - site.suffering
    assert rests / 86_400 < 0.01


def test_looks_that_showed_nothing_become_rare_and_soon_count_again() -> None:
    site, at = Site(), []
    for _ in range(5):
        site.until(Resting.LOOK, HarmReason.SLOWED, 5_000, eases=False)
        at.append(site.now)
        site.until(Resting.NO, HarmReason.SLOWED, eases=False)
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert gaps[0] >= NEXT_LOOK_SECONDS
    assert all(later >= 1.9 * earlier for earlier, later in itertools.pairwise(gaps[:-1]))
    assert gaps[-1] <= NEXT_LOOK_MOST_SECONDS + 60
    assert site.until(Resting.PAUSE, HarmReason.SLOWED, 5_000) <= NEXT_LOOK_MOST_SECONDS + 60


def test_when_nobody_is_left_who_could_tell_we_go_on_and_look_again_as_soon_as_it_is_so_again() -> None:
    site = Site()
    site.until(Resting.LOOK, HarmReason.DISPLACED)
    site.run(HARM_LOOK_MOST_SECONDS, HarmReason.DISPLACED, measured=False)
    assert (site.bound.resting(site.now), site.bound.pauses) == (Resting.NO, 0)
    site.until(Resting.PAUSE, HarmReason.DISPLACED, 4 * RULE.minute_seconds)


def test_a_look_that_nobody_ends_is_over_by_itself() -> None:
    site = Site()
    site.until(Resting.LOOK, HarmReason.SLOWED)
    site.now += 10 * HARM_LOOK_MOST_SECONDS
    assert site.bound.resting(site.now) is Resting.NO
    site.run(RULE.minute_seconds, None)
    assert site.bound.pauses == 0


def test_a_restart_of_the_server_ends_no_pause() -> None:
    site = Site()
    site.until(Resting.PAUSE, HarmReason.SLOWED)
    pause = site.bound.pause
    assert pause is not None
    later = HarmBound()
    later.restore(HarmPause(pause.reason, -100.0, 800.0, pause.in_a_row), site.bound.pauses)
    assert later.resting(0.0) is Resting.PAUSE
    assert later.resting(800.0) is Resting.NO
    site.bound, site.now = later, 800.0
    site.until(Resting.PAUSE, HarmReason.SLOWED)
    assert (later.pause and later.pause.in_a_row, later.pauses) == (2, 2)


def _always(_: random.Random) -> bool:
    return True


def _by_chance(source: random.Random) -> bool:
    return source.random() < 0.3


@pytest.mark.parametrize("harmful", [_always, _by_chance])
@pytest.mark.parametrize("seed", range(5))
def test_whatever_steers_the_line_harm_is_bounded(harmful: Callable[[random.Random], bool], seed: int) -> None:
    """Of a whole day, business suffers for some minutes before each pause, and pauses become long."""
    source = random.Random(seed)
    site = Site(now=source.uniform(0, 60))
    begun, worst = site.suffering, 0
    for _ in range(86_400):
        reason = source.choice(list(HarmReason)) if harmful(source) else None
        before = site.bound.pauses
        site.second(reason)
        if site.bound.pauses > before:
            worst = max(worst, site.suffering - begun)
            begun = site.suffering
    assert site.bound.pauses >= 6
    assert worst <= (RULE.harmful_minutes + 1) * RULE.minute_seconds
    assert site.suffering < 86_400 * 0.02


def test_a_clock_that_goes_back_leaves_nothing_to_wait_for() -> None:
    site = Site(now=1e9)
    site.until(Resting.LOOK, HarmReason.SLOWED)
    site.now = 0.0
    assert site.bound.resting(site.now) is Resting.NO
    site.until(Resting.PAUSE, HarmReason.SLOWED, 300.0)


def test_a_transfer_that_fills_the_queue_itself_is_displaced_all_the_same() -> None:
    """Without us, the delay stays, and the transfer has the line."""
    site = Site()
    both = frozenset(HarmReason)

    def until(state: Resting, business: float) -> None:
        for _ in range(200):
            site.now += 1.0
            sends = site.bound.resting(site.now) is Resting.NO
            site.bound.observe(
                SeenSecond(site.now, LINE, business, SLOW, loud=sends, suffered=both if sends else frozenset())
            )
            if site.bound.resting(site.now) is state:
                return

    until(Resting.LOOK, 0.2 * LINE)
    until(Resting.PAUSE, 0.9 * LINE)
    assert site.bound.pause is not None
    assert site.bound.pause.reason is HarmReason.DISPLACED
